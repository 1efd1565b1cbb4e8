// Digits in the sound of a source, and digits that are made to be heard.
#include "media/digit_listener.hpp"

#include "media/digit_tones.hpp"

#include "dialler.hpp"
#include "speech.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <memory>
#include <vector>

namespace trunkline::media {
namespace {

using test::Dialler;

constexpr std::array kSpoken{AudioCodec::pcmu, AudioCodec::pcma, AudioCodec::g722,
                             AudioCodec::opus};

/// A listener and the time.
struct Ear {
  DigitListener listener;
  TimePoint now = TimePoint{} + seconds{1000} + milliseconds{3};
  std::string heard;

  void run(Duration duration) {
    const TimePoint end = now + duration;
    while (listener.deadline() < end) {
      now = std::max(now, listener.deadline());
      while (const auto digit = listener.next(now))
        heard += *digit;
    }
    now = end;
  }
  void hear(const CodedPacket& packet) {
    listener.receive(packet, now);
    run(milliseconds{20});
  }
  template <class Source>
  void hear(Source& source, int packets) {
    for (int i = 0; i < packets; ++i)
      hear(source.say());
  }
};

class InEachCodec : public testing::TestWithParam<AudioCodec> {};

// RFC 4733 §1.2: in each codec [digits-in-band]
TEST_P(InEachCodec, EachDigitIsHeardOnce) {
  Dialler dialler(GetParam());
  Ear ear;
  ear.hear(dialler, 20);
  dialler.dial("1234567890*#ABCD");
  ear.hear(dialler, 16 * 9 + 20);
  EXPECT_EQ(ear.heard, "1234567890*#ABCD");
}

TEST_P(InEachCodec, OurOwnTonesAreDigits) {
  const auto tones = DigitTones::make();
  ASSERT_TRUE(tones);
  Ear ear;
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  for (const char digit : std::string("1A*D5509#")) {
    const auto& clip = (*tones)->of(digit);
    ASSERT_TRUE(clip);
    for (std::size_t i = 0; i < clip->frames(); ++i) {
      ear.hear({GetParam(), 7, sequence++, timestamp, clip->frame(GetParam(), i)});
      timestamp += rtp_clock(GetParam()) / 50;
    }
  }
  ear.run(milliseconds{200});
  EXPECT_EQ(ear.heard, "1A*D5509#");
}

INSTANTIATE_TEST_SUITE_P(DigitListener, InEachCodec, testing::ValuesIn(kSpoken));

TEST(DigitListener, TheSameDigitTwiceIsTwo) {
  Dialler dialler(AudioCodec::pcmu);
  Ear ear;
  dialler.dial("775", 80, 80);
  ear.hear(dialler, 50);
  EXPECT_EQ(ear.heard, "775");
}

TEST(DigitListener, ALongDigitIsOne) {
  Dialler dialler(AudioCodec::pcma);
  Ear ear;
  dialler.dial("9", 2000, 80);
  ear.hear(dialler, 120);
  EXPECT_EQ(ear.heard, "9");
}

// RFC 4733 §2.5.1.2: a gap in a tone makes no second one [digit-once]
TEST(DigitListener, ALostOrLatePacketMakesNoSecondDigit) {
  Dialler dialler(AudioCodec::pcmu);
  Ear ear;
  ear.hear(dialler, 20);
  dialler.dial("3", 400, 80);
  ear.hear(dialler, 8);
  dialler.say();
  ear.run(milliseconds{20});
  ear.hear(dialler, 3);
  const CodedPacket first = dialler.say();
  const std::vector<std::uint8_t> kept(first.payload.begin(), first.payload.end());
  const CodedPacket late{first.codec, first.ssrc, first.sequence, first.timestamp, kept};
  ear.hear(dialler, 1);
  ear.hear(late);
  ear.hear(dialler, 20);
  EXPECT_EQ(ear.heard, "3");
}

TEST(DigitListener, AnOffsetOfTheCarriersConvertersHidesNone) {
  Ear ear;
  const auto encoder = AudioEncoder::make(AudioCodec::pcmu, 8000);
  dtmf_tx_state_t* tones = dtmf_tx_init(nullptr);
  dtmf_tx_put(tones, "46", -1);
  std::array<std::uint8_t, kMaxEncoded> payload{};
  for (std::uint16_t i = 0; i < 30; ++i) {
    std::array<std::int16_t, 160> samples{};
    dtmf_tx(tones, samples.data(), 160);
    for (std::int16_t& sample : samples)
      sample = static_cast<std::int16_t>(sample + 900);
    const std::size_t size = encoder->encode(samples, payload);
    ear.hear({AudioCodec::pcmu, 7, i, i * 160u, ByteView(payload).first(size)});
  }
  dtmf_tx_free(tones);
  EXPECT_EQ(ear.heard, "46");
}

TEST(DigitListener, OtherSoundsAreNoDigits) {
  Ear ear;
  for (const double frequency : {425.0, 697.0, 1209.0, 1477.0, 2100.0}) {
    test::Speaker speaker(AudioCodec::pcmu, frequency);
    ear.hear(speaker, 50);
  }
  EXPECT_EQ(ear.heard, "");
}

TEST(DigitListener, FallsSilentWithItsSource) {
  Dialler dialler(AudioCodec::pcmu);
  Ear ear;
  ear.hear(dialler, 10);
  ear.run(seconds{6});
  EXPECT_EQ(ear.listener.deadline(), kNever);
  dialler.dial("8");
  ear.hear(dialler, 30);
  EXPECT_EQ(ear.heard, "8");
}

TEST(DigitTones, AreOfDigitsAlone) {
  const auto tones = DigitTones::make();
  ASSERT_TRUE(tones);
  EXPECT_TRUE((*tones)->of('d'));
  EXPECT_FALSE((*tones)->of('x'));
}

TEST(DigitQueue, TakesAsManyAsItHasRoomFor) {
  DigitQueue queue;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < kMaxQueuedDigits; ++i)
      EXPECT_TRUE(
          queue.push({LegId{1}, static_cast<char>('0' + i % 10), 160, 8, 8000, AudioCodec::pcma}));
    EXPECT_FALSE(queue.push({LegId{1}, '1', 160, 8, 8000, AudioCodec::pcma}));
    for (std::size_t i = 0; i < kMaxQueuedDigits; ++i)
      EXPECT_EQ(queue.pop()->digit, static_cast<char>('0' + i % 10));
    EXPECT_TRUE(queue.empty());
    EXPECT_FALSE(queue.pop());
  }
}

/// A call has one of these for its whole life where the carrier names no telephone events.
TEST(DigitListenerMemory, IsThatOfTheFewPacketsThatWait) {
  constexpr std::size_t kListeners = 20, kMost = 8 * 1024;
  const std::size_t before = ::mallinfo2().uordblks;
  std::vector<std::unique_ptr<Ear>> ears;
  for (std::size_t i = 0; i < kListeners; ++i) {
    Dialler dialler(AudioCodec::pcmu);
    ears.push_back(std::make_unique<Ear>());
    ears.back()->hear(dialler, 200);
  }
  EXPECT_LT(::mallinfo2().uordblks - before, kListeners * kMost);
}

}  // namespace
}  // namespace trunkline::media
