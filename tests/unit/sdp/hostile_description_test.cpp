#include "descriptions.hpp"
#include <filesystem>

namespace trunkline::sdp {
namespace {

/// Everything that an offer can do to a leg; what it does must be within the rules.
void check_exchange(const std::string& text, LocalMedia local) {
  OfferAnswer one = leg(std::move(local));
  const auto remote = one.receive_offer(text);
  if (!remote) {
    EXPECT_EQ(one.state(), OfferAnswer::State::stable);
    return;
  }
  const auto offer = parse_session(text);
  ASSERT_TRUE(offer);
  const std::string answer = one.answer(remote->codecs, Direction::sendrecv);
  const auto again = parse_session(answer);
  ASSERT_TRUE(again) << answer;
  ASSERT_EQ(again->media.size(), offer->media.size());
  int used = 0;
  for (std::size_t at = 0; at < offer->media.size(); ++at) {
    EXPECT_EQ(again->media[at].kind, offer->media[at].kind);
    EXPECT_EQ(again->media[at].protocol, offer->media[at].protocol);
    used += again->media[at].port != 0 ? 1 : 0;
  }
  EXPECT_LE(used, 1);
}

TEST(HostileDescriptionTest, TheCorpusIsAnsweredOrRefusedOnBothKindsOfLeg) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(TESTS_DIR) + "/corpus/sdp")) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string text = corpus(entry.path().filename().string());
    check_exchange(text, trunk_media());
    check_exchange(text, browser_media());
    ++files;
  }
  EXPECT_GE(files, 20);
}

TEST(HostileDescriptionTest, EveryTruncationIsAnsweredOrRefused) {
  for (const char* name : {"chromium_audio_video.sdp", "carrier_opus_mux.sdp"}) {
    const std::string whole = corpus(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      check_exchange(whole.substr(0, size), trunk_media());
      check_exchange(whole.substr(0, size), browser_media());
    }
  }
}

TEST(HostileDescriptionTest, EveryChangedOctetIsAnsweredOrRefused) {
  SeededRandom random(11);
  for (const char* name : {"chromium_audio_video.sdp", "firefox_audio.sdp", "fax_t38.sdp"}) {
    const std::string whole = corpus(name);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      changed[at] = static_cast<char>(random.below(256));
      check_exchange(changed, trunk_media());
      check_exchange(changed, browser_media());
    }
  }
}

TEST(HostileDescriptionTest, ALargeTextOfOneAttributeIsTakenAndALargerOneRefused) {
  std::string text = phone();
  while (text.size() + 40 < kMaxText && lines_of(text).size() < 1)
    text += "a=x\r\n";
  std::string attributes;
  for (int line = 0; line < 2000; ++line)
    attributes += "a=rtpmap:127 x/8000/1/1/1/1/1\r\n";
  ASSERT_LT(attributes.size() + phone().size(), kMaxText);
  EXPECT_TRUE(parse_session(phone(attributes)));
  EXPECT_FALSE(parse_session(std::string(1 << 20, 'a')));
}

TEST(HostileDescriptionTest, LineBreaksInAttributesReachNoAnswer) {
  for (const std::string_view smuggled :
       {"a=mid:0\ra=evil", "a=mid:0 evil", "a=mid:<evil>", "a=rtpmap:101 evil\"/8000"}) {
    OfferAnswer one = browser_leg();
    const auto remote =
        one.receive_offer(replaced(corpus("chromium_audio.sdp"), "a=mid:0", smuggled));
    if (!remote) continue;
    const std::string answer = one.answer(remote->codecs, Direction::sendrecv);
    EXPECT_EQ(answer.find("evil"), std::string::npos) << smuggled;
  }
}

}  // namespace
}  // namespace trunkline::sdp
