#include "rtp/g711.hpp"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>

namespace trunkline::rtp {
namespace {

constexpr int kSamples = 65536, kLowest = -32768;

TEST(G711, DecodesTheEndsOfTheScale) {
  EXPECT_EQ(pcmu_decode(0x00), -32124);
  EXPECT_EQ(pcmu_decode(0x80), 32124);
  EXPECT_EQ(pcmu_decode(0xff), 0);
  EXPECT_EQ(pcmu_decode(0x7f), 0);
  EXPECT_EQ(pcma_decode(0xd5), 8);
  EXPECT_EQ(pcma_decode(0x55), -8);
  EXPECT_EQ(pcma_decode(0xaa), 32256);
  EXPECT_EQ(pcma_decode(0x2a), -32256);
}

TEST(G711, SilenceIsItsCode) {
  EXPECT_EQ(pcmu_encode(0), kPcmuSilence);
  EXPECT_EQ(pcma_encode(0), kPcmaSilence);
}

TEST(G711, EveryCodeSurvivesDecodingAndEncoding) {
  for (int code = 0; code < 256; ++code) {
    const auto octet = static_cast<std::uint8_t>(code);
    EXPECT_EQ(pcma_encode(pcma_decode(octet)), octet);
    if (code == 0x7f) continue;  // the second of PCMU's two zeros
    EXPECT_EQ(pcmu_encode(pcmu_decode(octet)), octet);
  }
}

TEST(G711, EncodesToTheNearestStep) {
  for (int i = 0; i < kSamples; ++i) {
    const auto sample = static_cast<std::int16_t>(kLowest + i);
    const int size = std::abs(int{sample});
    // Half a step is 1/32 of where its segment begins; PCMU counts from a bias of 132, PCMA has a
    // first segment of even steps. The clipped top is further off.
    const int clipped = std::max(0, size - 32124);
    ASSERT_LE(std::abs(pcmu_decode(pcmu_encode(sample)) - sample), (size + 132) / 32 + clipped)
        << sample;
    ASSERT_LE(std::abs(pcma_decode(pcma_encode(sample)) - sample), 8 + size / 32 + clipped)
        << sample;
  }
}

TEST(G711, KeepsTheOrderOfSamples) {
  for (int i = 1; i < kSamples; ++i) {
    const auto lower = static_cast<std::int16_t>(kLowest + i - 1);
    const auto upper = static_cast<std::int16_t>(kLowest + i);
    ASSERT_LE(pcmu_decode(pcmu_encode(lower)), pcmu_decode(pcmu_encode(upper))) << lower;
    ASSERT_LE(pcma_decode(pcma_encode(lower)), pcma_decode(pcma_encode(upper))) << lower;
  }
}

}  // namespace
}  // namespace trunkline::rtp
