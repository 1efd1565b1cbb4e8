#include "descriptions.hpp"

namespace trunkline::sdp {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

OfferAnswer secure_leg(SrtpPolicy policy) {
  LocalMedia local = trunk_media();
  local.srtp = policy;
  SeededRandom random(9);
  local.keys.renew(random, std::nullopt);
  return leg(local);
}

std::string key_of(CryptoSuite suite, char fill = 'k') {
  return base64(Secret(std::vector<std::uint8_t>(suite_key_size(suite), fill)));
}
std::string line(int tag, CryptoSuite suite, char fill = 'k') {
  return "a=crypto:" + std::to_string(tag) + " " + std::string(suite_name(suite)) +
         " inline:" + key_of(suite, fill) + "\r\n";
}
constexpr auto kCm80 = CryptoSuite::aes_cm_128_hmac_sha1_80,
               kCm32 = CryptoSuite::aes_cm_128_hmac_sha1_32, kGcm = CryptoSuite::aead_aes_128_gcm,
               kGcm256 = CryptoSuite::aead_aes_256_gcm;

std::string secure_phone(std::string_view extra) {
  return replaced(phone(extra), "RTP/AVP", "RTP/SAVP");
}

std::vector<std::string> crypto_lines(std::string_view text) {
  auto lines = lines_of(text);
  std::erase_if(lines, [](const std::string& one) { return !one.starts_with("a=crypto:"); });
  return lines;
}

std::string ours(const OfferAnswer& one, CryptoSuite suite) {
  return base64(one.local().keys[suite]);
}

std::string answer_to(OfferAnswer& one, const std::string& offer) {
  const auto remote = one.receive_offer(offer);
  EXPECT_TRUE(remote) << (remote ? "" : remote.error().detail);
  return one.answer({pcmu()}, Direction::sendrecv);
}
std::optional<Rejection> refusal(OfferAnswer& one, const std::string& offer) {
  const auto remote = one.receive_offer(offer);
  if (remote) return std::nullopt;
  return remote.error();
}

// RFC 4568 §5.1.2: an answer has one line, with tag and suite of the offer's and a key of its own
// [sdes]
TEST(CryptoAnswer, RepeatsTagAndSuiteOfTheLineThatItTakes) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  const std::string text =
      answer_to(one, secure_phone("a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:" + key_of(kCm80) +
                                  "\r\n" + line(7, kCm32) + line(8, kCm80)));
  EXPECT_THAT(line_of(text, "m="), HasSubstr("RTP/SAVP 0"));
  ASSERT_THAT(crypto_lines(text), SizeIs(1));
  EXPECT_EQ(crypto_lines(text)[0], "a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:" + ours(one, kCm32));
  EXPECT_NE(ours(one, kCm32), key_of(kCm32));
  ASSERT_TRUE(one.remote()->crypto);
  EXPECT_EQ(one.remote()->crypto->suite, kCm32);
  EXPECT_EQ(base64(one.remote()->crypto->key), key_of(kCm32));
}

TEST(CryptoAnswer, TakesEverySuite) {
  for (const CryptoSuite suite : kKnownSuites) {
    OfferAnswer one = secure_leg(SrtpPolicy::sdes);
    EXPECT_THAT(crypto_lines(answer_to(one, secure_phone(line(1, suite)))), SizeIs(1));
  }
}

// RFC 4568 §5.1.2: without a line that can be taken the stream is refused
TEST(CryptoAnswer, IsRefusedWhenNoLineCanBeTaken) {
  const std::string identified =
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + key_of(kCm80) + "|2^20|1:4\r\n";
  for (const SrtpPolicy policy : {SrtpPolicy::sdes, SrtpPolicy::sdes_required}) {
    for (const std::string& lines : {std::string(), identified}) {
      OfferAnswer one = secure_leg(policy);
      const auto rejection = refusal(one, secure_phone(lines));
      ASSERT_TRUE(rejection);
      EXPECT_EQ(rejection->reason, RejectionReason::transport);
      EXPECT_THAT(rejection->detail, HasSubstr("a=crypto"));
    }
  }
}

