#include "call/response_detail.hpp"

#include "base/utf8.hpp"
#include "sip/header.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxReasons = 512;  ///< octets: enough for one of each protocol in use
constexpr std::size_t kMaxText = 256;     ///< octets of one text
constexpr std::size_t kMaxUri = 512;      ///< octets; what is cut would lead elsewhere
constexpr std::size_t kMaxWarnings = 8;
constexpr std::size_t kMaxContactsTold = 16;
constexpr std::size_t kMaxRedress = 4;
constexpr int kMaxCause = 127;  ///< Q.850 §2.2

/// Takes what may stand in a link that a person is shown.
void add_link(std::vector<std::string>& links, std::string_view prefix, std::string_view value) {
  const bool plain = !value.empty() && std::ranges::all_of(value, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>';
  });
  if (!plain || prefix.size() + value.size() > kMaxUri || links.size() >= kMaxRedress) return;
  links.push_back(std::string(prefix).append(value));
}

bool is_web(std::string_view uri) {
  static constexpr std::array<std::string_view, 2> kSchemes{"https://", "http://"};
  return std::ranges::any_of(kSchemes, [uri](std::string_view scheme) {
    return sip::equals_ignoring_case(uri.substr(0, scheme.size()), scheme);
  });
}

/// `v=analytics1;url=https://…;tel=…;email=…;location=…` in the text of a Reason (ATIS-1000099).
void read_block(std::string_view text, ResponseDetail& detail) {
  bool analytics = false;
  ResponseDetail found = detail;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = std::min(field.find('='), field.size());
    const std::string_view name = sip::trim(field.substr(0, equals));
    const std::string_view value =
        equals < field.size() ? sip::trim(field.substr(equals + 1)) : std::string_view{};
    if (sip::equals_ignoring_case(name, "v")) {
      analytics = analytics || sip::equals_ignoring_case(value, "analytics1");
    } else if (sip::equals_ignoring_case(name, "url")) {
      if (is_web(value)) add_link(found.redress, {}, value);
    } else if (sip::equals_ignoring_case(name, "tel")) {
      add_link(found.redress, "tel:", value);
    } else if (sip::equals_ignoring_case(name, "email")) {
      add_link(found.redress, "mailto:", value);
    } else if (sip::equals_ignoring_case(name, "location") && !value.empty()) {
      found.facts["location"] = cut_text(std::string(value), kMaxText);
    }
  }
  if (!analytics) return;
  detail = std::move(found);
  detail.blocked_by_network = true;
}

void read_warnings(const sip::Message& response, ResponseDetail& detail) {
  for (const auto value : response.headers(HeaderName::warning)) {
    if (detail.warnings.size() >= kMaxWarnings) return;
    auto warning = sip::Warning::parse(value);
    if (warning) detail.warnings.push_back(cut_text(std::move(warning->text), kMaxText));
  }
}

void read_contacts(const sip::Message& response, ResponseDetail& detail) {
  constexpr int kAmbiguous = 485;
  const int status = response.status();
  if ((status < 300 || status > 399) && status != kAmbiguous) return;
  for (const auto value : response.headers(HeaderName::contact)) {
    if (detail.contacts.size() >= kMaxContactsTold) return;
    const auto contact = sip::NameAddress::parse(value);
    if (!contact || contact->wildcard) continue;
    std::string uri = contact->uri.text();
    if (uri.size() <= kMaxUri) detail.contacts.push_back(std::move(uri));
  }
}

/// RFC 8688 §3.2: who rejected the call says by a jCard how it is reached.
void read_call_info(const sip::Message& response, ResponseDetail& detail) {
  constexpr int kRejected = 608;
  if (response.status() != kRejected) return;
  for (const auto value : response.headers(HeaderName::call_info)) {
    const std::size_t end = value.find('>');
    if (!value.starts_with('<') || end == std::string_view::npos) continue;
    const std::string_view uri = value.substr(1, end - 1);
    if (is_web(uri)) add_link(detail.redress, {}, uri);
  }
}

void read_facts(const sip::Message& response, ResponseDetail& detail) {
  struct Fact {
    int status;
    HeaderName header;
    const char* name;
  };
  static constexpr std::array<Fact, 5> kFacts{{{405, HeaderName::allow, "allow"},
                                               {420, HeaderName::unsupported, "unsupported"},
                                               {421, HeaderName::require, "required"},
                                               {422, HeaderName::min_se, "min_se"},
                                               {423, HeaderName::min_expires, "min_expires"}}};
  for (const Fact& fact : kFacts) {
    if (response.status() != fact.status) continue;
    std::string text;
    for (const auto value : response.headers(fact.header)) {
      if (text.size() > kMaxText) break;
      text.append(text.empty() ? "" : ", ").append(value);
    }
    if (!text.empty()) detail.facts[fact.name] = cut_text(std::move(text), kMaxText);
  }
  if (const auto error = response.header("X-Twilio-Error")) {
    const std::string_view code = sip::Cursor(*error).take_token();
    if (!code.empty()) detail.facts["provider_error_code"] = cut_text(std::string(code), kMaxText);
  }
}

}  // namespace

void read_reasons(const sip::Message& message, Failure& failure) {
  constexpr int kDecline = 603;
  ResponseDetail& detail = failure.detail;
  for (const auto value : message.headers(HeaderName::reason)) {
    const auto reason = sip::Reason::parse(value);
    if (!reason) continue;
    // Of several protocols one each (RFC 3326 §2).
    const std::string text = (failure.peer_reason.empty() ? "" : ", ") + reason->text();
    if (failure.peer_reason.size() + text.size() <= kMaxReasons) failure.peer_reason += text;
    const bool q850 = sip::equals_ignoring_case(reason->protocol, "Q.850");
    if (q850 && detail.q850_cause == 0 && reason->cause > 0 && reason->cause <= kMaxCause) {
      detail.q850_cause = reason->cause;
      detail.q850_text = cut_text(reason->text_phrase, kMaxText);
    }
    if (message.status() == kDecline && !detail.blocked_by_network)
      read_block(reason->text_phrase, detail);
  }
}

Failure failure_of(const sip::Message& response) {
  const auto retry_after = response.header(HeaderName::retry_after);
  Failure failure =
      Failure::from_response(response.status(), std::string(response.reason()),
                             retry_after ? sip::parse_retry_after(*retry_after) : std::nullopt);
  read_reasons(response, failure);
  read_warnings(response, failure.detail);
  read_contacts(response, failure.detail);
  read_call_info(response, failure.detail);
  read_facts(response, failure.detail);
  return failure;
}

}  // namespace trunkline::call
