#include "call_control/call_journal.hpp"

#include "base/random.hpp"

#include "trunkline/v1/call_service.pb.h"
#include "trunkline/v1/registration_service.pb.h"
#include "trunkline/v1/status.pb.h"
#include "unit/call_control/calls.hpp"
#include "unit/call_control/details.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

namespace trunkline::call_control {
namespace {

using call::EndReason;
using call::Failure;
using testing::ElementsAre;

const Failure kBusy = Failure::from_response(486, "Busy Here");

class CallJournalTest : public testing::Test {
 protected:
  EventFeed calls{'c', 7, {10000, 1 << 24, 9000}}, registrations{'r', 7, {100, 1 << 20, 50}};
  CallJournal journal{{"edge-1", 2, std::chrono::minutes{10}}, calls, registrations};
  TimePoint now{};
  std::vector<Settled> settled;

  CallJournalTest() {
    journal.begin_calls();
    journal.begin_registrations({});
  }

  template <class Seen>
  void observe(const Seen& seen) {
    journal.observe(seen, now, settled);
  }
  std::vector<v1::WatchCallsResponse> events(std::int64_t from = 1) {
    std::deque<Bytes> raw;
    calls.read(from, 10000, 10000, raw);
    std::vector<v1::WatchCallsResponse> out(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i)
      EXPECT_TRUE(out[i].ParseFromString(*raw[i]));
    return out;
  }
};

TEST_F(CallJournalTest, each_observation_is_an_event_with_both_numbers) {
  const call::CallView call = new_call("c1"), other = new_call("c2");
  observe(call::CallStarted{call});
  observe(call::CallStarted{other});
  observe(call::CallRinging{ringing(call), 183});
  observe(call::CallAnswered{answered(call)});
  const auto all = events();
  ASSERT_EQ(all.size(), 4U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].sequence(), static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(calls.resume(all[i].resume_token()), all[i].sequence() + 1);
  }
  EXPECT_TRUE(all[0].event().has_created());
  EXPECT_EQ(all[1].event().call_sequence(), 1);
  EXPECT_EQ(all[2].event().call_sequence(), 2);
  EXPECT_EQ(all[2].event().ringing().sip_code(), 183);
  EXPECT_EQ(all[3].event().call_sequence(), 3);
  EXPECT_EQ(all[3].event().call().state(), v1::CALL_STATE_ANSWERED);
}

TEST_F(CallJournalTest, a_call_is_told_as_the_contract_says) {
  observe(call::CallAnswered{answered(new_call("c1"))});
  const v1::Call call = events()[0].event().call();
  EXPECT_EQ(call.call_id(), "c1");
  EXPECT_EQ(call.from(), "user:alice");
  EXPECT_EQ(call.to(), "+4930123");
  EXPECT_EQ(call.trunk(), "carrier");
  EXPECT_EQ(call.node(), "edge-1");
  EXPECT_EQ(call.direction(), v1::CALL_DIRECTION_OUTBOUND);
  EXPECT_EQ(call.create_time().seconds(), 1'700'000'000);
  EXPECT_EQ(call.answer_time().nanos(), 500'000'000);
  EXPECT_FALSE(call.has_end_time());
  ASSERT_EQ(call.legs_size(), 2);
  EXPECT_EQ(call.legs(1).sip_call_id(), "c1@gw");
}

TEST_F(CallJournalTest, the_end_has_the_status_that_the_rpc_would_have) {
  const call::CallView over = ended(ringing(new_call("c1")), kBusy);
  observe(call::CallStarted{new_call("c1")});
  observe(call::LegEnded{over, over.legs[1]});
  observe(call::CallEnded{over, kBusy});
  const auto all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].event().leg_ended().leg_id(), "to");
  EXPECT_EQ(all[1].event().leg_ended().end().sip_code(), 486);
  const v1::CallEnd& end = all[2].event().ended().end();
  EXPECT_EQ(end.sip_code(), 486);
  EXPECT_EQ(end.reason(), "CALLEE_BUSY");
  EXPECT_EQ(end.ended_by(), v1::ENDED_BY_CALLEE);
  EXPECT_EQ(end.fault(), v1::FAULT_USER);
  EXPECT_EQ(end.status().code(), 9);
  EXPECT_EQ(end.SerializeAsString(), all[2].event().call().end().SerializeAsString());
  const auto sip = detail<v1::SipStatus>(end.status());
  ASSERT_TRUE(sip);
  EXPECT_EQ(sip->leg_id(), "to");
  EXPECT_EQ(sip->sip_call_id(), "c1@gw");
}

TEST_F(CallJournalTest, a_failed_from_leg_is_named_in_the_status) {
  call::CallView over = ended(new_call("c1"), kBusy);
  over.from_failed = true;
  observe(call::CallEnded{over, kBusy});
  const auto info = detail<google::rpc::ErrorInfo>(events()[0].event().ended().end().status());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->metadata().at("leg"), "from");
}

