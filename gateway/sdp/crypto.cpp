#include "sdp/crypto.hpp"

#include "sdp/syntax.hpp"

#include <algorithm>

namespace trunkline::sdp {

namespace {

constexpr std::uint32_t kMaxTag = 999'999'999;  // RFC 4568 §9.1: nine digits
constexpr unsigned kMaxLifetimeBits = 48;       // RFC 3711 §9.2
constexpr unsigned kMaxRateBits = 24;           // RFC 4568 §6.3.1
constexpr std::uint32_t kMinWindow = 64;        // RFC 4568 §6.3.6

struct Suite {
  std::string_view name;
  std::size_t key_size;
};
constexpr std::array<Suite, 4> kSuites{{
    {"AES_CM_128_HMAC_SHA1_80", 30},
    {"AES_CM_128_HMAC_SHA1_32", 30},
    {"AEAD_AES_128_GCM", 28},
    {"AEAD_AES_256_GCM", 44},
}};

std::optional<CryptoSuite> suite_named(std::string_view name) {
  for (const CryptoSuite suite : kKnownSuites) {
    if (same_without_case(name, suite_name(suite))) return suite;
  }
  return std::nullopt;
}

/// RFC 4568 §6.1: a number of packets, or a power of two.
bool is_lifetime(std::string_view text) {
  if (text.starts_with("2^")) {
    return parse_number<unsigned>(text.substr(2), kMaxLifetimeBits).has_value();
  }
  const auto packets = parse_number<std::uint64_t>(text, std::uint64_t{1} << kMaxLifetimeBits);
  return packets && *packets > 0;
}

/// "inline:" key, and a lifetime at most.
Secret read_key(std::string_view text, CryptoSuite suite) {
  constexpr std::string_view kMethod = "inline:";
  if (!same_without_case(text.substr(0, kMethod.size()), kMethod)) return {};
  text.remove_prefix(kMethod.size());
  const std::size_t bar = text.find('|');
  if (bar != std::string_view::npos && !is_lifetime(text.substr(bar + 1))) return {};
  Secret key = parse_base64(text.substr(0, bar));
  if (key.size() != suite_key_size(suite)) return {};
  return key;
}

/// Whether a session parameter leaves everything as we do it (RFC 4568 §6.3).
bool is_harmless(std::string_view parameter) {
  const std::size_t equals = parameter.find('=');
  const std::string_view name = parameter.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view{} : parameter.substr(equals + 1);
  if (name == "KDR") return parse_number<unsigned>(value, kMaxRateBits) == 0u;
  if (name == "WSH") return parse_number<std::uint32_t>(value, UINT32_MAX) >= kMinWindow;
  // No forward error correction is agreed beside it, so there is nothing to put into an order.
  if (name == "FEC_ORDER") return value == "FEC_SRTP" || value == "SRTP_FEC";
  return parameter.starts_with('-');
}

}  // namespace

std::string_view suite_name(CryptoSuite suite) {
  return kSuites[static_cast<std::size_t>(suite)].name;
}

std::size_t suite_key_size(CryptoSuite suite) {
  return kSuites[static_cast<std::size_t>(suite)].key_size;
}

std::optional<Crypto> parse_crypto(std::string_view value) {
  const auto tag = parse_number<std::uint32_t>(next_word(value), kMaxTag);
  const auto suite = suite_named(next_word(value));
  if (!tag || !suite) return std::nullopt;
  Crypto crypto{*tag, *suite, read_key(next_word(value), *suite)};
  if (crypto.key.empty()) return std::nullopt;
  for (auto parameter = next_word(value); !parameter.empty(); parameter = next_word(value)) {
    if (!is_harmless(parameter)) return std::nullopt;
  }
  return crypto;
}

std::string write_crypto(const Crypto& crypto) {
  return std::to_string(crypto.tag) + " " + std::string(suite_name(crypto.suite)) +
         " inline:" + base64(crypto.key);
}

void CryptoKeys::renew(Random& random, std::optional<CryptoSuite> used) {
  for (const CryptoSuite suite : kKnownSuites) {
    if (suite == used) continue;
    std::array<std::uint8_t, Secret::kCapacity> octets{};
    const MutableBytes key = MutableBytes(octets).first(suite_key_size(suite));
    random.fill(key);
    keys_[static_cast<std::size_t>(suite)] = Secret(key);
    std::fill(octets.begin(), octets.end(), std::uint8_t{0});
  }
}

}  // namespace trunkline::sdp
