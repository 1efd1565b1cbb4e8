#include "sip/dialog.hpp"

#include "transaction_messages.hpp"
#include <gmock/gmock.h>

namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kRouted =
    "Record-Route: <sip:p1.example.test;lr>\r\nRecord-Route: <sip:p2.example.test;lr>\r\n";

class DialogTest : public ::testing::Test {
 protected:
  /// A response with a Contact and these other fields.
  Message response(int status, std::string_view contact,
                   const std::vector<std::string>& record_route = {},
                   std::string_view to_tag = "bob") {
    Message message = answer(invite_, status, to_tag);
    if (!contact.empty()) message.add(HeaderName::contact, contact);
    for (const std::string& route : record_route)
      message.add(HeaderName::record_route, route);
    return message;
  }
  Dialog uac(const std::vector<std::string>& record_route = {}) {
    return Dialog::as_uac(invite_, response(200, "<sip:bob@192.0.2.20:5070>", record_route))
        .value();
  }
  Dialog uas(std::string_view extra = {}) {
    return Dialog::as_uas(
               parsed(request_text("INVITE", {.cseq = "10", .extra = std::string(extra)})), "mine")
        .value();
  }
  static Message incoming(std::string_view method, const std::string& cseq) {
    return parsed(request_text(method, {.to_tag = "mine", .cseq = cseq}));
  }

  Message invite_ = parsed(request_text("INVITE", {.cseq = "41"}));
};

TEST_F(DialogTest, UacTakesItsStateFromRequestAndResponse) {
  const Dialog dialog = uac();
  EXPECT_EQ(dialog.role(), Dialog::Role::uac);
  EXPECT_EQ(dialog.state(), Dialog::State::confirmed);
  EXPECT_EQ(dialog.call_id(), "call-1@client.example.test");
  EXPECT_EQ(dialog.local_tag(), "alice");
  EXPECT_EQ(dialog.remote_tag(), "bob");
  EXPECT_EQ(dialog.local_sequence(), 41u);
  EXPECT_EQ(dialog.remote_target().text(), "sip:bob@192.0.2.20:5070");
  EXPECT_THAT(dialog.local().tag(), IsEmpty());
  EXPECT_EQ(dialog.local().uri.text(), "sip:alice@example.test");
  EXPECT_EQ(dialog.remote().uri.text(), "sip:bob@example.test");
}

// RFC 3261 §12.1.2: a provisional response with To tag makes an early dialog [early-dialogs]
TEST_F(DialogTest, ProvisionalMakesAnEarlyDialog) {
  const Dialog dialog = Dialog::as_uac(invite_, response(180, "<sip:bob@192.0.2.20>")).value();
  EXPECT_EQ(dialog.state(), Dialog::State::early);
}

TEST_F(DialogTest, ResponseWithoutToTagMakesNoDialog) {
  EXPECT_FALSE(Dialog::as_uac(invite_, response(180, "<sip:bob@192.0.2.20>", {}, "")));
}

TEST_F(DialogTest, ProvisionalWithoutContactLeavesTheRequestUriAsTarget) {
  const Dialog dialog = Dialog::as_uac(invite_, response(180, "")).value();
  EXPECT_EQ(dialog.remote_target().text(), "sip:bob@example.test");
}

TEST_F(DialogTest, UasTakesItsStateFromTheRequest) {
  const Dialog dialog = uas();
  EXPECT_EQ(dialog.role(), Dialog::Role::uas);
  EXPECT_EQ(dialog.state(), Dialog::State::early);
  EXPECT_EQ(dialog.local_tag(), "mine");
  EXPECT_EQ(dialog.remote_tag(), "alice");
  EXPECT_EQ(dialog.local().uri.text(), "sip:bob@example.test");
  EXPECT_EQ(dialog.remote().display_name, "Alice");
  EXPECT_EQ(dialog.remote_target().text(), "sip:alice@192.0.2.10:5060");
}

TEST_F(DialogTest, RequestWithoutContactMakesNoDialog) {
  Message request = parsed(request_text("INVITE"));
  request.remove(HeaderName::contact);
  EXPECT_FALSE(Dialog::as_uas(request, "mine"));
  request.add(HeaderName::contact, "*");
  EXPECT_FALSE(Dialog::as_uas(request, "mine"));
}

