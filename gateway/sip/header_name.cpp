#include "sip/message.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <array>

namespace trunkline::sip {
namespace {

constexpr auto kMethodCount = static_cast<std::size_t>(Method::count_);
constexpr auto kHeaderCount = static_cast<std::size_t>(HeaderName::count_);

// In the order of `Method`.
constexpr std::array<std::string_view, kMethodCount> kMethodNames = {
    "",       "INVITE", "ACK",   "BYE",       "CANCEL", "REGISTER", "OPTIONS", "PRACK",
    "UPDATE", "INFO",   "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH",  "MESSAGE"};

// In the order of `HeaderName`.
constexpr std::array<std::string_view, kHeaderCount> kHeaderNames = {"",
                                                                     "Accept",
                                                                     "Accept-Encoding",
                                                                     "Accept-Language",
                                                                     "Alert-Info",
                                                                     "Allow",
                                                                     "Allow-Events",
                                                                     "Authentication-Info",
                                                                     "Authorization",
                                                                     "Call-ID",
                                                                     "Call-Info",
                                                                     "Contact",
                                                                     "Content-Disposition",
                                                                     "Content-Encoding",
                                                                     "Content-Language",
                                                                     "Content-Length",
                                                                     "Content-Type",
                                                                     "CSeq",
                                                                     "Date",
                                                                     "Diversion",
                                                                     "Error-Info",
                                                                     "Event",
                                                                     "Expires",
                                                                     "Flow-Timer",
                                                                     "From",
                                                                     "History-Info",
                                                                     "Identity",
                                                                     "In-Reply-To",
                                                                     "Max-Breadth",
                                                                     "Max-Forwards",
                                                                     "MIME-Version",
                                                                     "Min-Expires",
                                                                     "Min-SE",
                                                                     "Organization",
                                                                     "P-Asserted-Identity",
                                                                     "P-Early-Media",
                                                                     "P-Preferred-Identity",
                                                                     "Path",
                                                                     "Priority",
                                                                     "Privacy",
                                                                     "Proxy-Authenticate",
                                                                     "Proxy-Authorization",
                                                                     "Proxy-Require",
                                                                     "RAck",
                                                                     "Reason",
                                                                     "Record-Route",
                                                                     "Recv-Info",
                                                                     "Refer-Sub",
                                                                     "Refer-To",
                                                                     "Referred-By",
                                                                     "Replaces",
                                                                     "Reply-To",
                                                                     "Require",
                                                                     "Retry-After",
                                                                     "Route",
                                                                     "RSeq",
                                                                     "Server",
                                                                     "Service-Route",
                                                                     "Session-Expires",
                                                                     "Session-ID",
                                                                     "SIP-ETag",
                                                                     "SIP-If-Match",
                                                                     "Subject",
                                                                     "Subscription-State",
                                                                     "Supported",
                                                                     "Timestamp",
                                                                     "To",
                                                                     "Unsupported",
                                                                     "User-Agent",
                                                                     "Via",
                                                                     "Warning",
                                                                     "WWW-Authenticate"};
static_assert(!kHeaderNames.back().empty());

constexpr std::size_t kLongestName = 20;

constexpr std::size_t longest_name() {
  std::size_t longest = 0;
  for (std::string_view name : kHeaderNames)
    longest = name.size() > longest ? name.size() : longest;
  return longest;
}
static_assert(longest_name() == kLongestName);

/// Names grouped by their length: a lookup compares with the few of one length.
struct NamesByLength {
  std::array<HeaderName, kHeaderCount> names{};
  std::array<std::uint8_t, kLongestName + 2>
      begin{};  ///< of each length; the next entry is its end
};

constexpr NamesByLength group_by_length() {
  NamesByLength groups;
  std::uint8_t filled = 0;
  for (std::size_t length = 0; length <= kLongestName; ++length) {
    groups.begin[length] = filled;
    for (std::size_t i = 1; i < kHeaderCount; ++i) {
      if (kHeaderNames[i].size() == length) groups.names[filled++] = static_cast<HeaderName>(i);
    }
  }
  groups.begin[kLongestName + 1] = filled;
  return groups;
}
constexpr NamesByLength kNamesByLength = group_by_length();

/// The compact forms of RFC 3261 §7.3.3 and of the extensions that registered one.
HeaderName compact_name(char c) {
  switch (to_lower(c)) {
    case 'b':
      return HeaderName::referred_by;
    case 'c':
      return HeaderName::content_type;
    case 'e':
      return HeaderName::content_encoding;
    case 'f':
      return HeaderName::from;
    case 'i':
      return HeaderName::call_id;
    case 'k':
      return HeaderName::supported;
    case 'l':
      return HeaderName::content_length;
    case 'm':
      return HeaderName::contact;
    case 'o':
      return HeaderName::event;
    case 'r':
      return HeaderName::refer_to;
    case 's':
      return HeaderName::subject;
    case 't':
      return HeaderName::to;
    case 'u':
      return HeaderName::allow_events;
    case 'v':
      return HeaderName::via;
    case 'x':
      return HeaderName::session_expires;
    case 'y':
      return HeaderName::identity;
    default:
      return HeaderName::other;
  }
}

}  // namespace

std::string_view method_name(Method method) {
  const auto index = static_cast<std::size_t>(method);
  return index < kMethodCount ? kMethodNames[index] : std::string_view();
}

Method parse_method(std::string_view token) {
  for (std::size_t i = 1; i < kMethodCount; ++i) {
    if (kMethodNames[i] == token) return static_cast<Method>(i);
  }
  return Method::unknown;
}

std::string_view header_name_text(HeaderName name) {
  const auto index = static_cast<std::size_t>(name);
  return index < kHeaderCount ? kHeaderNames[index] : std::string_view();
}

HeaderName parse_header_name(std::string_view text) {
  if (text.size() == 1) return compact_name(text.front());
  if (text.size() > kLongestName) return HeaderName::other;
  for (std::size_t i = kNamesByLength.begin[text.size()]; i < kNamesByLength.begin[text.size() + 1];
       ++i) {
    const HeaderName name = kNamesByLength.names[i];
    if (equals_ignoring_case(text, header_name_text(name))) return name;
  }
  return HeaderName::other;
}

bool is_single_field(HeaderName name) {
  switch (name) {
    case HeaderName::from:
    case HeaderName::to:
    case HeaderName::call_id:
    case HeaderName::cseq:
    case HeaderName::max_forwards:
    case HeaderName::content_length:
    case HeaderName::content_type:
      return true;
    default:
      return false;
  }
}

bool is_list_field(HeaderName name) {
  switch (name) {
    case HeaderName::accept:
    case HeaderName::accept_encoding:
    case HeaderName::accept_language:
    case HeaderName::alert_info:
    case HeaderName::allow:
    case HeaderName::allow_events:
    case HeaderName::call_info:
    case HeaderName::contact:
    case HeaderName::content_encoding:
    case HeaderName::content_language:
    case HeaderName::diversion:
    case HeaderName::error_info:
    case HeaderName::history_info:
    case HeaderName::in_reply_to:
    case HeaderName::p_asserted_identity:
    case HeaderName::p_early_media:
    case HeaderName::p_preferred_identity:
    case HeaderName::path:
    case HeaderName::proxy_require:
    case HeaderName::reason:
    case HeaderName::record_route:
    case HeaderName::recv_info:
    case HeaderName::require:
    case HeaderName::route:
    case HeaderName::service_route:
    case HeaderName::supported:
    case HeaderName::unsupported:
    case HeaderName::via:
    case HeaderName::warning:
      return true;
    default:
      return false;
  }
}

}  // namespace trunkline::sip
