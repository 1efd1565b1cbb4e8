// Tones, digits and RTCP: what legs send of their own, and what they tell of what they hear.
#include "media/clip.hpp"
#include "media/digit_listener.hpp"
#include "media/digit_tones.hpp"
#include "rtp/rtcp.hpp"
#include "rtp/telephone_event.hpp"

#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using test::at;
using test::Sent;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class PlaneSources : public test::PlaneWorld {
 protected:
  void trunk_only() { execute(trunk_order()); }
  std::vector<Sent> events_to_carrier() const {
    auto found = audio_to_carrier();
    std::erase_if(found, [](const Sent& one) { return header(one).payload_type != 101; });
    return found;
  }
  std::vector<Sent> speech_to_carrier() const {
    auto found = audio_to_carrier();
    std::erase_if(found, [](const Sent& one) { return header(one).payload_type == 101; });
    return found;
  }
  static rtp::EventPayload event(const Sent& one) {
    return *rtp::parse_event(ByteView(one.bytes).subspan(12));
  }
  std::vector<Sent> rtcp_to_carrier() const { return sent_to(at("198.51.100.9:5001")); }
};

TEST_F(PlaneSources, SendsAToneOfPacketsEvery20Milliseconds) {
  trunk_only();
  execute(StartTone{kTrunk, ToneCodec::pcmu, 0, 440});
  run(seconds{2});
  const auto audio = audio_to_carrier();
  EXPECT_EQ(audio.size(), 100u);
  trunkline::test::ToneMeter meter(440);
  for (const Sent& one : audio)
    meter.add(ByteView(one.bytes).subspan(12));
  EXPECT_EQ(meter.heard(), 20u);
  EXPECT_EQ(header(audio.back()).timestamp - header(audio.front()).timestamp, 99u * 160);
}

TEST_F(PlaneSources, AToneDoesNotDriftWhenTheWorkerIsLate) {
  trunk_only();
  execute(StartTone{kTrunk});
  const TimePoint begin = now_;
  for (int i = 0; i < 100; ++i)
    deadline_at(plane_->deadline() + milliseconds{7});
  EXPECT_LE(now_ - begin, milliseconds{100 * 20 + 7});
}

TEST_F(PlaneSources, ALongSleepIsSkippedNotMadeUpFor) {
  trunk_only();
  execute(StartTone{kTrunk});
  run(milliseconds{100});
  const auto before = audio_to_carrier().size();
  deadline_at(now_ + seconds{10});
  EXPECT_LE(audio_to_carrier().size(), before + 2);
  run(milliseconds{100});
  const auto audio = audio_to_carrier();
  EXPECT_NEAR(header(audio.back()).timestamp - header(audio[before - 1]).timestamp,
              (10 * 8000) + 800, 1000);
}

TEST_F(PlaneSources, SendsATonePcmaToTheBrowser) {
  connect_call();
  execute(StartTone{kBrowser, ToneCodec::pcma, 8, 1000});
  run(milliseconds{100});
  EXPECT_EQ(browser_->received().rtp, 5u);
  EXPECT_EQ(browser_->received().payload_type, 8);
}

TEST_F(PlaneSources, AToneStops) {
  trunk_only();
  execute(StartTone{kTrunk});
  run(milliseconds{100});
  execute(StopTone{kTrunk});
  const auto before = audio_to_carrier().size();
  run(seconds{1});
  EXPECT_EQ(audio_to_carrier().size(), before);
}

/// A plane that has hold music.
class PlaneSounds : public PlaneSources {
 protected:
  PlaneSounds() {
    PlaneSettings settings;
    constexpr std::array<double, 1> kMusic{600};
    settings.sounds[static_cast<std::size_t>(Sound::hold_music)] =
        *Clip::cadence(kMusic, milliseconds{1000}, milliseconds{0});
    make_plane(settings);
  }
};

