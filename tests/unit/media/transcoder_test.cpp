// Audio made anew between legs that share no codec: continuity, losses, jitter, pauses and clocks.
#include "media/transcoder.hpp"

#include "speech.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

namespace trunkline::media {
namespace {

using test::Listener;
using test::Speaker;

constexpr Duration kPacket = milliseconds{20};

/// A transcoder, who speaks to it and who hears it; the time is a variable.
class Transcoding {
 public:
  Transcoding(AudioCodec from, AudioCodec to, double frequency = 440)
      : speaker(from, frequency), listener(to), transcoder(to) {}

  void deliver(const CodedPacket& packet) { transcoder.receive(packet, now); }
  /// Plays what is due until `now + duration`.
  void run(Duration duration) {
    const TimePoint end = now + duration;
    std::vector<std::uint8_t> octets(kMaxEncoded);
    while (true) {
      const TimePoint due = transcoder.deadline();
      if (due >= end) break;
      now = std::max(now, due);
      while (const auto frame = transcoder.next(octets, now)) {
        frames.push_back(*frame);
        times.push_back(now);
        listener.hear(ByteView(octets).first(frame->size));
      }
    }
    now = end;
  }
  void talk(int packets, Duration pace = kPacket) {
    for (int i = 0; i < packets; ++i) {
      deliver(speaker.say());
      run(pace);
    }
  }
  const PlayoutStatistics& statistics() const { return transcoder.statistics(); }

  TimePoint now = TimePoint{} + seconds{1000} + milliseconds{3};
  Speaker speaker;
  Listener listener;
  Transcoder transcoder;
  std::vector<Transcoder::Frame> frames;
  std::vector<TimePoint> times;
};

void expect_no_gap(const Transcoding& audio, std::uint32_t ticks_a_frame) {
  for (std::size_t i = 1; i < audio.frames.size(); ++i) {
    ASSERT_EQ(audio.frames[i].sequence,
              static_cast<std::uint16_t>(audio.frames[i - 1].sequence + 1));
    ASSERT_EQ(audio.frames[i].timestamp, audio.frames[i - 1].timestamp + ticks_a_frame);
    ASSERT_EQ(audio.times[i] - audio.times[i - 1], kPacket);
  }
}

struct Pair {
  AudioCodec from, to;
  double frequency;
};

class EachPair : public testing::TestWithParam<Pair> {};

TEST_P(EachPair, CarriesATone) {
  Transcoding audio(GetParam().from, GetParam().to, GetParam().frequency);
  audio.talk(100);
  EXPECT_GE(audio.frames.size(), 99u);
  EXPECT_GT(audio.listener.share(GetParam().frequency), 0.9);
  EXPECT_NEAR(audio.listener.loudness(), 8000 / std::numbers::sqrt2, 1500);
  EXPECT_EQ(audio.statistics().lost, 0u);
  EXPECT_EQ(audio.statistics().malformed, 0u);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{60});
  expect_no_gap(audio, rtp_clock(GetParam().to) / 50);
}

INSTANTIATE_TEST_SUITE_P(Transcoder, EachPair,
                         testing::Values(Pair{AudioCodec::opus, AudioCodec::pcmu, 440},
                                         Pair{AudioCodec::opus, AudioCodec::pcma, 440},
                                         Pair{AudioCodec::opus, AudioCodec::g722, 5000},
                                         Pair{AudioCodec::pcmu, AudioCodec::opus, 440},
                                         Pair{AudioCodec::pcma, AudioCodec::opus, 440},
                                         Pair{AudioCodec::g722, AudioCodec::opus, 5000},
                                         Pair{AudioCodec::g722, AudioCodec::pcma, 440},
                                         Pair{AudioCodec::pcmu, AudioCodec::g722, 440},
                                         Pair{AudioCodec::pcmu, AudioCodec::pcma, 440}));

TEST(Transcoder, PutsReorderedPacketsInOrderAndTakesACopyOnce) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(50);
  for (int i = 0; i < 25; ++i) {
    const CodedPacket first = audio.speaker.say();
    const std::vector<std::uint8_t> kept(first.payload.begin(), first.payload.end());
    CodedPacket early = audio.speaker.say();
    audio.deliver(early);
    audio.deliver({first.codec, first.ssrc, first.sequence, first.timestamp, kept});
    audio.deliver(early);
    audio.run(2 * kPacket);
  }
  EXPECT_EQ(audio.statistics().lost, 0u);
  EXPECT_EQ(audio.statistics().late, 25u);
  EXPECT_GT(audio.listener.share(440), 0.9);
}

TEST(Transcoder, ConcealsALossWithoutLosingTime) {
  Transcoding audio(AudioCodec::opus, AudioCodec::pcmu);
  audio.talk(50);
  for (int i = 0; i < 20; ++i) {
    audio.speaker.lose(1);
    audio.run(kPacket);
    audio.talk(9);
  }
  EXPECT_EQ(audio.statistics().lost, 20u);
  EXPECT_GT(audio.listener.share(440), 0.8);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{80});
  expect_no_gap(audio, 160);
}

TEST(Transcoder, ALongLossDoesNotBecomeALongDelay) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(50);
  audio.speaker.lose(30);
  audio.run(30 * kPacket);
  audio.talk(50);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{80});
  EXPECT_GT(audio.listener.share(440), 0.9);
}

