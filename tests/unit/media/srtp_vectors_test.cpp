#include "media/srtp_keys.hpp"
#include "media/srtp_transform.hpp"

#include "srtp_packets.hpp"
#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

using test::from_hex;
using test::OwnedPacket;
using testing::ElementsAreArray;

SrtpSessionKeys gcm_keys(std::size_t length) {
  SrtpSessionKeys keys;
  for (std::size_t i = 0; i < length; ++i)
    keys.cipher[i] = static_cast<std::uint8_t>(i);
  const auto salt = from_hex("517569642070726f2071756f");
  std::copy(salt.begin(), salt.end(), keys.salt.begin());
  return keys;
}

constexpr std::string_view kRtp =
    "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070"
    "61727465 73207472 6573";
constexpr std::string_view kRtcp =
    "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef"
    "deadbeef deadbeef deadbeef";

TEST(SrtpKeys, FollowTheKeyDerivationVectorsOfRfc3711B3) {
  SrtpMasterKey master;
  const auto key = from_hex("E1F97A0D3E018BE0D64FA32C06DE4139");
  const auto salt = from_hex("0EC675AD498AFEEBB6960B3AABE6");
  std::copy(key.begin(), key.end(), master.key.begin());
  std::copy(salt.begin(), salt.end(), master.salt.begin());
  const SrtpSessionKeys keys =
      derive_session_keys(SrtpProfile::aes_cm_128_hmac_sha1_80, master, SrtpStreamKind::rtp);
  EXPECT_THAT(ByteView(keys.cipher).first(16),
              ElementsAreArray(from_hex("C61E7A93744F39EE10734AFE3FF7A087")));
  EXPECT_THAT(ByteView(keys.salt), ElementsAreArray(from_hex("30CBBC08863D8C85D49DB34A9AE1")));
  EXPECT_THAT(ByteView(keys.authentication),
              ElementsAreArray(from_hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")));
}

TEST(SrtpKeys, DifferBetweenRtpAndRtcp) {
  SrtpMasterKey master;
  master.key.fill(7);
  for (const SrtpProfile profile : test::kProfiles) {
    EXPECT_NE(derive_session_keys(profile, master, SrtpStreamKind::rtp).cipher,
              derive_session_keys(profile, master, SrtpStreamKind::rtcp).cipher);
  }
}

struct Vector {
  SrtpProfile profile;
  std::size_t key;
  SrtpStreamKind kind;
  std::string_view clear, sealed;
  std::uint64_t index;
};

class Rfc7714 : public testing::TestWithParam<Vector> {};

TEST_P(Rfc7714, SealsToTheVector) {
  const Vector& vector = GetParam();
  const auto transform =
      make_srtp_transform(vector.profile, gcm_keys(vector.key), vector.kind, true);
  OwnedPacket packet(from_hex(vector.clear));
  if (vector.kind == SrtpStreamKind::rtp) {
    transform->seal_rtp(packet.packet, 12, vector.index);
  } else {
    transform->seal_rtcp(packet.packet, static_cast<std::uint32_t>(vector.index));
  }
  EXPECT_THAT(packet.copy(), ElementsAreArray(from_hex(vector.sealed)));
}

TEST_P(Rfc7714, OpensTheVector) {
  const Vector& vector = GetParam();
  const auto transform =
      make_srtp_transform(vector.profile, gcm_keys(vector.key), vector.kind, false);
  OwnedPacket packet(from_hex(vector.sealed));
  const bool opened =
      vector.kind == SrtpStreamKind::rtp
          ? transform->open_rtp(packet.packet, 12, vector.index)
          : transform->open_rtcp(packet.packet, static_cast<std::uint32_t>(vector.index));
  ASSERT_TRUE(opened);
  EXPECT_THAT(packet.copy(), ElementsAreArray(from_hex(vector.clear)));
}

INSTANTIATE_TEST_SUITE_P(
    Gcm, Rfc7714,
    testing::Values(
        Vector{SrtpProfile::aead_aes_128_gcm, 16, SrtpStreamKind::rtp, kRtp,
               "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f"
               "42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
               0xf17b},
        Vector{SrtpProfile::aead_aes_256_gcm, 32, SrtpStreamKind::rtp, kRtp,
               "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3"
               "b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
               0xf17b},
        Vector{SrtpProfile::aead_aes_128_gcm, 16, SrtpStreamKind::rtcp, kRtcp,
               "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1"
               "730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
               0x5d4}));

}  // namespace
}  // namespace trunkline::media
