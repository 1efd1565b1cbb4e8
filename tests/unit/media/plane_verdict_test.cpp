// Why nothing is heard, as the plane tells it: when it is asked, and by itself when something
// stops.
#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using test::at;
using testing::IsEmpty;
using testing::SizeIs;

class PlaneVerdict : public test::PlaneWorld {
 protected:
  static std::vector<std::uint8_t> audio() { return std::vector<std::uint8_t>(160, 1); }
  /// The carrier sends for so long.
  void carrier_sends(Duration duration, std::uint8_t payload_type = 0) {
    for (const TimePoint end = now_ + duration; now_ < end;) {
      from_carrier(carrier_.packet(audio(), payload_type));
      run(milliseconds{20});
    }
  }
  MediaJudged judged(LegId leg) {
    execute(JudgeMedia{leg});
    return events<MediaJudged>().back();
  }
};

TEST_F(PlaneVerdict, OfALegThatIsHeardIsNone) {
  connect_call();
  carrier_sends(milliseconds{100});
  EXPECT_EQ(judged(kTrunk).received, Silence::none);
  EXPECT_EQ(judged(kTrunk).sent, Silence::none);
}

TEST_F(PlaneVerdict, OfALegThatIsNotThereIsNotTold) {
  execute(JudgeMedia{LegId{4711}});
  EXPECT_THAT(events<MediaJudged>(), IsEmpty());
}

TEST_F(PlaneVerdict, OnATrunkNamesWhatCame) {
  connect_call();
  EXPECT_EQ(judged(kTrunk).received, Silence::trunk_sends_nothing);
  receive(kRtp1, at("198.51.100.77:5000"), carrier_.packet(audio()));
  EXPECT_EQ(judged(kTrunk).received, Silence::wrong_source_address);
  from_carrier(carrier_.packet(audio(), 77));
  EXPECT_EQ(judged(kTrunk).received, Silence::unknown_payload_type);
  from_carrier(carrier_.packet(audio()));
  EXPECT_EQ(judged(kTrunk).received, Silence::none);
}

TEST_F(PlaneVerdict, OnABrowserNamesTheStepThatIsMissing) {
  execute(browser_order(*browser_));
  EXPECT_EQ(judged(kBrowser).received, Silence::browser_sent_no_ice_checks);
  browser_->connect({"ufrag1", "another password than ours"}, identity_->fingerprint(), true, now_);
  run(milliseconds{100});
  EXPECT_EQ(judged(kBrowser).received, Silence::ice_checks_refused);
}

TEST_F(PlaneVerdict, OnABrowserThatIsConnectedTellsThatItSendsNothing) {
  connect_call();
  EXPECT_EQ(judged(kBrowser).received, Silence::browser_sends_nothing);
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_EQ(judged(kBrowser).received, Silence::none);
}

TEST_F(PlaneVerdict, IsToldOnceWhenWhatCameStops) {
  connect_call();
  carrier_sends(seconds{5});
  EXPECT_THAT(events<MediaJudged>(), IsEmpty());
  run(milliseconds{1900});
  EXPECT_THAT(events<MediaJudged>(), IsEmpty());
  run(milliseconds{1000});
  ASSERT_THAT(events<MediaJudged>(), SizeIs(1));
  EXPECT_EQ(events<MediaJudged>()[0].leg, kTrunk);
  EXPECT_EQ(events<MediaJudged>()[0].received, Silence::trunk_sends_nothing);
  run(seconds{10});
  EXPECT_THAT(events<MediaJudged>(), SizeIs(1));
  const std::size_t first = events<FirstPacket>().size();
  carrier_sends(seconds{1});
  EXPECT_EQ(events<FirstPacket>().size(), first + 1);
  run(seconds{3});
  EXPECT_THAT(events<MediaJudged>(), SizeIs(2));
}

// RFC 3389 §3: after a comfort noise packet nothing need come
TEST_F(PlaneVerdict, IsNotToldOfAPeerThatHasAnnouncedItsSilence) {
  connect_call();
  const PayloadRoute noise{13, 13, 8000, 8000, false};
  execute(SetRoute{kTrunk, kBrowser, {noise, {0, 0, 8000, 8000, false}}});
  carrier_sends(seconds{1});
  from_carrier(carrier_.packet(audio(), 13));
  run(seconds{10});
  EXPECT_THAT(events<MediaJudged>(), IsEmpty());
}

// RFC 3550 §6.4.1: the peer's report blocks say whether anything arrives
TEST_F(PlaneVerdict, TellsAPeerThatDoesNotHear) {
  connect_call();
  browser_->send_tone(440, now_);
  const auto report = [this](std::uint32_t highest) {
    rtp::ReportBlock block;
    block.ssrc = 0xc0000002;
    block.highest_sequence = highest;
    std::vector<std::uint8_t> bytes(200);
    bytes.resize(rtp::write_report(bytes, {carrier_.ssrc, {}, {&block, 1}, "peer", false}));
    receive(kRtcp1, at("198.51.100.9:5001"), bytes);
  };
  run(milliseconds{500});
  report(1000);
  run(milliseconds{500});
  report(1025);
  EXPECT_THAT(events<MediaJudged>(), IsEmpty());
  run(milliseconds{1500});
  report(1025);
  EXPECT_THAT(events<MediaJudged>(), IsEmpty());
  run(milliseconds{1500});
  report(1025);
  ASSERT_THAT(events<MediaJudged>(), SizeIs(1));
  EXPECT_EQ(events<MediaJudged>()[0].sent, Silence::one_way_to_trunk);
  EXPECT_EQ(judged(kTrunk).sent, Silence::one_way_to_trunk);
  report(1100);
  EXPECT_EQ(judged(kTrunk).sent, Silence::none);
}

}  // namespace
}  // namespace trunkline::media
