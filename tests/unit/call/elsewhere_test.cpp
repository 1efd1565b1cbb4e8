#include "elsewhere_fixture.hpp"
#include "transfer_fixture.hpp"
#include <gmock/gmock.h>

// Users whose devices are at another node, which is a peer here.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Elsewhere : OtherNode {
  /// The trunk calls alice; what is asked of the store.
  QuestionId call() {
    world.trunk().invite("1001", "+4930123456", trunk_sdp());
    world.settle();
    EXPECT_THAT(world.look_ups, SizeIs(1));
    return world.look_ups.empty() ? QuestionId{} : world.look_ups.back().id;
  }
  sip::RequestReceived invited(Peer& peer) {
    auto invite = peer.take_request(Method::invite);
    EXPECT_TRUE(invite) << peer.name << " got no INVITE";
    return invite ? std::move(*invite) : sip::RequestReceived{};
  }
  /// An INVITE of the other node's for alice, without what shows that it is one.
  static sip::Message between_nodes() {
    auto request = sip::Message::request(Method::invite, "sip:alice@192.0.2.1:5060;transport=udp");
    request.add(HeaderName::from, "<sip:bob@example.test>;tag=there");
    request.add(HeaderName::to, "<sip:alice@example.test>");
    request.add(HeaderName::call_id, "between-nodes");
    request.add(HeaderName::cseq, "1 INVITE");
    request.add(HeaderName::max_forwards, "70");
    request.add(HeaderName::contact, "<sip:trunkline@192.0.2.12:5060>");
    request.set_body("application/sdp", trunk_sdp());
    return request;
  }
  int final_response() {
    const auto response = world.trunk().take_response(200);
    return response ? response->response.status() : 0;
  }
};

TEST_F(Elsewhere, ACallGoesToTheNodeThatHasTheUser) {
  world.locate(call(), at({"edge-2"}));
  const auto invite = invited(*other);
  EXPECT_EQ(invite.request.request_uri(), "sip:alice@192.0.2.12:5060;transport=udp");
  EXPECT_THAT(std::string(*invite.request.header(HeaderName::to)), HasSubstr("alice@example.test"));
  EXPECT_EQ(*invite.request.header(HeaderName::contact),
            "<sip:trunkline@10.0.0.1:5061;transport=udp>");
  const auto introduction = there.check(invite.request, world.now.time_since_epoch() / seconds{1});
  ASSERT_TRUE(introduction) << introduction.error().message;
  EXPECT_EQ(introduction->from, "test");
  other->respond(invite, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(final_response(), 200);
  world.end_all();
  world.pass(seconds{40});
}

TEST_F(Elsewhere, ANodeWithSeveralDevicesIsCalledOnce) {
  Locations found = at({"edge-2"});
  found.all.push_back(found.all.front());
  world.locate(call(), found);
  invited(*other);
  EXPECT_FALSE(other->take_request(Method::invite));
  world.end_all();
  world.pass(seconds{40});
}

TEST_F(Elsewhere, DevicesHereRingBeforeTheStoreHasAnswered) {
  Peer& alice = world.registered("alice");
  const QuestionId question = call();
  alice.respond(invited(alice), 180);
  world.settle();
  world.locate(question, at({"edge-2"}));
  const auto invite = invited(*other);
  other->respond(invite, 200, trunk_sdp());
  world.settle();
  EXPECT_EQ(final_response(), 200);
  EXPECT_THAT(alice.cancels, SizeIs(1));
  world.end_all();
  world.pass(seconds{40});
}

TEST_F(Elsewhere, ARefusalHereWaitsForTheStore) {
  Peer& alice = world.registered("alice");
  const QuestionId question = call();
  alice.respond(invited(alice), 486);
  world.settle();
  EXPECT_EQ(final_response(), 0);
  world.locate(question, at({}));
  EXPECT_EQ(final_response(), 486);
  world.pass(seconds{40});
}

TEST_F(Elsewhere, NobodyAnywhereIs480) {
  world.locate(call(), at({}));
  EXPECT_EQ(final_response(), 480);
  world.pass(seconds{40});
}

TEST_F(Elsewhere, AStoreThatSaysNothingCostsOneSecond) {
  const QuestionId question = call();
  world.pass(milliseconds{900});
  EXPECT_EQ(final_response(), 0);
  world.pass(milliseconds{200});
  EXPECT_EQ(final_response(), 480);
  world.locate(question, at({"edge-2"}));  // too late: it changes nothing
  EXPECT_FALSE(other->take_request(Method::invite));
  world.pass(seconds{40});
}

TEST_F(Elsewhere, ANodeThatIsSilentIsGivenUpAfterTwoSeconds) {
  other->silent = true;
  world.locate(call(), at({"edge-2"}));
  world.pass(milliseconds{2100});
  EXPECT_EQ(final_response(), 480);
  world.pass(seconds{40});
}

TEST_F(Elsewhere, ACallerWhoGivesUpEndsTheSearch) {
  const auto invite = world.trunk().invite("1001", "+4930123456", trunk_sdp());
  world.settle();
  const QuestionId question = world.look_ups.back().id;
  world.pass(milliseconds{300});  // until the 100, which a CANCEL waits for
  world.trunk().cancel(invite);
  world.settle();
  EXPECT_EQ(final_response(), 487);
  world.locate(question, at({"edge-2"}));
  EXPECT_FALSE(other->take_request(Method::invite));
  world.pass(seconds{40});
}

TEST_F(Elsewhere, ACallOfAnotherNodeRingsDevicesHereAndGoesNoFurther) {
  Peer& alice = world.registered("alice");
  sip::Message request = between_nodes();
  sip::Message forged = request;
  vouch(request);
  other->send(request);
  world.settle();
  EXPECT_THAT(world.look_ups, IsEmpty());
  const auto invite = invited(alice);
  EXPECT_THAT(std::string(*invite.request.header(HeaderName::from)),
              HasSubstr("sip:bob@example.test"));
  alice.respond(invite, 480);
  world.settle();

  Replicas stranger({true}, "no secret of ours", "edge-2");
  forged.set(HeaderName::call_id, "forged");
  stranger.vouch(forged, "test", {}, world.now.time_since_epoch() / seconds{1});
  other->send(forged);
  world.settle();
  EXPECT_FALSE(alice.take_request(Method::invite));
  const auto refused = world.observed<RequestRefused>();
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].code, 403);
  EXPECT_EQ(refused[0].reason, "replica");
  world.pass(seconds{40});
}