TEST_F(PlaneSounds, ASoundIsPlayedOverAndOverOnOneLine) {
  trunk_only();
  execute(StartSound{kTrunk, Sound::hold_music, AudioCodec::pcmu, 0});
  run(milliseconds{1500});
  execute(StartSound{kTrunk, Sound::hold_music, AudioCodec::pcmu, 0});
  run(milliseconds{1500});
  const auto audio = audio_to_carrier();
  EXPECT_EQ(audio.size(), 150u);
  trunkline::test::ToneMeter meter(600);
  for (std::size_t i = 0; i < audio.size(); ++i) {
    meter.add(ByteView(audio[i].bytes).subspan(12));
    EXPECT_EQ(header(audio[i]).timestamp, header(audio[0]).timestamp + 160 * i);
    EXPECT_EQ(header(audio[i]).marker, i == 0);
  }
  EXPECT_EQ(meter.heard(), 30u);
  execute(StopTone{kTrunk});
  run(seconds{1});
  EXPECT_EQ(audio_to_carrier().size(), 150u);
}

TEST_F(PlaneSounds, ASoundTakesThePlaceOfTheRouteAndGivesItBack) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  execute(StartSound{kTrunk, Sound::hold_music, AudioCodec::pcmu, 0});
  run(milliseconds{500});
  EXPECT_GE(dropped("sip", "replaced"), 20);
  execute(StopTone{kTrunk});
  run(milliseconds{200});
  const auto audio = audio_to_carrier();
  for (std::size_t i = 1; i < audio.size(); ++i) {
    EXPECT_EQ(header(audio[i]).sequence,
              static_cast<std::uint16_t>(header(audio[i - 1]).sequence + 1));
    EXPECT_LT(header(audio[i]).timestamp - header(audio[i - 1]).timestamp, 8000u);
  }
}

TEST_F(PlaneSounds, ASoundThatIsNotThereIsSilence) {
  trunk_only();
  execute(StartSound{kTrunk, Sound::play, AudioCodec::pcmu, 0});
  execute(StartSound{kTrunk, Sound::count_, AudioCodec::pcmu, 0});
  execute(StartSound{LegId{9}, Sound::hold_music, AudioCodec::pcmu, 0});
  run(milliseconds{100});
  EXPECT_THAT(audio_to_carrier(), IsEmpty());
}

TEST_F(PlaneSources, APeerThatIsSilentIsReportedOnce) {
  trunk_only();
  from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  execute(ExpectMedia{kTrunk, seconds{10}});
  run(seconds{9});
  EXPECT_THAT(events<MediaSilent>(), IsEmpty());
  run(seconds{2});
  ASSERT_THAT(events<MediaSilent>(), SizeIs(1));
  EXPECT_EQ(events<MediaSilent>()[0].leg, kTrunk);
  run(seconds{30});
  EXPECT_THAT(events<MediaSilent>(), SizeIs(1));
}

TEST_F(PlaneSources, APeerThatHasNeverSentAnythingIsNotExpectedTo) {
  trunk_only();
  execute(ExpectMedia{kTrunk, seconds{10}});
  run(seconds{60});
  EXPECT_THAT(events<MediaSilent>(), IsEmpty());
  from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  run(seconds{11});
  EXPECT_THAT(events<MediaSilent>(), SizeIs(1));
}

