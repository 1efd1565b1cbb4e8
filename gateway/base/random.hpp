#pragma once
#include "base/bytes.hpp"

#include <array>
#include <cstdint>
#include <random>
#include <string>

namespace trunkline {

/// A source of random bytes. Machines take it by reference, so that a test can replay them from a
/// seed. One thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes out) = 0;

  std::uint32_t number32();
  std::uint64_t number64();
  /// Uniform in [0, bound); 0 when bound is 0.
  std::uint32_t below(std::uint32_t bound);
  /// `length` characters of [A-Za-z0-9], 5.95 bits each. Fit for tags, branches, Call-IDs,
  /// ICE ufrag and pwd (RFC 8839 ice-char).
  std::string token(std::size_t length);
};

/// The process's cryptographic generator (OpenSSL RAND_bytes). Aborts if the system can't deliver.
class SystemRandom final : public Random {
 public:
  void fill(MutableBytes out) override;
};

/// Replays the same bytes for the same seed. For tests and the simulator only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override;

 private:
  std::mt19937_64 engine_;
};

}  // namespace trunkline
