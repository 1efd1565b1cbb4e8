#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace trunkline {

/// A number that means one kind of thing only. 0 is "none". Handles to flows, calls and legs cross
/// the layers as ids, never as pointers: a stale id finds nothing, and that is harmless.
template <class Tag>
struct Id {
  std::uint64_t value = 0;
  constexpr explicit operator bool() const { return value != 0; }
  // clang-tidy 14 takes the literal 0 that the compiler compares with for a null pointer.
  constexpr auto operator<=>(const Id&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// Hands out ids 1, 2, 3 … One owner, one thread.
template <class IdType>
class IdSequence {
 public:
  IdType next() { return IdType{++last_}; }

 private:
  std::uint64_t last_ = 0;
};

/// A signalling path: one UDP listener, or one TCP, TLS or WebSocket connection.
using FlowId = Id<struct FlowTag>;
/// A call: two legs (or one leg and a service) joined by the B2BUA.
using CallId = Id<struct CallTag>;
/// One side of a call: its own dialog and its own media session half. Unique in the process.
using LegId = Id<struct LegTag>;

}  // namespace trunkline

template <class Tag>
struct std::hash<trunkline::Id<Tag>> {
  std::size_t operator()(trunkline::Id<Tag> id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value);
  }
};
