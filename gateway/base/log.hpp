#pragma once
#include "base/result.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// Structured logging: a fixed sentence and named values. One JSON object a line on standard output
/// (or text for a terminal), written by a thread of its own through a bounded queue that drops the
/// oldest line, counted, when full. Any thread. Never called per packet.
namespace trunkline::log {

enum class Level { trace, debug, info, warn, error, off };
enum class Format { json, console };

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class Integer>
  requires std::is_integral_v<Integer> Field(std::string_view k, Integer v)
      : key(k), value(static_cast<std::int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

/// Starts the writer. Without it every line is dropped: so do tests. `node` is put on each line.
void start(Level level, Format format, std::string node);
/// Writes what is queued and ends the writer.
void stop();
void set_level(Level level);
bool enabled(Level level);
Result<Level> parse_level(std::string_view name);

void write(Level level, std::string_view message, Fields fields);
inline void debug(std::string_view message, Fields fields = {}) {
  write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(Level::info, message, fields);
}
inline void warn(std::string_view message, Fields fields = {}) {
  write(Level::warn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  write(Level::error, message, fields);
}

/// Lines written and lines dropped since the start.
struct Totals {
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;
};
Totals totals();

}  // namespace trunkline::log
