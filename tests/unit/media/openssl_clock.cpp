#include "openssl_clock.hpp"

#include <ctime>
#include <optional>
#include <sys/time.h>

namespace trunkline::media::test {

namespace {
std::optional<std::chrono::microseconds> standing;
}

OpensslClock::OpensslClock() {
  standing = std::chrono::seconds{1'800'000'000};
}
OpensslClock::~OpensslClock() {
  standing.reset();
}
void OpensslClock::advance(Duration by) {
  *standing += std::chrono::duration_cast<std::chrono::microseconds>(by);
}

}  // namespace trunkline::media::test

/// Takes the place of the C library's function for the whole test program, libssl included.
extern "C" int gettimeofday(timeval* time, void*) noexcept {
  using trunkline::media::test::standing;
  if (standing) {
    time->tv_sec = standing->count() / 1'000'000;
    time->tv_usec = standing->count() % 1'000'000;
    return 0;
  }
  timespec real{};
  clock_gettime(CLOCK_REALTIME, &real);
  time->tv_sec = real.tv_sec;
  time->tv_usec = real.tv_nsec / 1000;
  return 0;
}
