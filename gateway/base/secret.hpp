#pragma once
#include "base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline {

/// A few octets that nobody may read in a log, a trace or a core: wiped when they die or are moved
/// from, and without a way into a text but `bytes()`.
class Secret {
 public:
  static constexpr std::size_t kCapacity = 64;

  Secret() = default;
  /// What is beyond the capacity is left out.
  explicit Secret(ByteView octets);
  Secret(const Secret& other) = default;
  Secret& operator=(const Secret& other) = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  ByteView bytes() const { return ByteView(octets_).first(size_); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// In constant time for secrets of one size.
  bool operator==(const Secret& other) const;

 private:
  void wipe();
  std::array<std::uint8_t, kCapacity> octets_{};
  std::size_t size_ = 0;
};

/// Base 64 with padding (RFC 4648 §4).
std::string base64(const Secret& secret);
/// Padding may be missing. Empty when `text` is no base 64, or longer than a secret may be.
Secret parse_base64(std::string_view text);

}  // namespace trunkline
