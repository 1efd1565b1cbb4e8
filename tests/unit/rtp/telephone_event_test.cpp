#include "rtp/telephone_event.hpp"

#include <gmock/gmock.h>
#include <vector>

namespace trunkline::rtp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EventPayload, ReadsAndWritesTheFourOctets) {
  const std::vector<std::uint8_t> bytes{11, 0x80 | 0x40 | 10, 0x03, 0x20};
  const auto event = parse_event(bytes);
  ASSERT_TRUE(event);
  EXPECT_EQ(*event, (EventPayload{11, true, 10, 800})) << "the reserved bit is ignored";
  std::vector<std::uint8_t> out(4);
  write_event(out, *event);
  EXPECT_THAT(out, ElementsAre(11, 0x8a, 0x03, 0x20));
}

TEST(EventPayload, RefusesLessThanFourOctets) {
  const std::vector<std::uint8_t> bytes{1, 2, 3};
  EXPECT_FALSE(parse_event(bytes));
}

TEST(EventPayload, ReadsTheFirstOfSeveral) {
  const std::vector<std::uint8_t> bytes{1, 10, 0, 160, 2, 10, 0, 160};
  EXPECT_EQ(parse_event(bytes)->event, 1);
}

TEST(EventNames, AreThoseOfRfc4733) {
  constexpr std::string_view kAll = "0123456789*#ABCD";
  for (std::uint8_t event = 0; event < 16; ++event) {
    EXPECT_EQ(digit_of(event), kAll[event]);
    EXPECT_EQ(event_of(kAll[event]), event);
  }
  EXPECT_EQ(event_of('d'), 15);
  EXPECT_FALSE(event_of('e'));
  EXPECT_FALSE(event_of(' '));
  EXPECT_FALSE(digit_of(16));
}

// ---------------------------------------------------------------- receiver

class EventReceiverTest : public testing::Test {
 protected:
  void packet(std::uint32_t timestamp, std::uint8_t event, std::uint16_t duration,
              bool end = false) {
    take(receiver_.receive(ssrc_, timestamp, {event, end, 10, duration}, clock_, now_));
    now_ += milliseconds{20};
  }
  void take(const Digits& digits) {
    reported_.insert(reported_.end(), digits.begin(), digits.end());
  }
  void wait(Duration time) {
    now_ += time;
    take(receiver_.on_deadline(now_));
  }

  EventReceiver receiver_;
  TimePoint now_ = TimePoint{} + seconds{1000};
  std::uint32_t ssrc_ = 1, clock_ = 8000;
  std::vector<Digit> reported_;
};

// RFC 4733 §2.5.1.2: copies of the end count once [digit-once]
TEST_F(EventReceiverTest, ReportsADigitOnceWhenItEnds) {
  for (std::uint16_t i = 1; i < 5; ++i)
    packet(1000, 5, static_cast<std::uint16_t>(i * 160));
  EXPECT_THAT(reported_, IsEmpty());
  for (int i = 0; i < 3; ++i)
    packet(1000, 5, 800, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'5', milliseconds{100}}));
  wait(seconds{1});
  EXPECT_EQ(reported_.size(), 1U);
}

TEST_F(EventReceiverTest, OneEndPacketIsEnough) {
  packet(1000, 11, 800, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'#', milliseconds{100}}));
}

// RFC 4733 §2.5.1.4: one whose end was lost [event-end]
TEST_F(EventReceiverTest, MendsALostEndByTheNextEvent) {
  packet(1000, 1, 160);
  packet(1000, 1, 640);
  packet(5000, 2, 160);
  EXPECT_THAT(reported_, ElementsAre(Digit{'1', milliseconds{80}}));
}

TEST_F(EventReceiverTest, ReportsTwoDigitsAtOnceIfItMust) {
  packet(1000, 1, 640);
  packet(5000, 2, 800, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'1', milliseconds{80}}, Digit{'2', milliseconds{100}}));
}

TEST_F(EventReceiverTest, MendsALostEndBySilence) {
  packet(1000, 1, 640);
  EXPECT_EQ(receiver_.deadline(), now_ - milliseconds{20} + milliseconds{200});
  wait(milliseconds{179});
  EXPECT_THAT(reported_, IsEmpty());
  wait(milliseconds{1});
  EXPECT_THAT(reported_, ElementsAre(Digit{'1', milliseconds{80}}));
  EXPECT_EQ(receiver_.deadline(), kNever);
  packet(1000, 1, 800, true);
  EXPECT_EQ(reported_.size(), 1U) << "the end came after all";
}

