#pragma once
#include "call/control.hpp"

#include <grpcpp/server_context.h>

#include "call_control/access.hpp"
#include "call_control/answer.hpp"
#include "call_control/journal_thread.hpp"
#include "call_control/requests.hpp"
#include "call_control/server.hpp"
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace trunkline::call_control {

/// What all services of the API work with. Lives as long as any reply may come.
struct Desk : std::enable_shared_from_this<Desk> {
  Desk(Settings s, Access a, call::Control& c, std::uint64_t epoch);

  const Settings settings;
  call::Control& control;
  RpcCount pending, subscriptions;
  RpcCounters rpcs;
  std::atomic<bool> closing{false};  ///< streams end
  JournalThread journal;

  /// Who may do what, from the next request on.
  void admit(Access next);
  /// As it is now.
  std::shared_ptr<const Access> access() const;
  /// Nothing if the client may call the method.
  std::optional<Rejection> refuse(const grpc::CallbackServerContext& context,
                                  std::string_view method) const;
  /// What health checks are told; before the server runs, and after its end, nobody.
  void set_serving(bool serving) {
    if (on_serving) on_serving(serving);
  }
  std::function<void(bool)> on_serving;  ///< set before the server takes requests

  /// Serves one unary RPC: `body(answer)` or `body(answer, reactor)` answers now or later. Nothing
  /// that it throws gets out.
  template <class Response, class Body>
  grpc::ServerUnaryReactor* serve(grpc::CallbackServerContext* context, std::string_view method,
                                  Response* response, Body&& body);
  /// As `serve`, but reads the request first and answers what is wrong with it.
  template <class Request, class Response, class Body>
  grpc::ServerUnaryReactor* serve_checked(grpc::CallbackServerContext* context,
                                          std::string_view method, const Request* request,
                                          Response* response, Body&& body);

  /// Puts a request to the gateway. `take(journal, reply)` runs on the journal's thread, after all
  /// that was observed before the reply.
  template <class Take>
  void ask(call::Request&& request, Take&& take);
  /// As `ask`, for one kind of reply: `fill` writes the response, any failure is answered as such.
  template <class Wanted, class Response, class Fill>
  void ask_for(call::Request request, std::shared_ptr<Answer<Response>> answer, Fill&& fill);

 private:
  mutable std::mutex access_mutex_;
  std::shared_ptr<const Access> access_;
};

Rejection internal_error(std::string message);
/// What a reply of another kind than the wanted one means.
Rejection reject(const call::Reply& reply, const FailureScene& scene);

// ---------------------------------------------------------------- implementation

template <class Response, class Body>
grpc::ServerUnaryReactor* Desk::serve(grpc::CallbackServerContext* context, std::string_view method,
                                      Response* response, Body&& body) {
  const bool entered = pending.enter();
  auto* reactor = new UnaryReactor(entered ? &pending : nullptr, rpcs.started(method));
  auto answer = std::make_shared<Answer<Response>>(*context, *reactor, *response);
  reactor->on_cancel([answer] { answer->cancel(); });
  try {
    if (!entered) {
      answer->finish(reject(call::GrpcCode::resource_exhausted, "TOO_MANY_REQUESTS",
                            "too many requests are under way", {}, 1));
    } else if (const auto refused = refuse(*context, method)) {
      answer->finish(*refused);
    } else if constexpr (std::is_invocable_v<Body, decltype(answer)&, UnaryReactor&>) {
      body(answer, *reactor);
    } else {
      body(answer);
    }
  } catch (const std::exception& error) {
    answer->finish(internal_error(error.what()));
  }
  return reactor;
}

template <class Request, class Response, class Body>
grpc::ServerUnaryReactor* Desk::serve_checked(grpc::CallbackServerContext* context,
                                              std::string_view method, const Request* request,
                                              Response* response, Body&& body) {
  return serve(context, method, response,
               [&](const std::shared_ptr<Answer<Response>>& answer, UnaryReactor& reactor) {
                 Violations wrong;
                 auto asked = read(*request, wrong);
                 if (!wrong.none()) return answer->finish(reject(wrong.all()));
                 if constexpr (std::is_invocable_v<Body, decltype(asked)&&, decltype(answer),
                                                   UnaryReactor&>) {
                   body(std::move(asked), answer, reactor);
                 } else {
                   body(std::move(asked), answer);
                 }
               });
}

template <class Take>
void Desk::ask(call::Request&& request, Take&& take) {
  control.submit(
      std::move(request),
      [self = shared_from_this(),
       take = std::make_shared<std::decay_t<Take>>(std::forward<Take>(take))](call::Reply reply) {
        self->journal.post([take, reply = std::move(reply)](CallJournal& current) mutable {
          (*take)(current, std::move(reply));
        });
      });
}

template <class Wanted, class Response, class Fill>
void Desk::ask_for(call::Request request, std::shared_ptr<Answer<Response>> answer, Fill&& fill) {
  ask(std::move(request), [answer = std::move(answer), fill = std::forward<Fill>(fill)](
                              CallJournal&, call::Reply reply) {
    if (const auto* wanted = std::get_if<Wanted>(&reply)) {
      answer->finish_with([&](Response& response) { fill(*wanted, response); });
    } else {
      answer->finish(reject(reply, {}));
    }
  });
}

}  // namespace trunkline::call_control
