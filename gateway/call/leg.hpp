#pragma once
#include "base/boxed.hpp"
#include "base/ids.hpp"
#include "call/failure.hpp"
#include "call/identity.hpp"
#include "call/leg_media.hpp"
#include "call/node.hpp"
#include "call/redirection.hpp"
#include "sip/dialog.hpp"
#include "sip/digest.hpp"
#include "sip/effects.hpp"
#include "sip/message.hpp"
#include "sip/reliable_provisional.hpp"
#include "sip/session_timer.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::call {

/// Methods that the gateway takes, for Allow.
inline constexpr std::string_view kAllow =
    "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, INFO, UPDATE, NOTIFY, REFER, MESSAGE, SUBSCRIBE, "
    "PUBLISH";
/// Option tags that a request may require of us.
inline constexpr std::string_view kSupported = "timer, 100rel, replaces, norefersub";
/// Those without 100rel: towards a browser - JsSIP has no PRACK, and the connection loses nothing,
/// so that a page that requires it gets it and none is led to it - and in a re-INVITE, which rings
/// nobody.
inline constexpr std::string_view kPlainSupported = "timer, replaces, norefersub";

/// The option tags of a Require that we don't have (RFC 3261 §8.2.2.3), comma-separated; empty when
/// all are known.
std::string unsupported_options(const sip::Message& request);

/// What an INVITE of ours says.
struct Invitation {
  sip::Uri request_uri;
  Presentation caller;
  sip::NameAddress to;
  int max_forwards = 70;
  std::string sdp;
  std::vector<HeaderField> headers;  ///< on top of ours
};

/// One side of a call: its dialog, the transactions in it, its session timer and its media. Makes
/// the requests and responses of this leg; what they mean for the call is decided by `Call`.
class Leg {
 public:
  enum class Kind { browser, trunk };
  enum class State {
    invited,   ///< their INVITE has no final response yet
    inviting,  ///< our INVITE has no final response yet
    answered,  ///< our 2xx waits for its ACK
    confirmed,
    ended
  };
  enum class Purpose { invite, reinvite, refresh, bye, info, refer, notify, carried, prack };

  /// A client transaction of ours that is not over.
  struct Outgoing {
    Purpose purpose = Purpose::invite;
    sip::Message request;
    int challenges = 0;            ///< 401/407 answered for it
    bool interval_raised = false;  ///< a 422 was answered for it
    bool finished = false;         ///< had its final response; kept until the transaction ends
    bool abandoned = false;        ///< an INVITE that went on to another target while it was silent
    bool stray = false;            ///< in a dialog that is not the leg's: it ends it
    sip::Target target{};          ///< where it went
    TimePoint sent_at{};           ///< when; none yet: an answer to it has been timed
  };

  /// One of the early dialogs of our INVITE: each To tag has its own (RFC 3261 §13.2.2, RFC 3262
  /// §4).
  struct Fork {
    std::optional<sip::Dialog> dialog;  ///< nothing while it is `Leg::dialog`
    sip::ReliableOrder order;
    std::string answer;   ///< its last session description
    bool stands = false;  ///< it came reliably: what later responses bear is ignored
  };

  Leg(LegId leg, Kind leg_kind, std::string peer_name)
      : id(leg), kind(leg_kind), peer(std::move(peer_name)) {}

  const LegId id;
  const Kind kind;
  const std::string peer;  ///< user or trunk name
  /// Of a trunk's leg: the trunk as it was configured when the leg began. Null: a browser's.
  std::shared_ptr<Trunk> trunk;
  TrunkPlace place;  ///< on `trunk`, until the leg has ended
  std::string call;  ///< CallView::name of the call that it belongs to
  std::string name;  ///< LegView::id: the leg_id of the API
  State state = State::inviting;
  bool caller = false;  ///< on the `from` side of the call, for as long as it is the call's

  sip::Target target;  ///< flow or trunk address
  std::string local_tag, call_id;
  std::optional<sip::Dialog> dialog;  ///< before a 2xx that of the fork that spoke last
  std::optional<LegMedia> media;
  sip::SessionTimer timer;
  std::map<sip::TransactionId, Outgoing> outgoing;

  // -------- who is at its two ends
  Identity identity;  ///< of the peer, as far as we know it
  /// Of the party on the other side, as the peer may know it: what messages of ours say.
  std::vector<std::string> asserted;
  std::string privacy;
  /// Session-ID (RFC 7989) of the peer, made here if it has none, and of the other party.
  std::string session_uuid, far_session_uuid;
  std::vector<HeaderField> answer_fields;  ///< of the other side's responses, for our next one
  std::vector<HeaderField> bye_fields;     ///< of the BYE that ends the call, for ours