TEST_F(EventReceiverTest, TheSameDigitTwiceIsTwoDigits) {
  packet(1000, 7, 800, true);
  packet(3000, 7, 800, true);
  EXPECT_EQ(reported_.size(), 2U);
}

// RFC 4733 §2.5.1.2: late ones too [digit-once]
TEST_F(EventReceiverTest, LatePacketsOfAnEarlierDigitAreIgnored) {
  packet(1000, 7, 800, true);
  packet(3000, 8, 160);
  packet(1000, 7, 800, true);
  packet(3000, 8, 800, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'7', milliseconds{100}}, Digit{'8', milliseconds{100}}));
}

TEST_F(EventReceiverTest, ReorderedPacketsKeepTheLongestDuration) {
  packet(1000, 7, 640);
  packet(1000, 7, 320);
  packet(9000, 8, 160);
  EXPECT_THAT(reported_, ElementsAre(Digit{'7', milliseconds{80}}));
}

// RFC 4733 §2.5.1.3: theirs [event-segments]
TEST_F(EventReceiverTest, ALongEventInSegmentsIsOneDigit) {
  packet(1000, 3, 0xffff);
  packet(1000 + 0xffff, 3, 160);
  packet(1000, 3, 0xffff);
  packet(1000 + 0xffff, 3, 465, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'3', milliseconds{8250}}));
}

TEST_F(EventReceiverTest, CountsInTheEventsClock) {
  clock_ = 48000;
  packet(1000, 3, 4800, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'3', milliseconds{100}}));
}

TEST_F(EventReceiverTest, ReportsAtLeastFortyMilliseconds) {
  packet(1000, 3, 80, true);
  EXPECT_THAT(reported_, ElementsAre(Digit{'3', milliseconds{40}}));
}

TEST_F(EventReceiverTest, DoesNotReportWhatIsNoDigit) {
  packet(1000, 16, 800, true);
  packet(3000, 200, 800, true);
  EXPECT_THAT(reported_, IsEmpty());
}

TEST_F(EventReceiverTest, AnotherSourceMayUseTheSameTimestamp) {
  packet(1000, 3, 800, true);
  ssrc_ = 2;
  packet(1000, 3, 800, true);
  EXPECT_EQ(reported_.size(), 2U);
}

TEST_F(EventReceiverTest, ATimestampThatBeganAnewIsTaken) {
  packet(4'000'000, 3, 800, true);
  packet(100, 4, 800, true);
  EXPECT_EQ(reported_.size(), 2U);
}

TEST_F(EventReceiverTest, GoesThroughTheRollOverOfTheTimestamp) {
  packet(0xffffff00, 3, 800, true);
  packet(0x00001000, 4, 800, true);
  packet(0xffffff00, 3, 800, true);
  EXPECT_EQ(reported_.size(), 2U);
}

// ---------------------------------------------------------------- sender

class EventSenderTest : public testing::Test {
 protected:
  struct Sent {
    milliseconds at;
    EventPacket packet;
  };
  // Runs until nothing is left; the line's clock goes on with the time.
  std::vector<Sent> run(std::uint32_t clock = 8000) {
    std::vector<Sent> sent;
    while (sender_.deadline() != kNever && sent.size() < 5000) {
      now_ = std::max(now_, sender_.deadline());
      while (const auto packet = sender_.next(line_timestamp(clock), now_)) {
        sent.push_back({std::chrono::duration_cast<milliseconds>(now_ - begin_), *packet});
      }
    }
    return sent;
  }
  std::uint32_t line_timestamp(std::uint32_t clock) const {
    return 500 + static_cast<std::uint32_t>(
                     std::chrono::duration_cast<milliseconds>(now_ - begin_).count()) *
                     (clock / 1000);
  }

  EventSender sender_;
  TimePoint begin_ = TimePoint{} + seconds{1000};
  TimePoint now_ = begin_;
};

// RFC 4733 §2.5.1.4: ours [event-end]
TEST_F(EventSenderTest, SendsAPacketEveryTwentyMillisecondsAndThreeEnds) {
  ASSERT_TRUE(sender_.queue('5', milliseconds{100}, 8000, now_));
  const auto sent = run();
  ASSERT_EQ(sent.size(), 7U);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const EventPacket& packet = sent[i].packet;
    EXPECT_EQ(sent[i].at, milliseconds{20 * i});
    EXPECT_EQ(packet.timestamp, 500U);
    EXPECT_EQ(packet.marker, i == 0);
    EXPECT_EQ(packet.payload.event, 5);
    EXPECT_EQ(packet.payload.duration, std::min<std::size_t>(800, 160 * (i + 1)));
    EXPECT_EQ(packet.payload.end, i >= 4);
  }
  EXPECT_FALSE(sender_.active());
}