// RFC 3550 §6.3.5: only what is the peer's counts [media-timeout]
TEST_F(PlaneSources, RtpOfThePeerAloneBeginsTheSilenceAnew) {
  trunk_only();
  from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  execute(ExpectMedia{kTrunk, seconds{10}});
  run(seconds{6});
  from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  run(seconds{6});
  EXPECT_THAT(events<MediaSilent>(), IsEmpty());
  receive(kRtp1, at("192.0.2.66:4444"), carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  run(seconds{5});
  EXPECT_THAT(events<MediaSilent>(), SizeIs(1)) << "a stranger's packet is none of the peer's";
}

// RFC 3550 §6.3.5: RTCP counts too [media-timeout]
TEST_F(PlaneSources, RtcpOfThePeerIsNoSilence) {
  trunk_only();
  from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  execute(ExpectMedia{kTrunk, seconds{10}});
  run(seconds{6});
  rtp::RtcpReport report;
  report.ssrc = 7;
  report.cname = "carrier";
  std::vector<std::uint8_t> compound(512);
  compound.resize(rtp::write_report(compound, report));
  receive(kRtcp1, at("198.51.100.9:5001"), compound);
  run(seconds{6});
  EXPECT_THAT(events<MediaSilent>(), IsEmpty());
  run(seconds{5});
  EXPECT_THAT(events<MediaSilent>(), SizeIs(1));
}

TEST_F(PlaneSources, AnyTimeIsAllowedWhenNothingIsExpected) {
  trunk_only();
  from_carrier(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
  execute(ExpectMedia{kTrunk, seconds{10}});
  execute(ExpectMedia{kTrunk, {}});
  execute(ExpectMedia{LegId{9}, seconds{1}});
  run(seconds{30});
  EXPECT_THAT(events<MediaSilent>(), IsEmpty());
}

TEST_F(PlaneSources, AToneTakesThePlaceOfTheRouteAndGivesItBack) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  execute(StartTone{kTrunk, ToneCodec::pcmu, 0, 1000});
  run(milliseconds{200});
  EXPECT_GE(dropped("sip", "replaced"), 9);
  execute(StopTone{kTrunk});
  run(milliseconds{100});
  const auto audio = audio_to_carrier();
  for (std::size_t i = 1; i < audio.size(); ++i) {
    EXPECT_EQ(header(audio[i]).sequence,
              static_cast<std::uint16_t>(header(audio[i - 1]).sequence + 1));
    EXPECT_NEAR(header(audio[i]).timestamp - header(audio[i - 1]).timestamp, 160, 60);
  }
}

TEST_F(PlaneSources, SendsADigitAsOneEvent) {
  trunk_only();
  execute(SendDigit{kTrunk, '5', 160, 101, 8000});
  run(milliseconds{400});
  const auto packets = events_to_carrier();
  ASSERT_GE(packets.size(), 9u);
  EXPECT_TRUE(header(packets[0]).marker);
  int ends = 0;
  for (const Sent& one : packets) {
    EXPECT_EQ(event(one).event, 5);
    EXPECT_EQ(header(one).timestamp, header(packets[0]).timestamp);
    ends += event(one).end ? 1 : 0;
  }
  EXPECT_EQ(ends, 3);
  EXPECT_EQ(event(packets.back()).duration, 1280);
  EXPECT_EQ(metric("trunkline_dtmf_events_total,sip,out,rfc4733"), 1);
}

// RFC 4733 §2.1: the sequence goes on over an event [events-share-numbers]
TEST_F(PlaneSources, ADigitSilencesTheRouteOnTheSameLine) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  execute(SendDigit{kTrunk, '1', 200, 101, 8000});
  run(milliseconds{500});
  const auto all = audio_to_carrier();
  bool inside = false;
  std::size_t event_packets = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(header(all[i]).sequence, static_cast<std::uint16_t>(header(all[i - 1]).sequence + 1));
    const bool is_event = header(all[i]).payload_type == 101;
    if (is_event) ++event_packets;
    EXPECT_FALSE(inside && !is_event) << "audio inside an event";
    inside = is_event && !event(all[i]).end;
  }
  EXPECT_GE(event_packets, 10u);
  EXPECT_GT(dropped("sip", "replaced"), 5);
  EXPECT_EQ(header(all.back()).payload_type, 0) << "the route goes on";
}

// RFC 4733 §2.5.1.4: 64 wait [digits-apart]
TEST_F(PlaneSources, QueuesDigitsUpToTheBound) {
  trunk_only();
  for (std::size_t i = 0; i < kMaxQueuedDigits + 8; ++i)
    execute(SendDigit{kTrunk, '1', 40, 101, 8000});
  run(seconds{15});
  EXPECT_EQ(metric("trunkline_dtmf_events_total,sip,out,rfc4733"), kMaxQueuedDigits);
}

