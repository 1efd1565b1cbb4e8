#include "base/log.hpp"

#include "call_control/call_message.hpp"
#include "call_control/services.hpp"
#include "trunkline/v1/node_service.grpc.pb.h"

namespace trunkline::call_control {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

void describe(const call::NodeView& node, const Settings& settings, v1::Node& out) {
  out.set_node(node.node);
  out.set_domain(node.domain);
  out.set_version(settings.version);
  write(settings.started, *out.mutable_start_time());
  out.set_draining(node.draining);
  out.set_calls(static_cast<std::int64_t>(node.calls));
  out.set_max_calls(static_cast<std::int64_t>(node.max_calls));
  out.set_registrations(static_cast<std::int64_t>(node.registrations));
}

std::optional<log::Level> level_of(v1::LogLevel level) {
  switch (level) {
    case v1::LOG_LEVEL_TRACE:
      return log::Level::trace;
    case v1::LOG_LEVEL_DEBUG:
      return log::Level::debug;
    case v1::LOG_LEVEL_INFO:
      return log::Level::info;
    case v1::LOG_LEVEL_WARN:
      return log::Level::warn;
    case v1::LOG_LEVEL_ERROR:
      return log::Level::error;
    case v1::LOG_LEVEL_OFF:
      return log::Level::off;
    default:
      return std::nullopt;
  }
}

class NodeService final : public v1::NodeService::CallbackService {
 public:
  explicit NodeService(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  ServerUnaryReactor* GetNode(CallbackServerContext* context, const v1::GetNodeRequest*,
                              v1::GetNodeResponse* response) override {
    return desk_->serve(context, "NodeService.GetNode", response,
                        [&](const auto& answer) { ask_for_node(call::GetNode{}, answer); });
  }

  ServerUnaryReactor* Drain(CallbackServerContext* context, const v1::DrainRequest* request,
                            v1::DrainResponse* response) override {
    return desk_->serve_checked(
        context, "NodeService.Drain", request, response,
        [&](call::Drain drain, const auto& answer) { ask_for_node(drain, answer, false); });
  }

  ServerUnaryReactor* Undrain(CallbackServerContext* context, const v1::UndrainRequest*,
                              v1::UndrainResponse* response) override {
    return desk_->serve(context, "NodeService.Undrain", response,
                        [&](const auto& answer) { ask_for_node(call::Undrain{}, answer, true); });
  }

  ServerUnaryReactor* ReloadConfig(CallbackServerContext* context, const v1::ReloadConfigRequest*,
                                   v1::ReloadConfigResponse* response) override {
    return desk_->serve(context, "NodeService.ReloadConfig", response, [&](const auto& answer) {
      if (!desk_->settings.reload) {
        return answer->finish(reject(call::GrpcCode::unimplemented, "RELOAD_UNSUPPORTED",
                                     "this node can't read its configuration again"));
      }
      const auto reloaded = desk_->settings.reload();
      if (!reloaded) return answer->finish(reject(reloaded.error()));
      answer->finish_with([&](v1::ReloadConfigResponse& out) {
        out.mutable_applied()->Assign(reloaded->applied.begin(), reloaded->applied.end());
        out.mutable_needs_restart()->Assign(reloaded->needs_restart.begin(),
                                            reloaded->needs_restart.end());
      });
    });
  }

  ServerUnaryReactor* SetLogLevel(CallbackServerContext* context,
                                  const v1::SetLogLevelRequest* request,
                                  v1::SetLogLevelResponse* response) override {
    return desk_->serve(context, "NodeService.SetLogLevel", response, [&](const auto& answer) {
      const auto level = level_of(request->level());
      if (!level) return answer->finish(reject({{"level", "is not a level"}}));
      log::set_level(*level);
      answer->finish_with([&](v1::SetLogLevelResponse& out) { out.set_level(request->level()); });
    });
  }

 private:
  template <class Response>
  void ask_for_node(call::Request request, const std::shared_ptr<Answer<Response>>& answer,
                    std::optional<bool> serving = std::nullopt) {
    desk_->ask_for<call::NodeView>(
        std::move(request), answer,
        [desk = desk_, serving](const call::NodeView& node, Response& out) {
          if (serving && *serving != node.draining) desk->set_serving(*serving);
          describe(node, desk->settings, *out.mutable_node());
        });
  }

  const std::shared_ptr<Desk> desk_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_node_service(std::shared_ptr<Desk> desk) {
  return std::make_unique<NodeService>(std::move(desk));
}

}  // namespace trunkline::call_control
