#include "base/bytes.hpp"
#include "sip/digest.hpp"
#include "sip/syntax.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace trunkline::sip {
namespace {

// A nonce is hex of: time made (8 octets), salt (8), the start of an HMAC-SHA256 over these and the
// realm (16).
constexpr std::size_t kTimeSize = 8;
constexpr std::size_t kSaltSize = 8;
constexpr std::size_t kStampText = (kTimeSize + kSaltSize) * 2;
constexpr std::size_t kSignatureSize = 16;
constexpr std::size_t kNonceText = kStampText + kSignatureSize * 2;
// How far the clock of a replica that shares the secret may run ahead.
constexpr std::int64_t kClockSkew = 30;
constexpr std::uint32_t kWindow = 64;
// Stands for the nonce count that credentials without qop lack: none is higher, so the nonce is
// spent.
constexpr std::uint32_t kOnlyUse = std::numeric_limits<std::uint32_t>::max();

std::string hex(ByteView bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::uint8_t byte : bytes) {
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

bool same_secret(std::string_view a, std::string_view b) {
  return !a.empty() && a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, 16);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> parse_count(std::string_view nc) {
  const auto count = parse_hex(nc);
  if (!count || nc.size() > 8) return std::nullopt;
  return static_cast<std::uint32_t>(*count);
}

}  // namespace

std::array<std::uint8_t, 32> hmac_sha256(std::string_view key, std::string_view text) {
  std::array<std::uint8_t, 32> code{};
  const ByteView input = as_bytes(text);
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), input.data(), input.size(),
           code.data(), &size) == nullptr) {
    return {};
  }
  return code;
}

DigestServer::DigestServer(Settings settings, Random& random)
    : settings_(std::move(settings)), random_(random) {}

std::string DigestServer::sign(std::string_view stamp, std::string_view realm) const {
  const std::string signed_text = std::string(stamp).append(":").append(realm);
  return hex(ByteView(hmac_sha256(settings_.secret, signed_text)).first(kSignatureSize));
}

bool DigestServer::challenged(const DigestCredentials& credentials) const {
  std::int64_t made = 0;
  return nonce_is_ours(credentials, made);
}

DigestChallenge DigestServer::challenge(std::string_view realm, DigestAlgorithm algorithm,
                                        bool stale, std::int64_t wall) {
  std::array<std::uint8_t, kTimeSize + kSaltSize> stamp{};
  store64(stamp, 0, static_cast<std::uint64_t>(wall));
  random_.fill(MutableBytes(stamp).subspan(kTimeSize));
  DigestChallenge challenge;
  challenge.realm = realm;
  challenge.nonce = hex(stamp);
  challenge.nonce += sign(challenge.nonce, realm);
  challenge.algorithm = algorithm;
  challenge.qop_auth = challenge.qop_present = true;
  challenge.stale = stale;
  return challenge;
}

bool DigestServer::nonce_is_ours(const DigestCredentials& credentials, std::int64_t& made) const {
  const std::string_view nonce = credentials.nonce;
  if (nonce.size() != kNonceText) return false;
  const std::string_view stamp = nonce.substr(0, kStampText);
  if (!same_secret(sign(stamp, credentials.realm), nonce.substr(kStampText))) return false;
  const auto time = parse_hex(stamp.substr(0, kTimeSize * 2));
  if (!time) return false;
  made = static_cast<std::int64_t>(*time);
  return true;
}

DigestServer::Verdict DigestServer::verify(const DigestCredentials& credentials,
                                           std::string_view method, std::string_view /*body*/,
                                           const std::optional<std::string>& ha1,
                                           std::int64_t wall) {
  if (credentials.response.empty()) return Verdict::no_credentials;
  if (credentials.unknown_algorithm) return Verdict::wrong;
  // An unknown user costs the same hashes and comparisons (RFC 3261 §22.4): nobody learns from the
  // time who exists.
  const DigestAlgorithm algorithm = credentials.algorithm.value_or(DigestAlgorithm::md5);
  const std::string nobody =
      digest_ha1(algorithm, credentials.username, credentials.realm, settings_.secret);
  const std::string expected = digest_response(credentials, ha1 ? *ha1 : nobody, method);
  const bool right = same_secret(expected, lower_case(credentials.response));
  std::int64_t made = 0;
  const bool ours = nonce_is_ours(credentials, made);
  if (!ha1) return Verdict::unknown_user;
  if (!right) return Verdict::wrong;
  const bool fresh =
      ours && made <= wall + kClockSkew && wall - made <= settings_.nonce_lifetime.count();
  return fresh ? count_use(credentials, made, wall) : Verdict::stale;
}

DigestServer::Verdict DigestServer::count_use(const DigestCredentials& credentials,
                                              std::int64_t made, std::int64_t wall) {
  const std::uint32_t count =
      credentials.qop_auth ? parse_count(credentials.nc).value_or(0) : kOnlyUse;
  if (count == 0) return Verdict::replayed;
  const auto known = uses_.find(credentials.nonce);
  if (known == uses_.end()) {
    if (forgotten_ && made <= *forgotten_) return Verdict::stale;
    uses_.emplace(credentials.nonce, Use{count, 1, made});
    order_.push_back(credentials.nonce);
    forget_old(wall);
    return Verdict::ok;
  }
  Use& use = known->second;
  if (count > use.highest) {
    const std::uint32_t ahead = count - use.highest;
    use.window = ahead < kWindow ? (use.window << ahead) | 1 : 1;
    use.highest = count;
    return Verdict::ok;
  }
  const std::uint32_t behind = use.highest - count;
  const std::uint64_t bit = behind < kWindow ? std::uint64_t{1} << behind : 0;
  if (bit == 0 || (use.window & bit) != 0) return Verdict::replayed;
  use.window |= bit;
  return Verdict::ok;
}

/// Drops what has expired, and the oldest while there are too many. A nonce dropped alive must not
/// be taken again: then all of its age that are not remembered become stale.
void DigestServer::forget_old(std::int64_t wall) {
  while (!order_.empty()) {
    const auto oldest = uses_.find(order_.front());
    const std::int64_t made = oldest->second.made;
    const bool expired = wall - made > settings_.nonce_lifetime.count();
    if (!expired && order_.size() <= settings_.nonce_count_entries) return;
    if (!expired) forgotten_ = std::max(forgotten_.value_or(made), made);
    uses_.erase(oldest);
    order_.pop_front();
  }
}

}  // namespace trunkline::sip
