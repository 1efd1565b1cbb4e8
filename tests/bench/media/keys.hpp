#pragma once
#include "media/srtp.hpp"

#include <string>

/// SRTP keys as the driver writes them.
namespace trunkline::bench {

/// "AEAD_AES_128_GCM" or "AES_CM_128_HMAC_SHA1_80"; throws at others.
media::SrtpProfile profile_named(const std::string& name);
/// Key and then salt, in hex; throws if that is not their length.
media::SrtpMasterKey master_key(media::SrtpProfile profile, const std::string& hex);

}  // namespace trunkline::bench
