#include "sip/header.hpp"
#include "sip/invite_client_transaction.hpp"
#include "sip/non_invite_client_transaction.hpp"

#include "transaction_messages.hpp"
#include <gmock/gmock.h>

namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

using Cause = RequestFailed::Cause;

class InviteClient : public ::testing::Test {
 protected:
  using State = InviteClientTransaction::State;

  InviteClientTransaction start(const Target& target = udp()) {
    InviteClientTransaction machine(invite_, target, {}, now_, out_);
    return machine;
  }
  void receive(InviteClientTransaction& machine, int status, std::string_view to_tag = "bob") {
    out_.clear();
    machine.receive(answer(invite_, status, to_tag), now_, out_);
  }
  std::vector<std::int64_t> run(InviteClientTransaction& machine, Duration duration) {
    out_.clear();
    const TimePoint from = now_;
    now_ += duration;
    return transmission_times(machine, from, now_, out_);
  }

  TimePoint now_ = kStart;
  TransactionEffects out_;
  Message invite_ = parsed(request_text(
      "INVITE",
      {.extra =
           "Route: <sip:proxy.example.test;lr>\r\nAuthorization: Digest username=\"alice\"\r\n"}));
};

TEST_F(InviteClient, SendsTheRequestAtOnce) {
  const InviteClientTransaction machine = start();
  ASSERT_EQ(count<Transmit>(out_), 1u);
  EXPECT_EQ(last<Transmit>(out_)->bytes, invite_.serialize());
  EXPECT_FALSE(last<Transmit>(out_)->again);
  EXPECT_EQ(machine.state(), State::calling);
}

// RFC 3261 §17.1.1.2: an INVITE over UDP is sent again at T1, doubling [invite-retransmission]
TEST_F(InviteClient, TimerADoublesUntilTimerBEndsIt) {
  InviteClientTransaction machine = start();
  EXPECT_THAT(run(machine, 40s), ElementsAre(500, 1500, 3500, 7500, 15500, 31500));
  ASSERT_NE(last<Failed>(out_), nullptr);
  EXPECT_EQ(last<Failed>(out_)->cause, Cause::timeout);
  EXPECT_EQ(last<Failed>(out_)->timer, TimeoutTimer::b);
  EXPECT_FALSE(last<Failed>(out_)->provisional_seen);
  EXPECT_EQ(count<Terminated>(out_), 1u);
  EXPECT_EQ(machine.state(), State::terminated);
  EXPECT_EQ(machine.deadline(), kNever);
}

// RFC 3261 §17.1.1.2: Timer B is 64*T1 [invite-timeout]
TEST_F(InviteClient, TimerBComesAt64TimesT1) {
  InviteClientTransaction machine = start(tcp());
  EXPECT_EQ(machine.deadline(), kStart + 32s);
}

// RFC 3261 §17.1.1.2: each copy of the INVITE is the same [invite-retransmission]
TEST_F(InviteClient, EveryCopyIsTheSameOctets) {
  InviteClientTransaction machine = start();
  const std::string first = last<Transmit>(out_)->bytes;
  run(machine, 600ms);
  EXPECT_EQ(last<Transmit>(out_)->bytes, first);
  EXPECT_TRUE(last<Transmit>(out_)->again);
}

// RFC 3261 §17.1.1.2: over reliable transports no INVITE is sent again [invite-retransmission]
TEST_F(InviteClient, ReliableTransportHasNoTimerA) {
  InviteClientTransaction machine = start(websocket());
  EXPECT_THAT(run(machine, 31s), IsEmpty());
}

// RFC 3261 §17.1.1.2: a provisional response ends Timers A and B [invite-proceeding]
TEST_F(InviteClient, ProvisionalStopsTimersAAndB) {
  InviteClientTransaction machine = start();
  receive(machine, 100, "");
  EXPECT_EQ(count<PassResponse>(out_), 1u);
  EXPECT_EQ(machine.state(), State::proceeding);
  EXPECT_EQ(machine.deadline(), kNever);
}

