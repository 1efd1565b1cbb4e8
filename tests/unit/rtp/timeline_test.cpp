#include "rtp/timeline.hpp"

#include <gmock/gmock.h>
#include <set>

namespace trunkline::rtp {
namespace {

constexpr std::uint32_t kSsrc = 0xcafe0001;

class TimelineTest : public testing::Test {
 protected:
  // The next 20 ms packet of a source at `at_` in real time.
  std::optional<LinePosition> send(std::uint16_t sequence, std::uint32_t timestamp,
                                   bool marker = false) {
    return line_.map({source_, ssrc_, sequence, timestamp, marker, clock_, false}, now_);
  }
  std::optional<LinePosition> event(std::uint16_t sequence, std::uint32_t timestamp, bool marker,
                                    std::uint32_t clock) {
    return line_.map({source_, ssrc_, sequence, timestamp, marker, clock, true}, now_);
  }
  LinePosition must(std::optional<LinePosition> position) {
    EXPECT_TRUE(position);
    return position.value_or(LinePosition{});
  }
  void pass(Duration time) { now_ += time; }

  TimePoint now_ = TimePoint{} + seconds{1000};
  SeededRandom random_{1};
  Timeline line_{kSsrc, random_};
  std::uint64_t source_ = 1;
  std::uint32_t ssrc_ = 0x1111;
  std::uint32_t clock_ = 8000;
};

// RFC 3711 §3.3.1: the first number is in the lower half [rtp-first-sequence]
TEST_F(TimelineTest, BeginsAtARandomSequenceAwayFromTheRollOver) {
  std::set<std::uint16_t> firsts;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    SeededRandom random(seed);
    Timeline line(kSsrc, random);
    const auto first = line.map({1, 2, 65000, 0, false, 8000, false}, now_);
    ASSERT_TRUE(first);
    EXPECT_GE(first->sequence, 1000);
    EXPECT_LE(first->sequence, 32767);
    firsts.insert(first->sequence);
  }
  EXPECT_GT(firsts.size(), 400U);
}

// RFC 3551 §4.1: at the beginning [marker-at-splice]
TEST_F(TimelineTest, TheFirstPacketHasTheMarker) {
  EXPECT_TRUE(must(send(10, 1000)).marker);
  pass(milliseconds{20});
  EXPECT_FALSE(must(send(11, 1160)).marker);
}

// RFC 3550 §5.1: numbers are shifted by a constant [sequence-mapped]
TEST_F(TimelineTest, KeepsLossAndReordering) {
  const LinePosition first = must(send(10, 1000));
  pass(milliseconds{20});
  const LinePosition third = must(send(13, 1480));
  const LinePosition second = must(send(12, 1320));
  EXPECT_EQ(third.sequence, first.sequence + 3);
  EXPECT_EQ(third.timestamp, first.timestamp + 480);
  EXPECT_EQ(second.sequence, first.sequence + 2);
  EXPECT_EQ(second.timestamp, first.timestamp + 320);
}

TEST_F(TimelineTest, DropsDuplicates) {
  send(10, 1000);
  send(12, 1320);
  EXPECT_FALSE(send(12, 1320));
  EXPECT_TRUE(send(11, 1160));
  EXPECT_FALSE(send(11, 1160));
}

TEST_F(TimelineTest, DropsWhatCameBeforeTheFirstPacket) {
  send(10, 1000);
  EXPECT_FALSE(send(9, 840));
}

TEST_F(TimelineTest, KeepsTheSourcesMarker) {
  send(10, 1000);
  pass(milliseconds{20});
  EXPECT_TRUE(must(send(11, 1160, true)).marker);
}

TEST_F(TimelineTest, GoesThroughTheRollOverOfBothNumbers) {
  const LinePosition first = must(send(65534, 0xffffff00));
  pass(milliseconds{20});
  EXPECT_EQ(must(send(65535, 0xffffffa0)).sequence, first.sequence + 1);
  pass(milliseconds{20});
  const LinePosition wrapped = must(send(0, 0x40));
  EXPECT_EQ(wrapped.sequence, first.sequence + 2);
  EXPECT_EQ(wrapped.timestamp, first.timestamp + 320);
  EXPECT_FALSE(wrapped.marker);
}

TEST_F(TimelineTest, ItsOwnSequenceRollsOver) {
  std::uint16_t last = must(send(0, 0)).sequence;
  for (std::uint32_t i = 1; i < 70000; ++i) {
    pass(milliseconds{20});
    const LinePosition position = must(send(static_cast<std::uint16_t>(i), i * 160));
    ASSERT_EQ(position.sequence, static_cast<std::uint16_t>(last + 1));
    last = position.sequence;
  }
}

// RFC 3550 §5.1: by the time that has passed [timestamp-goes-on]
TEST_F(TimelineTest, AnotherSsrcContinuesTheLineByTheWallClock) {
  const LinePosition last = must(send(10, 1000));
  pass(milliseconds{250});
  ssrc_ = 0x2222;
  const LinePosition spliced = must(send(50000, 777));
  EXPECT_EQ(spliced.sequence, last.sequence + 1);
  EXPECT_EQ(spliced.timestamp, last.timestamp + 2000);
  EXPECT_TRUE(spliced.marker);
  pass(milliseconds{20});
  const LinePosition next = must(send(50001, 937));
  EXPECT_EQ(next.sequence, last.sequence + 2);
  EXPECT_EQ(next.timestamp, last.timestamp + 2160);
  EXPECT_FALSE(next.marker);
}

TEST_F(TimelineTest, AnotherSourceWithTheSameSsrcIsASpliceToo) {
  const LinePosition last = must(send(10, 1000));
  pass(milliseconds{20});
  source_ = 2;
  EXPECT_EQ(must(send(10, 1000)).sequence, last.sequence + 1);
}

// RFC 3550 §5.1: never back, never the same [timestamp-goes-on]
TEST_F(TimelineTest, ASpliceInTheSameInstantStillAdvancesTheTimestamp) {
  const LinePosition last = must(send(10, 1000));
  ssrc_ = 0x2222;
  EXPECT_EQ(must(send(1, 1)).timestamp, last.timestamp + 1);
}

TEST_F(TimelineTest, LatePacketsOfThePreviousSourceAreDropped) {
  send(10, 1000);
  pass(milliseconds{20});
  ssrc_ = 0x2222;
  const LinePosition spliced = must(send(1, 1));
  ssrc_ = 0x1111;
  EXPECT_FALSE(send(9, 840));
  ssrc_ = 0x2222;
  EXPECT_EQ(must(send(2, 161)).sequence, spliced.sequence + 1);
}

TEST_F(TimelineTest, ThePreviousSourceMayComeBack) {
  send(10, 1000);
  pass(milliseconds{20});
  ssrc_ = 0x2222;
  const LinePosition spliced = must(send(1, 1));
  pass(milliseconds{20});
  ssrc_ = 0x1111;
  const LinePosition back = must(send(11, 1160));
  EXPECT_EQ(back.sequence, spliced.sequence + 1);
  EXPECT_TRUE(back.marker);
}

TEST_F(TimelineTest, AfterASecondThePreviousSourceMayComeBackWithAnySequence) {
  send(10, 1000);
  ssrc_ = 0x2222;
  send(1, 1);
  pass(seconds{1});
  ssrc_ = 0x1111;
  EXPECT_TRUE(send(5, 500));
}

TEST_F(TimelineTest, ALoneWildPacketIsDropped) {
  const LinePosition first = must(send(10, 1000));
  pass(milliseconds{20});
  EXPECT_FALSE(send(20000, 5));
  EXPECT_EQ(must(send(11, 1160)).sequence, first.sequence + 1);
}

TEST_F(TimelineTest, TwoWildPacketsInARowAreASourceThatBeganAnew) {
  const LinePosition first = must(send(10, 1000));
  pass(milliseconds{20});
  EXPECT_FALSE(send(20000, 5));
  pass(milliseconds{20});
  const LinePosition anew = must(send(20001, 165));
  EXPECT_EQ(anew.sequence, first.sequence + 1);
  EXPECT_EQ(anew.timestamp, first.timestamp + 320);
  EXPECT_TRUE(anew.marker);
}

TEST_F(TimelineTest, ASourceThatBeganALittleEarlierIsFollowed) {
  const LinePosition first = must(send(500, 1000));
  pass(milliseconds{20});
  EXPECT_FALSE(send(100, 5));
  pass(milliseconds{20});
  EXPECT_EQ(must(send(101, 165)).sequence, first.sequence + 1);
}

TEST_F(TimelineTest, ATimestampThatBeginsAnewContinuesByTheWallClock) {
  const LinePosition first = must(send(10, 4'000'000));
  pass(milliseconds{500});
  const LinePosition anew = must(send(11, 0));
  EXPECT_EQ(anew.sequence, first.sequence + 1);
  EXPECT_EQ(anew.timestamp, first.timestamp + 4000);
  EXPECT_TRUE(anew.marker);
}

TEST_F(TimelineTest, ATimestampThatJumpsFarAheadContinuesByTheWallClock) {
  const LinePosition first = must(send(10, 0));
  pass(milliseconds{20});
  EXPECT_EQ(must(send(11, 1'000'000)).timestamp, first.timestamp + 160);
}

// RFC 3551 §4.1: after a pause [marker-at-splice]
TEST_F(TimelineTest, APauseInTheTimestampsKeepsItsLengthAndGetsTheMarker) {
  const LinePosition first = must(send(10, 0));
  pass(seconds{3});
  const LinePosition resumed = must(send(11, 24000));
  EXPECT_EQ(resumed.timestamp, first.timestamp + 24000);
  EXPECT_TRUE(resumed.marker);
}

TEST_F(TimelineTest, LossIsNotAPause) {
  send(10, 0);
  pass(milliseconds{200});
  EXPECT_FALSE(must(send(20, 1600)).marker);
}

TEST_F(TimelineTest, AnotherClockContinuesAtItsRate) {
  const LinePosition first = must(send(10, 1000));
  pass(milliseconds{20});
  clock_ = 48000;
  const LinePosition opus = must(send(11, 99));
  EXPECT_EQ(opus.sequence, first.sequence + 1);
  EXPECT_EQ(opus.timestamp, first.timestamp + 960);
  EXPECT_TRUE(opus.marker);
  EXPECT_EQ(line_.clock(), 48000U);
  pass(milliseconds{20});
  EXPECT_EQ(must(send(12, 99 + 960)).timestamp, first.timestamp + 1920);
}

// RFC 3551 §4.1: after hold [marker-at-splice]
TEST_F(TimelineTest, AForcedSpliceTakesTheSameSourceAnew) {
  const LinePosition first = must(send(10, 1000));
  pass(seconds{60});
  line_.splice();
  const LinePosition resumed = must(send(3, 0));
  EXPECT_EQ(resumed.sequence, first.sequence + 1);
  EXPECT_EQ(resumed.timestamp, first.timestamp + 480000);
  EXPECT_TRUE(resumed.marker);
}

TEST_F(TimelineTest, AfterADayOfSilenceTheTimestampStillFollowsTheClock) {
  const LinePosition first = must(send(10, 1000));
  pass(std::chrono::hours{24});
  EXPECT_EQ(must(send(11, 1160)).timestamp, first.timestamp + 24U * 3600 * 8000);
}

// ---------------------------------------------------------------- packets of our own, and left out

TEST_F(TimelineTest, InsertedPacketsMoveTheSourceUp) {
  const LinePosition first = must(send(10, 1000));
  pass(milliseconds{20});
  const LinePosition inserted = line_.insert(line_.timestamp_at(now_), true, now_);
  EXPECT_EQ(inserted.sequence, first.sequence + 1);
  EXPECT_EQ(inserted.timestamp, first.timestamp + 160);
  EXPECT_TRUE(inserted.marker);
  const LinePosition next = must(send(11, 1160));
  EXPECT_EQ(next.sequence, first.sequence + 2);
  EXPECT_EQ(next.timestamp, first.timestamp + 160);
}

TEST_F(TimelineTest, AfterAnInsertionLatePacketsAreDropped) {
  send(10, 1000);
  send(12, 1320);
  line_.insert(0, false, now_);
  EXPECT_FALSE(send(11, 1160));
}

TEST_F(TimelineTest, BeginsWithAnInsertedPacket) {
  line_.set_clock(48000, now_);
  const std::uint32_t begin = line_.timestamp_at(now_);
  const LinePosition inserted = line_.insert(begin, true, now_);
  pass(milliseconds{100});
  clock_ = 48000;
  const LinePosition audio = must(send(1, 1));
  EXPECT_EQ(audio.sequence, inserted.sequence + 1);
  EXPECT_EQ(audio.timestamp, begin + 4800);
}

// RFC 3550 §5.1: what is left out on purpose is no loss [sequence-mapped]
TEST_F(TimelineTest, SkippedPacketsLeaveNoGap) {
  const LinePosition first = must(send(10, 1000));
  for (std::uint16_t i = 11; i < 20; ++i) {
    pass(milliseconds{20});
    line_.skip({source_, ssrc_, i, 1000U + 160U * (i - 10U), false, clock_, false});
  }
  pass(milliseconds{20});
  const LinePosition next = must(send(20, 2600));
  EXPECT_EQ(next.sequence, first.sequence + 1);
  EXPECT_EQ(next.timestamp, first.timestamp + 1600);
}

TEST_F(TimelineTest, SkippingKeepsTheLossThatComesAfter) {
  const LinePosition first = must(send(10, 1000));
  line_.skip({source_, ssrc_, 11, 1160, false, clock_, false});
  EXPECT_EQ(must(send(13, 1480)).sequence, first.sequence + 2);
}

TEST_F(TimelineTest, TheLinesTimestampFollowsTheClockBetweenPackets) {
  const LinePosition first = must(send(10, 1000));
  EXPECT_EQ(line_.timestamp_at(now_), first.timestamp);
  EXPECT_EQ(line_.timestamp_at(now_ + milliseconds{125}), first.timestamp + 1000);
  EXPECT_EQ(line_.timestamp_at(now_ - milliseconds{5}), first.timestamp);
}

// ---------------------------------------------------------------- telephone events

TEST_F(TimelineTest, AnEventOfTheAudiosClockIsMappedAsAudioIs) {
  const LinePosition audio = must(send(10, 1000));
  pass(milliseconds{20});
  const LinePosition begin = must(event(11, 1160, true, 8000));
  EXPECT_TRUE(begin.marker);
  for (std::uint16_t i = 12; i < 40; ++i) {
    pass(milliseconds{20});
    const LinePosition update = must(event(i, 1160, false, 8000));
    EXPECT_EQ(update.timestamp, audio.timestamp + 160);
    EXPECT_EQ(update.sequence, audio.sequence + i - 10);
    EXPECT_FALSE(update.marker);
  }
  pass(milliseconds{20});
  const LinePosition after = must(send(40, 1160 + 29 * 160));
  EXPECT_EQ(after.timestamp, audio.timestamp + 30 * 160);
  EXPECT_FALSE(after.marker) << "silence by an event is no pause";
}

// RFC 4733 §2.1: the audio may go on beside it [events-share-numbers]
TEST_F(TimelineTest, AnEventBesideAudioThatGoesOnKeepsItsTimestamp) {
  const LinePosition audio = must(send(10, 1000));
  std::uint16_t sequence = 11;
  for (std::uint32_t i = 1; i < 100; ++i) {
    pass(milliseconds{20});
    ASSERT_EQ(must(event(sequence++, 1160, i == 1, 8000)).timestamp, audio.timestamp + 160) << i;
    ASSERT_EQ(must(send(sequence++, 1000 + i * 160)).timestamp, audio.timestamp + i * 160) << i;
  }
}

TEST_F(TimelineTest, AnEventOfAnotherClockLeavesTheAudioAlone) {
  clock_ = 48000;
  const LinePosition audio = must(send(10, 48000));
  pass(milliseconds{20});
  const LinePosition begin = must(event(11, 7, true, 8000));
  EXPECT_EQ(begin.sequence, audio.sequence + 1);
  EXPECT_EQ(begin.timestamp, audio.timestamp + 960);
  EXPECT_EQ(line_.clock(), 48000U);
  pass(milliseconds{20});
  const LinePosition after = must(send(12, 48000 + 1920));
  EXPECT_EQ(after.sequence, audio.sequence + 2);
  EXPECT_EQ(after.timestamp, audio.timestamp + 1920);
  EXPECT_FALSE(after.marker);
}

TEST_F(TimelineTest, ASpliceThatBeginsWithAForeignEventMarksTheFirstAudio) {
  clock_ = 48000;
  const LinePosition audio = must(send(10, 48000));
  pass(milliseconds{20});
  ssrc_ = 0x2222;
  const LinePosition first = must(event(500, 7, false, 8000));
  EXPECT_EQ(first.sequence, audio.sequence + 1);
  EXPECT_FALSE(first.marker) << "a marker would say that the event begins";
  pass(milliseconds{20});
  const LinePosition next = must(send(501, 5));
  EXPECT_EQ(next.timestamp, audio.timestamp + 1920);
  EXPECT_TRUE(next.marker);
}

// ---------------------------------------------------------------- the promise to SRTP

// RFC 3711 §9.1: no sequence number is given twice [srtp-index-once]
TEST_F(TimelineTest, NeverGivesASequenceNumberTwice) {
  // Extended by its roll-overs, every number given out is new, whatever comes in.
  std::set<std::int64_t> given;
  std::int64_t highest = -1;
  for (int round = 0; round < 200'000; ++round) {
    const std::uint32_t dice = random_.below(100);
    pass(milliseconds{random_.below(40)});
    std::optional<LinePosition> position;
    if (dice == 0) ssrc_ = random_.below(3);
    if (dice == 1) source_ = random_.below(2);
    if (dice == 2) line_.splice();
    if (dice == 3) clock_ = random_.below(2) == 0 ? 8000 : 48000;
    const auto sequence = static_cast<std::uint16_t>(
        dice < 90 ? round + static_cast<int>(random_.below(5)) : random_.number32());
    if (dice >= 95) {
      position = line_.insert(random_.number32(), false, now_);
    } else if (dice >= 93) {
      line_.skip({source_, ssrc_, sequence, 0, false, clock_, false});
    } else {
      position = line_.map({source_, ssrc_, sequence, static_cast<std::uint32_t>(round) * 160,
                            false, clock_, dice == 10},
                           now_);
    }
    if (!position) continue;
    std::int64_t extended = position->sequence;
    if (highest >= 0) {
      extended = highest + static_cast<std::int16_t>(
                               static_cast<std::uint16_t>(position->sequence - highest));
    }
    highest = std::max(highest, extended);
    ASSERT_TRUE(given.insert(extended).second) << "round " << round;
  }
  EXPECT_GT(given.size(), 50'000U);
}

}  // namespace
}  // namespace trunkline::rtp
