#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace trunkline::media {

/// Which leg owns a remote address: only addresses from which ICE had an authenticated check. Open
/// addressing with linear probing, never more than half full, hashed with a secret because
/// strangers choose the keys they look up. `find` allocates nothing.
class AddressTable {
 public:
  /// Takes up to `capacity` addresses.
  AddressTable(std::size_t capacity, Random& random);

  std::optional<std::uint32_t> find(const SocketAddress& address) const;
  /// Replaces the owner of a known address. False when full.
  bool insert(const SocketAddress& address, std::uint32_t owner);
  void erase(const SocketAddress& address);
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    SocketAddress address;  ///< empty: free
    std::uint32_t owner = 0;
  };
  std::size_t home(const SocketAddress& address) const;
  std::size_t locate(const SocketAddress& address) const;

  std::array<std::uint64_t, 3> secret_;
  std::vector<Entry> entries_;
  std::size_t capacity_, size_ = 0;
};

}  // namespace trunkline::media
