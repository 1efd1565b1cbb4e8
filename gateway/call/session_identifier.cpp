#include "call/session_identifier.hpp"

#include "sip/syntax.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace trunkline::call {
namespace {

constexpr std::size_t kVersionAt = 12;  ///< the digit that says how a UUID was made

std::optional<std::string> read_uuid(std::string_view text) {
  const bool good = text.size() == kNilSession.size() &&
                    std::ranges::all_of(text, [](char c) { return sip::hex_value(c) >= 0; });
  return good ? std::optional(sip::lower_case(text)) : std::nullopt;
}

}  // namespace

std::optional<SessionIdentifier> SessionIdentifier::parse(std::string_view value) {
  const std::size_t end = std::min(value.find(';'), value.size());
  auto local = read_uuid(sip::trim(value.substr(0, end)));
  if (!local) return std::nullopt;
  SessionIdentifier read{std::move(*local), std::nullopt};
  sip::ParameterCursor parameters(value.substr(end));
  while (parameters.next()) {
    if (!sip::equals_ignoring_case(parameters.name(), "remote")) continue;
    read.remote = read_uuid(parameters.value().value_or(""));
    if (!read.remote) return std::nullopt;
  }
  return read;
}

std::optional<SessionIdentifier> SessionIdentifier::of(const sip::Message& message) {
  const auto value = message.header(sip::HeaderName::session_id);
  return value ? parse(*value) : std::nullopt;
}

std::string make_session_uuid(Random& random) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::uint8_t, 16> bytes{};
  random.fill(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

bool tells_nothing(std::string_view uuid) {
  return uuid.size() > kVersionAt && (uuid[kVersionAt] == '4' || uuid[kVersionAt] == '5');
}

std::string session_text(std::string_view local, std::string_view remote) {
  return std::string(local.empty() ? kNilSession : local) +
         ";remote=" + std::string(remote.empty() ? kNilSession : remote);
}

}  // namespace trunkline::call
