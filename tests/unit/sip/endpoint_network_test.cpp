#include "base/random.hpp"
#include "sip/dialog.hpp"
#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include "transaction_messages.hpp"
#include <functional>
#include <gmock/gmock.h>
#include <map>
#include <optional>
#include <set>

/// Two endpoints back to back over a network that loses, doubles and reorders, replayed from a
/// seed.
namespace trunkline::sip {
namespace {

using namespace testing;
using namespace std::chrono_literals;

/// What happens later: messages on their way and what the two users have in mind.
class Agenda {
 public:
  void at(TimePoint time, std::function<void()> action) {
    actions_.emplace(time, std::move(action));
  }
  TimePoint next() const { return actions_.empty() ? kNever : actions_.begin()->first; }
  void run_first() {
    auto first = actions_.extract(actions_.begin());
    first.mapped()();
  }

 private:
  std::multimap<TimePoint, std::function<void()>> actions_;
};

struct LinkSettings {
  Transport transport = Transport::udp;
  std::uint32_t lost_percent = 0;
  std::uint32_t doubled_percent = 0;
  std::uint32_t longest_delay_ms = 30;  ///< different delays reorder
};

/// An endpoint, its address, and the bookkeeping of a user who keeps to the rules.
struct Peer {
  Peer(std::string_view own, std::uint64_t seed) : self(address(own)), random(seed) {
    endpoint.set_sent_by(Transport::udp, false, self.text());
    endpoint.set_sent_by(Transport::tcp, false, self.text());
  }
  SocketAddress self;
  SeededRandom random;
  Endpoint endpoint{{}, random};
  std::set<TransactionId> known, ended;
  std::map<std::string, int> seen;  ///< how often which event came
  std::optional<Dialog> dialog;
};

class Call {
 public:
  Call(std::uint64_t seed, LinkSettings settings)
      : settings_(settings),
        random_(seed),
        alice_("192.0.2.1:5060", seed + 1),
        bob_("192.0.2.2:5060", seed + 2) {}

  void dial() {
    invite_ = parsed(request_text("INVITE"));
    invite_.remove(HeaderName::via);
    invite_transaction_ = send(alice_, invite_);
  }
  void cancel_at(Duration after) {
    agenda_.at(now_ + after, [this] { execute(alice_, SendCancel{invite_transaction_, {}}); });
  }
  /// Until nothing is left to happen.
  void run() {
    while (true) {
      const TimePoint next =
          std::min({agenda_.next(), alice_.endpoint.deadline(), bob_.endpoint.deadline()});
      if (next == kNever || next > kStart + std::chrono::hours(1)) return;
      now_ = next;
      if (agenda_.next() == next) {
        agenda_.run_first();
        continue;
      }
      for (Peer* peer : {&alice_, &bob_}) {
        Effects effects;
        peer->endpoint.on_deadline(now_, effects);
        handle(*peer, effects);
      }
    }
  }
  void expect_drained() const {
    for (const Peer* peer : {&alice_, &bob_}) {
      EXPECT_EQ(peer->endpoint.transactions(), 0u);
      EXPECT_EQ(peer->endpoint.deadline(), kNever);
      EXPECT_EQ(peer->known, peer->ended);
    }
  }

  std::map<std::string, int>& alice() { return alice_.seen; }
  std::map<std::string, int>& bob() { return bob_.seen; }

  Duration answer_after = 1s;

 private:
  void execute(Peer& peer, Command command) {
    Effects effects;
    peer.endpoint.execute(std::move(command), now_, effects);
    handle(peer, effects);
  }
  TransactionId send(Peer& peer, Message request) {
    const TransactionId id = peer.endpoint.next_transaction();
    peer.known.insert(id);
    execute(peer, SendRequest{id, std::move(request), towards(peer)});
    return id;
  }
  Target towards(const Peer& peer) {
    return {settings_.transport, (&peer == &alice_ ? bob_ : alice_).self, {}};
  }

  void transmit(const Peer& from, const SendBytes& sent) {
    Peer& to = &from == &alice_ ? bob_ : alice_;
    ASSERT_EQ(sent.target.remote, to.self);
    const bool lossy = !is_reliable(settings_.transport);
    if (lossy && random_.below(100) < settings_.lost_percent) return;
    const int copies = lossy && random_.below(100) < settings_.doubled_percent ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
      const milliseconds delay{lossy ? 1 + random_.below(settings_.longest_delay_ms) : 10};
      agenda_.at(now_ + delay, [this, &to, bytes = sent.bytes, source = from.self] {
        Effects effects;
        to.endpoint.receive(bytes, {settings_.transport, source, FlowId{1}}, now_, effects);
        handle(to, effects);
      });
    }
  }

  void handle(Peer& peer, const Effects& effects) {
    for (const Transmission& each : effects.transmissions) {
      if (const auto* sent = std::get_if<SendBytes>(&each)) transmit(peer, *sent);
    }
    for (const Event& event : effects.events) {
      std::visit([&](const auto& each) { on(peer, each); }, event);
    }
  }

