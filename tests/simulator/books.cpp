#include "books.hpp"

#include <algorithm>

namespace trunkline::simulator {
namespace {

/// A leg has its Call-ID for life, whatever call it comes to.
std::string key_of(const call::CallView& view, const call::LegView& leg) {
  return leg.sip_call_id.empty() ? view.name + "/" + leg.id : leg.sip_call_id;
}

std::string brief(const call::CallView& view) {
  return view.name.substr(0, 6) + " " + view.from + " to " + view.to;
}

}  // namespace

void Books::replied(const call::ControlReply& reply) {
  if (++replies_[reply.request] > 1)
    journal_.violation("request " + std::to_string(reply.request.value) + " has two replies");
  if (const auto* refusal = std::get_if<call::Refusal>(&reply.reply))
    journal_.note("reply " + std::to_string(reply.request.value) + ": " + refusal->message);
  told_[reply.request] = reply.reply;
}

const call::Reply* Books::reply(call::RequestId request) const {
  const auto found = told_.find(request);
  return found == told_.end() ? nullptr : &found->second;
}

void Books::seen(const call::CallView& view) {
  for (const call::LegView& leg : view.legs)
    told_legs_.try_emplace(key_of(view, leg), leg.party);
}

void Books::ended(const call::LegEnded& event) {
  journal_.note("leg ended: " + brief(event.call) + ", " + event.leg.id + " " + event.leg.party);
  if (over_.contains(event.call.name))
    journal_.violation("a leg of call " + event.call.name + " ended after the call");
  ToldLeg& told =
      told_legs_.try_emplace(key_of(event.call, event.leg), event.leg.party).first->second;
  if (++told.ends > 1)
    journal_.violation("leg " + event.leg.id + " of call " + event.call.name + " ended twice");
  if (!event.leg.end) journal_.violation("leg " + event.leg.id + " ended without a reason");
}

void Books::ended(const call::CallEnded& event) {
  journal_.note("call ended: " + brief(event.call) + ", " + std::to_string(event.end.sip_code) +
                " " + event.end.phrase);
  const std::string& name = event.call.name;
  if (!begun_.contains(name)) journal_.violation("call " + name + " ended before it began");
  if (!over_.insert(name).second) journal_.violation("call " + name + " ended twice");
  live_.erase(std::remove(live_.begin(), live_.end(), name), live_.end());
  for (const call::LegView& leg : event.call.legs) {
    const auto told = told_legs_.find(key_of(event.call, leg));
    const int ends = told == told_legs_.end() ? 0 : told->second.ends;
    if (ends != 1)
      journal_.violation("call " + name + " ended, and its leg " + leg.id + " has " +
                         std::to_string(ends) + " ends");
  }
}

void Books::observed(const call::Observation& observation) {
  if (const auto* started = std::get_if<call::CallStarted>(&observation)) {
    journal_.note("call began: " + brief(started->call));
    if (draining_) journal_.violation("a call began while the node drains");
    if (!begun_.insert(started->call.name).second)
      journal_.violation("call " + started->call.name + " began twice");
    calls_.push_back(started->call.name);
    live_.push_back(started->call.name);
    seen(started->call);
  } else if (const auto* rings = std::get_if<call::CallRinging>(&observation)) {
    seen(rings->call);
  } else if (const auto* answered = std::get_if<call::CallAnswered>(&observation)) {
    journal_.note("call answered: " + brief(answered->call));
    ++answered_;
    seen(answered->call);
  } else if (const auto* moved = std::get_if<call::CallTransferred>(&observation)) {
    journal_.note("transfer over: " + brief(moved->call) + " target " + moved->target +
                  (moved->failure ? " failed" : ""));
    seen(moved->call);
  } else if (const auto* parked = std::get_if<call::CallParked>(&observation)) {
    parked_.push_back(parked->call.name);
  } else if (const auto* leg = std::get_if<call::LegEnded>(&observation)) {
    ended(*leg);
  } else if (const auto* over = std::get_if<call::CallEnded>(&observation)) {
    ended(*over);
  } else if (const auto* refused = std::get_if<call::RequestRefused>(&observation)) {
    journal_.note("refused: " + refused->method + " " + std::to_string(refused->code) + " " +
                  refused->reason + " " + refused->detail);
  }
}

bool Books::leg_ended(const std::string& sip_call_id) const {
  const auto found = told_legs_.find(sip_call_id);
  return found != told_legs_.end() && found->second.ends > 0;
}

std::vector<std::string> Books::live_legs() const {
  std::vector<std::string> live;
  for (const auto& [leg, told] : told_legs_) {
    if (told.ends == 0) live.push_back(leg);
  }
  return live;
}

std::size_t Books::live_legs_at(const std::string& party) const {
  return static_cast<std::size_t>(std::ranges::count_if(told_legs_, [&](const auto& leg) {
    return leg.second.ends == 0 && leg.second.party == party;
  }));
}

void Books::drained() {
  if (!draining_) return;
  for (const std::string& name : live_)
    journal_.violation("call " + name + " lives on in a node that has drained");
}

void Books::finish() {
  for (const std::string& name : live_)
    journal_.violation("call " + name + " has no end");
  for (const std::string& leg : live_legs())
    journal_.violation("leg " + leg + " has no end");
  for (const auto& [request, times] : replies_) {
    if (times == 0)
      journal_.violation("request " + std::to_string(request.value) + " has no reply");
  }
}

}  // namespace trunkline::simulator
