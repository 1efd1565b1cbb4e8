#include "call/header_lists.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct HeaderLists : testing::Test {
  TrunkSettings one, other;
  sip::Message message = sip::Message::request(sip::Method::invite, "sip:a@example.test");
  std::size_t left_out = 0;

  void add(std::string_view name, std::string_view value) { message.add(name, value); }
  std::vector<std::string> crossing(const Crossing& crossing, const Identity* sender = nullptr) {
    std::vector<std::string> lines;
    for (const HeaderField& field : listed_fields(message, crossing, sender, left_out))
      lines.push_back(field.name + ": " + field.value);
    return lines;
  }
};

TEST_F(HeaderLists, NothingCrossesThatIsNotListed) {
  add("X-Account", "7");
  add("Subject", "lunch");
  EXPECT_THAT(crossing({nullptr, &one}), IsEmpty());
  EXPECT_THAT(crossing({&one, nullptr}), IsEmpty());
}

TEST_F(HeaderLists, EachWayHasItsOwn) {
  one.headers_to = {"x-account"};
  one.headers_from = {"User-to-User"};
  add("X-Account", "7");
  add("User-To-User", "00ff;encoding=hex");
  EXPECT_THAT(crossing({nullptr, &one}), ElementsAre("X-Account: 7"));
  EXPECT_THAT(crossing({&one, nullptr}), ElementsAre("User-To-User: 00ff;encoding=hex"));
}

TEST_F(HeaderLists, BetweenTrunksBothHaveToListIt) {
  one.headers_from = {"X-Account", "X-Only-From"};
  other.headers_to = {"X-Account", "X-Only-To"};
  add("X-Account", "7");
  add("X-Only-From", "1");
  add("X-Only-To", "1");
  EXPECT_THAT(crossing({&one, &other}), ElementsAre("X-Account: 7"));
}

TEST_F(HeaderLists, BetweenBrowsersNothingCrosses) {
  add("X-Account", "7");
  EXPECT_THAT(crossing({}), IsEmpty());
}

TEST_F(HeaderLists, AStarMeansAllThatBeginSo) {
  one.headers_to = {"X-Shop-*"};
  add("X-Shop-Order", "1");
  add("x-shop-", "2");
  add("X-Shopping", "3");
  EXPECT_THAT(crossing({nullptr, &one}), ElementsAre("X-Shop-Order: 1"));
}

TEST_F(HeaderLists, CompactFormsAreTheSame) {
  one.headers_to = {"s"};
  message.add(sip::HeaderName::subject, "lunch");
  EXPECT_THAT(crossing({nullptr, &one}), ElementsAre("Subject: lunch"));
}

TEST_F(HeaderLists, WhatIsTooLongOrTooMuchStays) {
  one.headers_to = {"X-A", "X-B"};
  add("X-A", std::string(kMaxListedValue + 1, 'a'));
  for (int i = 0; i < 100; ++i)
    add("X-B", "b");
  EXPECT_THAT(crossing({nullptr, &one}), SizeIs(kMaxListedFields));
  EXPECT_EQ(left_out, 1 + 100 - kMaxListedFields);
}

TEST_F(HeaderLists, AllTogetherAreBounded) {
  one.headers_to = {"X-A"};
  for (int i = 0; i < 10; ++i)
    add("X-A", std::string(kMaxListedValue, 'a'));
  EXPECT_THAT(crossing({nullptr, &one}), SizeIs(kMaxListedOctets / kMaxListedValue));
}

TEST_F(HeaderLists, ControlCharactersStay) {
  one.headers_to = {"X-A"};
  for (const char* value : {"a\r\nX-B: 1", "a\nb", "a\x01", "a\x7f"})
    add("X-A", value);
  add("X-A", "a\tb");
  EXPECT_THAT(crossing({nullptr, &one}), ElementsAre("X-A: a\tb"));
  EXPECT_EQ(left_out, 4U);
}

// RFC 3323 §5.3: fields that tell who a hidden sender is stay [privacy]
TEST_F(HeaderLists, NobodyIsNamedWhoHides) {
  one.headers_to = {"Subject", "X-*"};
  Identity sender{.number = "+4930123456", .name = "Alice"};
  sender.privacy = Privacy::anonymous();
  add("Subject", "lunch");
  add("X-Ticket", "of ALICE");
  add("X-Number", "tel:+4930123456");
  add("X-Queue", "sales");
  EXPECT_THAT(crossing({nullptr, &one}, &sender), ElementsAre("X-Queue: sales"));
  one.asserts_identity = true;
  EXPECT_THAT(crossing({nullptr, &one}, &sender), SizeIs(4)) << "it is trusted with it";
}

TEST(HeaderNames, OfTheGatewaysOwnCantBeListed) {
  for (const char* name : {"From",
                           "to",
                           "Via",
                           "v",
                           "Contact",
                           "Route",
                           "Authorization",
                           "Proxy-Authenticate",
                           "Require",
                           "P-Asserted-Identity",
                           "P-Preferred-Identity",
                           "Privacy",
                           "Diversion",
                           "History-Info",
                           "Identity",
                           "Session-ID",
                           "Remote-Party-ID",
                           "Content-Type",
                           "Content-Length",
                           "Replaces",
                           "Join",
                           "Refer-To",
                           "RSeq",
                           "Session-Expires",
                           "Path",
                           "Target-Dialog",
                           "a b",
                           "",
                           "X-A:",
                           "*",
                           "P-*",
                           "X*"})
    EXPECT_NE(why_not_listed(name), "") << name;
  for (const char* name : {"X-Account", "x-*", "X-Shop-*", "User-to-User", "Alert-Info",
                           "Call-Info", "Subject", "User-Agent", "Organization", "Geolocation"})
    EXPECT_EQ(why_not_listed(name), "") << name;
}

TEST(AddedFields, DontDoubleWhatIsThere) {
  auto message = sip::Message::request(sip::Method::message, "sip:a@example.test");
  message.add(sip::HeaderName::subject, "lunch");
  add_fields(message, {{"Subject", "dinner"}, {"X-A", "1"}, {"X-A", "2"}});
  EXPECT_THAT(message.headers(sip::HeaderName::subject), ElementsAre("lunch"));
  EXPECT_THAT(message.serialize(),
              testing::AllOf(testing::HasSubstr("X-A: 1\r\n"), testing::HasSubstr("X-A: 2\r\n")));
}

}  // namespace
}  // namespace trunkline::call
