#include "call/server_locator.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {
namespace {

constexpr seconds kShortestLife{5};          // a shorter TTL is taken for a mistake
constexpr Duration kRetry = seconds{10};     // after a failure
constexpr Duration kForget = seconds{3600};  // answers that nobody needs any more

}  // namespace

Duration refresh_after(Duration interval, seconds time_to_live) {
  // In seconds: what lives for ever is too long for the clock's ticks.
  const auto longest = std::chrono::ceil<seconds>(interval);
  if (time_to_live <= kShortestLife || time_to_live >= longest) return interval;
  return time_to_live;
}

ServerLocator::ServerLocator(std::vector<LocatedName> names, std::vector<sip::Transport> transports,
                             Duration interval, AddressFamilies families)
    : transports_(std::move(transports)), families_(families), interval_(interval) {
  for (LocatedName& name : names)
    places_.push_back({.wanted = std::move(name), .location = std::nullopt});
}

void ServerLocator::receive(const DnsQuestion& question, DnsAnswer answer, TimePoint now,
                            Effects& out) {
  const auto known = known_.find(question);
  if (known == known_.end() || !known->second.asked) return;
  Known& kept = known->second;
  kept.asked = false;
  if (answer.failed) {
    // What was answered before stands in; the first answer ever says as much as "none".
    kept.until = now + std::min(interval_, kRetry);
  } else {
    kept.until = now + refresh_after(interval_, answer.time_to_live);
    kept.answer = std::move(answer);
  }
  for (Place& place : places_) {
    if (place.location) advance(place, now, out);
  }
}

void ServerLocator::on_deadline(TimePoint now, Effects& out) {
  for (Place& place : places_) {
    if (place.location || place.next > now) continue;
    place.location.emplace(place.wanted.uri, transports_, families_);
    place.until = kNever;
    advance(place, now, out);
  }
  forget(now);
}

void ServerLocator::advance(Place& place, TimePoint now, Effects& out) {
  bool moved = true;
  while (moved && !place.location->done()) {
    moved = false;
    for (const DnsQuestion& question : place.location->questions()) {
      Known& known = known_[question];
      if (known.asked) continue;
      if (known.until <= now) {
        known.asked = true;
        out.questions.push_back(question);
        continue;
      }
      place.until = std::min(place.until, known.until);
      place.location->answer(question, known.answer);
      moved = true;
    }
  }
  const auto targets = place.location->targets();
  if (!place.location->done()) {
    // One slow answer of several keeps nobody from what the others say.
    if (!place.found && targets.size() > place.told) {
      place.told = targets.size();
      out.found.push_back({place.wanted.name, targets});
    }
    return;
  }
  place.location.reset();
  // No record, no time to live: an address in the URI needs no second look.
  place.next = place.until;
  if (targets.empty()) {
    place.next = std::min(place.until, now + std::min(interval_, kRetry));
    out.lost.push_back(place.wanted.name);
    return;
  }
  place.found = true;
  out.found.push_back({place.wanted.name, targets});
}

void ServerLocator::forget(TimePoint now) {
  std::erase_if(known_, [now](const auto& entry) {
    return !entry.second.asked && entry.second.until + kForget < now;
  });
}

TimePoint ServerLocator::deadline() const {
  TimePoint first = kNever;
  for (const Place& place : places_) {
    if (!place.location) first = std::min(first, place.next);
  }
  return first;
}

}  // namespace trunkline::call
