#include "sip/reliable_provisional.hpp"

#include "transaction_messages.hpp"
#include <gmock/gmock.h>
#include <set>

// Reliable provisional responses (RFC 3262) of both sides, with a clock that is a variable.
namespace trunkline::sip {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using Verdict = ReliableOrder::Verdict;

class ReliableSender : public ::testing::Test {
 protected:
  void take(std::string_view extra, std::uint64_t seed = 1) {
    SeededRandom random(seed);
    invite_ = parsed(request_text("INVITE", {.cseq = "7", .extra = std::string(extra)}));
    machine_.emplace(invite_, TransactionTimers{}, random);
  }
  void respond(int status, std::string_view sdp = {}) {
    out_.clear();
    Message response = answer(invite_, status);
    response.set_body("application/sdp", sdp);
    machine_->respond(std::move(response), now_, out_);
  }
  bool prack(std::uint32_t rseq, std::uint32_t sequence = 7, Method method = Method::invite) {
    out_.clear();
    return machine_->acknowledge({rseq, CSeq{sequence, method, std::string(method_name(method))}},
                                 now_, out_);
  }
  /// When copies went out, in milliseconds from now on, until `duration` has passed.
  std::vector<std::int64_t> run(Duration duration) {
    std::vector<std::int64_t> times;
    const TimePoint from = now_;
    while (machine_->deadline() <= from + duration) {
      now_ = machine_->deadline();
      out_.clear();
      due_ = machine_->on_deadline(now_, out_);
      for (std::size_t copy = 0; copy < out_.size(); ++copy)
        times.push_back(std::chrono::duration_cast<milliseconds>(now_ - from).count());
    }
    now_ = from + duration;
    return times;
  }
  std::vector<int> statuses() const {
    std::vector<int> found;
    for (const Message& response : out_)
      found.push_back(response.status());
    return found;
  }
  static std::uint32_t rseq(const Message& response) {
    return parse_delta_seconds(response.header(HeaderName::rseq).value_or("")).value_or(0);
  }

  TimePoint now_ = kStart;
  Message invite_;
  std::optional<ReliableResponses> machine_;
  std::vector<Message> out_;
  ReliableResponses::Due due_ = ReliableResponses::Due::nothing;
};

constexpr std::string_view kRequire = "Require: 100rel\r\n";
constexpr std::string_view kSupport = "Supported: timer, 100Rel\r\n";

TEST_F(ReliableSender, TheInviteSaysWhatItTakes) {
  const auto demand = [](std::string extra) {
    return reliable_demand(parsed(request_text("INVITE", {.extra = std::move(extra)})));
  };
  EXPECT_EQ(demand(""), ReliableDemand::none);
  EXPECT_EQ(demand(std::string(kSupport)), ReliableDemand::supported);
  EXPECT_EQ(demand("Require: timer, 100rel\r\n"), ReliableDemand::required);
}

// RFC 3262 §3: an INVITE that requires 100rel gets each 101-199 reliably, with Require and RSeq
// [rel100-required]
TEST_F(ReliableSender, RequiredEachProvisionalIsReliableButThe100) {
  take(kRequire);
  respond(100);
  ASSERT_THAT(statuses(), ElementsAre(100));
  EXPECT_FALSE(out_[0].header(HeaderName::rseq));
  EXPECT_EQ(machine_->deadline(), kNever);
  respond(180);
  ASSERT_THAT(statuses(), ElementsAre(180));
  EXPECT_EQ(out_[0].header(HeaderName::require), "100rel");
  EXPECT_GE(rseq(out_[0]), 1U);
}

// RFC 3262 §3: an INVITE that supports 100rel gets what bears a session description reliably
TEST_F(ReliableSender, SupportedOnlyADescriptionIsWorthIt) {
  take(kSupport);
  respond(180);
  ASSERT_THAT(statuses(), ElementsAre(180));
  EXPECT_FALSE(out_[0].header(HeaderName::rseq));
  EXPECT_EQ(machine_->deadline(), kNever);
  respond(183, "v=0");
  ASSERT_THAT(statuses(), ElementsAre(183));
  EXPECT_EQ(out_[0].header(HeaderName::require), "100rel");
}

// RFC 3262 §3: the first RSeq is chosen from 1 to 2^31-1, each next one is one higher [rel100-rseq]
TEST_F(ReliableSender, RSeqBeginsAnywhereAndRisesByOne) {
  std::set<std::uint32_t> firsts;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    take(kRequire, seed);
    respond(180);
    const std::uint32_t first = rseq(out_.at(0));
    EXPECT_GE(first, 1U);
    EXPECT_LE(first, 0x7fffffffU);
    firsts.insert(first);
    EXPECT_TRUE(prack(first));
    respond(181);
    EXPECT_EQ(rseq(out_.at(0)), first + 1);
    EXPECT_TRUE(prack(first + 1));
  }
  EXPECT_GT(firsts.size(), 95U);
}

