#pragma once
#include "base/bytes.hpp"
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/srtp.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The media half of a browser, for tests: a full, controlling ICE agent with one pair, DTLS in
/// either role, SRTP by libsrtp, G.711 µ-law or Opus audio. Sans I/O: datagrams and time in,
/// datagrams out. Its DTLS is its own OpenSSL code, not the gateway's, so that a mistake of one
/// shows at the other.
namespace trunkline::test {

/// How strong one frequency is in audio of 8 kHz (Goertzel), over the last complete window of 100
/// ms.
class ToneMeter {
 public:
  explicit ToneMeter(double frequency) : frequency_(frequency) {}
  void add(ByteView ulaw);
  void add(std::span<const std::int16_t> samples);
  /// Share of the window's energy at the frequency: near 1 for a pure tone, 0 for silence or
  /// another tone.
  double share() const { return share_; }
  std::uint64_t windows() const { return windows_; }  ///< complete windows so far
  std::uint64_t heard() const { return heard_; }      ///< windows with a share above 0.8

 private:
  static constexpr std::size_t kWindow = 800;
  double frequency_;
  void add(double sample);

  std::vector<double> samples_;
  double share_ = 0;
  std::uint64_t windows_ = 0, heard_ = 0;
};

struct BrowserMediaSettings {
  bool dtls_client = true;        ///< a=setup:active of the browser; false: passive
  bool send_certificate = true;   ///< false: a TLS client without a certificate (must be refused)
  bool check_fingerprint = true;  ///< compare the gateway's certificate with what was signalled
  /// Chrome's order.
  std::string srtp_profiles = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM";
  bool opus = false;              ///< instead of PCMU
  std::uint8_t payload_type = 0;  ///< PCMU
  std::uint8_t event_payload_type = 126;
  std::uint32_t clock = 8000;    ///< of audio and events
  std::uint32_t lose_every = 0;  ///< of so many RTP packets one is lost, in each direction; 0: none
  std::uint32_t ssrc = 0;        ///< 0: random
  double listen_frequency = 440;  ///< of `tone()`
  Duration check_interval = milliseconds{500};
  /// False: whoever owns it takes `srtp_keys()` and does RTP and RTCP itself.
  bool carries_rtp = true;
};

/// What a DTLS association gives to SRTP (RFC 5764 §4.2).
struct BrowserSrtpKeys {
  media::SrtpProfile profile{};
  media::SrtpMasterKey ours, theirs;
};

class BrowserMedia {
 public:
  BrowserMedia(BrowserMediaSettings settings, Random& random);
  ~BrowserMedia();
  BrowserMedia(const BrowserMedia&) = delete;
  BrowserMedia& operator=(const BrowserMedia&) = delete;

  // what goes into our SDP
  /// Those of a `restart_ice` from then on.
  const media::IceCredentials& ice() const;
  const media::Fingerprint& fingerprint() const;
  std::uint32_t ssrc() const;

  /// What the gateway's SDP says; checks begin at `now`. `dtls_client` may be decided only now (our
  /// a=setup).
  void connect(const media::IceCredentials& remote, const media::Fingerprint& fingerprint,
               bool dtls_client, TimePoint now);

  /// New ICE credentials of ours, for an offer; they serve from the next `connect` on, with the
  /// DTLS association that is there.
  void restart_ice();
  /// A new DTLS association with the same certificate (RFC 8842 §5.1), now.
  void begin_association(bool dtls_client, TimePoint now);

  void receive(ByteView datagram, TimePoint now);
  void on_deadline(TimePoint now);
  TimePoint deadline() const;
  /// Datagrams to send, in order; empties the list.
  std::vector<std::vector<std::uint8_t>> take_datagrams();

  bool ice_connected() const;
  bool dtls_connected() const;       ///< finished, fingerprint right, SRTP keys there
  bool dtls_failed() const;          ///< alert, mismatch
  bool closed() const;               ///< the gateway sent close_notify
  std::string srtp_profile() const;  ///< OpenSSL's name, e.g. "SRTP_AEAD_AES_128_GCM"; empty before
  std::optional<BrowserSrtpKeys> srtp_keys() const;     ///< nothing before `dtls_connected()`
  std::optional<SocketAddress> mapped_address() const;  ///< XOR-MAPPED-ADDRESS of the last answer

  // sending; nothing goes out before `dtls_connected()`
  /// A sine wave of 20 ms packets from `now` on, by `on_deadline`. 0 Hz: stops.
  void send_tone(double frequency, TimePoint now);
  /// One RTP packet on our running sequence and timestamp line. False when not connected.
  bool send_rtp(ByteView payload, std::uint8_t payload_type, std::uint32_t timestamp_step,
                bool marker = false);
  /// A whole telephone event, all packets at once.
  void send_digit(char digit, std::uint32_t duration_ms);
  void send_rtcp(ByteView compound);
  void send_raw(ByteView datagram);  ///< as it is
  /// DTLS close_notify, as pc.close() does.
  void close();
  /// Sends no more connectivity checks (consent then runs out at the gateway), or sends them again.
  void pause_checks(bool paused);

  // what came in
  struct Received {
    std::uint64_t rtp = 0, rtcp = 0, bytes = 0, srtp_errors = 0, sequence_gaps = 0,
                  ssrc_changes = 0;
    std::uint64_t sender_reports = 0, receiver_reports = 0, byes = 0;
    std::uint32_t ssrc = 0, timestamp = 0;
    std::uint16_t sequence = 0;
    std::uint8_t payload_type = 0;
    bool marker = false;
    std::vector<std::uint8_t> payload;  ///< of the last RTP packet
    std::string digits;                 ///< of whole telephone events, once each
  };
  const Received& received() const;
  const ToneMeter& tone() const;
  /// The last datagrams sent as SRTP, for replays (at most 64).
  const std::vector<std::vector<std::uint8_t>>& sent_srtp() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 20 ms (160 octets) of a sine wave in µ-law, starting at `sample`.
std::vector<std::uint8_t> ulaw_tone(double frequency, std::uint64_t sample);

}  // namespace trunkline::test
