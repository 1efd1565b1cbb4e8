#pragma once
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "io/mailbox.hpp"
#include "io/media_loop.hpp"
#include "io/media_sockets.hpp"
#include "media/plane.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace trunkline::io {

/// A loop that has not turned for so long is stuck.
inline constexpr seconds kAliveWithin{5};

/// A thread with its own sockets and its own media::Plane. Only values cross: commands to it,
/// events from it.
class MediaWorker final : public MetricSource {
 public:
  /// Binds the sockets. `identity` and `events_wait`, which is signalled when `take` has something,
  /// outlive the worker.
  static Result<std::unique_ptr<MediaWorker>> make(std::size_t index, const MediaSettings& settings,
                                                   const media::PlaneSettings& plane,
                                                   const media::DtlsIdentity& identity,
                                                   const Wakeup& events_wait);
  ~MediaWorker() override;

  void start();
  /// Lets it execute the commands it has, then ends the thread.
  void stop();
  const call::MediaResources::Worker& resources() const { return sockets_.resources; }

  // ---------------------------------------- signalling thread
  using Posted = Mailbox<media::Command>::Posted;
  /// Takes effect after `notify`.
  Posted post(media::Command command) { return commands_.post(std::move(command)); }
  /// Wakes the worker after some `post`s.
  void notify() { command_wakeup_.signal(); }
  /// Gives the worker what its ring had no room for.
  void retry() {
    if (commands_.deferred() != 0 && commands_.retry()) notify();
  }
  bool take(media::Event& event) { return events_.pop(event); }

  // ---------------------------------------- any thread
  bool healthy(TimePoint now) const;
  void collect(MetricSink& sink) const override;

 private:
  MediaWorker(std::size_t index, MediaSockets sockets, const media::PlaneSettings& plane,
              const media::DtlsIdentity& identity, const Wakeup& events_wait);
  void run();
  void take_commands(bool all);
  void take_frames();
  void publish();

  std::size_t index_;
  std::string name_;
  MediaSockets sockets_;
  SystemRandom random_;
  media::Plane plane_;
  const Wakeup& events_wait_;
  Wakeup command_wakeup_;
  Mailbox<media::Command> commands_;
  SpscRing<media::Event> events_;
  std::vector<media::Event> fresh_;  ///< events of this turn, and those the ring had no room for
  MediaLoop::Counters counters_;
  TranscodingThread transcoding_;
  MediaLoop loop_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace trunkline::io
