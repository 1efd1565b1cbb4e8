#include "call/call.hpp"
#include "call/refusals.hpp"
#include "call/response_detail.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

// DTMF that crosses the call other than as RTP events, which the media worker maps by itself.
namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::string_view kRelay = "application/dtmf-relay", kPlain = "application/dtmf";
constexpr std::string_view kMediaControl = "application/media_control+xml";              // RFC 5168
constexpr std::uint32_t kDefaultDuration = 160, kMinDuration = 40, kMaxDuration = 5000;  // ms
/// What an event needs on the line beyond its duration, at most: the copies of its end, and the
/// pause behind it.
constexpr Duration kEventTail = milliseconds{120};

struct Digit {
  char digit = 0;
  std::uint32_t duration_ms = kDefaultDuration;
};

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::optional<char> parse_digit(std::string_view text) {
  text = trimmed(text);
  if (text == "10") return '*';
  if (text == "11") return '#';
  if (text.size() != 1) return std::nullopt;
  const char digit =
      text[0] >= 'a' && text[0] <= 'd' ? static_cast<char>(text[0] - 'a' + 'A') : text[0];
  return std::string_view("0123456789*#ABCD").find(digit) != std::string_view::npos
             ? std::optional(digit)
             : std::nullopt;
}

/// "Signal=5\r\nDuration=160" as application/dtmf-relay has it, spaces and order free.
std::optional<Digit> parse_relay(std::string_view body) {
  Digit parsed;
  while (!body.empty()) {
    const auto end = body.find_first_of("\r\n");
    const auto line = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view{} : body.substr(end + 1);
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = trimmed(line.substr(0, equals));
    const auto value = trimmed(line.substr(equals + 1));
    if (key == "Signal" || key == "signal") parsed.digit = parse_digit(value).value_or(0);
    if (key == "Duration" || key == "duration") {
      std::from_chars(value.data(), value.data() + value.size(), parsed.duration_ms);
    }
  }
  if (parsed.digit == 0) return std::nullopt;
  parsed.duration_ms = std::clamp(parsed.duration_ms, kMinDuration, kMaxDuration);
  return parsed;
}

std::optional<Digit> digit_of(const sip::Message& request) {
  const auto type = sip::MediaType::parse(request.header(HeaderName::content_type).value_or(""));
  if (!type) return std::nullopt;
  if (type->is(kRelay)) return parse_relay(request.body());
  if (!type->is(kPlain)) return std::nullopt;
  const auto digit = parse_digit(request.body());
  return digit ? std::optional(Digit{*digit}) : std::nullopt;
}

const sdp::Codec* telephone_event_of(const Leg& leg) {
  for (const sdp::Codec& codec : leg.media->sdp().agreed_codecs()) {
    if (sdp::is_telephone_event(codec)) return &codec;
  }
  return nullptr;
}

DtmfPolicy policy_of(const Node& node, const Leg& leg) {
  const Trunk* trunk = node.trunks.find(leg.peer);
  return trunk != nullptr ? trunk->settings.dtmf : DtmfPolicy::automatic;
}

/// How digits go to a leg: by this codec, as events or as sound; without one by INFO. A page can't
/// hear RTP events, so a browser gets INFO.
struct Way {
  const sdp::Codec* codec = nullptr;
  media::AudioCodec sound = media::AudioCodec::none;
  std::string_view method() const {
    if (codec == nullptr) return "info";
    return sound == media::AudioCodec::none ? "rfc4733" : "inband";
  }
};

Way way_to(const Node& node, const Leg& leg) {
  if (leg.kind != Leg::Kind::trunk) return {};
  if (const sdp::Codec* events = telephone_event_of(leg)) return {events};
  const DtmfPolicy policy = policy_of(node, leg);
  const bool sounds = policy == DtmfPolicy::in_band ||
                      (policy == DtmfPolicy::automatic && !leg.peer_informs && !leg.informs);
  const sdp::Codec* audio = sdp::audio_codec(leg.media->sdp().agreed_codecs());
  if (!sounds || audio == nullptr) return {};
  const media::AudioCodec codec = audio_codec_of(*audio);
  return codec == media::AudioCodec::none ? Way{} : Way{audio, codec};
}

/// Events of ours that wait for the leg or are on its line, as far as time alone tells.
std::size_t events_waiting(Leg& leg, TimePoint now) {
  while (!leg.digits_end_at.empty() && leg.digits_end_at.front() <= now)
    leg.digits_end_at.erase(leg.digits_end_at.begin());
  return leg.digits_end_at.size();
}

void send_in_rtp(Turn& turn, Leg& leg, const Digit& digit, const Way& way) {
  if (events_waiting(leg, turn.at.now) >= media::kMaxQueuedDigits) return;
  const TimePoint begin = leg.digits_end_at.empty() ? turn.at.now : leg.digits_end_at.back();
  const bool sounds = way.sound != media::AudioCodec::none;
  leg.digits_end_at.push_back(begin + (sounds ? Duration{media::kDigitTone + media::kDigitPause}
                                              : milliseconds{digit.duration_ms} + kEventTail));
  turn.media(leg.media->worker(),
             media::SendDigit{leg.id, digit.digit, digit.duration_ms, way.codec->payload_type,
                              way.codec->clock_rate, way.sound});
}

sip::TransactionId send_info(Turn& turn, Leg& leg, const Digit& digit) {
  sip::Message request = leg.dialog->request(sip::Method::info);
  request.set_body(kRelay, "Signal=" + std::string(1, digit.digit) +
                               "\r\nDuration=" + std::to_string(digit.duration_ms) + "\r\n");
  if (leg.digest) leg.digest->preload(request);
  return leg.send(turn, Leg::Purpose::info, std::move(request));
}

