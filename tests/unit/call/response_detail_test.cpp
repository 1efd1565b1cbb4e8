#include "call/response_detail.hpp"

#include <gmock/gmock.h>
#include <initializer_list>
#include <utility>

namespace trunkline::call {
namespace {

using sip::HeaderName;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

sip::Message response(int status, Fields fields, std::string_view phrase = "No") {
  sip::Message message = sip::Message::response(status, phrase);
  for (const auto& [name, value] : fields) {
    const HeaderName known = sip::parse_header_name(name);
    if (known == HeaderName::other) {
      message.add(name, value);
    } else {
      message.add(known, value);
    }
  }
  return message;
}

Failure heard(int status, Fields fields, std::string_view phrase = "No") {
  return failure_of(response(status, fields, phrase));
}

TEST(ResponseDetail, IsNothingWhereTheResponseSaysNothing) {
  const Failure failure = heard(486, {});
  EXPECT_EQ(failure.detail.q850_cause, 0);
  EXPECT_THAT(failure.detail.warnings, IsEmpty());
  EXPECT_THAT(failure.detail.contacts, IsEmpty());
  EXPECT_THAT(failure.detail.redress, IsEmpty());
  EXPECT_THAT(failure.detail.facts, IsEmpty());
  EXPECT_FALSE(failure.retry_after);
  EXPECT_TRUE(failure.peer_reason.empty());
  EXPECT_EQ(failure.phase, Phase::trying);
}

TEST(ResponseDetail, TakesTheCauseOfQ850WhereverItStands) {
  const Failure failure = heard(503, {{"Reason", "SIP;cause=503;text=\"Busy\""},
                                      {"Reason", "q.850 ;cause=34 ;text=\"No circuit\""},
                                      {"Reason", "Q.850;cause=16"}});
  EXPECT_EQ(failure.detail.q850_cause, 34);
  EXPECT_EQ(failure.detail.q850_text, "No circuit");
  EXPECT_EQ(failure.peer_reason,
            "SIP;cause=503;text=\"Busy\", q.850;cause=34;text=\"No circuit\", Q.850;cause=16");
}

TEST(ResponseDetail, TakesNoCauseThatQ850DoesNotHave) {
  for (const std::string_view value : {"Q.850;cause=0", "Q.850;cause=128", "Q.850;cause=-1",
                                       "Q.850;cause=x", "Q.850", "ISUP;cause=34", ";cause=34"})
    EXPECT_EQ(heard(503, {{"Reason", value}}).detail.q850_cause, 0) << value;
}

TEST(ResponseDetail, CarriesWholeReasonsAcrossAndNotWithoutEnd) {
  sip::Message message = response(503, {});
  for (int i = 0; i < 200; ++i)
    message.add(HeaderName::reason, "SIP;cause=503;text=\"" + std::string(30, 'x') + "\"");
  message.add(HeaderName::reason, "Q.850;cause=42;text=\"" + std::string(5000, 'y') + "\"");
  const Failure failure = failure_of(message);
  EXPECT_LE(failure.peer_reason.size(), 512u);
  EXPECT_TRUE(failure.peer_reason.ends_with("x\""));
  EXPECT_EQ(failure.detail.q850_cause, 42);
  EXPECT_EQ(failure.detail.q850_text.size(), 256u);
}

TEST(ResponseDetail, KeepsTheTextsOfEightWarnings) {
  EXPECT_THAT(heard(488, {{"Warning", "305 sbc.example.test \"Incompatible media format\""},
                          {"Warning", "nonsense"},
                          {"Warning", "399 - \"with \\\"quotes\\\"\""}})
                  .detail.warnings,
              ElementsAre("Incompatible media format", "with \"quotes\""));
  sip::Message message = response(488, {});
  for (int i = 0; i < 50; ++i)
    message.add(HeaderName::warning, "399 x \"" + std::string(1000, 'w') + "\"");
  const Failure failure = failure_of(message);
  ASSERT_THAT(failure.detail.warnings, SizeIs(8));
  EXPECT_EQ(failure.detail.warnings[7].size(), 256u);
}

TEST(ResponseDetail, KeepsTheContactsOfARedirectionInTheirOrder) {
  for (const int status : {300, 301, 302, 305, 380, 399, 485}) {
    EXPECT_THAT(
        heard(status, {{"Contact", "\"A, B\" <sip:a@192.0.2.1>;q=0.1"},
                       {"Contact", "*"},
                       {"Contact", "<sip:"},
                       {"m", "<sips:b@192.0.2.2:5071;transport=tcp>;q=1"},
                       {"Contact", "tel:+49301234"}})
            .detail.contacts,
        ElementsAre("sip:a@192.0.2.1", "sips:b@192.0.2.2:5071;transport=tcp", "tel:+49301234"))
        << status;
  }
  EXPECT_THAT(heard(486, {{"Contact", "<sip:a@192.0.2.1>"}}).detail.contacts, IsEmpty());
}

TEST(ResponseDetail, KeepsSixteenContactsAndNoneThatIsVeryLong) {
  sip::Message message = response(302, {});
  message.add(HeaderName::contact, "<sip:" + std::string(2000, 'a') + "@192.0.2.1>");
  for (int i = 0; i < 100; ++i)
    message.add(HeaderName::contact, "<sip:" + std::to_string(i) + "@192.0.2.1>");
  const Failure failure = failure_of(message);
  ASSERT_THAT(failure.detail.contacts, SizeIs(16));
  EXPECT_EQ(failure.detail.contacts[0], "sip:0@192.0.2.1");
}

TEST(ResponseDetail, KnowsABlockByAnalytics) {
  const Failure failure =
      heard(603, {{"Reason",
                   "SIP;cause=603;text=\"v=analytics1; url=https://redress.example.test/x?y=1; "
                   "tel=+12155551212;email=redress@example.test;location=originating\""}});
  EXPECT_TRUE(failure.detail.blocked_by_network);
  EXPECT_EQ(failure.grpc_code(), GrpcCode::permission_denied);
  EXPECT_EQ(failure.grpc_reason(), "CALL_BLOCKED_BY_NETWORK");
  EXPECT_EQ(failure.fault(), Fault::upstream);
  EXPECT_THAT(failure.detail.redress,
              ElementsAre("https://redress.example.test/x?y=1", "tel:+12155551212",
                          "mailto:redress@example.test"));
  EXPECT_THAT(failure.detail.facts, ElementsAre(Pair("location", "originating")));
}

TEST(ResponseDetail, KnowsABlockByThePhraseAlone) {
  EXPECT_EQ(heard(603, {}, "Network Blocked").grpc_reason(), "CALL_BLOCKED_BY_NETWORK");
  EXPECT_EQ(heard(603, {}, "Decline").grpc_reason(), "CALLEE_DECLINED");
  EXPECT_EQ(heard(603, {{"Reason", "SIP;cause=603;text=\"url=https://x.test\""}}).grpc_reason(),
            "CALLEE_DECLINED");
  EXPECT_EQ(heard(486, {{"Reason", "SIP;cause=603;text=\"v=analytics1\""}}).grpc_reason(),
            "CALLEE_BUSY");
}

TEST(ResponseDetail, LeadsNobodyToWhatIsNoPlainLink) {
  for (const std::string_view url : {"javascript:alert(1)", "https://a b", "file:///etc/passwd", "",
                                     "https://a\\\"b", "https://<x>"}) {
    const Failure failure =
        heard(603, {{"Reason", "SIP;text=\"v=analytics1;url=" + std::string(url) + "\""}});
    EXPECT_TRUE(failure.detail.blocked_by_network) << url;
    EXPECT_THAT(failure.detail.redress, IsEmpty()) << url;
  }
  std::string many = "SIP;text=\"v=analytics1";
  for (int i = 0; i < 100; ++i)
    many += ";url=https://x.test/" + std::to_string(i);
  EXPECT_THAT(heard(603, {{"Reason", many + "\""}}).detail.redress, SizeIs(4));
}

TEST(ResponseDetail, ReadsWhoRejectedByAnalytics) {
  const Failure failure =
      heard(608, {{"Call-Info", "<https://block.example.test/complaint-jws>;purpose=jwscard"},
                  {"Call-Info", "<data:application/jose,abc>;purpose=jwscard"}});
  EXPECT_THAT(failure.detail.redress, ElementsAre("https://block.example.test/complaint-jws"));
  EXPECT_THAT(heard(486, {{"Call-Info", "<https://x.test>"}}).detail.redress, IsEmpty());
}

TEST(ResponseDetail, CopiesWhatTheCodeIsAbout) {
  EXPECT_THAT(heard(405, {{"Allow", "INVITE"}, {"Allow", "ACK"}}).detail.facts,
              ElementsAre(Pair("allow", "INVITE, ACK")));
  EXPECT_THAT(heard(420, {{"Unsupported", "timer"}}).detail.facts,
              ElementsAre(Pair("unsupported", "timer")));
  EXPECT_THAT(heard(421, {{"Require", "100rel"}}).detail.facts,
              ElementsAre(Pair("required", "100rel")));
  EXPECT_THAT(heard(422, {{"Min-SE", "3600"}}).detail.facts, ElementsAre(Pair("min_se", "3600")));
  EXPECT_THAT(heard(423, {{"Min-Expires", "600"}}).detail.facts,
              ElementsAre(Pair("min_expires", "600")));
  EXPECT_THAT(heard(486, {{"Allow", "INVITE"}, {"Min-SE", "90"}}).detail.facts, IsEmpty());
}

TEST(ResponseDetail, TakesTheCodeOfTheProviderAlone) {
  EXPECT_THAT(heard(603, {{"X-Twilio-Error", "32203 Blocked by somebody"}}).detail.facts,
              ElementsAre(Pair("provider_error_code", "32203")));
}

TEST(ResponseDetail, TakesRetryAfterAsANumberOnly) {
  EXPECT_EQ(heard(503, {{"Retry-After", "17 (in a while);duration=60"}}).retry_after, 17u);
  EXPECT_EQ(heard(503, {{"Retry-After", "soon"}}).retry_after, std::nullopt);
}

TEST(ReasonsOfARequest, AreReadWithoutWhatAResponseMeans) {
  sip::Message bye = sip::Message::request(sip::Method::bye, "sip:a@192.0.2.1");
  bye.add(HeaderName::reason, "Q.850;cause=16;text=\"v=analytics1\"");
  Failure failure = Failure::local(EndReason::hangup);
  read_reasons(bye, failure);
  EXPECT_EQ(failure.peer_reason, "Q.850;cause=16;text=\"v=analytics1\"");
  EXPECT_EQ(failure.detail.q850_cause, 16);
  EXPECT_FALSE(failure.detail.blocked_by_network);
}

}  // namespace
}  // namespace trunkline::call
