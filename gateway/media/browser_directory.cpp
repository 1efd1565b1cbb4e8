#include "media/browser_directory.hpp"

#include <algorithm>

namespace trunkline::media {

namespace {

/// An address changes hands only when its owner has been silent this long: a client with a call of
/// its own must not be able to take over the address of another's by one spoofed check.
constexpr Duration kOwnerSilence = seconds{3};

}  // namespace

BrowserDirectory::BrowserDirectory(std::size_t max_legs, Random& random)
    : addresses_(max_legs * ice::IceLite::kMaxPairs, random) {
  ufrags_.reserve(2 * max_legs);
  slots_.reserve(max_legs);
}

bool BrowserDirectory::make_key(std::string_view text, Ufrag& key) {
  if (text.empty() || text.size() > kMaxUfrag) return false;
  key = {};
  std::copy(text.begin(), text.end(), key.text.begin());
  key.size = static_cast<std::uint8_t>(text.size());
  return true;
}

bool BrowserDirectory::add(BrowserLeg& leg) {
  Ufrag key;
  if (!make_key(leg.ufrag(), key) || ufrags_.contains(key)) return false;
  auto slot = static_cast<std::uint32_t>(records_.size());
  if (free_.empty()) {
    records_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  records_[slot].leg = &leg;
  records_[slot].addresses.reserve(ice::IceLite::kMaxPairs + 1);
  slots_.emplace(&leg, slot);
  refresh(leg);
  return true;
}

void BrowserDirectory::remove(BrowserLeg& leg) {
  const auto found = slots_.find(&leg);
  if (found == slots_.end()) return;
  Record& record = records_[found->second];
  for (const Ufrag& ufrag : record.ufrags)
    ufrags_.erase(ufrag);
  for (const SocketAddress& address : record.addresses) {
    if (addresses_.find(address) == found->second) addresses_.erase(address);
  }
  record = {};
  free_.push_back(found->second);
  slots_.erase(found);
}

void BrowserDirectory::refresh(BrowserLeg& leg) {
  const std::uint32_t slot = slot_of(leg);
  Record& record = records_[slot];
  for (const Ufrag& ufrag : record.ufrags)
    ufrags_.erase(ufrag);
  record.ufrags.clear();
  for (const std::string_view text : {leg.ufrag(), leg.previous_ufrag()}) {
    Ufrag key;
    if (make_key(text, key) && ufrags_.emplace(key, slot).second) record.ufrags.push_back(key);
  }
}

void BrowserDirectory::on_check(BrowserLeg& leg, const SocketAddress& from,
                                const ice::CheckOutcome& outcome, TimePoint now) {
  if (outcome.restarted) refresh(leg);
  const std::uint32_t slot = slot_of(leg);
  Record& record = records_[slot];
  if (outcome.evicted) forget_address(record, outcome.evicted->remote);
  if (outcome.verdict != ice::CheckVerdict::valid) return;
  const auto owner = addresses_.find(from);
  if (owner == slot || (owner && !may_take(*owner, now))) return;
  if (owner) std::erase(records_[*owner].addresses, from);
  if (addresses_.insert(from, slot)) record.addresses.push_back(from);
}

bool BrowserDirectory::may_take(std::uint32_t owner, TimePoint now) const {
  return now - records_[owner].leg->last_heard() > kOwnerSilence;
}

void BrowserDirectory::forget_address(Record& record, const SocketAddress& address) {
  if (std::erase(record.addresses, address) > 0) addresses_.erase(address);
}

std::uint32_t BrowserDirectory::slot_of(const BrowserLeg& leg) const {
  return slots_.find(&leg)->second;
}

BrowserLeg* BrowserDirectory::by_ufrag(std::string_view ufrag) const {
  Ufrag key;
  if (!make_key(ufrag, key)) return nullptr;
  const auto found = ufrags_.find(key);
  return found == ufrags_.end() ? nullptr : records_[found->second].leg;
}

BrowserLeg* BrowserDirectory::by_address(const SocketAddress& address) const {
  const auto slot = addresses_.find(address);
  return slot ? records_[*slot].leg : nullptr;
}

}  // namespace trunkline::media
