#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// SUBSCRIBE and NOTIFY carried between a page and a trunk, as two subscriptions (RFC 6665).
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

struct Subscribing : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;
  std::optional<sip::Dialog> watching, sourcing;

  void SetUp() override {
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
  }

  static sip::Message subscription(const std::string& to, const std::string& from,
                                   std::string_view package, std::string_view expires) {
    auto made = sip::Message::request(Method::subscribe, "sip:" + to + "@example.test");
    made.add(HeaderName::max_forwards, "69");
    made.add(HeaderName::from, "<sip:" + from + "@example.test>;tag=watch");
    made.add(HeaderName::to, "<sip:" + to + "@example.test>");
    made.add(HeaderName::call_id, "subscribe-1");
    made.add(HeaderName::cseq, "3 SUBSCRIBE");
    made.add(HeaderName::contact, "<sip:" + from + "@abc.invalid;transport=ws>");
    made.add(HeaderName::accept, "application/simple-message-summary");
    if (!package.empty()) made.add(HeaderName::event, package);
    if (!expires.empty()) made.add(HeaderName::expires, expires);
    return made;
  }
  int refused(sip::Message made) {
    const auto first = alice->send(std::move(made));
    const auto sent = world.answer_challenge(*alice, first, "alice");
    last = alice->take_response(200, sent);
    return last ? last->response.status() : 0;
  }
  /// Answers the SUBSCRIBE that has come to this peer.
  std::optional<sip::RequestReceived> grant(Peer& peer, std::string_view expires) {
    auto got = peer.take_request(Method::subscribe);
    if (!got) return got;
    auto made = sip::make_response(got->request, 200, "source");
    made.add(HeaderName::contact, "<sip:voicemail@" + peer.self.remote.text() + ">");
    made.add(HeaderName::expires, expires);
    if (!sourcing) sourcing = *sip::Dialog::as_uas(got->request, "source");
    peer.respond(*got, std::move(made));
    world.settle();
    return got;
  }
  /// Alice's voice mail at the carrier, subscribed to.
  void establish(std::string_view package = "message-summary;id=5") {
    subscribed = alice->send(subscription("5551000", "alice", package, "900"));
    subscribed = world.answer_challenge(*alice, subscribed, "alice");
    ASSERT_TRUE(grant(*trunk, "600"));
    const auto response = alice->take_response(200, subscribed);
    ASSERT_TRUE(response);
    ASSERT_EQ(response->response.status(), 200);
    EXPECT_EQ(response->response.header(HeaderName::expires), "600");
    EXPECT_THAT(std::string(*response->response.header(HeaderName::contact)),
                HasSubstr("trunkline@example.test"));
    watching = *sip::Dialog::as_uac(alice->sent.at(subscribed), response->response);
  }
  sip::TransactionId notify(std::string_view state, std::string_view body = "Messages: yes\r\n",
                            std::string_view package = "message-summary") {
    auto made = sourcing->request(Method::notify);
    made.add(HeaderName::contact, "<sip:voicemail@192.0.2.9>");
    made.add(HeaderName::event, package);
    made.add(HeaderName::subscription_state, state);
    if (!body.empty()) made.set_body("application/simple-message-summary", body);
    const auto sent = trunk->send(std::move(made));
    world.settle();
    return sent;
  }
  int status(Peer& peer, sip::TransactionId sent) {
    last = peer.take_response(200, sent);
    return last ? last->response.status() : 0;
  }
  sip::TransactionId refresh(std::string_view expires, std::string_view package) {
    auto made = watching->request(Method::subscribe);
    made.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
    made.add(HeaderName::event, package);
    made.add(HeaderName::expires, expires);
    const auto sent = alice->send(std::move(made));
    world.settle();
    return sent;
  }

  sip::TransactionId subscribed;
  std::optional<sip::ResponseReceived> last;
};

