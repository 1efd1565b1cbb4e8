#include "io/media_worker.hpp"

#include <algorithm>
#include <pthread.h>

namespace trunkline::io {
namespace {

constexpr std::size_t kCommandRing = 4096, kCommandOverflow = 65536, kEventRing = 8192;
constexpr int kCommandsPerTurn = 256;

std::vector<media::SocketSpec> specs(const MediaSockets& sockets) {
  std::vector<media::SocketSpec> all;
  all.reserve(sockets.sockets.size());
  for (const MediaSockets::Socket& socket : sockets.sockets)
    all.push_back(socket.spec);
  return all;
}

void collect_connections(const MediaConnections::Counters& counters, MetricSink& sink) {
  sink.gauge("trunkline_ice_tcp_connections", "Browsers' TCP connections for media.", {},
             static_cast<double>(counters.open.get()));
  const auto count = [&sink](std::string_view result, const Cell& cell) {
    sink.counter("trunkline_ice_tcp_connections_total",
                 "Browsers' TCP connections for media by what became of them.",
                 {{"result", result}}, static_cast<double>(cell.get()));
  };
  count("accepted", counters.accepted);
  count("refused", counters.refused);
  count("closed", counters.closed);
  count("framing", counters.framing);
  count("stranger", counters.stranger);
  count("idle", counters.idle);
  sink.counter("trunkline_io_drops_total", "What could not be queued or sent.",
               {{"reason", "media_connection"}}, static_cast<double>(counters.dropped.get()));
}

}  // namespace

Result<std::unique_ptr<MediaWorker>> MediaWorker::make(std::size_t index,
                                                       const MediaSettings& settings,
                                                       const media::PlaneSettings& plane,
                                                       const media::DtlsIdentity& identity,
                                                       const Wakeup& events_wait) {
  auto sockets = bind_media_sockets(settings, index);
  if (!sockets) return fail(sockets.error());
  return std::unique_ptr<MediaWorker>(
      new MediaWorker(index, std::move(*sockets), plane, identity, events_wait));
}

MediaWorker::MediaWorker(std::size_t index, MediaSockets sockets, const media::PlaneSettings& plane,
                         const media::DtlsIdentity& identity, const Wakeup& events_wait)
    : index_(index),
      name_("media-" + std::to_string(index)),
      sockets_(std::move(sockets)),
      plane_(plane, identity, specs(sockets_), random_),
      events_wait_(events_wait),
      commands_(kCommandRing, kCommandOverflow),
      events_(kEventRing),
      transcoding_("transcode-" + std::to_string(index), plane.max_transcoded, command_wakeup_),
      loop_(sockets_, plane_, transcoding_, command_wakeup_, counters_) {
  counters_.last_turn.set(Clock::now().time_since_epoch().count());
}

MediaWorker::~MediaWorker() {
  stop();
}

void MediaWorker::start() {
  transcoding_.start();
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.c_str());
}

void MediaWorker::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  command_wakeup_.signal();
  thread_.join();
  transcoding_.stop();
}

void MediaWorker::run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    if (loop_.turn(fresh_)) {
      take_commands(false);
      take_frames();
    }
    loop_.flush();
    publish();
    loop_.end_turn();
  }
  take_commands(true);
  loop_.flush();
  publish();
}

void MediaWorker::take_commands(bool all) {
  media::Command command;
  int taken = 0;
  while ((all || taken < kCommandsPerTurn) && commands_.take(command)) {
    loop_.execute(command, fresh_);
    ++taken;
  }
  // More than packets should wait for: the rest has the next turn.
  if (taken == kCommandsPerTurn) command_wakeup_.signal();
  if (commands_.writer_waits()) events_wait_.signal();
}

void MediaWorker::take_frames() {
  media::TranscodedFrame frame;
  while (transcoding_.take(frame))
    loop_.receive(frame, fresh_);
  media::DigitHeard digit;
  while (transcoding_.take(digit))
    loop_.receive(digit, fresh_);
}

void MediaWorker::publish() {
  if (fresh_.empty()) return;
  std::size_t sent = 0;
  while (sent < fresh_.size() && events_.push(std::move(fresh_[sent])))
    ++sent;
  fresh_.erase(fresh_.begin(), fresh_.begin() + static_cast<std::ptrdiff_t>(sent));
  events_wait_.signal();
}

bool MediaWorker::healthy(TimePoint now) const {
  const TimePoint last{Duration{counters_.last_turn.get()}};
  return now - last < kAliveWithin;
}

void MediaWorker::collect(MetricSink& sink) const {
  plane_.metrics().collect(sink);
  transcoding_.collect(sink);
  collect_connections(counters_.connections, sink);
  sink.counter("trunkline_worker_busy_seconds_total",
               "Time that a thread spent working, not waiting.", {{"thread", name_}},
               static_cast<double>(counters_.busy_microseconds.get()) / 1e6);
  sink.histogram("trunkline_eventloop_lag_seconds",
                 "How much later than due a timer of the thread fired.", {{"thread", name_}},
                 counters_.lag);
  sink.histogram("trunkline_media_forward_latency_seconds",
                 "Time from the wake-up of a media worker for packets to their departure, sampled.",
                 {}, counters_.forwarding);
  sink.counter("trunkline_io_drops_total", "What could not be queued or sent.",
               {{"reason", "media_full"}}, static_cast<double>(counters_.dropped_full.get()));
  sink.counter("trunkline_io_drops_total", "What could not be queued or sent.",
               {{"reason", "media_error"}}, static_cast<double>(counters_.dropped_error.get()));
}

}  // namespace trunkline::io
