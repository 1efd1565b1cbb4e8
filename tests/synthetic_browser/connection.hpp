#pragma once
#include "user_agent.hpp"
#include <functional>
#include <memory>
#include <string>

namespace trunkline::test {

/// Sockets around one user agent: a WebSocket to the gateway and a UDP socket a call, on one
/// thread. Real time.
class Connection {
 public:
  /// `url`: ws://HOST:PORT
  Connection(std::string url, UserAgentSettings settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  UserAgent& agent();
  TimePoint now() const { return Clock::now(); }
  /// Opens the WebSocket with the subprotocol `sip`; false if the gateway refuses.
  bool connect(std::string& why);
  /// Breaks the connection without a closing handshake, as a lost network does.
  void drop();
  bool is_connected() const;
  /// Waits for sockets and deadlines, at most until `until`, and hands them to the agent. Returns
  /// early after any input.
  void turn(TimePoint until);
  /// Also wakes `turn` when this file descriptor is readable; `ready` then reads it, and
  /// tells whether to go on watching.
  void watch(int descriptor, std::function<bool()> ready);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::test
