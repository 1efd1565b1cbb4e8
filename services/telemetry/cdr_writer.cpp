#include "telemetry/cdr_writer.hpp"

#include "base/log.hpp"

#include "telemetry/cdr_record.hpp"
#include <chrono>
#include <pthread.h>
#include <utility>

namespace trunkline::telemetry {
namespace {

/// Calls that are written together: a busy node's of a few seconds.
constexpr std::size_t kBatch = 256;
constexpr seconds kTryAgain{1};

}  // namespace

CdrWriter::CdrWriter(CdrSettings settings)
    : settings_(std::move(settings)), file_(settings_.path, settings_.limits) {}

Result<std::unique_ptr<CdrWriter>> CdrWriter::start(CdrSettings settings) {
  std::unique_ptr<CdrWriter> writer(new CdrWriter(std::move(settings)));
  if (auto opened = writer->file_.open(); !opened)
    return fail("cdr.path: " + opened.error().message);
  writer->thread_ = std::thread([writer = writer.get()] { writer->run(); });
  pthread_setname_np(writer->thread_.native_handle(), "cdr");
  return writer;
}

CdrWriter::~CdrWriter() {
  if (!thread_.joinable()) return;
  for (auto& [id, call] : unmeasured_)
    put(std::move(call));
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_one();
  thread_.join();
}

void CdrWriter::observe(const call::Observation& observation) {
  if (const auto* ended = std::get_if<call::CallEnded>(&observation)) {
    call::CallMeasured call{ended->call, {}};
    call.call.end = ended->end;
    if (unmeasured_.size() < settings_.queue)
      unmeasured_.insert_or_assign(ended->call.id.value, std::move(call));
  } else if (const auto* measured = std::get_if<call::CallMeasured>(&observation)) {
    unmeasured_.erase(measured->call.id.value);
    put(*measured);
  }
}

void CdrWriter::put(call::CallMeasured call) {
  {
    const std::scoped_lock lock(mutex_);
    if (queue_.size() + in_hand_ >= settings_.queue) return dropped_.add();
    queue_.push_back(std::move(call));
  }
  arrived_.notify_one();
}

Result<void> CdrWriter::write(const std::deque<call::CallMeasured>& calls) {
  std::string lines;
  std::int64_t count = 0;
  for (const call::CallMeasured& call : calls) {
    for (const std::string& line : cdr_lines(call, settings_.node)) {
      lines += line;
      lines += '\n';
      ++count;
    }
  }
  const auto appended = file_.append(lines);
  if (appended) written_.add(count);
  spool_.set(static_cast<std::int64_t>(file_.spool()));
  removed_.set(static_cast<std::int64_t>(file_.removed()));
  return appended;
}

void CdrWriter::run() {
  std::deque<call::CallMeasured> hand;
  while (true) {
    bool last = false;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [&] { return !hand.empty() || !queue_.empty() || stopping_; });
      while (!queue_.empty() && hand.size() < kBatch) {
        hand.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      in_hand_ = hand.size();
      last = stopping_ && queue_.empty();
    }
    if (hand.empty()) return;
    const auto written = write(hand);
    if (written) {
      hand.clear();
      const std::scoped_lock lock(mutex_);
      in_hand_ = 0;
      continue;
    }
    failures_.add();
    if (complaints_.allow(Clock::now()))
      log::error("call records can't be written: they wait", {{"why", written.error().message}});
    std::unique_lock lock(mutex_);
    if (last || stopping_) {
      dropped_.add(static_cast<std::int64_t>(hand.size() + queue_.size()));
      log::error("call records are lost", {{"calls", hand.size() + queue_.size()}});
      return;
    }
    arrived_.wait_for(lock, kTryAgain, [this] { return stopping_; });
  }
}

void CdrWriter::collect(MetricSink& sink) const {
  sink.counter("trunkline_cdr_written_total", "Call records written, one a call and one a leg.", {},
               static_cast<double>(written_.get()));
  sink.counter("trunkline_cdr_dropped_total",
               "Calls without a record: the queue was full, or could not be written at the end.",
               {}, static_cast<double>(dropped_.get()));
  sink.counter("trunkline_cdr_write_failures_total", "Times that the file could not be written.",
               {}, static_cast<double>(failures_.get()));
  sink.counter("trunkline_cdr_files_removed_total",
               "Full files of records that were removed for want of room (cdr.spool_limit).", {},
               static_cast<double>(removed_.get()));
  sink.gauge("trunkline_cdr_spool_bytes", "Octets of the full files of records.", {},
             static_cast<double>(spool_.get()));
  const std::scoped_lock lock(mutex_);
  sink.gauge("trunkline_cdr_queue_calls", "Calls whose records wait to be written.", {},
             static_cast<double>(queue_.size() + in_hand_));
}

}  // namespace trunkline::telemetry