TEST(CryptoAnswer, OfAPlainOfferIsPlainOrRefused) {
  OfferAnswer wanting = secure_leg(SrtpPolicy::sdes);
  EXPECT_THAT(crypto_lines(answer_to(wanting, phone())), IsEmpty());
  EXPECT_FALSE(wanting.remote()->crypto);
  OfferAnswer demanding = secure_leg(SrtpPolicy::sdes_required);
  EXPECT_EQ(refusal(demanding, phone())->reason, RejectionReason::transport);
}

// RFC 8643 §3.2: RTP/AVP with a=crypto is answered with both
TEST(CryptoAnswer, OfAnOfferThatLeavesItOpenIsEncrypted) {
  for (const SrtpPolicy policy : {SrtpPolicy::sdes, SrtpPolicy::sdes_required}) {
    OfferAnswer one = secure_leg(policy);
    const std::string text = answer_to(one, phone(line(1, kCm80)));
    EXPECT_THAT(line_of(text, "m="), HasSubstr("RTP/AVP 0"));
    EXPECT_THAT(crypto_lines(text), SizeIs(1));
    EXPECT_TRUE(one.remote()->crypto);
  }
}

TEST(CryptoAnswer, IsPlainOnATrunkWithoutSrtp) {
  OfferAnswer one = trunk_leg();
  EXPECT_THAT(crypto_lines(answer_to(one, phone(line(1, kCm80)))), IsEmpty());
  EXPECT_FALSE(one.remote()->crypto);
  OfferAnswer other = trunk_leg();
  EXPECT_EQ(refusal(other, secure_phone(line(1, kCm80)))->reason, RejectionReason::transport);
}

TEST(CryptoAnswer, TakesTheEncryptedOneOfTwoLines) {
  const std::string both = phone() + "m=audio 7080 RTP/SAVP 0\r\n" + line(1, kCm80);
  OfferAnswer one = secure_leg(SrtpPolicy::sdes);
  const std::string text = answer_to(one, both);
  EXPECT_TRUE(has_line(text, "m=audio 0 RTP/AVP 0 101"));
  EXPECT_THAT(crypto_lines(text), SizeIs(1));
  EXPECT_EQ(one.remote()->rtp.port, 7080);
}

// RFC 4568 §5.1.1: a line for each suite, each with its key [sdes-offer]
TEST(CryptoOffer, GivesEachSuiteAKeyOfItsOwn) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  const std::string text = one.offer({pcmu()}, Direction::sendrecv);
  EXPECT_THAT(line_of(text, "m="), HasSubstr("RTP/SAVP 0"));
  EXPECT_THAT(
      crypto_lines(text),
      testing::ElementsAre("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + ours(one, kCm80),
                           "a=crypto:2 AEAD_AES_128_GCM inline:" + ours(one, kGcm),
                           "a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:" + ours(one, kCm32)));
}

// RFC 8643 §3.1: an offer that would like to be encrypted is RTP/AVP with a=crypto
TEST(CryptoOffer, ThatLeavesItOpenIsOrdinaryRtp) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes);
  const std::string text = one.offer({pcmu()}, Direction::sendrecv);
  EXPECT_THAT(line_of(text, "m="), HasSubstr("RTP/AVP 0"));
  EXPECT_THAT(crypto_lines(text), SizeIs(3));
  ASSERT_TRUE(one.receive_answer(phone()));
  EXPECT_FALSE(one.remote()->crypto);
  EXPECT_THAT(crypto_lines(one.offer({pcmu()}, Direction::sendonly)), IsEmpty())
      << "it was settled";
}

