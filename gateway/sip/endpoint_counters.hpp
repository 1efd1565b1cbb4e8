#pragma once
#include "base/metrics.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/parser.hpp"
#include "sip/transaction.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace trunkline::sip {

enum class Direction : std::uint8_t { in, out, count_ };
enum class TransactionKind : std::uint8_t {
  invite_client,
  non_invite_client,
  invite_server,
  non_invite_server,
  count_
};

/// How a request went that was too large for UDP (RFC 3261 §18.1.1): the label `sent` of
/// trunkline_sip_large_requests_total.
enum class LargeRequest : std::uint8_t {
  tcp,
  fell_back,  ///< by UDP, for TCP found nobody; counted under tcp before
  udp,        ///< at once: we have no TCP listener, or TCP has found nobody lately
  count_
};

/// The metrics of a sip::Endpoint. Written by the signalling thread, read by any.
struct EndpointCounters final : MetricSource {
  EndpointCounters();

  void count_request(Direction direction, Transport transport, Method method);
  void count_response(Direction direction, Transport transport, Method method, int status);
  void count_retransmission(Direction direction, Method method);
  void count_parse_error(Transport transport, ParseErrorReason reason);
  void count_size(Transport transport, std::size_t octets);
  Cell& active(TransactionKind kind) { return active_[kind]; }
  Cell& timeouts(TimeoutTimer timer) { return timeouts_[timer]; }
  Cell& large_requests(LargeRequest sent) { return large_requests_[sent]; }

  void collect(MetricSink& sink) const override;

 private:
  enum class CodeClass : std::uint8_t { c1xx, c2xx, c3xx, c4xx, c5xx, c6xx, count_ };
  template <class Enum, class Value>
  struct By {
    Value& operator[](Enum key) { return values[static_cast<std::size_t>(key)]; }
    const Value& operator[](Enum key) const { return values[static_cast<std::size_t>(key)]; }
    std::array<Value, static_cast<std::size_t>(Enum::count_)> values{};
  };

  void collect_messages(MetricSink& sink, Direction direction) const;
  void collect_transports(MetricSink& sink) const;
  void collect_transactions(MetricSink& sink) const;

  By<Direction, By<Transport, CellArray<Method>>> requests_;
  By<Direction, By<Transport, By<Method, CellArray<CodeClass>>>> responses_;
  By<Direction, CellArray<Method>> retransmissions_;
  CellArray<TransactionKind> active_;
  CellArray<TimeoutTimer> timeouts_;
  CellArray<LargeRequest> large_requests_;
  By<Transport, CellArray<ParseErrorReason>> parse_errors_;
  std::array<HistogramCell, static_cast<std::size_t>(Transport::count_)> sizes_;
};

}  // namespace trunkline::sip
