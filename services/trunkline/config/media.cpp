#include "media/clip.hpp"
#include "media/digit_tones.hpp"

#include "config/build.hpp"
#include "config/reader.hpp"
#include <algorithm>
#include <fstream>
#include <vector>

namespace trunkline::config {
namespace {

std::vector<IpAddress> addresses(const Build& build, const Value& list) {
  std::vector<IpAddress> result;
  for (const Value& item : list.items) {
    const IpAddress ip = *IpAddress::parse(item.text);
    const bool same_family = std::ranges::any_of(
        result, [&ip](const IpAddress& other) { return other.is_v4() == ip.is_v4(); });
    if (same_family)
      build.wrong(item, "is the second address of its family",
                  "give one IPv4 and one IPv6 address at most");
    if (ip.is_multicast())
      build.wrong(item, ip.text() + " is a multicast address", "write an address of this machine");
    result.push_back(ip);
  }
  if (list.present && result.empty()) build.wrong(list, "is empty", "write an address");
  return result;
}

/// fe80::/10: an address that means something on one link only, and needs to say which.
bool is_link_local(const IpAddress& ip) {
  return ip.is_v6() && ip.bytes()[0] == 0xfe && (ip.bytes()[1] & 0xc0) == 0x80;
}

void check_told(const Build& build, const Value& key, const IpAddress& ip) {
  if (ip.is_unspecified() || is_link_local(ip)) {
    build.wrong(key, ip.text() + " can't be reached by anyone",
                "write the address that peers reach");
  }
}

void media_addresses(const Build& build) {
  io::MediaSettings& settings = build.config.gateway.io.media;
  for (const auto& [bind, advertise] : build_media_addresses(build, build.file["media"], {})) {
    settings.bind.push_back(bind);
    settings.advertise.push_back(advertise);
  }
}

struct Span {
  std::int64_t first, last;
  bool overlaps(const Span& other) const { return first <= other.last && other.first <= last; }
};

/// Whether one of these ports of media is the one that a listener has.
bool holds(const Build& build, const Span& ports, const SocketAddress& bind) {
  const bool same_address =
      std::ranges::any_of(build.config.gateway.io.media.bind, [&bind](const IpAddress& ip) {
        return ip == bind.ip || ip.is_unspecified() || bind.ip.is_unspecified();
      });
  return same_address && ports.overlaps({bind.port, bind.port});
}

void check_sip_ports(const Build& build, const Value& key, const Span& ports, bool tcp) {
  for (const io::SipListener& listener : build.config.gateway.io.sip) {
    const bool udp = listener.transport == sip::Transport::udp;
    if (udp == tcp || !holds(build, ports, listener.bind)) continue;
    build.wrong(key,
                "holds port " + std::to_string(listener.bind.port) + " of a SIP listener over " +
                    std::string(sip::transport_label(listener.transport)),
                tcp ? "choose another port, or set media.ice_tcp to false" : "choose other ports");
  }
}

void check_websocket_ports(const Build& build, const Value& key, const Span& ports) {
  for (const io::WebSocketListener& listener : build.config.gateway.io.websocket) {
    if (!holds(build, ports, listener.bind)) continue;
    build.wrong(key,
                "holds port " + std::to_string(listener.bind.port) + " of a WebSocket listener",
                "choose another port, or set media.ice_tcp to false");
  }
}

void media_ports(const Build& build) {
  const Value& media = build.file["media"];
  io::MediaSettings& settings = build.config.gateway.io.media;
  const std::int64_t workers = media["workers"].number;
  const Span webrtc{media["webrtc_port"].number, media["webrtc_port"].number + workers - 1};
  const Value& rtp_key = media["rtp_ports"];
  const Span rtp{rtp_key.number, rtp_key.last};
  if (webrtc.last > 65535) {
    build.wrong(media["webrtc_port"],
                "leaves no port for each worker: there are " + std::to_string(workers),
                "use at most " + std::to_string(65536 - workers));
  }
  if (rtp.first % 2 != 0) {
    build.wrong(rtp_key, "starts at an odd port",
                "start at an even one: RTP takes it, RTCP the next");
  }
  if (rtp.last - rtp.first + 1 < 2 * workers) {
    build.wrong(rtp_key,
                rtp.last < rtp.first ? std::string("ends before it starts")
                                     : "is too small for " + std::to_string(workers) + " workers",
                "write FIRST-LAST, two ports for each trunk leg");
  }
  if (webrtc.overlaps(rtp)) {
    build.wrong(rtp_key,
                "overlaps the browser ports " + std::to_string(webrtc.first) + "-" +
                    std::to_string(webrtc.last),
                "move media.webrtc_port or media.rtp_ports");
  }
  settings.ice_tcp = media["ice_tcp"].is_true();
  check_sip_ports(build, rtp_key, rtp, false);
  check_sip_ports(build, media["webrtc_port"], webrtc, false);
  if (settings.ice_tcp) {
    check_sip_ports(build, media["webrtc_port"], webrtc, true);
    check_websocket_ports(build, media["webrtc_port"], webrtc);
  }
  settings.workers = static_cast<std::size_t>(workers);
  settings.webrtc_port = static_cast<std::uint16_t>(webrtc.first);
  settings.rtp_port_first = static_cast<std::uint16_t>(rtp.first);
  settings.rtp_port_last = static_cast<std::uint16_t>(rtp.last);
}

void srtp_engine(const Build& build) {
  const Value& key = build.file["media"]["srtp_engine"];
  media::SrtpEngineKind& engine = build.config.gateway.io.media.srtp_engine;
  for (const media::SrtpEngineKind kind : media::kSrtpEngines) {
    if (key.text == media::srtp_engine_name(kind)) engine = kind;
  }
  if (!media::srtp_engine_available(engine)) {
    build.wrong(key, "is not there: it needs an x86-64 processor with AES, and libipsec-mb",
                "use auto, openssl or libsrtp");
  }
}

using PreparedSound = std::shared_ptr<const media::Clip>;

PreparedSound sound_of(const Build& build, const Value& key) {
  if (!key.present) return nullptr;
  std::ifstream stream(in_folder(build.folder, key.text), std::ios::binary);
  if (!stream) {
    build.wrong(key, "can't read \"" + key.text + "\"", "name a WAV file");
    return nullptr;
  }
  // One octet more than the longest has, so that a longer one is known for what it is.
  std::vector<char> content(media::Clip::kMaxWav + 1);
  stream.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(stream.gcount()));
  const auto clip = media::Clip::from_wav(as_bytes({content.data(), content.size()}));
  if (clip) return *clip;
  build.wrong(key, "\"" + key.text + "\" " + clip.error().message,
              "give a WAV file with one channel of 16 bits at 8000 or 16000 Hz");
  return nullptr;
}

/// ETSI: 425 Hz, one second of five; ANSI: 440 and 480 Hz, two of six (ITU-T E.180, supplement 2).
/// Made once for all that reads configurations.
PreparedSound ringback(const std::string& plan) {
  constexpr std::array<double, 1> kEtsi{425};
  constexpr std::array<double, 2> kAnsi{440, 480};
  static const auto etsi = media::Clip::cadence(kEtsi, milliseconds{1000}, milliseconds{4000});
  static const auto ansi = media::Clip::cadence(kAnsi, milliseconds{2000}, milliseconds{4000});
  if (plan == "etsi") return etsi.value_or(nullptr);
  if (plan == "ansi") return ansi.value_or(nullptr);
  return nullptr;
}

void sounds(const Build& build) {
  const Value& key = build.file["media"]["sounds"];
  auto& prepared = build.config.gateway.media.sounds;
  const auto at = [&prepared](media::Sound sound) -> PreparedSound& {
    return prepared[static_cast<std::size_t>(sound)];
  };
  at(media::Sound::play) = sound_of(build, key["play"]);
  at(media::Sound::hold_music) = sound_of(build, key["hold_music"]);
  at(media::Sound::ringback) = ringback(key["ringback"].text);
  // Made once for all that reads configurations.
  static const auto digits = media::DigitTones::make();
  build.config.gateway.media.digit_tones = digits.value_or(nullptr);
  build.config.gateway.call.sounds = {.play = at(media::Sound::play) != nullptr,
                                      .hold_music = at(media::Sound::hold_music) != nullptr,
                                      .ringback = at(media::Sound::ringback) != nullptr};
}

}  // namespace

