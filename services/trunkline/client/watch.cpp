#include "client/call_words.hpp"
#include "client/options.hpp"
#include "client/session.hpp"
#include "client/table.hpp"
#include "client/wording.hpp"
#include <algorithm>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>
#include <trunkline/v1/call_service.grpc.pb.h>
#include <trunkline/v1/registration_service.grpc.pb.h>
#include <unistd.h>

namespace trunkline::client {
namespace {

using Clock = std::chrono::system_clock;

/// The gateway gives a sign of life every 15 s: after three that did not come the connection is
/// dead.
constexpr auto kSilence = std::chrono::seconds{45};
constexpr Milliseconds kFirstPause{200};
constexpr Milliseconds kLongestPause{5000};
constexpr Milliseconds kRedraw{500};
/// How long a call that has ended stays in the live view.
constexpr Milliseconds kLinger{5000};

/// What a view does with what comes.
template <class Response>
class View {
 public:
  View() = default;
  virtual ~View() = default;
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  virtual void show(const Response& message) = 0;
  /// Some time has passed.
  virtual void tick() {}
  /// What is known so far is no longer true: a new snapshot comes.
  virtual void restart() {}
};

/// One JSON document a line.
template <class Response>
class JsonLines : public View<Response> {
 public:
  void show(const Response& message) override {
    std::cout << to_json(message, false) << std::flush;
  }
};

bool may_come_back(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::OK:
      return true;
    default:
      return false;
  }
}

/// One watching RPC at a time, over again with the token of the last message until the user ends
/// the program or the gateway refuses for good.
template <class Stub, class Request, class Response>
class Watcher {
 public:
  using Open = std::unique_ptr<grpc::ClientAsyncReader<Response>> (Stub::*)(grpc::ClientContext*,
                                                                            const Request&,
                                                                            grpc::CompletionQueue*);
  Watcher(const Session& session, std::unique_ptr<Stub> stub, Open open, View<Response>& view)
      : session_(session), stub_(std::move(stub)), open_(open), view_(view) {}

  int run() {
    Milliseconds pause = kFirstPause;
    bool ever = false;
    while (std::cout.good()) {
      heard_ = false;
      const grpc::Status status = once();
      ever = ever || heard_;
      if (!ever || !may_come_back(status)) return session_.fail(status);
      if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE) {
        request_.clear_resume_token();
        view_.restart();
      }
      pause = heard_ ? kFirstPause : std::min(pause * 2, kLongestPause);
      tell(status.ok() ? "the stream ended" : status.error_message());
      std::this_thread::sleep_for(pause);
    }
    return file_error("the output can't be written");
  }

 private:
  grpc::Status once() {
    grpc::ClientContext context;
    session_.prepare(context, Waits::for_people);
    grpc::CompletionQueue queue;
    auto reader = ((*stub_).*open_)(&context, request_, &queue);
    reader->StartCall(this);
    Response message;
    if (next(queue, context)) {
      while (reader->Read(&message, this), next(queue, context))
        take(message);
    }
    grpc::Status status;
    reader->Finish(&status, this);
    next(queue, context);
    queue.Shutdown();
    return status;
  }

  /// Waits for the operation that was begun; false if it has failed.
  bool next(grpc::CompletionQueue& queue, grpc::ClientContext& context) {
    const auto patience = Clock::now() + kSilence;
    while (true) {
      void* tag = nullptr;
      bool ok = false;
      const auto came = queue.AsyncNext(&tag, &ok, std::min(patience, Clock::now() + kRedraw));
      if (came == grpc::CompletionQueue::GOT_EVENT) return ok;
      if (came == grpc::CompletionQueue::SHUTDOWN) return false;
      view_.tick();
      if (Clock::now() >= patience || !std::cout.good()) context.TryCancel();
    }
  }

  /// Why the connection is gone; not over and over.
  void tell(const std::string& why) {
    if (why == told_ && !heard_) return;
    told_ = why;
    std::cerr << "trunkline: " << printable(why) << "; connecting again\n";
  }

  void take(const Response& message) {
    heard_ = true;
    if (!message.resume_token().empty()) request_.set_resume_token(message.resume_token());
    view_.show(message);
  }

  const Session& session_;
  std::unique_ptr<Stub> stub_;
  Open open_;
  View<Response>& view_;
  Request request_;
  bool heard_ = false;  ///< in this connection
  std::string told_;
};

std::string time_now() {
  google::protobuf::Timestamp now;
  now.set_seconds(Clock::to_time_t(Clock::now()));
  return in_words(now);
}

