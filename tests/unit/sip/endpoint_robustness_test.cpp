#include "endpoint_fixture.hpp"

/// Whatever comes from the network, the endpoint stays within its limits and becomes empty again.
namespace trunkline::sip {
namespace {

using namespace testing;

class EndpointUnderNoise : public EndpointTest, public ::testing::WithParamInterface<Transport> {
 protected:
  /// A well-formed message of some kind, of a few calls whose identifiers collide often.
  std::string pick() {
    static constexpr std::string_view kMethods[] = {"INVITE", "ACK",     "CANCEL",
                                                    "BYE",    "OPTIONS", "NONSENSE"};
    const std::string digit = std::to_string(noise_.below(4));
    const std::string text = request_text(
        kMethods[noise_.below(6)], {.via = "SIP/2.0/UDP h" + digit + ".example.test;branch=" +
                                           (noise_.below(4) == 0 ? "" : "z9hG4bK") + digit,
                                    .to_tag = noise_.below(2) == 0 ? "" : "gateway",
                                    .call_id = "call" + std::to_string(noise_.below(4)),
                                    .cseq = digit});
    if (noise_.below(4) != 0) return text;
    const Message request = parsed(text);
    return answer(request, 100 + static_cast<int>(noise_.below(600))).serialize();
  }
  void damage(std::string& bytes) {
    for (std::uint32_t edits = noise_.below(4); edits > 0 && !bytes.empty(); --edits) {
      const std::size_t at = noise_.below(static_cast<std::uint32_t>(bytes.size()));
      switch (noise_.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(noise_.below(256));
          break;
        case 1:
          bytes.erase(at, noise_.below(40));
          break;
        case 2:
          bytes.insert(at, bytes.substr(at, noise_.below(40)));
          break;
        default:
          bytes.insert(at, "\r\n");
          break;
      }
    }
  }
  /// Answers what needs an answer, as any user must.
  void answer_requests() {
    const std::vector<Event> events = out_.events;
    for (const Event& event : events) {
      const auto* received = std::get_if<RequestReceived>(&event);
      if (received == nullptr) continue;
      const int status = noise_.below(2) == 0 ? 200 : 486;
      execute(Respond{received->transaction, make_response(received->request, status, "gateway")});
    }
  }

  SeededRandom noise_{42};
};

TEST_P(EndpointUnderNoise, StaysWithinItsLimitsAndDrains) {
  const Target source{GetParam(), address("192.0.2.10:5060"), FlowId{5}};
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = pick();
    damage(bytes);
    receive(std::move(bytes), source);
    EXPECT_LE(out_.transmissions.size(), 2u);
    answer_requests();
    if (i % 10 == 0) {
      now_ += milliseconds(noise_.below(500));
      endpoint_.on_deadline(now_, out_);
    }
  }
  EXPECT_GT(metric("trunkline_sip_transactions_active{kind=ist}"), 0);
  run(seconds(64));
  EXPECT_EQ(endpoint_.transactions(), 0u);
  EXPECT_EQ(endpoint_.deadline(), kNever);
  for (const std::string_view kind : {"ict", "nict", "ist", "nist"}) {
    EXPECT_EQ(metric("trunkline_sip_transactions_active{kind=" + std::string(kind) + "}"), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, EndpointUnderNoise,
                         ::testing::Values(Transport::udp, Transport::tcp, Transport::wss));

}  // namespace
}  // namespace trunkline::sip
