#include "sip/endpoint.hpp"
#include "sip/invite_server_transaction.hpp"
#include "sip/non_invite_server_transaction.hpp"

#include "transaction_messages.hpp"
#include <gmock/gmock.h>

namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class InviteServer : public ::testing::Test {
 protected:
  using State = InviteServerTransaction::State;

  InviteServerTransaction start(const Target& reply = udp()) {
    return InviteServerTransaction(make_response(invite_, 100, ""), reply, {}, now_);
  }
  void respond(InviteServerTransaction& machine, int status) {
    out_.clear();
    machine.respond(answer(invite_, status), now_, out_);
  }
  void receive(InviteServerTransaction& machine, Method method) {
    out_.clear();
    machine.receive(method, now_, out_);
  }
  std::vector<std::int64_t> run(InviteServerTransaction& machine, Duration duration) {
    out_.clear();
    const TimePoint from = now_;
    now_ += duration;
    return transmission_times(machine, from, now_, out_);
  }

  TimePoint now_ = kStart;
  TransactionEffects out_;
  Message invite_ = parsed(request_text("INVITE", {.extra = "Timestamp: 54\r\n"}));
};

// RFC 3261 §17.2.1: 100 within 200 ms, without a To tag [trying]
// RFC 3261 §8.2.6.1: 100 has the Timestamp of the request [trying-timestamp]
TEST_F(InviteServer, SendsTryingAfter200Milliseconds) {
  InviteServerTransaction machine = start();
  EXPECT_THAT(run(machine, 10s), ElementsAre(200));
  const Message trying = parsed(last<Transmit>(out_)->bytes);
  EXPECT_EQ(trying.status(), 100);
  EXPECT_EQ(trying.header(HeaderName::to), invite_.header(HeaderName::to));  // no tag
  EXPECT_EQ(trying.header(HeaderName::timestamp), "54");
  EXPECT_EQ(machine.deadline(), kNever);
}

TEST_F(InviteServer, SendsNoTryingIfAResponseWasFaster) {
  InviteServerTransaction machine = start();
  now_ += 100ms;
  respond(machine, 180);
  EXPECT_THAT(run(machine, 10s), IsEmpty());
}

// RFC 3261 §17.2.1: a copy gets the last provisional response [invite-copy]
TEST_F(InviteServer, CopyInProceedingGetsTheLastProvisional) {
  InviteServerTransaction machine = start();
  receive(machine, Method::invite);
  EXPECT_THAT(out_, IsEmpty());
  respond(machine, 180);
  respond(machine, 183);
  receive(machine, Method::invite);
  ASSERT_EQ(count<Transmit>(out_), 1u);
  EXPECT_EQ(last<Transmit>(out_)->status, 183);
  EXPECT_TRUE(last<Transmit>(out_)->again);
}

// RFC 3261 §17.2.1: Timer G repeats a refusal until Timer H [timer-g-h]
TEST_F(InviteServer, FailureIsRepeatedByTimerGUntilTimerH) {
  InviteServerTransaction machine = start();
  respond(machine, 486);
  EXPECT_EQ(machine.state(), State::completed);
  EXPECT_THAT(run(machine, 40s),
              ElementsAre(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500));
  ASSERT_NE(last<Unacknowledged>(out_), nullptr);
  EXPECT_EQ(last<Unacknowledged>(out_)->status, 486);
  EXPECT_EQ(last<Unacknowledged>(out_)->timer, TimeoutTimer::h);
  EXPECT_EQ(machine.state(), State::terminated);
}

// RFC 3261 §17.2.1: over reliable transports there is no Timer G [timer-g-h]
TEST_F(InviteServer, ReliableTransportHasTimerHButNoTimerG) {
  InviteServerTransaction machine = start(tcp());
  respond(machine, 486);
  EXPECT_THAT(run(machine, 31s), IsEmpty());
  run(machine, 1s);
  EXPECT_EQ(count<Unacknowledged>(out_), 1u);
}

// RFC 3261 §17.2.1: a copy after a refusal gets it again [invite-copy]
TEST_F(InviteServer, CopyInCompletedGetsTheFinal) {
  InviteServerTransaction machine = start();
  respond(machine, 486);
  receive(machine, Method::invite);
  EXPECT_EQ(last<Transmit>(out_)->status, 486);
}

