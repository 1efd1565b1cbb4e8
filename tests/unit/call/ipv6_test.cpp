#include "simulation.hpp"
#include <gmock/gmock.h>

// Signalling and media in two address families: which one a leg takes, and how it changes it.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kSix = "[2001:db8::9]:5060", kFour = "192.0.2.9:5060";

struct Ipv6Calls : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* six = nullptr;

  void SetUp() override {
    world.settings.trunks[0].uri = *sip::Uri::parse("sip:carrier.test");
    world.settings.trunks[0].allow = {*AddressRange::parse("192.0.2.0/24"),
                                      *AddressRange::parse("2001:db8::/32")};
    world.use_ipv6();
    six = &world.other_trunk(kSix);
    begin();
  }
  void begin() {
    alice = &world.registered("alice", 100000);
    locate({kSix, kFour});
  }
  void TearDown() override { world.expect_nothing_left(); }

  void locate(const std::vector<std::string_view>& places) {
    std::vector<ServerTarget> targets;
    for (const std::string_view place : places)
      targets.push_back({sip::Transport::udp, *SocketAddress::parse(place), 0, 0, 0});
    world.engine->trunk_located("carrier", targets);
  }
  sip::TransactionId dial() {
    return world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer),
                                  "alice");
  }
  sip::RequestReceived invited(Peer& peer) {
    auto invite = peer.take_request(Method::invite);
    EXPECT_TRUE(invite) << peer.self.remote.text() << " got no INVITE";
    return invite ? *invite : sip::RequestReceived{};
  }
  void respond(Peer& peer, const sip::RequestReceived& request, int status,
               std::string_view sdp = {}) {
    peer.respond(request, status, sdp, "t-" + peer.name);
    world.settle();
  }
  int status_of(sip::TransactionId call) {
    const auto response = alice->take_response(200, call);
    if (!response) return 0;
    if (response->response.status() == 200) {
      alice->ack(*response);
      world.settle();
    }
    return response->response.status();
  }
  void hang_up(Peer& callee) {
    alice->send_in_dialog(Method::bye);
    world.settle();
    const auto bye = callee.take_request(Method::bye);
    ASSERT_TRUE(bye);
    respond(callee, *bye, 200);
  }
  media::TrunkRemote told() const {
    return world.media_commands<media::UpdateTrunkLeg>().back().remote;
  }
  SocketAddress local() const {
    const auto updates = world.media_commands<media::UpdateTrunkLeg>();
    if (!updates.empty() && updates.back().local) return *updates.back().local;
    return world.media_commands<media::AddTrunkLeg>().back().local;
  }
  /// A call of the trunk's to alice with this offer, up to her INVITE.
  sip::TransactionId call_alice(Peer& trunk, std::string_view sdp) {
    const auto call = trunk.invite("1001", "+4930", sdp);
    world.settle();
    return call;
  }
  static std::string sdp(std::string_view address, int version = 1) {
    return trunk_sdp("sendrecv", version, "0 101", address);
  }
};

// RFC 5118 §4.6: Via, Contact and description are of the family of the trunk [ipv6-messages]
// RFC 3264 §5.1: one of each family [media-interface]
TEST_F(Ipv6Calls, ATrunkIsCalledInItsFamily) {
  const auto call = dial();
  const auto invite = invited(*six);
  EXPECT_EQ(sip::top_via(invite.request).host, "[2001:db8::1]");
  EXPECT_THAT(std::string(invite.request.header(HeaderName::contact).value_or("")),
              HasSubstr("@[2001:db8::1]:5060;"));
  EXPECT_THAT(std::string(invite.request.body()), HasSubstr("\r\nc=IN IP6 2001:db8::1\r\n"));
  EXPECT_THAT(std::string(invite.request.body()), HasSubstr(" IN IP6 2001:db8::1\r\n"));
  EXPECT_EQ(local().ip, *IpAddress::parse("2001:db8::1"));
  respond(*six, invite, 200, sdp("2001:db8::20"));
  EXPECT_EQ(status_of(call), 200);
  EXPECT_EQ(told().rtp, *SocketAddress::parse("[2001:db8::20]:40000"));
  EXPECT_EQ(alice->self.remote.ip.is_v4(), true) << "the browser is reached by IPv4";
  hang_up(*six);
}

