#include "description.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace trunkline::simulator {
namespace {

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string upper(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return made;
}

bool is_event(std::string_view codec) {
  return codec.starts_with("TELEPHONE-EVENT");
}

bool sends(std::string_view direction) {
  return direction == "sendrecv" || direction == "sendonly";
}
bool receives(std::string_view direction) {
  return direction == "sendrecv" || direction == "recvonly";
}

void read_attribute(std::string_view line, Description& into) {
  if (line == "sendrecv" || line == "sendonly" || line == "recvonly" || line == "inactive") {
    into.direction = line;
  } else if (line.starts_with("rtpmap:")) {
    const auto parts = words(line.substr(7));
    if (parts.size() < 2) return;
    std::string name = upper(parts[1]);
    // One channel may be left out (RFC 8866 §6.6).
    if (name.ends_with("/1")) name.resize(name.size() - 2);
    into.codecs[static_cast<int>(number(parts[0]))] = std::move(name);
  } else if (line.starts_with("setup:")) {
    into.setup = line.substr(6);
  } else if (line.starts_with("ice-ufrag:")) {
    into.ufrag = line.substr(10);
  }
}

}  // namespace

std::optional<Description> Description::read(std::string_view text) {
  Description made;
  bool origin_seen = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() < 2 || line[1] != '=') return std::nullopt;
    const std::string_view value = line.substr(2);
    if (line[0] == 'o') {
      const auto parts = words(value);
      if (parts.size() != 6) return std::nullopt;
      made.version = number(parts[2]);
      for (const std::size_t index : {0U, 1U, 3U, 4U, 5U})
        made.origin.append(parts[index]).append(" ");
      origin_seen = true;
    } else if (line[0] == 'm') {
      made.lines.emplace_back(value);
      const auto parts = words(value);
      if (made.lines.size() > 1 || parts.size() < 4) continue;
      made.transport = parts[2];
      for (std::size_t index = 3; index < parts.size(); ++index)
        made.payloads.push_back(static_cast<int>(number(parts[index])));
    } else if (line[0] == 'a' && made.lines.size() <= 1) {
      read_attribute(value, made);
    }
  }
  if (!origin_seen || made.lines.empty()) return std::nullopt;
  return made;
}

std::string Description::formats() const {
  std::string text;
  for (const int payload : payloads)
    text += (text.empty() ? "" : " ") + std::to_string(payload);
  return text;
}

std::string Description::codec(int payload) const {
  if (const auto found = codecs.find(payload); found != codecs.end()) return found->second;
  switch (payload) {
    case 0:
      return "PCMU/8000";
    case 8:
      return "PCMA/8000";
    case 9:
      return "G722/8000";
    default:
      return {};
  }
}

bool direction_fits(std::string_view offered, std::string_view answered) {
  return (sends(offered) || !receives(answered)) && (receives(offered) || !sends(answered));
}

std::string Speaker::offer(std::string_view wish) {
  return say(style_.codecs, wish, "actpass");
}

std::optional<std::string> Speaker::answer(const Description& offer, std::string_view wish) {
  std::vector<std::pair<int, std::string>> agreed;
  bool audio = false;
  for (const int payload : offer.payloads) {
    const std::string name = offer.codec(payload);
    const bool known = std::any_of(style_.codecs.begin(), style_.codecs.end(),
                                   [&](const auto& own) { return upper(own.second) == name; });
    if (!known) continue;
    agreed.emplace_back(payload, name);
    audio |= !is_event(name);
  }
  if (!audio) return std::nullopt;
  const bool send = sends(wish) && receives(offer.direction);
  const bool receive = receives(wish) && sends(offer.direction);
  return say(agreed,
             send ? (receive ? "sendrecv" : "sendonly") : (receive ? "recvonly" : "inactive"),
             "active");
}

std::string Speaker::say(const std::vector<std::pair<int, std::string>>& codecs,
                         std::string_view direction, std::string_view setup) {
  std::string text = "s=-\r\nt=0 0\r\nm=audio " + std::to_string(style_.port) +
                     (style_.browser ? " UDP/TLS/RTP/SAVPF" : " RTP/AVP");
  for (const auto& [payload, name] : codecs)
    text += " " + std::to_string(payload);
  text += "\r\nc=IN IP4 " + style_.address + "\r\n";
  for (const auto& [payload, name] : codecs)
    text += "a=rtpmap:" + std::to_string(payload) + " " + name + "\r\n";
  if (style_.browser) {
    text += "a=ice-ufrag:user" + std::to_string(restarts_) +
            "\r\na=ice-pwd:passwordpasswordpassword" + std::to_string(restarts_) +
            "\r\na=fingerprint:sha-256 "
            "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:"
            "CC:DD:EE:FF\r\na=setup:";
    text.append(setup).append("\r\na=mid:0\r\na=rtcp-mux\r\n");
  }
  text.append("a=").append(direction).append("\r\n");
  if (text != said_) {
    ++version_;
    said_ = text;
  }
  return "v=0\r\no=peer 77 " + std::to_string(version_) + " IN IP4 " + style_.address + "\r\n" +
         text;
}

}  // namespace trunkline::simulator
