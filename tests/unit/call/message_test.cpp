#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// MESSAGE, PUBLISH and OPTIONS outside of a call, and what is carried in one.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

struct MessageCase : EstablishedCall {
  sip::Message request(Method method, const std::string& uri, const std::string& from) {
    auto made = sip::Message::request(method, uri);
    made.add(HeaderName::max_forwards, "69");
    made.add(HeaderName::from, "\"Some One\" <sip:" + from + "@example.test>;tag=m");
    made.add(HeaderName::to, "<" + uri + ">");
    made.add(HeaderName::call_id, "message-" + std::to_string(++made_));
    made.add(HeaderName::cseq, "7 " + std::string(sip::method_name(method)));
    return made;
  }
  sip::Message message(const std::string& to, std::string_view body = "hello",
                       std::string_view type = "text/plain;charset=utf-8") {
    auto made = request(Method::message, "sip:" + to + "@example.test", "alice");
    made.set_body(type, body);
    return made;
  }
  sip::TransactionId send(Peer& from, sip::Message made, const std::string& user = {}) {
    auto sent = from.send(std::move(made));
    if (is_websocket(from.self.transport))
      sent = world.answer_challenge(from, sent, user.empty() ? "alice" : user);
    world.settle();
    return sent;
  }
  static int status(Peer& of, sip::TransactionId sent) {
    const auto response = of.take_response(200, sent);
    return response ? response->response.status() : 0;
  }
  int asked(sip::Message made) { return status(*alice, send(*alice, std::move(made))); }
  void wind_up() {
    world.end_all();
    for (Peer* peer : {alice, trunk})
      ended(*peer);
    world.expect_nothing_left();
  }
  int made_ = 0;
};

// RFC 3428 §4: the body and its type cross, and no Contact [message]
// RFC 3428 §4: the body and its type cross, and no Contact [body-relayed]
TEST_F(MessageCase, APageWritesToATrunk) {
  const std::string body("line one\r\n\0\xff line two", 21);
  auto made = message("5551000", body, "application/octet-stream");
  made.add(HeaderName::contact, "<sip:secret@10.0.0.1>");
  made.add(HeaderName::route, "<sip:10.0.0.1;lr>");
  made.add(HeaderName::record_route, "<sip:10.0.0.2;lr>");
  made.add(HeaderName::p_asserted_identity, "<sip:boss@example.test>");
  made.add(HeaderName::subject, "greeting");
  made.add("X-Inner", "10.0.0.3");
  const auto sent = send(*alice, std::move(made));
  const auto got = trunk->take_request(Method::message);
  ASSERT_TRUE(got);
  const sip::Message& carried = got->request;
  EXPECT_EQ(carried.request_uri(), "sip:5551000@192.0.2.9:5060");
  EXPECT_EQ(carried.body(), body);
  EXPECT_EQ(carried.header(HeaderName::content_type), "application/octet-stream");
  EXPECT_EQ(carried.header(HeaderName::subject), "greeting");
  EXPECT_EQ(carried.header(HeaderName::max_forwards), "68");
  EXPECT_THAT(std::string(*carried.header(HeaderName::from)), HasSubstr("sip:alice@example.test"));
  EXPECT_THAT(std::string(sip::call_id_of(carried)), Not(HasSubstr("message-")));
  EXPECT_THAT(carried.headers(HeaderName::via), SizeIs(1));
  for (const HeaderName hidden :
       {HeaderName::contact, HeaderName::route, HeaderName::record_route, HeaderName::authorization,
        HeaderName::proxy_authorization, HeaderName::p_asserted_identity})
    EXPECT_EQ(carried.count(hidden), 0U) << sip::header_name_text(hidden);
  EXPECT_FALSE(carried.header("X-Inner"));
  auto accepted = sip::make_response(carried, 202, "t");
  accepted.add(HeaderName::contact, "<sip:inner@10.0.0.9>");
  trunk->respond(*got, std::move(accepted));
  world.settle();
  const auto response = alice->take_response(200, sent);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 202);
  EXPECT_EQ(response->response.count(HeaderName::contact), 0U);
  wind_up();
}

TEST_F(MessageCase, ATrunkWritesToAPage) {
  auto made = request(Method::message, "sip:1001@192.0.2.1", "5559");
  made.set_body("text/plain", "good morning");
  const auto sent = send(*trunk, std::move(made));
  const auto got = alice->take_request(Method::message);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.body(), "good morning");
  EXPECT_THAT(std::string(*got->request.header(HeaderName::from)),
              HasSubstr("\"Some One\" <sip:5559@example.test>"));
  alice->respond(*got, 200);
  world.settle();
  EXPECT_EQ(status(*trunk, sent), 200);
  wind_up();
}

