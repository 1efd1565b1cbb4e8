#include "base/base64url.hpp"

#include "base/random.hpp"

#include <array>
#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(Base64Url, MeetsTheVectorsOfRfc4648) {
  const std::array<std::pair<std::string_view, std::string_view>, 7> vectors{
      {{"", ""},
       {"f", "Zg"},
       {"fo", "Zm8"},
       {"foo", "Zm9v"},
       {"foob", "Zm9vYg"},
       {"fooba", "Zm9vYmE"},
       {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64url(as_bytes(plain)), encoded);
    EXPECT_EQ(parse_base64url(encoded), plain);
  }
  EXPECT_EQ(base64url(as_bytes("\xfb\xff")), "-_8");
}

TEST(Base64Url, ReadsBackWhatItWrote) {
  SeededRandom random(7);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    random.fill({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
    EXPECT_EQ(parse_base64url(base64url(as_bytes(bytes))), bytes);
  }
}

TEST(Base64Url, RefusesWhatItWouldNotWrite) {
  for (const std::string_view bad : {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm 9", "Zm9v\n"})
    EXPECT_FALSE(parse_base64url(bad)) << bad;
}

}  // namespace
}  // namespace trunkline
