#include "call_control/server.hpp"

#include <grpcpp/grpcpp.h>

#include "trunkline/v1/call_service.grpc.pb.h"
#include "trunkline/v1/node_service.grpc.pb.h"
#include "trunkline/v1/registration_service.grpc.pb.h"
#include "trunkline/v1/routing_service.grpc.pb.h"
#include "trunkline/v1/status.pb.h"
#include "trunkline/v1/trunk_service.grpc.pb.h"
#include "unit/call_control/calls.hpp"
#include "unit/call_control/details.hpp"
#include "unit/call_control/fake_control.hpp"
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

namespace trunkline::call_control {
namespace {

using call::EndReason;
using call::Failure;

const Failure kBusy = Failure::from_response(486, "Busy Here");

google::rpc::Status status_of(const grpc::Status& status) {
  google::rpc::Status out;
  EXPECT_TRUE(out.ParseFromString(status.error_details()));
  return out;
}

std::string pushback(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find("grpc-retry-pushback-ms");
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

class ServerTest : public testing::Test {
 protected:
  void start(const std::function<void(Settings&)>& adjust = {}) {
    Settings settings;
    settings.bind = *SocketAddress::parse("127.0.0.1:0");
    settings.node = "edge-1";
    settings.version = "1.2.3";
    if (adjust) adjust(settings);
    auto started = Server::start(std::move(settings), control);
    ASSERT_TRUE(started) << started.error().message;
    server = std::move(*started);
    channel = grpc::CreateChannel(server->listening().text(), grpc::InsecureChannelCredentials());
    calls = v1::CallService::NewStub(channel);
  }
  void TearDown() override {
    if (server) server->shutdown();
  }
  void observe(const call::Observation& observation) { server->observer().observe(observation); }

  v1::CreateCallRequest request(v1::WaitUntil wait_until = v1::WAIT_UNTIL_UNSPECIFIED) {
    v1::CreateCallRequest out;
    out.set_from("user:alice");
    out.set_to("+4930123");
    out.set_wait_until(wait_until);
    return out;
  }
  struct Outcome {
    grpc::Status status;
    v1::CreateCallResponse response;
    std::string pushback;
  };
  std::future<Outcome> create(const v1::CreateCallRequest& asked, grpc::ClientContext& context) {
    return std::async(std::launch::async, [this, asked, &context] {
      Outcome outcome;
      outcome.status = calls->CreateCall(&context, asked, &outcome.response);
      outcome.pushback = pushback(context);
      return outcome;
    });
  }

  FakeControl control;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::CallService::Stub> calls;
};

TEST_F(ServerTest, create_call_answers_as_soon_as_the_call_exists) {
  start();
  grpc::ClientContext context;
  auto outcome = create(request(), context);
  auto [asked, reply] = control.next_of<call::CreateCall>();
  EXPECT_EQ(asked.to, "+4930123");
  observe(call::CallStarted{new_call("c1")});
  reply(new_call("c1"));
  const Outcome done = outcome.get();
  ASSERT_TRUE(done.status.ok()) << done.status.error_message();
  EXPECT_EQ(done.response.call().call_id(), "c1");
  EXPECT_EQ(done.response.call().state(), v1::CALL_STATE_CREATED);
  // What the client has seen can be read.
  grpc::ClientContext again;
  v1::GetCallRequest get;
  get.set_call_id("c1");
  v1::GetCallResponse got;
  EXPECT_TRUE(calls->GetCall(&again, get, &got).ok());
}

TEST_F(ServerTest, create_call_waits_for_the_answer) {
  start();
  grpc::ClientContext context;
  auto outcome = create(request(v1::WAIT_UNTIL_ANSWERED), context);
  auto [asked, reply] = control.next_of<call::CreateCall>();
  observe(call::CallStarted{new_call("c1")});
  reply(new_call("c1"));
  observe(call::CallRinging{ringing(new_call("c1"))});
  observe(call::CallAnswered{answered(ringing(new_call("c1")))});
  const Outcome done = outcome.get();
  ASSERT_TRUE(done.status.ok());
  EXPECT_EQ(done.response.call().state(), v1::CALL_STATE_ANSWERED);
}

TEST_F(ServerTest, create_call_tells_the_failure_of_the_callee) {
  start();
  grpc::ClientContext context;
  v1::CreateCallRequest asked = request(v1::WAIT_UNTIL_RINGING);
  asked.set_request_id("r1");
  auto outcome = create(asked, context);
  auto [_, reply] = control.next_of<call::CreateCall>();
  observe(call::CallStarted{new_call("c1")});
  reply(new_call("c1"));
  observe(call::CallEnded{ended(new_call("c1"), kBusy), kBusy});
  const Outcome done = outcome.get();
  EXPECT_EQ(done.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(done.pushback, "-1");
  const google::rpc::Status status = status_of(done.status);
  EXPECT_EQ(reason_of(status), "CALLEE_BUSY");
  EXPECT_EQ(detail<v1::SipStatus>(status)->code(), 486);
  EXPECT_EQ(detail<v1::SipStatus>(status)->call_id(), "c1");
  EXPECT_EQ(detail<google::rpc::RequestInfo>(status)->request_id(), "r1");
}

TEST_F(ServerTest, a_call_that_was_answered_and_ended_before_anyone_looked_was_answered) {
  start();
  grpc::ClientContext context;
  auto outcome = create(request(v1::WAIT_UNTIL_ANSWERED), context);
  auto [_, reply] = control.next_of<call::CreateCall>();
  const Failure hangup = Failure::local(EndReason::hangup);
  observe(call::CallEnded{ended(answered(new_call("c1")), hangup), hangup});
  reply(new_call("c1"));
  const Outcome done = outcome.get();
  ASSERT_TRUE(done.status.ok());
  EXPECT_EQ(done.response.call().state(), v1::CALL_STATE_ENDED);
}

TEST_F(ServerTest, a_replay_is_marked_and_gives_the_same_call) {
  start();
  grpc::ClientContext context;
  auto outcome = create(request(), context);
  auto [_, reply] = control.next_of<call::CreateCall>();
  observe(call::CallAnswered{answered(new_call("c1"))});
  reply(call::Replayed{new_call("c1")});
  const Outcome done = outcome.get();
  ASSERT_TRUE(done.status.ok());
  EXPECT_EQ(done.response.call().state(), v1::CALL_STATE_ANSWERED);
  EXPECT_EQ(context.GetServerInitialMetadata().count("x-idempotent-replay"), 1U);
}

TEST_F(ServerTest, what_fails_before_an_invite_says_when_to_come_back) {
  start();
  grpc::ClientContext context;
  auto outcome = create(request(), context);
  auto [_, reply] = control.next_of<call::CreateCall>();
  reply(Failure::local(EndReason::draining));
  const Outcome done = outcome.get();
  EXPECT_EQ(done.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(reason_of(status_of(done.status)), "DRAINING");
  EXPECT_EQ(done.pushback, "10000");
}

TEST_F(ServerTest, a_wrong_request_never_reaches_the_gateway) {
  start();
  grpc::ClientContext context;
  v1::CreateCallRequest asked = request();
  asked.add_headers()->set_name("Via");
  const Outcome done = create(asked, context).get();
  EXPECT_EQ(done.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const auto bad = detail<google::rpc::BadRequest>(status_of(done.status));
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->field_violations(0).field(), "headers[0].name");
}

TEST_F(ServerTest, a_deadline_ends_the_rpc_and_the_call_only_if_asked) {
  start();
  for (const bool end : {false, true}) {
    grpc::ClientContext context;
    v1::CreateCallRequest asked = request(v1::WAIT_UNTIL_ANSWERED);
    asked.set_end_call_on_cancel(end);
    auto outcome = create(asked, context);
    auto [_, reply] = control.next_of<call::CreateCall>();
    observe(call::CallStarted{new_call("c1")});
    reply(new_call("c1"));
    context.TryCancel();
    EXPECT_EQ(outcome.get().status.error_code(), grpc::StatusCode::CANCELLED);
    if (end) {
      auto [hangup, hangup_reply] = control.next_of<call::HangupCall>();
      EXPECT_EQ(hangup.call, "c1");
      hangup_reply(new_call("c1"));
    } else {
      // Were there a HangupCall, it would come before this.
      grpc::ClientContext other;
      auto node = std::async(std::launch::async, [&] {
        v1::GetNodeResponse response;
        return v1::NodeService::NewStub(channel)->GetNode(&other, {}, &response);
      });
      auto [get, node_reply] = control.next_of<call::GetNode>();
      node_reply(call::NodeView{});
      EXPECT_TRUE(node.get().ok());
    }
  }
}

TEST_F(ServerTest, a_client_that_goes_before_the_call_exists_ends_it_too) {
  start();
  grpc::ClientContext context;
  v1::CreateCallRequest asked = request(v1::WAIT_UNTIL_ANSWERED);
  asked.set_end_call_on_cancel(true);
  auto outcome = create(asked, context);
  auto [_, reply] = control.next_of<call::CreateCall>();
  context.TryCancel();
  EXPECT_EQ(outcome.get().status.error_code(), grpc::StatusCode::CANCELLED);
  // The server may hear of it after the reply; either way the call is ended.
  observe(call::CallStarted{new_call("c1")});
  reply(new_call("c1"));
  auto [hangup, hangup_reply] = control.next_of<call::HangupCall>();
  EXPECT_EQ(hangup.call, "c1");
  hangup_reply(new_call("c1"));
}

TEST_F(ServerTest, operations_carry_what_was_asked_and_bring_back_the_call) {
  start();
  control.answer([](const call::Request& asked) -> std::optional<call::Reply> {
    if (const auto* hold = std::get_if<call::HoldCall>(&asked)) {
      call::CallView view = answered(new_call(hold->on.call));
      view.state = call::CallState::held;
      view.trunk = hold->on.leg;
      return view;
    }
    if (const auto* transfer = std::get_if<call::TransferCall>(&asked)) {
      if (transfer->mode == call::TransferMode::refer)
        return Failure::from_response(603, "Decline");
      return answered(new_call(transfer->on.call));
    }
    if (const auto* mute = std::get_if<call::MuteCall>(&asked)) {
      call::CallView view = answered(new_call(mute->on.call));
      view.legs[1].muted_to = mute->muted && mute->direction == call::MuteDirection::to_leg;
      return view;
    }
    if (std::holds_alternative<call::SendDtmf>(asked)) return call::Done{};
    return std::nullopt;
  });
  {
    grpc::ClientContext context;
    v1::HoldCallRequest hold;
    hold.set_call_id("c1");
    hold.set_leg_id("from");
    v1::HoldCallResponse held;
    ASSERT_TRUE(calls->HoldCall(&context, hold, &held).ok());
    EXPECT_EQ(held.call().state(), v1::CALL_STATE_HELD);
    EXPECT_EQ(held.call().trunk(), "from");
  }
  {
    grpc::ClientContext context;
    v1::TransferCallRequest transfer;
    transfer.set_call_id("c1");
    transfer.set_target("user:bob");
    transfer.set_mode(v1::TRANSFER_MODE_REFER);
    v1::TransferCallResponse transferred;
    const grpc::Status status = calls->TransferCall(&context, transfer, &transferred);
    EXPECT_EQ(reason_of(status_of(status)), "CALLEE_DECLINED");
    EXPECT_EQ(pushback(context), "-1");
  }
  {
    grpc::ClientContext context;
    v1::MuteCallRequest mute;
    mute.set_call_id("c1");
    mute.set_direction(v1::MUTE_DIRECTION_TO_LEG);
    v1::MuteCallResponse muted;
    ASSERT_TRUE(calls->MuteCall(&context, mute, &muted).ok());
    EXPECT_TRUE(muted.call().legs(1).muted_to_leg());
  }
  {
    grpc::ClientContext context;
    v1::SendDtmfRequest dtmf;
    dtmf.set_call_id("c1");
    dtmf.set_digits("12#");
    v1::SendDtmfResponse sent;
    EXPECT_TRUE(calls->SendDtmf(&context, dtmf, &sent).ok());
  }
}

TEST_F(ServerTest, a_call_that_has_ended_is_in_the_wrong_state_and_an_unknown_one_not_found) {
  start();
  control.answer([](const call::Request&) -> std::optional<call::Reply> {
    call::Refusal refusal;
    refusal.kind = call::Refusal::Kind::not_found;
    refusal.reason = "CALL_NOT_FOUND";
    return refusal;
  });
  observe(call::CallEnded{ended(new_call("c1"), kBusy), kBusy});
  for (const auto& [call, code] : {std::pair{"c1", grpc::StatusCode::FAILED_PRECONDITION},
                                   {"c2", grpc::StatusCode::NOT_FOUND}}) {
    grpc::ClientContext context;
    v1::HangupCallRequest hangup;
    hangup.set_call_id(call);
    v1::HangupCallResponse response;
    EXPECT_EQ(calls->HangupCall(&context, hangup, &response).error_code(), code);
  }
}

TEST_F(ServerTest, the_list_is_paged) {
  start();
  for (const char* name : {"c1", "c2", "c3"})
    observe(call::CallStarted{new_call(name)});
  observe(call::CallEnded{ended(new_call("c2"), kBusy), kBusy});
  v1::ListCallsRequest list;
  list.set_page_size(1);
  std::vector<std::string> names;
  do {
    grpc::ClientContext context;
    v1::ListCallsResponse page;
    ASSERT_TRUE(calls->ListCalls(&context, list, &page).ok());
    for (const v1::Call& call : page.calls())
      names.push_back(call.call_id());
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  EXPECT_THAT(names, testing::ElementsAre("c1", "c3"));
}

TEST_F(ServerTest, the_status_table_can_be_read) {
  start();
  const auto routing = v1::RoutingService::NewStub(channel);
  grpc::ClientContext context;
  v1::DescribeStatusResponse all;
  ASSERT_TRUE(routing->DescribeStatus(&context, {}, &all).ok());
  EXPECT_EQ(static_cast<std::size_t>(all.mappings_size()), call::all_status_mappings().size());
  grpc::ClientContext one_context;
  v1::DescribeStatusRequest one;
  one.set_sip_code(486);
  v1::DescribeStatusResponse busy;
  ASSERT_TRUE(routing->DescribeStatus(&one_context, one, &busy).ok());
  EXPECT_EQ(busy.mappings(0).sip_name(), "Busy Here");
  EXPECT_EQ(busy.mappings(0).grpc_code(), google::rpc::FAILED_PRECONDITION);
  EXPECT_EQ(busy.mappings(0).reason(), "CALLEE_BUSY");
}

TEST_F(ServerTest, trunks_are_found_by_name) {
  start();
  control.answer([](const call::Request&) -> std::optional<call::Reply> {
    call::TrunkView trunk;
    trunk.name = "carrier";
    trunk.up = true;
    return call::TrunkViews{{trunk}};
  });
  const auto trunks = v1::TrunkService::NewStub(channel);
  for (const auto& [name, code] :
       {std::pair{"carrier", grpc::StatusCode::OK}, {"other", grpc::StatusCode::NOT_FOUND}}) {
    grpc::ClientContext context;
    v1::GetTrunkRequest get;
    get.set_trunk(name);
    v1::GetTrunkResponse got;
    EXPECT_EQ(trunks->GetTrunk(&context, get, &got).error_code(), code);
    if (code == grpc::StatusCode::OK) {
      EXPECT_EQ(got.trunk().state(), v1::TRUNK_STATE_UP);
    }
  }
}

TEST_F(ServerTest, tokens_decide_who_may_what) {
  start([](Settings& settings) { settings.tokens = {{"desk", "t0ken", {Role::read}}}; });
  const auto list = [&](const char* authorization) {
    grpc::ClientContext context;
    if (authorization != nullptr) context.AddMetadata("authorization", authorization);
    v1::ListCallsResponse page;
    return calls->ListCalls(&context, {}, &page).error_code();
  };
  EXPECT_EQ(list(nullptr), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list("Bearer wrong"), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(list("Bearer t0ken"), grpc::StatusCode::OK);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer t0ken");
  EXPECT_EQ(create(request(), context).get().status.error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  grpc::ClientContext watch_context;
  v1::WatchCallsResponse message;
  const auto watch = calls->WatchCalls(&watch_context, {});
  EXPECT_FALSE(watch->Read(&message));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(ServerTest, a_request_that_is_too_large_is_refused) {
  start([](Settings& settings) { settings.limits.message_bytes = 1000; });
  grpc::ClientContext context;
  v1::CreateCallRequest asked = request();
  asked.set_request_id(std::string(2000, 'x'));
  EXPECT_EQ(create(asked, context).get().status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, an_address_in_use_is_told) {
  start();
  Settings settings;
  settings.bind = server->listening();
  EXPECT_FALSE(Server::start(std::move(settings), control));
}

// ---------------------------------------------------------------- streams

class WatchTest : public ServerTest {
 protected:
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchCallsResponse>> reader;
    v1::WatchCallsResponse message;
    bool read() {
      message.Clear();
      return reader->Read(&message);
    }
  };
  std::unique_ptr<Watch> watch(const std::string& resume_token = "",
                               v1::CallService::Stub* stub = nullptr) {
    auto out = std::make_unique<Watch>();
    v1::WatchCallsRequest request;
    request.set_resume_token(resume_token);
    out->reader = (stub != nullptr ? stub : calls.get())->WatchCalls(&out->context, request);
    return out;
  }
  /// A client that buffers little of what it does not read.
  std::unique_ptr<v1::CallService::Stub> narrow_client() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 65535);
    return v1::CallService::NewStub(grpc::CreateCustomChannel(
        server->listening().text(), grpc::InsecureChannelCredentials(), arguments));
  }
};

TEST_F(WatchTest, a_snapshot_and_its_end_and_then_each_event) {
  start();
  observe(call::CallStarted{new_call("c1")});
  const auto one = watch();
  ASSERT_TRUE(one->read());
  EXPECT_EQ(one->message.snapshot().call().call_id(), "c1");
  EXPECT_EQ(one->message.sequence(), 1);
  ASSERT_TRUE(one->read());
  EXPECT_EQ(one->message.snapshot_end().count(), 1);
  observe(call::CallRinging{ringing(new_call("c1"))});
  observe(call::CallAnswered{answered(new_call("c1"))});
  ASSERT_TRUE(one->read());
  EXPECT_TRUE(one->message.event().has_ringing());
  EXPECT_EQ(one->message.sequence(), 2);
  ASSERT_TRUE(one->read());
  EXPECT_EQ(one->message.event().call_sequence(), 3);
}

TEST_F(WatchTest, a_bookmark_comes_while_nothing_happens) {
  start([](Settings& settings) { settings.limits.bookmark_interval = milliseconds{50}; });
  const auto one = watch();
  ASSERT_TRUE(one->read());
  ASSERT_TRUE(one->message.has_snapshot_end());
  ASSERT_TRUE(one->read());
  EXPECT_TRUE(one->message.has_bookmark());
  const std::string token = one->message.resume_token();
  observe(call::CallStarted{new_call("c1")});
  const auto two = watch(token);
  do {
    ASSERT_TRUE(two->read());
  } while (!two->message.has_event());
  EXPECT_EQ(two->message.sequence(), 1);
}

TEST_F(WatchTest, a_watcher_that_is_cut_a_hundred_times_sees_each_event_once) {
  start();
  constexpr int kCuts = 100;
  constexpr int kEvents = 3000;
  std::promise<void> watching;
  std::thread gateway([&, begun = watching.get_future()]() mutable {
    begun.wait();
    for (int i = 1; i <= kEvents; ++i)
      observe(call::CallStarted{new_call("c" + std::to_string(i))});
  });
  std::string token;
  std::int64_t last = 0;
  int cuts = 0;
  while (last < kEvents) {
    const auto one = watch(token);
    // Each connection lives for a few messages more than the one before.
    for (int left = cuts < kCuts ? 1 + cuts % 7 : kEvents; left > 0 && last < kEvents; --left) {
      ASSERT_TRUE(one->read()) << one->reader->Finish().error_message();
      if (one->message.has_snapshot_end()) watching.set_value();
      if (one->message.has_event()) {
        ASSERT_EQ(one->message.sequence(), ++last);
      }
      if (!one->message.resume_token().empty()) token = one->message.resume_token();
    }
    one->context.TryCancel();
    ++cuts;
  }
  gateway.join();
  EXPECT_GE(cuts, kCuts);
}

TEST_F(WatchTest, tokens_that_do_not_lead_anywhere_are_told) {
  start([](Settings& settings) {
    settings.limits.remembered_events = 4;
    settings.limits.subscriber_lag = 2;
  });
  const auto begin = watch();
  ASSERT_TRUE(begin->read());
  const std::string old = begin->message.resume_token();
  for (int i = 0; i < 8; ++i)
    observe(call::CallStarted{new_call("c" + std::to_string(i))});
  // The journal has taken them all once this is answered.
  grpc::ClientContext context;
  v1::ListCallsResponse page;
  ASSERT_TRUE(calls->ListCalls(&context, {}, &page).ok());
  const auto late = watch(old);
  EXPECT_FALSE(late->read());
  const grpc::Status truncated = late->reader->Finish();
  EXPECT_EQ(truncated.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(reason_of(status_of(truncated)), "EVENTS_TRUNCATED");
  const auto nonsense = watch("nonsense");
  EXPECT_FALSE(nonsense->read());
  EXPECT_EQ(nonsense->reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(WatchTest, a_slow_reader_is_cut_off_with_its_token_and_harms_nobody) {
  start([](Settings& settings) {
    settings.limits.remembered_events = 8000;
    settings.limits.subscriber_lag = 2000;
  });
  const auto narrow = narrow_client();
  const auto slow = watch("", narrow.get()), fast = watch();
  ASSERT_TRUE(slow->read());
  ASSERT_TRUE(fast->read());
  // More than the buffers between the two can hold, and more than a subscriber may lag; the fast
  // reader is never far behind.
  constexpr int kEvents = 6000;
  constexpr int kBurst = 100;
  for (int i = 1; i <= kEvents; ++i) {
    observe(call::CallStarted{new_call("c" + std::to_string(i))});
    for (int read = i - kBurst; i % kBurst == 0 && read < i;) {
      ASSERT_TRUE(fast->read());
      ASSERT_EQ(fast->message.sequence(), ++read);
    }
  }
  std::int64_t last = 0;
  while (slow->read())
    ASSERT_EQ(slow->message.sequence(), ++last);
  const grpc::Status status = slow->reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto info = detail<google::rpc::ErrorInfo>(status_of(status));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "SLOW_CONSUMER");
  const auto again = watch(info->metadata().at("resume_token"));
  ASSERT_TRUE(again->read());
  EXPECT_EQ(again->message.sequence(), last + 1);
}

TEST_F(WatchTest, events_that_were_lost_on_the_way_are_told_as_a_gap) {
  start([](Settings& settings) { settings.limits.queued_observations = 1; });
  const auto one = watch();
  ASSERT_TRUE(one->read());
  // One of many must come while another waits.
  std::atomic<bool> over{false};
  std::thread gateway([&] {
    for (int i = 0; !over; ++i)
      observe(call::CallRinging{ringing(new_call("c1"))});
  });
  while (one->read()) {
  }
  over = true;
  gateway.join();
  EXPECT_EQ(one->reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(WatchTest, subscriptions_are_limited_and_given_back) {
  start([](Settings& settings) { settings.limits.subscriptions = 1; });
  {
    const auto one = watch();
    ASSERT_TRUE(one->read());
    const auto two = watch();
    EXPECT_FALSE(two->read());
    EXPECT_EQ(two->reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    one->context.TryCancel();
    EXPECT_FALSE(one->reader->Finish().ok());
  }
  // The server hears of the end a little later.
  while (true) {
    const auto next = watch();
    if (next->read()) break;
    (void)next->reader->Finish();
  }
}

TEST_F(WatchTest, a_shutdown_ends_streams_with_their_token) {
  start();
  const auto one = watch();
  ASSERT_TRUE(one->read());
  std::thread stopping([this] { server->shutdown(); });
  EXPECT_FALSE(one->read());
  const grpc::Status status = one->reader->Finish();
  stopping.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  const auto info = detail<google::rpc::ErrorInfo>(status_of(status));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "SHUTTING_DOWN");
  EXPECT_FALSE(info->metadata().at("resume_token").empty());
}

TEST_F(WatchTest, registrations_begin_with_those_that_are_there) {
  start();
  control.answer([](const call::Request&) -> std::optional<call::Reply> {
    call::Registration alice;
    alice.user = "alice";
    return call::Registrations{{alice}};
  });
  const auto registrations = v1::RegistrationService::NewStub(channel);
  grpc::ClientContext context;
  const auto reader = registrations->WatchRegistrations(&context, {});
  v1::WatchRegistrationsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.snapshot().registration().user(), "alice");
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.snapshot_end().count(), 1);
  call::RegistrationChanged change{call::RegistrationChanged::Kind::expired, {}};
  change.registration.user = "alice";
  observe(change);
  ASSERT_TRUE(reader->Read(&message));
  EXPECT_EQ(message.event().change(), v1::REGISTRATION_CHANGE_EXPIRED);
  context.TryCancel();
}

}  // namespace
}  // namespace trunkline::call_control
