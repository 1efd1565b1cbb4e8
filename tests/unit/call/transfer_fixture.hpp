#pragma once
#include "established_call.hpp"
#include <set>
#include <tuple>

namespace trunkline::call::simulation {

/// Alice in a call with the carrier; bob, a second carrier and numbers that the API may dial are
/// there to be transferred to.
struct TransferCase : EstablishedCall {
  Peer* bob = nullptr;
  Peer* second = nullptr;  ///< another trunk
  int version = 90;

  void SetUp() override {
    TrunkSettings other;
    other.name = "second";
    other.uri = *sip::Uri::parse("sip:203.0.113.66:5060");
    world.settings.trunks.push_back(other);
    auto& routes = world.settings.routes;
    routes.insert(routes.begin(),
                  {{"any", "^8[0-9]+$", "trunk:second"}, {"any", "^7[0-9]+$", "trunk:carrier"}});
    world.restart();
    world.trunk().allow += ", REFER";
    EstablishedCall::SetUp();
    bob = &world.registered("bob", 100000, "b-1");
    second = &world.stranger();
  }

  LegName carrier_leg() const { return {call_name(), {}}; }
  LegName alices_leg() { return {call_name(), leg_of("user:alice")}; }
  RequestId transfer(const std::string& target, TransferMode mode, LegName on,
                     std::optional<Duration> ring = {}) {
    return world.ask(TransferCall{std::move(on), target, mode, ring});
  }
  std::string refusal(RequestId request) const {
    const auto refused = world.reply<Refusal>(request);
    return refused ? refused->reason : std::string{};
  }
  int failure(RequestId request) const {
    const auto failed = world.reply<Failure>(request);
    return failed ? failed->sip_code : 0;
  }
  static std::string header(const sip::RequestReceived& request, sip::HeaderName name) {
    return std::string(request.request.header(name).value_or(""));
  }
  /// A NOTIFY of the carrier's in the dialog; what the gateway said to it.
  int notify(std::string_view fragment, std::string_view state, std::string_view event = "refer") {
    auto request = trunk->dialog->request(sip::Method::notify);
    if (!event.empty()) request.add(sip::HeaderName::event, event);
    request.add(sip::HeaderName::subscription_state, state);
    if (!fragment.empty())
      request.set_body("message/sipfrag;version=2.0", std::string(fragment) + "\r\n");
    const auto sent = trunk->send(std::move(request));
    world.settle();
    const auto response = trunk->take_response(200, sent);
    return response ? response->response.status() : 0;
  }
  /// The REFER that came to the carrier, answered with 202.
  std::optional<sip::RequestReceived> accept_refer() {
    auto refer = trunk->take_request(sip::Method::refer);
    if (refer) trunk->respond(*refer, 202);
    world.settle();
    return refer;
  }
  /// The call is what it was before: both parties in it, audio both ways, no leg too many.
  void expect_untouched() {
    const auto view =
        world.reply<CallView>(world.ask(MuteCall{carrier_leg(), MuteDirection::to_leg, false}));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->state, CallState::answered);
    for (const LegView& leg : view->legs) {
      const bool party = leg.party == "user:alice" || leg.id == view->legs[1].id;
      EXPECT_EQ(leg.state, party ? LegState::answered : LegState::ended) << leg.party;
    }
    EXPECT_EQ(talking(), (std::set<std::string>{"trunk:carrier", "user:alice"}));
    EXPECT_FALSE(alice->take_request(sip::Method::bye));
    EXPECT_FALSE(trunk->take_request(sip::Method::bye));
  }
  /// The parties between whom audio is routed both ways, on a worker that has both.
  std::set<std::string> talking() {
    std::set<std::pair<std::size_t, LegId>> legs;
    std::set<std::tuple<std::size_t, LegId, LegId>> routes;
    for (std::size_t i = 0; i < world.media_log.size(); ++i) {
      const auto& command = world.media_log[i];
      const std::size_t worker = world.media_workers[i];
      if (const auto* browser = std::get_if<media::AddBrowserLeg>(&command))
        legs.insert({worker, browser->leg});
      if (const auto* added = std::get_if<media::AddTrunkLeg>(&command))
        legs.insert({worker, added->leg});
      if (const auto* set = std::get_if<media::SetRoute>(&command)) {
        if (legs.contains({worker, set->from}) && legs.contains({worker, set->to}))
          routes.insert({worker, set->from, set->to});
      }
      if (const auto* clear = std::get_if<media::ClearRoute>(&command))
        routes.erase({worker, clear->from, clear->to});
      if (const auto* removed = std::get_if<media::RemoveLeg>(&command)) {
        legs.erase({worker, removed->leg});
        std::erase_if(routes, [&](const auto& route) {
          const auto& [at, from, to] = route;
          return at == worker && (from == removed->leg || to == removed->leg);
        });
      }
    }
    std::set<std::string> parties;
    for (const auto& [worker, from, to] : routes) {
      if (routes.contains({worker, to, from})) parties.insert(party_of(from));
    }
    return parties;
  }
  /// The gateway says it itself, of a leg whose media it hears something about.
  std::string party_of(LegId leg) {
    const auto told_before = world.observed<MediaChanged>().size();
    world.media(media::FirstPacket{leg, {}});
    const auto told = world.observed<MediaChanged>();
    if (told.size() == told_before) return {};
    for (const LegView& seen : told.back().call.legs) {
      if (seen.id == told.back().leg) return seen.party;
    }
    return {};
  }
  /// Everything is hung up, and nothing stays behind. `stayed`: no leg's media has moved.
  void wind_up(bool stayed = true) {
    world.end_all();
    for (Peer* peer : {alice, bob, trunk, second}) {
      while (const auto bye = peer->take_request(sip::Method::bye))
        peer->respond(*bye, 200);
    }
    world.settle();
    world.expect_nothing_left();
    const auto ends = leg_ends(world);
    for (const auto& [leg, count] : ends)
      EXPECT_EQ(count, 1) << leg.first << " leg " << leg.second;
    std::set<std::pair<std::string, std::string>> services;
    for (const auto& end : world.observed<LegEnded>()) {
      if (end.leg.party.starts_with("service:")) services.insert({end.call.name, end.leg.id});
    }
    const auto legs = world.media_commands<media::AddBrowserLeg>().size() +
                      world.media_commands<media::AddTrunkLeg>().size() + services.size();
    if (stayed) {
      EXPECT_EQ(ends.size(), legs);
    }
  }
};

}  // namespace trunkline::call::simulation
