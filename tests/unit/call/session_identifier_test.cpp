#include "call/session_identifier.hpp"

#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

const std::string kOne = "ab30317f1a784dc48ff824d0d3715d86";
const std::string kOther = "47755a9de7794ba387653f2099600ef2";

TEST(SessionIdentifier, IsReadWithItsRemote) {
  const auto read = SessionIdentifier::parse(kOne + " ; remote = " + kOther);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->local, kOne);
  EXPECT_EQ(read->remote, kOther);
}

TEST(SessionIdentifier, TheOldFormHasNone) {
  const auto read = SessionIdentifier::parse("AB30317F1A784DC48FF824D0D3715D86;x=1");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->local, kOne);
  EXPECT_FALSE(read->remote);
}

TEST(SessionIdentifier, AnythingElseIsNone) {
  for (const std::string& text :
       {std::string(), kOne.substr(1), kOne + "0", "g" + kOne.substr(1), kOne + ";remote=1",
        "ab30317f-1a78-4dc4-8ff8-24d0d3715d86;remote=" + kOther})
    EXPECT_FALSE(SessionIdentifier::parse(text)) << text;
}

TEST(SessionIdentifier, MakesRandomUuids) {
  SeededRandom random(7);
  const std::string made = make_session_uuid(random);
  EXPECT_NE(made, make_session_uuid(random));
  EXPECT_EQ(SessionIdentifier::parse(made)->local, made);
  EXPECT_TRUE(tells_nothing(made));
  EXPECT_EQ(made[12], '4');
  EXPECT_FALSE(tells_nothing("ab30317f1a781dc48ff824d0d3715d86")) << "of a network card";
}

TEST(SessionIdentifier, WhoIsNotKnownIsNil) {
  EXPECT_EQ(session_text(kOne, ""), kOne + ";remote=" + std::string(kNilSession));
  EXPECT_EQ(session_text("", kOne), std::string(kNilSession) + ";remote=" + kOne);
}

}  // namespace
}  // namespace trunkline::call
