#pragma once
#include "base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace trunkline::media {

/// HMAC-SHA1 (RFC 2104) with the key's two blocks hashed in advance: 40 octets a key, four SHA-1
/// blocks for a packet of 20 ms. Wiped when it dies.
class HmacSha1 {
 public:
  using Digest = std::array<std::uint8_t, 20>;

  /// At most 64 octets of key.
  explicit HmacSha1(ByteView key);
  HmacSha1(const HmacSha1&) = delete;
  HmacSha1& operator=(const HmacSha1&) = delete;
  ~HmacSha1();

  /// Of `message` followed by `suffix`.
  Digest compute(ByteView message, ByteView suffix = {}) const;

 private:
  using State = std::array<std::uint32_t, 5>;
  State inner_{}, outer_{};
};

}  // namespace trunkline::media
