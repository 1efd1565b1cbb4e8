#include "media/hmac_sha1.hpp"
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

class Rfc7714 : public testing::TestWithParam<std::tuple<SrtpEngineKind, Vector>> {
 protected:
  std::unique_ptr<SrtpTransform> transform(SrtpWay way) const {
    const auto& [engine, vector] = GetParam();
    return make_srtp_transform(engine, vector.profile, gcm_keys(vector.key), vector.kind, way);
  }
};

TEST_P(Rfc7714, SealsToTheVector) {
  const Vector& vector = std::get<Vector>(GetParam());
  const auto cipher = transform(SrtpWay::seal);
  OwnedPacket packet(from_hex(vector.clear));
  if (vector.kind == SrtpStreamKind::rtp) {
    cipher->seal_rtp(packet.packet, 12, vector.index);
  } else {
    cipher->seal_rtcp(packet.packet, static_cast<std::uint32_t>(vector.index));
  }
  EXPECT_THAT(packet.copy(), ElementsAreArray(from_hex(vector.sealed)));
}

TEST_P(Rfc7714, OpensTheVector) {
  const Vector& vector = std::get<Vector>(GetParam());
  const auto cipher = transform(SrtpWay::open);
  OwnedPacket packet(from_hex(vector.sealed));
  const bool opened =
      vector.kind == SrtpStreamKind::rtp
          ? cipher->open_rtp(packet.packet, 12, vector.index)
          : cipher->open_rtcp(packet.packet, static_cast<std::uint32_t>(vector.index));
  ASSERT_TRUE(opened);
  EXPECT_THAT(packet.copy(), ElementsAreArray(from_hex(vector.clear)));
}

/// The engines whose transform is ours; libsrtp's own is held against theirs packet by packet.
std::vector<SrtpEngineKind> own_engines() {
  auto engines = test::engines_here();
  std::erase(engines, SrtpEngineKind::libsrtp);
  return engines;
}

INSTANTIATE_TEST_SUITE_P(
    Gcm, Rfc7714,
    testing::Combine(
        testing::ValuesIn(own_engines()),
        testing::Values(
            Vector{
                SrtpProfile::aead_aes_128_gcm, 16, SrtpStreamKind::rtp, kRtp,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f"
                "42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
                0xf17b},
            Vector{
                SrtpProfile::aead_aes_256_gcm, 32, SrtpStreamKind::rtp, kRtp,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3"
                "b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
                0xf17b},
            Vector{
                SrtpProfile::aead_aes_128_gcm, 16, SrtpStreamKind::rtcp, kRtcp,
                "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1"
                "730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
                0x5d4},
            Vector{
                SrtpProfile::aead_aes_256_gcm, 32, SrtpStreamKind::rtcp, kRtcp,
                "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1"
                "110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
                0x5d4})));

class Rfc3711 : public testing::TestWithParam<SrtpEngineKind> {};

// RFC 3711 §B.2: the key stream of AES in counter mode
TEST_P(Rfc3711, MakesTheKeyStreamOfTheVector) {
  SrtpSessionKeys keys;
  const auto key = from_hex("2B7E151628AED2A6ABF7158809CF4F3C");
  const auto salt = from_hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD");
  std::copy(key.begin(), key.end(), keys.cipher.begin());
  std::copy(salt.begin(), salt.end(), keys.salt.begin());
  const auto transform = make_srtp_transform(GetParam(), SrtpProfile::aes_cm_128_hmac_sha1_80, keys,
                                             SrtpStreamKind::rtp, SrtpWay::seal);
  std::vector<std::uint8_t> clear(12 + 48, 0);
  clear[0] = 0x80;
  OwnedPacket packet(clear);
  transform->seal_rtp(packet.packet, 12, 0);
  EXPECT_THAT(packet.bytes().subspan(12, 48),
              ElementsAreArray(from_hex("E03EAD0935C95E80E166B16DD92B4EB4"
                                        "D23513162B02D0F72A43A2FE4A5F97AB"
                                        "41E95B3BB0A2E8DD477901E4FCA894C0")));
}
INSTANTIATE_TEST_SUITE_P(Engines, Rfc3711, testing::ValuesIn(own_engines()));

struct PacketVector {
  SrtpProfile profile;
  std::string_view sealed;
};
class KnownPacket : public testing::TestWithParam<std::tuple<SrtpEngineKind, PacketVector>> {
 protected:
  SrtpMasterKey key() const {
    SrtpMasterKey master;
    const auto key = from_hex("e1f97a0d3e018be0d64fa32c06de4139");
    const auto salt = from_hex("0ec675ad498afeebb6960b3aabe6");
    std::copy(key.begin(), key.end(), master.key.begin());
    std::copy(salt.begin(), salt.end(), master.salt.begin());
    return master;
  }
  static constexpr std::string_view kClear =
      "800f1234decafbadcafebabe abababababababababababababababab";
};

// The master key of RFC 3711 B.3 on one packet: known answers of AES_CM_128_HMAC_SHA1_80 and _32.
TEST_P(KnownPacket, IsSealedAndOpened) {
  const auto& [engine, vector] = GetParam();
  const auto sender = make_srtp_sender(engine, vector.profile, key(), 0xcafebabe);
  OwnedPacket packet(from_hex(kClear));
  ASSERT_EQ(sender->protect_rtp(packet.packet), SrtpVerdict::ok);
  EXPECT_THAT(packet.copy(), ElementsAreArray(from_hex(vector.sealed)));
  const auto receiver = make_srtp_receiver(engine, vector.profile, key());
  ASSERT_EQ(receiver->unprotect_rtp(packet.packet), SrtpVerdict::ok);
  EXPECT_THAT(packet.copy(), ElementsAreArray(from_hex(kClear)));
}
INSTANTIATE_TEST_SUITE_P(
    Engines, KnownPacket,
    testing::Combine(
        testing::ValuesIn(test::engines_here()),
        testing::Values(PacketVector{SrtpProfile::aes_cm_128_hmac_sha1_80,
                                     "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402"
                                     "b78d6acc99ea179b8dbb"},
                        PacketVector{SrtpProfile::aes_cm_128_hmac_sha1_32,
                                     "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402"
                                     "b78d6acc"})));

TEST(HmacSha1, AnswersAsRfc2202) {
  const auto text = [](std::string_view chars) {
    return std::vector<std::uint8_t>(chars.begin(), chars.end());
  };
  EXPECT_THAT(HmacSha1(std::vector<std::uint8_t>(20, 0x0b)).compute(text("Hi "), text("There")),
              ElementsAreArray(from_hex("b617318655057264e28bc0b6fb378c8ef146be00")));
  EXPECT_THAT(HmacSha1(text("Jefe")).compute(text("what do ya want for nothing?")),
              ElementsAreArray(from_hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")));
}

}  // namespace
}  // namespace trunkline::media
