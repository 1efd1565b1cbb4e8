#include "base/random.hpp"

#include <openssl/rand.h>

#include <cstdlib>

namespace trunkline {

std::uint32_t Random::number32() {
  std::array<std::uint8_t, 4> bytes{};
  fill(bytes);
  return load32(bytes, 0);
}

std::uint64_t Random::number64() {
  std::array<std::uint8_t, 8> bytes{};
  fill(bytes);
  return load64(bytes, 0);
}

std::uint32_t Random::below(std::uint32_t bound) {
  if (bound == 0) return 0;
  // The multiply-shift map is biased by less than 2^-32 * bound: far below what any caller here can
  // notice.
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(number32()) * bound) >> 32);
}

std::string Random::token(std::size_t length) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::uint8_t kFair =
      248;  // the largest multiple of 62 below 256: larger bytes are drawn again
  std::string text;
  text.reserve(length);
  std::array<std::uint8_t, 32> bytes{};
  while (text.size() < length) {
    fill(bytes);
    for (std::uint8_t byte : bytes) {
      if (byte < kFair && text.size() < length) text.push_back(kAlphabet[byte % kAlphabet.size()]);
    }
  }
  return text;
}

void SystemRandom::fill(MutableBytes out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) std::abort();
}

void SeededRandom::fill(MutableBytes out) {
  for (std::uint8_t& byte : out)
    byte = static_cast<std::uint8_t>(engine_());
}

}  // namespace trunkline
