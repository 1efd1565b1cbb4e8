#include "call_control/answer.hpp"

namespace trunkline::call_control {

void PendingAnswer::finish(const Rejection& rejection) {
  if (!claim()) return;
  context_->AddTrailingMetadata(std::string(Pushback::kTrailer),
                                std::to_string(rejection.pushback.milliseconds));
  reactor_->finish(to_grpc(rejection.status));
}

void PendingAnswer::finish(const grpc::Status& status) {
  if (claim()) reactor_->finish(status);
}

bool PendingAnswer::cancel() {
  if (!claim()) return false;
  reactor_->finish(grpc::Status::CANCELLED);
  return true;
}

void PendingAnswer::add_initial_metadata(const std::string& key, const std::string& value) {
  if (!over()) context_->AddInitialMetadata(key, value);
}

}  // namespace trunkline::call_control
