#pragma once
#include "call_control/status_details.hpp"
#include <google/protobuf/duration.pb.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What strings and times from outside may be before they come near a SIP message. Each rule adds a
/// violation or nothing. Pure.
namespace trunkline::call_control {

inline constexpr std::size_t kMaxNumber = 64;  ///< a dial string, a user name
inline constexpr std::size_t kMaxUri = 256;
inline constexpr std::size_t kMaxDisplayName = 128;
inline constexpr std::size_t kMaxReason = 128;
inline constexpr std::size_t kMaxHeaders = 32;
inline constexpr std::size_t kMaxHeaderName = 64;
inline constexpr std::size_t kMaxHeaderValue = 1024;
inline constexpr std::size_t kMaxMetadata = 32;
inline constexpr std::size_t kMaxMetadataKey = 64;
inline constexpr std::size_t kMaxMetadataValue = 512;
inline constexpr std::size_t kMaxRequestId = 64;
inline constexpr std::size_t kMaxId = 128;
inline constexpr std::size_t kMaxDigits = 64;
inline constexpr std::size_t kMaxTargets = 8;
inline constexpr Duration kMaxRing = std::chrono::minutes{10};
inline constexpr Duration kMaxCall = std::chrono::hours{24};

class Violations {
 public:
  void add(std::string field, std::string description) {
    all_.push_back({std::move(field), std::move(description)});
  }
  bool none() const { return all_.empty(); }
  const std::vector<Violation>& all() const { return all_; }

  enum class Presence { optional, required };

  /// "user:NAME", "service:NAME", a dial string, or a sip:, sips: or tel: URI.
  void check_party(std::string_view field, std::string_view value,
                   Presence presence = Presence::required);
  /// As a party, or "trunk:NAME".
  void check_target(std::string_view field, std::string_view value,
                    Presence presence = Presence::required);
  /// Characters of a number or a user name.
  void check_number(std::string_view field, std::string_view value, Presence presence);
  /// The name of something that is configured, or an id that the gateway made.
  void check_name(std::string_view field, std::string_view value, Presence presence);
  /// UTF-8 for people, without control characters.
  void check_text(std::string_view field, std::string_view value, std::size_t max);
  /// A header that may be set from outside.
  void check_header(std::string_view field, std::string_view name, std::string_view value);
  void check_request_id(std::string_view field, std::string_view value);
  void check_digits(std::string_view field, std::string_view value);
  /// 0, or a final code that may refuse a call.
  void check_refusal_code(std::string_view field, int value);
  /// The value, if it is a proper Duration within the bounds.
  std::optional<Duration> check_duration(std::string_view field,
                                         const google::protobuf::Duration& value, Duration least,
                                         Duration most);

 private:
  std::vector<Violation> all_;
};

/// Well-formed UTF-8 without C0 and C1 control characters, DEL, and the separators of lines and
/// paragraphs.
bool is_printable(std::string_view text);
/// A header that is not part of SIP itself.
bool is_allowed_header(std::string_view name);

}  // namespace trunkline::call_control