/// A plane that can send digits as sound.
class PlaneTones : public PlaneSources {
 protected:
  PlaneTones() {
    PlaneSettings settings;
    settings.digit_tones = *DigitTones::make();
    make_plane(settings);
  }
  static SendDigit sounding(char digit) { return {kTrunk, digit, 160, 0, 8000, AudioCodec::pcmu}; }
  /// What a listener makes of the packets that the carrier got.
  std::string heard_by_carrier() const {
    DigitListener listener;
    std::string digits;
    for (const Sent& one : audio_to_carrier()) {
      const auto numbers = header(one);
      listener.receive({AudioCodec::pcmu, numbers.ssrc, numbers.sequence, numbers.timestamp,
                        ByteView(one.bytes).subspan(12)},
                       one.at);
      while (const auto digit = listener.next(one.at))
        digits += *digit;
    }
    return digits;
  }
};

TEST_F(PlaneTones, ADigitForAPeerWithoutEventsIsASound) {
  trunk_only();
  for (const char digit : std::string("42#"))
    execute(sounding(digit));
  run(seconds{1});
  const auto audio = audio_to_carrier();
  ASSERT_EQ(audio.size(), 36u) << "160 ms of sound and 80 ms of silence each";
  for (std::size_t i = 1; i < audio.size(); ++i) {
    EXPECT_EQ(header(audio[i]).sequence,
              static_cast<std::uint16_t>(header(audio[i - 1]).sequence + 1));
    EXPECT_EQ(header(audio[i]).timestamp, header(audio[i - 1]).timestamp + 160);
    EXPECT_EQ(header(audio[i]).marker, i % 12 == 0);
  }
  EXPECT_EQ(heard_by_carrier(), "42#");
  EXPECT_EQ(metric("trunkline_dtmf_events_total,sip,out,inband"), 3);
  EXPECT_EQ(metric("trunkline_dtmf_events_total,sip,out,rfc4733"), 0);
}

TEST_F(PlaneTones, ADigitAsSoundSilencesTheRouteAndGivesItBack) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  execute(sounding('8'));
  run(milliseconds{600});
  const auto audio = audio_to_carrier();
  for (std::size_t i = 1; i < audio.size(); ++i) {
    EXPECT_EQ(header(audio[i]).sequence,
              static_cast<std::uint16_t>(header(audio[i - 1]).sequence + 1));
    EXPECT_LT(header(audio[i]).timestamp - header(audio[i - 1]).timestamp, 1600u);
  }
  EXPECT_GE(dropped("sip", "replaced"), 11);
  EXPECT_EQ(heard_by_carrier(), "8");
  trunkline::test::ToneMeter meter(440);
  for (auto last = audio.end() - 10; last != audio.end(); ++last)
    meter.add(ByteView(last->bytes).subspan(12));
  EXPECT_GE(meter.heard(), 1u) << "the route goes on";
}

TEST_F(PlaneTones, WaitUpToTheBound) {
  trunk_only();
  for (std::size_t i = 0; i < kMaxQueuedDigits + 8; ++i)
    execute(sounding('1'));
  execute(sounding('x'));
  run(seconds{20});
  // One has left the queue at once.
  EXPECT_EQ(metric("trunkline_dtmf_events_total,sip,out,inband"), kMaxQueuedDigits + 1);
}

TEST_F(PlaneSources, ADigitAsSoundThatNobodyHasPreparedIsNone) {
  trunk_only();
  execute(SendDigit{kTrunk, '5', 160, 0, 8000, AudioCodec::pcmu});
  run(milliseconds{500});
  EXPECT_THAT(audio_to_carrier(), IsEmpty());
}

/// A trunk whose peer takes no events, and a browser that sends one amid its audio.
class PlaneReportedEvents : public PlaneSources {
 protected:
  void press_7() {
    execute(browser_order(*browser_));
    execute(trunk_order());
    PayloadRoute reported{126, 126, 8000, 8000, true};
    reported.reported_only = true;
    execute(SetRoute{kBrowser, kTrunk, {{0, 0, 8000, 8000, false}, reported}});
    browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
    run(milliseconds{100});
    browser_->send_tone(440, now_);
    run(milliseconds{100});
    browser_->send_digit('7', 100);
    run(milliseconds{500});
  }
};

TEST_F(PlaneReportedEvents, AreReportedAndNotSent) {
  press_7();
  ASSERT_THAT(events<DigitReceived>(), SizeIs(1));
  EXPECT_EQ(events<DigitReceived>()[0].digit, '7');
  for (const Sent& one : audio_to_carrier())
    EXPECT_EQ(header(one).payload_type, 0);
}

