#include "commands.hpp"
#include "connection.hpp"
#include <iostream>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace trunkline::test {
namespace {

using nlohmann::json;

std::string_view kind_text(AgentEvent::Kind kind) {
  switch (kind) {
    case AgentEvent::Kind::registered:
      return "registered";
    case AgentEvent::Kind::register_failed:
      return "register_failed";
    case AgentEvent::Kind::incoming:
      return "incoming";
    case AgentEvent::Kind::ringing:
      return "ringing";
    case AgentEvent::Kind::answered:
      return "answered";
    case AgentEvent::Kind::media:
      return "media";
    case AgentEvent::Kind::ended:
      return "ended";
    case AgentEvent::Kind::failed:
      return "failed";
    case AgentEvent::Kind::digit:
      return "digit";
    case AgentEvent::Kind::held:
      return "held";
    case AgentEvent::Kind::resumed:
      return "resumed";
    case AgentEvent::Kind::restarted:
      return "restarted";
  }
  return {};
}

json event_json(const AgentEvent& event) {
  json out{{"event", kind_text(event.kind)}};
  if (event.call != 0) out["call"] = event.call;
  if (event.status != 0) out["status"] = event.status;
  if (event.kind == AgentEvent::Kind::incoming) out["from"] = event.text;
  if (event.kind == AgentEvent::Kind::media) out["profile"] = event.text;
  if (event.kind == AgentEvent::Kind::digit) out["digit"] = event.text;
  return out;
}

void print(const json& line) {
  std::cout << line.dump() << std::endl;
}

json statistics(const WebCall& call) {
  const auto& received = call.media->received();
  return {{"event", "stats"},
          {"call", call.number},
          {"heard", call.media->tone().heard()},
          {"windows", call.media->tone().windows()},
          {"share", call.media->tone().share()},
          {"rtp", received.rtp},
          {"rtcp", received.rtcp},
          {"sender_reports", received.sender_reports},
          {"receiver_reports", received.receiver_reports},
          {"srtp_errors", received.srtp_errors},
          {"sequence_gaps", received.sequence_gaps},
          {"ssrc_changes", received.ssrc_changes},
          {"ssrc", received.ssrc},
          {"payload_type", received.payload_type},
          {"connected", call.media->dtls_connected()}};
}

class Control {
 public:
  Control(const std::string& url, const UserAgentSettings& settings) : connection_(url, settings) {}

  int run() {
    connection_.watch(STDIN_FILENO, [this] {
      read_input();
      return !done_;
    });
    while (!done_) {
      const bool was_connected = connection_.is_connected();
      connection_.turn(Clock::now() + seconds{1});
      if (was_connected && !connection_.is_connected()) print({{"event", "disconnected"}});
      while (auto event = connection_.agent().take_event())
        print(event_json(*event));
    }
    return 0;
  }

 private:
  void read_input() {
    std::array<char, 4096> buffer{};
    const auto size = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (size <= 0) {
      done_ = true;
      return;
    }
    input_.append(buffer.data(), static_cast<std::size_t>(size));
    for (auto end = input_.find('\n'); end != std::string::npos; end = input_.find('\n')) {
      const auto command = json::parse(input_.substr(0, end), nullptr, false);
      input_.erase(0, end + 1);
      if (command.is_object()) obey(command);
    }
  }

  void obey(const json& command) {
    UserAgent& agent = connection_.agent();
    const std::string verb = command.value("do", "");
    const int call = command.value("call", 0);
    const double tone = command.value("tone", 0.0);
    const TimePoint now = Clock::now();
    if (verb == "quit") done_ = true;
    if (verb == "connect") connect();
    if (verb == "register") agent.register_now(now);
    if (verb == "call")
      agent.call(command.value("to", ""), tone, command.value("listen", 440.0), now);
    if (verb == "answer") agent.answer(call, tone, command.value("listen", 440.0), now);
    if (verb == "reject") agent.reject(call, command.value("status", 486), now);
    if (verb == "hangup") agent.hang_up(call, now);
    if (verb == "hold") agent.hold(call, true, now);
    if (verb == "resume") agent.hold(call, false, now);
    if (verb == "restart") agent.restart_ice(call, now);
    if (verb == "network") agent.change_network(call, command.value("by", "udp") == "tcp");
    if (verb == "checks") agent.pause_checks(call, !command.value("sent", true));
    if (verb == "digit")
      agent.send_digit(call, command.value("digit", "0").at(0), command.value("by", "") == "info",
                       now);
    if (verb == "drop") connection_.drop();
    if (verb == "sweep") agent.sweep();
    if (verb != "stats") return;
    if (const WebCall* found = agent.find(call)) print(statistics(*found));
  }

  void connect() {
    std::string why;
    if (connection_.connect(why)) {
      print({{"event", "connected"}});
    } else {
      print({{"event", "connect_failed"}, {"why", why}});
    }
  }

  Connection connection_;
  std::string input_;
  bool done_ = false;
};

}  // namespace

int run_control(const std::string& url, const UserAgentSettings& settings) {
  return Control(url, settings).run();
}

}  // namespace trunkline::test
