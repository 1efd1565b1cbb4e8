#pragma once
#include "sdp/offer_answer.hpp"

#include <optional>

/// What is read out of a peer's description, and what a leg of a profile demands of it.
namespace trunkline::sdp {

/// The m= line of the session that carries our audio: `preferred` if it can, else the first that
/// can.
Result<std::size_t, Rejection> choose_audio(const Session& session, Profile profile,
                                            std::optional<std::size_t> preferred);

/// What an m= line that carries our audio says. Refused without c= or codecs, and for webrtc
/// without ICE, a fingerprint that we can check, or rtcp-mux.
Result<RemoteMedia, Rejection> read_remote(const Media& media, Profile profile);

/// Compares with what was agreed before and sets `ice_restart` and `new_association`. False when
/// only one of the ICE credentials has changed: that is neither the old session nor a restart.
bool compare_remote(const RemoteMedia& before, RemoteMedia& now);

}  // namespace trunkline::sdp