TEST_F(PlaneReportedEvents, LeaveNoGapInTheNumbers) {
  press_7();
  const auto audio = audio_to_carrier();
  ASSERT_GT(audio.size(), 20U);
  for (std::size_t i = 1; i < audio.size(); ++i) {
    EXPECT_EQ(static_cast<std::uint16_t>(header(audio[i]).sequence - header(audio[i - 1]).sequence),
              1);
    EXPECT_GT(header(audio[i]).timestamp, header(audio[i - 1]).timestamp);
  }
}

// RFC 4733 §2.5.1.2: relayed ones too [event-one-timestamp]
TEST_F(PlaneSources, RelaysAndReportsADigitOfTheBrowserOnce) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  browser_->send_digit('7', 100);
  run(milliseconds{500});
  ASSERT_THAT(events<DigitReceived>(), SizeIs(1));
  EXPECT_EQ(events<DigitReceived>()[0].digit, '7');
  EXPECT_EQ(events<DigitReceived>()[0].leg, kBrowser);
  EXPECT_EQ(events<DigitReceived>()[0].duration_ms, 100u);
  const auto packets = events_to_carrier();
  ASSERT_THAT(packets, Not(IsEmpty()));
  for (const Sent& one : packets) {
    EXPECT_EQ(event(one).event, 7);
    EXPECT_EQ(header(one).timestamp, header(packets[0]).timestamp);
  }
  EXPECT_TRUE(event(packets.back()).end);
  EXPECT_EQ(metric("trunkline_dtmf_events_total,webrtc,in,rfc4733"), 1);
}

TEST_F(PlaneSources, RelaysADigitOfTheCarrierToTheBrowser) {
  connect_call();
  for (std::uint16_t duration = 160; duration <= 800;
       duration = static_cast<std::uint16_t>(duration + 160)) {
    std::vector<std::uint8_t> payload(4);
    rtp::write_event(payload, {11, duration == 800, 10, duration});
    from_carrier(carrier_.packet(payload, 101, 0, duration == 160));
  }
  run(milliseconds{20});
  EXPECT_EQ(browser_->received().digits, "#");
  ASSERT_THAT(events<DigitReceived>(), SizeIs(1));
  EXPECT_EQ(events<DigitReceived>()[0].digit, '#');
}

// RFC 4733 §2.2: an event gets the clock of the other leg [race-event-clock]
// RFC 4733 §2.3.5: across a call [event-durations]
TEST_F(PlaneSources, ScalesTheDurationBetweenClocks) {
  connect_call();
  execute(
      SetRoute{kBrowser, kTrunk, {{111, 0, 48000, 8000, false}, {110, 101, 48000, 8000, true}}});
  std::vector<std::uint8_t> payload(4);
  for (std::uint16_t i = 1; i <= 4; ++i) {
    rtp::write_event(payload, {3, i == 4, 10, static_cast<std::uint16_t>(960 * i)});
    browser_->send_rtp(payload, 110, 0, i == 1);
    run(milliseconds{20});
  }
  const auto packets = events_to_carrier();
  ASSERT_THAT(packets, SizeIs(4));
  for (std::size_t i = 0; i < packets.size(); ++i) {
    EXPECT_EQ(event(packets[i]).duration, 160 * (i + 1));
    EXPECT_EQ(header(packets[i]).timestamp, header(packets[0]).timestamp);
  }
}

// RFC 4733 §2.5.1.4: one whose source fell silent [event-end]
TEST_F(PlaneSources, EndsAnEventWhoseSourceFellSilent) {
  connect_call();
  std::vector<std::uint8_t> payload(4);
  rtp::write_event(payload, {3, false, 10, 320});
  browser_->send_rtp(payload, 126, 0, true);
  run(milliseconds{400});
  const auto packets = events_to_carrier();
  ASSERT_THAT(packets, SizeIs(4));
  EXPECT_FALSE(event(packets[0]).end);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_TRUE(event(packets[i]).end);
    EXPECT_EQ(header(packets[i]).timestamp, header(packets[0]).timestamp);
  }
  ASSERT_THAT(events<DigitReceived>(), SizeIs(1));
  EXPECT_EQ(events<DigitReceived>()[0].digit, '3');
}

