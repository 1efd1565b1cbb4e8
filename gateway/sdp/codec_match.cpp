#include "sdp/codec_match.hpp"

#include "sdp/syntax.hpp"

#include <algorithm>
#include <array>

namespace trunkline::sdp {
namespace {

struct KnownCodec {
  std::string_view name;
  std::uint32_t clock_rate;
  std::uint8_t channels;
  std::uint8_t payload_type;
  std::string_view fmtp;
};
constexpr std::array<KnownCodec, 4> kKnownCodecs{{
    {"PCMU", 8000, 1, 0, ""},
    {"PCMA", 8000, 1, 8, ""},
    {"G722", 8000, 1, 9, ""},  // RFC 3551 §4.5.2: 8000, although it samples at 16 kHz
    {"opus", 48000, 2, 111, "minptime=10;useinbandfec=1"},  // RFC 7587 §7: always 48000/2
}};

constexpr std::uint32_t kUsualEventClock = 8000;

const KnownCodec* find_known(const Codec& codec) {
  const auto found =
      std::find_if(kKnownCodecs.begin(), kKnownCodecs.end(), [&](const KnownCodec& known) {
        return known.clock_rate == codec.clock_rate && known.channels == codec.channels &&
               same_without_case(known.name, codec.name);
      });
  return found == kKnownCodecs.end() ? nullptr : found;
}

bool is_opus(const Codec& codec) {
  return same_without_case(codec.name, "opus");
}

bool any_translatable(const std::vector<Codec>& codecs) {
  return std::any_of(codecs.begin(), codecs.end(), is_translatable);
}

/// The telephone-event with this clock, else with the fallback's, else the first; null if absent.
const Codec* pick_telephone_event(const std::vector<Codec>& codecs, std::uint32_t clock_rate) {
  for (const std::uint32_t wanted : {clock_rate, kUsualEventClock}) {
    const auto found = std::find_if(codecs.begin(), codecs.end(), [&](const Codec& codec) {
      return is_telephone_event(codec) && codec.clock_rate == wanted;
    });
    if (found != codecs.end()) return &*found;
  }
  const auto any = std::find_if(codecs.begin(), codecs.end(), is_telephone_event);
  return any == codecs.end() ? nullptr : &*any;
}

void add_telephone_events(std::vector<Codec>& codecs, Profile profile) {
  const std::size_t audio_codecs = codecs.size();
  const auto add = [&](std::uint32_t clock_rate) {
    const Codec event = telephone_event(clock_rate, profile);
    if (find_codec(codecs, event) == nullptr) codecs.push_back(event);
  };
  for (std::size_t at = 0; at < audio_codecs; ++at)
    add(codecs[at].clock_rate);
  // There are peers that have Opus, and events of this clock alone.
  if (audio_codecs > 0) add(kUsualEventClock);
}

}  // namespace

std::optional<Codec> known_codec(std::string_view name, Profile /*profile*/) {
  for (const KnownCodec& known : kKnownCodecs) {
    if (!same_without_case(known.name, name)) continue;
    return Codec{std::string(known.name), known.clock_rate, known.channels, known.payload_type,
                 std::string(known.fmtp)};
  }
  return std::nullopt;
}

Codec telephone_event(std::uint32_t clock_rate, Profile profile) {
  const int usual = profile == Profile::webrtc ? 126 : 101;
  const int payload_type = clock_rate == 48000 ? 110 : usual;
  return {"telephone-event", clock_rate, 1, static_cast<std::uint8_t>(payload_type), "0-16"};
}

bool is_translatable(const Codec& codec) {
  return find_known(codec) != nullptr;
}

std::vector<Codec> codecs_to_offer(const std::vector<Codec>& far,
                                   const std::vector<std::string>& allowed, Profile profile,
                                   Translation translation) {
  std::vector<Codec> codecs;
  const auto add = [&](bool in_common) {
    for (const std::string& name : allowed) {
      const auto codec = known_codec(name, profile);
      if (!codec || (find_codec(far, *codec) != nullptr) != in_common) continue;
      if (find_codec(codecs, *codec) == nullptr) codecs.push_back(*codec);
    }
  };
  add(true);
  if (translation != Translation::never && any_translatable(far)) add(false);
  if (translation == Translation::to_opus)
    std::stable_partition(codecs.begin(), codecs.end(), is_opus);
  add_telephone_events(codecs, profile);
  return codecs;
}

std::vector<Codec> codecs_to_offer(const std::vector<std::string>& allowed, Profile profile) {
  std::vector<Codec> all{telephone_event(8000, profile)};
  for (const KnownCodec& known : kKnownCodecs)
    all.push_back(*known_codec(known.name, profile));
  return codecs_to_offer(all, allowed, profile);
}

std::vector<Codec> codecs_to_answer(const std::vector<Codec>& offered,
                                    const std::vector<Codec>& agreed, Translation translation) {
  std::vector<Codec> answer;
  const bool translates = translation != Translation::never && any_translatable(agreed);
  if (translates && translation == Translation::to_opus) {
    const auto opus = std::find_if(offered.begin(), offered.end(), is_opus);
    if (opus != offered.end()) answer.push_back(*opus);
  }
  for (const Codec& codec : agreed) {
    if (!answer.empty()) break;
    if (is_telephone_event(codec)) continue;
    if (const Codec* match = find_codec(offered, codec)) answer.push_back(*match);
  }
  if (answer.empty() && translates) {
    const auto known = std::find_if(offered.begin(), offered.end(), is_translatable);
    if (known != offered.end()) answer.push_back(*known);
  }
  if (answer.empty()) return answer;
  if (const Codec* event = pick_telephone_event(offered, answer.front().clock_rate)) {
    answer.push_back(*event);
  }
  return answer;
}

std::vector<CodecRoute> route_codecs(const std::vector<Codec>& receive,
                                     const std::vector<Codec>& send, Translation translation) {
  std::vector<CodecRoute> routes;
  const Codec* audio_sent = nullptr;
  const auto first = std::find_if(send.begin(), send.end(), is_translatable);
  const bool to_opus =
      translation == Translation::to_opus && first != send.end() && is_opus(*first);
  for (const Codec& codec : receive) {
    if (is_telephone_event(codec)) continue;
    const Codec* match = find_codec(send, codec);
    const bool wanted = match == nullptr || (to_opus && match != &*first);
    const bool translated = wanted && translation != Translation::never && is_translatable(codec) &&
                            first != send.end();
    if (translated) match = &*first;
    if (match == nullptr) continue;
    if (audio_sent == nullptr) audio_sent = match;
    routes.push_back({codec, *match, translated});
  }
  // RFC 4733 §2.1: events share the timestamps of the audio beside them.
  const std::uint32_t clock_rate = audio_sent != nullptr ? audio_sent->clock_rate : 8000;
  const Codec* event_sent = pick_telephone_event(send, clock_rate);
  if (event_sent == nullptr) return routes;
  for (const Codec& codec : receive) {
    if (is_telephone_event(codec)) routes.push_back({codec, *event_sent, false});
  }
  return routes;
}

}  // namespace trunkline::sdp
