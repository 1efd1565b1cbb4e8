#include "commands.hpp"
#include "connection.hpp"
#include <iostream>
#include <sstream>

namespace trunkline::test {
namespace {

constexpr double kOurTone = 1000, kFarTone = 440;  // Hz
constexpr std::uint64_t kWindows = 10;             // of 100 ms: a second of sound
constexpr Duration kPatience = seconds{20};

class Check {
 public:
  Check(const std::string& url, const UserAgentSettings& settings) : connection_(url, settings) {}

  int run(const CheckSettings& check) {
    std::ostringstream report;
    const bool ok =
        connect() &&
        call(check.dial, kOurTone, kOurTone, "our tone, back from the far end", report) &&
        call(check.tone_from_far, 0, kFarTone, "the far end's tone", report);
    if (ok) {
      std::cout << "ok: " << report.str() << std::endl;
    } else {
      std::cout << "failed: " << why_ << std::endl;
    }
    return ok ? 0 : 1;
  }

 private:
  bool connect() {
    if (!connection_.connect(why_)) return false;
    connection_.agent().register_now(Clock::now());
    return await(AgentEvent::Kind::registered, "registration");
  }

  bool call(const std::string& number, double tone, double listen, std::string_view what,
            std::ostringstream& report) {
    const TimePoint began = Clock::now();
    const int call = connection_.agent().call(number, tone, listen, began);
    if (!await(AgentEvent::Kind::answered, "an answer from " + number)) return false;
    if (!await(AgentEvent::Kind::media, "ICE and DTLS with the gateway")) return false;
    const auto setup = std::chrono::duration_cast<milliseconds>(Clock::now() - began).count();
    const BrowserMedia& media = *connection_.agent().find(call)->media;
    const TimePoint until = Clock::now() + kPatience;
    while (media.tone().heard() < kWindows && Clock::now() < until)
      connection_.turn(until);
    if (media.tone().heard() < kWindows) {
      std::ostringstream why;
      why << "did not hear " << what << " (" << listen << " Hz) on the call to " << number << ": "
          << media.received().rtp << " packets came, " << media.received().srtp_errors
          << " could not be decrypted";
      why_ = why.str();
      return false;
    }
    report << (report.str().empty() ? "" : "; ") << "heard " << what << " (" << listen
           << " Hz) on the call to " << number << ", set up in " << setup << " ms with "
           << media.srtp_profile();
    connection_.agent().hang_up(call, Clock::now());
    connection_.turn(Clock::now() + milliseconds{300});
    return true;
  }

  bool await(AgentEvent::Kind kind, const std::string& what) {
    const TimePoint until = Clock::now() + kPatience;
    while (Clock::now() < until) {
      while (const auto event = connection_.agent().take_event()) {
        if (event->kind == kind) return true;
        const bool refused = event->kind == AgentEvent::Kind::failed ||
                             event->kind == AgentEvent::Kind::register_failed;
        if (refused) {
          why_ = "waiting for " + what + ", got SIP " + std::to_string(event->status);
          return false;
        }
      }
      if (!connection_.is_connected()) {
        why_ = "the gateway closed the WebSocket";
        return false;
      }
      connection_.turn(until);
    }
    why_ = "waited in vain for " + what;
    return false;
  }

  Connection connection_;
  std::string why_;
};

}  // namespace

int run_check(const std::string& url, const UserAgentSettings& settings,
              const CheckSettings& check) {
  return Check(url, settings).run(check);
}

}  // namespace trunkline::test
