#include "sdp/crypto.hpp"

#include <gmock/gmock.h>

namespace trunkline::sdp {
namespace {

constexpr std::string_view kKey30 = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

std::string with(std::string_view parameters) {
  return "1 AES_CM_128_HMAC_SHA1_80 inline:" + std::string(kKey30) + std::string(parameters);
}

// RFC 4568 §9.1: tag, suite, key parameters, session parameters
TEST(CryptoLine, IsReadAndWritten) {
  const auto crypto = parse_crypto(with(""));
  ASSERT_TRUE(crypto);
  EXPECT_EQ(crypto->tag, 1u);
  EXPECT_EQ(crypto->suite, CryptoSuite::aes_cm_128_hmac_sha1_80);
  EXPECT_EQ(base64(crypto->key), kKey30);
  EXPECT_EQ(write_crypto(*crypto), with(""));
}

TEST(CryptoLine, KnowsFourSuitesAndTheLengthsOfTheirKeys) {
  for (const CryptoSuite suite : kKnownSuites) {
    Secret key(std::vector<std::uint8_t>(suite_key_size(suite), 7));
    const std::string line = write_crypto({3, suite, key});
    EXPECT_EQ(parse_crypto(line), (Crypto{3, suite, key}));
    Secret longer(std::vector<std::uint8_t>(suite_key_size(suite) + 1, 7));
    EXPECT_FALSE(parse_crypto(write_crypto({3, suite, longer})));
  }
  EXPECT_FALSE(parse_crypto("1 AES_256_CM_HMAC_SHA1_80 inline:" + std::string(kKey30)));
  EXPECT_FALSE(parse_crypto("1 F8_128_HMAC_SHA1_80 inline:" + std::string(kKey30)));
}

// RFC 4568 §6.1: a lifetime may follow the key [sdes-lifetime]
TEST(CryptoLine, TakesALifetime) {
  for (const std::string_view lifetime : {"|2^20", "|2^31", "|2^48", "|1048576", "|2^0"})
    EXPECT_TRUE(parse_crypto(with(lifetime))) << lifetime;
  for (const std::string_view lifetime :
       {"|2^49", "|0", "|", "|2^", "|-1", "|x", "|281474976710657"})
    EXPECT_FALSE(parse_crypto(with(lifetime))) << lifetime;
}

// RFC 4568 §6.1: a master key identifier would stand in every packet; we know none [sdes-mki]
TEST(CryptoLine, IsRefusedWithAMasterKeyIdentifierOrSeveralKeys) {
  EXPECT_FALSE(parse_crypto(with("|1:4")));
  EXPECT_FALSE(parse_crypto(with("|2^20|1:4")));
  EXPECT_FALSE(parse_crypto(with("|2^20|1:4;inline:" + std::string(kKey30) + "|2^20|2:4")));
}

// RFC 4568 §6.1: base64 may come without its padding [sdes-lifetime]
TEST(CryptoLine, TakesAKeyWithoutPadding) {
  const Secret key(std::vector<std::uint8_t>(28, 9));
  std::string line = write_crypto({1, CryptoSuite::aead_aes_128_gcm, key});
  ASSERT_TRUE(line.ends_with("="));
  line.erase(line.find('='));
  EXPECT_EQ(parse_crypto(line)->key, key);
}

// RFC 4568 §6.3: session parameters change what a stream is, and one that is not known may do so
// [sdes-session-parameters]
TEST(CryptoLine, IsRefusedForParametersThatWeCannotDo) {
  for (const std::string_view parameter :
       {" UNENCRYPTED_SRTP", " UNENCRYPTED_SRTCP", " UNAUTHENTICATED_SRTP", " KDR=1", " KDR=x",
        " WSH=63", " WSH=", " FEC_KEY=inline:x", " UNKNOWN", " UNKNOWN=1", " KDR=0 UNKNOWN"})
    EXPECT_FALSE(parse_crypto(with(parameter))) << parameter;
  for (const std::string_view parameter : {" KDR=0", " WSH=64", " WSH=1024", " FEC_ORDER=FEC_SRTP",
                                           " -UNKNOWN", " -UNKNOWN=1", "|2^31 KDR=0 WSH=128"})
    EXPECT_TRUE(parse_crypto(with(parameter))) << parameter;
}

TEST(CryptoLine, IsRefusedWhenItIsNone) {
  for (const std::string_view line :
       {"", "1", "x AES_CM_128_HMAC_SHA1_80 inline:A", "1 AES_CM_128_HMAC_SHA1_80",
        "1 AES_CM_128_HMAC_SHA1_80 inline:", "1 AES_CM_128_HMAC_SHA1_80 uri:http://x",
        "1 AES_CM_128_HMAC_SHA1_80 inline:QUFB", "1234567890 AES_CM_128_HMAC_SHA1_80 inline:A"})
    EXPECT_FALSE(parse_crypto(line)) << line;
}

// RFC 4568 §5.1.1: no two lines share a key [sdes-offer]
TEST(CryptoKeys, AreAllDifferentAndThatInUseStays) {
  SeededRandom random(1);
  CryptoKeys keys;
  keys.renew(random, std::nullopt);
  const CryptoKeys first = keys;
  keys.renew(random, CryptoSuite::aead_aes_128_gcm);
  for (const CryptoSuite suite : kKnownSuites) {
    EXPECT_EQ(keys[suite].size(), suite_key_size(suite));
    EXPECT_EQ(keys[suite] == first[suite], suite == CryptoSuite::aead_aes_128_gcm);
  }
  EXPECT_NE(keys[CryptoSuite::aes_cm_128_hmac_sha1_80], keys[CryptoSuite::aes_cm_128_hmac_sha1_32]);
}

}  // namespace
}  // namespace trunkline::sdp
