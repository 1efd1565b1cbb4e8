#pragma once
#include "call_control/desk.hpp"
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace trunkline::v1 {
class CreateCallRequest;
class CreateCallResponse;
}  // namespace trunkline::v1

namespace trunkline::call_control {

/// One CreateCall: asks for the call, waits for its milestone, answers; and ends the call if the
/// client goes before and wants that.
class CallCreation : public std::enable_shared_from_this<CallCreation> {
 public:
  CallCreation(std::shared_ptr<Desk> desk, const v1::CreateCallRequest& request,
               std::shared_ptr<Answer<v1::CreateCallResponse>> answer);
  void start(call::CreateCall create);
  /// The client has cancelled, or its deadline has passed. Any thread.
  void cancel();

 private:
  void take(CallJournal& journal, const call::Reply& reply);
  void follow(CallJournal& journal, const call::CallView& call);
  void answer_with(const call::CallView& call);
  void hang_up(const std::string& call);

  const std::shared_ptr<Desk> desk_;
  const std::shared_ptr<Answer<v1::CreateCallResponse>> answer_;
  const std::string request_id_;
  const std::optional<Milestone> milestone_;
  const bool end_on_cancel_;

  // The rest is the journal thread's.
  std::string call_;
  std::optional<WaitId> wait_;
};

}  // namespace trunkline::call_control
