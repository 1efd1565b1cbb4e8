#include "simulation.hpp"
#include <gtest/gtest.h>

// Many calls at once that do what a random number says, over a network that loses messages:
// whatever happens, nothing is left in the end.
namespace trunkline::call::simulation {
namespace {

using sip::Method;

class RandomCalls {
 public:
  explicit RandomCalls(std::uint64_t seed) : world_(seed), random_(seed * 977 + 5) {
    world_.settings.trunks[0].max_calls_per_second = 1000;
    world_.settings.routes.push_back({"user", "^bob$", "user:bob"});
    world_.settings.routes.push_back({"any", "^7[0-9]+$", "trunk:carrier"});
    world_.settings.users.push_back({"bob2", "secret"});
    world_.settings.routes.insert(world_.settings.routes.begin(), {"any", "^9", "service:policy"});
    world_.settings.policy.enabled = true;
    world_.workers = 1 + seed % 2;
    if (seed % 3 == 0) {
      world_.use_tcp();
    } else {
      world_.restart();
    }
    world_.loss = static_cast<double>(seed % 4) / 10;
    world_.trunk().allow += ", REFER";
    alice_ = &world_.registered("alice", 1000000, "a-1");
    bobs_ = {&world_.registered("bob", 1000000, "b-1"), &world_.registered("bob", 1000000, "b-2")};
  }

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      act();
      world_.settle();
      answer_what_came(world_.trunk());
      answer_what_came(*alice_);
      for (Peer* bob : bobs_)
        answer_what_came(*bob);
      world_.pass(milliseconds{random_.below(3000)});
    }
    wind_up();
  }

 private:
  bool chance(std::uint32_t percent) { return random_.below(100) < percent; }
  std::string any_direction() {
    static constexpr std::array<const char*, 4> kDirections{"sendrecv", "sendonly", "recvonly",
                                                            "inactive"};
    return kDirections[random_.below(4)];
  }
  std::string description(const Peer& peer, bool offer) {
    if (chance(5)) return "v=0\r\nnonsense";
    if (!is_websocket(peer.self.transport)) {
      return trunk_sdp(any_direction(), ++version_, chance(70) ? "0 101" : "8",
                       chance(90) ? "127.0.0.1" : "0.0.0.0");
    }
    return offer ? browser_offer(any_direction(), ++version_) : browser_answer(any_direction());
  }

  const char* any_party() {
    static constexpr std::array<const char*, 7> kParties{
        "user:alice", "user:bob", "5551000", "service:tone", "echo", "user:nobody", "9001"};
    return kParties[random_.below(7)];
  }

  /// The API makes a call between two of all that there are, or hangs one up.
  void originate() {
    if (!made_.empty() && chance(30)) {
      HangupCall hangup;
      hangup.call = made_[random_.below(static_cast<std::uint32_t>(made_.size()))];
      world_.ask(hangup);
      return;
    }
    CreateCall request;
    request.from = any_party();
    request.to = any_party();
    request.trunk = chance(50) ? "carrier" : "";
    if (chance(50)) request.ring_timeout = seconds{1 + random_.below(20)};
    if (chance(50)) request.max_duration = seconds{1 + random_.below(20)};
    if (const auto made = world_.reply<CallView>(world_.ask(request))) made_.push_back(made->name);
  }

  /// The policy service answers one of its questions, and the API decides about a parked call.
  void decide() {
    if (world_.questions.empty()) return;
    const auto any = random_.below(static_cast<std::uint32_t>(world_.questions.size()));
    RouteTargets targets;
    for (std::uint32_t left = random_.below(4); left > 0; --left)
      targets.targets.emplace_back(chance(50) ? "trunk:carrier" : any_party());
    const std::array<PolicyAnswer, 4> answers{targets, Park{seconds{random_.below(30)}},
                                              PolicyRejection{}, PolicyFailed{"unavailable"}};
    const std::size_t chosen = chance(50) ? 0 : chance(60) ? 1 : 2 + random_.below(2);
    world_.answer(world_.questions[any].id, answers[chosen]);
    for (const CallParked& parked : world_.observed<CallParked>()) {
      if (chance(20)) world_.ask(AnswerCall{parked.call.name, chance(50) ? any_party() : ""});
    }
  }