// RFC 6665 §4.2.1: the subscription is granted, and told of at once [subscribe]
TEST_F(Subscribing, APageWatchesItsVoiceMailAtATrunk) {
  establish();
  const auto sent = notify("active;expires=600");
  const auto got = alice->take_request(Method::notify);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.header(HeaderName::event), "message-summary;id=5") << "its own id";
  EXPECT_EQ(got->request.header(HeaderName::subscription_state), "active;expires=600");
  EXPECT_EQ(got->request.body(), "Messages: yes\r\n");
  EXPECT_EQ(sip::to_of(got->request).tag(), "watch");
  EXPECT_EQ(sip::call_id_of(got->request), "subscribe-1");
  EXPECT_THAT(std::string(*got->request.header(HeaderName::contact)), Not(HasSubstr("192.0.2")));
  EXPECT_EQ(status(*trunk, sent), 0) << "the page has yet to answer";
  alice->respond(*got, sip::make_response(got->request, 200, {}));
  world.settle();
  EXPECT_EQ(status(*trunk, sent), 200);
  const auto over = notify("terminated;reason=noresource");
  const auto end = alice->take_request(Method::notify);
  ASSERT_TRUE(end);
  alice->respond(*end, sip::make_response(end->request, 200, {}));
  world.settle();
  EXPECT_EQ(status(*trunk, over), 200);
  EXPECT_EQ(status(*trunk, notify("active")), 481) << "it is over";
  world.expect_nothing_left();
}

TEST_F(Subscribing, NothingOfTheOtherSideIsSeen) {
  const auto first = alice->send(subscription("5551000", "alice", "message-summary", "900"));
  world.answer_challenge(*alice, first, "alice");
  const auto got = trunk->take_request(Method::subscribe);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.request_uri(), "sip:5551000@192.0.2.9:5060");
  EXPECT_THAT(std::string(*got->request.header(HeaderName::contact)), HasSubstr("192.0.2.1:5060"));
  EXPECT_EQ(got->request.header(HeaderName::max_forwards), "68");
  EXPECT_EQ(got->request.header(HeaderName::event), "message-summary");
  EXPECT_EQ(got->request.header(HeaderName::expires), "900");
  EXPECT_EQ(got->request.header(HeaderName::accept), "application/simple-message-summary");
  EXPECT_EQ(got->request.count(HeaderName::authorization), 0U);
  EXPECT_NE(sip::call_id_of(got->request), "subscribe-1");
  EXPECT_THAT(got->request.serialize(), Not(HasSubstr(".invalid")));
  trunk->respond(*got, 403);
  world.settle();
  world.expect_nothing_left();
}

// RFC 6665 §4.1.2.4: a NOTIFY may overtake the 2xx
TEST_F(Subscribing, ANotifyThatOvertakesThe200IsKeptForIt) {
  const auto first = alice->send(subscription("5551000", "alice", "message-summary", "900"));
  const auto sent = world.answer_challenge(*alice, first, "alice");
  const auto got = trunk->take_request(Method::subscribe);
  ASSERT_TRUE(got);
  sourcing = *sip::Dialog::as_uas(got->request, "source");
  const auto early = notify("active;expires=600");
  EXPECT_FALSE(alice->take_request(Method::notify));
  auto made = sip::make_response(got->request, 200, "source");
  made.add(HeaderName::expires, "600");
  made.add(HeaderName::contact, "<sip:voicemail@192.0.2.9>");
  trunk->respond(*got, std::move(made));
  world.settle();
  EXPECT_EQ(status(*alice, sent), 200);
  const auto told = alice->take_request(Method::notify);
  ASSERT_TRUE(told);
  alice->respond(*told, 200);
  world.settle();
  EXPECT_EQ(status(*trunk, early), 200);
  world.pass(seconds{700});
  world.expect_nothing_left();
}

