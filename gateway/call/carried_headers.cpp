#include "call/carried_headers.hpp"

#include "call/call.hpp"
#include "call/event_package.hpp"
#include "sip/body.hpp"
#include "sip/header.hpp"

#include <algorithm>
#include <array>

namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::array kCarried{HeaderName::content_disposition,
                              HeaderName::content_encoding,
                              HeaderName::content_language,
                              HeaderName::mime_version,
                              HeaderName::date,
                              HeaderName::subject,
                              HeaderName::priority,
                              HeaderName::in_reply_to,
                              HeaderName::expires,
                              HeaderName::min_expires,
                              HeaderName::retry_after,
                              HeaderName::event,
                              HeaderName::subscription_state,
                              HeaderName::sip_etag,
                              HeaderName::sip_if_match};
/// In octets, with room for the header fields of a request of ours.
constexpr std::size_t kMaxDatagramBody = 800;
/// Of a refusal: what the sender may say instead.
constexpr std::array kRemedies{HeaderName::accept, HeaderName::accept_encoding,
                               HeaderName::accept_language, HeaderName::allow_events,
                               HeaderName::unsupported};

template <std::size_t Size>
void copy(const sip::Message& from, sip::Message& to, const std::array<HeaderName, Size>& names) {
  for (const HeaderName name : names) {
    for (const auto value : from.headers(name))
      to.add(name, value);
  }
}

}  // namespace

void carry_content(const sip::Message& from, sip::Message& to) {
  copy(from, to, kCarried);
  if (!from.is_request() && from.status() >= 300) copy(from, to, kRemedies);
  if (const auto type = from.header(HeaderName::content_type); type && !from.body().empty())
    to.set_body(*type, from.body());
}

int forwards_left(const sip::Message& request) {
  const auto value = request.header(HeaderName::max_forwards);
  const auto hops = value ? sip::parse_delta_seconds(*value) : std::nullopt;
  return static_cast<int>(std::min<std::uint32_t>(hops.value_or(kMaxForwards), 255)) - 1;
}

int carriage_refusal(const sip::Message& request) {
  if (forwards_left(request) < 0) return 483;
  if (request.body().size() > kMaxCarriedBody) return 413;
  if (!request.body().empty() && !request.header(HeaderName::content_type)) return 415;
  return 0;
}

bool is_too_large(const sip::Message& request, const sip::Target& to) {
  return to.transport == sip::Transport::udp && request.body().size() > kMaxDatagramBody;
}

void add_capabilities(sip::Message& response) {
  response.set(HeaderName::allow, kAllow);
  response.set(HeaderName::accept, sip::kAcceptedBodies);
  response.set(HeaderName::accept_encoding, "identity");
  response.set(HeaderName::supported, kSupported);
  response.set(HeaderName::allow_events, kEvents);
}

}  // namespace trunkline::call
