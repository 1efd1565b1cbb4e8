// The room of all transcoders of a worker, and the way of transcoded audio through the plane.
#include "media/transcoding.hpp"

#include "rtp/telephone_event.hpp"

#include "dialler.hpp"
#include "plane_world.hpp"
#include "speech.hpp"

namespace trunkline::media {
namespace {

using test::Listener;
using test::Speaker;
using testing::IsEmpty;
using testing::SizeIs;

TranscodeOrder order_of(LegId from, LegId to, const CodedPacket& packet, AudioCodec encode,
                        TimePoint now) {
  TranscodeOrder order;
  order.from = from;
  order.to = to;
  order.decode = packet.codec;
  order.encode = encode;
  order.ssrc = packet.ssrc;
  order.sequence = packet.sequence;
  order.timestamp = packet.timestamp;
  order.arrived = now;
  order.size = static_cast<std::uint16_t>(packet.payload.size());
  std::copy(packet.payload.begin(), packet.payload.end(), order.payload.begin());
  return order;
}

class Room : public testing::Test {
 protected:
  void say(Speaker& speaker, LegId from, LegId to, AudioCodec encode) {
    room_.receive(order_of(from, to, speaker.say(), encode, now_));
  }
  void run(Duration duration) {
    const TimePoint end = now_ + duration;
    for (; room_.deadline() < end; room_.on_deadline(now_, frames_, digits_))
      now_ = std::max(now_, room_.deadline());
    now_ = end;
  }
  TranscodingRoom room_{2};
  TimePoint now_ = TimePoint{} + seconds{1000};
  std::vector<TranscodedFrame> frames_;
  std::vector<DigitHeard> digits_;
};

TEST_F(Room, KeepsDirectionsApart) {
  Speaker alice(AudioCodec::opus, 440), carrier(AudioCodec::pcmu, 1000);
  Listener to_carrier(AudioCodec::pcmu), to_alice(AudioCodec::opus);
  for (int i = 0; i < 50; ++i) {
    say(alice, LegId{1}, LegId{2}, AudioCodec::pcmu);
    say(carrier, LegId{2}, LegId{1}, AudioCodec::opus);
    run(milliseconds{20});
  }
  for (const TranscodedFrame& frame : frames_) {
    auto& listener = frame.to == LegId{2} ? to_carrier : to_alice;
    listener.hear(ByteView(frame.payload).first(frame.size));
  }
  EXPECT_GT(to_carrier.share(440), 0.9);
  EXPECT_GT(to_alice.share(1000), 0.9);
}

TEST_F(Room, OneStreamTooManyIsRefusedAndCounted) {
  Speaker speaker(AudioCodec::opus, 440);
  for (std::uint64_t leg = 1; leg <= 3; ++leg)
    say(speaker, LegId{leg}, LegId{100}, AudioCodec::pcmu);
  EXPECT_EQ(room_.streams(), 2u);
  EXPECT_EQ(room_.counters().refused.get(), 1);
}

TEST_F(Room, AStreamGoesWhenItHasBeenSilentAndANewOneHasNumbersOfItsOwn) {
  Speaker speaker(AudioCodec::opus, 440);
  say(speaker, LegId{1}, LegId{2}, AudioCodec::pcmu);
  run(seconds{6});
  EXPECT_EQ(room_.streams(), 0u);
  EXPECT_EQ(room_.deadline(), kNever);
  EXPECT_EQ(room_.counters().streams.get(), 0);
  const std::uint32_t first = frames_.back().stream;
  say(speaker, LegId{1}, LegId{2}, AudioCodec::pcmu);
  run(milliseconds{40});
  EXPECT_NE(frames_.back().stream, first);
}

TEST_F(Room, HearsDigitsOfSeveralLegs) {
  test::Dialler one(AudioCodec::pcmu), other(AudioCodec::opus);
  one.dial("159");
  other.dial("#");
  for (int i = 0; i < 50; ++i) {
    room_.receive(order_of(LegId{1}, LegId{1}, one.say(), AudioCodec::none, now_));
    room_.receive(order_of(LegId{2}, LegId{2}, other.say(), AudioCodec::none, now_));
    run(milliseconds{20});
  }
  std::map<std::uint64_t, std::string> heard;
  for (const DigitHeard& digit : digits_)
    heard[digit.leg.value] += digit.digit;
  EXPECT_EQ(heard[1], "159");
  EXPECT_EQ(heard[2], "#");
  EXPECT_THAT(frames_, IsEmpty());
  EXPECT_EQ(room_.counters().listeners.get(), 2);
  run(seconds{6});
  EXPECT_EQ(room_.listeners(), 0u);
  EXPECT_EQ(room_.counters().listeners.get(), 0);
  EXPECT_EQ(room_.deadline(), kNever);
}

TEST_F(Room, OneListenerTooManyIsRefusedAndCounted) {
  test::Dialler dialler(AudioCodec::pcmu);
  for (std::uint64_t leg = 1; leg <= TranscodingRoom::kMaxListeners + 1; ++leg)
    room_.receive(order_of(LegId{leg}, LegId{leg}, dialler.say(), AudioCodec::none, now_));
  EXPECT_EQ(room_.listeners(), TranscodingRoom::kMaxListeners);
  EXPECT_EQ(room_.counters().refused.get(), 1);
}

/// A browser that speaks Opus and a carrier that speaks PCMU, with the room between.
class TranscodedCall : public test::PlaneWorld {
 protected:
  static constexpr std::uint8_t kOpus = 111;