TEST(CryptoOffer, TakesAnAnswerWithOneOfItsSuites) {
  for (const SrtpPolicy policy : {SrtpPolicy::sdes, SrtpPolicy::sdes_required}) {
    OfferAnswer one = secure_leg(policy);
    one.offer({pcmu()}, Direction::sendrecv);
    ASSERT_TRUE(one.receive_answer(secure_phone(line(2, kGcm))));
    EXPECT_EQ(one.remote()->crypto->suite, kGcm);
    EXPECT_EQ(base64(one.remote()->crypto->key), key_of(kGcm));
  }
}

// RFC 4568 §5.1.3: another tag, but a suite of ours [sdes-renumbered]
TEST(CryptoOffer, TakesAnAnswerThatNumbersTheLineAnew) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  one.offer({pcmu()}, Direction::sendrecv);
  ASSERT_TRUE(one.receive_answer(secure_phone(line(1, kCm32))));
  EXPECT_EQ(one.remote()->crypto->suite, kCm32);
  EXPECT_THAT(
      crypto_lines(one.offer({pcmu()}, Direction::sendonly)),
      testing::ElementsAre("a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:" + ours(one, kCm32)));
}

// RFC 4568 §5.1.3: a suite that was not offered is refused [sdes-renumbered]
TEST(CryptoOffer, RefusesAnAnswerWithoutItsSuites) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  one.offer({pcmu()}, Direction::sendrecv);
  for (const std::string& answer : {phone(), secure_phone(""), secure_phone(line(1, kGcm256))}) {
    const auto remote = one.receive_answer(answer);
    ASSERT_FALSE(remote);
    EXPECT_EQ(remote.error().reason, RejectionReason::transport);
    EXPECT_EQ(one.state(), OfferAnswer::State::local_offer);
  }
}

// RFC 4568 §7.1.4: a description that changes nothing else keeps its key
TEST(CryptoReoffer, KeepsTheKeyThatIsInUse) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  const std::string first = answer_to(one, secure_phone(line(4, kGcm)));
  SeededRandom random(5);
  one.renew_keys(random);
  const std::string again = one.offer({pcmu()}, Direction::sendrecv);
  EXPECT_EQ(crypto_lines(again), crypto_lines(first));
  EXPECT_EQ(version_of(again), version_of(first));
  ASSERT_TRUE(one.receive_answer(secure_phone(line(4, kGcm, 'n'))));
  EXPECT_EQ(base64(one.remote()->crypto->key), key_of(kGcm, 'n'));
  EXPECT_THAT(crypto_lines(answer_to(one, secure_phone(line(9, kGcm, 'o')))),
              testing::ElementsAre("a=crypto:9 AEAD_AES_128_GCM inline:" + ours(one, kGcm)));
}

// RFC 3711 §9.1: a key that was given up does not come back
TEST(CryptoReoffer, ToAnotherSuiteAndBackHasANewKey) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  SeededRandom random(5);
  const auto exchange = [&](CryptoSuite suite) {
    answer_to(one, secure_phone(line(1, suite)));
    one.renew_keys(random);
    return ours(one, suite);
  };
  const std::string first = exchange(kCm80);
  EXPECT_EQ(exchange(kCm80), first);
  exchange(kCm32);
  EXPECT_NE(exchange(kCm80), first);
}

TEST(CryptoReoffer, ThatIsRefusedLeavesTheOldKeys) {
  OfferAnswer one = secure_leg(SrtpPolicy::sdes_required);
  answer_to(one, secure_phone(line(1, kCm80)));
  ASSERT_TRUE(one.receive_offer(secure_phone(line(1, kCm32, 'n'))));
  one.rollback();
  EXPECT_EQ(one.remote()->crypto->suite, kCm80);
  ASSERT_TRUE(refusal(one, phone()));
  EXPECT_EQ(one.remote()->crypto->suite, kCm80);
  EXPECT_THAT(crypto_lines(one.offer({pcmu()}, Direction::sendrecv)), SizeIs(1));
}

}  // namespace
}  // namespace trunkline::sdp