TEST_F(Elsewhere, ACallToAUserWhoLeftMeanwhileIs480AtOnce) {
  sip::Message request = between_nodes();
  vouch(request);
  other->send(request);
  world.settle();
  const auto response = other->take_response(200);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 480);
  world.pass(seconds{40});
}

TEST_F(Elsewhere, RegistrationsOfAUserAreToldWithTheirNode) {
  world.registered("alice");
  const RequestId request = world.ask(ListRegistrations{"alice"});
  ASSERT_THAT(world.look_ups, SizeIs(1));
  world.locate(world.look_ups.back().id, at({"edge-2"}));
  const auto told = world.reply<Registrations>(request);
  ASSERT_TRUE(told);
  ASSERT_THAT(told->all, SizeIs(2));
  EXPECT_EQ(told->all[0].node, "");
  EXPECT_EQ(told->all[1].node, "edge-2");
}

TEST_F(Elsewhere, AnExplanationSaysWhereTheUserIs) {
  ExplainRoute explain;
  explain.to = "1001";
  explain.source = "trunk:carrier";
  const RequestId request = world.ask(explain);
  ASSERT_THAT(world.look_ups, SizeIs(1));
  world.locate(world.look_ups.back().id, at({"edge-2"}));
  const auto told = world.reply<RouteExplanation>(request);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->refused_with, 0);
  EXPECT_THAT(told->text, HasSubstr("on node edge-2 at 192.0.2.12:5060"));
}

struct TransferElsewhere : TransferCase {
  Peer* other = nullptr;

  void SetUp() override {
    share_registrations(world);
    TransferCase::SetUp();
    other = &world.other_trunk("192.0.2.12:5060");
  }
};

TEST_F(TransferElsewhere, IsLookedForNoLongerOnceTheTransferIsGivenUp) {
  const auto asked = transfer("user:bob", TransferMode::gateway, carrier_leg(), milliseconds{500});
  const auto invite = bob->take_request(Method::invite);
  ASSERT_TRUE(invite);
  bob->respond(*invite, 180);
  world.pass(milliseconds{600});
  ASSERT_TRUE(world.reply<Failure>(asked));
  bob->respond(*invite, 487);
  world.settle();
  ASSERT_THAT(world.look_ups, SizeIs(1));
  world.locate(world.look_ups.back().id, at({"edge-2"}));
  EXPECT_FALSE(other->take_request(Method::invite));
  expect_untouched();
  wind_up();
}

}  // namespace
}  // namespace trunkline::call::simulation