// RFC 6716 §2.1.9, RFC 7587 §3.1.3: silence is not sent; a trunk hears a stream without holes.
// RFC 7587 §3.1.3: each 20 ms there is a frame [pauses-filled]
TEST(Transcoder, FillsThePausesOfDiscontinuousTransmission) {
  Transcoding audio(AudioCodec::opus, AudioCodec::pcmu);
  audio.talk(50);
  for (int pause = 0; pause < 5; ++pause) {
    audio.speaker.pause(19);
    audio.run(19 * kPacket);
    audio.talk(1);
  }
  audio.talk(50);
  expect_no_gap(audio, 160);
  EXPECT_EQ(audio.frames.size(), 200u);
  EXPECT_GT(audio.listener.share(440), 0.9);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{80});
}

TEST(Transcoder, WaitsAsLongAsTheJitterAsksAndNoLonger) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  // Packets come in threes: the first of them 40 ms late.
  const auto burst = [&audio](int count) {
    for (int i = 0; i < count; ++i) {
      for (int packet = 0; packet < 3; ++packet)
        audio.deliver(audio.speaker.say());
      audio.run(3 * kPacket);
    }
  };
  burst(50);
  const std::uint64_t starved = audio.statistics().starved;
  burst(50);
  EXPECT_EQ(audio.statistics().starved, starved);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{140});
  // The network has become quiet: the delay comes down again.
  audio.talk(500);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{80});
  expect_no_gap(audio, 960);
}

// RFC 3550 §5.1: a fast one [clock-drift]
TEST(Transcoder, MakesUpForAFastClock) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(3000, std::chrono::microseconds{19900});  // half a percent
  EXPECT_GE(audio.statistics().shortened, 10u);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{100});
  EXPECT_GT(audio.listener.share(440, 0.2), 0.8);
  expect_no_gap(audio, 960);
}

TEST(Transcoder, MakesUpForASlowClock) {
  Transcoding audio(AudioCodec::opus, AudioCodec::pcma);
  audio.talk(3000, std::chrono::microseconds{20100});
  EXPECT_GE(audio.statistics().starved, 10u);
  EXPECT_EQ(audio.statistics().lost, 0u);
  EXPECT_LE(audio.transcoder.delay(), milliseconds{100});
  expect_no_gap(audio, 160);
}

// RFC 4566 §6: other lengths than 20 ms [packet-time]
TEST(Transcoder, TakesPacketsOfOtherLengths) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  for (int i = 0; i < 50; ++i) {
    // 40 ms a packet, and then one of 10 ms.
    std::vector<std::uint8_t> octets;
    std::uint32_t timestamp = 0;
    for (int part = 0; part < 2; ++part) {
      const CodedPacket packet = audio.speaker.say();
      if (part == 0) timestamp = packet.timestamp;
      octets.insert(octets.end(), packet.payload.begin(), packet.payload.end());
    }
    audio.deliver({AudioCodec::pcmu, 7, static_cast<std::uint16_t>(i), timestamp, octets});
    audio.run(2 * kPacket);
  }
  EXPECT_EQ(audio.statistics().lost, 0u);
  EXPECT_GT(audio.listener.share(440), 0.9);
}

TEST(Transcoder, FollowsAChangeOfTheCodec) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(50);
  audio.speaker = Speaker(AudioCodec::g722, 5000);
  audio.talk(50);
  EXPECT_GT(audio.listener.share(5000), 0.8);
  expect_no_gap(audio, 960);
}

TEST(Transcoder, FollowsANewSource) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(50);
  audio.speaker = Speaker(AudioCodec::pcmu, 1000, 0x9999);
  audio.talk(50);
  EXPECT_GT(audio.listener.share(1000), 0.9);
  expect_no_gap(audio, 960);
}

TEST(Transcoder, FallsSilentWhenNothingComesAndBeginsAgainWithTheMarker) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(50);
  audio.run(seconds{10});
  EXPECT_EQ(audio.transcoder.deadline(), kNever);
  const std::size_t made = audio.frames.size();
  EXPECT_NEAR(static_cast<double>(made), 50 + 250, 2);
  EXPECT_LT(audio.listener.loudness(), 10);
  audio.talk(50);
  ASSERT_GT(audio.frames.size(), made);
  EXPECT_TRUE(audio.frames[made].marker);
  EXPECT_GT(audio.listener.share(440), 0.9);
}

TEST(Transcoder, ASleepIsSkippedNotMadeUpFor) {
  Transcoding audio(AudioCodec::pcmu, AudioCodec::opus);
  audio.talk(50);
  const auto last = audio.frames.back();
  audio.now += seconds{2};
  std::vector<std::uint8_t> octets(kMaxEncoded);
  int burst = 0;
  std::optional<Transcoder::Frame> first;
  while (const auto frame = audio.transcoder.next(octets, audio.now)) {
    if (!first) first = frame;
    ++burst;
  }
  EXPECT_LE(burst, 2);
  ASSERT_TRUE(first);
  EXPECT_NEAR(static_cast<double>(first->timestamp - last.timestamp), 2 * 48000, 2000);
}

TEST(Transcoder, WhatIsNoPayloadOfTheCodecIsCountedAndConcealed) {
  Transcoding audio(AudioCodec::opus, AudioCodec::pcmu);
  audio.talk(50);
  const std::vector<std::uint8_t> nothing, huge(1281, 0xff), wrong{0x03, 0xff, 0xff};
  audio.deliver({AudioCodec::opus, 0x1234, 5, 5, nothing});
  audio.deliver({AudioCodec::opus, 0x1234, 5, 5, huge});
  audio.deliver({AudioCodec::opus, 0x1234, 5, 5, wrong});
  EXPECT_EQ(audio.statistics().malformed, 3u);
  audio.talk(50);
  EXPECT_GT(audio.listener.share(440), 0.9);
}

}  // namespace
}  // namespace trunkline::media