// RFC 3262 §3: copies at T1, doubling without T2, and after 64*T1 the INVITE gets a 5xx
// [rel100-retransmission]
TEST_F(ReliableSender, CopiesDoubleWithoutBoundUntil64T1) {
  take(kRequire);
  respond(180);
  const std::string sent = out_[0].serialize();
  EXPECT_THAT(run(500ms), ElementsAre(500));
  EXPECT_EQ(out_.at(0).serialize(), sent);
  EXPECT_THAT(run(31s), ElementsAre(1000, 3000, 7000, 15000, 31000));
  EXPECT_EQ(due_, ReliableResponses::Due::nothing);
  EXPECT_THAT(run(1s), IsEmpty());
  EXPECT_EQ(due_, ReliableResponses::Due::given_up);
  EXPECT_TRUE(machine_->given_up());
  EXPECT_EQ(machine_->deadline(), kNever);
  respond(504);
  EXPECT_THAT(statuses(), ElementsAre(504));
}

TEST_F(ReliableSender, A2xxThatWaitedInVainIsNeverSent) {
  take(kSupport);
  respond(183, "v=0");
  const auto first = rseq(out_.at(0));
  respond(200, "v=0");
  run(33s);
  EXPECT_EQ(due_, ReliableResponses::Due::given_up);
  EXPECT_TRUE(machine_->holds_success()) << "the peer has no final response yet";
  respond(504);
  EXPECT_THAT(statuses(), ElementsAre(504));
  EXPECT_TRUE(prack(first));
  EXPECT_THAT(statuses(), IsEmpty());
}

// RFC 3262 §3: a PRACK ends the copies
TEST_F(ReliableSender, APrackEndsTheCopies) {
  take(kRequire);
  respond(180);
  const auto first = rseq(out_.at(0));
  run(700ms);
  EXPECT_TRUE(prack(first));
  EXPECT_THAT(run(40s), IsEmpty());
}

// RFC 3262 §3: the next reliable provisional waits for the PRACK of the one before [rel100-order]
TEST_F(ReliableSender, TheNextWaitsForThePrackOfTheOneBefore) {
  take(kRequire);
  respond(180);
  const auto first = rseq(out_.at(0));
  respond(181);
  EXPECT_THAT(statuses(), IsEmpty());
  respond(183, "v=0");
  EXPECT_THAT(statuses(), IsEmpty());
  EXPECT_TRUE(prack(first));
  EXPECT_THAT(statuses(), ElementsAre(181));
  EXPECT_EQ(rseq(out_[0]), first + 1);
  EXPECT_TRUE(prack(first + 1));
  EXPECT_THAT(statuses(), ElementsAre(183));
  EXPECT_EQ(out_[0].body(), "v=0");
  EXPECT_THAT(run(1600ms), ElementsAre(500, 1500)) << "timers of its own";
}

TEST_F(ReliableSender, WhatWaitsIsBoundedAndKeepsItsDescription) {
  take(kRequire);
  respond(180);
  const auto first = rseq(out_.at(0));
  respond(183, "v=0");
  for (int round = 0; round < 100; ++round)
    respond(182);
  std::size_t sent = 0, described = 0;
  for (std::uint32_t next = first; prack(next); ++next) {
    sent += out_.size();
    for (const Message& response : out_)
      described += response.body().empty() ? 0 : 1;
  }
  EXPECT_EQ(sent, 8U);
  EXPECT_EQ(described, 1U);
}

// RFC 3262 §3: a 2xx waits for the PRACK of a reliable provisional with a session description
// [rel100-order]
TEST_F(ReliableSender, A2xxWaitsForThePrackOfADescription) {
  take(kSupport);
  respond(183, "v=0");
  const auto first = rseq(out_.at(0));
  respond(200, "v=0");
  EXPECT_THAT(statuses(), IsEmpty());
  EXPECT_TRUE(machine_->holds_success());
  respond(180);
  EXPECT_THAT(statuses(), IsEmpty()) << "nothing comes after a 2xx";
  EXPECT_TRUE(prack(first));
  EXPECT_THAT(statuses(), ElementsAre(200));
  EXPECT_FALSE(machine_->holds_success());
  EXPECT_TRUE(machine_->settled());
}

// RFC 3262 §3: a 2xx does not wait for the PRACK of a provisional without a session description
TEST_F(ReliableSender, A2xxDoesNotWaitForAPlainProvisional) {
  take(kRequire);
  respond(180);
  const auto first = rseq(out_.at(0));
  respond(183, "v=0");
  respond(200, "v=0");
  ASSERT_THAT(statuses(), ElementsAre(200));
  EXPECT_EQ(out_[0].body(), "v=0") << "the 183 with it never left";
  EXPECT_THAT(run(40s), IsEmpty()) << "no copies after the final response";
  EXPECT_TRUE(prack(first)) << "its PRACK may still come";
  EXPECT_THAT(statuses(), IsEmpty());
}

