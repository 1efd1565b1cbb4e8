#include "sdp/codec_match.hpp"
#include "sdp/offer_answer.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

// Any octets as offer and as answer, on both kinds of leg. What is accepted must lead to a
// description of ours that can be read again and has the same m= lines.
namespace trunkline::sdp {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

OfferAnswer make_leg(Profile profile) {
  LocalMedia local;
  local.profile = profile;
  local.address = *IpAddress::parse("203.0.113.7");
  local.rtp_port = 20000;
  local.candidates = {{local.address, local.rtp_port}};
  local.ice_ufrag = "ourufrag";
  local.ice_pwd = "ourpasswordourpassword24";
  local.fingerprint = "sha-256 01:23";
  local.cname = local.msid = "word";
  SeededRandom random(1);
  return {std::move(local), random};
}

void check_ours(const std::string& text, std::size_t lines) {
  const auto session = parse_session(text);
  require(session.has_value());
  require(session->media.size() == lines);
  std::size_t used = 0;
  for (const Media& media : session->media)
    used += media.port != 0 ? 1 : 0;
  require(used <= 1);
}

void check_offer(std::string_view text, Profile profile) {
  OfferAnswer leg = make_leg(profile);
  const auto remote = leg.receive_offer(text);
  const auto session = parse_session(text);
  if (!remote) {
    require(leg.state() == OfferAnswer::State::stable && !remote.error().detail.empty());
    return;
  }
  require(session.has_value());
  const std::size_t lines = session->media.size();
  require(remote->rtp.empty() || !remote->rtp.ip.is_unspecified());
  check_ours(leg.answer(remote->codecs, Direction::sendrecv), lines);
  require(leg.established() &&
          common(leg.direction(), reversed(remote->direction)) == leg.direction());
  const std::string answered = leg.local_text();
  // The same offer again changes nothing, whether it is answered or taken back.
  const auto again = leg.receive_offer(text);
  require(again.has_value() && !again->ice_restart && !again->new_association);
  leg.rollback();
  require(leg.receive_offer(text).has_value());
  require(leg.answer(remote->codecs, Direction::sendrecv) == answered);
  check_ours(
      leg.offer(codecs_to_offer({"opus", "PCMU", "PCMA", "G722"}, profile), Direction::sendonly),
      lines);
  static_cast<void>(leg.receive_answer(text));
}

void check_answer(std::string_view text, Profile profile) {
  OfferAnswer leg = make_leg(profile);
  leg.offer(codecs_to_offer({"opus", "PCMU", "PCMA", "G722"}, profile), Direction::sendrecv);
  const auto remote = leg.receive_answer(text);
  if (!remote) {
    require(leg.state() == OfferAnswer::State::local_offer && !leg.established());
    leg.rollback();
    return;
  }
  require(!leg.agreed_codecs().empty());
  require(leg.agreed_codecs().size() == leg.receive_codecs().size());
  static_cast<void>(route_codecs(leg.receive_codecs(), leg.agreed_codecs()));
  static_cast<void>(codecs_to_answer(remote->codecs, leg.agreed_codecs()));
}

}  // namespace
}  // namespace trunkline::sdp

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::sdp;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Profile profile : {Profile::webrtc, Profile::avp}) {
    check_offer(text, profile);
    check_answer(text, profile);
  }
  return 0;
}
