#include "call/trace.hpp"

#include "unit/call/trace_messages.hpp"
#include <gmock/gmock.h>

namespace trunkline::call {
namespace {

using namespace traced;
using testing::ElementsAre;
using testing::IsNull;
using testing::NotNull;

constexpr TimePoint kNow{seconds{1000}};

std::vector<std::string> methods(const CallTrace& trace) {
  std::vector<std::string> all;
  for (const TraceEntry& entry : trace.entries()) {
    const TraceSummary summary = summarize(entry.bytes);
    all.push_back(summary.status == 0 ? summary.method : std::to_string(summary.status));
  }
  return all;
}

// ---------------------------------------------------------------- where the Call-ID stands

TEST(FindCallIdTest, FindsLongAndCompactFormsInAnyCase) {
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nCall-ID: abc@d\r\n\r\n"), "abc@d");
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nCALL-id:abc\r\n\r\n"), "abc");
  EXPECT_EQ(find_call_id("SIP/2.0 200 OK\r\nTo: x\r\ni: abc\r\n\r\n"), "abc");
  EXPECT_EQ(find_call_id("SIP/2.0 200 OK\r\nI \t:  abc \t\r\n\r\n"), "abc");
  EXPECT_EQ(find_call_id("\r\n\r\nSIP/2.0 200 OK\r\nCall-ID: abc\r\n\r\n"), "abc");
}

TEST(FindCallIdTest, JoinsWhatIsFolded) {
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nCall-ID:\r\n  abc\r\nTo: x\r\n\r\n"), "abc");
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nCall-ID: abc\r\n\t\r\nTo: x\r\n\r\n"), "abc");
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nSubject: x\r\n Call-ID: no\r\ni: abc\r\n\r\n"),
            "abc");
}

TEST(FindCallIdTest, TakesTheFirstAndLooksNeitherIntoBodiesNorIntoOtherFields) {
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nCall-ID: a\r\nCall-ID: b\r\n\r\n"), "a");
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nTo: x\r\n\r\nCall-ID: b\r\n"), "");
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nX-Call-ID: a\r\nCall-IDs: b\r\nin: c\r\n\r\n"),
            "");
  // A line feed alone ends no line: whoever smuggles one in finds no other call's trace.
  EXPECT_EQ(find_call_id("BYE sip:a@b SIP/2.0\r\nTo: x\nCall-ID: other\r\ni: abc\r\n\r\n"), "abc");
}

TEST(FindCallIdTest, SurvivesJunk) {
  using namespace std::string_view_literals;
  for (const std::string_view junk :
       {""sv, "\r\n"sv, "\r\n\r\n"sv, "\0"sv, "Call-ID"sv, "Call-ID:"sv, "Call-ID:\r\n"sv,
        "Call-ID:\r\n "sv, "x\r\ni"sv, "x\r\ni:"sv, "\r"sv, "x\r"sv}) {
    EXPECT_EQ(find_call_id(junk), "") << junk;
  }
  EXPECT_EQ(find_call_id("x\r\nCall-ID: abc"), "abc");
  std::string noise;
  for (int seed = 0; seed < 4096; ++seed)
    noise += static_cast<char>(seed * 131 >> 3);
  for (std::size_t from = 0; from < noise.size(); from += 7)
    EXPECT_EQ(find_call_id(std::string_view(noise).substr(from)), "");
}

TEST(SummarizeTest, TellsRequestsFromResponses) {
  TraceSummary summary = summarize(request("INVITE", "a", 7, "c: application/SDP\r\n", "v=0"));
  EXPECT_EQ(summary.method, "INVITE");
  EXPECT_EQ(summary.status, 0);
  EXPECT_EQ(summary.cseq, "7");
  EXPECT_TRUE(summary.description);
  summary = summarize(response("486 Busy Here", "a", 8, "INVITE"));
  EXPECT_EQ(summary.method, "INVITE");
  EXPECT_EQ(summary.status, 486);
  EXPECT_EQ(summary.reason, "Busy Here");
  EXPECT_EQ(summary.cseq, "8");
  EXPECT_FALSE(summary.description);
  summary = summarize("\x01\x02junk");
  EXPECT_EQ(summary.status, 0);
  EXPECT_EQ(summary.cseq, "");
}

