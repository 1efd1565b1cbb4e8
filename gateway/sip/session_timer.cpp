#include "sip/session_timer.hpp"

#include "sip/header.hpp"

namespace trunkline::sip {
namespace {

constexpr std::uint32_t kLongestSession = 86400;  // seconds: a larger Min-SE is as good as no timer

std::uint32_t minimum_of(const Message& request) {
  const auto value = request.header(HeaderName::min_se);
  const auto parsed = value ? parse_delta_seconds(*value) : std::nullopt;
  return parsed.value_or(0);
}

std::optional<SessionExpires> session_expires_of(const Message& message) {
  const auto value = message.header(HeaderName::session_expires);
  if (!value) return std::nullopt;
  auto parsed = SessionExpires::parse(*value);
  if (!parsed) return std::nullopt;
  return *parsed;
}

}  // namespace

SessionTimer::Agreement SessionTimer::agree(const Message& request, std::uint32_t wanted_seconds) {
  Agreement agreement;
  agreement.peer_supports = has_token(request, HeaderName::supported, "timer");
  const auto asked = session_expires_of(request);
  if (!asked) {
    // §9: the UAS may start a timer on its own; without the peer's support only we can refresh.
    const std::uint32_t least = minimum_of(request);
    const bool wanted = agreement.peer_supports && wanted_seconds > 0 && least <= kLongestSession;
    agreement.interval_seconds = wanted ? std::max(wanted_seconds, least) : 0;
    agreement.we_refresh = true;
    return agreement;
  }
  if (asked->delta_seconds < kMinimumSessionInterval) {
    // §9: 422 only to a UAC that understands it; a proxy's too small wish for a deaf UAC is raised
    // to our minimum.
    agreement.too_small = agreement.peer_supports;
    agreement.interval_seconds = kMinimumSessionInterval;
  } else {
    agreement.interval_seconds = asked->delta_seconds;  // may be lowered by the UAS, never raised
  }
  agreement.we_refresh =
      !agreement.peer_supports || asked->refresher == SessionExpires::Refresher::uas;
  return agreement;
}

SessionTimer::Agreement SessionTimer::settled(const Message& response) {
  Agreement agreement;
  const auto answered = session_expires_of(response);
  if (!answered) return agreement;
  agreement.interval_seconds = std::max(answered->delta_seconds, kMinimumSessionInterval);
  agreement.we_refresh = answered->refresher != SessionExpires::Refresher::uas;
  agreement.peer_supports = true;
  return agreement;
}

void SessionTimer::start(const Agreement& agreement, TimePoint now) {
  interval_ = seconds{agreement.interval_seconds};
  we_refresh_ = agreement.we_refresh;
  restart(now);
}

void SessionTimer::restart(TimePoint now) {
  refresh_at_ = expires_at_ = kNever;
  if (interval_ == seconds{0}) return;
  if (we_refresh_) {
    refresh_at_ = now + interval_ / 2;
    expires_at_ = now + interval_;
  } else {
    expires_at_ = now + interval_ - std::min(seconds{32}, interval_ / 3);
  }
}

SessionTimer::Due SessionTimer::on_deadline(TimePoint now) {
  if (now >= expires_at_) {
    stop();
    return Due::expired;
  }
  if (now >= refresh_at_) {
    refresh_at_ = kNever;
    return Due::refresh;
  }
  return Due::nothing;
}

}  // namespace trunkline::sip
