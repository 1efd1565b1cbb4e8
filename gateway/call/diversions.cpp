#include "call/diversions.hpp"

#include "call/number_rules.hpp"
#include "call/privacy.hpp"
#include "call/trunks.hpp"
#include "sip/header.hpp"
#include "sip/status.hpp"
#include "sip/syntax.hpp"
#include "sip/uri_header.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxDiverted = 256, kMaxIndex = 64;  ///< octets

/// RFC 4458 §2 and RFC 7544 §5.2: the same in the two header fields.
struct Cause {
  std::string_view reason;
  std::string_view cause;
};
constexpr std::array<Cause, 6> kCauses{{{"user-busy", "486"},
                                        {"no-answer", "408"},
                                        {"unconditional", "302"},
                                        {"deflection", "480"},
                                        {"unavailable", "503"},
                                        {"unknown", "404"}}};

std::string_view cause_of(std::string_view reason) {
  const auto found = std::ranges::find(kCauses, reason, &Cause::reason);
  return found == kCauses.end() ? kCauses.back().cause : found->cause;
}

std::string_view reason_of(std::string_view cause) {
  const auto found = std::ranges::find(kCauses, cause, &Cause::cause);
  return found == kCauses.end() ? kCauses.back().reason : found->reason;
}

bool is_index(std::string_view text) {
  if (text.empty() || text.size() > kMaxIndex || !sip::is_digit(text.front()) ||
      !sip::is_digit(text.back()))
    return false;
  return std::ranges::all_of(text, [](char c) { return sip::is_digit(c) || c == '.'; });
}

/// A reason of RFC 5806, or an extension: a token, perhaps quoted.
std::string read_reason(std::string_view value) {
  const std::string reason = sip::lower_case(sip::unquote(value));
  return sip::is_token(reason) && reason.size() <= kMaxIndex ? reason : "unknown";
}

std::uint32_t number_or(std::string_view text, std::uint32_t otherwise) {
  return std::min(sip::parse_number(text).value_or(otherwise), kMaxDiversions);
}

std::optional<sip::NameAddress> read_address(std::string_view value) {
  auto address = sip::NameAddress::parse(value);
  if (!address || address->wildcard || address->uri.scheme == sip::Uri::Scheme::other)
    return std::nullopt;
  return std::move(*address);
}

std::string mapping_in(const sip::NameAddress& address) {
  for (const std::string_view name : {"rc", "mp", "np"}) {
    const std::string_view index = address.parameter(name);
    if (is_index(index)) return std::string(name) + "=" + std::string(index);
  }
  return {};
}

sip::Uri shown(const Trunk& to, const std::string& number, std::string_view domain) {
  return number_uri(to.calling_to.apply(number), domain, NumberForm::sip);
}

/// A Reason of the form that we would write ourselves; anything else is left out.
std::string outcome_in(const sip::Uri& uri) {
  const auto value = sip::uri_header(uri, "Reason");
  if (!value) return {};
  const auto reason = sip::Reason::parse(*value);
  if (!reason || !sip::is_token(reason->protocol) || reason->protocol.size() > kMaxIndex) return {};
  return sip::Reason{reason->protocol, reason->cause, {}}.text();
}

}  // namespace

Diversions Diversions::to(std::string_view dialled) {
  Diversions made;
  made.add({.number = std::string(dialled), .index = "1"});
  return made;
}

Diversions Diversions::of(const Trunk& from, const sip::Message& invite, std::string_view dialled) {
  Diversions made;
  if (from.settings.tells_diversion) made.read_diversions(from, invite);
  if (from.settings.tells_history) made.read_history(from, invite);
  if (made.history_.empty()) {
    for (const Diversion& one : made.diversions_) {
      const Place* before = made.history_.empty() ? nullptr : &made.history_.back();
      Place place{.number = one.number, .hidden = one.hidden};
      place.index = before != nullptr ? before->index + ".1" : "1";
      if (before != nullptr) place.mapped = "mp=" + before->index;
      place.cause = made.cause_;
      made.cause_ = cause_of(one.reason);
      made.add(std::move(place));
    }
  }
  // RFC 7044 §9.1: the place that we were asked for is the last one, told or not.
  if (!made.history_.empty() && made.history_.back().number == dialled) {
    made.dialled_ = made.history_.back().index;
  } else {
    const bool first = made.history_.empty();
    Place place{.number = std::string(dialled),
                .index = first ? "1" : made.history_.back().index + ".1",
                .mapped = first ? "" : "mp=" + made.history_.back().index,
                .cause = made.cause_};
    made.add(std::move(place));
  }
  made.cause_.clear();
  return made;
}