// RFC 3264 §8.4: nothing is sent to 0.0.0.0 [hold-by-address]
TEST_F(PlaneSources, StopsSendingToAPeerThatHoldsByAddress) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  execute(UpdateTrunkLeg{kTrunk, {at("0.0.0.0:5000"), at("0.0.0.0:5001"), false}});
  const auto before = sent_.size();
  run(milliseconds{200});
  for (std::size_t i = before; i < sent_.size(); ++i) {
    EXPECT_FALSE(sent_[i].to.ip.is_unspecified());
    EXPECT_NE(sent_[i].to, carrier_.address);
  }
  EXPECT_GE(dropped("sip", "held"), 8);
  const auto held = audio_to_carrier();
  execute(UpdateTrunkLeg{kTrunk, {carrier_.address, at("198.51.100.9:5001"), false}});
  run(milliseconds{100});
  const auto resumed = audio_to_carrier();
  ASSERT_GT(resumed.size(), held.size());
  EXPECT_TRUE(header(resumed[held.size()]).marker);
}

// RFC 3550 §6.4: reports are the leg's own [rtcp-terminated]
// RFC 6263 §4.3: reports go on without audio [keep-alive]
TEST_F(PlaneSources, SendsReportsToTheRtcpPort) {
  connect_call();
  browser_->send_tone(440, now_);
  for (int i = 0; i < 50; ++i) {
    from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{20});
  }
  run(seconds{10});
  const auto reports = rtcp_to_carrier();
  ASSERT_GE(reports.size(), 2u);
  EXPECT_LE(reports.size(), 6u);
  EXPECT_EQ(reports[0].socket, kRtcp1);
  auto reader = rtp::RtcpReader::open(reports.back().bytes);
  ASSERT_TRUE(reader);
  const auto first = reader->next();
  ASSERT_TRUE(first && first->is(rtp::RtcpType::sender_report));
  const auto info = rtp::sender_info(*first);
  ASSERT_TRUE(info);
  EXPECT_EQ(rtp::sender_ssrc(*first), 0xc0000002u);
  EXPECT_GT(info->packets, 100u);
  EXPECT_EQ(info->octets, info->packets * 160);
  const auto block = rtp::report_block(*first, 0);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->ssrc, carrier_.ssrc);
  EXPECT_EQ(block->cumulative_lost, 0);
  const auto second = reader->next();
  ASSERT_TRUE(second && second->is(rtp::RtcpType::source_description));
  EXPECT_EQ(rtp::cname(*second), "cname");
}

// RFC 3550 §6.2: the first one need not wait [rtcp-interval]
TEST_F(PlaneSources, SendsTheFirstReportWithinHalfASecond) {
  connect_call();
  run(milliseconds{500});
  EXPECT_THAT(rtcp_to_carrier(), SizeIs(1));
  EXPECT_EQ(browser_->received().rtcp, 1u);
}

TEST_F(PlaneSources, SendsReportsOnTheAudioPortWhenThePeerMuxes) {
  AddTrunkLeg order = trunk_order();
  order.remote.rtcp_mux = true;
  execute(order);
  run(milliseconds{600});
  const auto sent = sent_to(carrier_.address);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_TRUE(rtp::is_rtcp(sent[0].bytes));
  EXPECT_EQ(sent[0].socket, kRtp1);
}

