#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The small pieces of RFC 8866 §9 that several readers need. Pure, no allocation but in the case
/// conversions.
namespace trunkline::sdp {

/// The longest token that is taken from a peer: longer ones are no name that anybody uses.
inline constexpr std::size_t kMaxToken = 64;

/// A `token` of RFC 8866 §9, at most `kMaxToken` characters.
bool is_token(std::string_view text);
/// Tokens joined by '/': a transport protocol.
bool is_protocol(std::string_view text);
/// `ice-char`s (RFC 8839 §5.4), from `shortest` to 256 of them.
bool is_ice_text(std::string_view text, std::size_t shortest);
/// Pairs of hexadecimal digits joined by ':' (RFC 8122 §5).
bool is_fingerprint_value(std::string_view text);

bool same_without_case(std::string_view one, std::string_view other);
std::string lower_case(std::string_view text);
std::string upper_case(std::string_view text);

/// Takes the next word off the front of `rest`; empty when there is none.
std::string_view next_word(std::string_view& rest);

/// The whole text as a decimal number up to `maximum`; nothing for anything else.
template <class Number>
std::optional<Number> parse_number(std::string_view text, Number maximum) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > maximum) return {};
  return value;
}

}  // namespace trunkline::sdp