void Diversions::read_diversions(const Trunk& from, const sip::Message& invite) {
  for (const auto value : invite.headers(HeaderName::diversion)) {
    if (diversions_.size() >= kMaxDiversions) break;
    const auto address = read_address(value);
    if (!address || value.size() > 2 * kMaxDiverted) continue;
    Diversion one;
    one.number = from.calling_from.apply(number_of(address->uri));
    one.name = address->display_name;
    one.reason = read_reason(address->parameter("reason"));
    one.count = std::max(number_or(address->parameter("counter"), 1), 1U);
    one.limit = number_or(address->parameter("limit"), 0);
    const std::string privacy = sip::lower_case(sip::unquote(address->parameter("privacy")));
    one.hidden = !privacy.empty() && privacy != "off";
    diversions_.push_back(std::move(one));
  }
  std::ranges::reverse(diversions_);  // RFC 5806 §4: the last one stands on top
}

void Diversions::read_history(const Trunk& from, const sip::Message& invite) {
  for (const auto value : invite.headers(HeaderName::history_info)) {
    if (history_.size() >= kMaxHistory) break;
    const auto address = read_address(value);
    if (!address || value.size() > 4 * kMaxDiverted || !is_index(address->parameter("index")))
      continue;
    Place place;
    place.number = from.calling_from.apply(number_of(address->uri));
    place.index = address->parameter("index");
    place.mapped = mapping_in(*address);
    const std::string_view cause = address->uri.parameter("cause");
    if (sip::parse_number(cause)) place.cause = cause.substr(0, 3);
    place.outcome = outcome_in(address->uri);
    const auto privacy = sip::uri_header(address->uri, "Privacy");
    place.hidden = (privacy && sip::lower_case(*privacy) != "none") || is_anonymous(address->uri);
    history_.push_back(std::move(place));
  }
  if (!history_.empty()) dialled_ = history_.back().index;
  if (!diversions_.empty()) return;
  // RFC 7544 §5.3: a place with a cause was reached because the one before has sent the call on.
  for (std::size_t at = 1; at < history_.size(); ++at) {
    if (history_[at].cause.empty() || diversions_.size() >= kMaxDiversions) continue;
    const Place& by = history_[at - 1];
    diversions_.push_back({.number = by.number,
                           .name = {},
                           .reason = std::string(reason_of(history_[at].cause)),
                           .hidden = by.hidden});
  }
}

void Diversions::add(Place place) {
  dialled_ = place.index;
  history_.push_back(std::move(place));
}

bool Diversions::exhausted() const {
  std::uint32_t count = 0, limit = kMaxDiversions;
  for (const Diversion& one : diversions_) {
    count += one.count;
    if (one.limit != 0) limit = std::min(limit, one.limit);
  }
  return count >= limit;
}

void Diversions::divert(Diversion by) {
  cause_ = cause_of(by.reason);
  if (by.hidden && !history_.empty()) history_.back().hidden = true;
  // One place that tries several others has sent the call on once.
  if (!diversions_.empty() && diversions_.back().number == by.number) {
    diversions_.back().reason = std::move(by.reason);
    return;
  }
  // The first one, who was meant, and the last ones tell most.
  if (diversions_.size() >= kMaxDiversions) diversions_.erase(diversions_.begin() + 1);
  diversions_.push_back(std::move(by));
}

