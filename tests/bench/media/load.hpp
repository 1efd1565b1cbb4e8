#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/srtp.hpp"

#include "batch_socket.hpp"
#include "flow.hpp"
#include "support/browser_media.hpp"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::bench {

/// How the side of a call that is encrypted gets its keys.
enum class CallKind : std::uint8_t {
  dtls,  ///< a browser: ICE, then DTLS
  keyed  ///< told: SDES, or a relay that knows no key exchange
};

struct Keys {
  media::SrtpProfile profile{};
  media::SrtpMasterKey send, receive;
};

/// What a call's server said about itself.
struct Remote {
  SocketAddress encrypted_side, plain_side;  ///< where our two ends send to
  media::IceCredentials ice;                 ///< of a `dtls` call
  media::Fingerprint fingerprint;
  std::optional<Keys> keys;  ///< of a `keyed` call
};

struct Connected {
  std::size_t connected = 0, failed = 0;
  double seconds = 0;
};

struct Talked {
  Tally tally;
  std::size_t calls = 0;
  std::uint64_t srtp_errors = 0, strangers = 0, rtcp = 0;
  std::uint64_t overflows = 0, refused = 0;  ///< the generator's own losses
  double late = 0;                           ///< ms, the most that one was sent after its time
  Connected connected;                       ///< meanwhile
};

/// Calls through one server: for each an end that is encrypted, at 127.1.x.y, and a plain one, at
/// 127.2.x.y. One thread.
class Load {
 public:
  /// The plain ends have RTCP at the port after theirs.
  Load(std::uint16_t encrypted_port, std::uint16_t plain_port);
  ~Load();

  /// What a call has to tell its server.
  struct Local {
    std::size_t id = 0;
    SocketAddress encrypted_side, plain_side;
    std::uint32_t ssrc = 0;
    media::IceCredentials ice;
    media::Fingerprint fingerprint;
  };
  /// `srtp_profiles`: OpenSSL's names, which a browser offers.
  Local add(CallKind kind, const std::string& srtp_profiles);
  void set_remote(std::size_t id, const Remote& remote);

  /// Connects those that are not, `rate` a second, 0: at once. Returns when each is, or has failed.
  Connected connect(double rate);
  /// The first `calls` that are connected talk both ways for so long, each in its own phase. What
  /// else waits connects meanwhile, `connect_rate` a second, unless that is 0.
  Talked talk(std::size_t calls, seconds length, double connect_rate);
  /// Keeps ICE alive until there is input on this descriptor.
  void idle(int descriptor);

 private:
  struct Call;
  struct Slot {
    Duration phase;
    Call* call;
    bool from_encrypted;
  };
  class Pace;

  void wait(TimePoint until);
  void receive_encrypted(const BatchSocket::Arrival& arrival);
  void receive_plain(const BatchSocket::Arrival& arrival);
  void receive_rtcp();
  void send(const Slot& slot, TimePoint due);
  void begin_connecting(Call& call, TimePoint now);
  void take_datagrams(Call& call);
  void on_deadlines(TimePoint now);
  Call* call_at(Host own, Host base);
  std::vector<Slot> schedule(std::size_t calls);
  std::vector<Call*> waiting() const;
  static Connected outcome(const std::vector<Call*>& calls);

  SystemRandom random_;
  BatchSocket encrypted_, plain_, plain_rtcp_;
  int epoll_;
  std::uint16_t encrypted_port_, plain_port_;
  TimePoint start_, next_deadlines_{};
  std::vector<std::unique_ptr<Call>> calls_;
  bool other_ready_ = false;
  std::uint64_t srtp_errors_ = 0, strangers_ = 0, rtcp_ = 0;
};

}  // namespace trunkline::bench