  TranscodedCall() {
    execute(trunk_order());
    execute(trunk_order(kSecondTrunk));
    // A second trunk leg stands for the browser: what is transcoded does not know the difference.
    PayloadRoute to_opus{0, kOpus, 8000, 48000, false, AudioCodec::pcmu, AudioCodec::opus};
    PayloadRoute to_pcmu{kOpus, 0, 48000, 8000, false, AudioCodec::opus, AudioCodec::pcmu};
    execute(SetRoute{kTrunk, kSecondTrunk, {to_opus, {101, 110, 8000, 48000, true}}});
    execute(SetRoute{kSecondTrunk, kTrunk, {to_pcmu, {110, 101, 48000, 8000, true}}});
  }
  /// Hands what the plane gives to the transcoders to the room, and what it makes back.
  void pump() {
    room_.on_deadline(now_, frames_, digits_);
    for (const TranscodedFrame& frame : frames_)
      plane_->receive(frame, now_, *outbox_, events_);
    for (const DigitHeard& digit : digits_)
      plane_->receive(digit, events_);
    frames_.clear();
    digits_.clear();
    flush();
  }
  void carrier_says(ByteView bytes) {
    test::OwnedPacket packet(bytes);
    plane_->receive(kRtp1, carrier_.address, packet.packet, now_, *outbox_, events_);
    for (const Outbox::Coded& coded : outbox_->coded()) {
      room_.receive(order_of(coded.from, coded.to,
                             {coded.decode, coded.ssrc, coded.sequence, coded.timestamp,
                              ByteView(coded.data, coded.size)},
                             coded.encode, now_));
    }
    flush();
  }
  void talk(int packets) {
    for (int i = 0; i < packets; ++i) {
      const CodedPacket said = speaker_.say();
      carrier_says(carrier_.packet(said.payload, 0));
      for (int step = 0; step < 4; ++step, now_ += milliseconds{5})
        pump();
    }
  }
  std::vector<test::Sent> heard() const {
    std::vector<test::Sent> found;
    for (const test::Sent& one : sent_) {
      if (one.socket == kRtp2) found.push_back(one);
    }
    return found;
  }

  Speaker speaker_{AudioCodec::pcmu, 440};
  TranscodingRoom room_{10};
  std::vector<TranscodedFrame> frames_;
  std::vector<DigitHeard> digits_;
};

TEST_F(TranscodedCall, TheOtherSideHearsItInItsOwnCodec) {
  talk(50);
  Listener listener(AudioCodec::opus);
  const auto sent = heard();
  EXPECT_GE(sent.size(), 49u);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto told = header(sent[i]);
    EXPECT_EQ(told.payload_type, kOpus);
    EXPECT_EQ(told.marker, i == 0);
    EXPECT_EQ(told.ssrc, header(sent[0]).ssrc);
    EXPECT_EQ(told.sequence, static_cast<std::uint16_t>(header(sent[0]).sequence + i));
    EXPECT_EQ(told.timestamp - header(sent[0]).timestamp, i * 960);
    listener.hear(ByteView(sent[i].bytes).subspan(told.payload_at));
  }
  EXPECT_GT(listener.share(440), 0.9);
}

// RFC 4733 §2.1: events share sequence numbers and time with the audio beside them.
TEST_F(TranscodedCall, DigitsPassBesideIt) {
  talk(20);
  const std::uint32_t begin = carrier_.timestamp;
  for (int i = 1; i <= 8; ++i) {
    std::array<std::uint8_t, rtp::kEventPayloadSize> payload{};
    rtp::write_event(payload, {.event = 5,
                               .end = i > 5,
                               .volume = 10,
                               .duration = static_cast<std::uint16_t>(std::min(i, 6) * 160)});
    carrier_.timestamp = begin;
    carrier_says(carrier_.packet(payload, 101, 160, i == 1));
    for (int step = 0; step < 4; ++step, now_ += milliseconds{5})
      pump();
  }
  talk(20);
  const auto sent = heard();
  std::vector<rtp::EventPayload> digits;
  std::optional<std::uint32_t> at;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto told = header(sent[i]);
    EXPECT_EQ(told.sequence, static_cast<std::uint16_t>(header(sent[0]).sequence + i));
    if (told.payload_type != 110) continue;
    digits.push_back(*rtp::parse_event(ByteView(sent[i].bytes).subspan(told.payload_at)));
    EXPECT_EQ(at.value_or(told.timestamp), told.timestamp);
    at = told.timestamp;
  }
  ASSERT_THAT(digits, SizeIs(8));
  EXPECT_EQ(digits.front().duration, 960);
  EXPECT_TRUE(digits.back().end);
  EXPECT_EQ(digits.back().duration, 6 * 960);
  EXPECT_THAT(events<DigitReceived>(), SizeIs(1));
  EXPECT_EQ(header(sent.back()).payload_type, kOpus);
}

