#include "simulation.hpp"
#include <gmock/gmock.h>

// Calls that a trunk sends on by 301 or 302: where they are followed to, and where they are not.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

struct Redirect : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* second = nullptr;

  void SetUp() override {
    world.settings.trunks[0].allow = {*AddressRange::parse("192.0.2.9"),
                                      *AddressRange::parse("192.0.2.20")};
    world.settings.trunks[0].max_redirects = 3;
    restart();
  }
  void restart() {
    world.restart();
    alice = &world.registered("alice", 100000);
    if (second == nullptr) second = &world.other_trunk("192.0.2.20:5060");
  }
  void TearDown() override { world.expect_nothing_left(); }

  sip::TransactionId dial() {
    return world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer),
                                  "alice");
  }
  sip::RequestReceived invited(Peer& peer) {
    auto invite = peer.take_request(Method::invite);
    EXPECT_TRUE(invite) << peer.name;
    return invite ? *invite : sip::RequestReceived{};
  }
  void refuse(Peer& peer, const sip::RequestReceived& invite, int status,
              std::initializer_list<std::string_view> contacts = {}) {
    sip::Message response = sip::make_response(invite.request, status, "t-" + peer.name);
    for (const auto contact : contacts)
      response.add(HeaderName::contact, contact);
    peer.respond(invite, std::move(response));
    world.settle();
  }
  void respond(Peer& peer, const sip::RequestReceived& invite, int status,
               std::string_view sdp = {}) {
    peer.respond(invite, status, sdp, "t-" + peer.name);
    world.settle();
  }
  int final_of(sip::TransactionId call) {
    const auto response = alice->take_response(200, call);
    return response ? response->response.status() : 0;
  }
  Failure ended() const {
    const auto all = world.observed<CallEnded>();
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? Failure{} : all.back().end;
  }
};

// RFC 3261 §8.1.3.4: a new request of the same call [redirect]
TEST_F(Redirect, IsFollowedWithinTheSameCall) {
  const auto call = dial();
  const auto first = invited(world.trunk());
  refuse(world.trunk(), first, 302, {"<sip:777@192.0.2.20?Replaces=x>"});
  EXPECT_EQ(final_of(call), 0);
  const auto next = invited(*second);
  EXPECT_EQ(next.request.request_uri(), "sip:777@192.0.2.20");
  EXPECT_EQ(next.request.header(HeaderName::call_id), first.request.header(HeaderName::call_id));
  EXPECT_EQ(next.request.header(HeaderName::from), first.request.header(HeaderName::from));
  EXPECT_EQ(next.request.header(HeaderName::to), first.request.header(HeaderName::to));
  EXPECT_EQ(sip::cseq_of(next.request).number, sip::cseq_of(first.request).number + 1);
  EXPECT_NE(sip::top_via(next.request).branch(), sip::top_via(first.request).branch());
  EXPECT_EQ(next.request.body(), first.request.body());
  respond(*second, next, 200, trunk_sdp());
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  EXPECT_THAT(answer->response.serialize(), Not(HasSubstr("192.0.2.20")));
  EXPECT_EQ(second->acks, 1);
  alice->ack(*answer);
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto bye = second->take_request(Method::bye);
  ASSERT_TRUE(bye);
  second->respond(*bye, 200);
}

TEST_F(Redirect, AfterItRangIsFollowedToo) {
  const auto call = dial();
  const auto first = invited(world.trunk());
  respond(world.trunk(), first, 180);
  refuse(world.trunk(), first, 302, {"<sip:777@192.0.2.20>"});
  respond(*second, invited(*second), 486);
  EXPECT_EQ(final_of(call), 486);
  EXPECT_EQ(ended().phase, Phase::ringing);
}

