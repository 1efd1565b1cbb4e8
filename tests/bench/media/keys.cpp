#include "keys.hpp"

#include <stdexcept>

namespace trunkline::bench {

media::SrtpProfile profile_named(const std::string& name) {
  if (name == "AEAD_AES_128_GCM") return media::SrtpProfile::aead_aes_128_gcm;
  if (name == "AES_CM_128_HMAC_SHA1_80") return media::SrtpProfile::aes_cm_128_hmac_sha1_80;
  throw std::runtime_error("unknown SRTP profile " + name);
}

media::SrtpMasterKey master_key(media::SrtpProfile profile, const std::string& hex) {
  const auto& sizes = media::traits(profile);
  if (hex.size() != 2 * (sizes.key + sizes.salt)) throw std::runtime_error("a key of a wrong size");
  const auto octet = [&hex](std::size_t at) {
    return static_cast<std::uint8_t>(std::stoi(hex.substr(2 * at, 2), nullptr, 16));
  };
  media::SrtpMasterKey key;
  for (std::size_t i = 0; i < sizes.key; ++i)
    key.key[i] = octet(i);
  for (std::size_t i = 0; i < sizes.salt; ++i)
    key.salt[i] = octet(sizes.key + i);
  return key;
}

}  // namespace trunkline::bench
