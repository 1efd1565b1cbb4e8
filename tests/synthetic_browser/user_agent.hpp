#pragma once
#include "base/random.hpp"
#include "sip/digest.hpp"
#include "sip/endpoint.hpp"

#include "web_call.hpp"
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::test {

struct UserAgentSettings {
  std::string user, password, domain;
  std::string username;  ///< for the digest; empty: `user`
  std::string instance;  ///< +sip.instance; empty: none, as SIP.js does
  int expires = 600;
  BrowserMediaSettings media;  ///< its codec and losses
  bool by_tcp = false;         ///< the network blocks UDP: media by ICE-TCP
};

/// What happened, for whoever drives the user agent.
struct AgentEvent {
  enum class Kind {
    registered,
    register_failed,
    incoming,
    ringing,
    answered,
    media,
    ended,
    failed,
    digit,
    held,
    resumed,
    restarted
  };
  Kind kind{};
  int call = 0, status = 0;
  std::string text;
};

/// A browser's SIP library without a page: registers and calls over one WebSocket. Sans I/O:
/// messages, datagrams and time in; messages and datagrams out.
class UserAgent {
 public:
  UserAgent(UserAgentSettings settings, Random& random);

  void connected(TimePoint now);  ///< a WebSocket is open; a new one replaces the old
  void disconnected(TimePoint now);
  void receive(std::string message, TimePoint now);
  void datagram(int call, ByteView bytes, TimePoint now);
  void on_deadline(TimePoint now);
  TimePoint deadline() const;

  void register_now(TimePoint now);
  /// `tone`: what we send; `listen`: what is measured in what we hear (Hz).
  int call(std::string_view to, double tone, double listen, TimePoint now);
  void answer(int call, double tone, double listen, TimePoint now);
  void reject(int call, int status, TimePoint now);
  /// Cancels, rejects or hangs up, as the call stands.
  void hang_up(int call, TimePoint now);
  void hold(int call, bool held, TimePoint now);
  /// ICE begins anew, by a re-INVITE.
  void restart_ice(int call, TimePoint now);
  /// The call's media have other addresses from now on; nobody is told.
  void change_network(int call, bool by_tcp);
  /// As a browser whose network is gone: no checks, or checks again.
  void pause_checks(int call, bool paused);
  void send_digit(int call, char digit, bool by_info, TimePoint now);

  std::vector<std::string> take_messages();
  struct Datagram {
    int call;
    SocketAddress to;
    bool by_tcp;
    int network;
    std::vector<std::uint8_t> bytes;
  };
  std::vector<Datagram> take_datagrams();
  std::optional<AgentEvent> take_event();
  WebCall* find(int call);
  std::vector<int> calls() const;
  /// Forgets calls that are over.
  void sweep();

 private:
  void execute(sip::Command command, TimePoint now);
  void drain(sip::Effects& effects, TimePoint now);
  void request(const sip::RequestReceived& event, TimePoint now);
  void reoffered(WebCall& call, const sip::RequestReceived& event, TimePoint now);
  void response(const sip::ResponseReceived& event, TimePoint now);
  void invite_answered(WebCall& call, const sip::ResponseReceived& event, TimePoint now);
  void finish(WebCall& call, AgentEvent::Kind kind, int status);
  void respond(const sip::RequestReceived& to, int status, std::string_view sdp, TimePoint now);
  void note_media(WebCall& call, TimePoint now);
  sip::Message new_request(sip::Method method, std::string_view to);
  sip::TransactionId send(sip::Message message, TimePoint now);
  std::string contact() const;
  WebCall* of_dialog(const sip::Message& message);

  UserAgentSettings settings_;
  Random& random_;
  sip::Endpoint endpoint_;
  sip::DigestClient digest_;
  sip::Target gateway_;
  std::string contact_user_, tag_;
  std::uint32_t register_sequence_ = 0;
  std::string register_call_id_;
  std::map<int, std::unique_ptr<WebCall>> calls_;
  std::map<sip::TransactionId, int> transactions_;  ///< call number; 0: REGISTER
  std::map<sip::TransactionId, sip::Message> sent_;
  std::vector<std::string> messages_;
  std::deque<AgentEvent> events_;
  int next_call_ = 1;
  std::uint64_t flow_ = 0;
};

}  // namespace trunkline::test