/// Of INFO and a sound with the same digit so close together one is the other.
constexpr Duration kSameDigit = seconds{2};

void pass_digit(Turn& turn, Leg& to, const Digit& digit) {
  const Way way = way_to(turn.node, to);
  if (way.codec != nullptr) return send_in_rtp(turn, to, digit, way);
  send_info(turn, to, digit);
}

}  // namespace

void Call::info(Turn& turn, Leg& leg, const sip::RequestReceived& event) {
  const sip::Message& request = event.request;
  if (request.header("Info-Package")) {
    auto response = leg.response(turn.node, request, 469);  // RFC 6086 §4.2.2: no package is taken
    response.add(HeaderName::recv_info, "");
    return turn.respond(event.transaction, std::move(response));
  }
  if (request.body().empty())
    return turn.respond(event.transaction, leg.response(turn.node, request, 200));
  const auto type = sip::MediaType::parse(request.header(HeaderName::content_type).value_or(""));
  if (type && type->is(kMediaControl)) return carry(turn, leg, event);
  const auto digit = digit_of(request);
  if (!digit) {
    auto response = leg.response(turn.node, request, 415);
    for (const auto known : {kRelay, kPlain, kMediaControl})
      response.add(HeaderName::accept, known);
    return turn.respond(event.transaction, std::move(response));
  }
  turn.respond(event.transaction, leg.response(turn.node, request, 200));
  leg.informs = true;
  comfort(turn);
  // Its sound has had the digit before.
  const char heard = std::exchange(leg.heard_digit, '\0');
  if (heard == digit->digit && turn.at.now - leg.heard_at < kSameDigit) return;
  turn.observe(DtmfPassed{view(), leg.name, digit->digit, "info"});
  Leg* other = partner(leg);
  if (other != nullptr && other->state == Leg::State::confirmed) pass_digit(turn, *other, *digit);
}

bool Call::brings_digits_as_sound(const Node& node, const Leg& leg) {
  const DtmfPolicy policy = policy_of(node, leg);
  const bool sounds = policy == DtmfPolicy::in_band || policy == DtmfPolicy::automatic;
  return sounds && !leg.informs && telephone_event_of(leg) == nullptr;
}

void Call::digit_from_media(Turn& turn, const media::DigitReceived& event) {
  Leg* leg = find(event.leg);
  if (leg == nullptr || ended()) return;
  Digit digit{event.digit, std::clamp(event.duration_ms, kMinDuration, kMaxDuration)};
  if (event.heard) {
    if (leg->informs) return;  // its INFO tells of it
    leg->heard_digit = event.digit;
    leg->heard_at = turn.at.now;
    digit.duration_ms = kDefaultDuration;
  }
  turn.observe(DtmfPassed{view(), leg->name, event.digit, event.heard ? "inband" : "rfc4733"});
  Leg* other = partner(*leg);
  if (other == nullptr || other->state != Leg::State::confirmed) return;
  // The worker has it carried across already: as an event, or as part of the sound.
  const Way way = way_to(turn.node, *other);
  const bool carried = event.heard
                           ? way.method() == "inband" && passage(*leg, *other) == Passage::all
                           : telephone_event_of(*other) != nullptr;
  if (!carried) pass_digit(turn, *other, digit);
}

void Call::execute(Turn& turn, RequestId id, const SendDtmf& request) {
  std::string digits;
  for (const char given : request.digits) {
    if (const auto digit = parse_digit({&given, 1})) digits += *digit;
  }
  if (digits.empty() || digits.size() != request.digits.size() ||
      digits.size() > media::kMaxQueuedDigits)
    return turn.reply(id, invalid_field("digits", "must be 1 to 64 of 0-9 * # A-D"));
  Leg* leg = addressed(turn, id, request.on);
  if (leg == nullptr) return;
  if (digits_) return turn.reply(id, in_progress("earlier digits are still being sent"));
  const std::uint32_t duration = std::clamp(request.duration_ms, kMinDuration, kMaxDuration);
  const Way way = way_to(turn.node, *leg);
  if (way.codec == nullptr) {
    if (leg->reconnect_by != kNever) return fail(turn, id, Failure::local(EndReason::browser_lost));
    digits_ = DigitsOperation{id, leg->id, digits, duration, {}};
    return send_next_digit(turn);
  }
  if (events_waiting(*leg, turn.at.now) + digits.size() > media::kMaxQueuedDigits)
    return turn.reply(id, in_progress("earlier digits are still being sent"));
  for (const char digit : digits) {
    send_in_rtp(turn, *leg, {digit, duration}, way);
    turn.observe(DtmfPassed{view(), leg->name, digit, std::string(way.method()), true});
  }
  turn.reply(id, Done{});
}

void Call::send_next_digit(Turn& turn) {
  digits_->info =
      send_info(turn, *find(digits_->leg), {digits_->left.front(), digits_->duration_ms});
}

void Call::info_answered(Turn& turn, const sip::Message& response) {
  if (response.status() >= 300) {
    fail(turn, digits_->request, failure_of(response));
    return digits_.reset();
  }
  const Leg& leg = *find(digits_->leg);
  turn.observe(DtmfPassed{view(), leg.name, digits_->left.front(), "info", true});
  digits_->left.erase(0, 1);
  if (!digits_->left.empty()) return send_next_digit(turn);
  turn.reply(digits_->request, Done{});
  digits_.reset();
}

void Call::stop_digits(Turn& turn, const Leg& leg, std::string why) {
  if (!digits_ || digits_->leg != leg.id) return;
  turn.reply(digits_->request, wrong_state(std::move(why)));
  digits_.reset();
}

}  // namespace trunkline::call
