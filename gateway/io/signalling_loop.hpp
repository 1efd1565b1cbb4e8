#pragma once
#include "call/engine.hpp"
#include "call/observer.hpp"
#include "io/counters.hpp"
#include "io/signalling_input.hpp"
#include "sip/endpoint.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace trunkline::io {

/// Where the loop's effects go. What it calls may come back to it as a new input, which then waits
/// its turn.
class SignallingOutput {
 public:
  virtual ~SignallingOutput() = default;
  virtual void send(sip::SendBytes order) = 0;
  virtual void close(const sip::CloseFlow& order) = 0;
  virtual void post(call::MediaCommand command) = 0;
  virtual void observe(const call::Observation& observation) = 0;
  virtual void reply(call::ControlReply reply) = 0;
  virtual void ask(call::AskPolicy question) = 0;
  virtual void look_up(call::AskLocations question) = 0;
  /// After each input that was handled to its end, and before the next.
  virtual void settled() = 0;
};

/// The one loop of the signalling thread: bytes → sip::Endpoint → events → call::Engine → commands
/// → endpoint, workers, observers. One input is handled to its end before the next; nothing
/// recurses.
class SignallingLoop final : public SignallingInput {
 public:
  /// All outlive the loop.
  SignallingLoop(sip::Endpoint& endpoint, SignallingOutput& output, Counters& counters)
      : endpoint_(endpoint), output_(output), counters_(counters) {}
  /// Before the first input. The engine wants to know the ports that the sockets were given, and
  /// they want the loop.
  void attach(call::Engine& engine) { engine_ = &engine; }

  void received(std::string bytes, const sip::Target& source) override;
  void broken(std::string bytes, sip::ParseErrorReason reason, const sip::Target& source) override;
  void closed(FlowId flow) override;
  void send_failed(sip::TransactionId transaction, sip::Unsent why) override;
  void media(media::Event event);
  void control(call::RequestId id, call::Request request);
  void answered(call::QuestionId id, call::PolicyAnswer answer);
  void located(call::QuestionId id, call::Locations found);
  /// Fires what is due.
  void on_deadline();
  void drain();
  void end_all();
  void reconfigure(std::shared_ptr<call::Engine::Plan> plan);

  /// When `on_deadline` is to be called.
  TimePoint deadline() const;

 private:
  struct Received {
    std::string bytes;
    sip::Target source;
  };
  struct Broken {
    std::string bytes;
    sip::ParseErrorReason reason;
    sip::Target source;
  };
  struct Closed {
    FlowId flow;
  };
  struct SendFailed {
    sip::TransactionId transaction;
    sip::Unsent why;
  };
  struct Control {
    call::RequestId id;
    call::Request request;
  };
  struct Answered {
    call::QuestionId id;
    call::PolicyAnswer answer;
  };
  struct Located {
    call::QuestionId id;
    call::Locations found;
  };
  struct Deadline {};
  struct Drain {};
  struct EndAll {};
  struct Reconfigure {
    std::shared_ptr<call::Engine::Plan> plan;
  };
  using Input = std::variant<Received, Broken, Closed, SendFailed, media::Event, Control, Answered,
                             Located, Deadline, Drain, EndAll, Reconfigure>;

  void submit(Input input);
  void handle(Received& input);
  void handle(Broken& input);
  void handle(Closed& input);
  void handle(SendFailed& input);
  void handle(media::Event& input);
  void handle(Control& input);
  void handle(Answered& input);
  void handle(Located& input);
  void handle(Deadline& input);
  void handle(Drain& input);
  void handle(EndAll& input);
  void handle(Reconfigure& input);
  void settle();
  void trace(bool sent, const sip::Target& peer, std::string_view bytes);
  void apply(sip::Effects& effects);
  void apply(call::Effects& effects);

  sip::Endpoint& endpoint_;
  call::Engine* engine_ = nullptr;
  SignallingOutput& output_;
  Counters& counters_;
  std::deque<Input> inputs_;
  std::deque<sip::Event> events_;  ///< of the input in hand, for the engine
  bool running_ = false;
};

}  // namespace trunkline::io
