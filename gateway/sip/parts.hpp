#pragma once
#include "sip/message.hpp"
#include "sip/uri.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Views into the text of one value, cut but not copied. The parser checks mandatory fields with
/// them on every message; the types of header.hpp and uri.hpp are made from them. Nothing is
/// returned for text that is not well formed.
namespace trunkline::sip {

/// A host as we write it: without the third colon that the grammar of RFC 3261 puts before an IPv4
/// tail and that is tolerated (RFC 5118 §4.10).
std::string host_text(std::string_view host);

struct UriParts {
  Uri::Scheme scheme = Uri::Scheme::other;
  std::string_view user;
  std::optional<std::string_view> password;
  std::string_view host;
  std::optional<std::uint16_t> port;
  std::string_view parameters;  ///< after the first ';'
  std::string_view headers;     ///< after '?'
};
std::optional<UriParts> split_uri(std::string_view text);

struct NameAddressParts {
  std::string_view display_name;  ///< as written, with its quotes
  std::string_view uri;           ///< not checked
  std::string_view parameters;    ///< from the first ';', checked
  bool wildcard = false;
};
std::optional<NameAddressParts> split_name_address(std::string_view value);
/// The tag of a From or To, as written; empty if it has none.
std::string_view tag_of(std::string_view address);
std::string_view from_tag(const Message& message);
std::string_view to_tag(const Message& message);

struct ViaParts {
  std::string_view protocol, version, transport, host;
  std::optional<std::uint16_t> port;
  std::string_view parameters;  ///< from the first ';', checked
};
std::optional<ViaParts> split_via(std::string_view value);

struct CSeqParts {
  std::uint32_t number = 0;
  std::string_view method;
};
std::optional<CSeqParts> split_cseq(std::string_view value);

/// Fields that say one thing about the whole message: two of them leave open which to believe.
bool is_single_field(HeaderName name);
/// Fields whose grammar is a comma-separated list (RFC 3261 §7.3.1).
bool is_list_field(HeaderName name);

/// All of `;name[=value]…`; false if it is malformed. With `out` they are stored there.
bool read_parameters(std::string_view text, Parameters* out = nullptr);
/// `;name[=value]…` as written.
std::string parameters_text(const Parameters& parameters);

}  // namespace trunkline::sip
