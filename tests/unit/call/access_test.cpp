#include "simulation.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Who may ask for what, what the refusals carry, and what hostile requests come to.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

struct Access : testing::Test {
  World world;

  /// A request from the trunk, which needs no credentials.
  sip::Message request(Method method, std::string_view uri = "sip:echo@192.0.2.1") {
    auto made = sip::Message::request(method, uri);
    made.add(HeaderName::max_forwards, "70");
    made.add(HeaderName::from, "<sip:+1555@192.0.2.9>;tag=x");
    made.add(HeaderName::to, "<sip:echo@192.0.2.1>");
    made.add(HeaderName::call_id, "c" + std::to_string(++calls_));
    made.add(HeaderName::cseq, "1 " + std::string(sip::method_name(method)));
    made.add(HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
    if (method == Method::invite) made.set_body("application/sdp", trunk_sdp());
    return made;
  }
  sip::Message answer_to(Peer& peer, sip::Message message) {
    const auto sent = peer.send(std::move(message));
    world.settle();
    const auto response = peer.take_response(200, sent);
    EXPECT_TRUE(response);
    return response ? response->response : sip::Message::response(999, "");
  }
  sip::Message answer_to(sip::Message message) {
    return answer_to(world.trunk(), std::move(message));
  }
  int calls_ = 0;
};

// RFC 3261 §21.4.4: a source of no trunk gets 403
TEST_F(Access, AStrangerGets403ForEverythingAndMakesNoCall) {
  Peer& stranger = world.stranger();
  for (const Method method :
       {Method::invite, Method::options, Method::register_, Method::message, Method::bye}) {
    EXPECT_EQ(answer_to(stranger, request(method)).status(), 403);
  }
  EXPECT_EQ(world.engine->calls(), 0U);
  EXPECT_EQ(world.observed<RequestRefused>().size(), 5U);
  EXPECT_EQ(world.observed<RequestRefused>()[0].reason, "acl");
  EXPECT_EQ(world.observed<CallStarted>().size(), 0U);
}

TEST_F(Access, ATrunkMayNotRegister) {
  EXPECT_EQ(answer_to(request(Method::register_)).status(), 403);
}

// RFC 7118 §7: each request of a browser is challenged [ws-identity]
TEST_F(Access, ABrowserIsChallengedForEveryRequestOfItsOwn) {
  Peer& alice = world.browser("alice");
  for (const Method method :
       {Method::invite, Method::options, Method::register_, Method::message}) {
    auto made = request(method);
    if (method == Method::register_) made.set(HeaderName::to, "<sip:alice@example.test>");
    const auto response = answer_to(alice, std::move(made));
    EXPECT_EQ(response.status(), 401);
    EXPECT_THAT(response.headers(HeaderName::www_authenticate),
                testing::Contains(HasSubstr("algorithm=MD5")));
  }
}

// RFC 3261 §10.3: a REGISTER for another domain gets 404, for another user 403 [register-domain]
TEST_F(Access, AUserRegistersInItsDomainAndAsItself) {
  Peer& alice = world.browser("alice");
  const auto registration = [&](std::string_view from, std::string_view to) {
    auto made = sip::Message::request(Method::register_, "sip:example.test");
    made.add(HeaderName::from, "<sip:" + std::string(from) + ">;tag=x");
    made.add(HeaderName::to, "<" + std::string(to) + ">");
    made.add(HeaderName::call_id, "c" + std::to_string(++calls_));
    made.add(HeaderName::cseq, "1 REGISTER");
    made.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
    return made;
  };
  EXPECT_EQ(answer_to(alice, registration("alice@example.test", "sip:alice@other.test")).status(),
            404)
      << "before it is asked who that is";
  EXPECT_EQ(answer_to(alice, registration("alice@example.test", "tel:1001")).status(), 400);
  auto scheme = registration("alice@example.test", "sip:alice@example.test");
  scheme.set_request_uri("http://example.test");
  EXPECT_EQ(answer_to(alice, std::move(scheme)).status(), 416);
  auto required = registration("alice@example.test", "sip:alice@example.test");
  required.add(HeaderName::require, "outbound, novelty");
  const auto extension = answer_to(alice, std::move(required));
  EXPECT_EQ(extension.status(), 420);
  EXPECT_EQ(extension.header(HeaderName::unsupported), "novelty");
  const auto authenticated = [&](std::string_view from, std::string_view to) {
    const auto first = alice.send(registration(from, to));
    const auto second = world.answer_challenge(alice, first, "alice");
    const auto response = alice.take_response(200, second);
    return response ? response->response.status() : 0;
  };
  EXPECT_EQ(authenticated("alice@example.test", "sip:bob@example.test"), 403);
  EXPECT_EQ(authenticated("bob@example.test", "sip:alice@example.test"), 403);
  EXPECT_EQ(authenticated("alice@other.test", "sip:alice@example.test"), 403);
  EXPECT_EQ(authenticated("alice@example.test", "sip:alice@EXAMPLE.test"), 200);
}

// RFC 3261 §26.3.2.1: a user speaks for itself only [from-is-user]
// RFC 7118 §7: who was challenged binds From [ws-identity]
TEST_F(Access, AUserCallsOnlyAsItself) {
  Peer& alice = world.registered("alice");
  const auto first = alice.invite("echo", "bob", kBrowserOffer);
  const auto second = world.answer_challenge(alice, first, "alice");
  EXPECT_EQ(alice.take_response(200, second)->response.status(), 403);
  EXPECT_EQ(world.observed<CallStarted>().size(), 0U);
}

TEST_F(Access, WithoutARouteOrUserThereIs404) {
  EXPECT_EQ(answer_to(request(Method::invite, "sip:nobody@192.0.2.1")).status(), 404);
  EXPECT_EQ(answer_to(request(Method::invite, "sip:bob@192.0.2.1")).status(), 404)
      << "users are for users";
  EXPECT_THAT(world.observed<RequestRefused>()[0].detail, HasSubstr("route"))
      << "the rules that were tried";
}

// RFC 3261 §8.2.2.1: an unknown scheme gets 416 [scheme-416]
// RFC 3261 §19.1.6: a tel URI is routed [tel-uri]
TEST_F(Access, AnUnknownSchemeIs416AndATelUriIsRouted) {
  EXPECT_EQ(answer_to(request(Method::invite, "http://example.test/")).status(), 416);
  EXPECT_EQ(answer_to(request(Method::invite, "tel:1001")).status(), 480)
      << "alice is known but not registered";
}

// RFC 3261 §8.2.2.3: what is required and not there gets 420, all named [require-420]
// RFC 3312 §11: precondition is not there [precondition]
TEST_F(Access, AnUnknownRequirementIs420AndNamed) {
  auto invite = request(Method::invite);
  invite.add(HeaderName::require, "timer, 100rel");
  invite.add(HeaderName::require, "precondition, something");
  const auto response = answer_to(std::move(invite));
  EXPECT_EQ(response.status(), 420);
  EXPECT_THAT(response.headers(HeaderName::unsupported),
              testing::ElementsAre("precondition", "something"));
}

// RFC 3261 §8.2.1: a method that is not taken gets 405 and Allow [method-405]
TEST_F(Access, AMethodThatWeDontTakeIs405WithAllow) {
  const auto response = answer_to(request(Method::message));
  EXPECT_EQ(response.status(), 405);
  EXPECT_THAT(std::string(response.header(HeaderName::allow).value_or("")), HasSubstr("INVITE"));
}

// RFC 3261 §8.2.3: a body that is no description gets 415 and Accept [body-415]
TEST_F(Access, ABodyThatIsNoDescriptionIs415WithAccept) {
  auto invite = request(Method::invite);
  invite.set_body("text/plain", "hello");
  const auto response = answer_to(std::move(invite));
  EXPECT_EQ(response.status(), 415);
  EXPECT_THAT(std::string(response.header(HeaderName::accept).value_or("")),
              HasSubstr("application/sdp"));
}

// RFC 3261 §8.2.3: an encoded body gets 415 and Accept-Encoding [content-encoding]
TEST_F(Access, AnEncodedBodyIs415WithAcceptEncoding) {
  auto invite = request(Method::invite);
  invite.add(HeaderName::content_encoding, "gzip");
  const auto response = answer_to(std::move(invite));
  EXPECT_EQ(response.status(), 415);
  EXPECT_TRUE(response.header(HeaderName::accept_encoding));
}

// RFC 3261 §21.4.7: a caller that takes no description gets 406 [accept-406]
TEST_F(Access, ACallerThatTakesNoDescriptionIs406) {
  auto invite = request(Method::invite);
  invite.add(HeaderName::accept, "text/html");
  EXPECT_EQ(answer_to(std::move(invite)).status(), 406);
}

// RFC 3261 §16.3: no hop left is 483 [max-forwards-483]
TEST_F(Access, NoHopsLeftIs483) {
  auto invite = request(Method::invite);
  invite.set(HeaderName::max_forwards, "0");
  EXPECT_EQ(answer_to(std::move(invite)).status(), 483);
}

TEST_F(Access, AnInviteWithoutContactIs400) {
  auto invite = request(Method::invite);
  invite.remove(HeaderName::contact);
  EXPECT_EQ(answer_to(std::move(invite)).status(), 400);
  auto wildcard = request(Method::invite);
  wildcard.set(HeaderName::contact, "*");
  EXPECT_EQ(answer_to(std::move(wildcard)).status(), 400);
}

// RFC 3261 §12.2.2: a request of no dialog gets 481 [dialog-unknown]
// RFC 3261 §12.2.2: so after a restart, too [strays]
TEST_F(Access, ARequestOfAnUnknownDialogIs481) {
  for (const Method method : {Method::bye, Method::invite, Method::info, Method::update}) {
    auto stray = request(method);
    stray.set(HeaderName::to, "<sip:echo@192.0.2.1>;tag=unknown");
    EXPECT_EQ(answer_to(std::move(stray)).status(), 481);
  }
}

// RFC 3261 §12.2.2: another From tag is another dialog [dialog-unknown]
TEST_F(Access, ARequestOfADialogWithAnotherFromTagIs481) {
  const auto sent = world.trunk().send(request(Method::invite));
  world.settle();
  const auto answer = world.trunk().take_response(200, sent);
  ASSERT_TRUE(answer);
  world.trunk().ack(*answer);
  auto forged = world.trunk().dialog->request(Method::bye);
  forged.set(HeaderName::from, "<sip:+1555@192.0.2.9>;tag=forged");
  EXPECT_EQ(answer_to(std::move(forged)).status(), 481);
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §12.2.2: a lower CSeq gets 500 and ends nothing [cseq-order]
TEST_F(Access, ALowerSequenceNumberIs500AndEndsNothing) {
  const auto sent = world.trunk().send(request(Method::invite));
  world.settle();
  world.trunk().ack(*world.trunk().take_response(200, sent));
  auto late = world.trunk().dialog->request(Method::bye);
  late.set(HeaderName::cseq, "1 BYE");
  EXPECT_EQ(answer_to(std::move(late)).status(), 500);
  EXPECT_EQ(world.engine->calls(), 1U);
}

// RFC 3261 §11.2: OPTIONS tells what we take [options-capabilities]
TEST_F(Access, OptionsSaysWhatWeTake) {
  const auto response = answer_to(request(Method::options));
  EXPECT_EQ(response.status(), 200);
  for (const auto name : {HeaderName::allow, HeaderName::accept, HeaderName::supported,
                          HeaderName::accept_encoding}) {
    EXPECT_TRUE(response.header(name));
  }
  // RFC 3261 §11: who may go no farther asks about us.
  auto ping = request(Method::options, "sip:ping@192.0.2.1");
  ping.set(HeaderName::max_forwards, "0");
  EXPECT_EQ(answer_to(std::move(ping)).status(), 200);
  EXPECT_EQ(answer_to(request(Method::options, "sip:ping@192.0.2.1")).status(), 404);
  EXPECT_EQ(answer_to(request(Method::options, "sip:192.0.2.1")).status(), 200);
  world.drain_engine();
  const auto draining = answer_to(request(Method::options));
  EXPECT_EQ(draining.status(), 503);
  EXPECT_TRUE(draining.header(HeaderName::retry_after));
}

// RFC 3261 §21.5.4: too many calls get 503 with Retry-After [overload]
TEST_F(Access, TheLimitOfCallsIs503WithRetryAfterAndItsPlacesComeBack) {
  world.settings.max_calls = 1;
  world.restart();
  const auto first = world.trunk().send(request(Method::invite));
  world.settle();
  world.trunk().ack(*world.trunk().take_response(200, first));
  const auto refused = answer_to(request(Method::invite));
  EXPECT_EQ(refused.status(), 503);
  EXPECT_TRUE(refused.header(HeaderName::retry_after));
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(answer_to(request(Method::invite)).status(), 200);
}

TEST_F(Access, EndedCallsThatAreStillRememberedAreLimitedAsWell) {
  world.settings.max_ended_calls = 1;
  world.restart();
  const auto first = world.trunk().send(request(Method::invite));
  world.settle();
  world.trunk().ack(*world.trunk().take_response(200, first));
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  const auto refused = answer_to(request(Method::invite));
  EXPECT_EQ(refused.status(), 503);
  EXPECT_TRUE(refused.header(HeaderName::retry_after));
  EXPECT_EQ(world.observed<RequestRefused>().back().detail, "limits.max_ended_calls");
  world.pass(seconds{33});
  EXPECT_EQ(answer_to(request(Method::invite)).status(), 200);
}

TEST_F(Access, APlaceOnATrunkComesBackHoweverTheCallEnds) {
  world.settings.trunks[0].max_calls = 1;
  world.settings.trunks[0].max_calls_per_second = 1000;
  world.restart();
  Peer& alice = world.registered("alice", 100000);
  const auto dial = [&] {
    return world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  };
  for (const int end : {486, 487, 200, 0}) {
    const auto call = dial();
    const auto invite = world.trunk().take_request(Method::invite);
    ASSERT_TRUE(invite) << "before " << end;
    const auto full = dial();
    EXPECT_EQ(alice.take_response(300, full)->response.status(), 503);
    if (end == 487) {
      world.trunk().respond(*invite, 180);
      world.settle();
      alice.cancel(call);
    }
    if (end == 200) {
      world.trunk().respond(*invite, 200, trunk_sdp("sendrecv", 1, "18"));  // no common codec
    } else if (end != 0) {
      world.trunk().respond(*invite, end);
    } else {
      world.pass(seconds{181});  // no final response
    }
    world.settle();
  }
  dial();
  EXPECT_TRUE(world.trunk().take_request(Method::invite));
}

// ---------------------------------------------------------------- hostile texts

// RFC 3261 §7.3.1: no name of a browser becomes a field of the trunk [header-injection]
TEST_F(Access, WhatABrowserCallsItselfForgesNothingOnTheTrunk) {
  world.settings.users.push_back({"e ve\r\nX: 1", "secret"});
  world.restart();
  Peer& eve = world.browser("eve");
  auto invite = sip::Message::request(Method::invite, "sip:%35551000@example.test");
  invite.add(HeaderName::from,
             "\"a\\\" <sip:root@evil.test>;tag=1\" <sip:e%20ve%0d%0aX%3a%201@example.test>;tag=y");
  invite.add(HeaderName::to, "<sip:5551000@example.test>");
  invite.add(HeaderName::call_id, "forge");
  invite.add(HeaderName::cseq, "1 INVITE");
  invite.add(HeaderName::contact, "<sip:eve@abc.invalid;transport=ws>");
  invite.set_body("application/sdp", kBrowserOffer);
  world.answer_challenge(eve, eve.send(std::move(invite)), "e ve\r\nX: 1");
  const auto passed = world.trunk().take_request(Method::invite);
  if (!passed) return;  // refusing such a name is as good
  const std::string wire = passed->request.serialize();
  EXPECT_THAT(wire, Not(HasSubstr("\r\nX: 1")));
  EXPECT_EQ(sip::from_of(passed->request).uri.host, "example.test");
}

// RFC 3261 §13.3.1.3: an offer without audio gets 488 [offer-488]
TEST_F(Access, ADescriptionWithoutAudioIs488AndOneThatIsNoneIs400) {
  auto video = request(Method::invite);
  video.set_body("application/sdp",
                 "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video "
                 "5000 RTP/AVP 96\r\n");
  EXPECT_EQ(answer_to(std::move(video)).status(), 488);
  auto nonsense = request(Method::invite);
  nonsense.set_body("application/sdp", "hello");
  EXPECT_EQ(answer_to(std::move(nonsense)).status(), 400);
  EXPECT_EQ(world.gauges()["trunkline_media_ports_used"], 0);
  EXPECT_EQ(world.observed<CallEnded>().size(), 2U);
}

// RFC 3261 §13.2.1: an INVITE without an offer gets ours, the ACK answers it [offer-in-2xx]
TEST_F(Access, ServicesTakeAnInviteWithoutOffer) {
  for (const std::string_view name : {"echo", "tone"}) {
    auto invite = request(Method::invite, "sip:" + std::string(name) + "@192.0.2.1");
    invite.set_body("", "");
    const auto sent = world.trunk().send(std::move(invite));
    world.settle();
    const auto answer = world.trunk().take_response(200, sent);
    ASSERT_TRUE(answer);
    EXPECT_THAT(std::string(answer->response.body()), HasSubstr("m=audio"));
    world.trunk().dialog.reset();
    world.trunk().ack(*answer, trunk_sdp("sendrecv", 1, "101 0"));
    world.settle();
  }
  EXPECT_EQ(world.engine->calls(), 2U);
  EXPECT_FALSE(world.media_commands<media::SetRoute>().empty()) << "the echo";
  ASSERT_EQ(world.media_commands<media::StartTone>().size(), 1U);
  EXPECT_EQ(world.media_commands<media::StartTone>()[0].payload_type, 0)
      << "not the type of the events";
}

// RFC 3264 §6.1: a new offer gets a new answer [race-cached-answer]
// RFC 3261 §14.2: a call without a far leg answers a re-INVITE [race-one-legged]
TEST_F(Access, AServiceAnswersANewOfferWithAnotherCodec) {
  const auto sent = world.trunk().send(request(Method::invite));
  world.settle();
  world.trunk().ack(*world.trunk().take_response(200, sent));
  const auto again = world.trunk().send_in_dialog(Method::invite, "application/sdp",
                                                  trunk_sdp("sendrecv", 2, "8"));
  world.settle();
  const auto answer = world.trunk().take_response(200, again);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.status(), 200);
  EXPECT_THAT(std::string(answer->response.body()), HasSubstr("RTP/AVP 8"));
}

// RFC 3261 §12.1.1: Record-Route comes back in the 2xx [record-route-copied]
// RFC 3261 §12.2.1.1: and our BYE follows it [routing]
TEST_F(Access, RecordRouteIsReturnedAndFollowed) {
  auto invite = request(Method::invite);
  invite.add(HeaderName::record_route, "<sip:192.0.2.9:5060;lr;x=1>");
  invite.add(HeaderName::record_route, "<sip:192.0.2.9:5060;lr;x=2>");
  const auto sent = world.trunk().send(std::move(invite));
  world.settle();
  const auto answer = world.trunk().take_response(200, sent);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->response.headers(HeaderName::record_route).size(), 2U);
  world.trunk().ack(*answer);
  world.end_all();
  const auto bye = world.trunk().take_request(Method::bye);
  ASSERT_TRUE(bye);
  ASSERT_EQ(bye->request.headers(HeaderName::route).size(), 2U);
  EXPECT_THAT(std::string(bye->request.headers(HeaderName::route)[0]), HasSubstr("x=1"));
}

}  // namespace
}  // namespace trunkline::call::simulation