TEST_F(CallJournalTest, keys_say_whether_they_were_pressed_or_sent) {
  for (const bool sent : {false, true})
    observe(call::DtmfPassed{answered(new_call("c1")), "to", '#', "rfc4733", sent});
  const auto all = events();
  EXPECT_EQ(all[0].event().dtmf().digit(), "#");
  EXPECT_FALSE(all[0].event().dtmf().sent());
  EXPECT_TRUE(all[1].event().dtmf().sent());
}

TEST_F(CallJournalTest, a_hold_says_whose_and_who_asked) {
  observe(call::CallHeld{answered(new_call("c1")), true, "to", true});
  observe(call::CallHeld{answered(new_call("c1")), true, "from", false});
  observe(call::CallHeld{answered(new_call("c1")), false, "to", true});
  const auto all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].event().held().leg_id(), "to");
  EXPECT_TRUE(all[0].event().held().by_api());
  EXPECT_EQ(all[1].event().held().leg_id(), "from");
  EXPECT_FALSE(all[1].event().held().by_api());
  EXPECT_EQ(all[2].event().resumed().leg_id(), "to");
  EXPECT_TRUE(all[2].event().resumed().by_api());
}

TEST_F(CallJournalTest, a_parked_call_says_how_long_it_waits) {
  observe(call::CallParked{new_call("c1"), milliseconds{2500}});
  const auto timeout = events()[0].event().parked().timeout();
  EXPECT_EQ(timeout.seconds(), 2);
  EXPECT_EQ(timeout.nanos(), 500'000'000);
}

TEST_F(CallJournalTest, an_end_by_the_api_is_told_as_such) {
  call::Failure end = call::Failure::local(call::EndReason::hangup);
  end.ended_by = call::EndedBy::api;
  observe(call::CallEnded{ended(answered(new_call("c1")), end), end});
  EXPECT_EQ(events()[0].event().call().end().ended_by(), v1::ENDED_BY_API);
}

TEST_F(CallJournalTest, a_service_is_never_the_leg_that_failed) {
  call::CallView over = ended(new_call("c1"), kBusy);
  over.legs[0].end = kBusy;
  over.legs[1].party = "service:echo";
  observe(call::CallEnded{over, kBusy});
  const auto sip = detail<v1::SipStatus>(events()[0].event().call().end().status());
  ASSERT_TRUE(sip);
  EXPECT_EQ(sip->leg_id(), "from");
}

TEST_F(CallJournalTest, a_snapshot_holds_the_live_calls_and_where_it_was_taken) {
  observe(call::CallStarted{new_call("c1")});
  observe(call::CallStarted{new_call("c2")});
  observe(call::CallAnswered{answered(new_call("c2"))});
  observe(call::CallEnded{ended(new_call("c1"), kBusy), kBusy});
  const Beginning beginning = journal.begin_calls();
  ASSERT_EQ(beginning.snapshot.size(), 1U);
  v1::WatchCallsResponse first, last;
  ASSERT_TRUE(first.ParseFromString(*beginning.number + *beginning.snapshot[0]));
  EXPECT_EQ(first.sequence(), 4);
  EXPECT_TRUE(first.resume_token().empty());
  EXPECT_EQ(first.snapshot().call().call_id(), "c2");
  EXPECT_EQ(first.snapshot().call_sequence(), 2);
  ASSERT_TRUE(last.ParseFromString(*beginning.end));
  EXPECT_EQ(last.sequence(), 4);
  EXPECT_EQ(last.snapshot_end().count(), 1);
  EXPECT_EQ(calls.resume(last.resume_token()), 5);
  EXPECT_EQ(beginning.position, 5);
}

TEST_F(CallJournalTest, streams_share_what_has_not_changed) {
  observe(call::CallStarted{new_call("c1")});
  observe(call::CallStarted{new_call("c2")});
  const Beginning one = journal.begin_calls();
  observe(call::CallRinging{ringing(new_call("c2"))});
  const Beginning two = journal.begin_calls();
  EXPECT_EQ(one.snapshot[0], two.snapshot[0]);
  EXPECT_NE(one.snapshot[1], two.snapshot[1]);
}

TEST_F(CallJournalTest, ended_calls_are_remembered_for_a_while) {
  for (const char* name : {"c1", "c2", "c3"})
    observe(call::CallEnded{ended(new_call(name), kBusy), kBusy});
  observe(call::CallStarted{new_call("c4")});
  EXPECT_EQ(journal.find("c1"), nullptr);
  ASSERT_NE(journal.find("c2"), nullptr);
  now += std::chrono::minutes{11};
  observe(call::CallRinging{ringing(new_call("c4"))});
  EXPECT_EQ(journal.find("c3"), nullptr);
  EXPECT_NE(journal.find("c4"), nullptr);
}