// RFC 3261 §12.2.1.1: a request has the fields of its dialog [routing]
TEST_F(DialogTest, RequestHasTheFieldsOf12211) {
  Dialog dialog = uac();
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(bye.method(), Method::bye);
  EXPECT_EQ(bye.request_uri(), "sip:bob@192.0.2.20:5070");
  EXPECT_EQ(from_of(bye).tag(), "alice");
  EXPECT_EQ(from_of(bye).display_name, "Alice");
  EXPECT_EQ(to_of(bye).tag(), "bob");
  EXPECT_EQ(call_id_of(bye), dialog.call_id());
  EXPECT_EQ(bye.header(HeaderName::cseq), "42 BYE");
  EXPECT_EQ(bye.header(HeaderName::max_forwards), "70");
  EXPECT_EQ(bye.count(HeaderName::via), 0u);
  EXPECT_EQ(bye.count(HeaderName::route), 0u);
}

// RFC 3261 §12.2.1.1: each request but ACK has the next CSeq [cseq-rises]
TEST_F(DialogTest, EachRequestButAckTakesTheNextCSeq) {
  Dialog dialog = uac();
  EXPECT_EQ(cseq_of(dialog.request(Method::info)).number, 42u);
  EXPECT_EQ(cseq_of(dialog.request(Method::update)).number, 43u);
  EXPECT_EQ(dialog.ack(41).header(HeaderName::cseq), "41 ACK");
  EXPECT_EQ(dialog.request(Method::ack).header(HeaderName::cseq), "43 ACK");
  EXPECT_EQ(dialog.local_sequence(), 43u);
}

TEST_F(DialogTest, UasStartsItsOwnCSeq) {
  Dialog dialog = uas();
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(cseq_of(bye).number, 1u);
  EXPECT_EQ(from_of(bye).tag(), "mine");
  EXPECT_EQ(to_of(bye).tag(), "alice");
}

TEST_F(DialogTest, PeerWithoutATagGetsNone) {
  std::string text = request_text("INVITE");
  text.erase(text.find(";tag=alice"), 10);
  Dialog dialog = Dialog::as_uas(parsed(text), "mine").value();
  EXPECT_EQ(find_parameter(to_of(dialog.request(Method::bye)).parameters, "tag"), nullptr);
}

// RFC 3261 §12.1.2: the caller reverses Record-Route [route-set]
TEST_F(DialogTest, UacReversesTheRecordRoute) {
  Dialog dialog = uac({"<sip:p1.example.test;lr>", "<sip:p2.example.test;lr>"});
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(bye.request_uri(), "sip:bob@192.0.2.20:5070");
  EXPECT_THAT(bye.headers(HeaderName::route),
              ElementsAre("<sip:p2.example.test;lr>", "<sip:p1.example.test;lr>"));
  EXPECT_EQ(dialog.next_hop().text(), "sip:p2.example.test;lr");
}

// RFC 3261 §12.1.1: the callee keeps Record-Route in order [route-set]
TEST_F(DialogTest, UasKeepsTheRecordRouteInOrder) {
  Dialog dialog = uas(kRouted);
  EXPECT_THAT(dialog.request(Method::bye).headers(HeaderName::route),
              ElementsAre("<sip:p1.example.test;lr>", "<sip:p2.example.test;lr>"));
  EXPECT_EQ(dialog.next_hop().host, "p1.example.test");
}

// RFC 3261 §13.2.2.4: the ACK of a 2xx has the routes of the dialog [ack-route]
TEST_F(DialogTest, AckGoesTheWayOfTheDialog) {
  const Dialog dialog = uac({"<sip:p1.example.test;lr>"});
  const Message ack = dialog.ack(41);
  EXPECT_EQ(ack.request_uri(), "sip:bob@192.0.2.20:5070");
  EXPECT_THAT(ack.headers(HeaderName::route), ElementsAre("<sip:p1.example.test;lr>"));
  EXPECT_EQ(to_of(ack).tag(), "bob");
}

// RFC 3261 §12.2.1.1: a strict router is the Request-URI [routing]
TEST_F(DialogTest, StrictRouterIsTheRequestUri) {
  Dialog dialog = uac({"<sip:p1.example.test;lr>", "<sip:strict.example.test>"});
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(bye.request_uri(), "sip:strict.example.test");
  EXPECT_THAT(bye.headers(HeaderName::route),
              ElementsAre("<sip:p1.example.test;lr>", "<sip:bob@192.0.2.20:5070>"));
  EXPECT_EQ(dialog.next_hop().host, "strict.example.test");
}

TEST_F(DialogTest, WithoutRoutesTheRemoteTargetIsTheNextHop) {
  EXPECT_EQ(uac().next_hop().text(), "sip:bob@192.0.2.20:5070");
}