void Diversions::failed(int status) {
  if (branches_ == 0 || status < 300) return;
  history_.back().outcome = sip::Reason{"SIP", status, {}}.text();
}

void Diversions::enter(std::string_view number) {
  const auto dialled = std::ranges::find(history_, dialled_, &Place::index);
  const bool same = dialled != history_.end() && dialled->number == number;
  const std::string from = branches_ == 0 || cause_.empty() ? dialled_ : history_.back().index;
  if (history_.size() >= kMaxHistory) history_.erase(history_.begin() + 1);
  // RFC 7044 §10.3: the first place below the one that was asked for, others beside it.
  history_.push_back({.number = std::string(number),
                      .index = dialled_ + "." + std::to_string(++branches_),
                      .mapped = (same ? "np=" : "mp=") + from,
                      .cause = cause_});
}

std::vector<HeaderField> Diversions::enter(const Trunk& at, std::string_view number,
                                           const sip::Uri& request_uri, std::string_view domain,
                                           bool all_hidden) {
  enter(number);
  std::vector<HeaderField> fields;
  if (at.settings.tells_diversion) tell_diversions(at, domain, fields);
  if (at.settings.tells_history) tell_history(at, request_uri, domain, all_hidden, fields);
  return fields;
}

void Diversions::tell_diversions(const Trunk& to, std::string_view domain,
                                 std::vector<HeaderField>& fields) const {
  const bool trusted = to.settings.asserts_identity;
  for (auto one = diversions_.rbegin(); one != diversions_.rend(); ++one) {
    const bool hidden = one->hidden && !trusted;
    sip::NameAddress address;
    address.uri = hidden ? anonymous_uri() : shown(to, one->number, domain);
    if (!hidden) address.display_name = one->name;
    sip::set_parameter(address.parameters, "reason", one->reason);
    if (one->count > 1)
      sip::set_parameter(address.parameters, "counter", std::to_string(one->count));
    if (one->limit != 0)
      sip::set_parameter(address.parameters, "limit", std::to_string(one->limit));
    if (one->hidden) sip::set_parameter(address.parameters, "privacy", "full");
    fields.push_back({"Diversion", address.text()});
  }
}

void Diversions::tell_history(const Trunk& to, const sip::Uri& request_uri, std::string_view domain,
                              bool all_hidden, std::vector<HeaderField>& fields) const {
  const bool trusted = to.settings.asserts_identity;
  for (const Place& place : history_) {
    const bool last = &place == &history_.back();
    const bool hidden = (place.hidden || all_hidden) && !last;
    sip::NameAddress address;
    // The last one is where this INVITE goes (RFC 7044 §10.1.1).
    address.uri = last                 ? request_uri
                  : hidden && !trusted ? anonymous_uri()
                                       : shown(to, place.number, domain);
    std::string& more = address.uri.headers;
    more.clear();
    if (!place.cause.empty()) sip::set_parameter(address.uri.parameters, "cause", place.cause);
    if (!place.outcome.empty()) more = "Reason=" + sip::escape_parameter(place.outcome);
    if (hidden) more += (more.empty() ? "" : "&") + std::string("Privacy=history");
    sip::set_parameter(address.parameters, "index", place.index);
    if (!place.mapped.empty())
      sip::set_parameter(address.parameters, place.mapped.substr(0, 2), place.mapped.substr(3));
    fields.push_back({"History-Info", address.text()});
  }
}

std::string_view diversion_reason(int status) {
  switch (status) {
    case 486:
    case 600:
      return "user-busy";
    case 408:
    case 487:
      return "no-answer";
    case 480:
    case 500:
    case 503:
      return "unavailable";
    case 603:
      return "deflection";
    default:
      return status >= 300 && status < 400 ? "unconditional" : "unknown";
  }
}

std::string diversion_reason(const sip::Message& response) {
  const auto value = response.header(HeaderName::diversion);
  const auto address = value ? read_address(*value) : std::nullopt;
  return address && !address->parameter("reason").empty()
             ? read_reason(address->parameter("reason"))
             : std::string{};
}

}  // namespace trunkline::call
