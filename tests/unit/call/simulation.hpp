#pragma once
#include "base/random.hpp"
#include "call/engine.hpp"
#include "sip/dialog.hpp"
#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// The gateway's signalling core and its peers in one process: real endpoints, a network with a
/// seed, and a clock that is a variable. A test says what the peers do; the simulation carries
/// messages and fires deadlines in order of time.
namespace trunkline::call::simulation {

inline constexpr std::string_view kBrowserOffer =
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 110 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 "
    "0.0.0.0\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
    "a=fingerprint:sha-256 "
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:"
    "FF\r\n"
    "a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
    "a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    "a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";
std::string browser_answer(std::string_view direction = "sendrecv");
std::string browser_offer(std::string_view direction, int version = 3);
/// A trunk's description: PCMU (payload types as given), telephone-event 101.
std::string trunk_sdp(std::string_view direction = "sendrecv", int version = 1,
                      std::string_view codecs = "0 101", std::string_view address = "127.0.0.1");

class World;

/// A SIP user agent of the test's: an endpoint, what it has received, and one dialog per call that
/// it takes part in.
class Peer {
 public:
  Peer(World& world, std::string name, sip::Target self, std::uint64_t seed);

  // ---- what came in, oldest first; each is handed out once
  std::optional<sip::RequestReceived> take_request(sip::Method method);
  std::optional<sip::ResponseReceived> take_response(int at_least = 100,
                                                     sip::TransactionId of = {});
  bool took_ack = false;
  int acks = 0;
  std::vector<sip::Message> acknowledged;  ///< those ACKs
  std::vector<sip::CancelReceived> cancels;
  std::vector<sip::RequestFailed> failures;
  std::deque<sip::RequestReceived> requests;
  std::deque<sip::ResponseReceived> responses;

  // ---- what it does
  sip::TransactionId send(sip::Message request);
  sip::TransactionId invite(std::string_view to_user, std::string_view from_user,
                            std::string_view sdp);
  void respond(const sip::RequestReceived& to, int status, std::string_view sdp = {},
               std::string_view tag = "peer-tag");
  void respond(const sip::RequestReceived& to, sip::Message response);
  void raw(std::string bytes);  ///< octets as they are, past the peer's own transactions
  void cancel(sip::TransactionId invite, std::string_view reason = {});
  /// ACK of a 2xx to our INVITE; makes `dialog`.
  void ack(const sip::ResponseReceived& answer, std::string_view sdp = {});
  /// A request in `dialog`.
  sip::TransactionId send_in_dialog(sip::Method method, std::string_view content_type = {},
                                    std::string_view body = {});
  void close_flow();

  std::optional<sip::Dialog> dialog;
  std::string allow = "INVITE, ACK, BYE, CANCEL, UPDATE, INFO";
  std::string to_parameters;  ///< of the Request-URI of its INVITEs: ";gr=urn:uuid:1"
  std::string contact;        ///< its Contact in INVITE, if it has one of its own
  bool silent = false;        ///< hears and says nothing
  bool closed = false;        ///< its connection is gone: sending there fails
  std::map<sip::TransactionId, sip::Message> sent;
  const std::string name;
  sip::Target self;  ///< as the gateway sees it

 private:
  friend class World;
  void deliver(std::string bytes);
  void drain(sip::Effects& effects);

  World& world_;
  SeededRandom random_;
  sip::Endpoint endpoint_;
};

class World {
 public:
  explicit World(std::uint64_t seed = 1);

  Peer& browser(const std::string& user);  ///< connected, not registered
  Peer& registered(const std::string& user, int expires = 600, std::string_view instance = "i-1");
  Peer& trunk() { return *trunk_; }
  Peer& stranger();
  void register_with(Peer& peer, const std::string& user, int expires, std::string_view instance,
                     std::string_view password = "secret", int status = 200);
  /// Answers a digest challenge to the request of `transaction` with these credentials.
  sip::TransactionId answer_challenge(Peer& peer, sip::TransactionId transaction,
                                      const std::string& user,
                                      std::string_view password = "secret");

  /// Carries everything on the way now, without letting time pass.
  void settle();
  /// Lets this much time pass, firing every deadline on its way.
  void pass(Duration duration);
  /// Everything that may linger has run out: nothing may be left in the gateway.
  void expect_nothing_left();

  void media(media::Event event);
  /// Puts a request of the API; `reply` finds what it got, `expect_nothing_left` that each got one.
  RequestId ask(Request request);
  /// The reply to a request, if it came and is of this kind.
  template <class Kind>
  std::optional<Kind> reply(RequestId request) const {
    const auto found = replies.find(request);
    if (found == replies.end()) return std::nullopt;
    const auto* kind = std::get_if<Kind>(&found->second);
    return kind != nullptr ? std::optional(*kind) : std::nullopt;
  }
  bool replied(RequestId request) const { return replies.contains(request); }
  void answer(QuestionId question, const PolicyAnswer& with);
  void locate(QuestionId look_up, const Locations& found);  ///< the store answers
  /// One more trunk peer, at the address of a trunk in `settings`.
  Peer& other_trunk(std::string_view address);
  template <class Command>
  std::vector<Command> media_commands() const {
    std::vector<Command> found;
    for (const auto& command : media_log) {
      if (const auto* one = std::get_if<Command>(&command)) found.push_back(*one);
    }
    return found;
  }
  template <class Kind>
  std::vector<Kind> observed() const {
    std::vector<Kind> found;
    for (const auto& observation : observations) {
      if (const auto* one = std::get_if<Kind>(&observation)) found.push_back(*one);
    }
    return found;
  }
  std::map<std::string, double> gauges() const;

  std::vector<media::Command> media_log;
  std::vector<std::size_t> media_workers;  ///< to which each of those went
  std::vector<Observation> observations;
  std::map<RequestId, Reply> replies;
  std::vector<AskPolicy> questions;
  std::vector<AskLocations> look_ups;
  TimePoint now{seconds{1000}};
  double loss = 0;  ///< of UDP datagrams
  std::unique_ptr<Engine> engine;
  std::unique_ptr<sip::Endpoint> endpoint;
  Settings settings;
  std::size_t workers = 1;
  std::vector<MediaAddress> media_addresses{
      {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.1")}};
  void restart();      ///< takes changed `settings`, `workers` and `media_addresses`
  void reconfigure();  ///< takes changed `settings` while calls go on
  void drain_engine();
  void end_all();
  void use_ipv6();  ///< signalling and media live in both families
  void use_tcp();   ///< the trunk's signalling goes over one connection

 private:
  void fail_later(sip::TransactionId transaction);
  friend class Peer;
  Moment at() const { return {now, std::chrono::system_clock::time_point{now.time_since_epoch()}}; }
  void run(sip::Effects& effects);
  void run(Effects& effects);
  void to_gateway(std::string bytes, const sip::Target& from);
  TimePoint next_deadline() const;

  SeededRandom random_;
  std::vector<std::unique_ptr<Peer>> peers_;
  Peer* trunk_ = nullptr;
  std::uint64_t next_flow_ = 10, asked_ = 0;
  std::deque<std::function<void()>> wire_;
};

/// How often the end of a leg was told, by the names of its call and of itself.
std::map<std::pair<std::string, std::string>, int> leg_ends(const World& world);

}  // namespace trunkline::call::simulation
