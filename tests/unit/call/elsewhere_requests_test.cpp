#include "sip/parts.hpp"

#include "elsewhere_fixture.hpp"
#include <gmock/gmock.h>

// MESSAGE, SUBSCRIBE and OPTIONS for users whose devices are at another node, which is a peer here.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct RequestsElsewhere : OtherNode {
  sip::Message request(Method method, const std::string& uri, const std::string& from) {
    auto made = sip::Message::request(method, uri);
    made.add(HeaderName::max_forwards, "69");
    made.add(HeaderName::from, "<sip:" + from + "@example.test>;tag=m");
    made.add(HeaderName::to, "<" + uri + ">");
    made.add(HeaderName::call_id, "outside-" + std::to_string(++made_));
    made.add(HeaderName::cseq, "7 " + std::string(sip::method_name(method)));
    if (method == Method::message) made.set_body("text/plain", "good morning");
    if (method == Method::subscribe) {
      made.add(HeaderName::contact, "<sip:" + from + "@192.0.2.9:5060>");
      made.add(HeaderName::event, "presence");
      made.add(HeaderName::expires, "600");
    }
    return made;
  }
  /// By the trunk, for alice.
  sip::TransactionId send(Method method) {
    const auto sent = world.trunk().send(request(method, "sip:1001@192.0.2.1", "5559"));
    world.settle();
    return sent;
  }
  sip::TransactionId from_other(sip::Message made) {
    const auto sent = other->send(std::move(made));
    world.settle();
    return sent;
  }
  /// What the store is asked.
  QuestionId asked() {
    EXPECT_THAT(world.look_ups, SizeIs(1));
    return world.look_ups.empty() ? QuestionId{} : world.look_ups.back().id;
  }
  static sip::RequestReceived taken(Peer& peer, Method method) {
    auto got = peer.take_request(method);
    EXPECT_TRUE(got) << peer.name << " got no " << sip::method_name(method);
    return got ? std::move(*got) : sip::RequestReceived{};
  }
  void answer(Peer& peer, const sip::RequestReceived& to, int status) {
    peer.respond(to, status);
    world.settle();
  }
  static int status(Peer& of, sip::TransactionId sent) {
    const auto response = of.take_response(200, sent);
    return response ? response->response.status() : 0;
  }
  /// A request of ours to the other node is what it takes for ours.
  void expect_proof(const sip::Message& made) {
    const auto shown = there.check(made, world.now.time_since_epoch() / seconds{1});
    ASSERT_TRUE(shown) << shown.error().message;
    EXPECT_EQ(shown->from, "test");
  }
  /// The other node's SUBSCRIBE for alice, who grants it.
  std::optional<sip::Dialog> subscribed_here(Peer& alice) {
    auto made = request(Method::subscribe, "sip:alice@192.0.2.1:5060;transport=udp", "5559");
    vouch(made);
    const auto sent = from_other(std::move(made));
    const auto got = taken(alice, Method::subscribe);
    source = sip::Dialog::as_uas(got.request, "peer-tag").value();
    answer(alice, got, 200);
    const auto granted = other->take_response(200, sent);
    if (!granted || granted->response.status() != 200) return std::nullopt;
    return sip::Dialog::as_uac(other->sent.at(sent), granted->response).value();
  }

  int made_ = 0;
  std::optional<sip::Dialog> source;  ///< as who has the state sees it
};