  void on(Peer& peer, const RequestReceived& received) {
    peer.known.insert(received.transaction);
    ++peer.seen[std::string(received.request.method_text())];
    if (received.request.method() != Method::invite) {
      return execute(peer,
                     Respond{received.transaction, make_response(received.request, 200, "bob")});
    }
    execute(peer, Respond{received.transaction, make_response(received.request, 180, "bob")});
    agenda_.at(now_ + answer_after, [this, &peer, received] {
      Message response = make_response(received.request, 200, "bob");
      response.add(HeaderName::contact, "<sip:bob@192.0.2.2:5060>");
      execute(peer, Respond{received.transaction, std::move(response)});
    });
    pending_invite_ = received.request;
  }
  void on(Peer& peer, const CancelReceived& received) {
    ++peer.seen["cancel"];
    execute(peer, Respond{received.transaction, make_response(*pending_invite_, 487, "bob")});
  }
  void on(Peer& peer, const ResponseReceived& received) {
    const CSeq cseq = cseq_of(received.response);
    ++peer.seen[std::to_string(received.response.status()) + " " + cseq.method_text];
    if (cseq.method != Method::invite || received.response.status() / 100 != 2) return;
    peer.dialog = Dialog::as_uac(invite_, received.response).value();
    execute(peer, SendAck{received.transaction, peer.dialog->ack(cseq.number), towards(peer)});
    agenda_.at(now_ + 3s, [this, &peer] { send(peer, peer.dialog->request(Method::bye)); });
  }
  void on(Peer& peer, const AckReceived&) { ++peer.seen["ack"]; }
  void on(Peer& peer, const AckMissing&) { ++peer.seen["ack missing"]; }
  void on(Peer& peer, const RequestFailed&) { ++peer.seen["failed"]; }
  void on(Peer& peer, const FlowClosed&) { ++peer.seen["flow closed"]; }
  void on(Peer& peer, const TransactionEnded& ended) {
    EXPECT_TRUE(peer.known.contains(ended.transaction));
    EXPECT_TRUE(peer.ended.insert(ended.transaction).second) << "ended twice";
  }

  LinkSettings settings_;
  SeededRandom random_;
  TimePoint now_ = kStart;
  Agenda agenda_;
  Peer alice_, bob_;
  Message invite_;
  std::optional<Message> pending_invite_;
  TransactionId invite_transaction_;
};

class CallOverNetwork : public ::testing::TestWithParam<std::uint64_t> {};

// RFC 3261 §17: calls outlive loss, doubles and reordering
TEST_P(CallOverNetwork, IsSetUpAndEndedDespiteLossDoublesAndReordering) {
  Call call(GetParam(), {.lost_percent = 25, .doubled_percent = 20, .longest_delay_ms = 900});
  call.dial();
  call.run();
  EXPECT_EQ(call.bob()["INVITE"], 1);
  EXPECT_EQ(call.alice()["200 INVITE"], 1);
  EXPECT_EQ(call.bob()["ack"], 1);
  EXPECT_EQ(call.bob()["ack missing"], 0);
  EXPECT_EQ(call.bob()["BYE"], 1);
  EXPECT_EQ(call.alice()["200 BYE"], 1);
  EXPECT_EQ(call.alice()["failed"], 0);
  call.expect_drained();
}

// RFC 3261 §9.1: a CANCEL that crosses the answer has one outcome [race-cancel-crosses-200]
TEST_P(CallOverNetwork, CancelThatCrossesTheAnswerHasOneOutcome) {
  Call call(GetParam(), {.lost_percent = 25, .doubled_percent = 20, .longest_delay_ms = 900});
  call.dial();
  call.cancel_at(milliseconds(500 + 60 * (GetParam() % 20)));
  call.run();
  EXPECT_EQ(call.bob()["INVITE"], 1);
  EXPECT_LE(call.bob()["cancel"], 1);
  EXPECT_EQ(call.alice()["200 INVITE"] + call.alice()["487 INVITE"], 1);
  EXPECT_EQ(call.bob()["ack"], call.alice()["200 INVITE"]);
  EXPECT_EQ(call.alice()["failed"], 0);
  call.expect_drained();
}

TEST_P(CallOverNetwork, DeadNetworkDrainsToo) {
  Call call(GetParam(), {.lost_percent = 100});
  call.dial();
  call.run();
  EXPECT_EQ(call.alice()["failed"], 1);
  EXPECT_EQ(call.bob()["INVITE"], 0);
  call.expect_drained();
}

TEST_P(CallOverNetwork, TerribleNetworkStillDrains) {
  Call call(GetParam(), {.lost_percent = 70, .doubled_percent = 50, .longest_delay_ms = 5000});
  call.dial();
  call.cancel_at(2s);
  call.run();
  EXPECT_LE(call.bob()["INVITE"], 1);
  call.expect_drained();
}

INSTANTIATE_TEST_SUITE_P(Seeds, CallOverNetwork, ::testing::Range<std::uint64_t>(1, 61));

TEST(CallOverConnection, NeedsNoCopies) {
  Call call(7, {.transport = Transport::tcp});
  call.dial();
  call.run();
  EXPECT_EQ(call.bob()["INVITE"], 1);
  EXPECT_EQ(call.alice()["180 INVITE"], 1);
  EXPECT_EQ(call.alice()["200 INVITE"], 1);
  EXPECT_EQ(call.bob()["ack"], 1);
  EXPECT_EQ(call.alice()["200 BYE"], 1);
  call.expect_drained();
}

TEST(CallOverConnection, CancelledWhileRinging) {
  Call call(7, {.transport = Transport::tcp});
  call.dial();
  call.cancel_at(500ms);
  call.run();
  EXPECT_EQ(call.bob()["cancel"], 1);
  EXPECT_EQ(call.alice()["487 INVITE"], 1);
  EXPECT_EQ(call.alice()["200 INVITE"], 0);
  call.expect_drained();
}

}  // namespace
}  // namespace trunkline::sip
