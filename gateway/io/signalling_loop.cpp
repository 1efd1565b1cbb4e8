#include "io/signalling_loop.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace trunkline::io {
namespace {

// Inputs that came while another was handled: failures to send, connections that broke.
constexpr std::size_t kMaxInputs = 65536;

/// Holds the flag for as long as the loop works, whatever ends it.
class Running {
 public:
  explicit Running(bool& flag) : flag_(flag) { flag_ = true; }
  ~Running() { flag_ = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  bool& flag_;
};

call::Moment moment() {
  return {Clock::now(), std::chrono::system_clock::now()};
}

}  // namespace

void SignallingLoop::received(std::string bytes, const sip::Target& source) {
  submit(Received{std::move(bytes), source});
}
void SignallingLoop::broken(std::string bytes, sip::ParseErrorReason reason,
                            const sip::Target& source) {
  submit(Broken{std::move(bytes), reason, source});
}
void SignallingLoop::closed(FlowId flow) {
  submit(Closed{flow});
}
void SignallingLoop::send_failed(sip::TransactionId transaction, sip::Unsent why) {
  submit(SendFailed{transaction, why});
}
void SignallingLoop::media(media::Event event) {
  submit(std::move(event));
}
void SignallingLoop::control(call::RequestId id, call::Request request) {
  submit(Control{id, std::move(request)});
}
void SignallingLoop::answered(call::QuestionId id, call::PolicyAnswer answer) {
  submit(Answered{id, std::move(answer)});
}
void SignallingLoop::located(call::QuestionId id, call::Locations found) {
  submit(Located{id, std::move(found)});
}
void SignallingLoop::on_deadline() {
  submit(Deadline{});
}
void SignallingLoop::drain() {
  submit(Drain{});
}
void SignallingLoop::end_all() {
  submit(EndAll{});
}

void SignallingLoop::reconfigure(std::shared_ptr<call::Engine::Plan> plan) {
  submit(Reconfigure{std::move(plan)});
}

TimePoint SignallingLoop::deadline() const {
  return std::min(endpoint_.deadline(), engine_->deadline());
}

void SignallingLoop::submit(Input input) {
  if (inputs_.size() >= kMaxInputs) return counters_.drops[IoDrop::input_queue].add();
  inputs_.push_back(std::move(input));
  if (running_) return;
  const Running running(running_);
  while (!inputs_.empty()) {
    Input next = std::move(inputs_.front());
    inputs_.pop_front();
    std::visit([this](auto& each) { handle(each); }, next);
    settle();
    output_.settled();
  }
}

void SignallingLoop::trace(bool sent, const sip::Target& peer, std::string_view bytes) {
  call::PassingMessage message;
  message.sent = sent;
  message.transport = peer.transport;
  message.remote = peer.remote;
  message.bytes = bytes;
  message.at = std::chrono::system_clock::now();
  engine_->passed(message);
}

void SignallingLoop::handle(Received& input) {
  trace(false, input.source, input.bytes);
  sip::Effects effects;
  endpoint_.receive(std::move(input.bytes), input.source, Clock::now(), effects);
  apply(effects);
}

void SignallingLoop::handle(Broken& input) {
  trace(false, input.source, input.bytes);
  sip::Effects effects;
  endpoint_.receive_broken(std::move(input.bytes), input.reason, input.source, Clock::now(),
                           effects);
  apply(effects);
}

void SignallingLoop::handle(Closed& input) {
  sip::Effects effects;
  endpoint_.flow_closed(input.flow, Clock::now(), effects);
  apply(effects);
}

void SignallingLoop::handle(SendFailed& input) {
  sip::Effects effects;
  endpoint_.send_failed(input.transaction, Clock::now(), effects, input.why);
  apply(effects);
}

void SignallingLoop::handle(media::Event& input) {
  call::Effects effects;
  engine_->receive(input, moment(), effects);
  apply(effects);
}

void SignallingLoop::handle(Control& input) {
  call::Effects effects;
  engine_->execute(input.request, input.id, moment(), effects);
  apply(effects);
}

void SignallingLoop::handle(Answered& input) {
  call::Effects effects;
  engine_->receive(input.answer, input.id, moment(), effects);
  apply(effects);
}

void SignallingLoop::handle(Located& input) {
  call::Effects effects;
  engine_->receive(input.found, input.id, moment(), effects);
  apply(effects);
}

void SignallingLoop::handle(Deadline&) {
  const call::Moment at = moment();
  if (endpoint_.deadline() <= at.now) {
    sip::Effects effects;
    endpoint_.on_deadline(at.now, effects);
    apply(effects);
  }
  if (engine_->deadline() <= at.now) {
    call::Effects effects;
    engine_->on_deadline(at, effects);
    apply(effects);
  }
}

void SignallingLoop::handle(Drain&) {
  call::Effects effects;
  engine_->drain(moment(), effects);
  apply(effects);
}

void SignallingLoop::handle(EndAll&) {
  call::Effects effects;
  engine_->end_all(moment(), effects);
  apply(effects);
}

void SignallingLoop::handle(Reconfigure& input) {
  call::Effects effects;
  engine_->reconfigure(*input.plan, moment(), effects);
  apply(effects);
}

/// Hands the engine what the endpoint had to tell, which may tell more in turn.
void SignallingLoop::settle() {
  while (!events_.empty()) {
    const sip::Event event = std::move(events_.front());
    events_.pop_front();
    call::Effects effects;
    engine_->receive(event, moment(), effects);
    apply(effects);
  }
}

void SignallingLoop::apply(sip::Effects& effects) {
  for (sip::Transmission& transmission : effects.transmissions) {
    if (auto* send = std::get_if<sip::SendBytes>(&transmission)) {
      trace(true, send->target, send->bytes);
      output_.send(std::move(*send));
    } else if (const auto* close = std::get_if<sip::CloseFlow>(&transmission)) {
      output_.close(*close);
    }
  }
  for (sip::Event& event : effects.events)
    events_.push_back(std::move(event));
}

void SignallingLoop::apply(call::Effects& effects) {
  for (sip::Command& command : effects.sip) {
    sip::Effects result;
    endpoint_.execute(std::move(command), Clock::now(), result);
    apply(result);
  }
  for (call::MediaCommand& command : effects.media)
    output_.post(std::move(command));
  for (const call::Observation& observation : effects.observations)
    output_.observe(observation);
  for (call::ControlReply& reply : effects.replies)
    output_.reply(std::move(reply));
  for (call::AskPolicy& question : effects.questions)
    output_.ask(std::move(question));
  for (call::AskLocations& question : effects.look_ups)
    output_.look_up(std::move(question));
}

}  // namespace trunkline::io
