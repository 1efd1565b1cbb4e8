#pragma once
#include <grpcpp/impl/codegen/service_type.h>

#include "call_control/desk.hpp"
#include <memory>

namespace trunkline::call_control {

// One service each; all share the desk.
std::unique_ptr<grpc::Service> make_call_service(std::shared_ptr<Desk> desk);
std::unique_ptr<grpc::Service> make_registration_service(std::shared_ptr<Desk> desk);
std::unique_ptr<grpc::Service> make_trunk_service(std::shared_ptr<Desk> desk);
std::unique_ptr<grpc::Service> make_routing_service(std::shared_ptr<Desk> desk);
std::unique_ptr<grpc::Service> make_node_service(std::shared_ptr<Desk> desk);

}  // namespace trunkline::call_control
