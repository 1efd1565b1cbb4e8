#include "ice/stun.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <utility>

namespace trunkline::ice {
namespace {

// Attribute types.
constexpr std::uint16_t kMappedAddress = 0x0001;
constexpr std::uint16_t kUsername = 0x0006;
constexpr std::uint16_t kMessageIntegrity = 0x0008;
constexpr std::uint16_t kErrorCode = 0x0009;
constexpr std::uint16_t kUnknownAttributes = 0x000A;
constexpr std::uint16_t kRealm = 0x0014;
constexpr std::uint16_t kNonce = 0x0015;
constexpr std::uint16_t kMessageIntegritySha256 = 0x001C;
constexpr std::uint16_t kXorMappedAddress = 0x0020;
constexpr std::uint16_t kPriority = 0x0024;
constexpr std::uint16_t kUseCandidate = 0x0025;
constexpr std::uint16_t kNomination = 0xC001;
constexpr std::uint16_t kFingerprint = 0x8028;
constexpr std::uint16_t kIceControlled = 0x8029;
constexpr std::uint16_t kIceControlling = 0x802A;

constexpr std::size_t kAttributeHeaderSize = 4, kIntegritySize = 20, kFingerprintSize = 4;
// RFC 8489 §14.3 says 508, but two ufrags of RFC 8839's 256 characters and a colon are more.
constexpr std::size_t kMaxUsername = 513;
constexpr std::uint32_t kFingerprintXor = 0x5354554e;

constexpr std::size_t padded(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

constexpr StunClass class_of(std::uint16_t type) {
  return static_cast<StunClass>(((type >> 7) & 2) | ((type >> 4) & 1));
}
constexpr std::uint16_t method_of(std::uint16_t type) {
  return static_cast<std::uint16_t>((type & 0x000F) | ((type & 0x00E0) >> 1) |
                                    ((type & 0x3E00) >> 2));
}
constexpr std::uint16_t binding_type(StunClass message_class) {
  const auto bits = static_cast<unsigned>(message_class);
  return static_cast<std::uint16_t>(0x0001 | ((bits & 2) << 7) | ((bits & 1) << 4));
}

using CrcTables = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t octet = 0; octet < 256; ++octet) {
    std::uint32_t value = octet;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    tables[0][octet] = value;
  }
  for (std::size_t table = 1; table < tables.size(); ++table) {
    for (std::size_t octet = 0; octet < 256; ++octet) {
      const std::uint32_t before = tables[table - 1][octet];
      tables[table][octet] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
constexpr CrcTables kCrc = make_crc_tables();

EVP_MAC* hmac() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  return mac;
}

std::string_view reason_phrase(std::uint16_t code) {
  switch (code) {
    case kStunBadRequest:
      return "Bad Request";
    case kStunUnauthenticated:
      return "Unauthenticated";
    case kStunUnknownAttribute:
      return "Unknown Attribute";
    case kStunRoleConflict:
      return "Role Conflict";
    default:
      return "Error";
  }
}

/// XORs an address, in network order, with the cookie and the transaction id (RFC 8489 §14.2).
void xor_address(MutableBytes address, const StunTransactionId& id) {
  std::array<std::uint8_t, 16> mask{};
  store32(mask, 0, kStunMagicCookie);
  std::copy(id.begin(), id.end(), mask.begin() + 4);
  for (std::size_t i = 0; i < address.size(); ++i)
    address[i] ^= mask[i];
}

}  // namespace

std::uint32_t crc32(ByteView bytes) {
  std::uint32_t sum = 0xffffffff;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    sum ^= bytes[at] | (static_cast<std::uint32_t>(bytes[at + 1]) << 8) |
           (static_cast<std::uint32_t>(bytes[at + 2]) << 16) |
           (static_cast<std::uint32_t>(bytes[at + 3]) << 24);
    sum = kCrc[3][sum & 0xff] ^ kCrc[2][(sum >> 8) & 0xff] ^ kCrc[1][(sum >> 16) & 0xff] ^
          kCrc[0][sum >> 24];
  }
  for (; at < bytes.size(); ++at)
    sum = (sum >> 8) ^ kCrc[0][(sum ^ bytes[at]) & 0xff];
  return ~sum;
}

StunKey::StunKey(std::string_view password) {
  if (password.empty() || hmac() == nullptr) return;
  context_ = EVP_MAC_CTX_new(hmac());
  if (context_ == nullptr) return;
  std::array<char, 5> digest{"SHA1"};
  const std::array<OSSL_PARAM, 2> params{
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  const ByteView key = as_bytes(password);
  if (EVP_MAC_init(context_, key.data(), key.size(), params.data()) != 1) {
    EVP_MAC_CTX_free(context_);
    context_ = nullptr;
  }
}

StunKey::~StunKey() {
  EVP_MAC_CTX_free(context_);
}

StunKey::StunKey(StunKey&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}

StunKey& StunKey::operator=(StunKey&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

bool StunKey::sign(ByteView head, ByteView tail, std::array<std::uint8_t, 20>& mac) const {
  std::size_t size = 0;
  return context_ != nullptr && EVP_MAC_init(context_, nullptr, 0, nullptr) == 1 &&
         EVP_MAC_update(context_, head.data(), head.size()) == 1 &&
         EVP_MAC_update(context_, tail.data(), tail.size()) == 1 &&
         EVP_MAC_final(context_, mac.data(), &size, mac.size()) == 1 && size == mac.size();
}

std::string_view label(StunParseError error) {
  switch (error) {
    case StunParseError::too_short:
      return "too_short";
    case StunParseError::not_stun:
      return "not_stun";
    case StunParseError::length:
      return "length";
    case StunParseError::attribute:
      return "attribute";
    case StunParseError::after_fingerprint:
      return "after_fingerprint";
    case StunParseError::fingerprint:
      return "fingerprint";
    case StunParseError::count_:
      break;
  }
  return "unknown";
}

Result<StunMessage, StunParseError> StunMessage::parse(ByteView datagram) {
  if (datagram.size() < kStunHeaderSize) return fail(StunParseError::too_short);
  if ((datagram[0] & 0xC0) != 0 || load32(datagram, 4) != kStunMagicCookie)
    return fail(StunParseError::not_stun);
  const std::size_t length = load16(datagram, 2);
  if (length % 4 != 0 || length + kStunHeaderSize != datagram.size())
    return fail(StunParseError::length);

  StunMessage message;
  message.bytes_ = datagram;
  message.class_ = class_of(load16(datagram, 0));
  message.method_ = method_of(load16(datagram, 0));
  std::copy_n(datagram.begin() + 8, message.transaction_id_.size(),
              message.transaction_id_.begin());

  // The total is a multiple of 4 and so is every step: behind the last attribute nothing can be
  // left over.
  for (std::size_t at = kStunHeaderSize; at < datagram.size();) {
    if (message.has_fingerprint_) return fail(StunParseError::after_fingerprint);
    const std::uint16_t type = load16(datagram, at);
    const std::size_t size = load16(datagram, at + 2);
    if (padded(size) > datagram.size() - at - kAttributeHeaderSize)
      return fail(StunParseError::attribute);
    if (type == kFingerprint) {
      if (size != kFingerprintSize) return fail(StunParseError::attribute);
      if (!message.check_fingerprint(at)) return fail(StunParseError::fingerprint);
      message.has_fingerprint_ = true;
    } else if (message.integrity_at_ == 0 &&
               !message.take(type, at, datagram.subspan(at + kAttributeHeaderSize, size))) {
      return fail(StunParseError::attribute);
    }
    at += kAttributeHeaderSize + padded(size);
  }
  return message;
}

bool StunMessage::take(std::uint16_t type, std::size_t at, ByteView value) {
  switch (type) {
    case kUsername:
      if (value.size() > kMaxUsername) return false;
      if (!username_) username_ = as_text(value);
      return true;
    case kMessageIntegrity:
      integrity_at_ = at;
      return value.size() == kIntegritySize;
    case kPriority:
      if (value.size() != 4) return false;
      if (!priority_) priority_ = load32(value, 0);
      return true;
    case kUseCandidate:
      use_candidate_ = true;
      return value.empty();
    case kNomination:
      // Nobody has registered the number: of another length it is something else.
      if (!nomination_ && value.size() == 4) nomination_ = load32(value, 0);
      return true;
    case kIceControlling:
      if (value.size() != 8) return false;
      if (!ice_controlling_) ice_controlling_ = load64(value, 0);
      return true;
    case kIceControlled:
      if (value.size() != 8) return false;
      if (!ice_controlled_) ice_controlled_ = load64(value, 0);
      return true;
    case kXorMappedAddress:
      return xor_mapped_address_ || take_address(value);
    case kErrorCode:
      if (value.size() < 4 || (value[2] & 7) < 3 || (value[2] & 7) > 6 || value[3] > 99)
        return false;
      if (!error_code_) error_code_ = static_cast<std::uint16_t>((value[2] & 7) * 100 + value[3]);
      return true;
    case kMappedAddress:
    case kUnknownAttributes:
    case kRealm:
    case kNonce:
    case kMessageIntegritySha256:
      return true;
    default:
      if (type < 0x8000 && unknown_count_ < unknown_.size()) unknown_[unknown_count_++] = type;
      return true;
  }
}

bool StunMessage::take_address(ByteView value) {
  if (value.size() < 4) return false;
  const std::size_t size = value[1] == 1 ? 4 : value[1] == 2 ? 16 : 0;
  if (size == 0 || value.size() != 4 + size) return false;
  std::array<std::uint8_t, 16> address{};
  std::copy_n(value.begin() + 4, size, address.begin());
  xor_address(MutableBytes(address).first(size), transaction_id_);
  SocketAddress mapped;
  mapped.port = static_cast<std::uint16_t>(load16(value, 2) ^ (kStunMagicCookie >> 16));
  mapped.ip = size == 4 ? IpAddress::v4({address[0], address[1], address[2], address[3]})
                        : IpAddress::v6(address);
  xor_mapped_address_ = mapped;
  return true;
}

bool StunMessage::check_fingerprint(std::size_t at) const {
  return load32(bytes_, at + kAttributeHeaderSize) == (crc32(bytes_.first(at)) ^ kFingerprintXor);
}

bool StunMessage::authenticate(const StunKey& key) const {
  if (!has_integrity()) return false;
  // The length that the sum was taken over ends with MESSAGE-INTEGRITY itself (RFC 8489 §14.5).
  std::array<std::uint8_t, 4> head{bytes_[0], bytes_[1]};
  store16(head, 2,
          static_cast<std::uint16_t>(integrity_at_ + kAttributeHeaderSize + kIntegritySize -
                                     kStunHeaderSize));
  std::array<std::uint8_t, kIntegritySize> mac{};
  if (!key.sign(head, bytes_.subspan(head.size(), integrity_at_ - head.size()), mac)) return false;
  return CRYPTO_memcmp(mac.data(), bytes_.data() + integrity_at_ + kAttributeHeaderSize,
                       mac.size()) == 0;
}

std::string_view StunMessage::receiver_ufrag() const {
  if (!username_) return {};
  const std::size_t colon = username_->find(':');
  return colon == std::string_view::npos ? std::string_view{} : username_->substr(0, colon);
}

std::string_view StunMessage::sender_ufrag() const {
  if (!username_) return {};
  const std::size_t colon = username_->find(':');
  return colon == std::string_view::npos ? std::string_view{} : username_->substr(colon + 1);
}

StunWriter::StunWriter(MutableBytes out, StunClass message_class,
                       const StunTransactionId& transaction_id)
    : out_(out), overflow_(out.size() < kStunHeaderSize) {
  if (overflow_) return;
  store16(out_, 0, binding_type(message_class));
  store16(out_, 2, 0);
  store32(out_, 4, kStunMagicCookie);
  std::copy(transaction_id.begin(), transaction_id.end(), out_.begin() + 8);
  size_ = kStunHeaderSize;
}

MutableBytes StunWriter::grow(std::uint16_t type, std::size_t size) {
  if (overflow_ || size > 0xffff || kAttributeHeaderSize + padded(size) > out_.size() - size_) {
    overflow_ = true;
    return {};
  }
  store16(out_, size_, type);
  store16(out_, size_ + 2, static_cast<std::uint16_t>(size));
  const MutableBytes room = out_.subspan(size_ + kAttributeHeaderSize, padded(size));
  std::fill(room.begin(), room.end(), std::uint8_t{0});
  size_ += kAttributeHeaderSize + padded(size);
  return room.first(size);
}

StunWriter& StunWriter::attribute(std::uint16_t type, ByteView value) {
  const MutableBytes room = grow(type, value.size());
  if (!room.empty()) std::copy(value.begin(), value.end(), room.begin());
  return *this;
}

StunWriter& StunWriter::username(std::string_view receiver_ufrag, std::string_view sender_ufrag) {
  const MutableBytes room = grow(kUsername, receiver_ufrag.size() + 1 + sender_ufrag.size());
  if (room.empty()) return *this;
  auto at = std::copy(receiver_ufrag.begin(), receiver_ufrag.end(), room.begin());
  *at++ = ':';
  std::copy(sender_ufrag.begin(), sender_ufrag.end(), at);
  return *this;
}

StunWriter& StunWriter::priority(std::uint32_t value) {
  if (const MutableBytes room = grow(kPriority, 4); !room.empty()) store32(room, 0, value);
  return *this;
}

StunWriter& StunWriter::use_candidate() {
  grow(kUseCandidate, 0);
  return *this;
}

StunWriter& StunWriter::nomination(std::uint32_t value) {
  if (const MutableBytes room = grow(kNomination, 4); !room.empty()) store32(room, 0, value);
  return *this;
}

StunWriter& StunWriter::ice_controlling(std::uint64_t tie_breaker) {
  if (const MutableBytes room = grow(kIceControlling, 8); !room.empty())
    store64(room, 0, tie_breaker);
  return *this;
}

StunWriter& StunWriter::ice_controlled(std::uint64_t tie_breaker) {
  if (const MutableBytes room = grow(kIceControlled, 8); !room.empty())
    store64(room, 0, tie_breaker);
  return *this;
}

StunWriter& StunWriter::xor_mapped_address(const SocketAddress& address) {
  const std::size_t size = address.ip.is_v4() ? 4 : 16;
  const MutableBytes room = grow(kXorMappedAddress, 4 + size);
  if (room.empty()) return *this;
  room[1] = address.ip.is_v4() ? 1 : 2;
  store16(room, 2, static_cast<std::uint16_t>(address.port ^ (kStunMagicCookie >> 16)));
  std::copy_n(address.ip.bytes().begin(), size, room.begin() + 4);
  StunTransactionId id{};
  std::copy_n(out_.begin() + 8, id.size(), id.begin());
  xor_address(room.subspan(4), id);
  return *this;
}

StunWriter& StunWriter::error_code(std::uint16_t code) {
  const std::string_view phrase = reason_phrase(code);
  const MutableBytes room = grow(kErrorCode, 4 + phrase.size());
  if (room.empty()) return *this;
  room[2] = static_cast<std::uint8_t>(code / 100);
  room[3] = static_cast<std::uint8_t>(code % 100);
  std::copy(phrase.begin(), phrase.end(), room.begin() + 4);
  return *this;
}

StunWriter& StunWriter::unknown_attributes(std::span<const std::uint16_t> types) {
  const MutableBytes room = grow(kUnknownAttributes, 2 * types.size());
  if (room.empty()) return *this;
  for (std::size_t i = 0; i < types.size(); ++i)
    store16(room, 2 * i, types[i]);
  return *this;
}

std::size_t StunWriter::finish(const StunKey* key) {
  if (key != nullptr) {
    const std::size_t at = size_;
    const MutableBytes room = grow(kMessageIntegrity, kIntegritySize);
    if (room.empty()) return 0;
    store16(out_, 2, static_cast<std::uint16_t>(size_ - kStunHeaderSize));
    std::array<std::uint8_t, kIntegritySize> mac{};
    if (!key->sign(ByteView(out_).first(at), {}, mac)) return 0;
    std::copy(mac.begin(), mac.end(), room.begin());
  }
  const std::size_t at = size_;
  const MutableBytes room = grow(kFingerprint, kFingerprintSize);
  if (room.empty()) return 0;
  store16(out_, 2, static_cast<std::uint16_t>(size_ - kStunHeaderSize));
  store32(room, 0, crc32(ByteView(out_).first(at)) ^ kFingerprintXor);
  return size_;
}

}  // namespace trunkline::ice
