#include "call/authenticator.hpp"

#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {
namespace {

using sip::DigestServer;

/// Octets of a made-up user name that an observation carries.
constexpr std::size_t kMaxObservedName = 64;
constexpr std::size_t kSecretLength = 32;
/// What the policy service said of a user, and how long it holds: so that a page's requests of one
/// moment ask once.
constexpr std::size_t kMaxLearnt = 10000;
constexpr Duration kLearntFor = seconds{60};

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
                             std::string secret, Random& random, const Credentials* credentials,
                             bool ask_unknown, Algorithms algorithms)
    : domain_(std::move(domain)),
      digest_(DigestServer::Settings{.secret = secret_or_fresh(std::move(secret), random)}, random),
      credentials_(credentials) {
  configure(users, ask_unknown, std::move(algorithms));
}

void Authenticator::configure(const std::vector<UserSettings>& users, bool ask_unknown,
                              Algorithms algorithms) {
  ask_unknown_ = ask_unknown;
  algorithms_ = std::move(algorithms);
  users_.clear();
  for (const UserSettings& user : users)
    users_.emplace(user.name, User{user.password, user.algorithms});
}

bool Authenticator::is_user(std::string_view name) const {
  return users_.contains(name);
}

const Authenticator::Algorithms& Authenticator::algorithms_of(std::string_view account) const {
  static const Algorithms kOfPolicy{sip::DigestAlgorithm::md5};  // its HA1 is one of MD5
  const auto user = users_.find(account);
  if (user == users_.end()) return ask_unknown_ ? kOfPolicy : algorithms_;
  return user->second.algorithms.empty() ? algorithms_ : user->second.algorithms;
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
    Account account = look_up(*credentials, at);
    const auto algorithm = credentials->algorithm.value_or(sip::DigestAlgorithm::md5);
    const auto& offered = algorithms_of(account.name);
    const bool taken = std::ranges::find(offered, algorithm) != offered.end();
    const bool heard_us = ask_unknown_ && taken && digest_.challenged(*credentials);
    // Only who has been challenged is asked about, or anybody could make us ask.
    if (!account.ha1 && !account.expired && heard_us) {
      decision.ask = credentials->username;
      return decision;
    }
    verdict = digest_.verify(*credentials, request.method_text(), request.body(), account.ha1,
                             at.wall_seconds());
    if (verdict == Verdict::wrong && account.asked_before && heard_us) {
      decision.ask = credentials->username;  // the password may be a new one
      return decision;
    }
    if (account.expired || !taken) verdict = Verdict::wrong;
    name = std::move(account.name);
  }
  out.emplace_back(AuthenticationResult{.result = std::string(result_label(verdict)),
                                        .user = name.substr(0, kMaxObservedName),
                                        .source = std::string(source)});
  if (verdict == Verdict::ok) {
    decision.user = std::move(name);
    return decision;
  }
  decision.response = challenge(request, to_tag, at, verdict == Verdict::stale);
  return decision;
}

sip::Message Authenticator::challenge(const sip::Message& request, std::string_view to_tag,
                                      Moment at, bool stale) {
  sip::Message response = sip::make_response(request, 401, to_tag);
  const auto& offered = algorithms_of(sip::from_of(request).uri.unescaped_user());
  // One nonce for all of them: whichever is answered, its uses are counted together.
  sip::DigestChallenge made = digest_.challenge(domain_, offered.front(), stale, at.wall_seconds());
  for (const sip::DigestAlgorithm algorithm : offered) {
    made.algorithm = algorithm;
    response.add(sip::HeaderName::www_authenticate, made.text());
  }
  return response;
}

/// Some phones put their whole address of record into the user name.
std::string Authenticator::account_of(std::string_view username) const {
  const std::string suffix = "@" + domain_;
  if (username.ends_with(suffix)) username.remove_suffix(suffix.size());
  return std::string(username);
}

Authenticator::Account Authenticator::look_up(const sip::DigestCredentials& given, Moment at) {
  Account account;
  account.name = account_of(given.username);
  const auto ha1 = [&](std::string_view password) {
    return sip::digest_ha1(given.algorithm.value_or(sip::DigestAlgorithm::md5), given.username,
                           given.realm, password);
  };
  // Hashed for an unknown user too, so that the time taken tells nothing.
  const auto found = users_.find(account.name);
  std::string of_user =
      ha1(found != users_.end() ? std::string_view(found->second.password) : std::string_view());
  if (found != users_.end()) {
    account.ha1 = std::move(of_user);
    return account;
  }
  const auto claim = credentials_ != nullptr ? credentials_->read(given.username) : std::nullopt;
  if (claim) {
    account.name = claim->user;
    account.expired = claim->expires <= at.wall_seconds();
    if (!account.expired) account.ha1 = ha1(credentials_->password(given.username));
    return account;
  }
  forget_learnt(at.now);
  if (const auto known = learnt_.find(given.username); known != learnt_.end()) {
    account.ha1 = known->second.ha1;
    account.asked_before = known->second.at < at.now;
  }
  return account;
}

void Authenticator::learn(const std::string& username, std::string ha1, TimePoint now) {
  forget_learnt(now);
  learnt_[username] = {std::move(ha1), now};
  learnt_order_.emplace_back(now, username);
}

void Authenticator::forget_learnt(TimePoint now) {
  while (!learnt_order_.empty() &&
         (learnt_order_.front().first + kLearntFor <= now || learnt_order_.size() > kMaxLearnt)) {
    const auto& [at, username] = learnt_order_.front();
    const auto known = learnt_.find(username);
    if (known != learnt_.end() && known->second.at == at) learnt_.erase(known);
    learnt_order_.pop_front();
  }
}

}  // namespace trunkline::call