// ---------------------------------------------------------------- calls

class TracesTest : public testing::Test {
 protected:
  void start(TraceLimits limits = {}) {
    traces_ = Traces(limits);
    traces_.add_leg(kCall, from_leg());
  }
  const CallTrace& trace(std::string_view call = kCall) {
    const CallTrace* found = traces_.find(call, kNow);
    EXPECT_THAT(found, NotNull());
    static const CallTrace kNone{""};
    return found == nullptr ? kNone : *found;
  }
  /// One more call with a message, live.
  void another_call(const std::string& name, std::size_t size = 0) {
    traces_.add_leg(name, {"leg", "user:bob", true, "id-of-" + name});
    traces_.record(from_browser(
        request("INVITE", "id-of-" + name, 1, "Subject: " + std::string(size, '-') + "\r\n"), 0));
  }
  Traces traces_;
};

TEST_F(TracesTest, KeepsTheMessagesOfBothLegsInOrder) {
  start();
  traces_.add_leg(kCall, to_leg());
  traces_.record(from_browser(request("INVITE", kFromId), 0));
  traces_.record(to_trunk(request("INVITE", kToId), 1));
  traces_.record(from_trunk(response("180 Ringing", kToId), 5));
  traces_.record(to_browser(response("180 Ringing", kFromId), 6));
  traces_.record(from_trunk(response("200 OK", "someone else's"), 7));
  EXPECT_THAT(methods(trace()), ElementsAre("INVITE", "INVITE", "180", "180"));
  const TraceEntry& second = trace().entries()[1];
  EXPECT_EQ(second.leg, 1u);
  EXPECT_TRUE(second.sent);
  EXPECT_EQ(second.remote.text(), "198.51.100.7:5070");
  EXPECT_EQ(second.bytes, request("INVITE", kToId));
  EXPECT_EQ(second.at, at(1));
}

TEST_F(TracesTest, WhatCameBeforeTheCallWasMadeIsClaimedWithTheChallenge) {
  traces_.record(from_browser(request("REGISTER", kFromId), 0));
  traces_.record(from_browser(request("INVITE", kFromId, 1), 1));
  traces_.record(to_browser(response("407 Proxy Authentication Required", kFromId, 1), 2));
  traces_.record(from_browser(request("ACK", kFromId, 1), 3));
  traces_.record(from_browser(request("INVITE", "another"), 4));
  traces_.record(from_browser(request("INVITE", kFromId, 2), 5));
  traces_.add_leg(kCall, from_leg());
  traces_.record(to_browser(response("100 Trying", kFromId, 2), 6));
  EXPECT_THAT(methods(trace()), ElementsAre("INVITE", "407", "ACK", "INVITE", "100"));
}

TEST_F(TracesTest, WhatNoCallClaimsIsBounded) {
  TraceLimits limits;
  limits.unclaimed_messages = 3;
  limits.unclaimed_bytes = 4000;
  traces_ = Traces(limits);
  for (int i = 0; i < 10; ++i)
    traces_.record(from_browser(request("INVITE", kFromId, i), i));
  traces_.add_leg(kCall, from_leg());
  EXPECT_EQ(trace().entries().size(), 3u);
  EXPECT_EQ(summarize(trace().entries().front().bytes).cseq, "7");
  const std::size_t before = traces_.bytes();
  traces_.record(
      from_browser(request("INVITE", "huge", 1, "Subject: " + std::string(5000, '-') + "\r\n"), 1));
  EXPECT_EQ(traces_.bytes(), before);
}