  void act() {
    switch (random_.below(13)) {
      case 0:
      case 1:
        return dial();
      case 2:
        return trunk_dials();
      case 3:
        return in_dialog(*alice_);
      case 4:
        return in_dialog(world_.trunk());
      case 5:
        return in_dialog(*bobs_[random_.below(2)]);
      case 6:
        if (!dialled_.empty())
          alice_->cancel(dialled_[random_.below(static_cast<std::uint32_t>(dialled_.size()))]);
        return;
      case 7:
        if (chance(30)) reconnect();
        return;
      case 8:
        return originate();
      case 9:
        return decide();
      case 10:
        return media_fails();
      default:
        return control();
    }
  }

  /// The API asks something of some call, often one that can't do it now.
  void control() {
    const auto started = world_.observed<CallStarted>();
    if (started.empty()) return;
    const auto back = std::min<std::size_t>(started.size(), 1 + random_.below(4));
    const CallView& call = started[started.size() - back].call;
    LegName on{call.name, {}};
    static constexpr std::array<const char*, 5> kLegs{"from", "to", "from-2", "to-2", "to-3"};
    if (chance(40)) on.leg = kLegs[random_.below(5)];
    switch (random_.below(10)) {
      case 6:
      case 7:
        return transfer(on);
      case 8:
      case 9:
        world_.ask(AttendedTransfer{
            on,
            started[started.size() - std::min<std::size_t>(started.size(), 1 + random_.below(4))]
                .call.name});
        return;
      case 0:
        world_.ask(HoldCall{on});
        return;
      case 1:
        world_.ask(ResumeCall{on});
        return;
      case 2:
        world_.ask(
            MuteCall{on, chance(50) ? MuteDirection::from_leg : MuteDirection::to_leg, chance(50)});
        return;
      case 3:
        world_.ask(SendDtmf{on, "123", 100});
        return;
      case 4:
        world_.ask(GetStatistics{call.name});
        return;
      default:
        world_.ask(HangupCall{call.name, chance(50) ? 603 : 0, {}});
        return;
    }
  }

  void transfer(const LegName& on) {
    static constexpr std::array<const char*, 6> kTargets{"user:bob", "75550000",     "user:alice",
                                                         "5550000",  "service:tone", "echo"};
    static constexpr std::array<TransferMode, 3> kModes{TransferMode::automatic,
                                                        TransferMode::refer, TransferMode::gateway};
    world_.ask(TransferCall{on, kTargets[random_.below(6)], kModes[random_.below(3)],
                            chance(50) ? std::optional<Duration>(seconds{10}) : std::nullopt});
  }

  void dial() {
    static constexpr std::array<const char*, 6> kNames{"5551000", "bob",    "echo",
                                                       "tone",    "nobody", "9001"};
    const auto first = alice_->invite(kNames[random_.below(6)], "alice",
                                      chance(90) ? description(*alice_, true) : "");
    world_.settle();
    if (alice_->closed || !alice_->sent.contains(first)) return;
    const auto challenge = alice_->take_response(401, first);
    if (!challenge || challenge->response.status() != 401) return;
    alice_->responses.push_front(*challenge);
    dialled_.push_back(world_.answer_challenge(*alice_, first, "alice"));
  }

  void trunk_dials() {
    world_.trunk().invite(chance(70) ? "1001" : "echo", "5559",
                          chance(80) ? description(world_.trunk(), true) : "");
  }

