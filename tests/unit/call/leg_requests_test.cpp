#include "early_call.hpp"
#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the requests and responses of each leg carry, and what of one leg never reaches the other.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

std::string fields(const sip::Message& message, HeaderName name) {
  std::string all;
  for (const auto value : message.headers(name))
    all.append(value).append(", ");
  return all;
}

struct LegRequests : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;

  void SetUp() override {
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
  }
  sip::TransactionId dial() {
    return world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer),
                                  "alice");
  }
};

// RFC 3261 §8.1.1.5: the first CSeq is below 2^31 [cseq-start]
TEST_F(LegRequests, TheFirstSequenceNumberLeavesRoom) {
  for (int call = 0; call < 20; ++call) {
    dial();
    const auto invite = trunk->take_request(Method::invite);
    ASSERT_TRUE(invite);
    EXPECT_GE(sip::cseq_of(invite->request).number, 1U);
    EXPECT_LT(sip::cseq_of(invite->request).number, 0x80000000U);
    trunk->respond(*invite, 486);
    world.settle();
  }
  auto message = sip::Message::request(Method::message, "sip:5551000@example.test");
  message.add(HeaderName::from, "<sip:alice@example.test>;tag=m");
  message.add(HeaderName::to, "<sip:5551000@example.test>");
  message.add(HeaderName::call_id, "message");
  message.add(HeaderName::cseq, "4294967290 MESSAGE");
  message.set_body("text/plain", "hello");
  world.answer_challenge(*alice, alice->send(std::move(message)), "alice");
  const auto carried = trunk->take_request(Method::message);
  ASSERT_TRUE(carried);
  EXPECT_LT(sip::cseq_of(carried->request).number, 0x80000000U);
}

