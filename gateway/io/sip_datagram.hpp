#pragma once
#include "base/ids.hpp"
#include "base/rate_limit.hpp"
#include "base/result.hpp"
#include "io/counters.hpp"
#include "io/recent_requests.hpp"
#include "io/settings.hpp"
#include "io/signalling_input.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <array>
#include <memory>
#include <vector>

namespace trunkline::io {

/// SIP over UDP (RFC 3261 §18): one socket a listener, ICMP errors brought home to the requests
/// that caused them. Signalling thread; must outlive the io_context's handlers or be gone only
/// after it stopped.
class SipDatagram {
 public:
  SipDatagram(boost::asio::io_context& context, SignallingInput& input, Counters& counters)
      : context_(context), input_(input), counters_(counters) {}
  ~SipDatagram();

  /// Binds one listener. Its place in the order of the calls is the order of preference for
  /// sending.
  Result<SocketAddress> listen(const SocketAddress& bind, FlowId flow);
  void start();
  /// Sends at once or not at all: UDP is repaired by retransmission.
  void send(const sip::SendBytes& order);

 private:
  struct Listener;
  void wait(const std::shared_ptr<Listener>& listener);
  void receive(Listener& listener);
  /// False when the error queue is empty.
  bool take_error(Listener& listener);
  void on_unreachable(const SocketAddress& destination);
  Listener* listener_for(const sip::Target& target);
  void failed(const sip::SendBytes& order, int error);

  boost::asio::io_context& context_;
  SignallingInput& input_;
  Counters& counters_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  RecentRequests recent_;
  std::array<char, 65536> buffer_{};
  RateLimit log_limit_{1, 5};
};

}  // namespace trunkline::io
