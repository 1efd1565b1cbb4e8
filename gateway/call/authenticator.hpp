#pragma once
#include "base/random.hpp"
#include "call/credentials.hpp"
#include "call/observer.hpp"
#include "call/settings.hpp"
#include "sip/digest.hpp"
#include "sip/message.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trunkline::call {

/// Decides who sent a request from a WebSocket: digest with the domain as realm (RFC 3261 §22,
/// RFC 8760, contract "Who may do what").
class Authenticator {
 public:
  using Algorithms = std::vector<sip::DigestAlgorithm>;

  /// `secret` signs the nonces; replicas share it. Empty: one is made.
  /// `credentials`: those that are valid too; none without. With `ask_unknown` users that are not
  /// known are left to the policy service, which knows MD5 alone. `algorithms`: what is offered and
  /// taken, in this order; a user may have some of its own.
  Authenticator(std::string domain, const std::vector<UserSettings>& users, std::string secret,
                Random& random, const Credentials* credentials = nullptr, bool ask_unknown = false,
                Algorithms algorithms = {sip::DigestAlgorithm::sha256, sip::DigestAlgorithm::md5});

  /// Other users and algorithms from now on; as the constructor takes them.
  void configure(const std::vector<UserSettings>& users, bool ask_unknown, Algorithms algorithms);

  struct Decision {
    std::string user;                      ///< set when authenticated
    std::optional<sip::Message> response;  ///< otherwise: 401 with a challenge
    /// Neither: the digest user name whose HA1 is to be asked for and given to `learn`.
    std::string ask;
  };
  /// Wrong password, unknown user and replayed credentials get the same answer: a fresh 401
  /// challenge without `stale`, which only an expired nonce gets. So do credentials of an algorithm
  /// that the user is not offered: nobody in between can make them weaker. The user name may be
  /// "alice" or "alice@domain". Credentials for another realm, of another scheme or of an algorithm
  /// that we don't have count as none.
  /// `source` is for the observation only.
  Decision authenticate(const sip::Message& request, std::string_view to_tag, Moment at,
                        std::vector<Observation>& out, std::string_view source);
  bool is_user(std::string_view name) const;
  /// What the policy service said of a digest user name; holds for a minute.
  void learn(const std::string& username, std::string ha1, TimePoint now);
  /// A 401 to this request, with a challenge for each algorithm that its sender is offered.
  sip::Message challenge(const sip::Message& request, std::string_view to_tag, Moment at,
                         bool stale);

 private:
  struct Learnt {
    std::string ha1;
    TimePoint at;
  };
  struct Account {
    std::string name;                ///< who it is
    std::optional<std::string> ha1;  ///< nothing: nobody that we know
    bool expired = false;
    bool asked_before = false;  ///< the HA1 is the policy service's, and not from just now
  };
  struct User {
    std::string password;
    Algorithms algorithms;  ///< empty: as for all
  };
  std::string account_of(std::string_view username) const;
  /// What is offered to this account and taken from it.
  const Algorithms& algorithms_of(std::string_view account) const;
  Account look_up(const sip::DigestCredentials& credentials, Moment at);
  void forget_learnt(TimePoint now);

  std::string domain_;
  std::map<std::string, User, std::less<>> users_;
  sip::DigestServer digest_;
  const Credentials* credentials_;
  bool ask_unknown_ = false;
  Algorithms algorithms_;
  std::unordered_map<std::string, Learnt> learnt_;
  std::deque<std::pair<TimePoint, std::string>> learnt_order_;  ///< oldest first
};

}  // namespace trunkline::call
