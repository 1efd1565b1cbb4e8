#include "base/utf8.hpp"

#include "call_control/call_creation.hpp"
#include "call_control/call_message.hpp"
#include "call_control/paging.hpp"
#include "call_control/services.hpp"
#include "call_control/watch_stream.hpp"
#include "trunkline/v1/call_service.grpc.pb.h"
#include <algorithm>

namespace trunkline::call_control {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using Base = v1::CallService::WithRawCallbackMethod_WatchCalls<v1::CallService::CallbackService>;

/// A page ends here, whatever its size: clients take 4 MiB as they come.
constexpr std::size_t kMaxPageOctets = 2 << 20;

Rejection no_call(const std::string& call_id) {
  return reject(call::GrpcCode::not_found, "CALL_NOT_FOUND", "there is no such call",
                {{"call_id", call_id}});
}

/// A call that has ended is not unknown: it is in the wrong state.
Rejection refine(const CallJournal& journal, const std::string& call_id, const call::Reply& reply) {
  const auto* refusal = std::get_if<call::Refusal>(&reply);
  const bool unknown = refusal != nullptr && refusal->kind == call::Refusal::Kind::not_found &&
                       refusal->reason == "CALL_NOT_FOUND";
  const call::CallView* known = unknown ? journal.find(call_id) : nullptr;
  if (known != nullptr && known->ended) {
    call::Refusal ended;
    ended.kind = call::Refusal::Kind::wrong_state;
    ended.reason = "WRONG_CALL_STATE";
    ended.message = "the call has ended";
    return reject(ended);
  }
  FailureScene scene;
  scene.call_id = call_id;
  if (known == nullptr) known = journal.find(call_id);
  if (known != nullptr) scene.trunk = known->trunk;
  return reject(reply, scene);
}

class CallService final : public Base {
 public:
  explicit CallService(std::shared_ptr<Desk> desk) : desk_(std::move(desk)) {}

  ServerUnaryReactor* CreateCall(CallbackServerContext* context,
                                 const v1::CreateCallRequest* request,
                                 v1::CreateCallResponse* response) override {
    return desk_->serve_checked(
        context, "CallService.CreateCall", request, response,
        [&](call::CreateCall create, const auto& answer, UnaryReactor& reactor) {
          auto creation = std::make_shared<CallCreation>(desk_, *request, answer);
          reactor.on_cancel([creation] { creation->cancel(); });
          creation->start(std::move(create));
        });
  }

  ServerUnaryReactor* GetCall(CallbackServerContext* context, const v1::GetCallRequest* request,
                              v1::GetCallResponse* response) override {
    return desk_->serve(context, "CallService.GetCall", response, [&](const auto& answer) {
      desk_->journal.post(
          [answer, call_id = request->call_id(), desk = desk_](const CallJournal& journal) {
            const call::CallView* call = journal.find(call_id);
            if (call == nullptr) return answer->finish(no_call(call_id));
            answer->finish_with([&](v1::GetCallResponse& out) {
              write(*call, desk->settings.node, *out.mutable_call());
            });
          });
    });
  }

  ServerUnaryReactor* ListCalls(CallbackServerContext* context, const v1::ListCallsRequest* request,
                                v1::ListCallsResponse* response) override {
    return desk_->serve(context, "CallService.ListCalls", response, [&](const auto& answer) {
      Violations wrong;
      const Page page = read_page(*request, wrong);
      if (!wrong.none()) return answer->finish(reject(wrong.all()));
      desk_->journal.post(
          [answer, page, asked = *request, desk = desk_](const CallJournal& journal) {
            answer->finish_with([&](v1::ListCallsResponse& out) {
              list(journal, page, asked, desk->settings.node, out);
            });
          });
    });
  }

  ServerUnaryReactor* AnswerCall(CallbackServerContext* context,
                                 const v1::AnswerCallRequest* request,
                                 v1::AnswerCallResponse* response) override {
    return act(context, "CallService.AnswerCall", request, response);
  }
  ServerUnaryReactor* RejectCall(CallbackServerContext* context,
                                 const v1::RejectCallRequest* request,
                                 v1::RejectCallResponse* response) override {
    return act(context, "CallService.RejectCall", request, response);
  }
  ServerUnaryReactor* HangupCall(CallbackServerContext* context,
                                 const v1::HangupCallRequest* request,
                                 v1::HangupCallResponse* response) override {
    return act(context, "CallService.HangupCall", request, response);
  }
  ServerUnaryReactor* HoldCall(CallbackServerContext* context, const v1::HoldCallRequest* request,
                               v1::HoldCallResponse* response) override {
    return act(context, "CallService.HoldCall", request, response);
  }
  ServerUnaryReactor* ResumeCall(CallbackServerContext* context,
                                 const v1::ResumeCallRequest* request,
                                 v1::ResumeCallResponse* response) override {
    return act(context, "CallService.ResumeCall", request, response);
  }
  ServerUnaryReactor* MuteCall(CallbackServerContext* context, const v1::MuteCallRequest* request,
                               v1::MuteCallResponse* response) override {
    return act(context, "CallService.MuteCall", request, response);
  }
  ServerUnaryReactor* UnmuteCall(CallbackServerContext* context,
                                 const v1::UnmuteCallRequest* request,
                                 v1::UnmuteCallResponse* response) override {
    return act(context, "CallService.UnmuteCall", request, response);
  }
  ServerUnaryReactor* TransferCall(CallbackServerContext* context,
                                   const v1::TransferCallRequest* request,
                                   v1::TransferCallResponse* response) override {
    return act(context, "CallService.TransferCall", request, response);
  }
  ServerUnaryReactor* AttendedTransferCall(CallbackServerContext* context,
                                           const v1::AttendedTransferCallRequest* request,
                                           v1::AttendedTransferCallResponse* response) override {
    return act(context, "CallService.AttendedTransferCall", request, response);
  }