TEST_F(RequestsElsewhere, AMessageGoesToTheNodeThatHasTheUser) {
  const auto sent = send(Method::message);
  world.locate(asked(), at({"edge-2"}));
  const auto got = taken(*other, Method::message);
  EXPECT_EQ(got.request.request_uri(), "sip:alice@192.0.2.12:5060;transport=udp");
  EXPECT_EQ(got.request.body(), "good morning");
  EXPECT_THAT(std::string(*got.request.header(HeaderName::to)), HasSubstr("alice@example.test"));
  EXPECT_EQ(sip::from_of(got.request).uri.user, "5559");
  EXPECT_EQ(got.request.header(HeaderName::max_forwards), "68");
  expect_proof(got.request);
  EXPECT_EQ(status(world.trunk(), sent), 0) << "it waits for what the other node says";
  answer(*other, got, 202);
  EXPECT_EQ(status(world.trunk(), sent), 202);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ARefusalThereComesBack) {
  const auto sent = send(Method::message);
  world.locate(asked(), at({"edge-2"}));
  answer(*other, taken(*other, Method::message), 415);
  EXPECT_EQ(status(world.trunk(), sent), 415);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ALargeMessageMayGoThere) {
  auto made = request(Method::message, "sip:1001@192.0.2.1", "5559");
  made.set_body("text/plain", std::string(1000, 'x'));
  const auto sent = world.trunk().send(std::move(made));
  world.settle();
  world.locate(asked(), at({"edge-2"}));
  answer(*other, taken(*other, Method::message), 200);
  EXPECT_EQ(status(world.trunk(), sent), 200);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, AMessageOfAUserGoesThereUnderItsName) {
  Peer& bob = world.registered("bob");
  auto made = request(Method::message, "sip:alice@example.test", "bob");
  made.add("X-Inner", "10.0.0.3");
  const auto first = bob.send(std::move(made));
  const auto sent = world.answer_challenge(bob, first, "bob");
  world.settle();
  world.locate(asked(), at({"edge-2"}));
  const auto got = taken(*other, Method::message);
  EXPECT_THAT(std::string(got.request.header(HeaderName::p_asserted_identity).value_or("")),
              HasSubstr("sip:bob@example.test"));
  EXPECT_EQ(got.request.count(HeaderName::proxy_authorization), 0U);
  EXPECT_FALSE(got.request.header("X-Inner")) << "between two pages none crosses";
  expect_proof(got.request);
  auto taken_there = sip::make_response(got.request, 200, "t");
  taken_there.add("X-Inner", "10.0.0.4");
  other->respond(got, std::move(taken_there));
  world.settle();
  const auto response = bob.take_response(200, sent);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->response.status(), 200);
  EXPECT_FALSE(response->response.header("X-Inner"));
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, DevicesHereGetAMessageAtOnceAndThoseElsewhereAllTheSame) {
  Peer& alice = world.registered("alice");
  const auto sent = send(Method::message);
  answer(alice, taken(alice, Method::message), 200);
  EXPECT_EQ(status(world.trunk(), sent), 200);
  world.locate(asked(), at({"edge-2", "edge-3"}));
  answer(*other, taken(*other, Method::message), 200);
  answer(*other, taken(*other, Method::message), 486);
  EXPECT_EQ(status(world.trunk(), sent), 0) << "one answer is enough";
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ARefusalHereWaitsForOtherNodes) {
  Peer& alice = world.registered("alice");
  const auto sent = send(Method::message);
  answer(alice, taken(alice, Method::message), 415);
  EXPECT_EQ(status(world.trunk(), sent), 0);
  world.locate(asked(), at({"edge-2"}));
  answer(*other, taken(*other, Method::message), 200);
  EXPECT_EQ(status(world.trunk(), sent), 200);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ARefusalHereIsToldWhenThereIsNobodyElse) {
  Peer& alice = world.registered("alice");
  const auto sent = send(Method::message);
  answer(alice, taken(alice, Method::message), 415);
  world.locate(asked(), at({}));
  EXPECT_EQ(status(world.trunk(), sent), 415);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, WhoIsNowhereIs480AndWhomNobodyKnows404) {
  const auto listed = send(Method::message);
  world.locate(asked(), at({}));
  EXPECT_EQ(status(world.trunk(), listed), 480);
  Peer& bob = world.registered("bob");
  for (const Method method : {Method::message, Method::subscribe, Method::options}) {
    const auto first = bob.send(request(method, "sip:nobody@example.test", "bob"));
    const auto unlisted = world.answer_challenge(bob, first, "bob");
    world.settle();
    world.locate(world.look_ups.back().id, at({}));
    EXPECT_EQ(status(bob, unlisted), 404) << sip::method_name(method);
  }
  const auto refused = world.observed<RequestRefused>();
  ASSERT_THAT(refused, SizeIs(3)) << "OPTIONS only asks";
  EXPECT_EQ(refused[0].reason, "no_route");
  EXPECT_EQ(refused[0].method, "MESSAGE");
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, AStoreThatSaysNothingCostsOneSecond) {
  const auto sent = send(Method::message);
  world.pass(milliseconds{900});
  EXPECT_EQ(status(world.trunk(), sent), 0);
  world.pass(milliseconds{200});
  EXPECT_EQ(status(world.trunk(), sent), 480);
  world.locate(asked(), at({"edge-2"}));
  EXPECT_FALSE(other->take_request(Method::message));
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ANodeThatIsGoneIs480) {
  other->closed = true;
  for (const Method method : {Method::message, Method::subscribe}) {
    const auto sent = send(method);
    world.locate(world.look_ups.back().id, at({"edge-2"}));
    EXPECT_EQ(status(world.trunk(), sent), 480) << sip::method_name(method);
  }
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, AMessageOfAnotherNodeIsForDevicesHereAndNobodyElses) {
  Peer& alice = world.registered("alice");
  auto made = request(Method::message, "sip:alice@192.0.2.1:5060;transport=udp", "bob");
  made.add(HeaderName::p_asserted_identity, "\"Bob\" <sip:bob@example.test>");
  made.add("X-Listed", "of a trunk of the other node");
  vouch(made);
  const auto sent = from_other(std::move(made));
  EXPECT_THAT(world.look_ups, IsEmpty());
  const auto got = taken(alice, Method::message);
  EXPECT_EQ(got.request.body(), "good morning");
  EXPECT_EQ(sip::from_of(got.request).uri.user, "bob");
  EXPECT_EQ(got.request.count(HeaderName::authorization), 0U);
  EXPECT_TRUE(got.request.header("X-Listed"));
  answer(alice, got, 200);
  EXPECT_EQ(status(*other, sent), 200);

  auto nobody = request(Method::message, "sip:bob@192.0.2.1:5060;transport=udp", "carol");
  vouch(nobody);
  EXPECT_EQ(status(*other, from_other(std::move(nobody))), 480);
  EXPECT_THAT(world.look_ups, IsEmpty());
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, WhatIsNotProvedOrNotCarriedIsRefused) {
  Peer& alice = world.registered("alice");
  const std::string uri = "sip:alice@192.0.2.1:5060;transport=udp";
  for (const Method method : {Method::message, Method::subscribe}) {
    auto played = request(method, uri, "bob");
    vouch(played);
    auto changed = played;
    changed.set(HeaderName::cseq, "8 " + std::string(sip::method_name(method)));
    EXPECT_EQ(status(*other, from_other(std::move(changed))), 403);
    from_other(played);
    answer(alice, taken(alice, method), 403);
    EXPECT_TRUE(other->take_response(200));
    world.pass(seconds{40});  // until its transaction is forgotten, which would know a copy
    EXPECT_EQ(status(*other, from_other(std::move(played))), 403) << "sent before";
    EXPECT_FALSE(alice.take_request(method));
  }
  for (const Method method : {Method::options, Method::publish, Method::refer, Method::notify}) {
    auto made = request(method, uri, "bob");
    vouch(made);
    EXPECT_EQ(status(*other, from_other(std::move(made))), 405) << sip::method_name(method);
  }
  world.expect_nothing_left();
}

