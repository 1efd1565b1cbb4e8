#include "sdp/description_writer.hpp"

#include "sdp/codec_match.hpp"

#include <algorithm>

namespace trunkline::sdp {
namespace {

constexpr std::string_view kPacketTime = "20";  // ms

void line(std::string& text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts)
    text += part;
  text += "\r\n";
}

std::string network_address(const IpAddress& ip) {
  return (ip.is_v6() ? "IN IP6 " : "IN IP4 ") + ip.text();
}

std::string_view setup_text(Setup setup) {
  switch (setup) {
    case Setup::active:
      return "active";
    case Setup::passive:
      return "passive";
    case Setup::actpass:
      return "actpass";
    case Setup::holdconn:
      return "holdconn";
    case Setup::none:
      break;
  }
  return "actpass";
}

/// RFC 8445 §5.1.2.1, for component 1.
std::uint32_t candidate_priority(std::uint32_t type_preference, std::uint32_t local_preference) {
  constexpr std::uint32_t kComponent = 1;
  return (type_preference << 24) | (local_preference << 8) | (256 - kComponent);
}

/// `index`: 0 is the one that we like best.
std::uint32_t udp_priority(std::size_t index) {
  constexpr std::uint32_t kHost = 126;
  return candidate_priority(
      kHost, static_cast<std::uint32_t>(65535 - std::min<std::size_t>(index, 65535)));
}

/// RFC 6544 §4.2: the type preference stands below that of UDP, the local preference begins with
/// the direction, 4 of 7 for a passive host candidate.
std::uint32_t tcp_priority(std::size_t index) {
  constexpr std::uint32_t kHost = 90, kPassive = 4, kOthers = 0x1fff;
  const auto other = static_cast<std::uint32_t>(kOthers - std::min<std::size_t>(index, kOthers));
  return candidate_priority(kHost, (kPassive << 13) | other);
}

void write_candidates(std::string& text, const LocalMedia& local) {
  const auto& candidates = local.candidates;
  // RFC 8445 §5.1.1.3: one foundation for one type, base address and protocol.
  const auto foundation = [&](std::size_t index) {
    const auto same_base = std::find_if(
        candidates.begin(), candidates.end(),
        [&](const SocketAddress& candidate) { return candidate.ip == candidates[index].ip; });
    return static_cast<std::size_t>(same_base - candidates.begin()) + 1;
  };
  const auto write = [&](std::size_t index, bool tcp) {
    line(text, {"a=candidate:", std::to_string(foundation(index) + (tcp ? candidates.size() : 0)),
                tcp ? " 1 TCP " : " 1 UDP ",
                std::to_string(tcp ? tcp_priority(index) : udp_priority(index)), " ",
                candidates[index].ip.text(), " ", std::to_string(candidates[index].port),
                tcp ? " typ host tcptype passive" : " typ host"});
  };
  for (std::size_t index = 0; index < candidates.size(); ++index)
    write(index, false);
  for (std::size_t index = 0; local.ice_tcp && index < candidates.size(); ++index)
    write(index, true);
  line(text, {"a=end-of-candidates"});
}

/// Our own parameters, never the peer's.
std::string format_parameters(const Codec& codec) {
  if (is_telephone_event(codec)) return "0-16";
  const auto known = known_codec(codec.name, Profile::avp);
  return known ? known->fmtp : std::string{};
}

void write_codecs(std::string& text, const std::vector<Codec>& codecs) {
  for (const Codec& codec : codecs) {
    const std::string payload_type = std::to_string(codec.payload_type);
    line(text, {"a=rtpmap:", payload_type, " ", codec.name, "/", std::to_string(codec.clock_rate),
                codec.channels > 1 ? "/" + std::to_string(codec.channels) : std::string{}});
    if (const std::string parameters = format_parameters(codec); !parameters.empty()) {
      line(text, {"a=fmtp:", payload_type, " ", parameters});
    }
  }
  line(text, {"a=ptime:", kPacketTime});
}

void write_webrtc(std::string& text, const Description& description) {
  const LocalMedia& local = description.local;
  line(text, {"a=rtcp-mux"});
  line(text, {"a=ice-ufrag:", local.ice_ufrag});
  line(text, {"a=ice-pwd:", local.ice_pwd});
  if (description.renomination) line(text, {"a=ice-options:renomination"});
  line(text, {"a=fingerprint:", local.fingerprint});
  line(text, {"a=setup:", setup_text(description.setup)});
  write_candidates(text, local);
  if (!local.msid.empty()) {
    // RFC 8830 §2: "stream track"; one word serves for both.
    const bool both = local.msid.find(' ') != std::string::npos;
    line(text, {"a=msid:", local.msid, both ? std::string{} : " " + local.msid});
  }
  line(text, {"a=ssrc:", std::to_string(local.ssrc), " cname:", local.cname});
}

void write_audio(std::string& text, const Description& description, const MediaSlot& slot) {
  std::string formats;
  for (const Codec& codec : description.codecs)
    formats += " " + std::to_string(codec.payload_type);
  line(text, {"m=", slot.kind, " ", std::to_string(description.local.rtp_port), " ", slot.protocol,
              formats});
  if (!slot.mid.empty()) line(text, {"a=mid:", slot.mid});
  write_codecs(text, description.codecs);
  line(text, {"a=", direction_text(description.direction)});
  if (description.local.profile == Profile::webrtc) {
    write_webrtc(text, description);
    return;
  }
  if (description.rtcp_mux) line(text, {"a=rtcp-mux"});
  for (const Crypto& crypto : description.crypto)
    line(text, {"a=crypto:", write_crypto(crypto)});
}

/// RFC 3264 §6: the line stays in its place, with port 0 and at least one format.
void write_refused(std::string& text, const MediaSlot& slot) {
  std::string formats;
  for (const std::string& format : slot.formats)
    formats += " " + format;
  line(text, {"m=", slot.kind, " 0 ", slot.protocol, formats.empty() ? " 0" : formats});
  if (!slot.mid.empty()) line(text, {"a=mid:", slot.mid});
}

}  // namespace

std::string write_head(const LocalMedia& local, std::uint64_t session_id, std::uint64_t version) {
  std::string text;
  line(text, {"v=0"});
  line(text, {"o=- ", std::to_string(session_id), " ", std::to_string(version), " ",
              network_address(local.address)});
  return text;
}

std::string write_body(const Description& description) {
  std::string text;
  line(text, {"s=-"});
  line(text, {"c=", network_address(description.local.address)});
  line(text, {"t=0 0"});
  if (description.local.profile == Profile::webrtc) line(text, {"a=ice-lite"});
  const auto audio = std::find_if(description.slots.begin(), description.slots.end(),
                                  [](const MediaSlot& slot) { return slot.audio; });
  const bool refused = description.codecs.empty();
  if (description.bundle && !refused && audio != description.slots.end()) {
    line(text, {"a=group:BUNDLE ", audio->mid});
  }
  for (const MediaSlot& slot : description.slots) {
    if (slot.audio && !refused) {
      write_audio(text, description, slot);
    } else {
      write_refused(text, slot);
    }
  }
  return text;
}

}  // namespace trunkline::sdp
