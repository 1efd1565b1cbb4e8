#include "call/authenticator.hpp"

#include "sip/endpoint.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {
namespace {

using sip::DigestServer;

/// Octets of a made-up user name that an observation carries.
constexpr std::size_t kMaxObservedName = 64;
constexpr std::size_t kSecretLength = 32;

std::string secret_or_fresh(std::string secret, Random& random) {
  return secret.empty() ? random.token(kSecretLength) : std::move(secret);
}

/// The label of an outcome (trunkline_sip_auth_total).
std::string_view result_label(DigestServer::Verdict verdict) {
  switch (verdict) {
    case DigestServer::Verdict::ok:
      return "ok";
    case DigestServer::Verdict::no_credentials:
      return "challenge";
    case DigestServer::Verdict::stale:
      return "stale";
    case DigestServer::Verdict::wrong:
      return "bad";
    case DigestServer::Verdict::replayed:
      return "replay";
    case DigestServer::Verdict::unknown_user:
      break;
  }
  return "unknown_user";
}

/// The credentials meant for us: those for another realm, of another scheme or that can't be read
/// are none (RFC 3261 §22.3; RFC 4475 §3.3.7).
std::optional<sip::DigestCredentials> credentials_for(const sip::Message& request,
                                                      std::string_view realm) {
  for (const std::string_view value : request.headers(sip::HeaderName::authorization)) {
    auto credentials = sip::DigestCredentials::parse(value);
    if (credentials && credentials->realm == realm && !credentials->unknown_algorithm)
      return std::move(*credentials);
  }
  return std::nullopt;
}

}  // namespace

Authenticator::Authenticator(std::string domain, const std::vector<UserSettings>& users,
                             std::string secret, Random& random)
    : domain_(std::move(domain)),
      digest_(DigestServer::Settings{.secret = secret_or_fresh(std::move(secret), random)},
              random) {
  for (const UserSettings& user : users)
    passwords_.emplace(user.name, user.password);
}

bool Authenticator::is_user(std::string_view name) const {
  return passwords_.contains(name);
}

Authenticator::Decision Authenticator::authenticate(const sip::Message& request,
                                                    std::string_view to_tag, Moment at,
                                                    std::vector<Observation>& out,
                                                    std::string_view source) {
  using Verdict = DigestServer::Verdict;
  Decision decision;
  Verdict verdict = Verdict::no_credentials;
  std::string name;
  if (const auto credentials = credentials_for(request, domain_)) {
    name = account_of(credentials->username);
    verdict = verify(request, *credentials, name, at);
  }
  out.push_back(AuthenticationResult{.result = std::string(result_label(verdict)),
                                     .user = name.substr(0, kMaxObservedName),
                                     .source = std::string(source)});
  if (verdict == Verdict::ok) {
    decision.user = std::move(name);
    return decision;
  }
  decision.response = sip::make_response(request, 401, to_tag);
  const bool stale = verdict == Verdict::stale;
  decision.response->add(
      sip::HeaderName::www_authenticate,
      digest_.challenge(domain_, sip::DigestAlgorithm::md5, stale, at.wall_seconds()).text());
  return decision;
}

/// Some phones put their whole address of record into the user name.
std::string Authenticator::account_of(std::string_view username) const {
  const std::string suffix = "@" + domain_;
  if (username.ends_with(suffix)) username.remove_suffix(suffix.size());
  return std::string(username);
}

DigestServer::Verdict Authenticator::verify(const sip::Message& request,
                                            const sip::DigestCredentials& credentials,
                                            std::string_view account, Moment at) {
  const auto found = passwords_.find(account);
  const bool known = found != passwords_.end();
  // Hashed for an unknown user too, so that the time taken tells nothing.
  std::optional<std::string> ha1 = sip::digest_ha1(
      credentials.algorithm.value_or(sip::DigestAlgorithm::md5), credentials.username,
      credentials.realm, known ? std::string_view(found->second) : std::string_view());
  if (!known) ha1.reset();
  return digest_.verify(credentials, request.method_text(), request.body(), ha1, at.wall_seconds());
}

}  // namespace trunkline::call
