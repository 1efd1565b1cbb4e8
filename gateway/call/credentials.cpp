#include "call/credentials.hpp"

#include "base/base64url.hpp"
#include "sip/digest.hpp"

#include <charconv>

namespace trunkline::call {
namespace {
constexpr std::size_t kMaxUsername = 512;  ///< octets
}

std::string Credentials::username(std::string_view user, std::int64_t expires) {
  return std::to_string(expires) + "." + base64url(as_bytes(user));
}

std::string Credentials::password(std::string_view username) const {
  return base64url(sip::hmac_sha256(secret_, username));
}

std::optional<Credentials::Claim> Credentials::read(std::string_view username) const {
  const auto dot = username.find('.');
  if (secret_.empty() || dot == std::string_view::npos || username.size() > kMaxUsername)
    return std::nullopt;
  Claim claim;
  const char* const end = username.data() + dot;
  const auto [stop, error] = std::from_chars(username.data(), end, claim.expires);
  auto user = parse_base64url(username.substr(dot + 1));
  if (error != std::errc{} || stop != end || !user || user->empty()) return std::nullopt;
  claim.user = std::move(*user);
  return claim;
}

}  // namespace trunkline::call
