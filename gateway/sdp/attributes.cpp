#include "sdp/attributes.hpp"

#include "sdp/syntax.hpp"

#include <algorithm>
#include <array>

namespace trunkline::sdp {
namespace {

constexpr std::uint32_t kMaxClockRate = 1'000'000;
constexpr std::uint32_t kMaxPacketTime = 1000;  // ms

struct StaticType {
  std::uint8_t payload_type;
  std::string_view name;
  std::uint32_t clock_rate;
  std::uint8_t channels;
};
constexpr std::array<StaticType, 19> kStaticTypes{{
    {0, "PCMU", 8000, 1},  {3, "GSM", 8000, 1},    {4, "G723", 8000, 1},   {5, "DVI4", 8000, 1},
    {6, "DVI4", 16000, 1}, {7, "LPC", 8000, 1},    {8, "PCMA", 8000, 1},   {9, "G722", 8000, 1},
    {10, "L16", 44100, 2}, {11, "L16", 44100, 1},  {12, "QCELP", 8000, 1}, {13, "CN", 8000, 1},
    {14, "MPA", 90000, 1}, {15, "G728", 8000, 1},  {16, "DVI4", 11025, 1}, {17, "DVI4", 22050, 1},
    {18, "G729", 8000, 1}, {25, "CelB", 90000, 1}, {26, "JPEG", 90000, 1},
}};

Setup parse_setup(std::string_view value) {
  if (value == "active") return Setup::active;
  if (value == "passive") return Setup::passive;
  if (value == "actpass") return Setup::actpass;
  if (value == "holdconn") return Setup::holdconn;
  return Setup::none;
}

void keep_packet_time(std::string_view value, std::optional<std::uint32_t>& into) {
  // Some write "20.0"; the part behind the point says nothing.
  const auto time = parse_number<std::uint32_t>(value.substr(0, value.find('.')), kMaxPacketTime);
  if (time && *time > 0) into = time;
}

void read_rtpmap(std::string_view encoding, Codec& codec) {
  const std::size_t slash = encoding.find('/');
  if (slash == std::string_view::npos || !is_token(encoding.substr(0, slash))) return;
  const std::string_view rates = encoding.substr(slash + 1);
  const std::size_t second = rates.find('/');
  const auto clock_rate = parse_number<std::uint32_t>(rates.substr(0, second), kMaxClockRate);
  if (!clock_rate || *clock_rate == 0) return;
  std::optional<std::uint8_t> channels = std::uint8_t{1};
  if (second != std::string_view::npos) {
    channels = parse_number<std::uint8_t>(rates.substr(second + 1), 255);
  }
  if (!channels || *channels == 0) return;
  codec.name = encoding.substr(0, slash);
  codec.clock_rate = *clock_rate;
  codec.channels = *channels;
}

}  // namespace

Codec static_codec(std::uint8_t payload_type) {
  Codec codec;
  codec.payload_type = payload_type;
  const auto* found =
      std::find_if(kStaticTypes.begin(), kStaticTypes.end(),
                   [&](const StaticType& type) { return type.payload_type == payload_type; });
  if (found != kStaticTypes.end()) {
    codec.name = found->name;
    codec.clock_rate = found->clock_rate;
    codec.channels = found->channels;
  }
  return codec;
}

void AttributeReader::read(std::string_view attribute) {
  const std::size_t colon = attribute.find(':');
  if (colon == std::string_view::npos) {
    read_flag(attribute);
    return;
  }
  const std::string_view name = attribute.substr(0, colon);
  std::string_view value = attribute.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  if (!read_transport(name, value)) read_codec(name, value);
}

bool AttributeReader::read_flag(std::string_view name) {
  if (name == "rtcp-mux") {
    media_.rtcp_mux = true;
    return true;
  }
  for (const Direction direction :
       {Direction::sendrecv, Direction::sendonly, Direction::recvonly, Direction::inactive}) {
    if (name == direction_text(direction)) {
      media_.direction = direction;
      return true;
    }
  }
  return false;
}

bool AttributeReader::read_transport(std::string_view name, std::string_view value) {
  if (name == "ice-ufrag") {
    media_.ice_ufrag = is_ice_text(value, 4) ? value : std::string_view{};
  } else if (name == "ice-pwd") {
    media_.ice_pwd = is_ice_text(value, 22) ? value : std::string_view{};
  } else if (name == "ice-options") {
    for (std::string_view option = next_word(value); !option.empty(); option = next_word(value))
      media_.renomination = media_.renomination || option == "renomination";
  } else if (name == "candidate") {
    if (media_.candidates.size() < kMaxCandidates) media_.candidates.emplace_back(value);
  } else if (name == "fingerprint") {
    read_fingerprint(value);
  } else if (name == "setup") {
    media_.setup = parse_setup(value);
  } else if (name == "tls-id") {
    media_.tls_id = value.substr(0, 256);
  } else if (name == "crypto") {
    if (media_.crypto.size() < kMaxCrypto) media_.crypto.emplace_back(value);
  } else if (name == "rtcp") {
    read_rtcp(value);
  } else {
    return false;
  }
  return true;
}

void AttributeReader::read_codec(std::string_view name, std::string_view value) {
  if (name == "mid") {
    if (is_token(value)) media_.mid = value;
  } else if (name == "ptime") {
    keep_packet_time(value, media_.ptime_ms);
  } else if (name == "maxptime") {
    keep_packet_time(value, media_.maxptime_ms);
  } else if (name == "rtpmap") {
    Codec* codec = codec_of(next_word(value));
    if (codec != nullptr) read_rtpmap(next_word(value), *codec);
  } else if (name == "fmtp") {
    Codec* codec = codec_of(next_word(value));
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (codec != nullptr) codec->fmtp = value;
  }
}

void AttributeReader::read_rtcp(std::string_view value) {
  // RFC 3605 §2.1: a port, or a port and an address.
  const auto port = parse_number<std::uint16_t>(next_word(value), 65535);
  if (!port || *port == 0) return;
  media_.rtcp_port = port;
  next_word(value);
  next_word(value);
  media_.rtcp_address = next_word(value);
}

void AttributeReader::read_fingerprint(std::string_view value) {
  const std::string_view hash = next_word(value);
  const std::string_view digest = next_word(value);
  if (!is_token(hash) || !is_fingerprint_value(digest)) return;
  if (!own_fingerprints_) media_.fingerprints.clear();  // RFC 8122 §5: these override the session's
  own_fingerprints_ = true;
  if (media_.fingerprints.size() >= kMaxFingerprints) return;
  media_.fingerprints.emplace_back(lower_case(hash), upper_case(digest));
}

Codec* AttributeReader::codec_of(std::string_view payload_type) {
  const auto number = parse_number<std::uint8_t>(payload_type, 127);
  if (!number) return nullptr;
  const auto found =
      std::find_if(media_.codecs.begin(), media_.codecs.end(),
                   [&](const Codec& codec) { return codec.payload_type == *number; });
  return found == media_.codecs.end() ? nullptr : &*found;
}

}  // namespace trunkline::sdp
