#pragma once
#include <string>

namespace google::rpc {
class Status;
}

namespace trunkline::client {

/// An error for people: what happened, why, and what may help; several lines, each ended.
std::string describe(const google::rpc::Status& status);

}  // namespace trunkline::client
