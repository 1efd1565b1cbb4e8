#pragma once
#include "base/random.hpp"
#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include "transaction_messages.hpp"
#include <gmock/gmock.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace trunkline::sip::testing {

/// The values of all series, as "name{label=value,…}"; histograms by their number of observations.
class MetricValues final : public MetricSink {
 public:
  void counter(std::string_view name, std::string_view, MetricLabels labels,
               double value) override {
    values[series(name, labels)] = value;
  }
  void gauge(std::string_view name, std::string_view, MetricLabels labels, double value) override {
    values[series(name, labels)] = value;
  }
  void histogram(std::string_view name, std::string_view, MetricLabels labels,
                 const HistogramCell& value) override {
    double observations = 0;
    for (const std::uint64_t bucket : value.counts())
      observations += static_cast<double>(bucket);
    values[series(name, labels)] = observations;
  }
  std::map<std::string, double> values;

 private:
  static std::string series(std::string_view name, MetricLabels labels) {
    std::string text = std::string(name) + "{";
    for (const auto& [label, value] : labels) {
      if (text.back() != '{') text += ',';
      text.append(label).append("=").append(value);
    }
    return text + "}";
  }
};

/// One endpoint, a clock that is a variable, and the effects of the last input.
class EndpointTest : public ::testing::Test {
 protected:
  EndpointTest() { configure(endpoint_); }

  static void configure(Endpoint& endpoint) {
    for (const Transport transport : {Transport::udp, Transport::tcp, Transport::tls}) {
      endpoint.set_sent_by(transport, false, "gateway.example.test:5060");
    }
  }

  void receive(std::string bytes, const Target& source = udp()) {
    out_.clear();
    endpoint_.receive(std::move(bytes), source, now_, out_);
  }
  void receive(const Message& message, const Target& source = udp()) {
    receive(message.serialize(), source);
  }
  void execute(Command command) {
    out_.clear();
    endpoint_.execute(std::move(command), now_, out_);
  }
  /// Lets time pass, timer by timer; `out_` holds everything that happened.
  void run(Duration duration) {
    out_.clear();
    const TimePoint end = now_ + duration;
    while (endpoint_.deadline() <= end) {
      now_ = endpoint_.deadline();
      endpoint_.on_deadline(now_, out_);
    }
    now_ = end;
  }

  /// Sends a request and gives back what left.
  Message send(std::string_view method, const Target& target = udp(), RequestParts parts = {}) {
    Message request = parsed(request_text(method, parts));
    request.remove(HeaderName::via);
    client_ = endpoint_.next_transaction();
    execute(SendRequest{client_, std::move(request), target});
    return sent();
  }
  /// The last message that left.
  Message sent() const {
    const SendBytes* bytes = last<SendBytes>(out_.transmissions);
    return bytes == nullptr ? Message::response(699) : parsed(bytes->bytes);
  }
  /// Receives a request that starts a server transaction.
  void open(std::string_view method, RequestParts parts = {}, const Target& source = udp()) {
    receive(request_text(method, parts), source);
    const RequestReceived* received = last<RequestReceived>(out_.events);
    ASSERT_NE(received, nullptr);
    server_ = received->transaction;
    request_ = received->request;
  }
  void respond(int status, std::string_view to_tag = "gateway") {
    execute(Respond{server_, make_response(request_, status, to_tag)});
  }
  double metric(const std::string& series) const {
    MetricValues values;
    endpoint_.metrics().collect(values);
    const auto found = values.values.find(series);
    return found == values.values.end() ? -1 : found->second;
  }

  SeededRandom random_{1};
  TimePoint now_ = kStart;
  Effects out_;
  Endpoint endpoint_{{}, random_};
  TransactionId client_, server_;
  Message request_;
};

}  // namespace trunkline::sip::testing
