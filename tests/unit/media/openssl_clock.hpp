#pragma once
#include "base/time.hpp"

namespace trunkline::media::test {

/// While one of these lives, the wall clock that OpenSSL's DTLS timer reads stands still and moves
/// only by `advance`.
class OpensslClock {
 public:
  OpensslClock();
  ~OpensslClock();
  OpensslClock(const OpensslClock&) = delete;
  OpensslClock& operator=(const OpensslClock&) = delete;
  void advance(Duration by);
};

}  // namespace trunkline::media::test
