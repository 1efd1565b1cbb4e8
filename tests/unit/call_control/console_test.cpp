#include "call_control/console.hpp"

#include "call_control/server.hpp"
#include "unit/call_control/calls.hpp"
#include "unit/call_control/fake_control.hpp"
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace trunkline::call_control {
namespace {

using Json = nlohmann::json;
using call::EndReason;
using call::Failure;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const Json& list) {
  std::vector<std::string> all;
  for (const Json& call : list["calls"])
    all.push_back(call["call_id"]);
  return all;
}

class ConsoleTest : public testing::Test {
 protected:
  void start(const std::function<void(Settings&)>& adjust = {}) {
    Settings settings;
    settings.listens = false;
    settings.node = "edge-1";
    settings.version = "1.2.3";
    settings.started = std::chrono::system_clock::time_point{std::chrono::seconds{5}};
    if (adjust) adjust(settings);
    auto started = Server::start(std::move(settings), control);
    ASSERT_TRUE(started) << started.error().message;
    server = std::move(*started);
  }
  void TearDown() override {
    if (server) server->shutdown();
  }
  void observe(const call::Observation& observation) { server->observer().observe(observation); }

  std::future<ConsoleAnswer> begin(const std::string& target, Reach reach = Reach::local,
                                   std::optional<std::string> authorization = std::nullopt) {
    auto promise = std::make_shared<std::promise<ConsoleAnswer>>();
    ConsoleRequest request{target, std::nullopt, reach};
    if (authorization) request.authorization = *authorization;
    server->console().ask(
        request, [promise](ConsoleAnswer answer) { promise->set_value(std::move(answer)); });
    return promise->get_future();
  }
  ConsoleAnswer ask(const std::string& target, Reach reach = Reach::local,
                    std::optional<std::string> authorization = std::nullopt) {
    return begin(target, reach, std::move(authorization)).get();
  }
  Json get(const std::string& target) {
    const ConsoleAnswer answer = ask(target);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    EXPECT_EQ(answer.content_type, "application/json");
    return Json::parse(answer.body);
  }
  unsigned status(const std::string& target, Reach reach = Reach::local,
                  std::optional<std::string> authorization = std::nullopt) {
    return ask(target, reach, std::move(authorization)).status;
  }

  FakeControl control;
  std::unique_ptr<Server> server;
};

TEST_F(ConsoleTest, TheNodeIsTheOneOfGetNode) {
  start();
  control.answer([](const call::Request&) {
    return call::NodeView{"edge-1", "example.test", true, 3, 10, 2};
  });
  const Json node = get("/api/node");
  EXPECT_EQ(node["node"], "edge-1");
  EXPECT_EQ(node["version"], "1.2.3");
  EXPECT_EQ(node["start_time"], 5000);
  EXPECT_EQ(node["draining"], true);
  EXPECT_EQ(node["calls"], 3);
  EXPECT_EQ(node["max_calls"], 10);
  EXPECT_GT(node["now"], 5000);
}

TEST_F(ConsoleTest, ALiveCallHasItsLegsAndHowTheyAreNow) {
  start();
  const call::CallView call = answered(ringing(new_call("c1")));
  observe(call::CallStarted{call});
  call::LegQuality quality;
  quality.leg = "to";
  quality.joined = true;
  quality.codec = "PCMU";
  quality.packets_received = 50;
  quality.jitter_seconds = 0.004;
  quality.round_trip_seconds = 0.03;
  quality.interval_loss = 0.02;
  quality.interval_mos = 4.1;
  quality.at_peer = {0.1, 0.005, 3.2};
  observe(call::CallSampled{"c1", call.created + std::chrono::seconds{3}, {quality}});
  call::MediaChanged silent{call, "from", "silent", "BROWSER_SENDS_NOTHING"};
  observe(silent);
  const Json list = get("/api/calls");
  ASSERT_THAT(names(list), ElementsAre("c1"));
  EXPECT_TRUE(list["next_page_token"].is_null());
  const Json& shown = list["calls"][0];
  EXPECT_EQ(shown["state"], "answered");
  EXPECT_EQ(shown["direction"], "out");
  EXPECT_EQ(shown["trunk"], "carrier");
  EXPECT_EQ(shown["to_number"], "+4930123");
  EXPECT_EQ(shown["create_time"], 1'700'000'000'000);
  EXPECT_EQ(shown["answer_time"], 1'700'000'001'500);
  EXPECT_TRUE(shown["end"].is_null());
  const Json& from = shown["legs"][0];
  EXPECT_EQ(from["party"], "user:alice");
  EXPECT_EQ(from["media"]["verdict"]["cause"], "BROWSER_SENDS_NOTHING");
  EXPECT_EQ(from["media"]["verdict"]["silent"], true);
  EXPECT_TRUE(from["media"]["now"]["loss"].is_null());
  const Json& media = shown["legs"][1]["media"];
  EXPECT_EQ(media["codec"], "PCMU");
  EXPECT_EQ(media["joined"], true);
  EXPECT_DOUBLE_EQ(media["now"]["loss"], 0.02);
  EXPECT_DOUBLE_EQ(media["now"]["jitter_ms"], 4);
  EXPECT_DOUBLE_EQ(media["at_peer"]["mos"], 3.2);
  EXPECT_DOUBLE_EQ(media["round_trip_ms"], 30);
  EXPECT_TRUE(media["verdict"].is_null());
  EXPECT_FALSE(shown["legs"][1].contains("history")) << "in the call's own page alone";
  const Json page = get("/api/calls/c1");
  EXPECT_EQ(page["legs"][1]["history"]["at"], Json::array({3.0}));
  EXPECT_EQ(page["legs"][1]["history"]["sent"]["loss"], Json::array({0.02}));
  EXPECT_EQ(page["legs"][1]["history"]["at_peer"]["loss"], Json::array({0.1}));
  EXPECT_EQ(page["legs"][0]["history"]["at"], Json::array());
}

TEST_F(ConsoleTest, CallsComeTheNewestFirstInPages) {
  start();
  for (int i = 1; i <= 5; ++i)
    observe(call::CallStarted{new_call("c" + std::to_string(i))});
  observe(call::CallEnded{ended(new_call("c4"), Failure::local(EndReason::hangup)), {}});
  const Json first = get("/api/calls?page_size=2");
  EXPECT_THAT(names(first), ElementsAre("c5", "c3"));
  const Json second =
      get("/api/calls?page_size=2&page_token=" + first["next_page_token"].get<std::string>());
  EXPECT_THAT(names(second), ElementsAre("c2", "c1"));
  EXPECT_TRUE(second["next_page_token"].is_null());
  EXPECT_THAT(names(get("/api/calls?state=ended")), ElementsAre("c4"));
}

TEST_F(ConsoleTest, AFailureIsToldWithAllThatIsKnownOfIt) {
  start();
  Failure busy = Failure::from_response(486, "Busy Here");
  busy.ended_by = call::EndedBy::callee;
  busy.phase = call::Phase::ringing;
  busy.detail.q850_cause = 17;
  busy.detail.warnings = {"come back later"};
  for (const char* name : {"good", "bad"})
    observe(call::CallStarted{new_call(name)});
  observe(
      call::CallEnded{ended(answered(new_call("good")), Failure::local(EndReason::hangup)), {}});
  observe(call::CallEnded{ended(new_call("bad"), busy), busy});
  EXPECT_THAT(names(get("/api/calls?state=ended")), ElementsAre("bad", "good"));
  const Json failed = get("/api/calls?state=ended&failed=true");
  ASSERT_THAT(names(failed), ElementsAre("bad"));
  const Json& end = failed["calls"][0]["end"];
  EXPECT_EQ(end["sip_code"], 486);
  EXPECT_EQ(end["phrase"], "Busy Here");
  EXPECT_EQ(end["sip_name"], "Busy Here");
  EXPECT_EQ(end["cause"], "rejected");
  EXPECT_EQ(end["reason"], "CALLEE_BUSY");
  EXPECT_EQ(end["ended_by"], "callee");
  EXPECT_EQ(end["phase"], "ringing");
  EXPECT_EQ(end["fault"], "user_error");
  EXPECT_EQ(end["q850_cause"], 17);
  EXPECT_EQ(end["warnings"], Json::array({"come back later"}));
  EXPECT_EQ(failed["calls"][0]["legs"][1]["end"]["sip_code"], 486);
}

TEST_F(ConsoleTest, WhatPeersSendStaysTextWhateverItIs) {
  start();
  call::CallView call = new_call("c1");
  call.caller = "<script>alert(1)</script>\"\\\xff\x01";
  observe(call::CallStarted{call});
  const ConsoleAnswer answer = ask("/api/calls");
  EXPECT_EQ(Json::parse(answer.body)["calls"][0]["caller"],
            "<script>alert(1)</script>\"\\\xEF\xBF\xBD\x01");
}

TEST_F(ConsoleTest, TrunksAndRegistrationsAreThoseOfTheApi) {
  start();
  control.answer([](const call::Request& request) -> std::optional<call::Reply> {
    if (std::holds_alternative<call::ListTrunks>(request)) {
      call::TrunkView trunk;
      trunk.name = "carrier";
      trunk.up = true;
      trunk.degraded = true;
      trunk.calls = 2;
      trunk.targets = {{"udp", "192.0.2.1:5060", "refusing", 1, 2, milliseconds{2500}}};
      trunk.registration = {"failed", "403 Forbidden", std::nullopt};
      return call::TrunkViews{{trunk, {}, {}}};
    }
    call::Registration one, two;
    one.user = "bob";
    two.user = "alice";
    return call::Registrations{{one, two}};
  });
  const Json trunks = get("/api/trunks?page_size=1");
  EXPECT_EQ(trunks["total"], 3);
  EXPECT_EQ(trunks["next_page_token"], "1");
  const Json& trunk = trunks["trunks"][0];
  EXPECT_EQ(trunk["state"], "degraded");
  EXPECT_EQ(trunk["targets"][0]["state"], "refusing");
  EXPECT_EQ(trunk["targets"][0]["rests_for"], 3);
  EXPECT_EQ(trunk["registration"]["failure"], "403 Forbidden");
  const Json registrations = get("/api/registrations");
  EXPECT_EQ(registrations["registrations"][0]["user"], "alice");
  EXPECT_EQ(registrations["registrations"][1]["user"], "bob");
}

TEST_F(ConsoleTest, ATraceIsHandedOnAsItIs) {
  start();
  using Format = call::GetTrace::Format;
  for (const auto& [format, wanted, type] :
       {std::tuple{"json", Format::json, "application/json"},
        std::tuple{"text", Format::text, "text/plain; charset=utf-8"},
        std::tuple{"pcapng", Format::pcapng, "application/x-pcapng"}}) {
    auto pending = begin("/api/calls/c1/trace?format=" + std::string(format));
    const auto [request, reply] = control.next_of<call::GetTrace>();
    EXPECT_EQ(request.call, "c1");
    EXPECT_EQ(request.format, wanted);
    reply(call::Trace{"content"});
    const ConsoleAnswer answer = pending.get();
    EXPECT_EQ(answer.body, "content");
    EXPECT_EQ(answer.content_type, type);
    EXPECT_EQ(answer.fields.empty(), wanted != Format::pcapng);
  }
}

TEST_F(ConsoleTest, WhatIsNotThereOrNotAskedProperlyIsRefused) {
  start();
  control.answer([](const call::Request&) {
    return call::Refusal{call::Refusal::Kind::not_found, "CALL_NOT_FOUND", "no", "", {}};
  });
  for (const char* target :
       {"/api/", "/api/x", "/api/calls/", "/api/calls/c1", "/api/calls/../node", "/api/calls/c%31",
        "/api/calls/c1/trace", "/api/calls/c1/trace/", "/api/node/"})
    EXPECT_EQ(status(target), 404U) << target;
  for (const char* target :
       {"/api/calls?state=x", "/api/calls?page_size=1x", "/api/calls?page_size=-1",
        "/api/calls?page_token=x", "/api/calls?x", "/api/calls?failed=1", "/api/calls?user=alice",
        "/api/calls/c1/trace?format=html"})
    EXPECT_EQ(status(target), 400U) << target;
}

TEST_F(ConsoleTest, AGatewayThatIsFullSaysSo) {
  start();
  control.answer([](const call::Request&) {
    return call::Refusal{call::Refusal::Kind::unavailable, "NODE_OVERLOADED", "full", "", {}};
  });
  EXPECT_EQ(status("/api/node"), 503U);
}

TEST_F(ConsoleTest, WithoutTokensItIsForThisMachineAlone) {
  start();
  EXPECT_EQ(status("/api/calls"), 200U);
  const ConsoleAnswer misnamed = ask("/api/calls", Reach::misnamed);
  EXPECT_EQ(misnamed.status, 421U);
  EXPECT_THAT(misnamed.body, HasSubstr("localhost"));
  const ConsoleAnswer remote = ask("/api/calls", Reach::remote);
  EXPECT_EQ(remote.status, 403U);
  EXPECT_THAT(remote.body, HasSubstr("listen.grpc.tokens"));
  EXPECT_EQ(status("/api/calls", Reach::remote, "Bearer anything"), 403U);
}

TEST_F(ConsoleTest, WhereTheApiWantsTokensSoDoesTheConsole) {
  start([](Settings& settings) {
    settings.tokens = {{"desk", "reader", {Role::read}}, {"dialler", "caller", {Role::call}}};
  });
  for (const Reach reach : {Reach::local, Reach::misnamed, Reach::remote}) {
    const ConsoleAnswer unknown = ask("/api/calls", reach);
    EXPECT_EQ(unknown.status, 401U);
    EXPECT_THAT(unknown.fields,
                ElementsAre(testing::Pair("WWW-Authenticate", HasSubstr("Bearer"))));
    EXPECT_EQ(status("/api/calls", reach, "Bearer wrong"), 401U);
    EXPECT_EQ(status("/api/calls", reach, "Basic reader"), 401U);
    EXPECT_EQ(status("/api/calls", reach, "Bearer caller"), 403U) << "has not the role read";
    EXPECT_EQ(status("/api/calls", reach, "Bearer reader"), 200U);
  }
}

TEST_F(ConsoleTest, TooManyRequestsASecondAreTurnedAway) {
  start();
  unsigned turned_away = 0;
  for (int i = 0; i < 400; ++i) {
    const ConsoleAnswer answer = ask("/api/x");
    if (answer.status != 429) continue;
    ++turned_away;
    EXPECT_THAT(answer.fields, ElementsAre(testing::Pair("Retry-After", "1")));
  }
  EXPECT_GT(turned_away, 0U);
}

}  // namespace
}  // namespace trunkline::call_control