// RFC 3261 §8.1.3.4: contacts are tried by preference [redirect]
// RFC 3261 §16.7: the best refusal counts [best-refusal]
TEST_F(Redirect, GoesThroughTheContactsByPreference) {
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 301,
         {"<sip:c@192.0.2.20>;q=0.1", "<sip:a@192.0.2.20>;q=0.9", "<sip:b@192.0.2.20>;q=0.5"});
  for (const std::string_view uri : {"sip:a@192.0.2.20", "sip:b@192.0.2.20", "sip:c@192.0.2.20"}) {
    const auto invite = invited(*second);
    EXPECT_EQ(invite.request.request_uri(), uri);
    refuse(*second, invite, uri.starts_with("sip:b") ? 486 : 480);
  }
  EXPECT_EQ(final_of(call), 486) << "the best refusal, not the last";
}

TEST_F(Redirect, EndsWithA6xx) {
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 302, {"<sip:a@192.0.2.20>", "<sip:b@192.0.2.20>"});
  refuse(*second, invited(*second), 603);
  EXPECT_FALSE(second->take_request(Method::invite));
  EXPECT_EQ(final_of(call), 603);
}

// RFC 3261 §8.1.3.4: nowhere twice [redirect]
TEST_F(Redirect, ThatLeadsInACircleEnds) {
  const auto call = dial();
  const auto first = invited(world.trunk());
  refuse(world.trunk(), first, 302,
         {"<" + std::string(first.request.request_uri()) + ">", "<sip:a@192.0.2.20>"});
  refuse(*second, invited(*second), 302, {"<sip:a@192.0.2.20>", "<sip:5551000@192.0.2.9:5060>"});
  EXPECT_EQ(final_of(call), 480);
  EXPECT_EQ(ended().sip_code, 302);
  EXPECT_EQ(ended().grpc_reason(), "REDIRECTED");
}

// RFC 3261 §8.1.3.4: no more than the limit [redirect]
TEST_F(Redirect, EndsAtItsLimit) {
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 302, {"<sip:1@192.0.2.20>"});
  for (const std::string_view uri :
       {"<sip:2@192.0.2.20>", "<sip:3@192.0.2.20>", "<sip:4@192.0.2.20>"})
    refuse(*second, invited(*second), 302, {uri});
  EXPECT_FALSE(second->take_request(Method::invite));
  EXPECT_EQ(final_of(call), 480);
  const Failure end = ended();
  EXPECT_EQ(end.grpc_code(), GrpcCode::failed_precondition);
  EXPECT_EQ(end.grpc_reason(), "REDIRECTED");
}

// RFC 3261 §8.1.3.4: only to addresses of the trunk [redirect-where]
// RFC 3261 §8.1.3.4: an inner address is not followed [race-redirect-inside]
TEST_F(Redirect, LeadsNowhereButToTheTrunk) {
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 302,
         {"<sip:777@127.0.0.1>", "<sip:777@10.0.0.1:22>", "<sip:777@192.0.2.1>",
          "<sip:777@evil.example.test>"});
  EXPECT_EQ(final_of(call), 480);
  const Failure end = ended();
  EXPECT_EQ(end.sip_code, 302);
  EXPECT_THAT(end.detail.contacts, ElementsAre("sip:777@127.0.0.1", "sip:777@10.0.0.1:22",
                                               "sip:777@192.0.2.1", "sip:777@evil.example.test"));
}

// RFC 3261 §8.1.3.4: nor our own [race-redirect-inside]
TEST_F(Redirect, NeverAimsACallAtTheGatewayItself) {
  world.settings.trunks[0].allow = {*AddressRange::parse("192.0.2.0/24")};
  restart();
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 302, {"<sip:1001@192.0.2.1:5060>"});
  EXPECT_EQ(final_of(call), 480);
}

TEST_F(Redirect, OfAnotherKindIsAPersonsDecision) {
  for (const int status : {300, 305, 380}) {
    const auto call = dial();
    refuse(world.trunk(), invited(world.trunk()), status, {"<sip:777@192.0.2.20>"});
    EXPECT_EQ(final_of(call), 480) << status;
  }
  EXPECT_FALSE(second->take_request(Method::invite));
}