// RFC 3261 §26.2.2: there is no TLS between nodes, so nothing for a sips URI goes there
TEST_F(RequestsElsewhere, NothingForASipsUriGoesToAnotherNode) {
  Peer& bob = world.browser("bob");
  bob.self.transport = sip::Transport::wss;
  world.register_with(bob, "bob", 600, "i-1");
  for (const Method method : {Method::message, Method::subscribe, Method::options}) {
    const auto first = bob.send(request(method, "sips:alice@example.test", "bob"));
    const auto sent = world.answer_challenge(bob, first, "bob");
    world.settle();
    EXPECT_EQ(status(bob, sent), 480) << sip::method_name(method);
  }
  EXPECT_THAT(world.look_ups, IsEmpty());
  world.expect_nothing_left();
}

// RFC 3261 §11.2: OPTIONS is answered as an INVITE would be
TEST_F(RequestsElsewhere, OptionsAsksWhetherTheUserIsAtAnotherNode) {
  const auto there_is = send(Method::options);
  world.locate(asked(), at({"edge-2"}));
  EXPECT_EQ(status(world.trunk(), there_is), 200);
  EXPECT_FALSE(other->take_request(Method::options));
  const auto nobody = send(Method::options);
  world.locate(world.look_ups.back().id, at({}));
  EXPECT_EQ(status(world.trunk(), nobody), 480);
  world.registered("alice");
  EXPECT_EQ(status(world.trunk(), send(Method::options)), 200);
  EXPECT_THAT(world.look_ups, SizeIs(2)) << "she is here: nobody has to be asked";
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ASubscriptionGoesToTheNodeWhereTheUserRegisteredLast) {
  const auto sent = send(Method::subscribe);
  Locations found = at({"edge-1", "edge-2"});
  found.all[1].registration.registered += seconds{5};
  world.locate(asked(), found);
  const auto got = taken(*other, Method::subscribe);
  EXPECT_FALSE(other->take_request(Method::subscribe));
  expect_proof(got.request);
  EXPECT_EQ(got.request.header(HeaderName::contact), "<sip:trunkline@10.0.0.1:5061;transport=udp>");
  source = sip::Dialog::as_uas(got.request, "peer-tag").value();
  answer(*other, got, 200);
  const auto granted = world.trunk().take_response(200, sent);
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->response.status(), 200);
  EXPECT_THAT(std::string(*granted->response.header(HeaderName::contact)),
              HasSubstr("192.0.2.1:5060"));

  auto notify = source->request(Method::notify);
  notify.add(HeaderName::contact, "<sip:trunkline@192.0.2.12:5060>");
  notify.add(HeaderName::event, "presence");
  notify.add(HeaderName::subscription_state, "terminated;reason=noresource");
  EXPECT_EQ(status(*other, from_other(notify)), 403) << "anybody could have sent it";
  notify.set(HeaderName::cseq, "20 NOTIFY");
  vouch(notify);
  const auto told = from_other(std::move(notify));
  const auto last = taken(world.trunk(), Method::notify);
  EXPECT_EQ(last.request.count(HeaderName::authorization), 0U);
  answer(world.trunk(), last, 200);
  EXPECT_EQ(status(*other, told), 200);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ASubscriptionOfAnotherNodeIsToldToItByThisOne) {
  Peer& alice = world.registered("alice", 100000);
  auto watching = subscribed_here(alice);
  ASSERT_TRUE(watching);
  auto refresh = watching->request(Method::subscribe);
  refresh.add(HeaderName::contact, "<sip:trunkline@192.0.2.12:5060>");
  refresh.add(HeaderName::event, "presence");
  refresh.add(HeaderName::expires, "0");
  auto forged = refresh;
  EXPECT_EQ(status(*other, from_other(std::move(forged))), 403);
  EXPECT_FALSE(alice.take_request(Method::subscribe));
  refresh.set(HeaderName::cseq, "20 SUBSCRIBE");
  vouch(refresh);
  const auto again = from_other(std::move(refresh));
  answer(alice, taken(alice, Method::subscribe), 200);
  EXPECT_EQ(status(*other, again), 200);

  auto notify = source->request(Method::notify);
  notify.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
  notify.add(HeaderName::event, "presence");
  notify.add(HeaderName::subscription_state, "terminated;reason=timeout");
  const auto sent = alice.send(std::move(notify));
  world.settle();
  const auto told = taken(*other, Method::notify);
  EXPECT_EQ(told.request.header(HeaderName::contact),
            "<sip:trunkline@10.0.0.1:5061;transport=udp>");
  expect_proof(told.request);
  answer(*other, told, 200);
  EXPECT_EQ(status(alice, sent), 200);
  world.expect_nothing_left();
}

TEST_F(RequestsElsewhere, ASubscriptionAsksDevicesHereFirst) {
  Peer& alice = world.registered("alice", 100000);
  send(Method::subscribe);
  EXPECT_THAT(world.look_ups, IsEmpty());
  answer(alice, taken(alice, Method::subscribe), 403);
  world.expect_nothing_left();
}

}  // namespace
}  // namespace trunkline::call::simulation
