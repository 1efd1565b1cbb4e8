#include "gateway.hpp"

#include <stdexcept>
#include <utility>

namespace trunkline::simulator {

Gateway::Gateway(Border border, call::Settings settings, call::MediaResources resources,
                 std::uint64_t seed)
    : border_(border), random_(seed), endpoint_({}, random_) {
  const std::string sent_by = settings.contacts.front().address.text();
  endpoint_.set_sent_by(sip::Transport::udp, false, sent_by);
  endpoint_.set_sent_by(sip::Transport::tcp, false, sent_by);
  auto made = call::Engine::make(std::move(settings), std::move(resources), random_);
  if (!made) throw std::runtime_error(made.error().message);
  engine_ = std::move(*made);
}

call::Moment Gateway::at() const {
  const TimePoint now = border_.agenda.now();
  return {now, std::chrono::system_clock::time_point{now.time_since_epoch()}};
}

void Gateway::received(std::string bytes, const sip::Target& from) {
  border_.rules.gateway_gets(bytes, from);
  sip::Effects effects;
  endpoint_.receive(std::move(bytes), from, border_.agenda.now(), effects);
  apply(effects);
  settle();
}

void Gateway::closed(FlowId flow) {
  border_.rules.closed(flow);
  sip::Effects effects;
  endpoint_.flow_closed(flow, border_.agenda.now(), effects);
  apply(effects);
  settle();
}

void Gateway::send_failed(sip::TransactionId transaction) {
  sip::Effects effects;
  endpoint_.send_failed(transaction, border_.agenda.now(), effects);
  apply(effects);
  settle();
}

void Gateway::media_event(const media::Event& event) {
  call::Effects effects;
  engine_->receive(event, at(), effects);
  apply(effects);
  settle();
}

call::RequestId Gateway::ask(const call::Request& request) {
  const call::RequestId id{++asked_};
  border_.books.asked(id);
  call::Effects effects;
  engine_->execute(request, id, at(), effects);
  apply(effects);
  settle();
  return id;
}

void Gateway::answer(call::QuestionId question, const call::PolicyAnswer& answer) {
  call::Effects effects;
  engine_->receive(answer, question, at(), effects);
  apply(effects);
  settle();
}

void Gateway::end_all() {
  call::Effects effects;
  engine_->end_all(at(), effects);
  apply(effects);
  settle();
}

TimePoint Gateway::deadline() const {
  return std::min(endpoint_.deadline(), engine_->deadline());
}

void Gateway::on_deadline() {
  if (endpoint_.deadline() <= border_.agenda.now()) {
    sip::Effects effects;
    endpoint_.on_deadline(border_.agenda.now(), effects);
    apply(effects);
  }
  if (engine_->deadline() <= border_.agenda.now()) {
    call::Effects effects;
    engine_->on_deadline(at(), effects);
    apply(effects);
  }
  settle();
}

void Gateway::settle() {
  while (!events_.empty()) {
    const sip::Event event = std::move(events_.front());
    events_.pop_front();
    call::Effects effects;
    engine_->receive(event, at(), effects);
    apply(effects);
  }
}

void Gateway::apply(sip::Effects& effects) {
  for (sip::Transmission& transmission : effects.transmissions) {
    if (auto* send = std::get_if<sip::SendBytes>(&transmission)) {
      border_.rules.gateway_sends(*send);
      border_.network.from_gateway(std::move(*send));
    } else if (const auto* close = std::get_if<sip::CloseFlow>(&transmission)) {
      border_.network.gateway_closes(close->flow);
    }
  }
  for (sip::Event& event : effects.events) {
    if (const auto* ended = std::get_if<sip::TransactionEnded>(&event))
      border_.rules.transaction_over(ended->transaction);
    events_.push_back(std::move(event));
  }
}

void Gateway::apply(call::Effects& effects) {
  for (sip::Command& command : effects.sip) {
    sip::Effects result;
    endpoint_.execute(std::move(command), border_.agenda.now(), result);
    apply(result);
  }
  for (const call::MediaCommand& command : effects.media)
    border_.media.execute(command);
  for (const call::Observation& observation : effects.observations)
    border_.books.observed(observation);
  for (const call::ControlReply& reply : effects.replies)
    border_.books.replied(reply);
  for (const call::AskPolicy& question : effects.questions)
    on_question(question);
}

}  // namespace trunkline::simulator
