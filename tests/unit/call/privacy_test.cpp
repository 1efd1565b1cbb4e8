#include "call/privacy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

Privacy read(std::initializer_list<std::string_view> values) {
  auto message = sip::Message::request(sip::Method::invite, "sip:a@example.test");
  for (const auto value : values)
    message.add(sip::HeaderName::privacy, value);
  return Privacy::of(message);
}

TEST(PrivacyField, IsReadWithoutCaseFromAllFields) {
  const Privacy privacy = read({" ID ; User", "HEADER,session", "History;Critical"});
  EXPECT_TRUE(privacy.id && privacy.user && privacy.header && privacy.session && privacy.history &&
              privacy.critical);
  EXPECT_FALSE(privacy.none);
  EXPECT_THAT(privacy.unknown, testing::IsEmpty());
}

TEST(PrivacyField, KeepsFewOfTheValuesThatItDoesNotKnow) {
  const Privacy privacy = read({"one;two;three;four;five;six;seven;eight;nine;ten", "one",
                                "not a token", "\"q\"", std::string(100, 'a')});
  EXPECT_EQ(privacy.unknown.size(), kMaxPrivacyValues);
  EXPECT_FALSE(privacy.hides_party());
}

// RFC 3323 §4.2: the number stays here for `user`, and for `id` too [race-privacy-from]
TEST(PrivacyField, HidesThePartyForUserAndForId) {
  EXPECT_TRUE(read({"id"}).hides_party());
  EXPECT_TRUE(read({"user"}).hides_party());
  EXPECT_FALSE(read({"header;session"}).hides_party());
  EXPECT_FALSE(read({}).hides_party());
  EXPECT_FALSE(read({"none", "id"}).hides_party());
}

TEST(PrivacyField, HidesTheHistory) {
  EXPECT_TRUE(read({"history"}).hides_history());
  EXPECT_TRUE(read({"session"}).hides_history());
  EXPECT_FALSE(read({"id"}).hides_history());
  EXPECT_FALSE(read({"none;history"}).hides_history());
}

TEST(PrivacyField, WhatIsCriticalMustBeKnown) {
  EXPECT_EQ(read({"id;critical"}).unsatisfiable(), "");
  EXPECT_EQ(read({"shield"}).unsatisfiable(), "");
  EXPECT_EQ(read({"shield;id;cloak;critical"}).unsatisfiable(), "shield, cloak");
  EXPECT_EQ(read({"none;shield;critical"}).unsatisfiable(), "");
}

TEST(PrivacyField, PassesOnWhatWasNotDoneHere) {
  EXPECT_EQ(read({"user;header;session"}).passed_on(true), "id;history");
  EXPECT_EQ(read({"header;session"}).passed_on(false), "");
  EXPECT_EQ(read({"id;critical"}).passed_on(false), "id;critical");
  EXPECT_EQ(read({"header;critical"}).passed_on(false), "");
  EXPECT_EQ(read({"shield"}).passed_on(false), "shield");
  EXPECT_EQ(read({"none;id"}).passed_on(false), "none");
}

TEST(PrivacyField, NobodyHasManyNames) {
  const auto anonymous = [](std::string_view text) { return is_anonymous(*sip::Uri::parse(text)); };
  EXPECT_TRUE(anonymous("sip:anonymous@anonymous.invalid"));
  EXPECT_TRUE(anonymous("sip:c8oqz84zk7z@Anonymous.Invalid"));
  EXPECT_TRUE(anonymous("sip:Anonymous@carrier.test"));
  EXPECT_FALSE(anonymous("sip:anonymously@carrier.test"));
  EXPECT_FALSE(names_nobody(*sip::Uri::parse("sip:anonymous@carrier.test")));
}

}  // namespace
}  // namespace trunkline::call
