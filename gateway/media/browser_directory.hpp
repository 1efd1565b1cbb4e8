#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "media/address_table.hpp"
#include "media/browser_leg.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trunkline::media {

/// Finds the browser leg of a datagram on the shared sockets, or of a frame on a TCP connection: a
/// STUN check by the ufrag it names, everything else by its source address or its connection, which
/// only an authenticated check can have put here. Look-ups allocate nothing.
class BrowserDirectory {
 public:
  static constexpr std::size_t kMaxUfrag = 32;

  BrowserDirectory(std::size_t max_legs, Random& random);

  /// False when a ufrag of the leg is too long or taken.
  bool add(BrowserLeg& leg);
  void remove(BrowserLeg& leg);
  /// The leg's ufrags have changed: an ICE restart began or is complete.
  void refresh(BrowserLeg& leg);
  /// What a check of the leg did to its addresses.
  void on_check(BrowserLeg& leg, const ice::Tuple& from, const ice::CheckOutcome& outcome,
                TimePoint now);
  /// The leg that had the connection, which is nobody's now; null: none had.
  BrowserLeg* forget_connection(SocketIndex connection);

  BrowserLeg* by_ufrag(std::string_view ufrag) const;
  BrowserLeg* by_source(const ice::Tuple& source) const;

 private:
  struct Ufrag {
    std::array<char, kMaxUfrag> text{};
    std::uint8_t size = 0;
    bool operator==(const Ufrag&) const = default;
  };
  struct UfragHash {
    std::size_t operator()(const Ufrag& ufrag) const {
      return std::hash<std::string_view>{}({ufrag.text.data(), ufrag.size});
    }
  };
  struct Record {
    BrowserLeg* leg = nullptr;
    std::vector<Ufrag> ufrags;
    std::vector<ice::Tuple> sources;
  };

  static constexpr std::uint32_t kNobody = UINT32_MAX;

  static bool make_key(std::string_view text, Ufrag& key);
  std::uint32_t slot_of(const BrowserLeg& leg) const;
  std::optional<std::uint32_t> owner_of(const ice::Tuple& source) const;
  bool give(const ice::Tuple& source, std::uint32_t slot);
  void clear(const ice::Tuple& source);
  bool may_take(std::uint32_t owner, TimePoint now) const;

  AddressTable addresses_;
  std::vector<std::uint32_t> connections_;  ///< slot of the owner; `kNobody`
  std::unordered_map<Ufrag, std::uint32_t, UfragHash> ufrags_;
  std::unordered_map<const BrowserLeg*, std::uint32_t> slots_;
  std::vector<Record> records_;
  std::vector<std::uint32_t> free_;
};

}  // namespace trunkline::media
