#pragma once
#include "io/unique_fd.hpp"

#include <cstdint>
#include <sys/eventfd.h>

namespace trunkline::io {

/// Makes a descriptor readable in another thread's loop. Signals that came before `clear` are one.
class Wakeup {
 public:
  Wakeup() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  int fd() const { return fd_.get(); }
  /// Any thread.
  void signal() const {
    const std::uint64_t one = 1;
    // It fails only when the counter is full: then it is readable already.
    if (::write(fd_.get(), &one, sizeof(one)) < 0) return;
  }
  void clear() const {
    std::uint64_t count = 0;
    if (::read(fd_.get(), &count, sizeof(count)) < 0) return;
  }

 private:
  UniqueFd fd_;
};

}  // namespace trunkline::io