TEST_F(TracesTest, CopiesAreCountedAlsoWithOthersBetween) {
  start();
  traces_.add_leg(kCall, to_leg());
  const std::string invite = request("INVITE", kToId);
  traces_.record(to_trunk(invite, 0));
  traces_.record(from_browser(request("INFO", kFromId), 100));
  traces_.record(to_trunk(invite, 500));
  traces_.record(to_trunk(invite, 1500));
  traces_.record(from_trunk(invite, 1600));  // the same octets, but back to us
  ASSERT_THAT(methods(trace()), ElementsAre("INVITE", "INFO", "INVITE"));
  EXPECT_EQ(trace().entries()[0].copies, 3u);
  EXPECT_EQ(trace().entries()[0].at, at(0));
  EXPECT_EQ(trace().entries()[0].last_at, at(1500));
  EXPECT_EQ(trace().entries()[2].copies, 1u);
}

TEST_F(TracesTest, TheFirstAndTheLastMessagesStay) {
  TraceLimits limits;
  limits.first_messages = 3;
  limits.last_messages = 4;
  start(limits);
  for (int i = 0; i < 20; ++i)
    traces_.record(from_browser(request("INFO", kFromId, i), i));
  std::vector<std::string> numbers;
  for (const TraceEntry& entry : trace().entries())
    numbers.push_back(summarize(entry.bytes).cseq);
  EXPECT_THAT(numbers, ElementsAre("0", "1", "2", "16", "17", "18", "19"));
  EXPECT_EQ(trace().dropped(), 13u);
  EXPECT_EQ(trace().entries()[3].left_out_before, 13u);
}

TEST_F(TracesTest, ACallsOctetsAreBounded) {
  TraceLimits limits;
  limits.call_bytes = 20'000;
  limits.message_bytes = 3000;
  start(limits);
  for (int i = 0; i < 50; ++i) {
    traces_.record(from_browser(
        request("INFO", kFromId, i, "Subject: " + std::string(4000, '-') + "\r\n"), i));
  }
  EXPECT_LE(trace().bytes(), limits.call_bytes);
  EXPECT_EQ(trace().entries().size() + trace().dropped(), 50u);
  EXPECT_EQ(summarize(trace().entries().front().bytes).cseq, "0");
  EXPECT_EQ(summarize(trace().entries().back().bytes).cseq, "49");
  EXPECT_EQ(trace().entries().front().bytes.size(), 3000u);
  EXPECT_GT(trace().entries().front().full_size, 4000u);
  std::size_t left_out = 0;
  for (const TraceEntry& entry : trace().entries())
    left_out += entry.left_out_before;
  EXPECT_EQ(left_out, trace().dropped());
}

TEST_F(TracesTest, AnEndedCallIsKeptForAWhileAndHearsItsLastMessages) {
  start();
  traces_.record(from_browser(request("BYE", kFromId), 0));
  traces_.ended(kCall, kNow);
  traces_.ended(kCall, kNow + seconds{200});  // once is enough
  traces_.record(to_browser(response("200 OK", kFromId, 1, "BYE"), 1));
  EXPECT_THAT(methods(trace()), ElementsAre("BYE", "200"));
  const TimePoint late = kNow + TraceLimits{}.ended_for;
  EXPECT_THAT(traces_.find(kCall, late - milliseconds{1}), NotNull());
  EXPECT_THAT(traces_.find(kCall, late), IsNull());
  EXPECT_THAT(traces_.find("unknown", kNow), IsNull());
  another_call("next");
  traces_.ended("next", late);
  EXPECT_EQ(traces_.calls(), 1u);
}

TEST_F(TracesTest, EndedCallsAreBoundedAndTheOldestGoesFirst) {
  TraceLimits limits;
  limits.ended_calls = 2;
  traces_ = Traces(limits);
  for (const std::string name : {"a", "b", "c"})
    another_call(name);
  const std::size_t all = traces_.bytes();
  for (const std::string name : {"b", "a", "c"})
    traces_.ended(name, kNow);
  EXPECT_THAT(traces_.find("b", kNow), IsNull());
  EXPECT_THAT(traces_.find("a", kNow), NotNull());
  EXPECT_THAT(traces_.find("c", kNow), NotNull());
  EXPECT_EQ(traces_.bytes(), all / 3 * 2);
  traces_.record(from_browser(request("INFO", "id-of-b"), 0));
  EXPECT_EQ(traces_.bytes(), all / 3 * 2);
}

