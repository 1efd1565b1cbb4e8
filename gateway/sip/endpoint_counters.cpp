#include "sip/endpoint_counters.hpp"

#include <algorithm>
#include <string>

namespace trunkline::sip {
namespace {

/// Around the Ethernet MTU and RFC 3261 §18.1.1's 1,300 octets, then up to the largest datagram.
HistogramCell size_histogram() {
  return HistogramCell({250, 500, 750, 1000, 1300, 1500, 2500, 5000, 10000, 65535});
}

std::string_view direction_label(Direction direction) {
  return direction == Direction::in ? "in" : "out";
}

std::string_view method_label(Method method) {
  return method == Method::unknown ? "other" : method_name(method);
}

std::string_view kind_label(TransactionKind kind) {
  switch (kind) {
    case TransactionKind::invite_client:
      return "ict";
    case TransactionKind::non_invite_client:
      return "nict";
    case TransactionKind::invite_server:
      return "ist";
    case TransactionKind::non_invite_server:
      return "nist";
    case TransactionKind::count_:
      break;
  }
  return {};
}

std::string_view large_request_label(LargeRequest sent) {
  switch (sent) {
    case LargeRequest::tcp:
      return "tcp";
    case LargeRequest::fell_back:
      return "udp_after_tcp";
    case LargeRequest::udp:
    case LargeRequest::count_:
      break;
  }
  return "udp";
}

std::string_view timer_label(TimeoutTimer timer) {
  switch (timer) {
    case TimeoutTimer::b:
      return "B";
    case TimeoutTimer::f:
      return "F";
    case TimeoutTimer::h:
      return "H";
    case TimeoutTimer::l:
      return "L";
    case TimeoutTimer::cancel:
      return "cancel";
    case TimeoutTimer::count_:
      break;
  }
  return {};
}

}  // namespace

EndpointCounters::EndpointCounters()
    : sizes_{size_histogram(), size_histogram(), size_histogram(), size_histogram(),
             size_histogram()} {}

void EndpointCounters::count_request(Direction direction, Transport transport, Method method) {
  requests_[direction][transport][method].add();
}

void EndpointCounters::count_response(Direction direction, Transport transport, Method method,
                                      int status) {
  const int code_class = std::clamp(status / 100, 1, 6);
  responses_[direction][transport][method][static_cast<CodeClass>(code_class - 1)].add();
}

void EndpointCounters::count_retransmission(Direction direction, Method method) {
  retransmissions_[direction][method].add();
}

void EndpointCounters::count_parse_error(Transport transport, ParseErrorReason reason) {
  parse_errors_[transport][reason].add();
}

void EndpointCounters::count_size(Transport transport, std::size_t octets) {
  sizes_[static_cast<std::size_t>(transport)].observe(static_cast<double>(octets));
}

void EndpointCounters::collect(MetricSink& sink) const {
  for_each<Direction>([&](Direction direction) { collect_messages(sink, direction); });
  collect_transports(sink);
  collect_transactions(sink);
}

void EndpointCounters::collect_messages(MetricSink& sink, Direction direction) const {
  for_each<Method>([&](Method method) {
    for_each<Transport>([&](Transport transport) {
      sink.counter("trunkline_sip_requests_total", "SIP requests, copies included",
                   {{"direction", direction_label(direction)},
                    {"transport", transport_label(transport)},
                    {"method", method_label(method)}},
                   value(requests_[direction][transport][method]));
      for_each<CodeClass>([&](CodeClass code_class) {
        const std::string code = std::to_string(static_cast<int>(code_class) + 1) + "xx";
        sink.counter("trunkline_sip_responses_total", "SIP responses, copies included",
                     {{"direction", direction_label(direction)},
                      {"transport", transport_label(transport)},
                      {"method", method_label(method)},
                      {"code_class", code}},
                     value(responses_[direction][transport][method][code_class]));
      });
    });
    sink.counter("trunkline_sip_retransmissions_total", "SIP messages sent or received again",
                 {{"direction", direction_label(direction)}, {"method", method_label(method)}},
                 value(retransmissions_[direction][method]));
  });
}

void EndpointCounters::collect_transports(MetricSink& sink) const {
  for_each<Transport>([&](Transport transport) {
    for_each<ParseErrorReason>([&](ParseErrorReason reason) {
      sink.counter(
          "trunkline_sip_parse_errors_total", "Received octets that are not a SIP message",
          {{"transport", transport_label(transport)}, {"reason", parse_error_label(reason)}},
          value(parse_errors_[transport][reason]));
    });
    sink.histogram("trunkline_sip_message_size_bytes", "Size of SIP messages sent and received",
                   {{"transport", transport_label(transport)}},
                   sizes_[static_cast<std::size_t>(transport)]);
  });
}

void EndpointCounters::collect_transactions(MetricSink& sink) const {
  for_each<TransactionKind>([&](TransactionKind kind) {
    sink.gauge("trunkline_sip_transactions_active", "SIP transactions that are not over",
               {{"kind", kind_label(kind)}}, value(active_[kind]));
  });
  for_each<TimeoutTimer>([&](TimeoutTimer timer) {
    sink.counter("trunkline_sip_transaction_timeouts_total",
                 "SIP transactions that ended without the message they waited for",
                 {{"timer", timer_label(timer)}}, value(timeouts_[timer]));
  });
  for_each<LargeRequest>([&](LargeRequest sent) {
    sink.counter("trunkline_sip_large_requests_total",
                 "SIP requests too large for UDP (RFC 3261 §18.1.1), by how they went",
                 {{"sent", large_request_label(sent)}}, value(large_requests_[sent]));
  });
}

}  // namespace trunkline::sip
