#pragma once
#include "base/time.hpp"
#include "sip/dialog.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/reliable_provisional.hpp"
#include "sip/session_timer.hpp"

#include "description.hpp"
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace trunkline::simulator {

using SessionId = std::uint64_t;

/// One dialog of a peer's, from its INVITE to its end.
struct Session {
  enum class State {
    calling,   ///< our INVITE has no final response
    ringing,   ///< theirs has none
    answered,  ///< our 2xx waits for its ACK
    confirmed,
    ended
  };

  explicit Session(Speaker::Style style) : speaker(std::move(style)) {}

  SessionId id = 0;
  State state = State::calling;
  bool caller = false;
  std::string call_id, local_tag;
  sip::TransactionId transaction;  ///< of the INVITE that made it
  sip::Message invite;             ///< as it was sent or received
  std::optional<sip::Dialog> dialog;
  Speaker speaker;
  std::string wish = "sendrecv";  ///< the direction that the person wants
  sip::SessionTimer timer;
  bool peer_updates = false;
  bool cancelled = false;  ///< we have given up our INVITE
  bool never_acks = false;
  bool forked = false;  ///< answered past the transaction, as another device behind a proxy
  bool fork_acked = false;
  std::string preview;  ///< the description in a 18x to our INVITE, by the tag that it had
  std::string preview_tag;

  // ---- before the answer (RFC 3262)
  std::optional<sip::ReliableResponses> reliable;  ///< ours to their INVITE
  sip::ReliableOrder order;                        ///< of theirs to ours
  bool asks_reliably = false;                      ///< our INVITE takes them
  bool never_pracks = false;
  bool described_early = false;  ///< to our INVITE a description has come reliably
  bool settled = false;          ///< and our PRACK was taken

  // ---- transfers that we ask for (RFC 3515): each REFER by its CSeq; true: its last NOTIFY came
  std::map<std::uint32_t, bool> referred;

  // ---- offers under way, ours and theirs
  sip::TransactionId own_offer;     ///< our re-INVITE or UPDATE that has no final response
  sip::TransactionId their_offer;   ///< their re-INVITE or UPDATE that has none
  sip::TransactionId their_invite;  ///< their re-INVITE whose 2xx has no ACK yet
  bool offered_in_answer = false;   ///< our 2xx bore an offer

  bool live() const { return state != State::ended; }
  bool established() const { return state == State::confirmed; }
  /// The first offer has its answer before the INVITE has its own (RFC 3311 §5.1).
  bool settled_early() const {
    if (state == State::calling) return settled && !cancelled;
    return state == State::ringing && reliable && reliable->settled();
  }
  /// Nothing of an INVITE is in progress, on either side (RFC 3261 §14.1).
  bool may_offer() const {
    return established() && !own_offer && !their_offer && !their_invite && !never_acks;
  }
  /// The same for an UPDATE.
  bool may_update() const { return may_offer() || (settled_early() && !own_offer && !their_offer); }
};

}  // namespace trunkline::simulator
