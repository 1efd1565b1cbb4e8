// A browser whose media come over TCP connections (RFC 6544).
#include "plane_world.hpp"

namespace trunkline::media {
namespace {

using test::at;
using testing::IsEmpty;
using testing::SizeIs;

class PlaneConnection : public test::PlaneWorld {
 protected:
  static constexpr SocketIndex kFirst = kFirstConnection, kSecond = kFirstConnection + 1;

  PlaneConnection() { browser_socket_ = kFirst; }
  void speak(int packets = 5) {
    for (int i = 0; i < packets; ++i)
      from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
    run(milliseconds{20});
  }
  std::size_t sent_over(SocketIndex socket) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(sent_, [&](const test::Sent& one) { return one.socket == socket; }));
  }
};

// RFC 6544 §10: media over a connection [ice-tcp]
TEST_F(PlaneConnection, CarriesIceDtlsAndSound) {
  connect_call();
  ASSERT_TRUE(browser_->dtls_connected());
  speak();
  EXPECT_EQ(browser_->received().rtp, 5u);
  browser_->send_tone(440, now_);
  run(milliseconds{100});
  EXPECT_GE(audio_to_carrier().size(), 4u);
  EXPECT_EQ(sent_over(kBrowserSocket), 0u);
}

TEST_F(PlaneConnection, IsServedOnceACheckWasValid) {
  execute(browser_order(*browser_));
  EXPECT_FALSE(plane_->serves(kFirst));
  browser_->connect({"ufrag1", "notthepasswordthatisours"}, identity_->fingerprint(), true, now_);
  run(milliseconds{600});
  EXPECT_FALSE(plane_->serves(kFirst));
  browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  run(milliseconds{600});
  EXPECT_TRUE(plane_->serves(kFirst));
  execute(RemoveLeg{kBrowser});
  EXPECT_FALSE(plane_->serves(kFirst));
}

TEST_F(PlaneConnection, OfTheSameAddressAsADatagramIsAnotherWay) {
  connect_call();
  const double before = dropped("webrtc", "unknown_source");
  browser_->send_tone(440, now_);
  browser_->on_deadline(now_);
  for (const auto& datagram : browser_->take_datagrams())
    receive(kBrowserSocket, browser_address_, datagram);
  EXPECT_EQ(dropped("webrtc", "unknown_source"), before + 1);
}

TEST_F(PlaneConnection, ThatIsClosedTakesNothingMoreWithIt) {
  connect_call();
  plane_->close_connection(kFirst, now_);
  EXPECT_FALSE(plane_->serves(kFirst));
  const auto before = sent_over(kFirst);
  from_carrier(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  EXPECT_EQ(sent_over(kFirst), before) << "its number may be another's now";
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
}

TEST_F(PlaneConnection, ThatComesAgainGoesOnWithTheSameAssociation) {
  connect_call();
  plane_->close_connection(kFirst, now_);
  browser_socket_ = kSecond;
  browser_address_ = at("192.0.2.99:7777");
  run(seconds{1});
  speak();
  EXPECT_EQ(browser_->received().rtp, 5u);
  EXPECT_THAT(events<DtlsConnected>(), SizeIs(1));
}

TEST_F(PlaneConnection, ThatDoesNotComeAgainFailsTheLegWhenConsentRunsOut) {
  connect_call();
  browser_->pause_checks(true);
  plane_->close_connection(kFirst, now_);
  run(seconds{29});
  EXPECT_THAT(events<LegFailed>(), IsEmpty());
  run(seconds{2});
  ASSERT_THAT(events<LegFailed>(), SizeIs(1));
  EXPECT_EQ(events<LegFailed>()[0].failure, MediaFailure::consent_expired);
}

TEST_F(PlaneConnection, AndDatagramsTakeTurns) {
  connect_call();
  for (const SocketIndex socket : {kBrowserSocket, kSecond}) {
    browser_socket_ = socket;
    run(seconds{3});
    const auto before = browser_->received().rtp;
    speak();
    EXPECT_EQ(browser_->received().rtp, before + 5);
  }
}

TEST_F(PlaneConnection, ServesOneSession) {
  connect_call();
  trunkline::test::BrowserMedia other({}, random_);
  execute(browser_order(other, kSecondBrowser));
  other.connect({"ufrag4", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
  other.on_deadline(now_);
  const auto before = sent_over(kFirst);
  for (const auto& datagram : other.take_datagrams())
    receive(kFirst, browser_address_, datagram);
  EXPECT_EQ(sent_over(kFirst), before) << "no answer";
  EXPECT_THAT(events<IceConnected>(), SizeIs(1));
}

TEST_F(PlaneConnection, BeyondTheirNumberIsNobodys) {
  browser_socket_ = kFirstConnection + static_cast<SocketIndex>(kMaxConnections);
  connect_call();
  EXPECT_FALSE(plane_->serves(browser_socket_));
  EXPECT_FALSE(browser_->dtls_connected());
  plane_->close_connection(browser_socket_, now_);
}

}  // namespace
}  // namespace trunkline::media