TEST_F(DialogTest, RequestUriHasNothingThatOnlyAContactMayHave) {
  Dialog dialog =
      Dialog::as_uac(invite_,
                     response(200, "<sip:bob@192.0.2.20;method=INVITE;transport=tcp?Subject=x>"))
          .value();
  EXPECT_EQ(dialog.request(Method::bye).request_uri(), "sip:bob@192.0.2.20;transport=tcp");
}

// RFC 3261 §13.2.2.4: the 2xx renews target and routes [2xx-overrides]
TEST_F(DialogTest, SuccessConfirmsAndOverridesTargetAndRoutes) {
  Dialog dialog =
      Dialog::as_uac(invite_, response(180, "<sip:early@192.0.2.20>", {"<sip:p1.example.test;lr>"}))
          .value();
  dialog.confirm(response(200, "<sip:final@192.0.2.21>", {"<sip:p3.example.test;lr>"}));
  EXPECT_EQ(dialog.state(), Dialog::State::confirmed);
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(bye.request_uri(), "sip:final@192.0.2.21");
  EXPECT_THAT(bye.headers(HeaderName::route), ElementsAre("<sip:p3.example.test;lr>"));
}

TEST_F(DialogTest, RouteSetIsFixedOnceConfirmed) {
  Dialog dialog = uac({"<sip:p1.example.test;lr>"});
  dialog.confirm(response(200, "<sip:moved@192.0.2.22>"));
  EXPECT_THAT(dialog.request(Method::bye).headers(HeaderName::route),
              ElementsAre("<sip:p1.example.test;lr>"));
}

TEST_F(DialogTest, OurOwnSuccessDoesNotChangeWhereTheUasSends) {
  Dialog dialog = uas(kRouted);
  dialog.confirm(response(200, "<sip:me@192.0.2.99>"));
  EXPECT_EQ(dialog.state(), Dialog::State::confirmed);
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(bye.request_uri(), "sip:alice@192.0.2.10:5060");
  EXPECT_EQ(bye.count(HeaderName::route), 2u);
}

// RFC 3261 §12.2.2: a target refresh moves the target alone [target-refresh]
TEST_F(DialogTest, TargetRefreshMovesTheRemoteTargetOnly) {
  Dialog dialog = uac({"<sip:p1.example.test;lr>"});
  dialog.refresh_target(response(200, "<sip:bob@203.0.113.1>"));
  const Message bye = dialog.request(Method::bye);
  EXPECT_EQ(bye.request_uri(), "sip:bob@203.0.113.1");
  EXPECT_EQ(bye.count(HeaderName::route), 1u);
}

TEST_F(DialogTest, RefreshWithoutContactChangesNothing) {
  Dialog dialog = uac();
  dialog.refresh_target(response(200, ""));
  dialog.refresh_target(response(200, "*"));
  EXPECT_EQ(dialog.remote_target().text(), "sip:bob@192.0.2.20:5070");
}

// RFC 3261 §12.2.2: a lower CSeq gets 500 [cseq-order]
TEST_F(DialogTest, LowerOrEqualCSeqIsRefused) {
  Dialog dialog = uas();
  EXPECT_EQ(dialog.receive(incoming("BYE", "9")), 500);
  EXPECT_EQ(dialog.receive(incoming("BYE", "10")), 500);
  EXPECT_EQ(dialog.receive(incoming("BYE", "11")), std::nullopt);
  EXPECT_EQ(dialog.receive(incoming("BYE", "11")), 500);
}

// RFC 3261 §12.2.2: a gap of CSeq is fine [cseq-order]
TEST_F(DialogTest, GapInCSeqIsFine) {
  Dialog dialog = uas();
  EXPECT_EQ(dialog.receive(incoming("INFO", "1000")), std::nullopt);
}

TEST_F(DialogTest, FirstRequestOfThePeerMayHaveAnyCSeq) {
  Dialog dialog = uac();
  EXPECT_EQ(dialog.receive(incoming("BYE", "3")), std::nullopt);
  EXPECT_EQ(dialog.receive(incoming("BYE", "2")), 500);
}

TEST_F(DialogTest, AckIsNotJudged) {
  Dialog dialog = uas();
  EXPECT_EQ(dialog.receive(incoming("INFO", "12")), std::nullopt);
  EXPECT_EQ(dialog.receive(incoming("ACK", "10")), std::nullopt);
  EXPECT_EQ(dialog.receive(incoming("INFO", "13")), std::nullopt);
}

}  // namespace
}  // namespace trunkline::sip
