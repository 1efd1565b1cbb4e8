#include "io/tls_reloader.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace trunkline::io {

TlsReloader::TlsReloader(std::vector<TlsContexts::Watched> watched, Duration interval,
                         Changed changed)
    : watched_(std::move(watched)),
      interval_(interval),
      changed_(std::move(changed)),
      thread_([this] { run(); }) {}

TlsReloader::~TlsReloader() {
  {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void TlsReloader::look_now() {
  {
    const std::scoped_lock lock(mutex_);
    asked_ = true;
  }
  wake_.notify_one();
}

void TlsReloader::watch(std::vector<TlsContexts::Watched> more) {
  const std::scoped_lock lock(mutex_);
  std::ranges::move(more, std::back_inserter(more_));
}

void TlsReloader::run() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    wake_.wait_for(lock, interval_, [this] { return asked_ || over_; });
    if (over_) return;
    asked_ = false;
    std::ranges::move(std::exchange(more_, {}), std::back_inserter(watched_));
    lock.unlock();
    look();
    lock.lock();
  }
}

void TlsReloader::look() {
  for (TlsContexts::Watched& one : watched_) {
    auto found = one.files.look(std::chrono::system_clock::now());
    if (!found) continue;
    TlsContext context;
    if (*found) {
      auto made = one.server ? make_server_tls(**found) : make_client_tls(**found);
      if (made) context = std::move(*made);
    }
    changed_(one.slot, std::move(*found), std::move(context));
  }
}

}  // namespace trunkline::io