std::vector<call::MediaAddress> build_media_addresses(
    const Build& build, const Value& section, const std::vector<call::MediaAddress>& standard) {
  std::vector<call::MediaAddress> made;
  for (const IpAddress& ip : addresses(build, section["bind"]))
    made.push_back({ip, {}});
  if (made.empty()) made = standard;
  for (const IpAddress& ip : addresses(build, section["advertise"])) {
    check_told(build, section["advertise"], ip);
    const auto own = std::ranges::find_if(made, [&ip](const call::MediaAddress& address) {
      return address.bind.is_v4() == ip.is_v4();
    });
    if (own == made.end()) {
      build.wrong(section["advertise"], ip.text() + " has no bind address of its family",
                  "add an address of that family to " + section.path + ".bind");
    } else {
      own->advertise = ip;
    }
  }
  for (call::MediaAddress& address : made) {
    if (!address.advertise.empty()) continue;
    address.advertise = address.bind;
    if (address.bind.is_unspecified() || is_link_local(address.bind)) {
      build.wrong(section["bind"], address.bind.text() + " can't be told to peers",
                  "add " + section.path + ".advertise with the address they reach");
    }
  }
  return made;
}

void build_media(const Build& build) {
  media_addresses(build);
  media_ports(build);
  const Value& media = build.file["media"];
  media::PlaneSettings& plane = build.config.gateway.media;
  plane.consent_timeout = media["consent_timeout"].duration();
  build.config.gateway.io.media.certificate_lifetime = media["certificate_lifetime"].duration();
  const auto transcoded = static_cast<std::size_t>(media["max_transcoded_calls"].number);
  // Two directions of each, and twice as many for a time: a transcoder outlives its call by
  // seconds.
  plane.max_transcoded = 4 * transcoded;
  build.config.gateway.call.max_transcoded_calls = transcoded;
  build.config.gateway.call.translation =
      media["transcoding"].is_true() ? sdp::Translation::where_needed : sdp::Translation::never;
  build.config.gateway.call.media_timeout = media["timeout"].duration();
  build.config.gateway.call.hold_timeout = media["hold_timeout"].duration();
  srtp_engine(build);
  sounds(build);
}

}  // namespace trunkline::config
