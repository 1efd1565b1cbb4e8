#include "call_control/desk.hpp"

#include "base/log.hpp"

#include <grpcpp/security/auth_context.h>

#include <algorithm>

namespace trunkline::call_control {
namespace {

constexpr const char* kAuthorization = "authorization";
constexpr const char* kAlternativeName = "x509_subject_alternative_name";
constexpr const char* kCommonName = "x509_common_name";

std::string_view view(const grpc::string_ref& text) {
  return {text.data(), text.size()};
}

Credentials shown_by(const grpc::CallbackServerContext& context) {
  Credentials shown;
  const auto header = context.client_metadata().find(kAuthorization);
  if (header != context.client_metadata().end()) shown.authorization = view(header->second);
  const auto authenticated = context.auth_context();
  if (!authenticated) return shown;
  auto names = authenticated->FindPropertyValues(kAlternativeName);
  const auto common = authenticated->FindPropertyValues(kCommonName);
  shown.certificate = !names.empty() || !common.empty();
  // RFC 6125 §6.4.4: the common name counts only where there is no alternative name.
  if (names.empty()) names = common;
  for (const grpc::string_ref& name : names)
    shown.names.push_back(view(name));
  return shown;
}

}  // namespace

Desk::Desk(Settings s, Access a, call::Control& c, std::uint64_t epoch)
    : settings(std::move(s)),
      control(c),
      pending(settings.limits.pending_requests),
      subscriptions(settings.limits.subscriptions),
      rpcs(all_methods()),
      journal(settings, epoch),
      access_(std::make_shared<const Access>(std::move(a))) {}

void Desk::admit(Access next) {
  auto made = std::make_shared<const Access>(std::move(next));
  const std::scoped_lock lock(access_mutex_);
  access_.swap(made);
}

std::shared_ptr<const Access> Desk::access() const {
  const std::scoped_lock lock(access_mutex_);
  return access_;
}

std::optional<Rejection> Desk::refuse(const grpc::CallbackServerContext& context,
                                      std::string_view method) const {
  return access()->refuse(method, shown_by(context));
}

Rejection internal_error(std::string message) {
  log::error("a request to the API met a fault", {{"error", message}});
  return reject(call::GrpcCode::internal, "INTERNAL_INVARIANT", "a fault of the gateway");
}

Rejection reject(const call::Reply& reply, const FailureScene& scene) {
  if (const auto* failure = std::get_if<call::Failure>(&reply)) {
    if (failure->grpc_code() != call::GrpcCode::ok) return reject(*failure, scene);
  }
  if (const auto* refusal = std::get_if<call::Refusal>(&reply)) return reject(*refusal);
  return internal_error("a reply of a kind that was not asked for");
}

}  // namespace trunkline::call_control
