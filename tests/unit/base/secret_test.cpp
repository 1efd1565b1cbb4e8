#include "base/secret.hpp"

#include <gmock/gmock.h>
#include <new>
#include <vector>

namespace trunkline {
namespace {

Secret secret(std::string_view text) {
  return Secret(std::vector<std::uint8_t>(text.begin(), text.end()));
}

TEST(Secret, IsWipedWhenItDies) {
  alignas(Secret) std::array<std::uint8_t, sizeof(Secret)> room{};
  auto* one = new (room.data()) Secret(secret("a key that nobody may read"));
  one->~Secret();
  EXPECT_THAT(room, testing::Each(0));
}

TEST(Secret, LeavesNothingBehindWhenItMoves) {
  Secret from = secret("key");
  Secret to = std::move(from);
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is what is shown
  EXPECT_EQ(to, secret("key"));
  from = std::move(to);
  EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(from, secret("key"));
}

TEST(Secret, IsComparedWhole) {
  EXPECT_EQ(secret(""), Secret());
  EXPECT_NE(secret("key"), secret("kex"));
  EXPECT_NE(secret("key"), secret("keys"));
}

TEST(Secret, TakesNoMoreThanItHolds) {
  EXPECT_EQ(secret(std::string(100, 'x')), secret(std::string(Secret::kCapacity, 'x')));
}

TEST(Base64, AnswersAsRfc4648) {
  for (const auto& [text, encoded] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg=="},
                                                        {"fooba", "Zm9vYmE="},
                                                        {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(base64(secret(text)), encoded);
    EXPECT_EQ(parse_base64(encoded), secret(text));
    EXPECT_EQ(parse_base64(encoded.substr(0, encoded.find('='))), secret(text));
  }
  EXPECT_EQ(base64(secret(std::string(64, '\xff'))).size(), 88u);
  EXPECT_EQ(parse_base64(base64(secret(std::string(64, '\xff')))), secret(std::string(64, '\xff')));
}

TEST(Base64, RefusesWhatIsNone) {
  for (const std::string_view text : {"Z", "Zm9vY", "Zm!v", "Zm9v Zm9v", "====", "Zm=v"})
    EXPECT_TRUE(parse_base64(text).empty()) << text;
  EXPECT_TRUE(parse_base64(std::string(200, 'A')).empty());
}

}  // namespace
}  // namespace trunkline