// RFC 3550 §6.4.1: of each leg [round-trip]
TEST_F(PlaneSources, MeasuresTheRoundTripFromThePeersReports) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{600});
  const auto reports = rtcp_to_carrier();
  ASSERT_THAT(reports, Not(IsEmpty()));
  auto reader = rtp::RtcpReader::open(reports[0].bytes);
  const auto packet = reader->next();
  ASSERT_TRUE(packet->is(rtp::RtcpType::sender_report));
  rtp::ReportBlock block;
  block.ssrc = 0xc0000002;
  block.last_sr = rtp::sender_info(*packet)->ntp.middle();
  block.delay_since_sr = 0;
  block.fraction_lost = 64;
  block.jitter = 80;
  std::vector<std::uint8_t> answer(200);
  answer.resize(rtp::write_report(answer, {carrier_.ssrc, {}, {&block, 1}, "peer", false}));
  now_ = reports[0].at + milliseconds{80};
  receive(kRtcp1, at("198.51.100.9:5001"), answer);
  execute(RemoveLeg{kTrunk});
  ASSERT_THAT(events<LegClosed>(), SizeIs(1));
  const LegStatistics statistics = events<LegClosed>()[0].statistics;
  ASSERT_TRUE(statistics.round_trip_seconds);
  EXPECT_NEAR(*statistics.round_trip_seconds, 0.08, 0.001);
  ASSERT_TRUE(statistics.at_peer);
  EXPECT_EQ(statistics.at_peer->loss, 0.25);
  EXPECT_NEAR(statistics.at_peer->jitter_seconds, 0.01, 1e-9) << "80 ticks of 8,000 a second";
  EXPECT_LT(statistics.at_peer->mos, 3.1) << "a quarter is lost there";
}

// RFC 4585 §3.1: feedback ends at the gateway [feedback-ends-here]
TEST_F(PlaneSources, AFeedbackPacketOfTheBrowserGoesNowhere) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{600});
  // PLI: a payload-specific feedback message (RFC 4585 §6.3.1).
  const std::vector<std::uint8_t> feedback{0x81, 206, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
  browser_->send_rtcp(feedback);
  run(seconds{6});
  EXPECT_EQ(dropped("webrtc", "malformed"), 0);
  for (const Sent& one : rtcp_to_carrier()) {
    auto reader = rtp::RtcpReader::open(one.bytes);
    ASSERT_TRUE(reader);
    while (const auto packet = reader->next())
      EXPECT_FALSE(packet->is(rtp::RtcpType::payload_feedback));
  }
}

// RFC 3550 §6.4: the end is told [rtcp-terminated]
TEST_F(PlaneSources, SaysByeToTheCarrier) {
  connect_call();
  browser_->send_tone(440, now_);
  run(milliseconds{50});
  execute(RemoveLeg{kTrunk});
  const auto reports = rtcp_to_carrier();
  ASSERT_THAT(reports, Not(IsEmpty()));
  auto reader = rtp::RtcpReader::open(reports.back().bytes);
  ASSERT_TRUE(reader);
  bool bye = false;
  while (const auto packet = reader->next())
    bye = bye || packet->is(rtp::RtcpType::bye);
  EXPECT_TRUE(bye);
}

TEST_F(PlaneSources, CountsLossAndJitterOfTheSource) {
  connect_call();
  for (int i = 0; i < 100; ++i) {
    const auto packet = carrier_.packet(std::vector<std::uint8_t>(160, 1));
    if (i % 10 != 5) from_carrier(packet);
    now_ += milliseconds{i % 2 == 0 ? 25 : 15};
  }
  execute(RemoveLeg{kTrunk});
  const LegStatistics statistics = events<LegClosed>()[0].statistics;
  EXPECT_EQ(statistics.packets_received, 90u);
  EXPECT_EQ(statistics.packets_expected, 100u);
  EXPECT_EQ(statistics.packets_lost, 10u);
  EXPECT_GT(statistics.jitter_seconds, 0.002);
  EXPECT_LT(statistics.jitter_seconds, 0.02);
}

// RFC 3550 §6.4.4: while it lives [quality-told]
// RFC 3550 §A.8: the arrival is that at this machine, whenever the worker wakes [jitter]
TEST_F(PlaneSources, WakingLateIsNoJitterOfTheSource) {
  trunk_only();
  const auto receive_aged = [&](Duration age) {
    test::OwnedPacket packet(carrier_.packet(trunkline::test::ulaw_tone(440, 0)));
    packet.packet.age = age;
    plane_->receive(kRtp1, carrier_.address, packet.packet, now_, *outbox_, events_);
  };
  // Packets of every 20 ms, found by fives.
  for (int turn = 0; turn < 40; ++turn) {
    for (int waited = 4; waited >= 0; --waited)
      receive_aged(waited * milliseconds{20});
    now_ += milliseconds{100};
  }
  execute(QueryStatistics{kTrunk, 1});
  const auto told = events<StatisticsReported>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].statistics.packets_received, 200u);
  EXPECT_LT(told[0].statistics.jitter_seconds, 0.0001);
}

