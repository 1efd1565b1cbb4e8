#pragma once
#include "base/ids.hpp"
#include "call/diversions.hpp"
#include "call/failure.hpp"
#include "call/leg.hpp"
#include "call/node.hpp"
#include "call/observer.hpp"
#include "call/operation.hpp"
#include "call/router.hpp"
#include "media/api.hpp"
#include "sip/effects.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::call {

/// For those who rang and are not needed any more (RFC 3326).
inline constexpr std::string_view kElsewhere = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Of a request that begins here (RFC 3261 §8.1.1.6).
inline constexpr int kMaxForwards = 70;

/// For the media workers' reports.
inline constexpr Duration kReportPatience = seconds{1};
/// So long after the answer it is asked why nothing is heard from a party; with `kReportPatience`
/// that is told three seconds after the answer at the latest.
inline constexpr Duration kSilentAfter = seconds{2};
/// How its media are is looked at this long after the answer, and then every so often.
inline constexpr Duration kFirstSampleAfter = seconds{1}, kSampleInterval = seconds{5};

/// Legs of one call, ended ones included: transfers without end leave no heap of them.
inline constexpr std::size_t kMaxLegs = 32;

/// Whom an INVITE of ours is for, and the leg that it goes out on.
struct Callee {
  Leg* leg = nullptr;
  sip::Uri request_uri;
  sip::NameAddress to;
};

/// A call that the API makes: `from` is called first, then `to`. `from` may be a service: then `to`
/// alone is called, and joined with it.
struct Origination {
  Party from, to;
  std::optional<Duration> ring_timeout, max_duration;
  CallerId caller_id;
  std::vector<HeaderField> headers;
  std::map<std::string, std::string> metadata;
};

/// What the API or the policy service says of a caller counts before what is known of it.
void apply(const CallerId& told, Identity& who);

/// One call: the caller's leg and the legs called for it, of which at most one is joined to it (RFC
/// 7092, a B2BUA that ends signalling and media on both sides). The two dialogs never see each
/// other: what crosses is decided here, verb by verb - connect, re-offer, DTMF, end - in the files
/// of those names. A call lives until its last transaction is over.
class Call {
 public:
  /// `dialled` is what the caller has asked for, `destination` what the router chose for it.
  Call(Turn& turn, CallId id, const Caller& caller, std::string dialled, Destination destination,
       const sip::RequestReceived& invite);
  /// Of the API; nobody has called us.
  Call(Turn& turn, CallId id, Origination origination);

  CallId id() const { return view_.id; }
  const std::string& name() const { return view_.name; }
  /// As it is now.
  const CallView& view();
  /// Ended, every leg's last transaction over: nothing more can happen.
  bool finished() const;
  bool ended() const { return view_.ended.has_value(); }
  /// Somebody is being called, or the policy service asked.
  bool in_setup() const { return !ended() && !view_.answered && !parked_; }
  /// Who asked for it: what the routes look at.
  const Caller& placed_by() const { return placed_by_; }
  /// What the policy service decides about: of the party that is called now.
  const std::string& dialled() const { return calling_first_ ? view_.caller : view_.dialled; }

  /// Takes the INVITE that made the call: answers it, or dials the destination.
  void start(Turn& turn, const sip::RequestReceived& invite);
  /// Calls whom the API named first.
  void start(Turn& turn);

