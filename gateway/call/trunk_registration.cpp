#include "call/trunk_registration.hpp"

#include "sip/header.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr int kMaxRaises = 2;                     // of one attempt
constexpr std::uint32_t kLongestExpires = 86400;  // seconds: a Min-Expires beyond is a mistake
constexpr std::uint32_t kBaseWait = 30, kMaxWait = 1800;  // seconds (RFC 5626 §4.5)
constexpr unsigned kMaxDoublings = 6;                     // by then the wait is at its longest
constexpr std::size_t kMaxRoutes = 8;

}  // namespace

std::string_view registration_state_label(TrunkRegistration::State state) {
  switch (state) {
    case TrunkRegistration::State::registering:
      return "registering";
    case TrunkRegistration::State::registered:
      return "registered";
    case TrunkRegistration::State::failed:
      return "failed";
    case TrunkRegistration::State::leaving:
      return "leaving";
    case TrunkRegistration::State::gone:
      break;
  }
  return "gone";
}

TrunkRegistration::TrunkRegistration(const TrunkSettings& trunk, Random& random)
    : registrar_(trunk.uri),
      expires_(trunk.register_expires_seconds),
      random_(random),
      digest_(trunk.username, trunk.password, random),
      call_id_(random.token(24)),
      tag_(random.token(12)),
      sequence_(random.below(65536)) {
  // RFC 3261 §10.2: the Request-URI names the domain alone.
  registrar_.user.clear();
  aor_ = sip::Uri::sip(trunk.username, trunk.uri.host);
  aor_.scheme = trunk.uri.scheme;
}

void TrunkRegistration::enter(State next, Effects& out) {
  out.changed = out.changed || state_ != next;
  state_ = next;
}

void TrunkRegistration::send(std::uint32_t expires, Effects& out) {
  sip::NameAddress from;
  from.uri = aor_;
  sip::set_parameter(from.parameters, "tag", tag_);
  request_ = sip::Message::request(sip::Method::register_, registrar_.text());
  request_.add(HeaderName::max_forwards, "70");
  request_.add(HeaderName::from, from.text());
  request_.add(HeaderName::to, "<" + aor_.text() + ">");
  // §10.2.4: one Call-ID for the life of the process, and CSeq that rises.
  request_.add(HeaderName::call_id, call_id_);
  request_.add(HeaderName::cseq, std::to_string(++sequence_) + " REGISTER");
  request_.add(HeaderName::contact, "<" + contact_ + ">;expires=" + std::to_string(expires));
  request_.add(HeaderName::expires, std::to_string(expires));
  digest_.preload(request_);
  open_ = true;
  out.send = request_;
}

void TrunkRegistration::send_again(Effects& out) {
  request_.set(HeaderName::cseq, std::to_string(++sequence_) + " REGISTER");
  out.send = request_;
}

void TrunkRegistration::on_deadline(TimePoint now, Effects& out) {
  if (open_ || now < next_at_) return;
  next_at_ = kNever;
  challenges_ = raises_ = 0;
  if (!wanted_) {
    if (!bound(now)) return enter(State::gone, out);
    enter(State::leaving, out);
    return send(0, out);
  }
  if (state_ != State::registered && state_ != State::failed) enter(State::registering, out);
  send(expires_, out);
}

void TrunkRegistration::leave(TimePoint now, Effects& out) {
  if (!std::exchange(wanted_, false)) return;
  next_at_ = now;
  on_deadline(now, out);
}

void TrunkRegistration::come_back(TimePoint now) {
  if (!std::exchange(wanted_, true)) next_at_ = now;
}

void TrunkRegistration::try_elsewhere(TimePoint now) {
  next_at_ = now;
}

void TrunkRegistration::receive(const sip::Message& response, TimePoint now, Effects& out) {
  const int status = response.status();
  if (!open_ || status < 200) return;
  if (status < 300) return accepted(response, now, out);
  if ((status == 401 || status == 407) && answer_challenge(response, out)) return;
  if (status == 423 && take_minimum(response, out)) return;
  const auto after = response.header(HeaderName::retry_after);
  server_failed_ = status >= 500 && status < 600;
  refused(std::to_string(status) + " " + std::string(response.reason()),
          after ? sip::parse_retry_after(*after) : std::nullopt, now, out);
}

