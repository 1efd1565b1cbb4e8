#pragma once

#include "base/random.hpp"
#include "call/registrar.hpp"
#include "sip/parser.hpp"

#include <gmock/gmock.h>
#include <variant>

/// A registrar, its clock, and requests as the parser delivers them.
namespace trunkline::call {

using sip::HeaderName;

inline const std::string kJsSip =
    "<sip:k3v8@a1b2.invalid;transport=ws;ob>;+sip.instance=\"<urn:uuid:1>\";reg-id=1";
inline const std::string kSipJs = "<sip:q9x7@c3d4.invalid;transport=ws>";

class RegistrarTest : public testing::Test {
 protected:
  using Kind = RegistrationChanged::Kind;

  struct Register {
    std::vector<std::string> contacts = {};
    std::string call_id = "call-1";
    std::uint32_t cseq = 1;
    std::string expires = {};
    FlowId flow{1};
    std::string user = "alice";
    std::string extra = {};
  };

  /// A request as the parser delivers it.
  static sip::Message message(const Register& what) {
    std::string text =
        "REGISTER sip:example.test SIP/2.0\r\n"
        "Via: SIP/2.0/WS a1b2.invalid;branch=z9hG4bK1\r\n"
        "From: <sip:" +
        what.user +
        "@example.test>;tag=f\r\n"
        "To: <sip:" +
        what.user +
        "@example.test>\r\n"
        "Call-ID: " +
        what.call_id +
        "\r\n"
        "CSeq: " +
        std::to_string(what.cseq) +
        " REGISTER\r\n"
        "User-Agent: JsSIP 3.13.8\r\n";
    for (const std::string& contact : what.contacts)
      text += "Contact: " + contact + "\r\n";
    if (!what.expires.empty()) text += "Expires: " + what.expires + "\r\n";
    text += what.extra + "Content-Length: 0\r\n\r\n";
    auto parsed = sip::Parser().parse(text, sip::Framing::websocket);
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : sip::Message::request(sip::Method::register_, "sip:unparsable");
  }

  sip::Message send(const Register& what) {
    observations_.clear();
    const sip::Target source{sip::Transport::ws, *SocketAddress::parse("192.0.2.9:4000"),
                             what.flow};
    return registrar_.receive(message(what), what.user, source, moment_, "to-tag", observations_);
  }
  static std::vector<std::string> contacts(const sip::Message& response) {
    std::vector<std::string> values;
    for (const auto value : response.headers(HeaderName::contact))
      values.emplace_back(value);
    return values;
  }
  std::vector<std::string> found(std::string_view user = "alice") const {
    std::vector<std::string> users;
    for (const Binding& binding : registrar_.find(user, moment_.now))
      users.push_back(binding.contact.uri.user);
    return users;
  }
  std::vector<Kind> kinds() const {
    std::vector<Kind> result;
    for (const Observation& one : observations_)
      result.push_back(std::get<RegistrationChanged>(one).kind);
    return result;
  }
  void pass(Duration time) {
    moment_.now += time;
    moment_.wall += std::chrono::duration_cast<std::chrono::system_clock::duration>(time);
  }
  void expire() {
    observations_.clear();
    registrar_.on_deadline(moment_.now, observations_);
  }
  void close(FlowId flow) {
    observations_.clear();
    registrar_.flow_closed(flow, observations_);
  }

  SeededRandom random_{1};
  Gruus gruus_{"example.test", random_};
  Registrar registrar_{RegistrarSettings{}, gruus_};
  Moment moment_{TimePoint{seconds{1000}},
                 std::chrono::system_clock::time_point{seconds{784111777}}};
  std::vector<Observation> observations_;
};

}  // namespace trunkline::call