// RFC 3261 §17.2.1: Timer I absorbs copies of the ACK [timer-i]
TEST_F(InviteServer, AckOfAFailureStopsItAndTimerIAbsorbsCopies) {
  InviteServerTransaction machine = start();
  respond(machine, 486);
  receive(machine, Method::ack);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(machine.state(), State::confirmed);
  EXPECT_EQ(machine.deadline(), kStart + 5s);
  receive(machine, Method::ack);
  receive(machine, Method::invite);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(run(machine, 5s), IsEmpty());
  EXPECT_EQ(count<Terminated>(out_), 1u);
  EXPECT_EQ(count<Unacknowledged>(out_), 0u);
}

TEST_F(InviteServer, TimerIIsZeroOverReliableTransport) {
  InviteServerTransaction machine = start(tcp());
  respond(machine, 486);
  receive(machine, Method::ack);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

// RFC 3261 §13.3.1.4: a 2xx is repeated on every transport until its ACK, at most 64*T1
// [2xx-retransmission]
TEST_F(InviteServer, SuccessIsRepeatedOnEveryTransportUntilTimerL) {
  for (const Target& reply : {udp(), tcp(), websocket()}) {
    now_ = kStart;
    InviteServerTransaction machine = start(reply);
    respond(machine, 200);
    EXPECT_EQ(machine.state(), State::accepted);
    EXPECT_THAT(run(machine, 40s),
                ElementsAre(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500));
    ASSERT_NE(last<Unacknowledged>(out_), nullptr);
    EXPECT_EQ(last<Unacknowledged>(out_)->status, 200);
    EXPECT_EQ(last<Unacknowledged>(out_)->timer, TimeoutTimer::l);
    EXPECT_EQ(count<Terminated>(out_), 1u);
  }
}

// RFC 3261 §13.3.1.4: the ACK ends the copies of a 2xx [race-2xx-rhythm]
TEST_F(InviteServer, AckOfASuccessIsPassedOnceAndStopsTheCopies) {
  InviteServerTransaction machine = start();
  respond(machine, 200);
  EXPECT_THAT(run(machine, 1s), ElementsAre(500));
  receive(machine, Method::ack);
  EXPECT_EQ(count<PassAck>(out_), 1u);
  receive(machine, Method::ack);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(run(machine, 30s), IsEmpty());
  EXPECT_EQ(machine.state(), State::accepted);
  run(machine, 1s);
  EXPECT_EQ(machine.state(), State::terminated);
  EXPECT_EQ(count<Unacknowledged>(out_), 0u);
}

// RFC 6026 §7.1: a copy of an INVITE after its 2xx is absorbed [timer-l]
TEST_F(InviteServer, CopyInAcceptedIsAbsorbed) {
  InviteServerTransaction machine = start();
  respond(machine, 200);
  receive(machine, Method::invite);
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(InviteServer, AckBeforeTheFinalIsIgnored) {
  InviteServerTransaction machine = start();
  respond(machine, 180);
  receive(machine, Method::ack);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(machine.state(), State::proceeding);
}

TEST_F(InviteServer, ResponsesAfterTheFinalAreIgnored) {
  for (const int final_status : {200, 486}) {
    InviteServerTransaction machine = start();
    respond(machine, final_status);
    for (const int late : {180, 200, 487}) {
      respond(machine, late);
      EXPECT_THAT(out_, IsEmpty());
    }
  }
}

TEST_F(InviteServer, WaitsForItsUserForEverInProceeding) {
  InviteServerTransaction machine = start();
  respond(machine, 180);
  EXPECT_EQ(machine.deadline(), kNever);
}

TEST_F(InviteServer, AbandonedItEndsWithoutAWord) {
  InviteServerTransaction machine = start(tcp());
  respond(machine, 200);
  out_.clear();
  machine.abandon(out_);
  EXPECT_EQ(out_.size(), 1u);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

class NonInviteServer : public ::testing::Test {
 protected:
  using State = NonInviteServerTransaction::State;

  NonInviteServerTransaction start(const Target& reply = udp()) {
    return NonInviteServerTransaction(make_response(request_, 100, ""), reply, {}, now_);
  }
  void respond(NonInviteServerTransaction& machine, int status) {
    out_.clear();
    machine.respond(answer(request_, status), now_, out_);
  }
  void receive_copy(NonInviteServerTransaction& machine) {
    out_.clear();
    machine.receive(now_, out_);
  }
  std::vector<std::int64_t> run(NonInviteServerTransaction& machine, Duration duration) {
    out_.clear();
    const TimePoint from = now_;
    now_ += duration;
    return transmission_times(machine, from, now_, out_);
  }

  TimePoint now_ = kStart;
  TransactionEffects out_;
  Message request_ = parsed(request_text("MESSAGE"));
};

TEST_F(NonInviteServer, CopiesBeforeTheAnswerAreDiscarded) {
  NonInviteServerTransaction machine = start();
  receive_copy(machine);
  EXPECT_THAT(out_, IsEmpty());
}

// RFC 4320 §4.1: 100 not before Timer E is T2 [non-invite-provisional]
TEST_F(NonInviteServer, TryingComesOnlyWhenTheClientsTimerEIsT2) {
  NonInviteServerTransaction machine = start();
  EXPECT_THAT(run(machine, 20s), ElementsAre(3500));
  EXPECT_EQ(last<Transmit>(out_)->status, 100);
  EXPECT_EQ(machine.state(), State::proceeding);
  receive_copy(machine);
  EXPECT_EQ(last<Transmit>(out_)->status, 100);
}

// RFC 4320 §4.1: an early 100 is held back over UDP [non-invite-provisional]
TEST_F(NonInviteServer, EarlyTryingOfTheUserIsHeldBackOverUdp) {
  NonInviteServerTransaction machine = start();
  respond(machine, 100);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(machine.state(), State::trying);
}

TEST_F(NonInviteServer, EarlyTryingOfTheUserMayLeaveOverReliableTransport) {
  NonInviteServerTransaction machine = start(tcp());
  respond(machine, 100);
  EXPECT_EQ(count<Transmit>(out_), 1u);
  EXPECT_THAT(run(machine, 10s), IsEmpty());
}

// RFC 4320 §4.1: no other provisional response [non-invite-provisional]
TEST_F(NonInviteServer, OtherProvisionalsAreNeverSent) {
  NonInviteServerTransaction machine = start(tcp());
  respond(machine, 183);
  EXPECT_THAT(out_, IsEmpty());
}

// RFC 3261 §17.2.2: copies get the final response until Timer J [timer-j]
TEST_F(NonInviteServer, FinalIsKeptForCopiesUntilTimerJ) {
  NonInviteServerTransaction machine = start();
  now_ += 1s;
  respond(machine, 200);
  const std::string sent = last<Transmit>(out_)->bytes;
  EXPECT_EQ(machine.deadline(), kStart + 33s);
  now_ += 30s;
  receive_copy(machine);
  ASSERT_EQ(count<Transmit>(out_), 1u);
  EXPECT_EQ(last<Transmit>(out_)->bytes, sent);
  EXPECT_THAT(run(machine, 2s), IsEmpty());
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

// RFC 3261 §17.2.2: Timer J is 0 over reliable transports [timer-j]
TEST_F(NonInviteServer, TimerJIsZeroOverReliableTransport) {
  NonInviteServerTransaction machine = start(websocket());
  respond(machine, 200);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

// RFC 4320 §4.2: no 408 to other requests than INVITE [non-invite-408]
TEST_F(NonInviteServer, TimeoutIsNeverSentAndCopiesStayUnanswered) {
  NonInviteServerTransaction machine = start();
  respond(machine, 408);
  EXPECT_EQ(count<Transmit>(out_), 0u);
  receive_copy(machine);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(machine.state(), State::completed);
}

TEST_F(NonInviteServer, TimeoutAfterATryingIsSilentToo) {
  NonInviteServerTransaction machine = start();
  run(machine, 4s);
  respond(machine, 408);
  receive_copy(machine);
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(NonInviteServer, SecondFinalIsIgnored) {
  NonInviteServerTransaction machine = start();
  respond(machine, 200);
  respond(machine, 500);
  EXPECT_THAT(out_, IsEmpty());
}

TEST_F(NonInviteServer, UnansweredRequestEndsSilentlyWhenItsClientHasGivenUp) {
  NonInviteServerTransaction machine = start(tcp());
  run(machine, 32s);
  EXPECT_EQ(count<Terminated>(out_), 1u);
  EXPECT_EQ(last<Transmit>(out_)->status, 100);
}

TEST_F(NonInviteServer, AbandonedItEndsWithoutAWord) {
  NonInviteServerTransaction machine = start(tcp());
  machine.abandon(out_);
  EXPECT_EQ(out_.size(), 1u);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

}  // namespace
}  // namespace trunkline::sip
