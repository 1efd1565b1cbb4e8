#pragma once
#include "sip/digest.hpp"
#include "sip/endpoint.hpp"

#include "agenda.hpp"
#include "dice.hpp"
#include "journal.hpp"
#include "network.hpp"
#include "session.hpp"
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::simulator {

/// How late a person, or a slow peer, may do what comes next.
inline constexpr milliseconds kLate{1500};

/// How a peer behaves, in percent where it is a chance.
struct Habits {
  bool update = true, timer = true, refer = true;
  std::uint32_t session_expires = 0;  ///< that it asks for; 0: none
  std::uint32_t challenges = 0;       ///< INVITEs that must show credentials
  std::uint32_t previews = 30;        ///< 183 with a description
  std::uint32_t forks = 0;            ///< INVITEs that ring at two places
  std::uint32_t refusals = 15, endless = 10, mute = 0;
  std::uint32_t redirects = 0;
  std::uint32_t reliable = 0;   ///< INVITEs with which provisional responses may be reliable
  std::uint32_t transfers = 0;  ///< of what it does in a call
  std::uint32_t forgets_ack = 0, answers_cancelled = 0, ignores_cancel = 0;
};

/// A SIP user agent of the simulation: transactions are run by an endpoint of its own; what it says
/// in them, and whether what it hears makes sense, is decided here.
class Peer : public Station {
 public:
  struct Place {
    Agenda& agenda;
    Journal& journal;
    Network& network;
  };
  Peer(Place place, std::string name, const Habits& habits, Dice dice);

  void received(std::string bytes, const sip::Target& from) override;
  void closed(FlowId flow) override;
  void send_failed(sip::TransactionId) override {}
  TimePoint deadline() const;
  void on_deadline();

  /// Does one thing of all that it can do now.
  virtual void act() = 0;
  /// Begins nothing any more, but goes on with what there is.
  void rest() { resting_ = true; }
  void hang_up_everything();
  /// Is gone, and knows of nothing any more when it comes back.
  void die();

  const std::string& name() const { return name_; }
  Line& line() { return *line_; }
  /// Calls that a death has torn.
  const std::vector<std::string>& torn() const { return torn_; }
  std::size_t live_sessions() const;

 protected:
  enum class Purpose { invite, reinvite, update, bye, prack, refer, notify, other };
  struct Outgoing {
    Purpose purpose = Purpose::other;
    SessionId session = 0;
    sip::Message request;
    int challenges = 0;
  };

  // ---- what kinds of peers differ in
  virtual std::string contact() const = 0;
  virtual Speaker::Style style() = 0;
  /// Where a 302 sends a call.
  virtual std::string redirection() { return contact(); }
  virtual sip::DigestClient* credentials() { return nullptr; }
  /// Whom it may call, and where their names are of.
  virtual const std::vector<std::string>& numbers() const = 0;
  virtual std::string home() const = 0;
  /// True: the request was answered.
  virtual bool challenge(const sip::RequestReceived&) { return false; }
  virtual void response_to_other(const Outgoing&, const sip::Message&) {}
  virtual void connection_lost() {}

  // ---- peer.cpp
  sip::TransactionId send(sip::Message request, Purpose purpose, SessionId session);
  /// The same, with an id that was taken before.
  void send_as(sip::TransactionId id, sip::Message request, Purpose purpose, SessionId session);
  void respond(const sip::RequestReceived& to, sip::Message response);
  void execute(sip::Command command);
  void pump();
  Session& new_session(bool caller);
  Session* find(SessionId id);
  Session* find(const sip::Message& request);
  void complain(const std::string& what, const sip::Message& message);
  void end(Session& session);
  template <class Action>
  void later(Duration delay, SessionId session, Action action) {
    agenda_.after(delay, [this, session, action, life = lives_] {
      Session* found = life == lives_ ? find(session) : nullptr;
      if (found != nullptr && found->live()) action(*found);
      pump();
    });
  }
  bool authorize(const Outgoing& sent, const sip::Message& challenge_response);

  // ---- peer_caller.cpp
  /// `replaces`: the session of ours whose place the new one takes (RFC 3891); null: none.
  void dial(const std::string& request_uri, const std::string& from, const std::string& to,
            const Session* replaces = nullptr);
  /// As this peer calls anybody.
  virtual void call(const std::string& number, const Session* replaces) = 0;
  void cancel(Session& session);
  void invite_answered(Session& session, const Outgoing& sent, const sip::Message& response);
  void take_2xx(Session& session, const sip::Message& response, sip::TransactionId transaction);
  void acknowledge(Session& session, const sip::Message& response, sip::TransactionId transaction);
  // ---- peer_callee.cpp
  void invited(const sip::RequestReceived& event);
  void plan(Session& session);
  void ring(Session& session, int status, bool preview);
  void accept(Session& session);
  void accepted(Session& session, sip::Message success);
  void answer_invite(Session& session, sip::Message response);
  void accept_as_fork(Session& session);
  void repeat_fork(Session& session, const std::string& bytes, Duration interval);
  sip::Message acceptance(Session& session);
  void refuse(Session& session, int status);
  std::string allowed() const;
  void cancelled(const sip::CancelReceived& event);
  void acknowledged(sip::TransactionId transaction, const sip::Message& ack);
  sip::Message response(const Session& session, const sip::Message& request, int status) const;
  // ---- peer_reliable.cpp
  void heard_reliably(Session& session, const sip::Message& response);
  void prack(Session& session, const sip::Message& response, bool offers);
  void prack_answered(Session& session, const Outgoing& sent, const sip::Message& response,
                      sip::TransactionId transaction);
  void pracked(Session& session, const sip::RequestReceived& event);
  void repeat_reliably(Session& session);
  // ---- peer_transfer.cpp
  void refer(Session& session);
  void refer_answered(Session& session, const Outgoing& sent, const sip::Message& response);
  void notified(Session& session, const sip::RequestReceived& event);
  void subscribe(Session& session);
  void replace(Session& session);
  Session* other_session(const Session& than);
  // ---- peer_dialog.cpp
  void in_dialog(const sip::RequestReceived& event);
  void reoffered(Session& session, const sip::RequestReceived& event);
  void answer_offer(Session& session, const sip::RequestReceived& event);
  void referred(Session& session, const sip::RequestReceived& event);
  void notify(Session& session, std::uint32_t refer, int status, bool last);
  void reoffer_answered(Session& session, const Outgoing& sent, const sip::Message& response,
                        sip::TransactionId transaction);
  void hang_up(Session& session);
  void reinvite(Session& session, bool offer);
  void update(Session& session, bool offer);
  void send_info(Session& session);
  /// MESSAGE or OPTIONS.
  void send_plain(Session& session, sip::Method method);
  void refresh(Session& session);
  void agree_session(Session& session, const sip::Message& request, sip::Message& response);
  void ask_session(Session& session, sip::Message& request);
  Session* any_session();
  /// Something in one of its calls.
  void act_in_call();

  const std::string name_;
  Agenda& agenda_;
  Journal& journal_;
  Network& network_;
  Habits habits_;
  Dice dice_;
  SeededRandom random_;
  Line* line_ = nullptr;
  std::unique_ptr<sip::Endpoint> endpoint_;
  std::map<SessionId, std::unique_ptr<Session>> sessions_;
  std::map<sip::TransactionId, Outgoing> outgoing_;
  std::map<sip::TransactionId, sip::RequestReceived> invites_;  ///< theirs, without final response
  std::vector<std::string> torn_;
  bool resting_ = false;
  std::uint64_t lives_ = 0;

 private:
  void handle(const sip::Event& event);
  void handle(const sip::ResponseReceived& event);
  void handle(const sip::RequestFailed& event);
  void start_endpoint();

  std::deque<sip::Event> events_;
  std::uint64_t last_session_ = 0;
  bool pumping_ = false;
};

}  // namespace trunkline::simulator
