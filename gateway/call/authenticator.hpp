#pragma once
#include "base/random.hpp"
#include "call/observer.hpp"
#include "call/settings.hpp"
#include "sip/digest.hpp"
#include "sip/message.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

/// Decides who sent a request from a WebSocket: digest with the domain as realm (RFC 3261 §22,
/// contract "Who may do what"). MD5 only is offered: JsSIP and SIP.js give up on anything else.
class Authenticator {
 public:
  /// `secret` signs the nonces; replicas share it. Empty: one is made.
  Authenticator(std::string domain, const std::vector<UserSettings>& users, std::string secret,
                Random& random);

  struct Decision {
    std::string user;                      ///< set when authenticated
    std::optional<sip::Message> response;  ///< otherwise: 401 with a challenge
  };
  /// Wrong password, unknown user and replayed credentials get the same answer: a fresh 401
  /// challenge without `stale`, which only an expired nonce gets. The user name may be "alice" or
  /// "alice@domain". Credentials for another realm, of another scheme or algorithm count as none.
  /// `source` is for the observation only.
  Decision authenticate(const sip::Message& request, std::string_view to_tag, Moment at,
                        std::vector<Observation>& out, std::string_view source);
  bool is_user(std::string_view name) const;

 private:
  std::string account_of(std::string_view username) const;
  sip::DigestServer::Verdict verify(const sip::Message& request,
                                    const sip::DigestCredentials& credentials,
                                    std::string_view account, Moment at);

  std::string domain_;
  std::map<std::string, std::string, std::less<>> passwords_;
  sip::DigestServer digest_;
};

}  // namespace trunkline::call
