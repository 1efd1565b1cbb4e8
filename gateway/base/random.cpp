#include "base/random.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

namespace trunkline {
namespace {

/// Drawn ahead, for a call of the generator costs far more than the few bytes that a tag needs.
class Drawn {
 public:
  /// Up to so many; the caller wipes what it has used.
  MutableBytes take(std::size_t wanted) {
    if (left_ == 0) {
      if (RAND_bytes(bytes_.data(), static_cast<int>(bytes_.size())) != 1) std::abort();
      left_ = bytes_.size();
    }
    const std::size_t size = std::min(wanted, left_);
    left_ -= size;
    return MutableBytes(bytes_).subspan(left_, size);
  }

 private:
  std::array<std::uint8_t, 1024> bytes_{};
  std::size_t left_ = 0;
};

}  // namespace

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
  thread_local Drawn drawn;
  while (!out.empty()) {
    const MutableBytes taken = drawn.take(out.size());
    std::copy(taken.begin(), taken.end(), out.begin());
    OPENSSL_cleanse(taken.data(), taken.size());
    out = out.subspan(taken.size());
  }
}

void SeededRandom::fill(MutableBytes out) {
  for (std::uint8_t& byte : out)
    byte = static_cast<std::uint8_t>(engine_());
}

}  // namespace trunkline
