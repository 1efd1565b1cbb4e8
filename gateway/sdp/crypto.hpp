#pragma once
#include "base/random.hpp"
#include "base/secret.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// a=crypto: SRTP keys in the description itself (SDES, RFC 4568).
namespace trunkline::sdp {

/// RFC 4568 §6.2, RFC 7714 §14.1.
enum class CryptoSuite : std::uint8_t {
  aes_cm_128_hmac_sha1_80,
  aes_cm_128_hmac_sha1_32,
  aead_aes_128_gcm,
  aead_aes_256_gcm
};
std::string_view suite_name(CryptoSuite suite);
/// Of master key and master salt together, in octets.
std::size_t suite_key_size(CryptoSuite suite);

/// What we offer, in this order: what every carrier has comes first, as some look at no other.
inline constexpr std::array kOfferedSuites{CryptoSuite::aes_cm_128_hmac_sha1_80,
                                           CryptoSuite::aead_aes_128_gcm,
                                           CryptoSuite::aes_cm_128_hmac_sha1_32};
/// What we take from an offer.
inline constexpr std::array kKnownSuites{
    CryptoSuite::aes_cm_128_hmac_sha1_80, CryptoSuite::aes_cm_128_hmac_sha1_32,
    CryptoSuite::aead_aes_128_gcm, CryptoSuite::aead_aes_256_gcm};

/// One a=crypto line: with `key`, its writer seals what it sends.
struct Crypto {
  std::uint32_t tag = 1;
  CryptoSuite suite{};
  Secret key;  ///< master key, then master salt
  bool operator==(const Crypto&) const = default;
};

/// What stands behind "a=crypto:". Nothing if we can't do all that it asks: another suite, a master
/// key identifier, several keys, a key derivation rate, parts left unencrypted or unauthenticated,
/// or a parameter that is not known and may not be ignored (RFC 4568 §6.3.7). A lifetime is read:
/// no call lasts as long as the shortest that means anything.
std::optional<Crypto> parse_crypto(std::string_view value);
/// What stands behind "a=crypto:", with neither lifetime nor master key identifier.
std::string write_crypto(const Crypto& crypto);

/// A key of ours for each suite, all different (RFC 4568 §6.1).
class CryptoKeys {
 public:
  const Secret& operator[](CryptoSuite suite) const {
    return keys_[static_cast<std::size_t>(suite)];
  }
  bool empty() const { return keys_.front().empty(); }
  /// New keys for all suites but `used`: no key serves again after it was given up.
  void renew(Random& random, std::optional<CryptoSuite> used);

 private:
  std::array<Secret, kKnownSuites.size()> keys_;
};

}  // namespace trunkline::sdp