  ServerUnaryReactor* SendDtmf(CallbackServerContext* context, const v1::SendDtmfRequest* request,
                               v1::SendDtmfResponse* response) override {
    return ask<call::Done>(context, "CallService.SendDtmf", request, response,
                           [](const call::Done&, v1::SendDtmfResponse&) {});
  }

  ServerUnaryReactor* GetCallStats(CallbackServerContext* context,
                                   const v1::GetCallStatsRequest* request,
                                   v1::GetCallStatsResponse* response) override {
    return ask<call::CallStatistics>(
        context, "CallService.GetCallStats", request, response,
        [](const call::CallStatistics& statistics, v1::GetCallStatsResponse& out) {
          out.set_call_id(statistics.call);
          for (const call::LegQuality& leg : statistics.legs)
            write(leg, *out.add_legs());
        });
  }

  ServerUnaryReactor* GetCallTrace(CallbackServerContext* context,
                                   const v1::GetCallTraceRequest* request,
                                   v1::GetCallTraceResponse* response) override {
    return ask<call::Trace>(
        context, "CallService.GetCallTrace", request, response,
        [format = request->format()](const call::Trace& trace, v1::GetCallTraceResponse& out) {
          write_trace(trace, format, out);
        });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchCalls(CallbackServerContext* context,
                                                         const grpc::ByteBuffer* raw) override {
    v1::WatchCallsRequest request;
    grpc::ByteBuffer copy(*raw);
    // What can't be read is a message without the one field that there is.
    (void)grpc::SerializationTraits<v1::WatchCallsRequest>::Deserialize(&copy, &request);
    return WatchStream::serve(
        desk_, context, "CallService.WatchCalls", desk_->journal.calls(), request.resume_token(),
        [this](std::shared_ptr<WatchStream> stream) {
          desk_->journal.post([stream = std::move(stream)](CallJournal& journal) {
            stream->begin(journal.begin_calls());
          });
        });
  }

 private:
  /// An operation on a call: its failure is refined by what the journal knows of the call.
  template <class Wanted, class Request, class Response, class Fill>
  ServerUnaryReactor* ask(CallbackServerContext* context, std::string_view method,
                          const Request* request, Response* response, Fill fill) {
    return desk_->serve_checked(
        context, method, request, response, [&](auto asked, const auto& answer) {
          desk_->ask(std::move(asked), [answer, fill, call_id = request->call_id()](
                                           const CallJournal& journal, const call::Reply& reply) {
            if (const auto* wanted = std::get_if<Wanted>(&reply)) {
              answer->finish_with([&](Response& out) { fill(*wanted, out); });
            } else {
              answer->finish(refine(journal, call_id, reply));
            }
          });
        });
  }

  /// As `ask`, for an operation whose outcome is the call.
  template <class Request, class Response>
  ServerUnaryReactor* act(CallbackServerContext* context, std::string_view method,
                          const Request* request, Response* response) {
    return ask<call::CallView>(context, method, request, response,
                               [desk = desk_](const call::CallView& call, Response& out) {
                                 write(call, desk->settings.node, *out.mutable_call());
                               });
  }

  static void list(const CallJournal& journal, const Page& page, const v1::ListCallsRequest& asked,
                   const std::string& node, v1::ListCallsResponse& out) {
    const auto wanted = [&](const call::CallView& call) {
      if (call.ended && !asked.show_ended()) return false;
      if (!asked.trunk().empty() && call.trunk != asked.trunk()) return false;
      return asked.states().empty() ||
             std::ranges::find(asked.states(), static_cast<int>(state_of(call.state))) !=
                 asked.states().end();
    };
    std::size_t octets = 0;
    const std::uint64_t next = journal.list(page.begin, [&](const call::CallView& call) {
      if (!wanted(call)) return true;
      if (static_cast<std::size_t>(out.calls_size()) == page.size || octets > kMaxPageOctets)
        return false;
      v1::Call& message = *out.add_calls();
      write(call, node, message);
      octets += message.ByteSizeLong();
      return true;
    });
    if (next != 0) out.set_next_page_token(std::to_string(next));
  }

  static void write_trace(const call::Trace& trace, v1::TraceFormat format,
                          v1::GetCallTraceResponse& out) {
    switch (format) {
      case v1::TRACE_FORMAT_JSON:
        return out.set_json(to_utf8(trace.content));
      case v1::TRACE_FORMAT_PCAPNG:
        return out.set_pcapng(trace.content);
      default:
        return out.set_text(to_utf8(trace.content));
    }
  }

  const std::shared_ptr<Desk> desk_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_call_service(std::shared_ptr<Desk> desk) {
  return std::make_unique<CallService>(std::move(desk));
}

}  // namespace trunkline::call_control
