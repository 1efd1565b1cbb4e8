#pragma once
#include "base/ids.hpp"
#include "call/failure.hpp"
#include "call/leg.hpp"
#include "call/node.hpp"
#include "call/observer.hpp"
#include "call/router.hpp"
#include "media/api.hpp"
#include "sip/effects.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::call {

/// The Reason values of a message (RFC 3326), those that can be read, as they are carried across;
/// empty without any.
std::string reason_of(const sip::Message& message);

/// One call: the caller's leg and the legs called for it, of which at most one is joined to it (RFC
/// 7092, a B2BUA that ends signalling and media on both sides). The two dialogs never see each
/// other: what crosses is decided here, verb by verb - connect, re-offer, DTMF, end - in the files
/// of those names. A call lives until its last transaction is over.
class Call {
 public:
  /// `destination` is what the router chose; `caller` who asked.
  Call(Turn& turn, CallId id, const Caller& caller, Destination destination,
       const sip::RequestReceived& invite);

  CallId id() const { return view_.id; }
  const CallView& view() const { return view_; }
  /// Ended, every leg's last transaction over: nothing more can happen.
  bool finished() const;
  bool ended() const { return view_.ended.has_value(); }

  /// Takes the INVITE that made the call: answers it, or dials the destination.
  void start(Turn& turn, const sip::RequestReceived& invite);

  void receive(Turn& turn, LegId leg, const sip::RequestReceived& event);
  void receive(Turn& turn, LegId leg, const sip::AckReceived& event);
  void receive(Turn& turn, LegId leg, const sip::CancelReceived& event);
  void receive(Turn& turn, LegId leg, const sip::ResponseReceived& event);
  void receive(Turn& turn, LegId leg, const sip::RequestFailed& event);
  void receive(Turn& turn, LegId leg, const sip::AckMissing& event);
  void receive(Turn& turn, LegId leg, const sip::TransactionEnded& event);
  void receive(Turn& turn, const media::Event& event);
  /// A connection is gone: a caller that has no answer yet, or a trunk, is lost with it; a browser
  /// in a call gets the grace time.
  void flow_closed(Turn& turn, FlowId flow);
  /// A user registered: legs of that user whose flow is gone go on over this one.
  void flow_restored(Turn& turn, const Binding& binding);
  /// Whether a browser's connection is gone and its grace time runs.
  bool waits_for_browser() const;
  void on_deadline(Turn& turn);
  TimePoint deadline() const;

  /// Ends the call on all legs, whatever their state. `except` needs nothing any more (it ended
  /// itself).
  void end(Turn& turn, const Failure& failure, const Leg* except = nullptr);
  /// Removes all trace of it from the node's tables. Only when finished.
  void forget(Node& node);

  Leg* find(LegId leg);

