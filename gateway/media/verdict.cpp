#include "media/verdict.hpp"

namespace trunkline::media {
namespace {

Silence why_browser_silent(const ReceivingFacts& facts) {
  if (!facts.connected)
    return facts.checked ? Silence::ice_checks_refused : Silence::browser_sent_no_ice_checks;
  if (!facts.keys) {
    return facts.handshake_begun ? Silence::dtls_not_finished : Silence::browser_never_started_dtls;
  }
  return Silence::browser_sends_nothing;
}

}  // namespace

Silence why_silent(const ReceivingFacts& facts) {
  if (facts.failed) return Silence::transport_failed;
  if (facts.unsealed > 0) return Silence::srtp_auth_failing;
  if (facts.unknown_payload > 0) return Silence::unknown_payload_type;
  const bool browser = facts.leg == LegKind::webrtc;
  if (browser && !facts.keys) return why_browser_silent(facts);
  if (facts.from_others > 0) return Silence::wrong_source_address;
  if (facts.malformed > 0) return Silence::malformed_media;
  if (browser) return why_browser_silent(facts);
  return facts.described ? Silence::trunk_sends_nothing : Silence::peer_address_unknown;
}

bool Hearing::reported(const std::uint32_t* highest, std::uint64_t sent, bool always) {
  if (highest == nullptr && !always) return false;
  const bool heard = highest != nullptr && (!known_ || *highest != highest_);
  if (heard) {
    highest_ = *highest;
    known_ = true;
    deaf_ = doubted_ = false;
    sent_then_ = sent;
    return false;
  }
  if (deaf_ || sent - sent_then_ < kUnheard) return false;
  sent_then_ = sent;
  deaf_ = doubted_;
  doubted_ = true;
  return deaf_;
}

}  // namespace trunkline::media