// RFC 3262 §3: a refusal waits for no PRACK, and the PRACK that crosses it still matches
TEST_F(ReliableSender, ARefusalWaitsForNothing) {
  take(kRequire);
  respond(183, "v=0");
  const auto first = rseq(out_.at(0));
  respond(200, "v=0");
  respond(487);
  EXPECT_THAT(statuses(), ElementsAre(487));
  EXPECT_FALSE(machine_->holds_success());
  EXPECT_THAT(run(40s), IsEmpty());
  EXPECT_TRUE(prack(first));
  EXPECT_THAT(statuses(), IsEmpty());
  respond(200);
  EXPECT_THAT(statuses(), IsEmpty()) << "one final response";
}

// RFC 3261 §13.2.1: after a description went out reliably no later response bears one
TEST_F(ReliableSender, ADescriptionThatCameReliablyIsNotRepeated) {
  take(kRequire);
  respond(183, "v=0");
  const auto first = rseq(out_.at(0));
  EXPECT_TRUE(prack(first));
  respond(180, "v=0");
  ASSERT_THAT(statuses(), ElementsAre(180));
  EXPECT_EQ(out_[0].body(), "");
  EXPECT_TRUE(prack(first + 1));
  respond(200, "v=0");
  ASSERT_THAT(statuses(), ElementsAre(200));
  EXPECT_EQ(out_[0].body(), "");
  EXPECT_FALSE(out_[0].header(HeaderName::content_type));
}

// RFC 3262 §3: a PRACK matches by RSeq, CSeq number and method of its RAck, once [rel100-rack]
TEST_F(ReliableSender, APrackMatchesByItsWholeRAckAndOnce) {
  take(kRequire);
  EXPECT_FALSE(prack(1)) << "nothing was sent";
  respond(180);
  const auto first = rseq(out_.at(0));
  EXPECT_FALSE(prack(first + 1));
  EXPECT_FALSE(prack(first, 8));
  EXPECT_FALSE(prack(first, 7, Method::update));
  EXPECT_TRUE(prack(first));
  EXPECT_FALSE(prack(first));
}

// ---------------------------------------------------------------- the side that acknowledges

Message reliable(int status, std::string_view rseq, std::string_view require = "100rel") {
  Message response = answer(parsed(request_text("INVITE", {.cseq = "12"})), status);
  if (!require.empty()) response.add(HeaderName::require, require);
  if (!rseq.empty()) response.add(HeaderName::rseq, rseq);
  return response;
}

// RFC 3262 §4: each RSeq in order is acknowledged once, a copy not again [prack-sent]
TEST(ReliableOrder, EachInOrderIsAcknowledgedOnce) {
  ReliableOrder order;
  EXPECT_EQ(order.receive(reliable(180, "4000000000")), Verdict::next);
  EXPECT_EQ(order.receive(reliable(180, "4000000000")), Verdict::copy);
  EXPECT_EQ(order.receive(reliable(183, "4000000001")), Verdict::next);
  EXPECT_EQ(order.receive(reliable(180, "4000000000")), Verdict::copy);
}

// RFC 3262 §4: one out of order is neither acknowledged nor processed, until the missing one came
// [prack-sent]
TEST(ReliableOrder, OneOutOfOrderIsNotAcknowledged) {
  ReliableOrder order;
  EXPECT_EQ(order.receive(reliable(180, "1")), Verdict::next);
  EXPECT_EQ(order.receive(reliable(183, "3")), Verdict::out_of_order);
  EXPECT_EQ(order.receive(reliable(181, "2")), Verdict::next);
  EXPECT_EQ(order.receive(reliable(183, "3")), Verdict::next);
}

TEST(ReliableOrder, WithoutRequireOrAReadableRSeqItIsUnreliable) {
  ReliableOrder order;
  EXPECT_EQ(order.receive(reliable(180, "1", "")), Verdict::unreliable);
  EXPECT_EQ(order.receive(reliable(180, "")), Verdict::unreliable);
  EXPECT_EQ(order.receive(reliable(180, "0")), Verdict::unreliable);
  EXPECT_EQ(order.receive(reliable(180, "x")), Verdict::unreliable);
  EXPECT_EQ(order.receive(reliable(100, "1")), Verdict::unreliable);
  EXPECT_EQ(order.receive(reliable(200, "1")), Verdict::unreliable);
}

// RFC 3262 §7.2: RAck names the RSeq and the CSeq of the response [prack-challenged]
TEST(ReliableOrder, TheRAckNamesTheResponse) {
  EXPECT_EQ(ReliableOrder::rack_of(reliable(183, "776656")).text(), "776656 12 INVITE");
}

}  // namespace
}  // namespace trunkline::sip
