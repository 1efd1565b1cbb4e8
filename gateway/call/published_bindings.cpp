#include "call/published_bindings.hpp"

#include <algorithm>
#include <set>

namespace trunkline::call {
namespace {

std::int64_t unix_ms(PublishedBindings::Wall at) {
  return std::chrono::duration_cast<milliseconds>(at.time_since_epoch()).count();
}

auto flow_of(std::vector<Registration>& flows, const Registration& registration) {
  return std::ranges::find(flows, registration.id, &Registration::id);
}

}  // namespace

PublishedBindings::Key PublishedBindings::key_of(const Registration& registration) const {
  // RFC 5626 §4.1: an instance is the same device wherever it registers; without one nothing but
  // this node's own binding tells it.
  const std::string& instance = registration.instance;
  return {registration.user, instance.empty() ? node_ + "#" + registration.id : instance};
}

void PublishedBindings::changed(const RegistrationChanged& change, Wall now) {
  using Kind = RegistrationChanged::Kind;
  switch (change.kind) {
    case Kind::added:
    case Kind::refreshed:
      return add(change.registration, now);
    case Kind::removed:
    case Kind::expired:
    case Kind::flow_lost:
      return remove(change.registration);
  }
}

void PublishedBindings::add(const Registration& registration, Wall now) {
  const Key key = key_of(registration);
  Device& device = devices_[key];
  if (device.flows.empty() && device.change > 0) --gone_;
  if (const auto old = flow_of(device.flows, registration); old != device.flows.end())
    device.flows.erase(old);
  device.flows.push_back(registration);
  device.at = std::max(device.at, unix_ms(now));
  device.fresh = true;
  device.superseded = false;
  ++device.change;
  enqueue(key, device, Queue::changed);
}

void PublishedBindings::remove(const Registration& registration) {
  const auto found = devices_.find(key_of(registration));
  if (found == devices_.end()) return;
  Device& device = found->second;
  const auto flow = flow_of(device.flows, registration);
  if (flow == device.flows.end()) return;
  device.flows.erase(flow);
  ++device.change;
  if (!device.flows.empty()) return enqueue(found->first, device, Queue::changed);
  if (gone_ >= max_gone_) {
    ++given_up_;
    if (device.queue != Queue::none) --waiting_;  // its place in the queue is passed over
    devices_.erase(found);
    return;
  }
  ++gone_;
  enqueue(found->first, device, Queue::changed);
}

void PublishedBindings::replace(const std::vector<Registration>& all, Wall now) {
  std::set<std::pair<std::string, std::string>> live;  // user, id
  for (const Registration& one : all)
    live.insert({one.user, one.id});
  std::vector<Registration> missed;
  for (const auto& [key, device] : devices_) {
    for (const Registration& flow : device.flows) {
      if (!live.contains({flow.user, flow.id})) missed.push_back(flow);
    }
  }
  for (const Registration& one : missed)
    remove(one);
  for (const Registration& one : all) {
    const auto found = devices_.find(key_of(one));
    const bool same = found != devices_.end() &&
                      std::ranges::any_of(found->second.flows, [&](const Registration& flow) {
                        return flow.id == one.id && flow.expires == one.expires;
                      });
    if (!same) add(one, now);
  }
}

void PublishedBindings::assert_all() {
  for (auto& [key, device] : devices_) {
    if (device.queue == Queue::none && !device.superseded) enqueue(key, device, Queue::again);
  }
}

void PublishedBindings::enqueue(const Key& key, Device& device, Queue queue) {
  if (device.queue == queue) return;
  if (device.queue == Queue::none) ++waiting_;
  // What stands in the other queue as well is passed over there.
  device.queue = queue;
  (queue == Queue::changed ? changed_ : again_).push_back(key);
}

std::optional<PublishedBindings::Write> PublishedBindings::next(Wall now) {
  for (const Queue queue : {Queue::changed, Queue::again}) {
    std::deque<Key>& keys = queue == Queue::changed ? changed_ : again_;
    while (!keys.empty()) {
      const auto found = devices_.find(keys.front());
      keys.pop_front();
      if (found == devices_.end() || found->second.queue != queue) continue;
      found->second.queue = Queue::none;
      --waiting_;
      if (auto write = write_of(found, now)) return write;
    }
  }
  return std::nullopt;
}

std::optional<PublishedBindings::Write> PublishedBindings::write_of(Devices::iterator found,
                                                                    Wall now) {
  Device& device = found->second;
  Write write{.user = found->first.first, .device = found->first.second, .change = device.change};
  if (device.flows.empty()) {
    write.kind = Write::Kind::withdraw;
    return write;
  }
  write.registration = device.flows.back();
  const Wall until = std::ranges::max(device.flows, {}, &Registration::expires).expires;
  write.lifetime = std::chrono::duration_cast<milliseconds>(until - now);
  // The registrar is about to say so, too.
  if (write.lifetime <= milliseconds{0}) return std::nullopt;
  write.at = device.at;
  write.fresh = device.fresh;
  return write;
}

void PublishedBindings::finished(const Write& write, Outcome outcome, std::int64_t at) {
  const auto found = devices_.find({write.user, write.device});
  if (found == devices_.end()) return;
  Device& device = found->second;
  const bool current = device.change == write.change;
  if (outcome == Outcome::failed) {
    if (device.queue == Queue::none) enqueue(found->first, device, Queue::changed);
    return;
  }
  if (!current) return;  // it waits again
  if (write.kind == Write::Kind::withdraw) {
    --gone_;
    devices_.erase(found);
    return;
  }
  device.at = std::max(device.at, at);
  device.fresh = false;
  device.superseded = outcome == Outcome::superseded;
}

}  // namespace trunkline::call
