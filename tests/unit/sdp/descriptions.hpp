#pragma once
#include "sdp/codec_match.hpp"
#include "sdp/offer_answer.hpp"

#include <algorithm>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

/// Legs and peers' descriptions that the tests of this layer share.
namespace trunkline::sdp {

inline std::string corpus(const std::string& name) {
  std::ifstream file(std::string(TESTS_DIR) + "/corpus/sdp/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline LocalMedia trunk_media() {
  LocalMedia local;
  local.profile = Profile::avp;
  local.address = *IpAddress::parse("203.0.113.7");
  local.rtp_port = 20000;
  local.ssrc = 77;
  local.cname = "cname";
  return local;
}

inline constexpr std::string_view kOurFingerprint = "sha-256 01:23:45:67";

inline LocalMedia browser_media() {
  LocalMedia local;
  local.profile = Profile::webrtc;
  local.address = *IpAddress::parse("203.0.113.7");
  local.rtp_port = 19000;
  local.candidates = {*SocketAddress::parse("203.0.113.7:19000"),
                      *SocketAddress::parse("[2001:db8::7]:19000")};
  local.ice_ufrag = "ourufrag";
  local.ice_pwd = "ourpasswordourpassword24";
  local.fingerprint = kOurFingerprint;
  local.ssrc = 4242;
  local.cname = "ourcname";
  local.msid = "stream track";
  return local;
}

/// A leg with the same chance every time.
inline OfferAnswer leg(LocalMedia local) {
  SeededRandom random(7);
  return OfferAnswer(std::move(local), random);
}
inline OfferAnswer trunk_leg() {
  return leg(trunk_media());
}
inline OfferAnswer browser_leg() {
  return leg(browser_media());
}

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return lines;
}

inline bool has_line(std::string_view text, std::string_view line) {
  const auto lines = lines_of(text);
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

/// The first line that starts so; empty when there is none.
inline std::string line_of(std::string_view text, std::string_view start) {
  for (const std::string& line : lines_of(text)) {
    if (line.substr(0, start.size()) == start) return line;
  }
  return {};
}

/// The version in our o= line.
inline int version_of(std::string_view text) {
  const auto session = parse_session(text);
  EXPECT_TRUE(session) << text;
  return session ? std::stoi(session->origin.session_version) : 0;
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

inline std::string replaced_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at)) {
    text.replace(at, from.size(), to);
    at += to.size();
  }
  return text;
}

/// What a plain phone says: PCMU and events, from 192.0.2.60.
inline std::string phone(std::string_view extra = "", std::string_view address = "192.0.2.60") {
  return "v=0\r\no=phone 9 10 IN IP4 192.0.2.60\r\ns=-\r\nc=IN IP4 " + std::string(address) +
         "\r\nt=0 0\r\nm=audio 7078 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n"
         "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n" +
         std::string(extra);
}

inline constexpr std::string_view kPeerDigest =
    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:"
    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99";

/// What a browser answers to our offer of one line.
inline std::string browser_answer(std::string_view setup = "active",
                                  std::string_view formats = "111 110") {
  return "v=0\r\no=- 3 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
         "m=audio 9 UDP/TLS/RTP/SAVPF " +
         std::string(formats) +
         "\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:peer\r\na=ice-pwd:peerpasswordpeerpassword\r\n"
         "a=fingerprint:sha-256 " +
         std::string(kPeerDigest) + "\r\na=setup:" + std::string(setup) +
         "\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
         "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:0 PCMU/8000\r\n"
         "a=rtpmap:126 telephone-event/8000\r\n";
}

inline Codec codec(std::string_view name, std::uint32_t clock_rate, std::uint8_t channels,
                   int payload_type) {
  return {std::string(name), clock_rate, channels, static_cast<std::uint8_t>(payload_type), ""};
}
inline Codec pcmu() {
  return codec("PCMU", 8000, 1, 0);
}
inline Codec pcma() {
  return codec("PCMA", 8000, 1, 8);
}
inline Codec opus(int payload_type = 111) {
  return codec("opus", 48000, 2, payload_type);
}
inline Codec event(std::uint32_t clock_rate, int payload_type) {
  return codec("telephone-event", clock_rate, 1, payload_type);
}

inline std::vector<int> payload_types(const std::vector<Codec>& codecs) {
  std::vector<int> numbers;
  for (const Codec& one : codecs)
    numbers.push_back(one.payload_type);
  return numbers;
}

}  // namespace trunkline::sdp
