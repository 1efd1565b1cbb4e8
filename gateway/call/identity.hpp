#pragma once
#include "call/privacy.hpp"
#include "call/settings.hpp"
#include "sip/header.hpp"
#include "sip/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

struct Trunk;

/// Who is at one end of a call, and whether others may know it.
struct Identity {
  std::string number{};     ///< or user name, unescaped
  std::string name{};       ///< display name
  std::string at_trunks{};  ///< what trunks see instead of `number`; empty: the same
  std::string telephone{};  ///< of a tel value asserted beside a SIP one; empty: there was none
  /// We know it: a user has shown its password, a trunk that is trusted has asserted it, or the API
  /// says so. Only then do we assert it to others.
  bool asserted = false;
  bool fixed = false;  ///< the API says so: nothing that the party says of itself counts
  Privacy privacy{};

  /// A text of this party's that tells who it is.
  bool is_named_in(std::string_view text) const;
};

/// The sender of a request, which has shown that it is this user. Of its numbers
/// P-Preferred-Identity may choose one; else the first counts. Nothing else that a browser says of
/// itself is taken (RFC 3325 §5).
Identity identity_of_user(const std::vector<UserSettings>& users, const std::string& user,
                          const sip::Message& request);
/// A user as such, called or named by the API. `called_at`: if this is one of its numbers, it is
/// the one that trunks see.
Identity identity_of_user(const std::vector<UserSettings>& users, const std::string& user,
                          std::string_view called_at = {});
/// The sender of a request or response that came by a trunk, by the trunk's rules for numbers:
/// P-Asserted-Identity from one that may assert, else From (of a response: nobody).
Identity identity_of_peer(const Trunk& trunk, const sip::Message& message);

/// How a party is shown to one peer.
struct Presentation {
  sip::NameAddress from{};              ///< without tag
  std::vector<std::string> asserted{};  ///< P-Asserted-Identity values: a SIP one and perhaps a tel
  std::string privacy{};                ///< Privacy value; empty: no field
};
/// `to`: the trunk; null: a browser, which is told who calls by From alone.
Presentation present(const Identity& who, std::string_view domain, const Trunk* to);

}  // namespace trunkline::call