TEST_F(MessageCase, ARefusalIsCarriedBackByTheRelayRules) {
  for (const auto& [theirs, told] :
       {std::pair{404, 404}, std::pair{415, 415}, std::pair{503, 500}, std::pair{407, 403}}) {
    const auto sent = send(*alice, message("5551000"));
    trunk->respond(*trunk->take_request(Method::message), theirs);
    world.settle();
    EXPECT_EQ(status(*alice, sent), told);
  }
  wind_up();
}

TEST_F(MessageCase, ATrunksChallengeIsAnswered) {
  const auto sent = send(*alice, message("5551000"));
  const auto first = trunk->take_request(Method::message);
  ASSERT_TRUE(first);
  auto challenge = sip::make_response(first->request, 401, "t");
  challenge.add(HeaderName::www_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
  trunk->respond(*first, std::move(challenge));
  world.settle();
  const auto again = trunk->take_request(Method::message);
  ASSERT_TRUE(again);
  EXPECT_EQ(sip::cseq_of(again->request).number, 2U);
  EXPECT_EQ(sip::call_id_of(again->request), sip::call_id_of(first->request));
  EXPECT_THAT(std::string(*again->request.header(HeaderName::authorization)),
              HasSubstr("username=\"gw\""));
  trunk->respond(*again, 200);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 200);
  wind_up();
}

// RFC 4320 §4.2: a request that is not an INVITE never gets 408 [non-invite-408]
TEST_F(MessageCase, SilenceIsNotAnswered) {
  auto made = request(Method::message, "sip:1001@192.0.2.1", "5559");
  made.set_body("text/plain", "good morning");
  const auto sent = trunk->send(std::move(made));
  world.settle();
  ASSERT_TRUE(alice->take_request(Method::message));
  world.pass(seconds{3});
  EXPECT_FALSE(trunk->take_response(100, sent));
  world.pass(seconds{30});
  // RFC 4320 §4.1: 100 only once the sender's Timer E is at T2
  ASSERT_TRUE(trunk->take_response(100, sent));
  while (const auto response = trunk->take_response(100, sent))
    EXPECT_EQ(response->response.status(), 100);
  EXPECT_THAT(trunk->failures, SizeIs(1));
  wind_up();
}

TEST_F(MessageCase, AllDevicesGetItAndTheFirstThatTakesItCounts) {
  world.registered("bob", 600, "b-1");
  Peer& one = world.registered("bob", 600, "b-2");
  Peer& two = world.registered("bob", 600, "b-3");
  const auto sent = send(*alice, message("bob"));
  const auto first = one.take_request(Method::message);
  const auto second = two.take_request(Method::message);
  ASSERT_TRUE(first && second);
  one.respond(*first, 486);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 0);
  two.respond(*second, 200);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 200);
  world.pass(seconds{33});
  EXPECT_EQ(status(*alice, sent), 0);
  wind_up();
}

TEST_F(MessageCase, TheBestRefusalOfSeveralIsTold) {
  Peer& one = world.registered("bob", 600, "b-1");
  Peer& two = world.registered("bob", 600, "b-2");
  const auto sent = send(*alice, message("bob"));
  one.respond(*one.take_request(Method::message), 480);
  two.respond(*two.take_request(Method::message), 415);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 415);
  wind_up();
}

TEST_F(MessageCase, ADeviceThatIsGoneIs480) {
  Peer& bob = world.registered("bob", 600, "b-1");
  bob.closed = true;
  EXPECT_EQ(asked(message("bob")), 480);
  wind_up();
}

TEST_F(MessageCase, WhatCanNotBeCarriedIsRefused) {
  EXPECT_EQ(asked(message("nobody")), 404);
  EXPECT_EQ(asked(message("alice")), 480) << "nobody gets its own message";
  EXPECT_EQ(asked(message("echo")), 405);
  auto no_hops = message("5551000");
  no_hops.set(HeaderName::max_forwards, "0");
  EXPECT_EQ(asked(std::move(no_hops)), 483);
  EXPECT_EQ(asked(message("5551000", std::string(33 * 1024, 'x'))), 413);
  EXPECT_EQ(asked(message("5551000", std::string(1300, 'x'))), 513) << "over UDP";
  auto required = message("5551000");
  required.add(HeaderName::require, "precondition");
  EXPECT_EQ(asked(std::move(required)), 420);
  EXPECT_FALSE(trunk->take_request(Method::message));
  wind_up();
}