TEST_F(TracesTest, AllCallsTogetherAreBounded) {
  TraceLimits limits;
  limits.total_bytes = 20'000;
  traces_ = Traces(limits);
  for (const std::string name : {"old", "live", "new"})
    another_call(name, 5000);
  traces_.ended("old", kNow);
  another_call("more", 5000);
  EXPECT_THAT(traces_.find("old", kNow), IsNull());
  for (const std::string name : {"live", "new", "more"})
    EXPECT_EQ(trace(name).entries().size(), 1u) << name;
  // No ended call is left to make room: the newest messages stay out, and that is told.
  another_call("late", 5000);
  EXPECT_EQ(trace("late").entries().size(), 0u);
  EXPECT_EQ(trace("late").dropped(), 1u);
  traces_.ended("live", kNow);
  traces_.record(from_browser(request("INFO", "id-of-late"), 1));
  ASSERT_EQ(trace("late").entries().size(), 1u);
  EXPECT_EQ(trace("late").entries()[0].left_out_before, 1u);
  EXPECT_LE(traces_.bytes(), limits.total_bytes);
}

TEST_F(TracesTest, EverythingIsGivenBack) {
  TraceLimits limits;
  limits.ended_calls = 0;
  traces_ = Traces(limits);
  for (int i = 0; i < 100; ++i)
    another_call(std::to_string(i), static_cast<std::size_t>(i));
  for (int i = 0; i < 100; ++i)
    traces_.ended(std::to_string(i), kNow);
  EXPECT_EQ(traces_.calls(), 0u);
  EXPECT_EQ(traces_.bytes(), 0u);
}

TEST_F(TracesTest, ALegsNextCallIdIsItsOwnToo) {
  start();
  traces_.add_leg(kCall, {"leg-1", "user:alice", true, "second"});
  const std::size_t before = traces_.bytes();
  traces_.add_leg(kCall, {"leg-1", "user:alice", true, "second"});
  EXPECT_EQ(traces_.bytes(), before);
  traces_.record(from_browser(request("INVITE", kFromId), 0));
  traces_.record(from_browser(request("INVITE", "second"), 1));
  EXPECT_EQ(trace().legs().size(), 1u);
  EXPECT_EQ(trace().entries().size(), 2u);
}

TEST_F(TracesTest, LegsAreBounded) {
  TraceLimits limits;
  limits.legs = 4;
  traces_ = Traces(limits);
  for (int i = 0; i < 100; ++i) {
    const std::string id = std::to_string(i);
    traces_.add_leg(kCall, {"leg-" + id, "user:bob", i == 0, "id-" + id});
    traces_.record(to_browser(request("INVITE", "id-" + id), i));
  }
  EXPECT_EQ(trace().legs().size(), 4u);
  EXPECT_EQ(trace().entries().size(), 4u);
}

TEST_F(TracesTest, ASharedCallIdIsTheLaterCalls) {
  start();
  traces_.add_leg("call-2", {"leg-9", "trunk:carrier", true, std::string(kFromId)});
  traces_.record(from_trunk(request("INVITE", kFromId), 0));
  EXPECT_EQ(trace().entries().size(), 0u);
  EXPECT_EQ(trace("call-2").entries().size(), 1u);
  // The earlier one goes and leaves the place to whom it belongs.
  traces_.ended(kCall, kNow);
  another_call("other");
  traces_.ended("other", kNow + TraceLimits{}.ended_for);
  traces_.record(from_trunk(response("100 Trying", kFromId), 1));
  EXPECT_EQ(trace("call-2").entries().size(), 2u);
}

}  // namespace
}  // namespace trunkline::call