// RFC 4733 §2.5.1.4: 60 ms of pause [digits-apart]
TEST_F(EventSenderTest, PausesBetweenDigits) {
  sender_.queue('1', milliseconds{40}, 8000, now_);
  sender_.queue('2', milliseconds{40}, 8000, now_);
  const auto sent = run();
  ASSERT_EQ(sent.size(), 8U);
  EXPECT_EQ(sent[4].packet.payload.event, 2);
  EXPECT_TRUE(sent[4].packet.marker);
  EXPECT_EQ(sent[4].at - sent[3].at, EventSender::kPause);
  EXPECT_EQ(sent[4].packet.timestamp, 500 + 8 * static_cast<std::uint32_t>(sent[4].at.count()));
}

TEST_F(EventSenderTest, PausesAlsoBeforeADigitQueuedLater) {
  sender_.queue('1', milliseconds{40}, 8000, now_);
  run();
  sender_.queue('2', milliseconds{40}, 8000, now_);
  EXPECT_EQ(sender_.deadline(), now_ + EventSender::kPause);
}

// RFC 4733 §2.5.1.3: ours [event-segments]
TEST_F(EventSenderTest, SplitsALongEventIntoSegments) {
  sender_.queue('9', milliseconds{2000}, 48000, now_);
  const auto sent = run(48000);
  // 96000 ticks: one full segment, and 30465 in the second.
  const EventPacket& last = sent.back().packet;
  EXPECT_TRUE(last.payload.end);
  EXPECT_EQ(last.payload.duration, 96000 - 0xffff);
  EXPECT_EQ(last.timestamp, 500U + 0xffff);
  int full = 0, markers = 0;
  for (const Sent& one : sent) {
    if (one.packet.payload.duration == 0xffff) {
      ++full;
      EXPECT_FALSE(one.packet.payload.end);
      EXPECT_EQ(one.packet.timestamp, 500U);
    }
    if (one.packet.marker) ++markers;
  }
  EXPECT_EQ(full, 1);
  EXPECT_EQ(markers, 1);
}

TEST_F(EventSenderTest, KeepsTheDurationWithinItsLimits) {
  sender_.queue('1', milliseconds{1}, 8000, now_);
  EXPECT_EQ(run().back().packet.payload.duration, 320);
  sender_.queue('1', std::chrono::hours{1}, 8000, now_);
  EXPECT_EQ(run().back().packet.payload.duration, 80000 - 0xffff);
}

TEST_F(EventSenderTest, RefusesWhatItCannotSend) {
  EXPECT_FALSE(sender_.queue('x', milliseconds{100}, 8000, now_));
  EXPECT_FALSE(sender_.queue('1', milliseconds{100}, 0, now_));
  for (std::size_t i = 0; i < EventSender::kMaxQueued; ++i)
    EXPECT_TRUE(sender_.queue('1', milliseconds{100}, 8000, now_));
  EXPECT_FALSE(sender_.queue('1', milliseconds{100}, 8000, now_));
}

TEST_F(EventSenderTest, DoesNotMakeUpForALateTurnInABurst) {
  sender_.queue('1', milliseconds{200}, 8000, now_);
  EXPECT_TRUE(sender_.next(500, now_));
  now_ += seconds{2};
  EXPECT_TRUE(sender_.next(500, now_));
  EXPECT_FALSE(sender_.next(500, now_));
  EXPECT_EQ(sender_.deadline(), now_ + milliseconds{20});
}

TEST_F(EventSenderTest, IdleHasNoDeadline) {
  EXPECT_EQ(sender_.deadline(), kNever);
  EXPECT_FALSE(sender_.next(0, now_));
}

TEST_F(EventSenderTest, ClearForgetsTheQueue) {
  sender_.queue('1', milliseconds{200}, 8000, now_);
  sender_.next(500, now_);
  sender_.clear();
  EXPECT_FALSE(sender_.active());
  sender_.queue('2', milliseconds{200}, 8000, now_);
  now_ += seconds{1};
  const auto packet = sender_.next(500, now_);
  ASSERT_TRUE(packet);
  EXPECT_TRUE(packet->marker);
  EXPECT_EQ(packet->payload.event, 2);
}

