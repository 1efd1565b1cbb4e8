#pragma once
#include "base/time.hpp"

#include "dialogs.hpp"
#include "sockets.hpp"
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::bench {

struct LoadSettings {
  std::uint16_t websocket_port = 0, sip_port = 0;  ///< of the server
  std::uint16_t caller_port = 0, callee_port = 0;  ///< of our two trunks
  std::string offer;                               ///< a browser's
};

enum class CallKind : std::uint8_t { browser_to_trunk, trunk_to_trunk };

/// How one phase went. Times in milliseconds.
struct Outcome {
  std::size_t begun = 0, done = 0, failed = 0;
  std::vector<double> set_up;  ///< of each call, first INVITE to 2xx; of each registration
  std::map<std::string, std::size_t> reasons;  ///< of failures
  double seconds = 0;                          ///< from the first to the last that was begun
  double late = 0;  ///< the most that one was begun after its time: our own fault
};

/// Browsers and two trunks of one server, in one thread. The callee trunk answers at once and keeps
/// nothing.
class Load {
 public:
  explicit Load(LoadSettings settings);
  ~Load();

  void connect(std::size_t users);
  /// Each user once, so many a second.
  Outcome register_all(double rate);
  /// Calls begun at so many a second; each is ended so long after it was answered.
  Outcome call(CallKind kind, double rate, std::size_t count, milliseconds hold);
  /// Answers pings, and whatever the server may want, until there is input on this descriptor.
  void idle(int descriptor);

 private:
  enum class Step : std::uint8_t { free, inviting, up, ending, registering };
  /// A call or a registration.
  struct Task {
    Step step = Step::free;
    std::uint32_t serial = 0;
    std::size_t user = 0;
    bool authorized = false;  ///< has answered a challenge
    TimePoint begun{};
    Dialog dialog{};
    std::string last{};  ///< over UDP: what is sent again
  };
  struct Due {
    TimePoint at;
    std::uint32_t task, serial;
    unsigned branch;
  };

  void watch(int operation, int descriptor, std::uint64_t key, bool writable);
  bool poll(int timeout);
  void receive_browser(std::size_t user);
  template <class Begin>
  Outcome run(double rate, std::size_t count, const Begin& begin);
  std::uint32_t take_task();
  void begin_registration(std::size_t user);
  void begin_call(CallKind kind, std::size_t number);
  void send(std::uint32_t id, std::string text);
  void receive_trunk(DatagramPort& port);
  void answer(DatagramPort& port, std::string_view request);
  void receive_response(std::string_view response);
  void challenged(std::uint32_t id, std::string_view response);
  void answered(std::uint32_t id, std::string_view response);
  void hang_up(std::uint32_t id);
  void finish(std::uint32_t id, const std::string& failure = {});
  void timers(TimePoint now);
  int until_next(TimePoint next, TimePoint now) const;

  LoadSettings settings_;
  int epoll_;
  std::vector<std::unique_ptr<WebSocketClient>> sockets_;
  std::vector<User> users_;
  DatagramPort caller_, callee_;
  std::string trunk_offer_;
  std::string room_;  ///< what sockets are read through
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> free_;
  std::deque<Due> hang_ups_, repeats_, patience_;
  std::size_t running_ = 0;
  std::uint32_t serial_ = 0;
  milliseconds hold_{};
  Outcome outcome_;
};

}  // namespace trunkline::bench