  // -------- their INVITE (caller)
  sip::TransactionId
      invite;  ///< server transaction of the INVITE that awaits a final response or an ACK
  sip::Message invite_request;
  std::string answer_sdp;  ///< our frozen answer: the same in 18x and 2xx (RFC 3261 §13.2.1)
  sip::SessionTimer::Agreement session;    ///< what our 2xx will say of the session timer
  Boxed<sip::ReliableResponses> reliable;  ///< if their INVITE takes them
  bool offered_early = false;      ///< our offer went in one of them: its PRACK brings the answer
  bool bye_waits_for_ack = false;  ///< the callee must not send BYE before the ACK (RFC 3261 §15)
  std::string bye_reason;
  sip::TransactionId unacknowledged;  ///< their re-INVITE whose 2xx has no ACK yet
  sip::TransactionId
      offered_in;  ///< their INVITE whose 2xx bears our offer: its ACK brings the answer
  // -------- our INVITE (callee)
  std::map<std::string, Fork, std::less<>> forks;  ///< by To tag
  std::string answered_by;  ///< the To tag whose description the media follows
  std::uint32_t invite_sequence = 0;
  Redirection redirection;
  /// The trunk's targets that have not been tried yet, and what became of those that were.
  struct Failover {
    std::vector<sip::Target> waiting;
    TimePoint next_at = kNever;  ///< then the present one has been silent for long enough
    Boxed<Failure> best_refusal;
  };
  Failover failover;
  std::vector<std::string> preloaded_route;  ///< Route of our INVITE (RFC 3608 §6.1, RFC 3327 §5.3)
  std::optional<sip::DigestClient> digest;
  std::string replica{};      ///< another one of ours, where the peer of this leg is; empty: none
  bool peer_updates = false;  ///< the peer's Allow lists UPDATE
  bool peer_refers = false;   ///< it may take REFER, as far as it has said
  bool peer_informs = true;   ///< and INFO
  /// Our last REFER while NOTIFYs about it may come: the subscription that it makes (RFC 3515).
  struct Referral {
    std::uint32_t sequence = 0;  ///< its CSeq
    bool needs_id = false;       ///< an earlier one, not known to be over, may be meant without
    bool notified = false;
  };
  std::optional<Referral> referred;
  // -------- REFER of the peer's (RFC 3515)
  /// A NOTIFY that is to be sent: one at a time, so that none overtakes another.
  struct Notice {
    std::uint32_t refer = 0;    ///< CSeq of the REFER that it is about
    std::string line;           ///< the status line that it tells
    std::string_view end = {};  ///< of the subscription: why; empty: it goes on
  };
  struct Reports {
    std::optional<std::uint32_t> first;  ///< the first REFER of the dialog: told of without an id
    std::optional<std::uint32_t> open;   ///< the one whose subscription lives
    TimePoint until = kNever;            ///< and for how long
    std::string told;                    ///< the last line of it
    std::vector<Notice> waiting;
    std::optional<std::uint32_t> sent;  ///< the REFER of the NOTIFY that has no answer yet
    bool pending() const { return sent || !waiting.empty(); }
  } reports;
  /// Our BYE would cut off what a NOTIFY has to tell: it follows the answer to the last one.
  bool bye_waits_for_notify = false;
  /// A sips URI was asked for: every hop is TLS, and our Contact is one too (RFC 3261 §8.1.1.8,
  /// §12.1.1).
  bool secure = false;
  // -------- the flow of a browser
  std::string instance;  ///< +sip.instance of the binding that the leg belongs to
  std::string contact_user;
  /// The contact that the device registered: where a GRUU of ours, which it may give as its
  /// Contact, leads (RFC 5627 §5.2).
  Boxed<sip::Uri> registered;
  TimePoint reconnect_by = kNever;  ///< the flow is gone; end of the grace time

  bool media_gone =
      false;  ///< its consent ran out while the flow was gone: only an ICE restart helps
  TimePoint media_by =
      kNever;  ///< until when that restart, or new media after close_notify, must have come
  bool flowing = false;          ///< the first packet of its peer has come
  TimePoint silent_at = kNever;  ///< when it is asked why none has
  TimePoint judged_by = kNever;  ///< until when that is to be answered

  sdp::Direction peer_direction =
      sdp::Direction::sendrecv;  ///< what the peer last said it is ready for
  /// What it would take if we left it the choice: a peer that is on hold says recvonly and still
  /// wants to speak.
  sdp::Direction peer_wish = sdp::Direction::sendrecv;
  sdp::Direction told =
      sdp::Direction::sendrecv;  ///< our direction in the last description that the peer got

