#include "sip/digest.hpp"

#include "sip/header.hpp"

#include <gtest/gtest.h>
#include <string>

namespace trunkline::sip {
namespace {

constexpr std::string_view kHa1OfRfc2617 = "939e7578ed9e3c518a452acee763bce9";

DigestCredentials rfc7616(DigestAlgorithm algorithm) {
  DigestCredentials credentials;
  credentials.username = "Mufasa";
  credentials.realm = "http-auth@example.org";
  credentials.uri = "/dir/index.html";
  credentials.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
  credentials.nc = "00000001";
  credentials.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
  credentials.qop_auth = true;
  credentials.algorithm = algorithm;
  return credentials;
}

std::string answer(const DigestCredentials& credentials, std::string_view password) {
  const std::string ha1 = digest_ha1(credentials.algorithm.value_or(DigestAlgorithm::md5), "Mufasa",
                                     credentials.realm, password);
  return digest_response(credentials, ha1, "GET");
}

// RFC 7616 §3.9.1: the example of the RFC comes out, with MD5 and SHA-256
TEST(Digest, AnswersAsInRfc7616) {
  EXPECT_EQ(answer(rfc7616(DigestAlgorithm::md5), "Circle of Life"),
            "8ca523f5e9506fed4657c9700eebdbec");
  EXPECT_EQ(answer(rfc7616(DigestAlgorithm::sha256), "Circle of Life"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST(Digest, AnswersWithoutQopAsInRfc2069) {
  DigestCredentials credentials;
  credentials.realm = "testrealm@host.com";
  credentials.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
  credentials.uri = "/dir/index.html";
  EXPECT_EQ(digest_ha1(DigestAlgorithm::md5, "Mufasa", "testrealm@host.com", "Circle Of Life"),
            kHa1OfRfc2617);
  EXPECT_EQ(digest_response(credentials, kHa1OfRfc2617, "GET"), "670fd8c2df070c60b045671b8b24ff02");
}

TEST(DigestChallenge, IsReadWithAllItsParts) {
  const auto challenge = DigestChallenge::parse(
      "digest realm=\"a \\\"b\\\"\",nonce=\"n,1\" , "
      "opaque=\"o\",stale=TRUE,algorithm=SHA-256,qop=\"auth-int, auth\"");
  ASSERT_TRUE(challenge.has_value());
  EXPECT_EQ(challenge->realm, "a \"b\"");
  EXPECT_EQ(challenge->nonce, "n,1");
  EXPECT_EQ(challenge->opaque, "o");
  EXPECT_TRUE(challenge->stale);
  EXPECT_EQ(challenge->algorithm, DigestAlgorithm::sha256);
  EXPECT_TRUE(challenge->qop_present);
  EXPECT_TRUE(challenge->qop_auth);
}

TEST(DigestChallenge, AlgorithmMayBeAbsentQuotedOrUnknown) {
  EXPECT_FALSE(DigestChallenge::parse("Digest realm=\"r\",nonce=\"n\"")->algorithm.has_value());
  EXPECT_FALSE(DigestChallenge::parse("Digest realm=\"r\",nonce=\"n\"")->unknown_algorithm);
  EXPECT_EQ(DigestChallenge::parse("Digest realm=\"r\",nonce=\"n\",algorithm=\"md5\"")->algorithm,
            DigestAlgorithm::md5);
  for (std::string_view name : {"MD5-sess", "SHA-512-256", "SHA-256-sess", "token"}) {
    const auto challenge = DigestChallenge::parse(
        std::string("Digest realm=\"r\",nonce=\"n\",algorithm=").append(name));
    EXPECT_TRUE(challenge->unknown_algorithm) << name;
    EXPECT_FALSE(challenge->algorithm.has_value()) << name;
  }
}

TEST(DigestChallenge, OnlyAuthIntIsNoAuth) {
  const auto challenge = DigestChallenge::parse("Digest realm=\"r\",nonce=\"n\",qop=\"auth-int\"");
  EXPECT_TRUE(challenge->qop_present);
  EXPECT_FALSE(challenge->qop_auth);
}

TEST(DigestChallenge, RefusesOtherSchemesAndMissingParts) {
  for (std::string_view text :
       {"", "Basic realm=\"r\"", "Digest", "Digest realm=\"r\"", "Digest nonce=\"n\"",
        "Digest realm=\"r\" nonce=\"n\"", "Digest realm=\"r", "Digest realm", "Digest =x",
        "Digestrealm=\"r\",nonce=\"n\""}) {
    EXPECT_FALSE(DigestChallenge::parse(text).has_value()) << text;
  }
}

TEST(DigestChallenge, IsWrittenAsStacksExpectIt) {
  DigestChallenge challenge;
  challenge.realm = "example.test";
  challenge.nonce = "n";
  challenge.algorithm = DigestAlgorithm::md5;
  challenge.qop_auth = true;
  EXPECT_EQ(challenge.text(),
            "Digest realm=\"example.test\", nonce=\"n\", algorithm=MD5, qop=\"auth\"");
  challenge.stale = true;
  challenge.opaque = "o";
  challenge.algorithm = DigestAlgorithm::sha256;
  EXPECT_EQ(challenge.text(),
            "Digest realm=\"example.test\", nonce=\"n\", opaque=\"o\", algorithm=SHA-256, "
            "qop=\"auth\", stale=true");
}

TEST(DigestCredentials, AreReadAsJsSipWritesThem) {
  const auto credentials = DigestCredentials::parse(
      "Digest algorithm=MD5, username=\"alice\", realm=\"example.test\", nonce=\"n\", "
      "uri=\"sip:example.test\", "
      "response=\"0123456789abcdef0123456789abcdef\", qop=auth, cnonce=\"c\", nc=00000001");
  ASSERT_TRUE(credentials.has_value());
  EXPECT_EQ(credentials->username, "alice");
  EXPECT_EQ(credentials->algorithm, DigestAlgorithm::md5);
  EXPECT_TRUE(credentials->qop_auth);
  EXPECT_EQ(credentials->nc, "00000001");
}

TEST(DigestCredentials, AreReadWithEverythingQuoted) {
  const auto credentials = DigestCredentials::parse(
      "Digest "
      "username=\"a\",realm=\"r\",nonce=\"n\",uri=\"sip:r\",response=\"x\",algorithm=\"MD5\",qop="
      "\"auth\","
      "nc=\"00000001\",cnonce=\"c\",opaque=\"\"");
  ASSERT_TRUE(credentials.has_value());
  EXPECT_TRUE(credentials->qop_auth);
  EXPECT_EQ(credentials->nc, "00000001");
}

TEST(DigestCredentials, GiveBackWhatTheyRead) {
  DigestCredentials credentials = rfc7616(DigestAlgorithm::sha256);
  credentials.username = "a\"b";
  credentials.response = "0f";
  credentials.opaque = "o";
  const auto again = DigestCredentials::parse(credentials.text());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->username, "a\"b");
  EXPECT_EQ(again->text(), credentials.text());
}

TEST(DigestCredentials, RefuseWhatCannotBeChecked) {
  for (std::string_view text :
       {"", "NoOneKnowsThisScheme opaque-data=here", "Digest username=\"a\"",
        "Digest username=\"a\",realm=\"r\",nonce=\"n\",uri=\"u\"",
        "Digest username=\"a\",realm=\"r\",nonce=\"n\",response=\"x\"",
        "Digest username=\"a\",realm=\"r\",nonce=\"n\",uri=\"u\",response=\"x\",qop=auth-int"}) {
    EXPECT_FALSE(DigestCredentials::parse(text).has_value()) << text;
  }
}

TEST(HmacSha256, MeetsTheVectorsOfRfc4231) {
  const auto hex = [](const std::array<std::uint8_t, 32>& code) {
    std::string text;
    for (const std::uint8_t byte : code) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  };
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace trunkline::sip
