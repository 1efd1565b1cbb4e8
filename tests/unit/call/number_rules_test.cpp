#include "call/number_rules.hpp"

#include "sip/uri.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

using testing::HasSubstr;

NumberRules rules(std::vector<RewriteRule> list) {
  auto made = NumberRules::make(list);
  EXPECT_TRUE(made);
  return made ? *made : NumberRules{};
}

TEST(NumberRules, TheFirstThatMatchesCounts) {
  const NumberRules german =
      rules({{"^00([1-9])", "+\\1"}, {"^0([1-9])", "+49\\1"}, {"^", "+4930"}});
  EXPECT_EQ(german.apply("0033123456"), "+33123456");
  EXPECT_EQ(german.apply("030123456"), "+4930123456");
  EXPECT_EQ(german.apply("123456"), "+4930123456");
}

TEST(NumberRules, ReplaceWhatTheyFindAndNoMore) {
  EXPECT_EQ(rules({{"^\\+", ""}}).apply("+4930"), "4930");
  EXPECT_EQ(rules({{"^([0-9]+)#$", "\\1"}}).apply("12#"), "12");
  EXPECT_EQ(rules({{"^.*$", "\\0\\0"}}).apply("12"), "1212");
  EXPECT_EQ(rules({{"^9", "8"}}).apply("123"), "123");
  EXPECT_EQ(NumberRules{}.apply("123"), "123");
}

TEST(NumberRules, LeaveANumberThatTheyWouldSpoil) {
  EXPECT_EQ(rules({{"^.*$", ""}}).apply("123"), "123") << "empty";
  EXPECT_EQ(rules({{"^", "a\r\nX: "}}).apply("123"), "123") << "control characters";
  EXPECT_EQ(rules({{"^(.*)$", "\\1\\1\\1"}}).apply(std::string(100, '1')), std::string(100, '1'))
      << "too long";
  EXPECT_EQ(rules({{"1", "2"}}).apply(std::string(300, '1')), std::string(300, '1'));
}

TEST(NumberRules, MustBeExpressionsWhoseCapturesExist) {
  EXPECT_THAT(NumberRules::make({{"a", ""}, {"(", ""}}).error().message,
              HasSubstr("rule 2: match: "));
  EXPECT_THAT(NumberRules::make({{"^(1)", "\\2"}}).error().message, HasSubstr("rule 1: replace: "));
  EXPECT_THAT(NumberRules::make({{"^1", "\\x"}}).error().message, HasSubstr("rule 1: replace: "));
}

TEST(Numbers, AreReadFromUrisOfTelephones) {
  const auto number = [](std::string_view text) { return number_of(*sip::Uri::parse(text)); };
  EXPECT_EQ(number("tel:+1-201-555-0123"), "+12015550123");
  EXPECT_EQ(number("tel:(030)12.34;phone-context=+49"), "0301234");
  EXPECT_EQ(number("sip:+1-201-555-0123;npdi@carrier.test;user=phone"), "+12015550123");
  EXPECT_EQ(number("sip:+1-201@carrier.test"), "+1-201");
  EXPECT_EQ(number("sip:john-doe@carrier.test;user=phone"), "john-doe");
  EXPECT_EQ(number("sip:%2b49@carrier.test"), "+49");
}

TEST(Numbers, AreWrittenAsTheTrunkWantsThem) {
  const auto uri = [](std::string_view number, NumberForm form) {
    return number_uri(number, "example.test", form).text();
  };
  EXPECT_EQ(uri("+4930", NumberForm::sip), "sip:+4930@example.test");
  EXPECT_EQ(uri("+4930", NumberForm::phone), "sip:+4930@example.test;user=phone");
  EXPECT_EQ(uri("+4930", NumberForm::tel), "tel:+4930");
  EXPECT_EQ(uri("1001", NumberForm::tel), "tel:1001;phone-context=example.test");
  for (const NumberForm form : {NumberForm::sip, NumberForm::phone, NumberForm::tel})
    EXPECT_EQ(uri("alice", form), "sip:alice@example.test");
}

}  // namespace
}  // namespace trunkline::call