// RFC 6665 §4.2.1.1: unknown packages are 489 with Allow-Events, short times 423 with Min-Expires
// [subscribe]
TEST_F(Subscribing, WhatIsNotCarriedIsRefused) {
  EXPECT_EQ(refused(subscription("5551000", "alice", "dialog", "900")), 489);
  EXPECT_THAT(last->response.headers(HeaderName::allow_events),
              testing::IsSupersetOf({"message-summary", "presence"}));
  EXPECT_EQ(refused(subscription("5551000", "alice", "", "900")), 489);
  EXPECT_EQ(refused(subscription("5551000", "alice", "presence", "10")), 423);
  EXPECT_EQ(last->response.header(HeaderName::min_expires), "60");
  EXPECT_EQ(refused(subscription("5551000", "alice", "presence", "soon")), 400);
  EXPECT_EQ(refused(subscription("nobody", "alice", "presence", "900")), 404);
  EXPECT_EQ(refused(subscription("alice", "alice", "presence", "900")), 480);
  auto no_contact = subscription("5551000", "alice", "presence", "900");
  no_contact.remove(HeaderName::contact);
  EXPECT_EQ(refused(std::move(no_contact)), 400);
  EXPECT_FALSE(trunk->take_request(Method::subscribe));
  world.expect_nothing_left();
}

TEST_F(Subscribing, ARefusalComesBack) {
  const auto first = alice->send(subscription("5551000", "alice", "presence", "900"));
  const auto sent = world.answer_challenge(*alice, first, "alice");
  const auto got = trunk->take_request(Method::subscribe);
  ASSERT_TRUE(got);
  auto made = sip::make_response(got->request, 423, "source");
  made.add(HeaderName::min_expires, "1800");
  trunk->respond(*got, std::move(made));
  world.settle();
  EXPECT_EQ(status(*alice, sent), 423);
  EXPECT_EQ(last->response.header(HeaderName::min_expires), "1800");
  world.expect_nothing_left();
}

TEST_F(Subscribing, ATrunksChallengeIsAnswered) {
  const auto first = alice->send(subscription("5551000", "alice", "presence", "900"));
  const auto sent = world.answer_challenge(*alice, first, "alice");
  const auto got = trunk->take_request(Method::subscribe);
  ASSERT_TRUE(got);
  auto challenge = sip::make_response(got->request, 401, "x");
  challenge.add(HeaderName::www_authenticate,
                "Digest realm=\"carrier\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");
  trunk->respond(*got, std::move(challenge));
  world.settle();
  const auto again = grant(*trunk, "600");
  ASSERT_TRUE(again);
  EXPECT_EQ(sip::cseq_of(again->request).number, 2U);
  EXPECT_TRUE(again->request.header(HeaderName::authorization));
  EXPECT_EQ(status(*alice, sent), 200);
  world.pass(seconds{700});
  world.expect_nothing_left();
}

// RFC 6665 §4.1.2.2: a refresh, and the end by Expires: 0
TEST_F(Subscribing, IsRefreshedAndEnded) {
  establish();
  const auto again = refresh("300", "message-summary;id=5");
  const auto got = grant(*trunk, "300");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->request.header(HeaderName::expires), "300");
  EXPECT_EQ(sip::to_of(got->request).tag(), "source");
  EXPECT_EQ(status(*alice, again), 200);
  EXPECT_EQ(last->response.header(HeaderName::expires), "300");
  EXPECT_EQ(status(*alice, refresh("10", "message-summary;id=5")), 423);
  EXPECT_EQ(status(*alice, refresh("300", "message-summary;id=6")), 489) << "another one";
  const auto end = refresh("0", "message-summary;id=5");
  ASSERT_TRUE(grant(*trunk, "0"));
  EXPECT_EQ(status(*alice, end), 200);
  const auto sent = notify("terminated;reason=timeout");
  const auto told = alice->take_request(Method::notify);
  ASSERT_TRUE(told);
  alice->respond(*told, 200);
  world.settle();
  EXPECT_EQ(status(*trunk, sent), 200);
  world.expect_nothing_left();
}

