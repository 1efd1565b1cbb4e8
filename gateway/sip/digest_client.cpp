#include "sip/digest.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace trunkline::sip {
namespace {

constexpr std::size_t kMaxRealms = 8;
constexpr std::size_t kClientNonceLength = 16;
// Challenges to our own credentials that one request may meet, each with a reason to try again (RFC
// 3261 §22.1).
constexpr int kMaxRefusals = 2;

std::string count_text(std::uint32_t count) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08x", count);
  return text.data();
}

/// One that we can answer: a known algorithm, and no qop or one that we have.
bool is_answerable(const DigestChallenge& challenge) {
  return !challenge.unknown_algorithm && (!challenge.qop_present || challenge.qop_auth);
}

HeaderName credentials_field(bool proxy) {
  return proxy ? HeaderName::proxy_authorization : HeaderName::authorization;
}

HeaderName challenge_field(bool proxy) {
  return proxy ? HeaderName::proxy_authenticate : HeaderName::www_authenticate;
}

}  // namespace

DigestClient::DigestClient(std::string username, std::string password, Random& random)
    : username_(std::move(username)), password_(std::move(password)), random_(random) {}

/// Finds out for which realms the request already carries our credentials.
void DigestClient::mark_sent(const Message& request) {
  for (Realm& realm : realms_)
    realm.in_request = false;
  for (bool proxy : {false, true}) {
    for (std::string_view value : request.headers(credentials_field(proxy))) {
      const auto sent = DigestCredentials::parse(value);
      const auto realm = std::ranges::find_if(realms_, [&](const Realm& known) {
        return sent && known.proxy == proxy && known.challenge.realm == sent->realm;
      });
      if (realm != realms_.end()) realm->in_request = true;
    }
  }
}

/// Takes a challenge. False if it refuses credentials that there is no reason to think better of
/// now.
bool DigestClient::learn(const DigestChallenge& challenge, bool proxy) {
  auto realm = std::ranges::find_if(realms_, [&](const Realm& known) {
    return known.proxy == proxy && known.challenge.realm == challenge.realm;
  });
  if (realm == realms_.end()) {
    if (realms_.size() == kMaxRealms) realms_.erase(realms_.begin());
    realm = realms_.insert(realms_.end(), Realm{});
    realm->proxy = proxy;
  } else if (realm->in_request) {
    // Refused at the first use of its nonce, the password must be wrong; at a later use the nonce
    // may just be spent, which not every server calls stale.
    const bool spent = realm->count > 1 && realm->challenge.nonce != challenge.nonce;
    if (!(challenge.stale || spent) || ++realm->refusals > kMaxRefusals) return false;
  } else {
    realm->refusals = 0;
  }
  if (realm->challenge.nonce != challenge.nonce) realm->count = 0;
  realm->challenge = challenge;
  realm->in_request = true;
  return true;
}

bool DigestClient::authorize(const Message& challenge_response, Message& request) {
  mark_sent(request);
  bool answered = false;
  for (bool proxy : {false, true}) {
    std::vector<std::string> done;
    for (std::string_view value : challenge_response.headers(challenge_field(proxy))) {
      const auto challenge = DigestChallenge::parse(value);
      if (!challenge || !is_answerable(*challenge)) continue;
      // RFC 8760 §2.4: of several algorithms for a realm the topmost that we know.
      if (std::ranges::find(done, challenge->realm) != done.end()) continue;
      done.push_back(challenge->realm);
      if (done.size() > kMaxRealms || !learn(*challenge, proxy)) return false;
      answered = true;
    }
  }
  if (answered) put_credentials(request);
  return answered;
}

void DigestClient::preload(Message& request) {
  for (Realm& realm : realms_) {
    realm.in_request = true;
    realm.refusals = 0;
  }
  put_credentials(request);
}

/// Every realm's credentials anew: each request must have a nonce count of its own.
void DigestClient::put_credentials(Message& request) {
  request.remove(HeaderName::authorization);
  request.remove(HeaderName::proxy_authorization);
  for (Realm& realm : realms_) {
    if (realm.in_request) request.add(credentials_field(realm.proxy), credentials(realm, request));
  }
}

std::string DigestClient::credentials(Realm& realm, const Message& request) {
  const DigestChallenge& challenge = realm.challenge;
  ++realm.count;
  DigestCredentials credentials;
  credentials.username = username_;
  credentials.realm = challenge.realm;
  credentials.nonce = challenge.nonce;
  credentials.uri = request.request_uri();
  credentials.opaque = challenge.opaque;
  credentials.algorithm = challenge.algorithm;
  credentials.qop_auth = challenge.qop_auth;
  if (challenge.qop_auth) {
    credentials.nc = count_text(realm.count);
    credentials.cnonce = random_.token(kClientNonceLength);
  }
  const DigestAlgorithm algorithm = challenge.algorithm.value_or(DigestAlgorithm::md5);
  const std::string ha1 = digest_ha1(algorithm, username_, challenge.realm, password_);
  credentials.response = digest_response(credentials, ha1, request.method_text());
  return credentials.text();
}

}  // namespace trunkline::sip