TEST_F(MessageCase, InACallItGoesToTheOtherParty) {
  const auto sent = alice->send_in_dialog(Method::message, "text/plain", "in the call");
  world.settle();
  const auto got = trunk->take_request(Method::message);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.body(), "in the call");
  EXPECT_EQ(sip::to_of(got->request).tag(), trunk->dialog->local_tag());
  EXPECT_EQ(got->request.header(HeaderName::max_forwards), "69");
  EXPECT_EQ(got->request.count(HeaderName::contact), 0U);
  trunk->respond(*got, sip::make_response(got->request, 202, "t"));
  world.settle();
  EXPECT_EQ(status(*alice, sent), 202);
  const auto back = trunk->send_in_dialog(Method::message, "text/plain", "and back");
  world.settle();
  const auto refused = alice->take_request(Method::message);
  ASSERT_TRUE(refused);
  alice->respond(*refused, 415);
  world.settle();
  EXPECT_EQ(status(*trunk, back), 415);
  EXPECT_EQ(world.engine->calls(), 1U) << "a refusal is no end";
  wind_up();
}

// RFC 5057 §5.1: 481 in a dialog ends it [dialog-lost]
TEST_F(MessageCase, InACallA481EndsIt) {
  const auto sent = alice->send_in_dialog(Method::message, "text/plain", "hello");
  world.settle();
  trunk->respond(*trunk->take_request(Method::message), 481);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 481);
  EXPECT_TRUE(ended(*alice));
  EXPECT_EQ(world.engine->calls(), 0U);
  wind_up();
}

// RFC 3261 §15.1.2: what is pending in a dialog that ends gets 487
TEST_F(MessageCase, InACallThatEndsItIs487) {
  const auto sent = alice->send_in_dialog(Method::message, "text/plain", "hello");
  world.settle();
  ASSERT_TRUE(trunk->take_request(Method::message));
  trunk->send_in_dialog(Method::bye);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 487);
  wind_up();
}

TEST_F(MessageCase, InACallItIsBounded) {
  std::vector<sip::TransactionId> sent;
  for (int i = 0; i < 9; ++i)
    sent.push_back(alice->send_in_dialog(Method::message, "text/plain", "hello"));
  world.settle();
  EXPECT_EQ(status(*alice, sent.back()), 500);
  EXPECT_EQ(status(*alice, sent.front()), 0);
  wind_up();
}

// A picture request (RFC 5168) crosses as it is.
TEST_F(MessageCase, MediaControlCrossesTheCall) {
  const std::string body = "<media_control><vc_primitive/></media_control>";
  const auto sent = alice->send_in_dialog(Method::info, "application/media_control+xml", body);
  world.settle();
  const auto got = trunk->take_request(Method::info);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.body(), body);
  trunk->respond(*got, 200);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 200);
  wind_up();
}

// RFC 6086 §4.2.2: a package that is not taken is 469 with Recv-Info [info-dialog]
TEST_F(MessageCase, AnInfoPackageIs469) {
  auto info = alice->dialog->request(Method::info);
  info.add("Info-Package", "nothing");
  const auto sent = alice->send(std::move(info));
  world.settle();
  const auto response = alice->take_response(200, sent);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 469);
  EXPECT_TRUE(response->response.header(HeaderName::recv_info));
  const auto empty = alice->send_in_dialog(Method::info);
  world.settle();
  EXPECT_EQ(status(*alice, empty), 200);
  const auto unknown = alice->send_in_dialog(Method::info, "text/plain", "x");
  world.settle();
  const auto refused = alice->take_response(200, unknown);
  EXPECT_EQ(refused->response.status(), 415);
  EXPECT_THAT(
      refused->response.headers(HeaderName::accept),
      ElementsAre("application/dtmf-relay", "application/dtmf", "application/media_control+xml"));
  wind_up();
}

