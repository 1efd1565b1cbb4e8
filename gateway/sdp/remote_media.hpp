#pragma once
#include "sdp/offer_answer.hpp"

#include <optional>
#include <span>

/// What is read out of a peer's description, and what a leg of a profile demands of it.
namespace trunkline::sdp {

/// What a description must be for us.
struct Expected {
  Profile profile = Profile::avp;
  SrtpPolicy srtp = SrtpPolicy::none;
  std::span<const CryptoSuite> suites;  ///< avp: those that may be agreed
};

/// The m= line of the session that carries our audio: `preferred` if it can, else the first that
/// can; where encryption is wanted but not required, the first with it.
Result<std::size_t, Rejection> choose_audio(const Session& session, const Expected& expected,
                                            std::optional<std::size_t> preferred);

/// What an m= line that carries our audio says. Refused without c= or codecs, and for webrtc
/// without ICE, a fingerprint that we can check, or rtcp-mux.
Result<RemoteMedia, Rejection> read_remote(const Media& media, const Expected& expected);

/// Compares with what was agreed before and sets `ice_restart` and `new_association`. False when
/// only one of the ICE credentials has changed: that is neither the old session nor a restart.
bool compare_remote(const RemoteMedia& before, RemoteMedia& now);

}  // namespace trunkline::sdp
