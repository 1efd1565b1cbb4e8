#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::call {

/// Short-lived credentials for a SIP client's digest (contract). Nothing is stored: the user name
/// says who and until when, and the password is an HMAC of it, so that all who share the secret
/// agree. The user name is "SECONDS.USER": the end in seconds since 1970, and the user in base64url
/// - no character that a client would quote, escape or take for a domain.
class Credentials {
 public:
  /// An empty secret accepts nothing.
  explicit Credentials(std::string secret) : secret_(std::move(secret)) {}

  static std::string username(std::string_view user, std::int64_t expires);
  std::string password(std::string_view username) const;

  struct Claim {
    std::string user;
    std::int64_t expires = 0;  ///< seconds since 1970; from then on it is refused
  };
  /// What a user name claims, if it is one of ours; the password proves it.
  std::optional<Claim> read(std::string_view username) const;

 private:
  std::string secret_;
};

}  // namespace trunkline::call
