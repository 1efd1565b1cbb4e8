#include "io/transcoding_thread.hpp"

#include <poll.h>
#include <pthread.h>

namespace trunkline::io {
namespace {

// 20 packets of 50 streams: what comes while the thread sleeps to the next frame, many times over.
constexpr std::size_t kOrderRing = 1024, kFrameRing = 1024, kDigitRing = 256;
constexpr milliseconds kLongestWait{1000};

}  // namespace

TranscodingThread::TranscodingThread(std::string name, std::size_t max_streams,
                                     const Wakeup& frames_wait)
    : name_(std::move(name)),
      frames_wait_(frames_wait),
      room_(max_streams),
      orders_(kOrderRing),
      frames_(kFrameRing),
      digits_(kDigitRing) {}

TranscodingThread::~TranscodingThread() {
  stop();
}

void TranscodingThread::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name_.c_str());
}

void TranscodingThread::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  orders_wait_.signal();
  thread_.join();
}

void TranscodingThread::give(std::span<const media::Outbox::Coded> audio, TimePoint now) {
  if (audio.empty()) return;
  for (const media::Outbox::Coded& coded : audio) {
    if (coded.size > media::JitterBuffer::kMaxPayload) {
      dropped_.add();
      continue;
    }
    media::TranscodeOrder order;  // the payload is not cleared first
    static_cast<media::CodedAudio&>(order) = coded;
    order.arrived = now;
    order.size = static_cast<std::uint16_t>(coded.size);
    std::copy_n(coded.data, coded.size, order.payload.begin());
    if (!orders_.push(std::move(order))) dropped_.add();
  }
  if (idle_.exchange(false)) orders_wait_.signal();
}

void TranscodingThread::run() {
  while (!stopping_.load()) {
    const TimePoint deadline = room_.deadline();
    if (deadline == kNever) idle_.store(true);
    // Whoever gives an order from here on sees that the thread is idle; what came before is taken
    // now.
    take_orders();
    if (room_.deadline() > Clock::now()) wait(room_.deadline());
    idle_.store(false);
    take_orders();
    const TimePoint begin = Clock::now();
    room_.on_deadline(begin, fresh_, heard_);
    publish();
    busy_microseconds_.add(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
  }
}

void TranscodingThread::wait(TimePoint deadline) {
  const Duration left = std::min<Duration>(kLongestWait, deadline - Clock::now());
  pollfd waited{orders_wait_.fd(), POLLIN, 0};
  const auto timeout = std::chrono::ceil<milliseconds>(std::max(left, Duration{}));
  if (::poll(&waited, 1, static_cast<int>(timeout.count())) > 0) orders_wait_.clear();
}

void TranscodingThread::take_orders() {
  media::TranscodeOrder order;
  while (orders_.pop(order))
    room_.receive(order);
}

void TranscodingThread::publish() {
  if (fresh_.empty() && heard_.empty()) return;
  for (media::TranscodedFrame& frame : fresh_) {
    if (!frames_.push(std::move(frame))) lost_frames_.add();
  }
  for (const media::DigitHeard& digit : heard_) {
    if (!digits_.push(media::DigitHeard(digit))) lost_frames_.add();
  }
  fresh_.clear();
  heard_.clear();
  frames_wait_.signal();
}

void TranscodingThread::collect(MetricSink& sink) const {
  room_.counters().collect(sink);
  sink.counter("trunkline_worker_busy_seconds_total",
               "Time that a thread spent working, not waiting.", {{"thread", name_}},
               static_cast<double>(busy_microseconds_.get()) / 1e6);
  sink.counter("trunkline_io_drops_total", "What could not be queued or sent.",
               {{"reason", "transcoding_full"}},
               static_cast<double>(dropped_.get() + lost_frames_.get()));
}

}  // namespace trunkline::io
