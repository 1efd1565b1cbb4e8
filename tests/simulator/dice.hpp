#pragma once
#include "base/random.hpp"
#include "base/time.hpp"

#include <cstddef>
#include <cstdint>

namespace trunkline::simulator {

/// What one actor of a run decides by chance, from the seed and the actor's own number: what one
/// does never changes the luck of another.
class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t actor)
      : random_(seed * 0x9E3779B97F4A7C15ULL + actor * 0xD1B54A32D192ED03ULL) {}

  bool chance(std::uint32_t percent) { return random_.below(100) < percent; }
  std::uint32_t below(std::size_t bound) {
    return random_.below(static_cast<std::uint32_t>(bound));
  }
  /// A time from the first up to the second.
  milliseconds between(milliseconds least, milliseconds most) {
    return least + milliseconds{below(static_cast<std::size_t>((most - least).count()) + 1)};
  }
  template <class Choices>
  const auto& pick(const Choices& choices) {
    return choices[below(std::size(choices))];
  }
  Random& random() { return random_; }

 private:
  SeededRandom random_;
};

}  // namespace trunkline::simulator