TEST_F(PlaneSources, TellsTheStatisticsOfALegWhenItIsAsked) {
  connect_call();
  for (int i = 0; i < 100; ++i) {
    const auto packet = carrier_.packet(std::vector<std::uint8_t>(160, 1));
    if (i % 10 != 5) from_carrier(packet);
    now_ += milliseconds{20};
  }
  execute(QueryStatistics{kTrunk, 7});
  execute(QueryStatistics{LegId{4711}, 8});
  const auto reported = events<StatisticsReported>();
  ASSERT_THAT(reported, SizeIs(2));
  EXPECT_EQ(reported[0].leg, kTrunk);
  EXPECT_EQ(reported[0].query, 7u);
  EXPECT_EQ(reported[0].statistics.packets_received, 90u);
  EXPECT_EQ(reported[0].statistics.packets_lost, 10u);
  ASSERT_TRUE(reported[0].statistics.mos);
  EXPECT_GT(*reported[0].statistics.mos, 1.5);
  EXPECT_LT(*reported[0].statistics.mos, 3.8) << "a tenth is lost";
  EXPECT_EQ(reported[1].query, 8u);
  EXPECT_EQ(reported[1].statistics.packets_received, 0u);
  EXPECT_FALSE(reported[1].statistics.mos) << "nothing came that could be judged";
}

TEST_F(PlaneSources, TellsTheLossOfEachInterval) {
  connect_call();
  const auto play = [&](int packets, int lost) {
    for (int i = 0; i < packets; ++i) {
      const auto packet = carrier_.packet(std::vector<std::uint8_t>(160, 1));
      if (i == 0 || i > lost) from_carrier(packet);
      now_ += milliseconds{20};
    }
  };
  const auto ask = [&](bool ends_interval) {
    execute(QueryStatistics{kTrunk, 1, ends_interval});
    return events<StatisticsReported>().back().statistics;
  };
  EXPECT_FALSE(ask(true).interval_loss) << "nothing was sent that could be lost";
  play(100, 20);
  EXPECT_DOUBLE_EQ(ask(false).interval_loss.value_or(-1), 0.2);
  EXPECT_DOUBLE_EQ(ask(true).interval_loss.value_or(-1), 0.2) << "asking alone ends none";
  play(100, 0);
  const LegStatistics second = ask(true);
  EXPECT_DOUBLE_EQ(second.interval_loss.value_or(-1), 0);
  EXPECT_GT(second.interval_mos.value_or(0), 4.2);
  EXPECT_LT(second.mos.value_or(5), 3.5) << "that of the whole leg";
  EXPECT_EQ(second.packets_lost, 20u);
}

TEST_F(PlaneSources, ManyTonesWaitForRoomInTheOutbox) {
  std::vector<SocketSpec> sockets;
  for (std::uint16_t i = 0; i < 200; ++i) {
    sockets.push_back(
        {SocketSpec::Use::trunk_rtp,
         {*IpAddress::parse("203.0.113.1"), static_cast<std::uint16_t>(20000 + 2 * i)}});
  }
  plane_ = std::make_unique<Plane>(PlaneSettings{}, *identity_, sockets, random_);
  for (std::uint16_t i = 0; i < 200; ++i) {
    AddTrunkLeg order = trunk_order();
    order.leg = LegId{i + 1u};
    order.local = sockets[i].local;
    execute(order);
    execute(StartTone{order.leg});
  }
  std::size_t rounds = 0;
  while (plane_->deadline() <= now_ && rounds < 100) {
    deadline_at(now_);
    ++rounds;
  }
  EXPECT_EQ(audio_to_carrier().size(), 200u);
  EXPECT_GT(rounds, 1u);
}

}  // namespace
}  // namespace trunkline::media
