#include "media/browser_directory.hpp"

#include <algorithm>

namespace trunkline::media {

namespace {

/// An address changes hands only when its owner has been silent this long: a client with a call of
/// its own must not be able to take over the address of another's by one spoofed check.
constexpr Duration kOwnerSilence = seconds{3};

}  // namespace

BrowserDirectory::BrowserDirectory(std::size_t max_legs, Random& random)
    : addresses_(max_legs * ice::IceLite::kMaxPairs, random),
      connections_(kMaxConnections, kNobody) {
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
  records_[slot].sources.reserve(ice::IceLite::kMaxPairs + 1);
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
  for (const ice::Tuple& source : record.sources) {
    if (owner_of(source) == found->second) clear(source);
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

void BrowserDirectory::on_check(BrowserLeg& leg, const ice::Tuple& from,
                                const ice::CheckOutcome& outcome, TimePoint now) {
  if (outcome.restarted) refresh(leg);
  const std::uint32_t slot = slot_of(leg);
  Record& record = records_[slot];
  if (outcome.evicted && std::erase(record.sources, *outcome.evicted) > 0) clear(*outcome.evicted);
  if (outcome.verdict != ice::CheckVerdict::valid) return;
  const auto owner = owner_of(from);
  if (owner == slot || (owner && !may_take(*owner, now))) return;
  if (owner) std::erase(records_[*owner].sources, from);
  if (give(from, slot)) record.sources.push_back(from);
}

BrowserLeg* BrowserDirectory::forget_connection(SocketIndex connection) {
  const auto owner = owner_of({{}, connection});
  if (!owner) return nullptr;
  Record& record = records_[*owner];
  clear({{}, connection});
  std::erase_if(record.sources,
                [&](const ice::Tuple& source) { return source.local_socket == connection; });
  return record.leg;
}

std::optional<std::uint32_t> BrowserDirectory::owner_of(const ice::Tuple& source) const {
  if (!is_connection(source.local_socket)) return addresses_.find(source.remote);
  const std::size_t number = source.local_socket - kFirstConnection;
  if (number >= connections_.size() || connections_[number] == kNobody) return std::nullopt;
  return connections_[number];
}

bool BrowserDirectory::give(const ice::Tuple& source, std::uint32_t slot) {
  if (!is_connection(source.local_socket)) return addresses_.insert(source.remote, slot);
  const std::size_t number = source.local_socket - kFirstConnection;
  if (number >= connections_.size()) return false;
  connections_[number] = slot;
  return true;
}

void BrowserDirectory::clear(const ice::Tuple& source) {
  if (!is_connection(source.local_socket)) return addresses_.erase(source.remote);
  const std::size_t number = source.local_socket - kFirstConnection;
  if (number < connections_.size()) connections_[number] = kNobody;
}

bool BrowserDirectory::may_take(std::uint32_t owner, TimePoint now) const {
  return now - records_[owner].leg->last_heard() > kOwnerSilence;
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

BrowserLeg* BrowserDirectory::by_source(const ice::Tuple& source) const {
  const auto slot = owner_of(source);
  return slot ? records_[*slot].leg : nullptr;
}

}  // namespace trunkline::media