bool TrunkRegistration::answer_challenge(const sip::Message& response, Effects& out) {
  // A server that never has enough would else be asked for ever (RFC 3261 §22.1).
  if (challenges_ >= sip::kMaxChallenges || !digest_.authorize(response, request_)) return false;
  ++challenges_;
  send_again(out);
  return true;
}

bool TrunkRegistration::take_minimum(const sip::Message& response, Effects& out) {
  const auto field = response.header(HeaderName::min_expires);
  const auto minimum = field ? sip::parse_delta_seconds(*field) : std::nullopt;
  const bool sensible = minimum && *minimum > expires_ && *minimum <= kLongestExpires;
  if (!wanted_ || !sensible || raises_ >= kMaxRaises) return false;
  ++raises_;
  expires_ = *minimum;  // §10.2.8: also for the refreshes to come
  send(expires_, out);
  return true;
}

/// What the registrar has granted to our contact: its own word, then the message's, then our wish.
std::uint32_t TrunkRegistration::granted(const sip::Message& response) const {
  const auto ours = sip::Uri::parse(contact_);
  std::optional<std::uint32_t> time;
  for (const auto value : response.headers(HeaderName::contact)) {
    const auto contact = sip::NameAddress::parse(value);
    if (!contact || !ours || !contact->uri.equivalent(*ours)) continue;
    time = sip::parse_delta_seconds(contact->parameter("expires"));
  }
  if (!time) {
    const auto field = response.header(HeaderName::expires);
    if (field) time = sip::parse_delta_seconds(*field);
  }
  return std::min(time.value_or(expires_), kLongestExpires);
}

void TrunkRegistration::accepted(const sip::Message& response, TimePoint now, Effects& out) {
  open_ = false;
  failures_ = 0;
  failure_.clear();
  server_failed_ = false;
  if (state_ == State::leaving) {
    bound_until_ = {};
    service_route_.clear();
    enter(State::gone, out);
    next_at_ = wanted_ ? now : kNever;
    return;
  }
  service_route_.clear();
  for (const auto route : response.headers(HeaderName::service_route)) {
    if (service_route_.size() < kMaxRoutes) service_route_.emplace_back(route);
  }
  const std::uint32_t lives = std::max<std::uint32_t>(granted(response), 1);
  bound_until_ = now + seconds{lives};
  enter(State::registered, out);
  // Never at the last moment: there must be time for a failure and another try.
  const std::uint32_t part = 75 + random_.below(11);
  next_at_ = now + milliseconds{std::int64_t{lives} * 10 * part};
  if (!wanted_) {
    next_at_ = now;
    on_deadline(now, out);
  }
}

void TrunkRegistration::unanswered(std::string_view why, TimePoint now, Effects& out) {
  if (!open_) return;
  server_failed_ = true;
  refused(std::string(why), std::nullopt, now, out);
}

void TrunkRegistration::refused(std::string why, std::optional<std::uint32_t> retry_after,
                                TimePoint now, Effects& out) {
  open_ = false;
  failure_ = std::move(why);
  if (!wanted_) {  // whoever is about to end waits for nothing
    bound_until_ = {};
    next_at_ = kNever;
    return enter(State::gone, out);
  }
  failures_ = std::min(failures_ + 1, kMaxDoublings);
  // RFC 5626 §4.5: half of the longest wait at least, so that not all come back at once.
  const std::uint32_t longest = std::min(kMaxWait, kBaseWait << failures_);
  const std::uint32_t wait = longest / 2 + random_.below(longest / 2 + 1);
  next_at_ = now + seconds{std::max(wait, std::min(retry_after.value_or(0), kMaxWait))};
  enter(State::failed, out);
}

}  // namespace trunkline::call
