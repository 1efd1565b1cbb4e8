#include "io/signalling_loop.hpp"

#include "unit/io/loopback.hpp"
#include <gtest/gtest.h>

namespace trunkline::io {
namespace {

const sip::Target kPeer{sip::Transport::udp, {*IpAddress::parse("192.0.2.1"), 5060}, FlowId{1}};

std::string options(int number) {
  const std::string text = std::to_string(number);
  return "OPTIONS sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + text +
         "\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.test>;tag=1\r\nTo: "
         "<sip:example.test>\r\nCall-ID: " +
         text + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
}

struct RecordingOutput final : SignallingOutput {
  void send(sip::SendBytes order) override {
    sent.push_back(std::move(order));
    if (on_send) on_send();
  }
  void close(const sip::CloseFlow& order) override { closed.push_back(order.flow); }
  void post(call::MediaCommand) override { ++posted; }
  void observe(const call::Observation&) override { ++observed; }
  void reply(call::ControlReply reply) override { replies.push_back(std::move(reply)); }
  void ask(call::AskPolicy question) override { questions.push_back(std::move(question)); }
  void look_up(call::AskLocations question) override { look_ups.push_back(std::move(question)); }
  void settled() override { sent_when_settled.push_back(sent.size()); }

  std::vector<sip::SendBytes> sent;
  std::vector<FlowId> closed;
  std::vector<call::ControlReply> replies;
  std::vector<call::AskPolicy> questions;
  std::vector<call::AskLocations> look_ups;
  int posted = 0, observed = 0;
  std::vector<std::size_t> sent_when_settled;  ///< one entry for each input
  std::function<void()> on_send;
};

class SignallingLoopTest : public ::testing::Test {
 public:
  SignallingLoopTest() {
    call::Settings settings;
    settings.node = "test";
    settings.domain = "example.test";
    call::MediaResources media;
    media.workers.resize(1);
    engine = std::move(*call::Engine::make(settings, media, random));
    loop.attach(*engine);
  }

  SeededRandom random{1};
  Counters counters;
  RecordingOutput output;
  sip::Endpoint endpoint{{}, random};
  std::unique_ptr<call::Engine> engine;
  SignallingLoop loop{endpoint, output, counters};
};

TEST_F(SignallingLoopTest, a_request_of_the_api_gets_the_engines_reply) {
  loop.control(call::RequestId{7}, call::GetNode{});
  ASSERT_EQ(output.replies.size(), 1u);
  EXPECT_EQ(output.replies[0].request, call::RequestId{7});
  const auto* node = std::get_if<call::NodeView>(&output.replies[0].reply);
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->node, "test");
}

TEST_F(SignallingLoopTest, an_answer_to_no_question_is_ignored) {
  loop.answered(call::QuestionId{99}, call::PolicyFailed{"timeout"});
  EXPECT_TRUE(output.sent.empty());
  EXPECT_TRUE(output.replies.empty());
}

TEST_F(SignallingLoopTest, sends_the_answer_to_a_request_where_it_came_from) {
  loop.received(options(1), kPeer);
  ASSERT_EQ(output.sent.size(), 1u);
  EXPECT_EQ(output.sent[0].target.remote, kPeer.remote);
  EXPECT_TRUE(output.sent[0].bytes.starts_with("SIP/2.0 "));
  EXPECT_EQ(output.sent_when_settled, std::vector<std::size_t>{1});
}

TEST_F(SignallingLoopTest, handles_an_input_to_its_end_before_one_that_came_meanwhile) {
  output.on_send = [this] {
    if (output.sent.size() == 1) loop.received(options(2), kPeer);
  };
  loop.received(options(1), kPeer);
  EXPECT_EQ(output.sent_when_settled, (std::vector<std::size_t>{1, 2}));
}

TEST_F(SignallingLoopTest, takes_failures_from_inside_a_send) {
  output.on_send = [this] {
    loop.send_failed(output.sent.back().transaction, sip::Unsent::unreachable);
  };
  loop.received(options(1), kPeer);
  EXPECT_EQ(output.sent_when_settled.size(), 2u);
}

TEST_F(SignallingLoopTest, drops_and_counts_inputs_without_end) {
  constexpr int kTooMany = 70000;
  output.on_send = [this] {
    for (int i = 0; i < kTooMany; ++i)
      loop.send_failed({1}, sip::Unsent::unreachable);
  };
  loop.received(options(1), kPeer);
  const auto dropped = counters.drops[IoDrop::input_queue].get();
  EXPECT_GT(dropped, 0);
  EXPECT_EQ(output.sent_when_settled.size(), 1 + kTooMany - static_cast<std::size_t>(dropped));
}

TEST_F(SignallingLoopTest, answers_a_broken_stream_and_closes_it) {
  const sip::Target stream{sip::Transport::tcp, kPeer.remote, FlowId{5}};
  loop.broken(options(1), sip::ParseErrorReason::content_length, stream);
  EXPECT_EQ(output.closed, std::vector<FlowId>{FlowId{5}});
}

TEST_F(SignallingLoopTest, has_the_deadline_of_what_waits) {
  EXPECT_EQ(loop.deadline(), std::min(endpoint.deadline(), engine->deadline()));
  loop.received(options(1), kPeer);
  EXPECT_NE(loop.deadline(), kNever);
}

TEST_F(SignallingLoopTest, passes_draining_on) {
  loop.drain();
  EXPECT_TRUE(engine->draining());
}

TEST_F(SignallingLoopTest, leaves_an_event_of_an_unknown_leg_alone) {
  loop.media(media::LegClosed{LegId{9}, {}});
  EXPECT_EQ(output.sent_when_settled.size(), 1u);
  EXPECT_EQ(output.posted, 0);
}

}  // namespace
}  // namespace trunkline::io