  Phase phase = Phase::no_response;  ///< how far our INVITE had come; of theirs: answered, or not
  bool held = false;  ///< by us, and its peer has agreed: nothing passes to it or from it
  bool told_held = false, told_on_hold = false;  ///< our hold and its own, as last observed
  bool muted_from = false, muted_to = false;
  /// What its worker was last told: the sound that it plays to the peer, how long the peer may be
  /// silent, and where digits are heard. A leg that has moved is told anew.
  struct Told {
    std::size_t worker = 0;
    std::optional<media::StartSound> sound;
    Duration silence{};
    media::DetectDigits digits{};
  };
  Told told_worker;
  std::string srtp_profile;              ///< of its DTLS association; empty: none yet
  std::vector<TimePoint> digits_end_at;  ///< when the events that we send it will be over
  bool informs = false;  ///< it has sent a digit by INFO: its sound is not asked for digits
  char heard_digit = 0;  ///< the last one that was heard in its sound, and when
  TimePoint heard_at{};
  Boxed<Failure> end;              ///< set with its one LegEnded
  TimePoint measured_by = kNever;  ///< until when its worker is to tell what it counted
  std::string silence;             ///< LegQuality::silence
  bool unheard = false;            ///< told already: what we send does not arrive

  /// Our 2xx waits for the PRACK of a provisional response (RFC 3262 §3): for the peer the INVITE
  /// has no final response.
  bool holds_answer() const { return reliable && reliable->holds_success(); }
  /// Both sides of the first offer/answer exchange have come reliably and the INVITE goes on:
  /// UPDATE may offer anew (RFC 3311 §5.1).
  bool settled_early() const;
  /// The early or confirmed dialog with this tag of the peer's; null if there is none.
  sip::Dialog* dialog_with(std::string_view remote_tag);
  /// The dialog that a response to our INVITE belongs to; it is made if need be. Null without a To
  /// tag, and beyond the forks that are told apart.
  sip::Dialog* dialog_of(const sip::Message& request, const sip::Message& response);
  /// `dialog` is the one with this tag from now on.
  void enter(std::string_view remote_tag);
  /// All early dialogs are over: the INVITE goes out anew.
  void leave_forks();
  /// The description that a response to our INVITE brings, after what its fork has said before;
  /// empty if the media need not change.
  std::string answer_in(const sip::Message& response, bool came_reliably);
  /// What the media follows is the fork of `dialog`, which has given its answer reliably.
  void hear_fork(Turn& turn);
  /// PRACK of a reliable provisional response, in its dialog (RFC 3262 §4).
  void send_prack(Turn& turn, sip::Dialog& early, const sip::Message& response);
  /// A response to their INVITE that has no final one yet: reliably where that is asked for.
  void respond_to_invite(Turn& turn, sip::Message response);

  std::string party() const;  ///< "user:alice", "trunk:carrier"
  PeerKind peer_kind() const { return kind == Kind::browser ? PeerKind::webrtc : PeerKind::sip; }
  bool alive() const { return state != State::ended; }
  /// It has come so far, if not farther already.
  void reached(Phase point) { phase = std::max(phase, point); }
  /// Ended, and its last transaction over.
  bool finished() const {
    return state == State::ended && outgoing.empty() && !bye_waits_for_ack && !invite &&
           measured_by == kNever;
  }
  /// The peer's direction as the other leg sees it: our own hold of the one is not told to the
  /// other.
  sdp::Direction shown() const { return held ? peer_wish : peer_direction; }
  /// An offer of ours in this leg.
  std::string offer(const std::vector<sdp::Codec>& codecs, sdp::Direction direction);
  /// Our answer to the open offer of the peer.
  std::string answer(const std::vector<sdp::Codec>& codecs, sdp::Direction direction);
  /// The direction of an offer or answer of the peer's that now holds.
  void heard(sdp::Direction direction);
  /// What `peer_wish` is once the peer says this.
  sdp::Direction wish_after(sdp::Direction direction) const;
  /// The open offer came to nothing.
  void rollback(Turn& turn);
  /// The peer is here again, over this flow.
  void come_back(const sip::Target& over, TimePoint now);
  /// What the trunk's 401 and 407 are answered with, if it has given us a name.
  void take_credentials(Random& random);
  /// Our URI on this leg, for Contact.
  std::string contact(const Node& node) const;

