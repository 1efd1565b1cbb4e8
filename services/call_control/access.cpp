#include "call_control/access.hpp"

#include "base/random.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace trunkline::call_control {
namespace {

using call::GrpcCode;

struct MethodRole {
  std::string_view method;
  Role role;
};

constexpr auto kMethods = std::to_array<MethodRole>({
    {"CallService.CreateCall", Role::call},
    {"CallService.GetCall", Role::read},
    {"CallService.ListCalls", Role::read},
    {"CallService.AnswerCall", Role::call},
    {"CallService.RejectCall", Role::call},
    {"CallService.HangupCall", Role::call},
    {"CallService.HoldCall", Role::call},
    {"CallService.ResumeCall", Role::call},
    {"CallService.MuteCall", Role::call},
    {"CallService.UnmuteCall", Role::call},
    {"CallService.SendDtmf", Role::call},
    {"CallService.TransferCall", Role::call},
    {"CallService.AttendedTransferCall", Role::call},
    {"CallService.GetCallStats", Role::read},
    {"CallService.GetCallTrace", Role::read},
    {"CallService.WatchCalls", Role::read},
    {"RegistrationService.ListRegistrations", Role::read},
    {"RegistrationService.GetRegistration", Role::read},
    {"RegistrationService.DeleteRegistration", Role::admin},
    {"RegistrationService.WatchRegistrations", Role::read},
    {"RegistrationService.CreateCredential", Role::admin},
    {"TrunkService.ListTrunks", Role::read},
    {"TrunkService.GetTrunk", Role::read},
    {"TrunkService.EnableTrunk", Role::admin},
    {"TrunkService.DisableTrunk", Role::admin},
    {"TrunkService.PingTrunk", Role::call},
    {"RoutingService.ExplainRoute", Role::read},
    {"RoutingService.DescribeStatus", Role::read},
    {"NodeService.GetNode", Role::read},
    {"NodeService.Drain", Role::admin},
    {"NodeService.Undrain", Role::admin},
    {"NodeService.ReloadConfig", Role::admin},
    {"NodeService.SetLogLevel", Role::admin},
});

constexpr std::string_view kScheme = "bearer ";

bool has(const std::vector<Role>& roles, Role role) {
  return std::ranges::find(roles, role) != roles.end();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

/// The token of "Bearer TOKEN" (RFC 6750 §2.1).
std::optional<std::string_view> bearer(std::string_view authorization) {
  if (!equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  const auto begin = authorization.find_first_not_of(' ');
  if (begin == std::string_view::npos) return std::nullopt;
  return authorization.substr(begin);
}

}  // namespace

std::optional<Role> required_role(std::string_view method) {
  const auto row = std::ranges::find(kMethods, method, &MethodRole::method);
  return row == kMethods.end() ? std::nullopt : std::optional<Role>(row->role);
}

std::span<const std::string_view> all_methods() {
  static constexpr auto kNames = [] {
    std::array<std::string_view, kMethods.size()> names;
    std::ranges::transform(kMethods, names.begin(), &MethodRole::method);
    return names;
  }();
  return kNames;
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::read:
      return "read";
    case Role::call:
      return "call";
    case Role::admin:
      return "admin";
  }
  return "";
}

Result<Access> Access::make(const Settings& settings) {
  Access access;
  access.certificates_ = settings.tls && !settings.tls->authorities.empty();
  if (settings.listens && !settings.bind.ip.is_loopback()) {
    if (!settings.tls) {
      return fail("listen.grpc.bind is " + settings.bind.text() +
                  ", not loopback: it needs tls with a client_ca, or tls and tokens");
    }
    if (!access.certificates_ && settings.tokens.empty()) {
      return fail("listen.grpc.bind is " + settings.bind.text() +
                  ", not loopback: besides tls it needs a client_ca or tokens");
    }
  }
  if (!access.certificates_ && !settings.clients.empty())
    return fail("listen.grpc.clients needs tls with a client_ca");
  access.open_ = !access.certificates_ && settings.tokens.empty();
  SystemRandom random;
  random.fill(access.key_);
  for (const TokenSettings& token : settings.tokens) {
    if (token.token.empty()) return fail("listen.grpc.tokens: '" + token.name + "' is empty");
    access.tokens_.push_back({access.digest(token.token), token.roles});
  }
  access.clients_ = settings.clients;
  return access;
}

Access::Digest Access::digest(std::string_view token) const {
  Digest out{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
       reinterpret_cast<const unsigned char*>(token.data()), token.size(), out.data(), &size);
  return out;
}

const Access::Token* Access::find(std::string_view token) const {
  // Digests under a key that nobody knows, all of them each time: the time taken says nothing about
  // any token.
  const Digest shown = digest(token);
  const Token* found = nullptr;
  for (const Token& known : tokens_) {
    if (CRYPTO_memcmp(known.digest.data(), shown.data(), shown.size()) == 0) found = &known;
  }
  return found;
}

bool Access::certificate_may(Role role, const Credentials& shown) const {
  if (clients_.empty()) return true;
  return std::ranges::any_of(clients_, [&](const ClientSettings& client) {
    return has(client.roles, role) && std::ranges::any_of(shown.names, [&](std::string_view name) {
             return equals_ignoring_case(name, client.subject);
           });
  });
}

std::optional<Rejection> Access::refuse(std::string_view method, const Credentials& shown) const {
  const std::optional<Role> role = required_role(method);
  if (!role) {
    return reject(GrpcCode::internal, "INTERNAL_INVARIANT", "the method has no role");
  }
  if (open_) return std::nullopt;
  const auto forbidden = [&] {
    return reject(GrpcCode::permission_denied, "API_ROLE_MISSING",
                  std::string(method) + " needs the role " + std::string(role_name(*role)),
                  {{"method", method}, {"role", role_name(*role)}});
  };
  if (shown.authorization && !tokens_.empty()) {
    const auto token = bearer(*shown.authorization);
    const Token* known = token ? find(*token) : nullptr;
    if (known == nullptr) {
      return reject(GrpcCode::unauthenticated, "API_CREDENTIALS_REJECTED",
                    "the bearer token is not known");
    }
    if (has(known->roles, *role)) return std::nullopt;
    return forbidden();
  }
  if (shown.certificate && certificates_) {
    if (certificate_may(*role, shown)) return std::nullopt;
    return forbidden();
  }
  return reject(GrpcCode::unauthenticated, "API_CREDENTIALS_MISSING",
                tokens_.empty() ? "a client certificate is needed"
                                : "the header authorization with a bearer token is needed");
}

std::optional<Rejection> Access::refuse_console(std::string_view method,
                                                std::optional<std::string_view> authorization,
                                                bool local) const {
  if (tokens_.empty() && !(open_ && local)) {
    return reject(GrpcCode::permission_denied, "CONSOLE_CLOSED",
                  "the console needs a token with the role read: listen.grpc.tokens");
  }
  Credentials shown;
  shown.authorization = authorization;
  return refuse(method, shown);
}

}  // namespace trunkline::call_control
