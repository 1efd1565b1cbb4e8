#pragma once
#include "base/time.hpp"
#include "io/tls_contexts.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace trunkline::io {

/// Looks at the TLS files, by the clock and when asked, in a thread of its own: neither a slow disk
/// nor a long list of authorities holds a call up. Any thread.
class TlsReloader {
 public:
  /// On the reloader's thread. Null: what is there is of no use.
  using Changed =
      std::function<void(TlsContexts::Slot, Result<TlsMaterial, TlsFileError>, TlsContext)>;

  TlsReloader(std::vector<TlsContexts::Watched> watched, Duration interval, Changed changed);
  /// Waits for the look under way.
  ~TlsReloader();
  TlsReloader(const TlsReloader&) = delete;
  TlsReloader& operator=(const TlsReloader&) = delete;

  void look_now();
  /// More to look at.
  void watch(std::vector<TlsContexts::Watched> more);

 private:
  void run();
  void look();

  std::vector<TlsContexts::Watched> watched_;  // the thread's
  const Duration interval_;
  const Changed changed_;
  std::mutex mutex_;
  std::vector<TlsContexts::Watched> more_;  ///< for the thread
  std::condition_variable wake_;
  bool asked_ = false, over_ = false;
  std::thread thread_;
};

}  // namespace trunkline::io