// RFC 3261 §11.2: OPTIONS is answered as an INVITE would be, with what we can do
// [options-as-invite]
TEST_F(MessageCase, OptionsTellsWhatAnInviteWouldGet) {
  const auto options = [&](const std::string& user) {
    const std::string at = user.empty() ? "" : user + "@";
    auto made = request(Method::options, "sip:" + at + "example.test", "alice");
    return alice->take_response(200, send(*alice, std::move(made)))->response;
  };
  for (const char* user : {"", "trunkline", "5551000", "alice", "echo"}) {
    const auto response = options(user);
    EXPECT_EQ(response.status(), 200) << user;
    EXPECT_THAT(response.headers(HeaderName::allow), testing::Contains("REFER"));
    EXPECT_THAT(std::string(response.header(HeaderName::accept).value_or("")),
                HasSubstr("application/sdp"));
    EXPECT_EQ(response.header(HeaderName::accept_encoding), "identity");
    EXPECT_THAT(response.headers(HeaderName::supported),
                testing::IsSupersetOf({"timer", "replaces", "norefersub"}));
    EXPECT_THAT(response.headers(HeaderName::allow_events),
                testing::IsSupersetOf({"message-summary", "presence"}));
  }
  EXPECT_EQ(options("nobody").status(), 404);
  world.registered("bob", 600, "b-1").close_flow();
  EXPECT_EQ(options("bob").status(), 480);
  const auto sent = alice->send_in_dialog(Method::options);
  world.settle();
  EXPECT_EQ(status(*alice, sent), 200);
  wind_up();
}

// RFC 3903 §6: state goes to who hosts it; its tag comes back [publish]
TEST_F(MessageCase, PublishedStateGoesToATrunk) {
  const auto publish = [&](const std::string& to, std::string_view package) {
    auto made = request(Method::publish, "sip:" + to + "@example.test", "alice");
    made.add(HeaderName::event, package);
    made.add(HeaderName::expires, "600");
    made.add(HeaderName::sip_if_match, "before");
    made.set_body("application/pidf+xml", "<presence/>");
    return send(*alice, std::move(made));
  };
  const auto sent = publish("5551000", "presence");
  const auto got = trunk->take_request(Method::publish);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.header(HeaderName::event), "presence");
  EXPECT_EQ(got->request.header(HeaderName::expires), "600");
  EXPECT_EQ(got->request.header(HeaderName::sip_if_match), "before");
  auto made = sip::make_response(got->request, 200, "t");
  made.add(HeaderName::sip_etag, "after");
  made.add(HeaderName::expires, "300");
  trunk->respond(*got, std::move(made));
  world.settle();
  const auto response = alice->take_response(200, sent);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.header(HeaderName::sip_etag), "after");
  EXPECT_EQ(response->response.header(HeaderName::expires), "300");
  for (const auto refused : {publish("5551000", "dialog"), publish("alice", "presence")})
    EXPECT_EQ(status(*alice, refused), 489);
  wind_up();
}

TEST_F(MessageCase, WhatNeedsADialogIs481OutsideOfOne) {
  for (const Method method :
       {Method::notify, Method::info, Method::update, Method::bye, Method::prack}) {
    auto made = request(method, "sip:1001@192.0.2.1", "5559");
    EXPECT_EQ(status(*trunk, send(*trunk, std::move(made))), 481) << sip::method_name(method);
  }
  wind_up();
}

// RFC 3261 §8.2.2.3: what a request requires and we don't have is 420, and named [require-420]
TEST_F(MessageCase, EveryMethodIsJudgedByWhatItRequires) {
  const auto judged = [&](const sip::Message& response, Method method) {
    EXPECT_EQ(response.status(), 420) << sip::method_name(method);
    EXPECT_EQ(response.header(HeaderName::unsupported), "teleport");
  };
  for (const Method method : {Method::options, Method::message, Method::subscribe, Method::notify,
                              Method::publish, Method::refer, Method::info, Method::update}) {
    auto outside = request(method, "sip:1001@192.0.2.1", "5559");
    outside.add(HeaderName::require, "teleport, replaces");
    judged(trunk->take_response(200, send(*trunk, std::move(outside)))->response, method);
    auto inside = trunk->dialog->request(method);
    inside.add(HeaderName::require, "teleport, replaces");
    inside.add(HeaderName::refer_to, "<sip:1001@192.0.2.1>");
    const auto sent = trunk->send(std::move(inside));
    world.settle();
    judged(trunk->take_response(200, sent)->response, method);
  }
  wind_up();
}

// RFC 3261 §8.2.1: a method that can't stand where it is is 405, and we say what can [method-405]
TEST_F(MessageCase, AMethodThatHasNoPlaceInACallIs405) {
  for (const Method method : {Method::publish, Method::register_}) {
    const auto sent = trunk->send_in_dialog(method);
    world.settle();
    const auto response = trunk->take_response(200, sent);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->response.status(), 405);
    EXPECT_THAT(std::string(response->response.header(HeaderName::allow).value_or("")),
                HasSubstr("INVITE"));
  }
  wind_up();
}

}  // namespace
}  // namespace trunkline::call::simulation
