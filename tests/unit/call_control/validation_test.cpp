#include "base/random.hpp"
#include "base/utf8.hpp"

#include "call_control/requests.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call_control {
namespace {

using testing::ElementsAre;
using Presence = Violations::Presence;

std::vector<std::string> fields(const Violations& wrong) {
  std::vector<std::string> out;
  for (const Violation& one : wrong.all())
    out.push_back(one.field);
  return out;
}

v1::CreateCallRequest good() {
  v1::CreateCallRequest request;
  request.set_from("user:alice");
  request.set_to("+4930123456");
  return request;
}

std::vector<std::string> wrong_in(const v1::CreateCallRequest& request) {
  Violations wrong;
  (void)read(request, wrong);
  return fields(wrong);
}

TEST(ValidationTest, parties_are_of_one_of_the_forms) {
  for (const char* party :
       {"user:alice", "user:a.b-c_d", "service:echo", "+4930123456", "1001", "*21#", "echo",
        "sip:bob@example.test", "SIPS:bob@[2001:db8::1]:5061;transport=tls", "tel:+4930123456"}) {
    Violations wrong;
    wrong.check_party("to", party);
    EXPECT_TRUE(wrong.none()) << party;
  }
  for (const char* party : {"",          "user:",         "service:",      "user:al ice",
                            "user:a@b",  "+49 30",        "1;evil=1",      "1,2",
                            "1/2",       "a\r\nb",        "a\tb",          "sip:",
                            "sip:a b@c", "sip:a@b>",      "sip:<a@b>",     "sip:\"a\"@b",
                            "sip:a\n@b", "trunk:carrier", "J\xc3\xbcrgen", "http://x",
                            "1\x01",     "100%",          "a\\b"}) {
    Violations wrong;
    wrong.check_party("to", party);
    EXPECT_FALSE(wrong.none()) << party;
  }
  Violations long_one;
  long_one.check_party("to", std::string(kMaxNumber + 1, '1'));
  EXPECT_FALSE(long_one.none());
}

TEST(ValidationTest, only_headers_that_sip_does_not_live_by_may_be_set) {
  for (const char* name : {"X-Account", "x-a", "Subject", "user-to-user", "Alert-Info"})
    EXPECT_TRUE(is_allowed_header(name)) << name;
  for (const char* name : {"",
                           "X-",
                           "Via",
                           "v",
                           "From",
                           "f",
                           "To",
                           "t",
                           "Call-ID",
                           "i",
                           "CSeq",
                           "Contact",
                           "m",
                           "Route",
                           "Record-Route",
                           "Content-Length",
                           "l",
                           "Content-Type",
                           "c",
                           "Max-Forwards",
                           "Authorization",
                           "Proxy-Authorization",
                           "P-Asserted-Identity",
                           "Supported",
                           "Require",
                           "Expires",
                           "Referred-By",
                           "Replaces",
                           "Identity",
                           "Privacy",
                           "Diversion",
                           "Reason",
                           "X A",
                           "X-A:",
                           "X-A\r\nVia",
                           "X-\xc3\xbc"}) {
    EXPECT_FALSE(is_allowed_header(name)) << name;
  }
  EXPECT_FALSE(is_allowed_header("X-" + std::string(kMaxHeaderName, 'a')));
}

TEST(ValidationTest, no_text_holds_what_could_end_a_line) {
  using namespace std::string_literals;
  for (const std::string& text : {"a\rb"s, "a\nb"s, "a\0b"s, "a\tb"s, "\x1b[0m"s, "a\x7f"s,
                                  "\xc2\x85"s, "\xe2\x80\xa8"s, "\xe2\x80\xa9"s, "\xff"s, "\xc3"s})
    EXPECT_FALSE(is_printable(text));
  for (const char* text : {"", "Hello, world; \"quoted\" <x>", "J\xc3\xbcrgen", "\xc2\xa0",
                           "\xe2\x82\xac", "\xf0\x9f\x98\x80"})
    EXPECT_TRUE(is_printable(text)) << text;
}

TEST(ValidationTest, a_good_request_becomes_the_same_request) {
  v1::CreateCallRequest request = good();
  request.set_request_id("1b4e28ba-2fa1-11d2-883f-0016d3cca427");
  request.set_trunk("carrier");
  request.mutable_ring_timeout()->set_seconds(20);
  request.mutable_max_duration()->set_seconds(3600);
  request.mutable_caller_id()->set_number("+4930999");
  request.mutable_caller_id()->set_name("J\xc3\xbcrgen");
  request.mutable_caller_id()->set_anonymous(true);
  auto* header = request.add_headers();
  header->set_name("X-Account");
  header->set_value("42");
  (*request.mutable_metadata())["order"] = "17";
  Violations wrong;
  const call::CreateCall create = read(request, wrong);
  EXPECT_TRUE(wrong.none()) << wrong.all().front().field;
  EXPECT_EQ(create.from, "user:alice");
  EXPECT_EQ(create.to, "+4930123456");
  EXPECT_EQ(create.ring_timeout, Duration(seconds{20}));
  EXPECT_EQ(create.max_duration, Duration(seconds{3600}));
  EXPECT_EQ(create.caller_id.name, "J\xc3\xbcrgen");
  EXPECT_TRUE(create.caller_id.anonymous);
  EXPECT_THAT(create.headers, ElementsAre(call::HeaderField{"X-Account", "42"}));
  EXPECT_EQ(create.metadata.at("order"), "17");
}

TEST(ValidationTest, each_wrong_field_is_named) {
  v1::CreateCallRequest request;
  request.set_request_id("a b");
  request.set_from("user:al ice");
  request.set_trunk("a\nb");
  request.mutable_ring_timeout()->set_seconds(0);
  request.mutable_caller_id()->set_name("a\rb");
  request.add_headers()->set_name("X-Fine");
  request.add_headers()->set_name("Via");
  request.add_headers()->set_name("X-B");
  request.mutable_headers(2)->set_value("a\r\nVia: evil");
  EXPECT_THAT(wrong_in(request),
              ElementsAre("request_id", "from", "to", "trunk", "ring_timeout", "caller_id.name",
                          "headers[1].name", "headers[2].value"));
}

TEST(ValidationTest, counts_are_limited) {
  v1::CreateCallRequest request = good();
  for (std::size_t i = 0; i <= kMaxHeaders; ++i)
    request.add_headers()->set_name("X-A");
  EXPECT_THAT(wrong_in(request), ElementsAre("headers"));
  request = good();
  for (std::size_t i = 0; i <= kMaxMetadata; ++i)
    (*request.mutable_metadata())[std::to_string(i)] = "x";
  EXPECT_THAT(wrong_in(request), ElementsAre("metadata"));
}

TEST(ValidationTest, durations_are_proper_and_within_bounds) {
  const auto check = [](std::int64_t whole, std::int32_t nanos) {
    google::protobuf::Duration value;
    value.set_seconds(whole);
    value.set_nanos(nanos);
    Violations wrong;
    const auto length = wrong.check_duration("d", value, seconds{1}, seconds{10});
    EXPECT_EQ(length.has_value(), wrong.none());
    return length;
  };
  EXPECT_EQ(check(1, 0), Duration(seconds{1}));
  EXPECT_EQ(check(9, 500'000'000), Duration(milliseconds{9500}));
  EXPECT_EQ(check(10, 0), Duration(seconds{10}));
  for (const auto& [whole, nanos] : {std::pair<std::int64_t, std::int32_t>{0, 999'999'999},
                                     {10, 1},
                                     {-1, 0},
                                     {1, -1},
                                     {1, 1'000'000'000},
                                     {INT64_MAX, 0},
                                     {INT64_MIN, 0}})
    EXPECT_FALSE(check(whole, nanos));
}

TEST(ValidationTest, digits_and_codes) {
  v1::SendDtmfRequest dtmf;
  dtmf.set_call_id("c1");
  for (const auto& [digits, fine] :
       {std::pair{"0123456789*#ABCD", true}, {"", false}, {"12a", false}, {"1 2", false}}) {
    dtmf.set_digits(digits);
    Violations wrong;
    (void)read(dtmf, wrong);
    EXPECT_EQ(wrong.none(), fine) << digits;
  }
  v1::HangupCallRequest hangup;
  hangup.set_call_id("c1");
  for (const auto& [code, fine] :
       {std::pair{0, true}, {400, true}, {699, true}, {200, false}, {399, false}, {700, false}}) {
    hangup.set_sip_code(code);
    Violations wrong;
    (void)read(hangup, wrong);
    EXPECT_EQ(wrong.none(), fine) << code;
  }
}

TEST(ValidationTest, enums_of_a_later_version_are_refused) {
  v1::CreateCallRequest request = good();
  request.set_wait_until(static_cast<v1::WaitUntil>(77));
  EXPECT_THAT(wrong_in(request), ElementsAre("wait_until"));
}

/// Whatever the octets are: what is let through can't begin a line, nor end a quoted string or a
/// URI.
TEST(ValidationTest, random_text_never_gets_through_with_what_a_message_is_made_of) {
  SeededRandom random(20);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (std::uint32_t i = random.below(12); i > 0; --i) {
      // Mostly what is nearly right: ASCII with a few strange octets between.
      const bool odd = random.below(6) == 0;
      text += static_cast<char>(odd ? random.below(256) : '+' + random.below(80));
    }
    Violations party, header;
    party.check_party("to", text);
    if (party.none()) {
      EXPECT_EQ(text.find_first_of("\r\n\t <>\"\\"), text.npos) << text;
      EXPECT_EQ(text.find('\0'), text.npos);
    }
    header.check_header("h", "X-" + text, text);
    if (header.none()) {
      EXPECT_EQ(text.find_first_of("\r\n :"), text.npos) << text;
      EXPECT_TRUE(is_utf8(text));
    }
  }
}

TEST(PolicyAnswerTest, each_decision_is_read) {
  v1::RouteCallResponse answer;
  answer.mutable_route()->add_targets("trunk:carrier");
  answer.mutable_route()->add_targets("user:alice");
  answer.mutable_route()->mutable_caller_id()->set_number("100");
  Violations wrong;
  const call::PolicyAnswer route = read(answer, wrong);
  ASSERT_TRUE(std::holds_alternative<call::RouteTargets>(route));
  EXPECT_THAT(std::get<call::RouteTargets>(route).targets,
              ElementsAre("trunk:carrier", "user:alice"));
  answer.mutable_park()->mutable_timeout()->set_seconds(30);
  const call::PolicyAnswer park = read(answer, wrong);
  EXPECT_EQ(std::get<call::Park>(park).timeout, Duration(seconds{30}));
  answer.mutable_reject()->set_reason("Not now");
  const call::PolicyAnswer rejection = read(answer, wrong);
  EXPECT_EQ(std::get<call::PolicyRejection>(rejection).sip_code, 403);
  EXPECT_TRUE(wrong.none());
}

TEST(PolicyAnswerTest, what_can_not_be_used_is_a_violation) {
  v1::RouteCallResponse none, no_target, forged;
  no_target.mutable_route();
  forged.mutable_route()->add_targets("user:a");
  forged.mutable_route()->add_headers()->set_name("Via");
  for (const auto* answer : {&none, &no_target, &forged}) {
    Violations wrong;
    (void)read(*answer, wrong);
    EXPECT_FALSE(wrong.none());
  }
  v1::AuthenticateUserResponse user;
  for (const auto& [ha1, fine] : {std::pair{"0123456789abcdef0123456789abcdef", true},
                                  {"0123456789ABCDEF0123456789abcdef", false},
                                  {"short", false}}) {
    user.set_ha1(ha1);
    Violations wrong;
    (void)read(user, wrong);
    EXPECT_EQ(wrong.none(), fine);
  }
}

}  // namespace
}  // namespace trunkline::call_control
