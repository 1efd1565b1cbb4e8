#pragma once
#include "call/engine.hpp"
#include "sip/endpoint.hpp"

#include "books.hpp"
#include "media_stub.hpp"
#include "network.hpp"
#include "wire_rules.hpp"
#include <deque>
#include <functional>
#include <memory>

namespace trunkline::simulator {

/// The gateway's signalling core as its signalling thread runs it: one input is handled to its end
/// before the next. Everything that crosses its border passes the rules on its way.
class Gateway final : public Station {
 public:
  struct Border {
    Agenda& agenda;
    Network& network;
    MediaStub& media;
    WireRules& rules;
    Books& books;
  };
  Gateway(Border border, call::Settings settings, call::MediaResources resources,
          std::uint64_t seed);

  void received(std::string bytes, const sip::Target& from) override;
  void closed(FlowId flow) override;
  void send_failed(sip::TransactionId transaction) override;
  void media_event(const media::Event& event);
  call::RequestId ask(const call::Request& request);
  void answer(call::QuestionId question, const call::PolicyAnswer& answer);
  void end_all();
  /// What the resolver has found.
  void trunk_located(const std::string& trunk, const std::vector<call::ServerTarget>& at) {
    engine_->trunk_located(trunk, at);
  }
  void on_deadline();
  TimePoint deadline() const;

  /// Called for each question to the policy service.
  std::function<void(const call::AskPolicy&)> on_question;
  const call::Engine& engine() const { return *engine_; }
  const sip::Endpoint& endpoint() const { return endpoint_; }

 private:
  call::Moment at() const;
  void apply(sip::Effects& effects);
  void apply(call::Effects& effects);
  void settle();

  Border border_;
  SeededRandom random_;
  sip::Endpoint endpoint_;
  std::unique_ptr<call::Engine> engine_;
  std::deque<sip::Event> events_;
  std::uint64_t asked_ = 0;
};

}  // namespace trunkline::simulator
