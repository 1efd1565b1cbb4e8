// The replacement of these functions, EVP_MAC, allocates and copies its context on the heap for
// every packet, at twice the cost.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "media/hmac_sha1.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

namespace trunkline::media {

namespace {

using Block = std::array<std::uint8_t, SHA_CBLOCK>;

std::array<std::uint32_t, 5> state_after(const Block& block) {
  SHA_CTX context;
  SHA1_Init(&context);
  SHA1_Update(&context, block.data(), block.size());
  const std::array<std::uint32_t, 5> state{context.h0, context.h1, context.h2, context.h3,
                                           context.h4};
  OPENSSL_cleanse(&context, sizeof context);
  return state;
}

/// As SHA1_Update leaves it after one block: nothing of its buffer counts.
void resume(SHA_CTX& context, const std::array<std::uint32_t, 5>& state) {
  context.h0 = state[0];
  context.h1 = state[1];
  context.h2 = state[2];
  context.h3 = state[3];
  context.h4 = state[4];
  context.Nl = SHA_CBLOCK * 8;
  context.Nh = 0;
  context.num = 0;
}

}  // namespace

HmacSha1::HmacSha1(ByteView key) {
  Block block{};
  std::copy_n(key.begin(), std::min(key.size(), block.size()), block.begin());
  for (std::uint8_t& octet : block)
    octet ^= 0x36;
  inner_ = state_after(block);
  for (std::uint8_t& octet : block)
    octet ^= 0x36 ^ 0x5c;
  outer_ = state_after(block);
  OPENSSL_cleanse(block.data(), block.size());
}

HmacSha1::~HmacSha1() {
  OPENSSL_cleanse(inner_.data(), sizeof inner_);
  OPENSSL_cleanse(outer_.data(), sizeof outer_);
}

HmacSha1::Digest HmacSha1::compute(ByteView message, ByteView suffix) const {
  Digest digest;
  SHA_CTX context;
  resume(context, inner_);
  SHA1_Update(&context, message.data(), message.size());
  SHA1_Update(&context, suffix.data(), suffix.size());
  SHA1_Final(digest.data(), &context);
  resume(context, outer_);
  SHA1_Update(&context, digest.data(), digest.size());
  SHA1_Final(digest.data(), &context);
  return digest;
}

}  // namespace trunkline::media