// RFC 3261 §8.1.3.4: no contact of a trunk reaches the caller [redirect-where]
TEST_F(Redirect, IsNotFollowedUnlessTheTrunkAllowsIt) {
  world.settings.trunks[0].max_redirects = 0;
  restart();
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 302, {"<sip:777@192.0.2.20>"});
  const auto refused = alice->take_response(200, call);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 480);
  EXPECT_FALSE(refused->response.header(HeaderName::contact)) << "a trunk's contact stays with us";
  EXPECT_THAT(ended().detail.contacts, ElementsAre("sip:777@192.0.2.20"));
}

TEST_F(Redirect, AfterEarlyMediaIsNotFollowed) {
  const auto call = dial();
  const auto first = invited(world.trunk());
  respond(world.trunk(), first, 183, trunk_sdp());
  refuse(world.trunk(), first, 302, {"<sip:777@192.0.2.20>"});
  EXPECT_EQ(final_of(call), 480);
  EXPECT_EQ(ended().phase, Phase::early_media);
}

TEST_F(Redirect, TheNextContactIsTriedAlsoAfterSilence) {
  const auto call = dial();
  second->silent = true;
  refuse(world.trunk(), invited(world.trunk()), 302,
         {"<sip:a@192.0.2.20>", "<sip:b@192.0.2.9:5060>"});
  world.pass(seconds{33});
  const auto next = invited(world.trunk());
  EXPECT_EQ(next.request.request_uri(), "sip:b@192.0.2.9:5060");
  respond(world.trunk(), next, 486);
  EXPECT_EQ(final_of(call), 486);
}

TEST_F(Redirect, ACallThatIsCancelledGoesNowhere) {
  const auto call = dial();
  const auto first = invited(world.trunk());
  respond(world.trunk(), first, 180);
  alice->cancel(call);
  world.settle();
  refuse(world.trunk(), first, 302, {"<sip:777@192.0.2.20>"});
  EXPECT_FALSE(second->take_request(Method::invite));
  EXPECT_EQ(final_of(call), 487);
}

// RFC 3261 §9.1: CANCEL goes where its INVITE went [cancel-fields]
// RFC 3261 §9.1: CANCEL reaches who rings behind a redirection [race-cancel-while-ringing]
TEST_F(Redirect, ACancelReachesWhereItWent) {
  const auto call = dial();
  refuse(world.trunk(), invited(world.trunk()), 302, {"<sip:777@192.0.2.20>"});
  const auto next = invited(*second);
  respond(*second, next, 180);
  alice->cancel(call);
  world.settle();
  EXPECT_THAT(second->cancels, SizeIs(1));
  EXPECT_THAT(world.trunk().cancels, SizeIs(0));
  respond(*second, next, 487);
  EXPECT_EQ(final_of(call), 487);
}

TEST_F(Redirect, ItsCredentialsAreMadeAnew) {
  const auto call = dial();
  const auto first = invited(world.trunk());
  auto challenge = sip::make_response(first.request, 407, "t");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"abc\", qop=\"auth\"");
  world.trunk().respond(first, std::move(challenge));
  world.settle();
  refuse(world.trunk(), invited(world.trunk()), 302, {"<sip:777@192.0.2.20>"});
  const auto next = invited(*second);
  ASSERT_EQ(next.request.count(HeaderName::proxy_authorization), 1u);
  EXPECT_THAT(std::string(*next.request.header(HeaderName::proxy_authorization)),
              HasSubstr("uri=\"sip:777@192.0.2.20\""));
  refuse(*second, next, 404);
  EXPECT_EQ(final_of(call), 404);
}

TEST_F(Redirect, ABrowserRedirectsNobody) {
  Peer& bob = world.registered("bob", 100000);
  const auto call =
      world.answer_challenge(*alice, alice->invite("bob", "alice", kBrowserOffer), "alice");
  refuse(bob, invited(bob), 302, {"<sip:777@192.0.2.20>"});
  EXPECT_FALSE(second->take_request(Method::invite));
  EXPECT_EQ(final_of(call), 480);
}

}  // namespace
}  // namespace trunkline::call::simulation