TEST_F(Ipv6Calls, ATrunkOfIpv4IsCalledByIpv4) {
  locate({kFour});
  const auto call = dial();
  const auto invite = invited(world.trunk());
  EXPECT_EQ(sip::top_via(invite.request).host, "192.0.2.1");
  EXPECT_THAT(std::string(invite.request.body()), HasSubstr("c=IN IP4 192.0.2.1"));
  respond(world.trunk(), invite, 486);
  EXPECT_EQ(status_of(call), 486);
}

// RFC 3263 §4.3: the next target may be of the other family, and so is all that it is told
// [race-failover-shared]
TEST_F(Ipv6Calls, TheNextTargetIsOfferedItsOwnFamily) {
  const auto call = dial();
  const auto first = invited(*six);
  const SocketAddress before = local();
  respond(*six, first, 503);
  const auto second = invited(world.trunk());
  EXPECT_EQ(second.request.header(HeaderName::call_id), first.request.header(HeaderName::call_id));
  EXPECT_EQ(sip::top_via(second.request).host, "192.0.2.1");
  EXPECT_THAT(std::string(second.request.header(HeaderName::contact).value_or("")),
              HasSubstr("@192.0.2.1:5060;"));
  EXPECT_THAT(std::string(second.request.body()), HasSubstr("c=IN IP4 192.0.2.1"));
  EXPECT_THAT(std::string(second.request.body()), Not(HasSubstr("IP6")));
  EXPECT_EQ(local().ip, *IpAddress::parse("192.0.2.1"));
  EXPECT_NE(local(), before);
  EXPECT_EQ(told().host, *IpAddress::parse("192.0.2.9"));
  respond(world.trunk(), second, 200, sdp("192.0.2.20"));
  EXPECT_EQ(status_of(call), 200);
  EXPECT_EQ(told().rtp, *SocketAddress::parse("192.0.2.20:40000"));
  hang_up(world.trunk());
  EXPECT_THAT(world.media_commands<media::AddTrunkLeg>(), SizeIs(1)) << "one leg all along";
}

TEST_F(Ipv6Calls, AnAnswerOfTheOtherFamilyIsNone) {
  const auto call = dial();
  const auto invite = invited(*six);
  respond(*six, invite, 200, sdp("192.0.2.20"));
  EXPECT_EQ(status_of(call), 488);
  world.settle();
  const auto bye = six->take_request(Method::bye);
  ASSERT_TRUE(bye);
  respond(*six, *bye, 200);
}

TEST_F(Ipv6Calls, AnAnswerOnHoldByTheOldAddressIsOne) {
  const auto call = dial();
  respond(*six, invited(*six), 200, sdp("0.0.0.0"));
  EXPECT_EQ(status_of(call), 200);
  EXPECT_TRUE(told().rtp.empty());
  hang_up(*six);
}

// RFC 5118 §4.6: the answer is of the family of the offer, whatever carries it [ipv6-messages]
TEST_F(Ipv6Calls, AnOfferIsAnsweredInItsOwnFamily) {
  const auto call = call_alice(world.trunk(), sdp("2001:db8::20"));
  const auto invite = invited(*alice);
  respond(*alice, invite, 200, browser_answer());
  const auto answer = world.trunk().take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("c=IN IP6 2001:db8::1"));
  EXPECT_THAT(std::string(answer->response.header(HeaderName::contact).value_or("")),
              HasSubstr("@192.0.2.1:5060"))
      << "signalling stays where it is";
  EXPECT_EQ(local().ip, *IpAddress::parse("2001:db8::1"));
  world.trunk().ack(*answer);
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  respond(*alice, *alice->take_request(Method::bye), 200);
}

// RFC 5118 §4.9: a mapped address is answered as the IPv4 address that it is [ipv6-messages]
TEST_F(Ipv6Calls, AMappedAddressIsAnsweredByIpv4) {
  const auto call = call_alice(*six, sdp("::ffff:192.0.2.20"));
  respond(*alice, invited(*alice), 200, browser_answer());
  const auto answer = six->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("c=IN IP4 192.0.2.1"));
  EXPECT_EQ(told().rtp, *SocketAddress::parse("192.0.2.20:40000"));
  six->ack(*answer);
  six->send_in_dialog(Method::bye);
  world.settle();
  respond(*alice, *alice->take_request(Method::bye), 200);
}

TEST_F(Ipv6Calls, AnOfferOfAFamilyThatWeDoNotHaveIsRefused) {
  world.media_addresses.pop_back();
  world.restart();
  begin();
  const auto call = call_alice(*six, sdp("2001:db8::20"));
  const auto refusal = six->take_response(200, call);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->response.status(), 488);
  EXPECT_EQ(refusal->response.header(HeaderName::warning),
            "301 example.test \"Incompatible network address formats\"");
  EXPECT_EQ(world.observed<CallEnded>().back().end.reason, EndReason::no_codec);
}

