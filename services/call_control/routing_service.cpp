#include "call_control/call_message.hpp"
#include "call_control/services.hpp"
#include "trunkline/v1/routing_service.grpc.pb.h"

namespace trunkline::call_control {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr int kLeastCode = 100;
constexpr int kMostCode = 699;

class RoutingService final : public v1::RoutingService::CallbackService {
 public:
  explicit RoutingService(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  ServerUnaryReactor* ExplainRoute(CallbackServerContext* context,
                                   const v1::ExplainRouteRequest* request,
                                   v1::ExplainRouteResponse* response) override {
    return desk_->serve_checked(
        context, "RoutingService.ExplainRoute", request, response,
        [&](call::ExplainRoute explain, const auto& answer) {
          desk_->ask_for<call::RouteExplanation>(
              std::move(explain), answer,
              [](const call::RouteExplanation& explanation, v1::ExplainRouteResponse& out) {
                write(explanation, out);
              });
        });
  }

  ServerUnaryReactor* DescribeStatus(CallbackServerContext* context,
                                     const v1::DescribeStatusRequest* request,
                                     v1::DescribeStatusResponse* response) override {
    return desk_->serve(
        context, "RoutingService.DescribeStatus", response, [&](const auto& answer) {
          const int code = request->sip_code();
          if (code != 0 && (code < kLeastCode || code > kMostCode))
            return answer->finish(reject({{"sip_code", "is neither 0 nor in 100 to 699"}}));
          answer->finish_with([&](v1::DescribeStatusResponse& out) {
            if (code != 0) return write(call::map_status(code), code, *out.add_mappings());
            for (const call::StatusMapping& row : call::all_status_mappings())
              write(row, row.sip_code, *out.add_mappings());
          });
        });
  }

 private:
  const std::shared_ptr<Desk> desk_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_routing_service(std::shared_ptr<Desk> desk) {
  return std::make_unique<RoutingService>(std::move(desk));
}

}  // namespace trunkline::call_control
