#include "call_control/call_creation.hpp"

#include "call_control/call_message.hpp"

namespace trunkline::call_control {
namespace {

constexpr const char* kReplayHeader = "x-idempotent-replay";

std::optional<Milestone> milestone(v1::WaitUntil wait_until) {
  switch (wait_until) {
    case v1::WAIT_UNTIL_RINGING:
      return Milestone::ringing;
    case v1::WAIT_UNTIL_ANSWERED:
      return Milestone::answered;
    default:
      return std::nullopt;
  }
}

}  // namespace

CallCreation::CallCreation(std::shared_ptr<Desk> desk, const v1::CreateCallRequest& request,
                           std::shared_ptr<Answer<v1::CreateCallResponse>> answer)
    : desk_(std::move(desk)),
      answer_(std::move(answer)),
      request_id_(request.request_id()),
      milestone_(milestone(request.wait_until())),
      end_on_cancel_(request.end_call_on_cancel()) {}

void CallCreation::start(call::CreateCall create) {
  desk_->ask(std::move(create),
             [self = shared_from_this()](CallJournal& journal, const call::Reply& reply) {
               self->take(journal, reply);
             });
}

void CallCreation::cancel() {
  if (!answer_->cancel()) return;
  desk_->journal.post([self = shared_from_this()](CallJournal&) {
    if (self->wait_) self->desk_->journal.forget(*self->wait_);
    if (self->end_on_cancel_ && !self->call_.empty()) self->hang_up(self->call_);
  });
}

void CallCreation::take(CallJournal& journal, const call::Reply& reply) {
  if (const auto* made = std::get_if<call::CallView>(&reply)) return follow(journal, *made);
  if (const auto* again = std::get_if<call::Replayed>(&reply)) {
    answer_->add_initial_metadata(kReplayHeader, "true");
    return follow(journal, again->call);
  }
  FailureScene scene;
  scene.request_id = request_id_;
  scene.invite_may_have_left = false;
  answer_->finish(reject(reply, scene));
}

void CallCreation::follow(CallJournal& journal, const call::CallView& call) {
  call_ = call.name;
  if (answer_->over()) {
    if (end_on_cancel_) hang_up(call_);
    return;
  }
  // The reply may be old news by now, and the journal may have forgotten a call of long ago.
  const call::CallView* known = journal.find(call_);
  if (!milestone_ || known == nullptr) return answer_with(known != nullptr ? *known : call);
  wait_ = desk_->journal.wait(
      journal, call, *milestone_,
      [self = shared_from_this()](const call::CallView& now) { self->answer_with(now); });
}

void CallCreation::answer_with(const call::CallView& call) {
  const bool missed = milestone_ && call.end && !reached(call, *milestone_) &&
                      call.end->grpc_code() != call::GrpcCode::ok;
  if (missed) {
    FailureScene scene = scene_of(call, *call.end);
    scene.request_id = request_id_;
    return answer_->finish(reject(*call.end, scene));
  }
  answer_->finish_with([&](v1::CreateCallResponse& response) {
    write(call, desk_->settings.node, *response.mutable_call());
  });
}

void CallCreation::hang_up(const std::string& call) {
  desk_->control.submit(call::HangupCall{call, 0, "the client of the API has gone"},
                        [](const call::Reply&) {});
}

}  // namespace trunkline::call_control
