#include "established_call.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Digits that cross a call by INFO, in every state of it.
namespace trunkline::call::simulation {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;

struct DtmfCall : EstablishedCall {
  int info(Peer& peer, std::string_view type, std::string_view body) {
    const auto sent = peer.send_in_dialog(Method::info, type, body);
    world.settle();
    const auto response = peer.take_response(200, sent);
    return response ? response->response.status() : 0;
  }
};

// RFC 6086 §A: digits by INFO become events [info-digits]
TEST_F(DtmfCall, ABrowsersInfoBecomesEventsOnTheTrunk) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\nDuration=200\r\n"), 200);
  const auto sent = world.media_commands<media::SendDigit>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].digit, '7');
  EXPECT_EQ(sent[0].duration_ms, 200U);
  EXPECT_EQ(sent[0].payload_type, 101);
  ASSERT_EQ(world.observed<DtmfPassed>().size(), 1U);
  EXPECT_EQ(world.observed<DtmfPassed>()[0].leg, "from");
}

// RFC 6086 §A: digits by INFO reach a page by INFO alone [info-digits]
TEST_F(DtmfCall, ATrunksInfoReachesThePageAsInfo) {
  EXPECT_EQ(info(*trunk, "application/dtmf", "#"), 200);
  const auto passed = alice->take_request(Method::info);
  ASSERT_TRUE(passed);
  EXPECT_THAT(std::string(passed->request.body()), HasSubstr("Signal=#"));
  EXPECT_EQ(world.media_commands<media::SendDigit>().size(), 0U);
}

TEST_F(DtmfCall, ADurationOutOfReasonIsCut) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=1\r\nDuration=4000000000\r\n"), 200);
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Duration=1\r\nSignal=2\r\n"), 200);
  const auto sent = world.media_commands<media::SendDigit>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].duration_ms, 5000U);
  EXPECT_EQ(sent[1].duration_ms, 40U);
}

// RFC 6086 §A: other bodies get 415, an empty INFO 200 [info-digits]
TEST_F(DtmfCall, WhatIsNoDigitIsRefusedAndPassedNowhere) {
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=hello\r\n"), 415);
  EXPECT_EQ(info(*alice, "application/octet-stream", "<x/>"), 415);
  EXPECT_EQ(info(*alice, {}, {}), 200) << "an empty INFO is a keep-alive";
  EXPECT_TRUE(world.media_commands<media::SendDigit>().empty());
}

// RFC 6086 §4.2.2: an Info-Package gets 469 and Recv-Info [info-dialog]
TEST_F(DtmfCall, AnInfoPackageIsNotTaken) {
  auto request = alice->dialog->request(Method::info);
  request.add("Info-Package", "foo");
  const auto sent = alice->send(std::move(request));
  world.settle();
  const auto refused = alice->take_response(200, sent);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->response.status(), 469);
  EXPECT_TRUE(refused->response.header(HeaderName::recv_info));
}

// RFC 5057 §5.1: 501 ends nothing, 481 the call [dialog-lost]
TEST_F(DtmfCall, AnInfoThatTheFarEndDoesNotKnowEndsNothingButItsDialogsLossDoes) {
  EXPECT_EQ(info(*trunk, "application/dtmf", "1"), 200);
  alice->respond(*alice->take_request(Method::info), 501);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 1U);
  EXPECT_EQ(info(*trunk, "application/dtmf", "2"), 200);
  alice->respond(*alice->take_request(Method::info), 481);
  world.settle();
  EXPECT_EQ(world.engine->calls(), 0U);
}

// RFC 6086 §4.2.2: INFO without its dialog gets 481 [info-dialog]
TEST_F(DtmfCall, AnInfoAfterTheEndGets481) {
  auto late = alice->dialog;
  alice->send_in_dialog(Method::bye);
  world.settle();
  late->request(Method::info);
  alice->dialog = late;
  EXPECT_EQ(info(*alice, "application/dtmf-relay", "Signal=7\r\n"), 481);
}

TEST_F(DtmfCall, RtpEventsForALegWithoutEventsBecomeInfo) {
  const LegId browser = world.media_commands<media::AddBrowserLeg>().front().leg;
  const auto sent =
      trunk->send_in_dialog(Method::invite, "application/sdp", trunk_sdp("sendrecv", 5, "0"));
  world.settle();
  trunk->ack(*trunk->take_response(200, sent));
  world.settle();
  world.media(media::DigitReceived{browser, '9', 120});
  const auto passed = trunk->take_request(Method::info);
  ASSERT_TRUE(passed);
  EXPECT_THAT(std::string(passed->request.body()), HasSubstr("Signal=9"));
}

TEST(DtmfBeforeTheAnswer, AnEarlyInfoIsAnsweredAndPassedNowhere) {
  World world;
  Peer& alice = world.registered("alice", 100000);
  world.answer_challenge(alice, alice.invite("5551000", "alice", kBrowserOffer), "alice");
  const auto invite = world.trunk().take_request(Method::invite);
  ASSERT_TRUE(invite);
  world.trunk().respond(*invite, 183, trunk_sdp());
  world.settle();
  world.trunk().dialog = *sip::Dialog::as_uas(invite->request, "peer-tag");
  const auto sent = world.trunk().send_in_dialog(Method::info, "application/dtmf", "1");
  world.settle();
  EXPECT_EQ(world.trunk().take_response(200, sent)->response.status(), 200);
  EXPECT_FALSE(alice.take_request(Method::info));
}

}  // namespace
}  // namespace trunkline::call::simulation