  void in_dialog(Peer& peer) {
    if (!peer.dialog) return;
    switch (random_.below(5)) {
      case 0:
        peer.send_in_dialog(Method::bye);
        break;
      case 1:
        peer.send_in_dialog(Method::invite, "application/sdp", description(peer, true));
        return;
      case 2:
        peer.send_in_dialog(Method::update, "application/sdp",
                            chance(50) ? description(peer, true) : "");
        return;
      case 3:
        peer.send_in_dialog(Method::invite);
        return;
      default:
        peer.send_in_dialog(Method::info, "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
        return;
    }
    peer.dialog.reset();
  }

  void reconnect() {
    alice_->close_flow();
    if (chance(70)) {
      world_.pass(seconds{random_.below(70)});
      Peer& again = world_.registered("alice", 1000000, "a-1");
      again.dialog = alice_->dialog;
      alice_ = &again;
    } else {
      alice_ = &world_.registered("alice", 1000000, "a-2");
    }
    dialled_.clear();
  }

  void media_fails() {
    const auto legs = world_.media_commands<media::AddBrowserLeg>();
    if (legs.empty() || !chance(20)) return;
    world_.media(media::LegFailed{legs[random_.below(static_cast<std::uint32_t>(legs.size()))].leg,
                                  media::MediaFailure::consent_expired});
  }

  void answer_what_came(Peer& peer) {
    while (!peer.requests.empty()) {
      const auto request = std::move(peer.requests.front());
      peer.requests.pop_front();
      answer(peer, request);
    }
    while (const auto response = peer.take_response(200)) {
      const bool invited = sip::cseq_of(response->response).method == Method::invite;
      if (!invited || response->response.status() >= 300 || chance(10)) continue;
      if (chance(70)) peer.dialog.reset();
      const bool offer_inside = peer.sent.at(response->transaction).body().empty();
      peer.ack(*response, offer_inside && chance(80) ? description(peer, false) : "");
    }
    while (peer.take_response()) {
    }
  }

  void answer(Peer& peer, const sip::RequestReceived& request) {
    if (chance(5)) return;  // never answered
    if (request.request.method() == Method::refer) {
      if (chance(50)) peer.respond(request, chance(70) ? 202 : 603);
      if (peer.dialog && chance(60)) notify(peer);
      return;
    }
    if (request.request.method() != Method::invite) {
      return peer.respond(request, chance(90) ? 200 : 481);
    }
    if (chance(50)) peer.respond(request, 100);
    if (chance(50))
      peer.respond(request, chance(50) ? 180 : 183, chance(40) ? description(peer, false) : "");
    if (chance(20)) return;
    if (chance(70)) peer.dialog.reset();
    static constexpr std::array<int, 6> kCodes{486, 603, 503, 491, 302, 481};
    if (chance(70)) {
      peer.respond(
          request, 200,
          request.request.body().empty() ? description(peer, true) : description(peer, false));
      if (chance(5)) peer.respond(request, 200, description(peer, false), "another-tag");
    } else {
      peer.respond(request, kCodes[random_.below(6)]);
    }
  }

  void notify(Peer& peer) {
    static constexpr std::array<const char*, 4> kFragments{
        "SIP/2.0 100 Trying\r\n", "SIP/2.0 200 OK\r\n", "SIP/2.0 486 Busy Here\r\n", ""};
    auto request = peer.dialog->request(Method::notify);
    request.add(sip::HeaderName::event, "refer");
    request.add(sip::HeaderName::subscription_state, chance(50) ? "active" : "terminated");
    request.set_body("message/sipfrag", kFragments[random_.below(4)]);
    peer.send(std::move(request));
  }

  void wind_up() {
    world_.loss = 0;
    world_.end_all();
    for (int round = 0; round < 40; ++round) {
      for (Peer* peer : {alice_, &world_.trunk(), bobs_[0], bobs_[1]}) {
        while (const auto bye = peer->take_request(Method::bye))
          peer->respond(*bye, 200);
      }
      world_.pass(seconds{5});
    }
    world_.expect_nothing_left();
    EXPECT_GT(world_.observed<CallStarted>().size(), 50U);
    EXPECT_GT(world_.observed<CallAnswered>().size(), 15U);
    EXPECT_GT(world_.observed<CallHeld>().size(), 2U);
    for (const auto& [leg, ends] : leg_ends(world_))
      EXPECT_EQ(ends, 1) << leg.first << " leg " << leg.second;
  }

  World world_;
  SeededRandom random_;
  Peer* alice_ = nullptr;
  std::array<Peer*, 2> bobs_{};
  std::vector<sip::TransactionId> dialled_;
  std::vector<std::string> made_;  ///< calls of the API
  int version_ = 10;
};

class Randomly : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Randomly, MixedCallsLeaveNothingBehind) {
  RandomCalls calls(GetParam());
  calls.run(400);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Randomly, testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace trunkline::call::simulation
