#include "sdp/attributes.hpp"
#include "sdp/session.hpp"
#include "sdp/syntax.hpp"

#include <algorithm>
#include <bitset>

namespace trunkline::sdp {
namespace {

/// RFC 8866 §9 `connection-field`: the address, without the TTL or count of a multicast group.
std::string_view connection_address(std::string_view value) {
  const std::string_view network = next_word(value);
  const std::string_view family = next_word(value);
  if (!same_without_case(network, "IN")) return {};
  if (!same_without_case(family, "IP4") && !same_without_case(family, "IP6")) return {};
  const std::string_view address = next_word(value);
  return address.substr(0, std::min<std::size_t>(address.find('/'), 255));
}

class SessionParser {
 public:
  Result<Session> parse(std::string_view text);

 private:
  std::optional<Error> read_line(std::string_view line);
  std::optional<Error> open_media(std::string_view value);
  void read_formats(std::string_view value, Media& media);
  void close_media();
  void read_attribute(std::string_view attribute);
  void read_group(std::string_view value);
  void read_origin(std::string_view value);

  Session session_;
  Media inherited_;  ///< what the session level says for every section
  AttributeReader session_attributes_{inherited_};
  std::optional<AttributeReader> media_attributes_;
  bool own_connection_ = false;
  bool version_seen_ = false;
};

Result<Session> SessionParser::parse(std::string_view text) {
  if (text.size() > kMaxText) return fail("session description too long");
  std::size_t lines = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (line.empty()) continue;
    if (++lines > kMaxLines) return fail("too many lines");
    if (line.size() > kMaxLine) return fail("line too long");
    // A bare CR is a line end to some parsers behind us and not to others: no reader may differ.
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
      return fail("control character in a line");
    }
    if (auto error = read_line(line)) return fail(std::move(*error));
  }
  if (!version_seen_) return fail("no v=0");
  close_media();
  return std::move(session_);
}

std::optional<Error> SessionParser::read_line(std::string_view line) {
  // RFC 8866 §5: "x=value" without a space before the sign; other lines are none of ours.
  if (line.size() < 2 || line[1] != '=') return std::nullopt;
  const std::string_view value = line.substr(2);
  switch (line[0]) {
    case 'v':
      if (value != "0") return Error{"unknown version"};
      version_seen_ = true;
      break;
    case 'o':
      read_origin(value);
      break;
    case 'c':
      if (session_.media.empty()) {
        inherited_.connection = connection_address(value);
      } else if (!own_connection_) {  // more of them are layers of a multicast
        session_.media.back().connection = connection_address(value);
        own_connection_ = true;
      }
      break;
    case 'm':
      return open_media(value);
    case 'a':
      read_attribute(value);
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::optional<Error> SessionParser::open_media(std::string_view value) {
  close_media();
  if (session_.media.size() >= kMaxMedia) return Error{"too many m= lines"};
  const std::string_view kind = next_word(value);
  const std::string_view port_text = next_word(value);
  const std::string_view protocol = next_word(value);
  const auto port =
      parse_number<std::uint16_t>(port_text.substr(0, port_text.find('/')), std::uint16_t{65535});
  if (!is_token(kind) || !port || !is_protocol(protocol)) return Error{"malformed m= line"};
  Media& media = session_.media.emplace_back(inherited_);
  media.kind = kind;
  media.port = *port;
  media.protocol = protocol;
  read_formats(value, media);
  own_connection_ = false;
  media_attributes_.emplace(media);
  return std::nullopt;
}

void SessionParser::read_formats(std::string_view value, Media& media) {
  const bool rtp = media.protocol.find("RTP/") != std::string::npos;
  std::bitset<128> seen;
  while (media.formats.size() < kMaxPayloadTypes) {
    const std::string_view format = next_word(value);
    if (format.empty()) break;
    if (!is_token(format)) continue;
    media.formats.emplace_back(format);
    const auto payload_type = parse_number<std::uint8_t>(format, 127);
    if (!rtp || !payload_type || seen[*payload_type]) continue;
    seen.set(*payload_type);
    media.codecs.push_back(static_codec(*payload_type));
  }
}

void SessionParser::close_media() {
  if (session_.media.empty()) return;
  media_attributes_.reset();
  // A dynamic payload type without rtpmap means nothing.
  std::erase_if(session_.media.back().codecs,
                [](const Codec& codec) { return codec.name.empty(); });
}

void SessionParser::read_attribute(std::string_view attribute) {
  if (media_attributes_) return media_attributes_->read(attribute);
  constexpr std::string_view kGroup = "group:";
  if (attribute == "ice-lite") {
    session_.ice_lite = true;
  } else if (attribute.substr(0, kGroup.size()) == kGroup) {
    read_group(attribute.substr(kGroup.size()));
  } else {
    session_attributes_.read(attribute);
  }
}

void SessionParser::read_group(std::string_view value) {
  if (next_word(value) != "BUNDLE" || session_.bundles.size() >= kMaxMedia) return;
  auto& mids = session_.bundles.emplace_back();
  for (auto mid = next_word(value); is_token(mid); mid = next_word(value))
    mids.emplace_back(mid);
}

void SessionParser::read_origin(std::string_view value) {
  session_.origin.user = next_word(value);
  session_.origin.session_id = next_word(value);
  session_.origin.session_version = next_word(value);
  next_word(value);
  next_word(value);
  session_.origin.address = next_word(value);
}

}  // namespace

Result<Session> parse_session(std::string_view text) {
  return SessionParser().parse(text);
}

}  // namespace trunkline::sdp
