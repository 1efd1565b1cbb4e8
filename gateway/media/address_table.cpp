#include "media/address_table.hpp"

#include <bit>
#include <cstring>

namespace trunkline::media {

namespace {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  // Both halves of the product: a 64 by 64 bit multiplication stirs every bit of a keyed operand.
  const std::uint64_t low = (a & 0xffffffff) * (b & 0xffffffff);
  const std::uint64_t high = (a >> 32) * (b >> 32);
  const std::uint64_t cross = (a >> 32) * (b & 0xffffffff) + (a & 0xffffffff) * (b >> 32);
  return (low + (cross << 32)) ^ (high + (cross >> 32));
}

}  // namespace

AddressTable::AddressTable(std::size_t capacity, Random& random)
    : secret_{{random.number64() | 1, random.number64() | 1, random.number64() | 1}},
      entries_(std::bit_ceil(2 * capacity + 2)),
      capacity_(capacity) {}

std::size_t AddressTable::home(const SocketAddress& address) const {
  std::uint64_t first = 0, second = 0;
  std::memcpy(&first, address.ip.bytes().data(), 8);
  std::memcpy(&second, address.ip.bytes().data() + 8, 8);
  const std::uint64_t tail = (std::uint64_t{address.port} << 1) | (address.ip.is_v6() ? 1 : 0);
  const std::uint64_t hash =
      mix(mix(first ^ secret_[0], second ^ secret_[1]) ^ tail ^ secret_[2], secret_[0]);
  return static_cast<std::size_t>(hash) & (entries_.size() - 1);
}

std::size_t AddressTable::locate(const SocketAddress& address) const {
  std::size_t at = home(address);
  while (!entries_[at].address.empty() && entries_[at].address != address) {
    at = (at + 1) & (entries_.size() - 1);
  }
  return at;
}

std::optional<std::uint32_t> AddressTable::find(const SocketAddress& address) const {
  const Entry& entry = entries_[locate(address)];
  if (entry.address.empty()) return std::nullopt;
  return entry.owner;
}

bool AddressTable::insert(const SocketAddress& address, std::uint32_t owner) {
  if (address.empty()) return false;
  Entry& entry = entries_[locate(address)];
  if (entry.address.empty()) {
    if (size_ == capacity_) return false;
    entry.address = address;
    ++size_;
  }
  entry.owner = owner;
  return true;
}

void AddressTable::erase(const SocketAddress& address) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t hole = locate(address);
  if (entries_[hole].address.empty()) return;
  --size_;
  // Moves later entries of the cluster back, so that no probe meets a gap before its goal.
  for (std::size_t at = (hole + 1) & mask; !entries_[at].address.empty(); at = (at + 1) & mask) {
    const std::size_t wanted = home(entries_[at].address);
    if (((at - wanted) & mask) >= ((at - hole) & mask)) {
      entries_[hole] = entries_[at];
      hole = at;
    }
  }
  entries_[hole] = Entry{};
}

}  // namespace trunkline::media