TEST_F(Subscribing, EndsWithItsTime) {
  establish();
  world.pass(seconds{640});
  EXPECT_EQ(status(*trunk, notify("active")), 481);
  const auto late = refresh("300", "message-summary;id=5");
  EXPECT_EQ(status(*alice, world.answer_challenge(*alice, late, "alice")), 481);
  world.expect_nothing_left();
}

// RFC 6665 §4.2.2: a watcher that refuses a NOTIFY has no subscription any more
TEST_F(Subscribing, A481OfTheWatcherEndsIt) {
  establish();
  const auto sent = notify("active");
  const auto got = alice->take_request(Method::notify);
  ASSERT_TRUE(got);
  alice->respond(*got, 481);
  world.settle();
  EXPECT_EQ(status(*trunk, sent), 481);
  EXPECT_EQ(status(*trunk, notify("active")), 481);
  world.expect_nothing_left();
}

TEST_F(Subscribing, AWatcherThatIsGoneEndsIt) {
  establish();
  alice->close_flow();
  EXPECT_EQ(status(*trunk, notify("active")), 481);
  world.expect_nothing_left();
}

TEST_F(Subscribing, ANotifyOfAnotherPackageIs489) {
  establish();
  EXPECT_EQ(status(*trunk, notify("active", "x", "presence")), 489);
  EXPECT_EQ(status(*trunk, notify("active", "x", "message-summary;id=5")), 489);
  world.pass(seconds{700});
  world.expect_nothing_left();
}

TEST_F(Subscribing, ATrunkWatchesAPage) {
  auto made = subscription("1001", "5559", "presence", "900");
  made.set(HeaderName::contact, "<sip:5559@192.0.2.9>");
  const auto sent = trunk->send(std::move(made));
  world.settle();
  const auto got = grant(*alice, "900");
  ASSERT_TRUE(got);
  EXPECT_EQ(status(*trunk, sent), 200);
  EXPECT_THAT(std::string(*last->response.header(HeaderName::contact)),
              HasSubstr("192.0.2.1:5060"));
  auto notify = sourcing->request(Method::notify);
  notify.add(HeaderName::event, "presence");
  notify.add(HeaderName::subscription_state, "active;expires=900");
  notify.set_body("application/pidf+xml", "<presence/>");
  const auto told = alice->send(std::move(notify));
  world.settle();
  const auto heard = trunk->take_request(Method::notify);
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->request.body(), "<presence/>");
  trunk->respond(*heard, 200);
  world.settle();
  EXPECT_EQ(status(*alice, told), 200);
  alice->close_flow();
  world.settle();
  const auto over = trunk->take_request(Method::notify);
  ASSERT_TRUE(over) << "the page is gone";
  EXPECT_THAT(std::string(*over->request.header(HeaderName::subscription_state)),
              HasSubstr("terminated;reason=probation;retry-after="));
  trunk->respond(*over, 200);
  world.settle();
  world.expect_nothing_left();
}

TEST_F(Subscribing, OnlyItsPartiesMaySpeakInIt) {
  establish();
  Peer& bob = world.registered("bob", 600, "b-1");
  auto made = watching->request(Method::subscribe);
  made.add(HeaderName::contact, "<sip:bob@abc.invalid;transport=ws>");
  made.add(HeaderName::event, "message-summary;id=5");
  const auto foreign = bob.send(std::move(made));
  world.settle();
  EXPECT_EQ(status(bob, foreign), 481);
  Peer& stranger = world.stranger();
  auto notify = sourcing->request(Method::notify);
  notify.add(HeaderName::event, "message-summary");
  notify.add(HeaderName::subscription_state, "terminated");
  const auto forged = stranger.send(std::move(notify));
  world.settle();
  EXPECT_EQ(status(stranger, forged), 403);
  EXPECT_FALSE(alice->take_request(Method::notify));
  world.pass(seconds{700});
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
