#pragma once
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "call/engine.hpp"
#include "io/counters.hpp"
#include "io/media_worker.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace trunkline::io {

/// All media workers of the node, as the signalling thread sees them.
class MediaWorkers final : public MetricSource {
 public:
  /// Binds the sockets of all workers.
  static Result<std::unique_ptr<MediaWorkers>> make(const MediaSettings& settings,
                                                    const media::PlaneSettings& plane,
                                                    Counters& counters);

  void start();
  void stop();
  call::MediaResources resources() const;
  /// Readable when `take` or `retry` has something to do.
  const Wakeup& wakeup() const { return wakeup_; }

  /// A new certificate for the legs that begin on this worker from now on. The old one stays with
  /// those that have it.
  Result<media::Fingerprint> renew_certificate(std::size_t worker);

  void post(call::MediaCommand command);
  /// After some `post`s: wakes the workers concerned.
  void notify();
  /// The next event of any worker.
  bool take(media::Event& event);
  void retry();

  bool healthy(TimePoint now) const;
  void collect(MetricSink& sink) const override;

 private:
  MediaWorkers(MediaSettings settings, Counters& counters)
      : settings_(std::move(settings)), counters_(counters) {}

  MediaSettings settings_;
  /// One a worker: a page whose media moves to another worker tells by the certificate that its
  /// DTLS association is a new one (RFC 8842 §5.1). The newest.
  std::vector<media::DtlsIdentity> identities_;
  Counters& counters_;
  Wakeup wakeup_;
  std::vector<std::unique_ptr<MediaWorker>> workers_;
  std::vector<bool> posted_;
  std::size_t next_ = 0;  ///< worker whose events are taken next
};

}  // namespace trunkline::io
