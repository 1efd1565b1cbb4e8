#include "simulation.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// A page behind a proxy: what goes to it takes the way that its registration has come (RFC 3327).
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::ElementsAre;

struct PathCase : testing::Test {
  World world;
  Peer* edge = nullptr;  ///< the proxy's connection, by which alice's device registers

  void SetUp() override { edge = &world.browser("alice"); }

  std::optional<sip::ResponseReceived> registered() {
    auto request = sip::Message::request(Method::register_, "sip:example.test");
    request.add(HeaderName::from, "<sip:alice@example.test>;tag=r1");
    request.add(HeaderName::to, "<sip:alice@example.test>");
    request.add(HeaderName::call_id, "register");
    request.add(HeaderName::cseq, "1 REGISTER");
    request.add(HeaderName::supported, "path, outbound");
    request.add(HeaderName::require, "path");
    request.add(HeaderName::path, "<sip:inner.test;lr>");
    request.add(HeaderName::path, "<sip:flow-7@edge.test;lr;ob>");
    request.add(HeaderName::contact,
                "<sip:x1@abc.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";reg-id=1");
    const auto first = edge->send(std::move(request));
    return edge->take_response(200, world.answer_challenge(*edge, first, "alice"));
  }
};

// RFC 3327 §5.3: the path is the route to the binding [path]
// RFC 5626 §5.3: and the connection that it came on is the way there [flow-only]
TEST_F(PathCase, ACallGoesAlongThePathDownTheFlow) {
  const auto done = registered();
  ASSERT_TRUE(done);
  ASSERT_EQ(done->response.status(), 200);
  EXPECT_THAT(done->response.headers(HeaderName::path),
              ElementsAre("<sip:inner.test;lr>", "<sip:flow-7@edge.test;lr;ob>"));
  EXPECT_EQ(done->response.header(HeaderName::require), "outbound");
  const auto call = world.trunk().invite("1001", "5559", trunk_sdp());
  world.settle();
  auto invite = edge->take_request(Method::invite);
  ASSERT_TRUE(invite);
  EXPECT_EQ(invite->request.request_uri(), "sip:x1@abc.invalid;transport=ws");
  EXPECT_THAT(invite->request.headers(HeaderName::route),
              ElementsAre("<sip:inner.test;lr>", "<sip:flow-7@edge.test;lr;ob>"));
  // In the dialog its own route set counts.
  auto answer = sip::make_response(invite->request, 200, "hers");
  answer.add(HeaderName::contact, "<sip:x1@abc.invalid;transport=ws>");
  answer.add(HeaderName::record_route, "<sip:edge.test;lr;dialog>");
  answer.set_body("application/sdp", browser_answer());
  edge->respond(*invite, std::move(answer));
  world.settle();
  world.trunk().ack(*world.trunk().take_response(200, call));
  world.settle();
  world.trunk().send_in_dialog(Method::bye);
  world.settle();
  const auto bye = edge->take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_THAT(bye->request.headers(HeaderName::route), ElementsAre("<sip:edge.test;lr;dialog>"));
  edge->respond(*bye, 200);
  world.settle();
  world.expect_nothing_left();
}

// RFC 3327 §5.3: so does every other request to the binding [path]
TEST_F(PathCase, SoDoesAMessage) {
  ASSERT_TRUE(registered());
  auto message = sip::Message::request(Method::message, "sip:1001@192.0.2.1");
  message.add(HeaderName::from, "<sip:5559@192.0.2.9>;tag=m");
  message.add(HeaderName::to, "<sip:1001@192.0.2.1>");
  message.add(HeaderName::call_id, "message");
  message.add(HeaderName::cseq, "1 MESSAGE");
  message.set_body("text/plain", "hello");
  world.trunk().send(std::move(message));
  world.settle();
  const auto carried = edge->take_request(Method::message);
  ASSERT_TRUE(carried);
  EXPECT_THAT(carried->request.headers(HeaderName::route),
              ElementsAre("<sip:inner.test;lr>", "<sip:flow-7@edge.test;lr;ob>"));
  edge->respond(*carried, 200);
  world.settle();
}

// RFC 3608 §5: a request whose route is our own Service-Route is taken as one without
TEST_F(PathCase, ARequestByTheServiceRouteIsTaken) {
  const auto done = registered();
  ASSERT_TRUE(done);
  auto invite = sip::Message::request(Method::invite, "sip:5551000@example.test");
  invite.add(HeaderName::route, *done->response.header(HeaderName::service_route));
  invite.add(HeaderName::from, "<sip:alice@example.test>;tag=i");
  invite.add(HeaderName::to, "<sip:5551000@example.test>");
  invite.add(HeaderName::call_id, "by-route");
  invite.add(HeaderName::cseq, "1 INVITE");
  invite.add(HeaderName::contact, "<sip:x1@abc.invalid;transport=ws>");
  invite.set_body("application/sdp", kBrowserOffer);
  world.answer_challenge(*edge, edge->send(std::move(invite)), "alice");
  const auto dialled = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(dialled);
  EXPECT_FALSE(dialled->request.header(HeaderName::route)) << "it is ours, and goes no farther";
}

}  // namespace
}  // namespace trunkline::call::simulation
