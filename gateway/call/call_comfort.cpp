#include "call/call.hpp"

#include <utility>

// What a party hears while nobody talks to it, how long a trunk may be silent, and where its digits
// are heard.
namespace trunkline::call {
namespace {

/// A leg that has moved to another worker has been told nothing there.
Leg::Told& memory_of(Leg& leg) {
  const std::size_t worker = leg.media->worker();
  if (leg.told_worker.worker != worker)
    leg.told_worker = {.worker = worker, .sound = {}, .silence = {}, .digits = {}};
  return leg.told_worker;
}

}  // namespace

std::optional<media::Sound> Call::sound_for(const Node& node, const Leg& leg) const {
  const Settings::Sounds& sounds = node.settings.sounds;
  if (!view_.answered) {
    // RFC 3960 §3.2: as long as nothing is heard of the other side itself.
    const bool waits = origin_ && !calling_first_ && leg.id == from_ && view_.ringing && !early_;
    return waits && sounds.ringback ? std::optional(media::Sound::ringback) : std::nullopt;
  }
  if (!sounds.hold_music || !joined(leg)) return std::nullopt;
  if (leg.held) return media::Sound::hold_music;
  // A trunk that holds has music of its own, or wants none; a page has but silence.
  const Leg* other = partner(leg);
  const bool on_hold = other != nullptr && other->kind == Leg::Kind::browser && !other->held &&
                       !sdp::receives(other->peer_wish);
  return on_hold ? std::optional(media::Sound::hold_music) : std::nullopt;
}

void Call::comfort(Turn& turn) {
  if (ended()) return;
  for (const auto& leg : legs_) {
    if (!leg->alive() || !leg->media || !leg->media->sdp().established()) continue;
    // What a service plays begins and ends with it.
    if (!serving()) play(turn, *leg, sound_for(turn.node, *leg));
    expect_media(turn, *leg);
    listen_for_digits(turn, *leg);
  }
}

void Call::play(Turn& turn, Leg& leg, std::optional<media::Sound> sound) {
  const std::size_t worker = leg.media->worker();
  const sdp::Codec* audio = sdp::audio_codec(leg.media->sdp().agreed_codecs());
  const auto codec = audio != nullptr ? audio_codec_of(*audio) : media::AudioCodec::none;
  if (codec == media::AudioCodec::none || !sdp::sends(leg.media->sdp().direction())) sound.reset();
  Leg::Told& told = memory_of(leg);
  std::optional<media::StartSound> order;
  if (sound) order = media::StartSound{leg.id, *sound, codec, audio->payload_type};
  if (order == told.sound) return;
  told.sound = order;
  if (!order) return turn.media(worker, media::StopTone{leg.id});
  turn.media(worker, *order);
}

void Call::expect_media(Turn& turn, Leg& leg) {
  if (leg.kind != Leg::Kind::trunk || !view_.answered || !joined(leg)) return;
  const Settings& settings = turn.node.settings;
  const bool talks = !leg.held && sdp::receives(leg.media->sdp().direction());
  const Duration silence = talks ? settings.media_timeout : settings.hold_timeout;
  if (std::exchange(memory_of(leg).silence, silence) == silence) return;
  turn.media(leg.media->worker(), media::ExpectMedia{leg.id, silence});
}

void Call::listen_for_digits(Turn& turn, Leg& leg) {
  if (leg.kind != Leg::Kind::trunk) return;
  media::DetectDigits order{leg.id};
  const sdp::OfferAnswer& sdp = leg.media->sdp();
  const sdp::Codec* audio = sdp::audio_codec(sdp.agreed_codecs());
  const bool speaks = view_.answered && joined(leg) && !leg.held && sdp::receives(sdp.direction());
  if (speaks && audio != nullptr && brings_digits_as_sound(turn.node, leg)) {
    if (const sdp::Codec* received = sdp::find_codec(sdp.receive_codecs(), *audio)) {
      order.codec = audio_codec_of(*audio);
      order.payload_type = received->payload_type;
    }
  }
  media::DetectDigits& told = memory_of(leg).digits;
  if (told == order || (told.codec == order.codec && order.codec == media::AudioCodec::none))
    return;
  told = order;
  turn.media(leg.media->worker(), order);
}

void Call::silenced(Turn& turn, const media::MediaSilent& event) {
  Leg* leg = find(event.leg);
  if (ended() || leg == nullptr || !leg->alive() || !joined(*leg)) return;
  lost(turn, *leg, EndReason::media_timeout);
}

}  // namespace trunkline::call