TEST_F(TranscodedCall, AFrameWhoseRouteHasGoneIsDropped) {
  talk(10);
  execute(ClearRoute{kTrunk, kSecondTrunk});
  const std::size_t before = heard().size();
  for (int i = 0; i < 20; ++i, now_ += milliseconds{5})
    pump();
  EXPECT_EQ(heard().size(), before);
  EXPECT_GT(dropped("sip", "no_route"), 0);
}

TEST_F(TranscodedCall, AFrameForALegThatHasEndedIsNothing) {
  talk(10);
  execute(RemoveLeg{kSecondTrunk});
  sent_.clear();
  for (int i = 0; i < 20; ++i, now_ += milliseconds{5})
    pump();
  EXPECT_THAT(heard(), IsEmpty());
}

class SoundingDigits : public TranscodedCall {
 protected:
  void dial(const std::string& digits) {
    dialler_.dial(digits);
    for (std::size_t i = 0; i < 9 * digits.size() + 10; ++i) {
      carrier_says(carrier_.packet(dialler_.say().payload, 0));
      for (int step = 0; step < 4; ++step, now_ += milliseconds{5})
        pump();
    }
  }
  std::string heard_of_carrier() const {
    std::string digits;
    for (const DigitReceived& event : events<DigitReceived>()) {
      EXPECT_TRUE(event.heard);
      EXPECT_EQ(event.leg, kTrunk);
      digits += event.digit;
    }
    return digits;
  }
  test::Dialler dialler_{AudioCodec::pcmu};
};

TEST_F(SoundingDigits, AreReportedOnceBesideTheTranscoder) {
  execute(DetectDigits{kTrunk, AudioCodec::pcmu, 0});
  dial("19");
  EXPECT_EQ(heard_of_carrier(), "19");
  EXPECT_GE(heard().size(), 27u);
  EXPECT_EQ(metric("trunkline_dtmf_events_total,sip,in,inband"), 2);
}

TEST_F(SoundingDigits, OfARelayedLegAreReportedAndTheSoundGoesOnUnchanged) {
  execute(SetRoute{kTrunk, kSecondTrunk, {{0, 0, 8000, 8000, false}}});
  execute(DetectDigits{kTrunk, AudioCodec::pcmu, 0});
  dial("5");
  EXPECT_EQ(heard_of_carrier(), "5");
  test::Dialler same(AudioCodec::pcmu);
  same.dial("5");
  for (const test::Sent& one : heard()) {
    const auto said = same.say();
    EXPECT_TRUE(std::equal(said.payload.begin(), said.payload.end(), one.bytes.begin() + 12,
                           one.bytes.end()));
  }
}

TEST_F(SoundingDigits, OfAMutedLegAreReportedToo) {
  execute(ClearRoute{kTrunk, kSecondTrunk});
  execute(DetectDigits{kTrunk, AudioCodec::pcmu, 0});
  dial("5");
  EXPECT_EQ(heard_of_carrier(), "5");
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(SoundingDigits, AreNotListenedForUnaskedNorAnyLonger) {
  dial("1");
  execute(DetectDigits{kTrunk, AudioCodec::pcmu, 96});
  dial("2");
  execute(DetectDigits{kTrunk, AudioCodec::pcmu, 0});
  dial("3");
  execute(DetectDigits{kTrunk});
  dial("4");
  execute(DetectDigits{LegId{99}, AudioCodec::pcmu, 0});
  EXPECT_EQ(heard_of_carrier(), "3");
}

}  // namespace
}  // namespace trunkline::media
