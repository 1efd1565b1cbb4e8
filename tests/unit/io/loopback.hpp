#pragma once
#include "base/ids.hpp"
#include "base/time.hpp"
#include "io/counters.hpp"
#include "io/signalling_input.hpp"
#include "io/tls_contexts.hpp"
#include "io/unique_fd.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::io {

/// Writes down what the sockets tell the loop.
struct RecordingInput final : SignallingInput {
  struct Message {
    std::string bytes;
    sip::Target source;
  };
  void received(std::string bytes, const sip::Target& source) override {
    messages.push_back({std::move(bytes), source});
    if (on_message) on_message(messages.back());
  }
  void broken(std::string, sip::ParseErrorReason reason, const sip::Target& source) override {
    breaks.emplace_back(reason, source);
    if (on_broken) on_broken(source);
  }
  void closed(FlowId flow) override { closures.push_back(flow); }
  void send_failed(sip::TransactionId transaction, sip::Unsent why) override {
    failures.push_back(transaction);
    reasons.push_back(why);
  }

  std::vector<Message> messages;
  std::vector<std::pair<sip::ParseErrorReason, sip::Target>> breaks;
  std::vector<FlowId> closures;
  std::vector<sip::TransactionId> failures;
  std::vector<sip::Unsent> reasons;  ///< of the failures
  std::function<void(const Message&)> on_message;
  std::function<void(const sip::Target&)> on_broken;
};

/// A peer's socket, never waiting.
class PeerSocket {
 public:
  static PeerSocket udp();
  static PeerSocket udp_on(std::uint16_t port);
  static PeerSocket tcp_listener();
  static PeerSocket tcp_to(const SocketAddress& address);

  explicit PeerSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  SocketAddress local() const;
  void send(std::string_view bytes) const;
  void send_to(std::string_view bytes, const SocketAddress& to) const;
  /// What is there now: of a stream all octets, of UDP one datagram; empty when nothing.
  std::string receive(SocketAddress* from = nullptr) const;
  /// All octets so far; `closed()` tells whether the stream has ended.
  const std::string& gather();
  bool closed() const { return closed_; }
  std::string& gathered() { return gathered_; }
  std::optional<PeerSocket> accept() const;
  void shrink_receive_buffer() const;
  void reset();
  void close() { fd_ = UniqueFd(); }
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string gathered_;
  bool closed_ = false;
};

/// An io_context that the test turns by hand, and what hangs on it.
class Loopback : public ::testing::Test {
 public:
  /// Turns the loop until `done`; false when that takes longer than any working program would on a
  /// slow and busy machine.
  bool run_until(const std::function<bool()>& done, Duration longest = seconds{60}) {
    const TimePoint end = Clock::now() + longest;
    while (!done()) {
      if (Clock::now() >= end) return false;
      context.restart();
      context.run_one_for(milliseconds{5});
    }
    return true;
  }
  /// Turns the loop while it has something to do at once.
  void run_ready() {
    context.restart();
    context.poll();
  }

  boost::asio::io_context context{1};
  RecordingInput input;
  Counters counters;
  IdSequence<FlowId> flows;
  TlsContexts tls;
};

inline SocketAddress loopback(std::uint16_t port = 0) {
  return {*IpAddress::parse("127.0.0.1"), port};
}

}  // namespace trunkline::io
