#include "base/utf8.hpp"

#include "call_control/call_message.hpp"
#include "call_control/paging.hpp"
#include "call_control/services.hpp"
#include "trunkline/v1/trunk_service.grpc.pb.h"
#include <algorithm>

namespace trunkline::call_control {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

class TrunkService final : public v1::TrunkService::CallbackService {
 public:
  explicit TrunkService(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  ServerUnaryReactor* ListTrunks(CallbackServerContext* context,
                                 const v1::ListTrunksRequest* request,
                                 v1::ListTrunksResponse* response) override {
    return desk_->serve(context, "TrunkService.ListTrunks", response, [&](const auto& answer) {
      Violations wrong;
      const Page page = read_page(*request, wrong);
      if (!wrong.none()) return answer->finish(reject(wrong.all()));
      desk_->ask_for<call::TrunkViews>(
          call::ListTrunks{}, answer,
          [page](const call::TrunkViews& trunks, v1::ListTrunksResponse& out) {
            out.set_next_page_token(write_page(trunks.all, page, [&](const call::TrunkView& trunk) {
              write(trunk, *out.add_trunks());
            }));
          });
    });
  }

  ServerUnaryReactor* GetTrunk(CallbackServerContext* context, const v1::GetTrunkRequest* request,
                               v1::GetTrunkResponse* response) override {
    return desk_->serve(context, "TrunkService.GetTrunk", response, [&](const auto& answer) {
      ask_for_one(call::ListTrunks{}, request->trunk(), answer);
    });
  }

  ServerUnaryReactor* EnableTrunk(CallbackServerContext* context,
                                  const v1::EnableTrunkRequest* request,
                                  v1::EnableTrunkResponse* response) override {
    return set_enabled(context, "TrunkService.EnableTrunk", request, response);
  }

  ServerUnaryReactor* DisableTrunk(CallbackServerContext* context,
                                   const v1::DisableTrunkRequest* request,
                                   v1::DisableTrunkResponse* response) override {
    return set_enabled(context, "TrunkService.DisableTrunk", request, response);
  }

  ServerUnaryReactor* PingTrunk(CallbackServerContext* context, const v1::PingTrunkRequest* request,
                                v1::PingTrunkResponse* response) override {
    return desk_->serve_checked(context, "TrunkService.PingTrunk", request, response,
                                [&](call::PingTrunk ping, const auto& answer) {
                                  desk_->ask_for<call::TrunkPing>(
                                      std::move(ping), answer,
                                      [](const call::TrunkPing& pong, v1::PingTrunkResponse& out) {
                                        out.set_answered(pong.answered);
                                        out.set_sip_code(pong.sip_code);
                                        out.set_reason(to_utf8(pong.reason));
                                        if (pong.answered)
                                          write(pong.round_trip, *out.mutable_round_trip());
                                      });
                                });
  }

 private:
  template <class Request, class Response>
  ServerUnaryReactor* set_enabled(CallbackServerContext* context, std::string_view method,
                                  const Request* request, Response* response) {
    return desk_->serve_checked(context, method, request, response,
                                [&](call::SetTrunkEnabled set, const auto& answer) {
                                  ask_for_one(std::move(set), request->trunk(), answer);
                                });
  }

  /// Puts the request, and answers with this one of the trunks that come.
  template <class Response>
  void ask_for_one(call::Request request, const std::string& name,
                   const std::shared_ptr<Answer<Response>>& answer) {
    desk_->ask(std::move(request), [answer, name](CallJournal&, const call::Reply& reply) {
      const auto* trunks = std::get_if<call::TrunkViews>(&reply);
      if (trunks == nullptr) return answer->finish(reject(reply, {}));
      const auto found = std::ranges::find(trunks->all, name, &call::TrunkView::name);
      if (found == trunks->all.end()) {
        return answer->finish(reject(call::GrpcCode::not_found, "TRUNK_NOT_FOUND",
                                     "there is no such trunk", {{"trunk", name}}));
      }
      answer->finish_with([&](Response& out) { write(*found, *out.mutable_trunk()); });
    });
  }

  const std::shared_ptr<Desk> desk_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_trunk_service(std::shared_ptr<Desk> desk) {
  return std::make_unique<TrunkService>(std::move(desk));
}

}  // namespace trunkline::call_control