TEST_F(InviteClient, EveryProvisionalIsPassed) {
  InviteClientTransaction machine = start();
  receive(machine, 180);
  receive(machine, 180);
  EXPECT_EQ(count<PassResponse>(out_), 1u);
}

// RFC 3261 §17.1.1.3: the ACK of a refusal is made of its INVITE [ack-failure]
TEST_F(InviteClient, FailureIsAcknowledgedByTheRulesOf17113) {
  InviteClientTransaction machine = start();
  receive(machine, 486);
  EXPECT_EQ(count<PassResponse>(out_), 1u);
  ASSERT_NE(last<Transmit>(out_), nullptr);
  const Message ack = parsed(last<Transmit>(out_)->bytes);
  EXPECT_EQ(ack.method(), Method::ack);
  EXPECT_EQ(ack.request_uri(), invite_.request_uri());
  EXPECT_EQ(ack.count(HeaderName::via), 1u);
  EXPECT_EQ(top_via(ack).branch(), top_via(invite_).branch());
  EXPECT_EQ(to_of(ack).tag(), "bob");
  EXPECT_EQ(from_of(ack).tag(), "alice");
  EXPECT_EQ(cseq_of(ack).number, cseq_of(invite_).number);
  EXPECT_EQ(cseq_of(ack).method, Method::ack);
  EXPECT_EQ(ack.header(HeaderName::route), invite_.header(HeaderName::route));
  EXPECT_EQ(call_id_of(ack), call_id_of(invite_));
}

// RFC 3261 §17.1.1.3: each copy of a refusal gets its ACK [ack-failure]
// RFC 3261 §17.1.1.2: Timer D is 32 s over UDP [timer-d]
TEST_F(InviteClient, EveryCopyOfAFailureGetsItsAckUntilTimerD) {
  InviteClientTransaction machine = start();
  receive(machine, 486);
  const std::string ack = last<Transmit>(out_)->bytes;
  now_ += 20s;
  receive(machine, 486);
  EXPECT_EQ(count<PassResponse>(out_), 0u);
  ASSERT_EQ(count<Transmit>(out_), 1u);
  EXPECT_EQ(last<Transmit>(out_)->bytes, ack);
  EXPECT_TRUE(last<Transmit>(out_)->again);
  EXPECT_EQ(machine.deadline(), kStart + 32s);
  run(machine, 12s);
  EXPECT_EQ(count<Failed>(out_), 0u);
  EXPECT_EQ(machine.state(), State::terminated);
}

// RFC 3261 §17.1.1.2: Timer D is never less than 32 s over UDP [timer-d]
TEST_F(InviteClient, TimerDIsAtLeast32SecondsWithAShortT1) {
  InviteClientTransaction machine(invite_, udp(), {.t1 = 10ms}, now_, out_);
  receive(machine, 486);
  EXPECT_EQ(machine.deadline(), kStart + 32s);
}

