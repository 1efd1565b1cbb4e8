#pragma once
#include "sdp/offer_answer.hpp"
#include "sdp/session.hpp"

#include <string>
#include <vector>

/// Codecs across two legs: what to offer on one when the other offered, what to answer on one when
/// the other answered.
namespace trunkline::sdp {

/// A codec that the gateway can pass through, by its configured name: PCMU, PCMA, G722, opus (any
/// case); with the usual payload type and fmtp for this kind of leg. Nothing for a name it doesn't
/// know.
std::optional<Codec> known_codec(std::string_view name, Profile profile);
/// telephone-event with this clock and the usual payload type for this kind of leg (webrtc: 126 and
/// 110, avp: 101 and 110).
Codec telephone_event(std::uint32_t clock_rate, Profile profile);

/// Whether audio of one codec may be made of another.
enum class Translation : std::uint8_t {
  never,
  where_needed,  ///< where two legs share no codec
  to_opus        ///< on a leg whose peer has Opus: whatever the other side speaks
};

/// What to offer on a leg of `profile` when the far leg's peer offered `far`: its audio codecs that
/// are `allowed`, in the order of `allowed`, then telephone-event at each clock of those, and at
/// 8000: where the far side has none, digits cross in another way. No two get the same payload
/// type. Empty when there is no audio codec in common. With translation the other `allowed` codecs
/// follow those in common, as long as the far side has one that we know; `to_opus` puts Opus before
/// them all.
std::vector<Codec> codecs_to_offer(const std::vector<Codec>& far,
                                   const std::vector<std::string>& allowed, Profile profile,
                                   Translation translation = Translation::never);

/// What to offer when nobody has offered yet (a call that we start): all `allowed` and their
/// telephone-events.
std::vector<Codec> codecs_to_offer(const std::vector<std::string>& allowed, Profile profile);

/// What to answer on a leg whose peer offered `offered` when the far leg agreed on `agreed`: the
/// first agreed audio codec that was offered - one only: many carriers mishandle more - then
/// telephone-event at that codec's clock (or 8000) if any was offered. Payload types are those of
/// `offered`. Empty when there is none in common; with translation the first that we know of
/// those `offered` is then taken, and Opus before any other by `to_opus`.
std::vector<Codec> codecs_to_answer(const std::vector<Codec>& offered,
                                    const std::vector<Codec>& agreed,
                                    Translation translation = Translation::never);

/// Whether the gateway itself can make and understand this codec: PCMU, PCMA, G722 or opus.
bool is_translatable(const Codec& codec);

/// One payload type of the receiving leg and what it becomes on the sending leg.
struct CodecRoute {
  Codec from, to;
  bool translated = false;  ///< two codecs: the audio is made anew
};
/// How payload types of a stream are mapped when it is received with `receive` and sent with
/// `send`: same audio codecs to each other, every telephone-event to the one whose clock is that of
/// the audio codec sent (else any). With translation a codec that the sending side does not have
/// becomes the first that it has; by `to_opus` every one does, if that is Opus.
std::vector<CodecRoute> route_codecs(const std::vector<Codec>& receive,
                                     const std::vector<Codec>& send,
                                     Translation translation = Translation::never);

}  // namespace trunkline::sdp