 private:
  // ---- call_connect.cpp
  void dial_trunk(Turn& turn, const sip::Message& invite);
  void dial_user(Turn& turn, const sip::Message& invite);
  void join_service(Turn& turn);
  bool ring(Turn& turn, Leg& leg, const sip::Uri& request_uri, const sip::NameAddress& from,
            const sip::NameAddress& to, int max_forwards);
  void provisional(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void answered(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void refused(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void branch_failed(Turn& turn, Leg& leg, const Failure& failure);
  bool retry(Turn& turn, Leg& leg, sip::TransactionId transaction, const sip::Message& response);
  bool take_answer(Turn& turn, Leg& leg, std::string_view sdp);
  void answer_caller(Turn& turn, const Leg& from);
  void play_service(Turn& turn);
  bool start_caller_media(Turn& turn, const sip::Message& invite);
  void send_provisional(Turn& turn, int status, bool with_sdp);
  std::vector<std::string> allowed_codecs(const Node& node, const Leg& leg) const;
  std::vector<sdp::Codec> offered_by_caller(const Node& node) const;
  // ---- call_reoffer.cpp
  void reoffered(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  std::optional<int> glare(const Leg& leg, const sip::Message& request) const;
  void offer_in_answer(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void answer_reoffer(Turn& turn, Leg& leg, sip::TransactionId transaction,
                      const sip::Message& request, const sdp::RemoteMedia& offer);
  bool far_leg_must_know(const Leg& other, const sdp::RemoteMedia& offer) const;
  void pass_reoffer(Turn& turn, Leg& leg, Leg& other, const sip::RequestReceived& event,
                    const sdp::RemoteMedia& offer);
  std::vector<sdp::Codec> usable_codecs(const Node& node, const Leg& leg,
                                        const std::vector<sdp::Codec>& offered) const;
  void reoffer_answered(Turn& turn, Leg& leg, const sip::Message& response);
  void reoffer_refused(Turn& turn, Leg& leg, int status, std::string_view phrase);
  void refresh_refused(Turn& turn, Leg& leg, const Leg::Outgoing& sent, int status);
  bool offer_pending(const Leg& leg) const;
  bool may_offer(const Leg& leg) const;
  void align(Turn& turn);
  bool align(Turn& turn, Leg& leg, const Leg& other);
  void end_if_deaf(Turn& turn);
  void failed_in_dialog(Turn& turn, Leg& leg, sip::RequestFailed::Cause cause,
                        sip::TransactionId transaction);
  void apply_answer_in_ack(Turn& turn, Leg& leg, const sip::Message& ack);
  void reroute(Turn& turn);
  void observe_hold(Turn& turn);
  // ---- call_dtmf.cpp
  void info(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void digit_from_media(Turn& turn, const media::DigitReceived& event);
  // ---- call_end.cpp
  void bye(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void end_leg(Turn& turn, Leg& leg, const Failure& failure, const std::string& reason);
  void cancel_leg(Turn& turn, Leg& leg, std::string_view reason);
  void cancel_requests(Turn& turn, const Leg& leg, std::string_view reason);
  void refuse_reoffer(Turn& turn, int status, std::string_view phrase);
  void lost(Turn& turn, Leg& leg, EndReason reason);

  Leg& add_leg(Turn& turn, Leg::Kind kind, const std::string& peer);
  Leg& caller() { return *legs_.front(); }
  const Leg& caller() const { return *legs_.front(); }
  /// The leg joined with this one; null before the answer and for a service.
  Leg* partner(const Leg& leg);
  const Leg* partner(const Leg& leg) const { return const_cast<Call*>(this)->partner(leg); }
  std::vector<std::string> service_codecs(const Node& node) const;
  void request_in_dialog(Turn& turn, Leg& leg, const sip::RequestReceived& event);
  void final_response(Turn& turn, Leg& leg, const sip::ResponseReceived& event);
  void leg_due(Turn& turn, Leg& leg);

  /// A re-INVITE or UPDATE with an offer that waits for the other leg's answer. Without `from`: an
  /// offer of our own.
  struct Reoffer {
    LegId from, to;
    sip::TransactionId server, client;
    sip::Message request;
    sdp::RemoteMedia offer;
    TimePoint give_up_at = kNever;
  };

  CallView view_;
  Destination destination_;
  std::size_t worker_ = 0;
  std::vector<std::unique_ptr<Leg>> legs_;        ///< the caller's first
  LegId winner_;                                  ///< the called leg that answered
  LegId early_;                                   ///< the called leg whose early media plays
  std::optional<sdp::RemoteMedia> caller_offer_;  ///< nothing: the INVITE came without an offer
  std::vector<std::string> admitted_;             ///< trunks on which the call takes a place
  bool held_ = false;
  int last_provisional_ = 0;
  std::optional<Failure> best_refusal_;
  std::optional<Reoffer> reoffer_;
  TimePoint ring_until_ = kNever, repeat_provisional_at_ = kNever, align_at_ = kNever;
};

}  // namespace trunkline::call