// RFC 3261 §17.1.1.2: Timer D is 0 over reliable transports [timer-d]
TEST_F(InviteClient, TimerDIsZeroOverReliableTransport) {
  InviteClientTransaction machine = start(tcp());
  receive(machine, 486);
  EXPECT_EQ(count<Transmit>(out_), 1u);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

// RFC 6026 §7.2: a 2xx begins Timer M [timer-m]
TEST_F(InviteClient, SuccessIsPassedAndNotAcknowledgedByTheMachine) {
  InviteClientTransaction machine = start();
  receive(machine, 200);
  EXPECT_EQ(count<PassResponse>(out_), 1u);
  EXPECT_EQ(count<Transmit>(out_), 0u);
  EXPECT_EQ(machine.state(), State::accepted);
  EXPECT_EQ(machine.deadline(), kStart + 32s);  // Timer M
}

// RFC 6026 §7.2: Timer M is 64*T1 on every transport [timer-m]
TEST_F(InviteClient, TimerMEndsItSilentlyOnEveryTransport) {
  for (const Target& target : {udp(), tcp()}) {
    now_ = kStart;
    InviteClientTransaction machine = start(target);
    receive(machine, 200);
    EXPECT_THAT(run(machine, 32s), IsEmpty());
    EXPECT_EQ(count<Terminated>(out_), 1u);
    EXPECT_EQ(count<Failed>(out_), 0u);
  }
}

// RFC 3261 §13.2.2.4: each copy of a 2xx gets its ACK again [timer-m]
TEST_F(InviteClient, EachCopyOfASuccessGetsTheStoredAck) {
  InviteClientTransaction machine = start();
  receive(machine, 200);
  const Message ack = parsed(request_text("ACK", {.to_tag = "bob"}));
  machine.acknowledge(ack, tcp(), out_);
  EXPECT_EQ(last<Transmit>(out_)->bytes, ack.serialize());
  for (int copy = 0; copy < 5; ++copy) {
    receive(machine, 200);
    ASSERT_EQ(count<Transmit>(out_), 1u);
    EXPECT_EQ(last<Transmit>(out_)->bytes, ack.serialize());
    EXPECT_EQ(last<Transmit>(out_)->target, tcp());
    EXPECT_EQ(count<PassResponse>(out_), 0u);
  }
}

TEST_F(InviteClient, CopyOfASuccessBeforeTheAckIsAbsorbed) {
  InviteClientTransaction machine = start();
  receive(machine, 200);
  receive(machine, 200);
  EXPECT_THAT(out_, IsEmpty());
}

// RFC 6026 §7.2: a 2xx of another fork goes to the user [timer-m]
TEST_F(InviteClient, SuccessOfAnotherForkIsPassedAndHasItsOwnAck) {
  InviteClientTransaction machine = start();
  receive(machine, 200, "bob");
  machine.acknowledge(parsed(request_text("ACK", {.to_tag = "bob"})), udp(), out_);
  receive(machine, 200, "carol");
  EXPECT_EQ(count<PassResponse>(out_), 1u);
  EXPECT_EQ(count<Transmit>(out_), 0u);
  machine.acknowledge(parsed(request_text("ACK", {.to_tag = "carol"})), udp(), out_);
  receive(machine, 200, "bob");
  EXPECT_THAT(last<Transmit>(out_)->bytes, HasSubstr("tag=bob"));
  receive(machine, 200, "carol");
  EXPECT_THAT(last<Transmit>(out_)->bytes, HasSubstr("tag=carol"));
}

TEST_F(InviteClient, ForksAreBounded) {
  InviteClientTransaction machine = start();
  std::size_t passed = 0;
  for (int i = 0; i < 1000; ++i) {
    receive(machine, 200, "fork" + std::to_string(i));
    passed += count<PassResponse>(out_);
  }
  EXPECT_EQ(passed, 32u);
}

// RFC 3261 §17.1.1.3: a refusal after a 2xx gets its ACK [race-losing-fork]
TEST_F(InviteClient, FailureOfALosingForkAfterTheSuccessIsAcknowledged) {
  InviteClientTransaction machine = start();
  receive(machine, 200);
  receive(machine, 603, "carol");
  EXPECT_EQ(count<PassResponse>(out_), 0u);
  ASSERT_EQ(count<Transmit>(out_), 1u);
  EXPECT_EQ(to_of(parsed(last<Transmit>(out_)->bytes)).tag(), "carol");
  EXPECT_EQ(machine.state(), State::accepted);
}

TEST_F(InviteClient, ProvisionalAfterTheFinalIsIgnored) {
  for (const int final_status : {200, 486}) {
    InviteClientTransaction machine = start();
    receive(machine, final_status);
    receive(machine, 183);
    EXPECT_THAT(out_, IsEmpty());
  }
}

// RFC 3261 §9.1: CANCEL waits for a provisional response [cancel-waits]
TEST_F(InviteClient, CancelWaitsForAProvisional) {
  InviteClientTransaction machine = start();
  out_.clear();
  machine.cancel(now_, out_);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(run(machine, 1s), ElementsAre(500));  // the INVITE goes on
  receive(machine, 100, "");
  EXPECT_EQ(count<CancelNow>(out_), 1u);
}

TEST_F(InviteClient, CancelLeavesAtOnceAfterAProvisional) {
  InviteClientTransaction machine = start();
  receive(machine, 180);
  machine.cancel(now_, out_);
  EXPECT_EQ(count<CancelNow>(out_), 1u);
}

TEST_F(InviteClient, CancelLeavesOnlyOnce) {
  InviteClientTransaction machine = start();
  receive(machine, 180);
  machine.cancel(now_, out_);
  machine.cancel(now_, out_);
  EXPECT_EQ(count<CancelNow>(out_), 1u);
  receive(machine, 180);
  EXPECT_EQ(count<CancelNow>(out_), 0u);
}

TEST_F(InviteClient, CancelIsDroppedWhenTheFinalComesFirst) {
  for (const int final_status : {200, 486}) {
    InviteClientTransaction machine = start();
    machine.cancel(now_, out_);
    receive(machine, final_status);
    EXPECT_EQ(count<CancelNow>(out_), 0u);
    EXPECT_EQ(count<PassResponse>(out_), 1u);
    machine.cancel(now_, out_);
    EXPECT_EQ(count<CancelNow>(out_), 0u);
  }
}

// RFC 3261 §9.1: 64*T1 after CANCEL the INVITE is given up [cancel-timeout]
TEST_F(InviteClient, NoFinalIn64T1AfterTheCancelIsATimeout) {
  InviteClientTransaction machine = start();
  receive(machine, 180);
  now_ += 10s;
  machine.cancel(now_, out_);
  EXPECT_EQ(machine.deadline(), now_ + 32s);
  run(machine, 32s);
  ASSERT_NE(last<Failed>(out_), nullptr);
  EXPECT_EQ(last<Failed>(out_)->timer, TimeoutTimer::cancel);
  EXPECT_TRUE(last<Failed>(out_)->provisional_seen);
  EXPECT_EQ(machine.state(), State::terminated);
}

TEST_F(InviteClient, FinalAfterTheCancelStopsItsTimer) {
  InviteClientTransaction machine = start();
  receive(machine, 180);
  machine.cancel(now_, out_);
  receive(machine, 487);
  EXPECT_EQ(count<Transmit>(out_), 1u);
  run(machine, 60s);
  EXPECT_EQ(count<Failed>(out_), 0u);
}

// RFC 3261 §8.1.3.1: a broken transport ends the request [transport-failure]
TEST_F(InviteClient, TransportFailureEndsItBeforeTheFinal) {
  InviteClientTransaction machine = start();
  out_.clear();
  machine.fail(Cause::transport, out_);
  EXPECT_EQ(last<Failed>(out_)->cause, Cause::transport);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

TEST_F(InviteClient, TransportFailureAfterTheFinalIsIgnored) {
  InviteClientTransaction machine = start();
  receive(machine, 200);
  out_.clear();
  machine.fail(Cause::flow_closed, out_);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(machine.state(), State::accepted);
}

TEST_F(InviteClient, TerminatedMachineIsDeaf) {
  InviteClientTransaction machine = start();
  machine.fail(Cause::transport, out_);
  receive(machine, 200);
  machine.cancel(now_, out_);
  machine.fail(Cause::transport, out_);
  EXPECT_THAT(out_, IsEmpty());
}

class NonInviteClient : public ::testing::Test {
 protected:
  using State = NonInviteClientTransaction::State;

  NonInviteClientTransaction start(const Target& target = udp()) {
    return NonInviteClientTransaction(request_, target, {}, now_, out_);
  }
  void receive(NonInviteClientTransaction& machine, int status) {
    out_.clear();
    machine.receive(answer(request_, status), now_, out_);
  }
  std::vector<std::int64_t> run(NonInviteClientTransaction& machine, Duration duration) {
    out_.clear();
    const TimePoint from = now_;
    now_ += duration;
    return transmission_times(machine, from, now_, out_);
  }

  TimePoint now_ = kStart;
  TransactionEffects out_;
  Message request_ = parsed(request_text("OPTIONS"));
};

// RFC 3261 §17.1.2.2: Timer E doubles to T2, Timer F is 64*T1 [timer-e-f]
TEST_F(NonInviteClient, TimerEDoublesUpToT2AndTimerFEndsIt) {
  NonInviteClientTransaction machine = start();
  EXPECT_THAT(run(machine, 40s),
              ElementsAre(500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500));
  ASSERT_NE(last<Failed>(out_), nullptr);
  EXPECT_EQ(last<Failed>(out_)->cause, Cause::timeout);
  EXPECT_EQ(last<Failed>(out_)->timer, TimeoutTimer::f);
  EXPECT_EQ(machine.state(), State::terminated);
}

// RFC 3261 §17.1.2.2: Timer E is T2 once answered provisionally [timer-e-f]
TEST_F(NonInviteClient, TimerEIsFlatT2OnceProceeding) {
  NonInviteClientTransaction machine = start();
  receive(machine, 100);
  EXPECT_EQ(machine.state(), State::proceeding);
  EXPECT_THAT(run(machine, 13s), ElementsAre(500, 4500, 8500, 12500));
}

TEST_F(NonInviteClient, TimerFGoesOnInProceeding) {
  NonInviteClientTransaction machine = start(tcp());
  receive(machine, 100);
  EXPECT_EQ(machine.deadline(), kStart + 32s);
  run(machine, 32s);
  ASSERT_NE(last<Failed>(out_), nullptr);
  EXPECT_TRUE(last<Failed>(out_)->provisional_seen);
}

// RFC 3261 §17.1.2.2: over reliable transports there is no Timer E [timer-e-f]
TEST_F(NonInviteClient, ReliableTransportHasNoTimerE) {
  NonInviteClientTransaction machine = start(tcp());
  EXPECT_THAT(run(machine, 31s), IsEmpty());
}

// RFC 3261 §17.1.2.2: Timer K absorbs copies for T4 [timer-k]
TEST_F(NonInviteClient, FinalIsPassedOnceAndCopiesAreAbsorbedUntilTimerK) {
  NonInviteClientTransaction machine = start();
  receive(machine, 200);
  EXPECT_EQ(count<PassResponse>(out_), 1u);
  receive(machine, 200);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_EQ(machine.deadline(), kStart + 5s);
  EXPECT_THAT(run(machine, 5s), IsEmpty());
  EXPECT_EQ(count<Terminated>(out_), 1u);
  EXPECT_EQ(count<Failed>(out_), 0u);
}

// RFC 3261 §17.1.2.2: Timer K is 0 over reliable transports [timer-k]
TEST_F(NonInviteClient, TimerKIsZeroOverReliableTransport) {
  NonInviteClientTransaction machine = start(tcp());
  receive(machine, 404);
  EXPECT_EQ(count<Terminated>(out_), 1u);
}

// RFC 3261 §17.1.2: no ACK to other requests than INVITE [race-bye-acknowledged]
TEST_F(NonInviteClient, NothingIsEverAcknowledged) {
  NonInviteClientTransaction machine = start();
  receive(machine, 481);
  EXPECT_EQ(count<Transmit>(out_), 0u);
}

TEST_F(NonInviteClient, TransportFailureEndsItBeforeTheFinalOnly) {
  NonInviteClientTransaction failing = start();
  out_.clear();
  failing.fail(Cause::flow_closed, out_);
  EXPECT_EQ(last<Failed>(out_)->cause, Cause::flow_closed);
  EXPECT_EQ(count<Terminated>(out_), 1u);

  NonInviteClientTransaction answered = start();
  receive(answered, 200);
  out_.clear();
  answered.fail(Cause::transport, out_);
  EXPECT_THAT(out_, IsEmpty());
}

}  // namespace
}  // namespace trunkline::sip