  /// Their INVITE makes this leg, on the caller's side of what it begins.
  void invited_by(Turn& turn, const sip::RequestReceived& event);
  /// The first INVITE of ours to this peer.
  void send_invite(Turn& turn, const Invitation& invitation);
  /// A request inside the dialog.
  sip::TransactionId send(Turn& turn, Purpose purpose, sip::Message request);
  /// Sends the same request again after a 401, 407 or 422 was dealt with: next CSeq, new
  /// transaction.
  sip::TransactionId send_again(Turn& turn, Outgoing again, const sip::Message& because);
  /// The INVITE again, to where a 3xx has sent it. `because`: what the last one came to, or that
  /// one itself.
  void redirect(Turn& turn, Outgoing again, const sip::Uri& uri, const sip::Target& to,
                const sip::Message& because);
  /// The INVITE again, as it was, to another target: a new transaction (RFC 3263 §4.3).
  void try_at(Turn& turn, Outgoing again, const sip::Target& to, const sip::Message& because);
  /// re-INVITE with this description.
  sip::TransactionId send_reinvite(Turn& turn, std::string_view sdp);
  /// Session refresh (RFC 4028 §7.4): UPDATE when the peer takes it, else re-INVITE with the
  /// description unchanged.
  void send_refresh(Turn& turn);
  void send_bye(Turn& turn, std::string_view reason);
  /// REFER inside the dialog (RFC 3515).
  sip::TransactionId send_refer(Turn& turn, const sip::Uri& to);
  // ---- leg_identity.cpp
  /// What messages of ours say of the other party from now on.
  void introduce(const Presentation& other);
  /// Takes the peer's Session-ID, or makes one for a peer that has none.
  void hear_session(Random& random, const sip::Message& message);
  // ---- leg_reports.cpp
  /// A REFER of the peer's was accepted: NOTIFYs tell of it from now on, until then at the latest.
  void begin_reports(std::uint32_t refer, TimePoint until);
  /// What has become of that REFER, if its subscription lives. `over`: the subscription is, for
  /// this reason (RFC 6665 §4.1.3).
  void report(Turn& turn, std::uint32_t refer, std::string line, std::string_view over = {});
  /// The NOTIFY on its way had this final response, 0 for none; the next one follows, or our BYE.
  void report_answered(Turn& turn, int status);
  void ack(Turn& turn, sip::TransactionId transaction, const sip::Dialog& dialog,
           std::uint32_t sequence, std::string_view sdp = {});
  /// ACK and BYE for a 2xx that came too late or from another fork (RFC 3261 §13.2.2.4).
  void refuse_answer(Turn& turn, sip::TransactionId transaction, const sip::Message& response,
                     std::string_view reason);

  /// A response to a request inside this leg, with what each of them carries (Contact, Allow …).
  sip::Message response(const Node& node, const sip::Message& request, int status,
                        std::string_view phrase = {}) const;
  void respond_with_sdp(Turn& turn, sip::TransactionId transaction, const sip::Message& request,
                        int status, std::string_view sdp);
  /// Whether a 2xx to this INVITE or UPDATE settles a session timer.
  bool may_agree_session(const sip::Message& request) const;
  /// Adds Session-Expires and Require to a 2xx and (re)starts the timer.
  void agree_session(Turn& turn, const sip::SessionTimer::Agreement& agreement,
                     sip::Message& response);

  void register_dialog(Node& node);
  void forget(Node& node);

 private:
  /// Shows another node of ours that the request is from this one.
  void vouch(const Turn& turn, sip::Message& request) const;
  /// Where a request of this dialog goes; without one, where the INVITE does.
  sip::Target next_target(const Node& node, const sip::Dialog* of, const sip::Target& base) const;
  std::string_view supported() const {
    return kind == Kind::browser ? kPlainSupported : kSupported;
  }
  void send_report(Turn& turn);
  /// Session-ID, and who the other party is, where the message may say so.
  void identify(sip::Message& message, sip::Method method) const;
  void aim_at_device(const Node& node, sip::Message& request) const;
  sip::Message reinvite(Turn& turn, std::string_view sdp);
  void add_session_request(sip::Message& request) const;
  /// The codecs that a description of ours may have.
  std::vector<sdp::Codec> described(std::vector<sdp::Codec> codecs) const;

  sdp::Direction agreed_told_ = sdp::Direction::sendrecv;
};

/// Whether the sender of an INVITE or of its 2xx may take a method: one that lists no methods has
/// told nothing (RFC 3261 §20.5).
bool may_take(const sip::Message& message, std::string_view method);
/// The Warning of a 488 for want of a common codec (RFC 3261 §20.43); `agent` is who says so.
std::string incompatible_format(std::string_view agent);
/// The Warning of a 488 that is our own.
std::string warning_of(const Failure& failure, std::string_view agent);
/// The session description in a message; empty when it has none.
std::string_view sdp_of(const sip::Message& message);
/// Why the body of an INVITE, UPDATE or PRACK can't be taken: 400, 415; 0: it can (RFC 3261 §8.2.3,
/// RFC 5621 §5.2).
int body_refusal(const sip::Message& request);
/// What a 415 says of what would be taken (RFC 3261 §21.4.13); nothing on others.
void add_accepted_bodies(sip::Message& refusal);

}  // namespace trunkline::call