TEST_F(EventSenderTest, TheReceiverUnderstandsTheSender) {
  for (std::uint32_t clock : {8000U, 48000U}) {
    EventReceiver receiver;
    for (char digit : std::string_view("1#D"))
      sender_.queue(digit, milliseconds{3000}, clock, now_);
    std::vector<Digit> digits;
    for (const Sent& one : run(clock)) {
      const Digits found =
          receiver.receive(9, one.packet.timestamp, one.packet.payload, clock, begin_ + one.at);
      digits.insert(digits.end(), found.begin(), found.end());
    }
    EXPECT_THAT(digits, ElementsAre(Digit{'1', milliseconds{3000}}, Digit{'#', milliseconds{3000}},
                                    Digit{'D', milliseconds{3000}}));
  }
}

// ---------------------------------------------------------------- converter

// RFC 4733 §2.3.5: between 8,000 and 48,000 [event-durations]
TEST(EventConverter, ScalesTheDurationBothWays) {
  EventConverter converter;
  EXPECT_EQ(converter.convert(1, 100, {5, false, 10, 160}, 8000, 48000, 7000).payload.duration,
            960);
  EXPECT_EQ(converter.convert(1, 9000, {6, true, 10, 4800}, 48000, 8000, 7000).payload.duration,
            800);
}

TEST(EventConverter, KeepsEventEndAndVolume) {
  EventConverter converter;
  EXPECT_EQ(converter.convert(1, 100, {5, true, 17, 160}, 8000, 48000, 0).payload,
            (EventPayload{5, true, 17, 960}));
}

// RFC 4733 §2.5.1.2: whatever comes when [event-one-timestamp]
TEST(EventConverter, AnEventHasOneTimestampWhateverTheTime) {
  EventConverter converter;
  EXPECT_EQ(converter.convert(1, 100, {5, false, 10, 160}, 48000, 8000, 7000).timestamp, 7000U);
  EXPECT_EQ(converter.convert(1, 100, {5, false, 10, 1120}, 48000, 8000, 7160).timestamp, 7000U);
  EXPECT_EQ(converter.convert(1, 100, {5, true, 10, 2080}, 48000, 8000, 7320).timestamp, 7000U);
  EXPECT_EQ(converter.convert(1, 9000, {5, false, 10, 160}, 48000, 8000, 9000).timestamp, 9000U);
  EXPECT_EQ(converter.convert(1, 100, {5, true, 10, 2080}, 48000, 8000, 9100).timestamp, 7000U)
      << "a late repeat";
}

TEST(EventConverter, AnotherSourceIsAnotherEvent) {
  EventConverter converter;
  converter.convert(1, 100, {5, false, 10, 160}, 48000, 8000, 7000);
  EXPECT_EQ(converter.convert(2, 100, {5, false, 10, 160}, 48000, 8000, 8000).timestamp, 8000U);
}

// RFC 4733 §2.5.1.3: one that grows by its clock [event-segments]
TEST(EventConverter, SplitsWhatGrowsBeyondASegment) {
  EventConverter converter;
  converter.convert(1, 100, {5, false, 10, 160}, 8000, 48000, 7000);
  const auto grown = converter.convert(1, 100, {5, true, 10, 16000}, 8000, 48000, 9000);
  EXPECT_EQ(grown.timestamp, 7000U + 0xffff);
  EXPECT_EQ(grown.payload.duration, 96000 - 0xffff);
}

TEST(EventConverter, JoinsIncomingSegments) {
  EventConverter converter;
  converter.convert(1, 100, {5, false, 10, 0xffff}, 48000, 8000, 7000);
  const auto second =
      converter.convert(1, 100 + 0xffff, {5, true, 10, 96000 - 0xffff}, 48000, 8000, 9000);
  EXPECT_EQ(second.timestamp, 7000U);
  EXPECT_EQ(second.payload.duration, 16000);
}

TEST(EventConverter, ChangesNothingBetweenEqualClocksButTheTimestamp) {
  EventConverter converter;
  EXPECT_EQ(converter.convert(1, 100, {5, false, 10, 0xffff}, 8000, 8000, 7000).payload.duration,
            0xffff);
  const auto second = converter.convert(1, 100 + 0xffff, {5, false, 10, 160}, 8000, 8000, 9000);
  EXPECT_EQ(second.timestamp, 7000U + 0xffff);
  EXPECT_EQ(second.payload.duration, 160);
}

TEST(EventConverter, AZeroClockDoesNoHarm) {
  EventConverter converter;
  EXPECT_EQ(converter.convert(1, 100, {5, false, 10, 160}, 0, 0, 7000).payload.duration, 0);
}

}  // namespace
}  // namespace trunkline::rtp
