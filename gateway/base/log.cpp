#include "base/log.hpp"

#include "base/log_totals.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <shared_mutex>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace trunkline::log {
namespace {

/// Lines waiting for the writer; about 2 MB when full.
constexpr std::size_t kQueueLines = 8192;
/// A value longer than this is cut: it came from the network.
constexpr std::size_t kMaxValue = 1024;

constexpr std::array<std::string_view, 6> kLevelNames{"trace", "debug", "info",
                                                      "warn",  "error", "off"};

using WallTime = std::chrono::system_clock::time_point;

std::string_view cut(std::string_view value) {
  if (value.size() <= kMaxValue) return value;
  std::size_t end = kMaxValue;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80)
    --end;
  return value.substr(0, end);
}

std::string utc(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(time);
  const auto millis = whole.time_since_epoch().count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)), millis);
}

std::string json_line(WallTime time, Level level, std::string_view node, std::string_view message,
                      Fields fields) {
  using nlohmann::ordered_json;
  ordered_json line;
  line["ts"] = utc(time);
  line["level"] = kLevelNames[static_cast<std::size_t>(level)];
  line["msg"] = cut(message);
  line["node"] = node;
  for (const Field& field : fields) {
    ordered_json value;
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      value = cut(*text);
    } else {
      std::visit([&value](const auto& plain) { value = plain; }, field.value);
    }
    line.emplace(std::string(field.key), std::move(value));
  }
  return line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

/// Text that can't move the cursor, forge a second line or blur where the value ends.
std::string console_text(std::string_view text, bool quote_spaces) {
  bool plain = !text.empty();
  for (const char c : text) {
    if (c < ' ' || c > '~' || (quote_spaces && (c == ' ' || c == '"' || c == '='))) plain = false;
  }
  if (plain) return std::string(text);
  return nlohmann::json(cut(text)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string console_line(WallTime time, Level level, std::string_view message, Fields fields) {
  std::string line = fmt::format(
      "{:%H:%M:%S} {:<5} {}", fmt::localtime(std::chrono::system_clock::to_time_t(time)),
      kLevelNames[static_cast<std::size_t>(level)], console_text(message, false));
  for (const Field& field : fields) {
    line += fmt::format("  {}=", field.key);
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      line += console_text(cut(*text), true);
    } else if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
      line += std::to_string(*number);
    } else if (const auto* real = std::get_if<double>(&field.value)) {
      line += fmt::format("{:g}", *real);
    } else {
      line += std::get<bool>(field.value) ? "true" : "false";
    }
  }
  return line;
}

struct Writer {
  std::string node;
  Format format;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

std::shared_mutex writer_mutex;
std::unique_ptr<Writer> writer;
std::atomic<Level> threshold{Level::off};
std::atomic<std::uint64_t> queued{0};
std::atomic<std::uint64_t> dropped_before{0};
std::array<std::atomic<std::uint64_t>, 5> queued_by_level{};

}  // namespace

void start(Level level, Format format, std::string node) {
  stop();
  auto pool = std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1);
  auto sink = std::make_shared<spdlog::sinks::stdout_sink_st>();
  auto logger = std::make_shared<spdlog::async_logger>(
      "trunkline", std::move(sink), pool, spdlog::async_overflow_policy::overrun_oldest);
  // The line is complete when it is queued, so that its time is that of the event; the writer adds
  // the line end.
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::trace);
  const std::unique_lock lock(writer_mutex);
  queued = 0;
  dropped_before = 0;
  writer =
      std::make_unique<Writer>(Writer{std::move(node), format, std::move(pool), std::move(logger)});
  threshold = level;
}

void stop() {
  threshold = Level::off;
  std::unique_ptr<Writer> last;
  {
    const std::unique_lock lock(writer_mutex);
    if (!writer) return;
    dropped_before += writer->pool->overrun_counter();
    last = std::move(writer);
  }
  // Destroying the pool writes what is queued and joins its thread.
  last->logger.reset();
}

void set_level(Level level) {
  const std::shared_lock lock(writer_mutex);
  if (writer) threshold = level;
}

bool enabled(Level level) {
  return level != Level::off && level >= threshold.load(std::memory_order_relaxed);
}

Result<Level> parse_level(std::string_view name) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == name) return static_cast<Level>(i);
  }
  return fail("unknown log level \"" + std::string(name) +
              "\"; use trace, debug, info, warn, error or off");
}

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  const std::shared_lock lock(writer_mutex);
  if (!writer) return;
  const WallTime now = std::chrono::system_clock::now();
  const std::string line = writer->format == Format::json
                               ? json_line(now, level, writer->node, message, fields)
                               : console_line(now, level, message, fields);
  queued.fetch_add(1, std::memory_order_relaxed);
  queued_by_level[static_cast<std::size_t>(level)].fetch_add(1, std::memory_order_relaxed);
  writer->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

std::array<std::uint64_t, 5> totals_by_level() {
  std::array<std::uint64_t, 5> all{};
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = queued_by_level[i];
  return all;
}

Totals totals() {
  const std::shared_lock lock(writer_mutex);
  Totals result;
  result.dropped = dropped_before;
  if (writer) result.dropped += writer->pool->overrun_counter();
  const std::uint64_t all = queued;
  result.written = all > result.dropped ? all - result.dropped : 0;
  return result;
}

}  // namespace trunkline::log
