#include "call/header_lists.hpp"

#include "sip/syntax.hpp"

#include <algorithm>
#include <array>

namespace trunkline::call {

using sip::HeaderName;

namespace {

/// Of the fields that are known by name those that mean something to people and applications only.
constexpr std::array kMayBeListed{HeaderName::accept_language, HeaderName::alert_info,
                                  HeaderName::call_info,       HeaderName::date,
                                  HeaderName::error_info,      HeaderName::in_reply_to,
                                  HeaderName::organization,    HeaderName::priority,
                                  HeaderName::reply_to,        HeaderName::server,
                                  HeaderName::subject,         HeaderName::user_agent};
/// Others that name a party or belong to a dialog or a hop.
constexpr auto kOwned = std::to_array<std::string_view>({"Accept-Contact",
                                                         "Accept-Resource-Priority",
                                                         "Feature-Caps",
                                                         "Identity-Info",
                                                         "Join",
                                                         "P-Access-Network-Info",
                                                         "P-Associated-URI",
                                                         "P-Called-Party-ID",
                                                         "P-Charging-Vector",
                                                         "P-Charging-Function-Addresses",
                                                         "P-Served-User",
                                                         "P-Visited-Network-ID",
                                                         "Refer-Events-At",
                                                         "Reject-Contact",
                                                         "Remote-Party-ID",
                                                         "Request-Disposition",
                                                         "Security-Client",
                                                         "Security-Server",
                                                         "Security-Verify",
                                                         "Target-Dialog"});
/// What RFC 3323 §5.3 names of the fields that tell who sends them.
constexpr std::array kTelling{
    HeaderName::subject, HeaderName::call_info, HeaderName::organization, HeaderName::user_agent,
    HeaderName::server,  HeaderName::reply_to,  HeaderName::in_reply_to};

bool lists(const std::vector<std::string>& names, HeaderName known, std::string_view spelled) {
  return std::ranges::any_of(names, [&](std::string_view name) {
    if (name.ends_with('*')) {
      name.remove_suffix(1);
      return spelled.size() > name.size() && sip::begins_ignoring_case(spelled, name);
    }
    const HeaderName listed = sip::parse_header_name(name);
    return listed == HeaderName::other ? sip::equals_ignoring_case(spelled, name) : listed == known;
  });
}

bool crosses(const Crossing& crossing, HeaderName known, std::string_view spelled) {
  if (crossing.from == nullptr && crossing.to == nullptr) return false;
  if (crossing.from != nullptr && !lists(crossing.from->headers_from, known, spelled)) return false;
  return crossing.to == nullptr || lists(crossing.to->headers_to, known, spelled);
}

bool is_clean(std::string_view value) {
  return std::ranges::none_of(value, [](char c) { return sip::is_control(c) && c != '\t'; });
}

}  // namespace

std::string why_not_listed(std::string_view name) {
  constexpr std::string_view kExtension = "X-";
  if (name.ends_with('*')) {
    const std::string_view start = name.substr(0, name.size() - 1);
    return sip::begins_ignoring_case(start, kExtension) && sip::is_token(start)
               ? std::string{}
               : "\"" + std::string(name) + "\" could mean fields of the gateway's own";
  }
  if (!sip::is_token(name)) return "\"" + std::string(name) + "\" is no name of a header field";
  const HeaderName known = sip::parse_header_name(name);
  const bool owned = known != HeaderName::other
                         ? std::ranges::find(kMayBeListed, known) == kMayBeListed.end()
                         : std::ranges::any_of(kOwned, [name](auto other) {
                             return sip::equals_ignoring_case(other, name);
                           });
  return owned ? "\"" + std::string(name) + "\" is the gateway's own" : std::string{};
}

std::vector<HeaderField> listed_fields(const sip::Message& message, const Crossing& crossing,
                                       const Identity* sender, std::size_t& left_out) {
  std::vector<HeaderField> fields;
  std::size_t octets = 0;
  const bool trusted = crossing.to != nullptr && crossing.to->asserts_identity;
  const bool hides = sender != nullptr && sender->privacy.hides_party() && !trusted;
  for (const auto& field : message.fields()) {
    const std::string_view name = message.field_name(field);
    if (!crosses(crossing, field.name, name)) continue;
    const std::string_view value = message.field_value(field);
    const bool tells = hides && (std::ranges::find(kTelling, field.name) != kTelling.end() ||
                                 sender->is_named_in(value));
    if (tells) continue;
    if (fields.size() >= kMaxListedFields || value.size() > kMaxListedValue ||
        name.size() > kMaxListedName || octets + value.size() > kMaxListedOctets ||
        !is_clean(value) || !why_not_listed(name).empty()) {
      ++left_out;
      continue;
    }
    octets += value.size();
    fields.push_back({std::string(name), std::string(value)});
  }
  return fields;
}

void add_fields(sip::Message& message, const std::vector<HeaderField>& fields) {
  std::vector<const HeaderField*> missing;
  for (const HeaderField& field : fields) {
    if (!message.header(std::string_view(field.name))) missing.push_back(&field);
  }
  for (const HeaderField* field : missing)
    message.add(field->name, field->value);
}

}  // namespace trunkline::call