TEST_F(CallJournalTest, pages_neither_repeat_nor_skip) {
  for (const char* name : {"c1", "c2", "c3", "c4", "c5"})
    observe(call::CallStarted{new_call(name)});
  std::vector<std::string> names;
  const auto up_to = [&names](std::size_t size) {
    return [&names, size](const call::CallView& call) {
      if (names.size() == size) return false;
      names.push_back(call.name);
      return true;
    };
  };
  const std::uint64_t next = journal.list(0, up_to(2));
  EXPECT_NE(next, 0U);
  EXPECT_EQ(journal.list(next, up_to(5)), 0U);
  EXPECT_THAT(names, ElementsAre("c1", "c2", "c3", "c4", "c5"));
}

TEST_F(CallJournalTest, a_wait_is_settled_by_its_milestone_or_the_end) {
  observe(call::CallStarted{new_call("c1")});
  EXPECT_FALSE(journal.wait(1, "c1", Milestone::ringing));
  EXPECT_FALSE(journal.wait(2, "c1", Milestone::answered));
  observe(call::CallRinging{ringing(new_call("c1"))});
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_EQ(settled[0].wait, 1U);
  observe(call::CallEnded{ended(ringing(new_call("c1")), kBusy), kBusy});
  ASSERT_EQ(settled.size(), 2U);
  EXPECT_EQ(settled[1].wait, 2U);
  EXPECT_TRUE(settled[1].call.end);
  EXPECT_TRUE(journal.wait(3, "c1", Milestone::answered)) << "over already";
}

TEST_F(CallJournalTest, a_wait_that_is_forgotten_is_not_settled) {
  observe(call::CallStarted{new_call("c1")});
  EXPECT_FALSE(journal.wait(1, "c1", Milestone::answered));
  journal.forget(1);
  observe(call::CallAnswered{answered(new_call("c1"))});
  EXPECT_TRUE(settled.empty());
}

TEST_F(CallJournalTest, registrations_have_a_feed_of_their_own) {
  call::RegistrationChanged change{call::RegistrationChanged::Kind::added, {}};
  change.registration.user = "alice";
  change.registration.user_agent = "Odd \xff";
  observe(change);
  std::int64_t position = 1;
  std::deque<Bytes> raw;
  ASSERT_EQ(registrations.read(position, 10, 10, raw), EventFeed::Progress::read);
  v1::WatchRegistrationsResponse message;
  ASSERT_TRUE(message.ParseFromString(*raw[0]));
  EXPECT_EQ(message.event().change(), v1::REGISTRATION_CHANGE_ADDED);
  EXPECT_EQ(message.event().registration().user(), "alice");
  EXPECT_EQ(message.event().registration().user_agent(), "Odd \xef\xbf\xbd");
  EXPECT_EQ(calls.last_sequence(), 0);
}

/// A watcher that is cut off anywhere, and comes back with its last token, a hundred times.
TEST_F(CallJournalTest, who_resumes_sees_each_event_once) {
  SeededRandom random(3);
  std::vector<std::int64_t> seen;
  std::int64_t position = 1;
  std::string token = calls.token(0);
  int made = 0;
  for (int cut = 0; cut < 100; ++cut) {
    for (std::uint32_t i = random.below(20); i > 0; --i)
      observe(call::CallStarted{new_call("c" + std::to_string(++made))});
    const auto resumed = calls.resume(token);
    ASSERT_TRUE(resumed);
    position = *resumed;
    std::deque<Bytes> raw;
    calls.read(position, 10000, random.below(25), raw);
    for (const Bytes& bytes : raw) {
      v1::WatchCallsResponse message;
      ASSERT_TRUE(message.ParseFromString(*bytes));
      seen.push_back(message.sequence());
      token = message.resume_token();
    }
  }
  for (std::size_t i = 0; i < seen.size(); ++i)
    ASSERT_EQ(seen[i], static_cast<std::int64_t>(i) + 1);
  EXPECT_GT(seen.size(), 100U);
}

TEST(CallJournalWithoutReaders, counts_events_but_keeps_none) {
  EventFeed calls{'c', 7, {100, 1 << 20, 50}}, registrations{'r', 7, {100, 1 << 20, 50}};
  CallJournal journal{{"edge-1", 2, std::chrono::minutes{10}}, calls, registrations};
  std::vector<Settled> settled;
  const call::CallView call = new_call("c1");
  journal.observe(call::CallStarted{call}, {}, settled);
  journal.observe(call::CallRinging{ringing(call), 180}, {}, settled);
  EXPECT_EQ(calls.last_sequence(), 2);
  const Beginning beginning = journal.begin_calls();
  EXPECT_EQ(beginning.snapshot.size(), 1U);
  EXPECT_EQ(beginning.position, 3);
  journal.observe(call::CallAnswered{answered(call)}, {}, settled);
  std::int64_t position = beginning.position;
  std::deque<Bytes> raw;
  EXPECT_EQ(calls.read(position, 10, 10, raw), EventFeed::Progress::read);
  v1::WatchCallsResponse event;
  ASSERT_TRUE(event.ParseFromString(*raw.at(0)));
  EXPECT_EQ(event.sequence(), 3);
  EXPECT_EQ(event.event().call_sequence(), 3);
}

}  // namespace
}  // namespace trunkline::call_control
