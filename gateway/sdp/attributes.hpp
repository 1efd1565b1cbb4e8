#pragma once
#include "sdp/session.hpp"

#include <string_view>

namespace trunkline::sdp {

/// The encoding that RFC 3551 §6 gives to a payload type; without a name where it gives none.
Codec static_codec(std::uint8_t payload_type);

/// Reads the attributes of one m= section, or of the session level, into a `Media`. What is not
/// known or makes no sense is passed over: an attribute that is needed is missed by its reader.
class AttributeReader {
 public:
  /// `into` may hold what is inherited: the first own fingerprint replaces those.
  explicit AttributeReader(Media& into) : media_(into) {}
  /// What stands behind "a=".
  void read(std::string_view attribute);

 private:
  bool read_flag(std::string_view name);
  bool read_transport(std::string_view name, std::string_view value);
  void read_codec(std::string_view name, std::string_view value);
  void read_rtcp(std::string_view value);
  void read_fingerprint(std::string_view value);
  Codec* codec_of(std::string_view payload_type);

  Media& media_;
  bool own_fingerprints_ = false;
};

}  // namespace trunkline::sdp