  void receive(Turn& turn, LegId leg, const sip::RequestReceived& event);
  /// A REFER in the dialog. `consult`: the call of `wanted.own`; null without one.
  void refer_received(Turn& turn, LegId leg, const sip::RequestReceived& event,
                      const Referral& wanted, Call* consult);
  /// An INVITE of the same party that takes the place of this leg (RFC 3891).
  void replace(Turn& turn, LegId replaced, const sip::RequestReceived& event, bool early_only);
  void receive(Turn& turn, LegId leg, const sip::AckReceived& event);
  void receive(Turn& turn, LegId leg, const sip::CancelReceived& event);
  void receive(Turn& turn, LegId leg, const sip::ResponseReceived& event);
  void receive(Turn& turn, LegId leg, const sip::RequestFailed& event);
  void receive(Turn& turn, LegId leg, const sip::AckMissing& event);
  void receive(Turn& turn, LegId leg, const sip::TransactionEnded& event);
  void receive(Turn& turn, const media::Event& event);
  /// A connection is gone: a browser that has no answer yet is lost with it, one in a call gets the
  /// grace time. To a trunk another one is made when there is something to say.
  void flow_closed(Turn& turn, FlowId flow);
  /// A user registered: legs of that user whose flow is gone go on over this one.
  void flow_restored(Turn& turn, const Binding& binding);
  /// Whether a browser's connection is gone and its grace time runs.
  bool waits_for_browser() const;
  /// The same of this user's browser.
  bool waits_for(std::string_view user) const;
  /// Whether a leg that is not over is on this connection.
  bool uses(FlowId flow) const;
  void on_deadline(Turn& turn);
  TimePoint deadline() const;

  /// What the API asks of a call that has not ended; the reply may come later.
  /// AnswerCall, its target found; without one the gateway itself answers.
  void answer_parked(Turn& turn, RequestId id, const std::optional<Party>& target);
  void execute(Turn& turn, RequestId id, const RejectCall& request);
  void execute(Turn& turn, RequestId id, const HangupCall& request);
  void execute(Turn& turn, RequestId id, const HoldCall& request);
  void execute(Turn& turn, RequestId id, const ResumeCall& request);
  void execute(Turn& turn, RequestId id, const MuteCall& request);
  void execute(Turn& turn, RequestId id, const SendDtmf& request);
  void execute(Turn& turn, RequestId id, const TransferCall& request, TransferTarget target);
  void execute(Turn& turn, RequestId id, const AttendedTransfer& request, Call& consult);
  void execute(Turn& turn, RequestId id, const GetStatistics& request);

  /// The policy service has decided: these are called in order, one after the other.
  void route(Turn& turn, std::vector<Party> targets, const CallerId& caller_id,
             const std::vector<HeaderField>& headers);
  void decided(Turn& turn, const Park& park);
  void decided(Turn& turn, const PolicyRejection& rejection);
  void decided(Turn& turn, const PolicyFailed& failed);
  /// The store has said where else the user is.
  void located(Turn& turn, const Locations& found);
  /// It came from this node of ours, which knows the one that it is for.
  void sent_by(const std::string& node) { legs_.front()->replica = node; }

  /// Ends the call on all legs, whatever their state. `except` needs nothing any more (it ended
  /// itself).
  void end(Turn& turn, const Failure& failure, const Leg* except = nullptr);
  /// The leg of another call that an attended transfer waits for, if something has changed since it
  /// was asked for last: then `attend` is due.
  LegId awaits();
  /// Joins the party with that leg, which moves here, and ends `consult`, whose it is (null: it is
  /// no more). False: not yet, or the transfer has failed.
  bool attend(Turn& turn, Call* consult);
  /// Removes all trace of it from the node's tables. Only when finished.
  void forget(Node& node);

  Leg* find(LegId leg);
  /// Takes the failure for the best one if it tells more (RFC 3261 §16.7). `several`: it is that of
  /// one of several devices.
  static void judge(Boxed<Failure>& best, const Failure& failure, bool several);

 private:
  struct Reoffer;
  /// A leg stays on its side: what a transfer connects its party with comes to the other one.
  enum class Side : std::uint8_t { from, to };
  /// What an offer is made for: to pass on the other leg's, or for ends of our own.
  enum class Why : std::uint8_t { passed, align, hold, join };