// RFC 3261 §13.2.1: an INVITE and its 2xx list what we take [allow-supported]
TEST_F(LegRequests, AllowAndSupportedAreInTheInviteAndInIts2xx) {
  const auto expect_listed = [](const sip::Message& message, bool reliable) {
    EXPECT_THAT(message.headers(HeaderName::allow),
                testing::IsSupersetOf({"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "REFER"}));
    EXPECT_THAT(message.headers(HeaderName::supported),
                testing::IsSupersetOf({"timer", "replaces"}));
    EXPECT_EQ(sip::has_token(message, HeaderName::supported, "100rel"), reliable)
        << "towards a page there is none";
  };
  const auto call = dial();
  const auto invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  expect_listed(invite->request, true);
  trunk->respond(*invite, 200, trunk_sdp());
  world.settle();
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  expect_listed(answer->response, false);

  const auto inbound = trunk->invite("1001", "5559", trunk_sdp());
  world.settle();
  const auto rings = alice->take_request(Method::invite);
  ASSERT_TRUE(rings);
  expect_listed(rings->request, false);
  alice->dialog.reset();
  alice->respond(*rings, 200, browser_answer());
  world.settle();
  const auto answered = trunk->take_response(200, inbound);
  ASSERT_TRUE(answered);
  expect_listed(answered->response, true);
}

// RFC 3261 §22.3: the credentials of one leg are of no other [credentials-stay]
TEST_F(LegRequests, CredentialsStayOnTheirLeg) {
  const auto call = dial();
  auto invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_THAT(invite->request.serialize(), Not(HasSubstr("uthorization")));
  auto challenge = sip::make_response(invite->request, 407, "t");
  challenge.add(HeaderName::proxy_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
  trunk->respond(*invite, std::move(challenge));
  world.settle();
  invite = trunk->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_THAT(fields(invite->request, HeaderName::proxy_authorization), HasSubstr("\"gw\""));
  EXPECT_FALSE(invite->request.header(HeaderName::authorization));
  EXPECT_THAT(invite->request.serialize(), Not(HasSubstr("realm=\"example.test\"")));
  trunk->respond(*invite, 200, trunk_sdp());
  world.settle();
  const auto answer = alice->take_response(200, call);
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->response.serialize(), Not(HasSubstr("uthenticat")));
  alice->ack(*answer);
  world.settle();
  // A request that is carried across does not bring hers along.
  auto message = alice->dialog->request(Method::message);
  message.add(HeaderName::authorization, *alice->sent.at(call).header(HeaderName::authorization));
  message.set_body("text/plain", "hello");
  alice->send(std::move(message));
  world.settle();
  const auto carried = trunk->take_request(Method::message);
  ASSERT_TRUE(carried);
  EXPECT_THAT(carried->request.serialize(), Not(HasSubstr("realm=\"example.test\"")));
}

struct InCall : EstablishedCall {
  /// The next final response to a request of hers.
  sip::Message answer_to(Peer& peer, sip::TransactionId sent) {
    world.settle();
    const auto response = peer.take_response(200, sent);
    EXPECT_TRUE(response);
    return response ? response->response : sip::Message::response(999, "");
  }
};

// RFC 3261 §11.2: OPTIONS in a dialog is answered and changes nothing [options-in-dialog]
TEST_F(InCall, OptionsInADialogIs200) {
  for (Peer* peer : {alice, trunk}) {
    const auto response = answer_to(*peer, peer->send_in_dialog(Method::options));
    EXPECT_EQ(response.status(), 200);
    for (const auto name : {HeaderName::allow, HeaderName::accept, HeaderName::supported,
                            HeaderName::accept_encoding}) {
      EXPECT_TRUE(response.header(name));
    }
  }
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §12.2.2: the target moves with each target refresh request that is in order
// RFC 6141 §4: also if the re-INVITE is refused [target-refresh-refused]
TEST_F(InCall, TheTargetMovesAlsoWithAReinviteThatIsRefused) {
  auto moved = trunk->dialog->request(Method::invite);
  moved.add(HeaderName::contact, "<sip:elsewhere@192.0.2.9:5066>");
  moved.set_body("application/sdp", trunk_sdp("sendrecv", 2, "18"));
  const auto refused = trunk->send(std::move(moved));
  EXPECT_EQ(answer_to(*trunk, refused).status(), 488);
  EXPECT_EQ(world.engine->calls(), 1U);
  Peer& there = world.other_trunk("192.0.2.9:5066");
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto bye = there.take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->request.request_uri(), "sip:elsewhere@192.0.2.9:5066");
  there.respond(*bye, 200);
  world.settle();
  world.expect_nothing_left();
}

// RFC 3261 §15: what comes in an ACK after the BYE is passed over [race-ack-after-bye]
TEST_F(InCall, AnAckWithAnAnswerAfterTheByeIsPassedOver) {
  const auto offerless = trunk->send_in_dialog(Method::invite);
  world.settle();
  const auto answer = trunk->take_response(200, offerless);
  ASSERT_TRUE(answer);
  ASSERT_THAT(std::string(answer->response.body()), HasSubstr("m=audio"));
  alice->send_in_dialog(Method::bye);
  world.settle();
  const auto before = world.media_log.size();
  trunk->ack(*answer, trunk_sdp("sendrecv", 2, "0 101", "192.0.2.77"));
  world.settle();
  EXPECT_EQ(world.media_log.size(), before);
  EXPECT_TRUE(ended(*trunk));
  EXPECT_FALSE(trunk->take_request(Method::bye)) << "one is enough";
  world.expect_nothing_left();
}

TEST_F(InCall, SoIsOneAfterTheByeOfItsSender) {
  const auto offerless = trunk->send_in_dialog(Method::invite);
  world.settle();
  const auto answer = trunk->take_response(200, offerless);
  ASSERT_TRUE(answer);
  trunk->send_in_dialog(Method::bye);
  world.settle();
  trunk->ack(*answer, trunk_sdp("sendrecv", 2));
  world.settle();
  EXPECT_TRUE(ended(*alice));
  EXPECT_FALSE(trunk->take_request(Method::bye));
  world.expect_nothing_left();
}

// ---------------------------------------------------------------- before the answer

// RFC 3261 §15.1.2: the caller may end its early dialog by BYE: 200, and 487 to the INVITE
// [caller-early-bye]
TEST_F(EarlyCall, TheCallerEndsItsEarlyDialogByBye) {
  dial();
  rings(180);
  ASSERT_TRUE(heard(180));
  alice->dialog = early;
  const auto bye = alice->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(status_of(bye), 200);
  const auto final = alice->take_response(300, call);
  ASSERT_TRUE(final);
  EXPECT_EQ(final->response.status(), 487);
  ASSERT_EQ(trunk->cancels.size(), 1U);
  trunk->respond(*invite, 487);
  world.settle();
  world.expect_nothing_left();
}

// RFC 3261 §13.2.2.4: a 2xx that crossed our CANCEL is ended by a BYE that goes by its own route
// set [race-crossed-200-route]
TEST_F(EarlyCall, AnAnswerThatCrossedTheCancelIsEndedOnItsOwnRoute) {
  dial();
  rings(180);
  Peer& proxy = world.other_trunk("192.0.2.9:5080");
  trunk->silent = true;  // the CANCEL is on its way
  alice->cancel(call);
  world.settle();
  trunk->silent = false;
  auto answer = sip::make_response(invite->request, 200, "late");
  answer.add(HeaderName::contact, "<sip:callee@192.0.2.9:5060>");
  answer.add(HeaderName::record_route, "<sip:192.0.2.9:5090;lr;hop=far>");
  answer.add(HeaderName::record_route, "<sip:192.0.2.9:5080;lr;hop=near>");
  answer.set_body("application/sdp", trunk_sdp());
  trunk->respond(*invite, std::move(answer));
  world.settle();
  const auto bye = proxy.take_request(Method::bye);
  ASSERT_TRUE(bye) << "to the nearest hop of the answer, not to where the INVITE went";
  EXPECT_EQ(bye->request.request_uri(), "sip:callee@192.0.2.9:5060");
  EXPECT_EQ(sip::to_of(bye->request).tag(), "late");
  EXPECT_THAT(
      bye->request.headers(HeaderName::route),
      testing::ElementsAre("<sip:192.0.2.9:5080;lr;hop=near>", "<sip:192.0.2.9:5090;lr;hop=far>"));
  proxy.respond(*bye, 200);
  world.settle();
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