TEST_F(Ipv6Calls, WithoutMediaOfItsFamilyATrunkIsOfferedTheOther) {
  world.media_addresses.pop_back();
  world.restart();
  begin();
  const auto call = dial();
  const auto invite = invited(*six);
  EXPECT_EQ(sip::top_via(invite.request).host, "[2001:db8::1]");
  EXPECT_THAT(std::string(invite.request.body()), HasSubstr("c=IN IP4 192.0.2.1"));
  respond(*six, invite, 486);
  EXPECT_EQ(status_of(call), 486);
}

// RFC 3264 §8.3.1: media that move to the other family are followed there [reoffer-address]
TEST_F(Ipv6Calls, AReofferOfTheOtherFamilyIsFollowed) {
  const auto call = dial();
  const auto invite = invited(*six);
  respond(*six, invite, 200, sdp("2001:db8::20"));
  ASSERT_EQ(status_of(call), 200);
  six->dialog = *sip::Dialog::as_uas(invite.request, "t-" + six->name);
  ASSERT_TRUE(six->dialog);
  const auto moved = six->send_in_dialog(Method::invite, "application/sdp", sdp("192.0.2.20", 2));
  world.settle();
  const auto answer = six->take_response(200, moved);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("c=IN IP4 192.0.2.1"));
  EXPECT_EQ(local().ip, *IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(told().rtp, *SocketAddress::parse("192.0.2.20:40000"));
  six->ack(*answer);
  world.settle();
  hang_up(*six);
}

TEST_F(Ipv6Calls, ARefusedReofferOfTheOtherFamilyLeavesTheMediaWhereTheyAre) {
  const auto call = dial();
  const auto invite = invited(*six);
  respond(*six, invite, 200, sdp("2001:db8::20"));
  ASSERT_EQ(status_of(call), 200);
  const SocketAddress before = local();
  six->dialog = *sip::Dialog::as_uas(invite.request, "t-" + six->name);
  const auto moved = six->send_in_dialog(Method::invite, "application/sdp",
                                         trunk_sdp("sendonly", 2, "0 101", "192.0.2.20"));
  world.settle();
  respond(*alice, invited(*alice), 488);
  const auto refusal = six->take_response(200, moved);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->response.status(), 488);
  EXPECT_EQ(local(), before);
  hang_up(*six);
}

TEST_F(Ipv6Calls, ARequestInTheDialogGoesToAContactOfTheOtherFamily) {
  const auto call = dial();
  const auto invite = invited(*six);
  sip::Message answer = sip::make_response(invite.request, 200, "t-" + six->name);
  answer.add(HeaderName::contact, "<sip:carrier@192.0.2.9:5060>");
  answer.set_body("application/sdp", sdp("2001:db8::20"));
  six->respond(invite, std::move(answer));
  world.settle();
  ASSERT_EQ(status_of(call), 200);
  hang_up(world.trunk());
}

// RFC 8421 §4: the page is given candidates of both families; c= is of that by which it came
TEST_F(Ipv6Calls, APageIsGivenCandidatesOfBothFamilies) {
  const auto call = dial();
  respond(*six, invited(*six), 200, sdp("2001:db8::20"));
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  const std::string body(answer->response.body());
  EXPECT_THAT(body, HasSubstr(" 192.0.2.1 19000 typ host"));
  EXPECT_THAT(body, HasSubstr(" 2001:db8::1 19000 typ host"));
  EXPECT_THAT(body, HasSubstr("c=IN IP4 192.0.2.1"));
  alice->ack(*answer);
  world.settle();
  hang_up(*six);
}

// RFC 3264 §5.1: the leg is there, and knows whom it may hear, before the offer leaves
// [receive-early]
TEST_F(Ipv6Calls, TheLegListensToTheHostThatIsCalled) {
  const auto call = dial();
  const auto legs = world.media_commands<media::AddTrunkLeg>();
  ASSERT_THAT(legs, SizeIs(1));
  EXPECT_EQ(legs[0].remote.host, *IpAddress::parse("2001:db8::9"));
  EXPECT_TRUE(legs[0].remote.rtp.empty());
  respond(*six, invited(*six), 486);
  EXPECT_EQ(status_of(call), 486);
}

}  // namespace
}  // namespace trunkline::call::simulation
