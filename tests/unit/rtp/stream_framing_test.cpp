#include "rtp/stream_framing.hpp"

#include <gmock/gmock.h>
#include <string>

namespace trunkline::rtp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kLongest = 10;

class StreamFraming : public testing::Test {
 protected:
  std::vector<std::string> feed(std::string_view octets) {
    std::vector<std::string> frames;
    while (!octets.empty()) {
      const MutableBytes room = reader_.room();
      const std::size_t size = std::min(room.size(), octets.size());
      std::copy_n(octets.begin(), size, room.begin());
      octets.remove_prefix(size);
      reader_.filled(size);
      while (const auto frame = reader_.next())
        frames.emplace_back(as_text(*frame));
    }
    return frames;
  }
  static std::string frame(std::string_view packet) {
    return std::string{static_cast<char>(packet.size() >> 8), static_cast<char>(packet.size())} +
           std::string(packet);
  }

  FrameReader reader_{kLongest};
};

// RFC 4571 §2: a packet stands behind its length [ice-tcp-framing]
TEST_F(StreamFraming, GivesThePacketsOfOneRead) {
  EXPECT_THAT(feed(frame("one") + frame("second")), ElementsAre("one", "second"));
}

TEST_F(StreamFraming, JoinsAPacketThatComesOctetByOctet) {
  std::vector<std::string> frames;
  for (const char octet : frame("one") + frame("second")) {
    for (auto& found : feed({&octet, 1}))
      frames.push_back(std::move(found));
  }
  EXPECT_THAT(frames, ElementsAre("one", "second"));
}

TEST_F(StreamFraming, TakesALongStreamInItsSmallBuffer) {
  std::string stream;
  for (int i = 0; i < 1000; ++i)
    stream += frame(std::string(1 + static_cast<std::size_t>(i) % kLongest, 'x'));
  EXPECT_EQ(feed(stream).size(), 1000U);
}

TEST_F(StreamFraming, PassesOverNullPackets) {
  EXPECT_THAT(feed(frame("") + frame("") + frame("one") + frame("")), ElementsAre("one"));
  EXPECT_FALSE(reader_.failed());
}

TEST_F(StreamFraming, TakesThePacketThatIsJustNotTooLong) {
  const std::string longest(kLongest, 'x');
  EXPECT_THAT(feed(frame(longest)), ElementsAre(longest));
}

TEST_F(StreamFraming, RefusesALongerOneByItsLengthAlone) {
  EXPECT_THAT(feed(frame("one") + std::string("\0\x0b", 2)), ElementsAre("one"));
  EXPECT_TRUE(reader_.failed());
}

TEST_F(StreamFraming, GivesNothingMoreAfterThat) {
  feed("GET / HTTP");
  EXPECT_TRUE(reader_.failed());
  EXPECT_THAT(feed(frame("one")), IsEmpty());
}

}  // namespace
}  // namespace trunkline::rtp
