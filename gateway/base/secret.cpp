#include "base/secret.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

namespace trunkline {

Secret::Secret(ByteView octets) : size_(std::min(octets.size(), kCapacity)) {
  std::copy_n(octets.begin(), size_, octets_.begin());
}

Secret::Secret(Secret&& other) noexcept : octets_(other.octets_), size_(other.size_) {
  other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  octets_ = other.octets_;
  size_ = other.size_;
  other.wipe();
  return *this;
}

bool Secret::operator==(const Secret& other) const {
  return size_ == other.size_ &&
         CRYPTO_memcmp(octets_.data(), other.octets_.data(), octets_.size()) == 0;
}

void Secret::wipe() {
  OPENSSL_cleanse(octets_.data(), octets_.size());
  size_ = 0;
}

std::string base64(const Secret& secret) {
  std::array<std::uint8_t, 4 * (Secret::kCapacity + 2) / 3 + 1> text{};
  const int size =
      EVP_EncodeBlock(text.data(), secret.bytes().data(), static_cast<int>(secret.size()));
  std::string result(text.begin(), text.begin() + size);
  OPENSSL_cleanse(text.data(), text.size());
  return result;
}

Secret parse_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=')
    text.remove_suffix(1);
  // A lone character of the last four would be six bits of nothing.
  const bool whole = text.size() % 4 != 1 && text.find('=') == std::string_view::npos;
  if (text.size() > (4 * Secret::kCapacity + 2) / 3 || !whole) return {};
  std::string padded(text);
  padded.append((4 - padded.size() % 4) % 4, '=');
  std::array<std::uint8_t, Secret::kCapacity + 3> octets{};
  const int size =
      EVP_DecodeBlock(octets.data(), reinterpret_cast<const std::uint8_t*>(padded.data()),
                      static_cast<int>(padded.size()));
  Secret secret;
  if (size >= 0) secret = Secret(ByteView(octets).first(text.size() * 3 / 4));
  OPENSSL_cleanse(octets.data(), octets.size());
  OPENSSL_cleanse(padded.data(), padded.size());
  return secret;
}

}  // namespace trunkline