  // ---- call_originate.cpp
  void call_to(Turn& turn, const Party& party);
  void aim_at(const Party& party);
  void begin_dialling(Turn& turn, const Party& party);
  void party_failed(Turn& turn, const Failure& failure);
  std::vector<sdp::Codec> codecs_for(const Node& node, const Leg& leg) const;
  // ---- call_identity.cpp
  /// Who calls, as the peer of a leg that we call is to see it.
  Identity caller_for(const Node& node, const Leg& leg) const;
  /// What the policy service says of who calls the party that is called now.
  void tell_caller(const CallerId& told);
  static Presentation present_to(const Node& node, const Identity& who, const Leg& to);
  /// What our INVITE on the leg bears beside what is ours: of the API, of the caller's, of those
  /// who have sent the call on.
  std::vector<HeaderField> fields_for(Turn& turn, const Callee& callee);
  /// What a message of the peer's says of who it is; whom it is joined with, or calls, is told by
  /// the next message.
  void hear_party(Turn& turn, Leg& leg, const sip::Message& message);
  Leg* told_of(const Leg& leg);
  /// The fields of a message on one leg that may cross to another.
  static std::vector<HeaderField> crossing(Turn& turn, const sip::Message& message, const Leg& from,
                                           const Leg& to);
  /// Those of a response to our INVITE are for the caller, whose INVITE waits.
  void carry_fields_back(Turn& turn, const Leg& leg, const sip::Message& response);
  /// Somebody else is called instead: a diversion, if it is another number than was dialled.
  /// False: it has been sent on too often.
  bool divert_to(const Party& next, std::string_view reason);
  /// The place that was called has sent the call on, or can't be had: the INVITE says so.
  void divert_by(const Node& node, Leg& leg, const sip::Message* response, int status,
                 const sip::Uri& to, sip::Message& invite);
  /// A transfer's INVITE: the call comes from the party, sent on by who is released.
  std::vector<HeaderField> fields_of_transfer(const Node& node, const Callee& callee,
                                              const Leg& party) const;
  // ---- call_elsewhere.cpp
  /// Asks for the user's bindings on other nodes. False: there is nobody to ask.
  bool look_elsewhere(Turn& turn, const Destination& user);
  void stop_looking(Node& node);
  void nobody_elsewhere(Turn& turn, bool transfer);
  /// A new leg to another node, for all the bindings that it has of the user.
  Callee at_node(Turn& turn, const Location& location, Side side, std::size_t worker);
  // ---- call_policy.cpp
  void ask_policy(Turn& turn);
  void stop_waiting(Node& node);
  // ---- call_callee.cpp
  /// A new leg to a number at the trunk, where it is counted as a call; without media if there is
  /// no port. Or why the trunk can't be called.
  Result<Callee, Failure> at_trunk(Turn& turn, const std::string& trunk, const std::string& number,
                                   Side side, std::size_t worker);
  /// Those of a user's devices that are registered, or the one that is meant.
  std::vector<Binding> devices(Turn& turn, const Destination& user) const;
  /// A new leg to one device of a user's.
  Callee at_device(Turn& turn, const Binding& binding, const std::string& user, Side side,
                   std::size_t worker);
  /// Those who still ring have been answered elsewhere.
  void cancel_others(Turn& turn);
  /// Media for a leg that has called us. False: there is no port.
  static bool give_media(Turn& turn, Leg& leg, std::size_t worker);
  // ---- call_connect.cpp
  void dial(Turn& turn, const Party& party);
  void dial_trunk(Turn& turn, const Party& party);
  void dial_user(Turn& turn, const Party& party);
  void serve(Side side, const std::string& service);
  void join_service(Turn& turn);
  void connected(Turn& turn);
  bool ring(Turn& turn, const Callee& callee);
  void provisional(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  bool confirm(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void refused(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void branch_failed(Turn& turn, Leg& leg, const Failure& failure);
  bool retry(Turn& turn, Leg& leg, sip::TransactionId transaction, const sip::Message& response);
  bool take_answer(Turn& turn, Leg& leg, std::string_view sdp);
  /// The caller's answer, once it is known what the called leg speaks. False: nothing in common.
  bool agree_with_caller(Turn& turn, const Leg& leg, const std::vector<sdp::Codec>& spoken);
  /// Of those who ring it is this one: the others need ring no longer.
  void choose(Turn& turn, const Leg& leg);
  /// And the call goes on with it, if it and the caller have agreed on something.
  void chosen(Turn& turn, Leg& leg, bool agreed);
  void answer_caller(Turn& turn, const Leg& from);
  void play_service(Turn& turn);
  bool start_caller_media(Turn& turn, const sip::Message& invite);
  void send_provisional(Turn& turn, int status, bool with_sdp);
  std::vector<std::string> allowed_codecs(const Node& node, const Leg& leg) const;
  /// What `leg` may be offered when the other side has `far`, and what is answered to it.
  std::vector<sdp::Codec> codecs_for(const Node& node, const std::vector<sdp::Codec>& far,
                                     const Leg& leg) const;
  std::vector<sdp::Codec> answer_codecs(const Node& node, const Leg& leg,
                                        const std::vector<sdp::Codec>& offered,
                                        const std::vector<sdp::Codec>& agreed) const;
  /// Whether the two could only be joined by a transcoder, and there is none left.
  bool lacks_transcoder(const Node& node, const Leg& one, const Leg& other) const;
  /// Tells the node whether this call is transcoded now.
  void count_transcoded(Node& node, const Leg* one, const Leg* other);
  /// What is allowed and asked for between `leg` and the legs that the call has now.
  sdp::Translation translation_for(const Leg& leg) const;
  std::vector<sdp::Codec> offered_by_caller(const Node& node) const;
  // ---- call_comfort.cpp
  /// Brings what each party hears of ours, how long a trunk may be silent, and where its digits are
  /// heard up to date.
  void comfort(Turn& turn);
  std::optional<media::Sound> sound_for(const Node& node, const Leg& leg) const;
  /// Plays the sound to the leg from now on, or nothing. Only while no service plays.
  void play(Turn& turn, Leg& leg, std::optional<media::Sound> sound);
  void expect_media(Turn& turn, Leg& leg);
  void listen_for_digits(Turn& turn, Leg& leg);
  void silenced(Turn& turn, const media::MediaSilent& event);
  // ---- call_reliable.cpp
  /// Early dialogs and PRACK of a 1xx to our INVITE: the description in it that counts, or nothing
  /// if the response is to be ignored.
  std::optional<std::string> hear_provisional(Turn& turn, Leg& leg,
                                              const sip::ResponseReceived& event);
  void prack(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  /// Answers a PRACK that matches; its description is an answer or an offer.
  void describe_in_prack(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  /// Our offer to a caller that made none; empty if it is not to go into this 1xx.
  std::string early_offer(Turn& turn, Leg& leg, bool wanted);
  void provisional_due(Turn& turn, Leg& leg);
  /// A request of a fork of ours that is not the one that `Leg::dialog` is. False: it has been
  /// dealt with.
  bool enter_fork(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  /// Before the answer: whom the early media of this leg is for or from; null for nobody.
  const Leg* early_partner(const Leg& leg) const;
  // ---- call_redirect.cpp
  /// Sends the INVITE of the leg on to the next contact that a 3xx has named. False: there is none,
  /// and `failure` is what the leg ends with. `response`: null if none came.
  bool redirected(Turn& turn, Leg& leg, const Leg::Outgoing& sent, const sip::Message* response,
                  Failure& failure);
  // ---- call_failover.cpp
  /// Sends the INVITE of the leg to the trunk's next target, if what became of this one allows it.
  /// False: it does not, or there is none, and `failure` is what the leg ends with. `response`:
  /// null if none came.
  bool tried_elsewhere(Turn& turn, Leg& leg, const Leg::Outgoing& sent,
                       const sip::Message* response, Failure& failure);
  /// Sends the INVITE of the leg down another flow of the same device (RFC 5626 §7). False: there
  /// is none.
  bool tried_other_flow(Turn& turn, Leg& leg, const Leg::Outgoing& sent,
                        const sip::Message* response);
  void watch_target(Turn& turn, Leg& leg);
  void target_silent(Turn& turn, Leg& leg);
  /// A response of a target that was given up.
  void heard_late(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  // ---- call_reoffer.cpp
  void reoffered(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  std::optional<int> glare(const Leg& leg, const sip::Message& request) const;
  void offer_in_answer(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void answer_reoffer(Turn& turn, Leg& leg, sip::TransactionId transaction,
                      const sip::Message& request, const sdp::RemoteMedia& offer);
  /// Of the peer's new offer what our answer takes; empty: nothing.
  std::vector<sdp::Codec> codecs_of_answer(const Node& node, const Leg& leg,
                                           const sdp::RemoteMedia& offer) const;
  /// `LegMedia::meet` of an offer in the dialog.
  static std::optional<Failure> meet(Turn& turn, Leg& leg, const sdp::RemoteMedia& offer);
  bool far_leg_must_know(const Node& node, const Leg& leg, const Leg& other,
                         const sdp::RemoteMedia& offer) const;
  void pass_reoffer(Turn& turn, Leg& leg, Leg& other, const sip::RequestReceived& event,
                    const sdp::RemoteMedia& offer);
  std::vector<sdp::Codec> usable_codecs(const Node& node, const Leg& leg,
                                        const std::vector<sdp::Codec>& offered) const;
  void reoffer_answered(Turn& turn, Leg& leg, const sip::Message& response);
  void reoffer_refused(Turn& turn, Leg& leg, const Failure& failure);
  void offer_of_ours(Turn& turn, Leg& leg, const std::string& text, Why why);
  void own_offer_agreed(Turn& turn, Leg& leg, const Reoffer& agreed);
  void own_offer_refused(Turn& turn, Leg& leg, const Reoffer& refused, const Failure& failure);
  /// Our direction in an offer to this leg, if we hold it or not.
  sdp::Direction direction_towards(const Leg& leg, bool held) const;
  /// The 2xx to a refresh by re-INVITE: it bears the answer to a repeated offer.
  void refresh_answered(Turn& turn, Leg& leg, const sip::Message& response);
  void refresh_refused(Turn& turn, Leg& leg, const Leg::Outgoing& sent, int status);
  bool offer_pending(const Leg& leg) const;
  bool may_offer(const Leg& leg) const;
  void align(Turn& turn);
  void align(Turn& turn, Leg& first);
  bool align(Turn& turn, Leg& leg, const Leg& other);
  void end_if_deaf(Turn& turn);
  void failed_in_dialog(Turn& turn, Leg& leg, sip::RequestFailed::Cause cause,
                        sip::TransactionId transaction);
  /// The answer to an offer of ours in a response, which an ACK or a PRACK bears. False: there is
  /// none, and the call has ended.
  bool apply_late_answer(Turn& turn, Leg& leg, const sip::Message& bearer);
  void reroute(Turn& turn);
  void observe_hold(Turn& turn);
  // ---- call_dtmf.cpp
  /// The digits that the API sends there end, if it sends any.
  void stop_digits(Turn& turn, const Leg& leg, std::string why);
  void info(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void digit_from_media(Turn& turn, const media::DigitReceived& event);
  /// Its digits are heard in its sound, if at all: it has no events, nor, as it seems, INFO.
  static bool brings_digits_as_sound(const Node& node, const Leg& leg);
  void send_next_digit(Turn& turn);
  void info_answered(Turn& turn, const sip::Message& response);
  // ---- call_hold.cpp
  void hold(Turn& turn, RequestId id, const LegName& on, bool wanted);
  void offer_hold(Turn& turn);
  void hold_agreed(Turn& turn, Leg& leg);
  void hold_refused(Turn& turn, const Failure& failure, TimePoint again_at);
  static Passage passage(const Leg& from, const Leg& to);
  // ---- call_refer.cpp
  bool would_refer(const Leg& leg, const TransferTarget& target) const;
  static sip::Uri refer_to(Node& node, const Leg& leg, const TransferTarget& target);
  void refer(Turn& turn, Leg& leg);
  void refer_answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void refer_accepted(Turn& turn);
  /// The REFER, which this is or answers, was refused or had no answer.
  static void refer_over(Leg& leg, const sip::Message& refer);
  void refer_failed(Turn& turn, const Failure& failure);
  void notify(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  /// The peer of the leg has taken the call over; `gone` has ended itself.
  void referred(Turn& turn, const Leg& leg, const Leg* gone);
  // ---- call_transfer.cpp
  void prune(Node& node);
  bool dialled_for_transfer(const Leg& leg) const;
  void dial_target(Turn& turn);
  std::optional<Failure> ring_trunk(Turn& turn);
  std::optional<Failure> ring_user(Turn& turn);
  bool ring_target(Turn& turn, const Callee& callee);
  void target_rings(Turn& turn, Leg& leg, const sip::Message& response, std::string_view answer);
  void target_answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void target_failed(Turn& turn, Leg& leg, const Failure& failure);
  void join_target(Turn& turn);
  void begin_joining(Turn& turn);
  /// Whether the two can be joined as they are; if not, the party is asked for what is missing.
  bool agree(Turn& turn, Leg& party, const Leg& target);
  /// The same with the target's service.
  bool agree(Turn& turn, Leg& party);
  bool may_ask(Turn& turn, const Leg& party);
  void ask(Turn& turn, Leg& party, const std::vector<sdp::Codec>& codecs, sdp::Direction direction);
  /// `number`: the target's, where its party alone does not say who it is.
  void join(Turn& turn, Leg& party, Leg& target, const std::string& number);
  void join(Turn& turn, Leg& party, const Destination& service);
  /// Releases whom the party is joined with.
  void part(Turn& turn, Leg& party);
  void release(Turn& turn, Leg& leg);
  void drop_leg(Turn& turn, Leg& leg, const Failure& failure);
  void end_dialled(Turn& turn, const Failure& failure);
  /// The party is joined with whom it was to be.
  void transfer_done(Turn& turn, const TransferOperation& done);
  void transfer_failed(Turn& turn, const Failure& failure);
  void transfer_due(Turn& turn);
  /// The call ends with a transfer under way; its reply comes with those of the others.
  /// `gone`: has ended itself, or can't be reached.
  void transfer_overtaken(Turn& turn, const Failure& end, const Leg* gone);
  // ---- call_referred.cpp
  /// Why a REFER on the leg can't be taken now; 0: it can.
  int refer_refusal(const Leg& leg, const sip::Message& request) const;
  void begin_referred(Turn& turn, const Leg& referrer, std::uint32_t sequence,
                      const Referral& wanted, Call* consult);
  /// How the transfer goes, if a peer has asked for it; from 200 on that is its outcome.
  void tell_referrer(Turn& turn, const TransferOperation& transfer, int status,
                     std::string_view phrase = {});
  /// It has hung up before the outcome: the party waits for the target alone.
  void referrer_left(Turn& turn, Leg& leg, const Failure& failure);
  void subscribe(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  // ---- call_replaces.cpp
  int replace_refusal(const Leg& old, bool early_only) const;
  /// The leg of an INVITE that takes the place of `old`.
  Leg& add_replacement(Turn& turn, const Leg& old, const Leg& party,
                       const sip::RequestReceived& event);
  /// An INVITE that takes the place of one who still rings.
  void pick_up(Turn& turn, const Leg& old, const sip::RequestReceived& event);
  std::optional<Failure> answer_pick_up(Turn& turn, Leg& leg);
  std::optional<Failure> answer_replacement(Turn& turn, Leg& leg, const Leg& party);
  void replacement_acknowledged(Turn& turn, Leg& leg,
                                const Result<sdp::RemoteMedia, sdp::Rejection>& answer);
  // ---- call_carry.cpp
  /// Sends the same request to the partner of the leg, whose answer comes back.
  void carry(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void carried_again(sip::TransactionId before, sip::TransactionId now);
  void carried_answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void carried_failed(Turn& turn, const sip::RequestFailed& event);
  void end_carried(Turn& turn);
  // ---- call_attended.cpp
  void begin_attending(Turn& turn, TransferOperation attended, const Leg& consulted);
  /// Hands a leg over to another call.
  Leg& give(Turn& turn, Leg& leg, Call& to, Side side);
  // ---- call_statistics.cpp
  void media_changed(Turn& turn, const media::Event& event);
  /// Those who are joined now are to be heard.
  void listen(TimePoint now);
  void stays_silent(Turn& turn, Leg& leg);
  void judged(Turn& turn, const media::MediaJudged& verdict);
  /// The party of that leg is silent. `cause`: why; empty if that is not known.
  void tell_silence(Turn& turn, Leg& leg, std::string_view cause);
  void sample(Turn& turn);
  void ask_for_statistics(Turn& turn, StatisticsOperation asked);
  void statistics_reported(Turn& turn, const media::StatisticsReported& report);
  void reply_statistics(Turn& turn);
  void leg_measured(Turn& turn, const media::LegClosed& closed);
  /// Legs of which nothing was told in time are waited for no longer.
  void measured_no_longer(Turn& turn);
  /// Tells what all legs have counted, once the call has ended and all of them have told.
  void tell_measured(Turn& turn);
  // ---- call_control.cpp
  Leg* named(std::string_view name);
  /// The request comes to nothing; the call goes on as it was.
  static void fail(Turn& turn, RequestId id, Failure failure);
  /// The leg that a request means, if it is one of the two (or the one) that are joined in an
  /// answered call; else the request is refused.
  Leg* addressed(Turn& turn, RequestId id, const LegName& on);
  void operations_due(Turn& turn);
  TimePoint operations_deadline() const;
  /// The call has ended: what still waits for a reply gets it.
  void end_operations(Turn& turn);
  // ---- call_view.cpp
  LegView view_of(const Leg& leg) const;
  LegView view_of_service() const;
  CallState state() const;
  Phase phase() const;
  void leg_ended(Turn& turn, Leg& leg, const Failure& failure);
  void service_ended(Turn& turn, const Failure& failure);
  // ---- call_end.cpp
  void bye(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void end_leg(Turn& turn, Leg& leg, const Failure& failure, const std::string& reason);
  void cancel_leg(Turn& turn, Leg& leg, std::string_view reason);
  void cancel_requests(Turn& turn, const Leg& leg, std::string_view reason);
  void refuse_reoffer(Turn& turn, int status, std::string_view phrase);
  void lost(Turn& turn, Leg& leg, EndReason reason);

  Leg& add_leg(Turn& turn, Leg::Kind kind, const std::string& peer, Side side);
  Leg& take_in(Node& node, std::unique_ptr<Leg> leg, Side side);
  static std::string_view side_name(Side side) { return side == Side::from ? "from" : "to"; }
  /// Of the legs of a side: "to", "to-2", "to-3" … Never the same twice.
  std::string next_name(Side side);
  Side dialled_side() const { return calling_first_ ? Side::from : Side::to; }
  static Side opposite(const Leg& leg) { return leg.caller ? Side::to : Side::from; }
  /// The leg on the `from` side; with a service there, the one that is joined with it.
  Leg& caller() { return *find(from_); }
  const Leg& caller() const { return const_cast<Call*>(this)->caller(); }
  /// The caller's INVITE has no final response yet.
  bool caller_waits() const { return !legs_.empty() && caller().state == Leg::State::invited; }
  /// A service of the gateway is one of the two parties.
  bool serving() const { return service_ && !service_->end; }
  /// The leg joined with this one; null before the answer and for a service.
  Leg* partner(const Leg& leg);
  const Leg* partner(const Leg& leg) const { return const_cast<Call*>(this)->partner(leg); }
  /// One of the two legs that hear each other, or the one that a service has.
  bool joined(const Leg& leg) const {
    return leg.alive() && (leg.id == from_ || leg.id == winner_);
  }
  std::vector<std::string> service_codecs(const Node& node, const Leg& leg,
                                          const std::string& service) const;
  /// Of the service that the call is with.
  std::vector<std::string> service_codecs(const Node& node, const Leg& leg) const {
    return service_codecs(node, leg, serving() ? service_->name : std::string{});
  }
  void request_in_dialog(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void final_response(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  /// Takes the time, and the outcome, of an answer to a request of ours; 0: there is none.
  static void count_answer(Turn& turn, const Leg& leg, Leg::Outgoing& sent, int status);
  void leg_due(Turn& turn, Leg& leg);

  /// A re-INVITE or UPDATE with an offer that waits for the other leg's answer. Without `from`: an
  /// offer of our own.
  struct Reoffer {
    LegId from, to;
    sip::TransactionId server, client;
    sip::Message request;
    sdp::RemoteMedia offer;
    TimePoint give_up_at = kNever;
    Why why = Why::passed;
  };

  /// A request in one dialog that was sent on in the other.
  struct Carried {
    LegId from;
    sip::TransactionId server;
    sip::Message request;
  };

  /// A party that is the gateway itself.
  struct Service {
    std::string name;  ///< "echo", "tone", "play", "silence"
    Side side = Side::to;
    std::string leg;  ///< LegView::id
    LegId after;      ///< the last leg before it; none: it is the first
    std::optional<Failure> end;
  };

  CallView view_;
  Destination destination_;  ///< of the `to` side
  std::size_t worker_ = 0;
  std::optional<std::size_t> transcoded_on_;   ///< the worker that counts the call as transcoded
  std::vector<std::unique_ptr<Leg>> legs_;     ///< the caller's first
  std::size_t from_names_ = 0, to_names_ = 0;  ///< given so far
  LegId from_;    ///< the caller's; of several rung the one that answered
  LegId winner_;  ///< the called leg that answered; both after a transfer those of now
  LegId early_;   ///< the called leg whose early media plays
  Boxed<Service> service_;
  std::optional<sdp::RemoteMedia> caller_offer_;  ///< nothing: the INVITE came without an offer
  bool secure_ = false;  ///< the caller asked for a sips URI: who is called is reached by TLS
  bool held_ = false;
  int last_provisional_ = 0;
  Boxed<Failure> best_refusal_;  ///< of those that are rung now
  Boxed<Failure> best_attempt_;  ///< of the targets tried
  // ---- whom we call
  Boxed<Origination> origin_;  ///< nothing: somebody called us
  Caller placed_by_{Caller::Kind::api, {}};
  bool calling_first_ = false;  ///< `from` of the origination is being rung
  std::size_t attempt_ = 0;     ///< the first leg of those that are rung now
  std::vector<Party> targets_;  ///< still to be tried, in order
  Identity shown_;              ///< the caller, as a callee sees it
  CallerId first_shown_;        ///< what the first party sees, if it was said
  Diversions diversions_;       ///< those who have sent the call on so far
  std::vector<HeaderField> headers_,
      first_headers_;  ///< for INVITEs to the `to` side, to the first
  int forwards_ = 70;  ///< Max-Forwards of our INVITEs
  Duration ring_timeout_{};
  TimePoint end_at_ = kNever;
  // ---- somebody else decides
  QuestionId question_;  ///< the policy service has yet to answer it
  TimePoint policy_until_ = kNever;
  bool parked_ = false;  ///< until AnswerCall or RejectCall
  QuestionId look_up_;   ///< the store has yet to answer it
  TimePoint look_up_until_ = kNever;
  Destination sought_{};  ///< whom it is about
  Boxed<Reoffer> reoffer_;
  TimePoint ring_until_ = kNever, repeat_provisional_at_ = kNever, align_at_ = kNever;
  std::optional<HoldOperation> holding_;
  Boxed<TransferOperation> transfer_;
  std::optional<DigitsOperation> digits_;
  Boxed<StatisticsOperation> statistics_;
  std::map<sip::TransactionId, Carried> carried_;  ///< by the client transaction
  std::uint64_t statistics_queries_ = 0;
  TimePoint sample_at_ = kNever;
  std::vector<LegQuality> measured_;
  bool told_measured_ = false;
};

}  // namespace trunkline::call
