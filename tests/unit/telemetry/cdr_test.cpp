#include "telemetry/cdr_record.hpp"
#include "telemetry/cdr_writer.hpp"
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/stat.h>

namespace trunkline::telemetry {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
namespace fs = std::filesystem;

const std::chrono::system_clock::time_point kStart{1'700'000'000s};

call::CallMeasured answered(std::uint64_t id = 1) {
  call::CallMeasured measured;
  call::CallView& call = measured.call;
  call.id = CallId{id};
  call.name = "c" + std::to_string(id);
  call.direction = call::Direction::outbound;
  call.trunk = "carrier";
  call.from = "user:alice";
  call.to = "trunk:carrier";
  call.dialled = "5551000";
  call.created = kStart;
  call.ringing = kStart + 2s;
  call.answered = kStart + 5s + 20ms;
  call.ended = kStart + 65s + 20ms;
  call.end = call::Failure::local(call::EndReason::hangup);
  call.end->ended_by = call::EndedBy::callee;
  call.metadata["order"] = "17";
  for (const char* id_of : {"from", "to"}) {
    call::LegView& leg = call.legs.emplace_back();
    leg.id = id_of;
    leg.from = leg.id == "from";
    leg.party = leg.from ? call.from : call.to;
    leg.sip_call_id = leg.id + "@gw";
    leg.end = call.end;
  }
  call::LegQuality& to = measured.legs.emplace_back();
  to.leg = "to";
  to.joined = true;
  to.codec = "PCMA";
  to.packets_received = 3000;
  to.jitter_seconds = 0.0015;
  to.mos = 4.4;
  return measured;
}

TEST(CdrRecord, OfACallAndItsLegsSaysWhatBecameOfThem) {
  const auto lines = cdr_lines(answered(), "edge-1");
  ASSERT_THAT(lines, SizeIs(3));
  const json call = json::parse(lines[0]);
  EXPECT_EQ(call["schema"], 1);
  EXPECT_EQ(call["type"], "call");
  EXPECT_EQ(call["node"], "edge-1");
  EXPECT_EQ(call["call_id"], "c1");
  EXPECT_EQ(call["create_time"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(call["answer_time"], "2023-11-14T22:13:25.020Z");
  EXPECT_EQ(call["post_dial_delay_ms"], 2000);
  EXPECT_EQ(call["setup_ms"], 5020);
  EXPECT_EQ(call["duration_ms"], 60000);
  EXPECT_EQ(call["ended_by"], "callee");
  EXPECT_EQ(call["legs"], json({"from", "to"}));
  EXPECT_EQ(call["metadata"]["order"], "17");
  const json from = json::parse(lines[1]), to = json::parse(lines[2]);
  EXPECT_EQ(from["leg_id"], "from");
  EXPECT_TRUE(from["media"].is_null()) << "nothing was told of it";
  EXPECT_EQ(to["party"], "trunk:carrier");
  EXPECT_EQ(to["sip_call_id"], "to@gw");
  EXPECT_EQ(to["media"]["packets_received"], 3000);
  EXPECT_EQ(to["media"]["jitter_ms"], 1.5);
  EXPECT_TRUE(to["media"]["round_trip_ms"].is_null());
  EXPECT_TRUE(to["joined"]);
}

TEST(CdrRecord, OfARefusedCallHasItsCodeAndNoTimesThatNeverWere) {
  call::CallMeasured refused = answered();
  refused.call.ringing.reset();
  refused.call.answered.reset();
  refused.call.end = call::Failure::from_response(486, "Busy \"Here\"\r\n\xff");
  refused.call.end->detail.q850_cause = 17;
  const std::string line = cdr_lines(refused, "n")[0];
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const json call = json::parse(line);
  EXPECT_EQ(call["sip_code"], 486);
  EXPECT_EQ(call["q850_cause"], 17);
  EXPECT_FALSE(call["answered"]);
  EXPECT_EQ(call["duration_ms"], 0);
  EXPECT_TRUE(call["ringing_time"].is_null());
  EXPECT_TRUE(call["setup_ms"].is_null());
}

class CdrFileTest : public testing::Test {
 protected:
  CdrFileTest() {
    folder_ =
        fs::temp_directory_path() / ("cdr-" + std::to_string(::getpid()) + "-" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  ~CdrFileTest() override { fs::remove_all(folder_); }
  std::string path(const std::string& name = "calls") const { return (folder_ / name).string(); }
  std::string content(const std::string& name = "calls") const {
    std::ifstream stream(path(name));
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
  }
  bool exists(const std::string& name) const { return fs::exists(path(name)); }
  fs::path folder_;
};

TEST_F(CdrFileTest, IsAppendedToAndNotForEverybody) {
  CdrFile file(path(), {});
  ASSERT_TRUE(file.append("one\n"));
  ASSERT_TRUE(file.append("two\n"));
  EXPECT_EQ(content(), "one\ntwo\n");
  struct stat seen {};
  ASSERT_EQ(::stat(path().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 07, 0U);
}

TEST_F(CdrFileTest, GoesOnAfterARestartAndClosesOffATornLine) {
  std::ofstream(path()) << "whole\n{\"torn";
  CdrFile file(path(), {});
  ASSERT_TRUE(file.append("next\n"));
  EXPECT_EQ(content(), "whole\n{\"torn\nnext\n");
}

TEST_F(CdrFileTest, IsPutAsideWhenFullAndTheOldestGoesWhenTheRoomIsUsedUp) {
  CdrFile file(path(), {.file = 10, .spool = 20});
  for (const char* line : {"11111111\n", "22222222\n", "33333333\n", "44444444\n"})
    ASSERT_TRUE(file.append(line));
  EXPECT_EQ(content(), "44444444\n");
  EXPECT_FALSE(exists("calls.1"));
  EXPECT_EQ(content("calls.2"), "22222222\n");
  EXPECT_EQ(content("calls.3"), "33333333\n");
  EXPECT_EQ(file.spool(), 18U);
  EXPECT_EQ(file.removed(), 1U);
  CdrFile again(path(), {.file = 10, .spool = 20});
  ASSERT_TRUE(again.append("55555555\n"));
  EXPECT_EQ(content("calls.4"), "44444444\n");
  EXPECT_FALSE(exists("calls.2"));
}

TEST_F(CdrFileTest, ThatWasMovedAwayIsMadeAnew) {
  CdrFile file(path(), {});
  ASSERT_TRUE(file.append("one\n"));
  fs::rename(path(), path("rotated"));
  ASSERT_TRUE(file.append("two\n"));
  EXPECT_EQ(content("rotated"), "one\n");
  EXPECT_EQ(content(), "two\n");
}

TEST_F(CdrFileTest, InNoFolderIsToldInWords) {
  CdrFile file(path("no/folder/calls"), {});
  const auto opened = file.open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("No such file or directory"));
  EXPECT_FALSE(CdrWriter::start({.path = path("no/folder/calls"), .node = "n"}));
}

struct Values : MetricSink {
  void counter(std::string_view name, std::string_view, MetricLabels, double value) override {
    all[std::string(name)] = value;
  }
  void gauge(std::string_view name, std::string_view, MetricLabels, double value) override {
    all[std::string(name)] = value;
  }
  void histogram(std::string_view, std::string_view, MetricLabels, const HistogramCell&) override {}
  std::map<std::string, double> all;
};

std::map<std::string, double> values(const MetricSource& source) {
  Values seen;
  source.collect(seen);
  return seen.all;
}

TEST_F(CdrFileTest, HasTheRecordsOfAllCallsWhenTheWriterIsGone) {
  auto writer = CdrWriter::start({.path = path(), .node = "n"});
  ASSERT_TRUE(writer);
  for (std::uint64_t id = 1; id <= 100; ++id) {
    const call::CallMeasured call = answered(id);
    (*writer)->observe(call::CallEnded{call.call, *call.call.end});
    // The last is stopped before its media was measured.
    if (id < 100) (*writer)->observe(call);
  }
  writer->reset();
  std::istringstream lines(content());
  std::map<std::string, int> types;
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    ++types[record["type"]];
    last = record["call_id"];
  }
  EXPECT_EQ(types["call"], 100);
  EXPECT_EQ(types["leg"], 200);
  EXPECT_EQ(last, "c100");
}

TEST_F(CdrFileTest, ThatCantBeWrittenLetsCallsWaitUpToALimit) {
  auto writer = CdrWriter::start({.path = path("folder"), .node = "n", .limits = {}, .queue = 3});
  ASSERT_TRUE(writer);
  // A folder in its place can't be opened for writing, whoever tries.
  fs::remove(path("folder"));
  fs::create_directory(path("folder"));
  for (std::uint64_t id = 1; id <= 5; ++id)
    (*writer)->observe(answered(id));
  EXPECT_EQ(values(**writer)["trunkline_cdr_dropped_total"], 2);
  EXPECT_EQ(values(**writer)["trunkline_cdr_queue_calls"], 3);
  fs::remove(path("folder"));
  writer->reset();
  const std::string text = content("folder");
  EXPECT_EQ(std::ranges::count(text, '\n'), 9) << "three calls with two legs each";
}

}  // namespace
}  // namespace trunkline::telemetry