std::string detail(const v1::CallEvent& event) {
  switch (event.kind_case()) {
    case v1::CallEvent::kCreated:
      return "created";
    case v1::CallEvent::kRinging:
      return "ringing (" + std::to_string(event.ringing().sip_code()) + ')';
    case v1::CallEvent::kAnswered:
      return "answered";
    case v1::CallEvent::kHeld:
      return "held, leg " + event.held().leg_id();
    case v1::CallEvent::kResumed:
      return "resumed, leg " + event.resumed().leg_id();
    case v1::CallEvent::kDtmf:
      return "key " + event.dtmf().digit() + " from leg " + event.dtmf().leg_id();
    case v1::CallEvent::kTransferred:
      return "transfer to " + event.transferred().target() +
             (event.transferred().succeeded()
                  ? ""
                  : " failed: " + event.transferred().failure().reason());
    case v1::CallEvent::kMedia:
      return "media " + event.media().change() + ", leg " + event.media().leg_id();
    case v1::CallEvent::kLegEnded:
      return "leg " + event.leg_ended().leg_id() +
             " ended: " + std::to_string(event.leg_ended().end().sip_code());
    case v1::CallEvent::kEnded:
      return outcome(event.call());
    case v1::CallEvent::kParked:
      return "parked";
    case v1::CallEvent::kPolicyFailed:
      return "policy service: " + event.policy_failed().cause();
    case v1::CallEvent::KIND_NOT_SET:
      break;
  }
  return "changed";
}

/// A line for each event: for a file or a pipe.
class CallLines : public View<v1::WatchCallsResponse> {
 public:
  void show(const v1::WatchCallsResponse& message) override {
    if (message.has_snapshot())
      line(message.snapshot().call(), "is " + word(message.snapshot().call().state()));
    if (message.has_event()) line(message.event().call(), detail(message.event()));
  }

 private:
  static void line(const v1::Call& call, const std::string& what) {
    std::cout << printable(time_now() + "  " + call.call_id() + "  " + call.from() + " -> " +
                           call.to() + "  " + what)
              << std::endl;
  }
};

/// The table of calls, drawn over itself: for a terminal.
class CallScreen : public View<v1::WatchCallsResponse> {
 public:
  void show(const v1::WatchCallsResponse& message) override {
    if (message.has_snapshot()) keep(message.snapshot().call());
    if (message.has_event()) keep(message.event().call());
    if (message.has_snapshot_end()) complete_ = true;
    if (Clock::now() - drawn_ >= kRedraw) draw();
  }
  void tick() override { draw(); }
  void restart() override {
    calls_.clear();
    complete_ = false;
  }

 private:
  void keep(const v1::Call& call) { calls_[call.call_id()] = call; }

  void draw() {
    if (!complete_) return;
    drawn_ = Clock::now();
    std::erase_if(calls_, [](const auto& one) {
      return one.second.has_end_time() && between(one.second.end_time(), nullptr) > kLinger;
    });
    std::vector<const v1::Call*> calls;
    for (const auto& [id, call] : calls_)
      calls.push_back(&call);
    std::ranges::stable_sort(calls, [](const v1::Call* a, const v1::Call* b) {
      return std::pair(a->create_time().seconds(), a->create_time().nanos()) <
             std::pair(b->create_time().seconds(), b->create_time().nanos());
    });
    std::ostringstream text;
    text << "\x1b[H\x1b[2J" << time_now() << "  calls: " << calls.size() << "\n\n";
    print(calls, text);
    std::cout << text.str() << std::flush;
  }

  std::map<std::string, v1::Call> calls_;
  bool complete_ = false;
  Clock::time_point drawn_{};
};

class RegistrationLines : public View<v1::WatchRegistrationsResponse> {
 public:
  void show(const v1::WatchRegistrationsResponse& message) override {
    if (message.has_snapshot()) line(message.snapshot().registration(), "is registered");
    if (message.has_event()) line(message.event().registration(), word(message.event().change()));
  }

 private:
  static void line(const v1::Registration& one, const std::string& what) {
    std::cout << printable(time_now() + "  " + one.user() + "  " + what + "  " + one.user_agent() +
                           "  " + one.contact())
              << std::endl;
  }
};

template <class Response>
std::unique_ptr<View<Response>> json_or(bool json, std::unique_ptr<View<Response>> view) {
  if (json) return std::make_unique<JsonLines<Response>>();
  return view;
}

}  // namespace

int watch_calls(const Options& options) {
  const Session session(options);
  if (!session.problem().empty()) return session.fail({});
  std::unique_ptr<View<v1::WatchCallsResponse>> view = std::make_unique<CallLines>();
  if (isatty(STDOUT_FILENO) != 0) view = std::make_unique<CallScreen>();
  view = json_or(session.json(), std::move(view));
  using Stub = v1::CallService::Stub;
  return Watcher<Stub, v1::WatchCallsRequest, v1::WatchCallsResponse>(
             session, v1::CallService::NewStub(session.channel()), &Stub::PrepareAsyncWatchCalls,
             *view)
      .run();
}

int watch_registrations(const Options& options) {
  const Session session(options);
  if (!session.problem().empty()) return session.fail({});
  std::unique_ptr<View<v1::WatchRegistrationsResponse>> view =
      std::make_unique<RegistrationLines>();
  view = json_or(session.json(), std::move(view));
  using Stub = v1::RegistrationService::Stub;
  return Watcher<Stub, v1::WatchRegistrationsRequest, v1::WatchRegistrationsResponse>(
             session, v1::RegistrationService::NewStub(session.channel()),
             &Stub::PrepareAsyncWatchRegistrations, *view)
      .run();
}

}  // namespace trunkline::client
