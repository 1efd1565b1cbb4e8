#pragma once
#include "base/bytes.hpp"
#include "base/net_address.hpp"
#include "base/result.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

struct evp_mac_ctx_st;

/// STUN (RFC 8489) as far as ICE (RFC 8445) needs it: the Binding method with short-term
/// credentials. Messages are read in place and written into the caller's buffer; nothing here
/// allocates but `StunKey`.
namespace trunkline::ice {

inline constexpr std::size_t kStunHeaderSize = 20;
inline constexpr std::uint32_t kStunMagicCookie = 0x2112A442;
/// Enough for every message that `StunWriter` makes for ICE, with the longest user name.
inline constexpr std::size_t kMaxStunMessage = 700;

enum class StunClass : std::uint8_t { request, indication, success, error };

using StunTransactionId = std::array<std::uint8_t, 12>;

/// RFC 8489 §14.8 and RFC 8445 §7.1: the codes that we send or know.
inline constexpr std::uint16_t kStunBadRequest = 400, kStunUnauthenticated = 401,
                               kStunUnknownAttribute = 420, kStunRoleConflict = 487;

/// A password, ready for MESSAGE-INTEGRITY (HMAC-SHA1): the key schedule is done once. One thread.
/// Movable; a moved-from key only refuses.
class StunKey {
 public:
  StunKey() = default;
  /// `password` is an ICE password (RFC 8839 ice-chars, so that SASLprep changes nothing).
  explicit StunKey(std::string_view password);
  ~StunKey();
  StunKey(StunKey&& other) noexcept;
  StunKey& operator=(StunKey&& other) noexcept;
  StunKey(const StunKey&) = delete;
  StunKey& operator=(const StunKey&) = delete;

  /// HMAC-SHA1 over `head` followed by `tail`. False if there is no key or the library fails.
  bool sign(ByteView head, ByteView tail, std::array<std::uint8_t, 20>& mac) const;

 private:
  evp_mac_ctx_st* context_ = nullptr;
};

enum class StunParseError : std::uint8_t {
  too_short,          ///< fewer octets than a header
  not_stun,           ///< the two top bits or the magic cookie are wrong
  length,             ///< the length field is not a multiple of 4, or not what the datagram holds
  attribute,          ///< an attribute runs past the end, or a known one has an impossible length
  after_fingerprint,  ///< FINGERPRINT is not the last attribute
  fingerprint,        ///< FINGERPRINT is wrong
  count_
};
std::string_view label(StunParseError error);

/// A STUN message seen in place: it is valid as long as the datagram is. Attributes behind
/// MESSAGE-INTEGRITY are not seen, but for FINGERPRINT (RFC 8489 §14.5), so whatever is read after
/// `authenticate` is authentic.
class StunMessage {
 public:
  /// Header, bounds of all attributes, and FINGERPRINT if it is there. The first of equal
  /// attributes counts.
  static Result<StunMessage, StunParseError> parse(ByteView datagram);

  StunClass message_class() const { return class_; }
  std::uint16_t method() const { return method_; }
  bool is_binding() const { return method_ == 0x001; }
  const StunTransactionId& transaction_id() const { return transaction_id_; }
  bool has_fingerprint() const { return has_fingerprint_; }
  bool has_integrity() const { return integrity_at_ != 0; }
  /// Compares MESSAGE-INTEGRITY in constant time. False if there is none.
  bool authenticate(const StunKey& key) const;

  const std::optional<std::string_view>& username() const { return username_; }
  /// USERNAME up to the first colon: in a request, the receiver's ufrag. Empty when there is no
  /// USERNAME or no colon.
  std::string_view receiver_ufrag() const;
  /// USERNAME behind the first colon: in a request, the sender's ufrag.
  std::string_view sender_ufrag() const;
  const std::optional<std::uint32_t>& priority() const { return priority_; }
  bool use_candidate() const { return use_candidate_; }
  /// NOMINATION of draft-thatcher-ice-renomination: the highest of a generation counts.
  const std::optional<std::uint32_t>& nomination() const { return nomination_; }
  const std::optional<std::uint64_t>& ice_controlling() const { return ice_controlling_; }
  const std::optional<std::uint64_t>& ice_controlled() const { return ice_controlled_; }
  const std::optional<SocketAddress>& xor_mapped_address() const { return xor_mapped_address_; }
  /// 300 to 699; absent when there is no ERROR-CODE.
  const std::optional<std::uint16_t>& error_code() const { return error_code_; }
  /// Comprehension-required attributes (0x0000 to 0x7FFF) that we don't know; the first eight.
  std::span<const std::uint16_t> unknown_attributes() const {
    return {unknown_.data(), unknown_count_};
  }

 private:
  bool take(std::uint16_t type, std::size_t at, ByteView value);
  bool take_address(ByteView value);
  bool check_fingerprint(std::size_t at) const;

  ByteView bytes_;
  StunClass class_ = StunClass::request;
  std::uint16_t method_ = 0;
  StunTransactionId transaction_id_{};
  bool has_fingerprint_ = false;
  bool use_candidate_ = false;
  std::size_t integrity_at_ = 0;
  std::optional<std::string_view> username_;
  std::optional<std::uint32_t> priority_, nomination_;
  std::optional<std::uint64_t> ice_controlling_, ice_controlled_;
  std::optional<SocketAddress> xor_mapped_address_;
  std::optional<std::uint16_t> error_code_;
  std::array<std::uint16_t, 8> unknown_{};
  std::size_t unknown_count_ = 0;
};

/// Writes one Binding message into the caller's buffer. What does not fit makes `finish` return 0;
/// nothing is written past the end. MESSAGE-INTEGRITY and FINGERPRINT are put last by `finish`.
class StunWriter {
 public:
  StunWriter(MutableBytes out, StunClass message_class, const StunTransactionId& transaction_id);

  StunWriter& username(std::string_view receiver_ufrag, std::string_view sender_ufrag);
  StunWriter& priority(std::uint32_t value);
  StunWriter& use_candidate();
  StunWriter& nomination(std::uint32_t value);
  StunWriter& ice_controlling(std::uint64_t tie_breaker);
  StunWriter& ice_controlled(std::uint64_t tie_breaker);
  StunWriter& xor_mapped_address(const SocketAddress& address);
  /// With the reason phrase of RFC 8489 §14.8, so that nothing of ours leaks.
  StunWriter& error_code(std::uint16_t code);
  StunWriter& unknown_attributes(std::span<const std::uint16_t> types);
  /// Any attribute, for tests and for peers that send what we don't.
  StunWriter& attribute(std::uint16_t type, ByteView value);

  /// Ends the message; its size, or 0 if it did not fit. Without a key there is no
  /// MESSAGE-INTEGRITY.
  std::size_t finish(const StunKey* key);

 private:
  /// Room for a value of `size` octets behind a written attribute header; empty if there is none.
  MutableBytes grow(std::uint16_t type, std::size_t size);

  MutableBytes out_;
  std::size_t size_ = 0;
  bool overflow_ = false;
};

/// CRC-32 of ITU V.42, the sum inside FINGERPRINT.
std::uint32_t crc32(ByteView bytes);

}  // namespace trunkline::ice
