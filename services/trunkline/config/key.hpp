#pragma once
#include <cstdint>
#include <span>
#include <string_view>

/// The description of the configuration file: one table from which the parser, `--print-config` and
/// the JSON Schema are made. A key that is not in the table does not exist.
namespace trunkline::config {

/// What one scalar (or section) holds.
enum class Kind : std::uint8_t {
  section,  ///< a map with `members`
  text,
  name,    ///< a name that becomes a metric label: letters, digits, `-`, `_`, `.`
  user,    ///< the user part of a SIP URI, without escapes
  host,    ///< host name or IP address, no port
  secret,  ///< text that is masked; `X_file` is read instead of `X`
  file,    ///< path of a PEM file, relative to the folder of the configuration file
  integer,
  boolean,
  duration,        ///< 500ms, 30s, 5m, 1h; the value is in milliseconds
  size,            ///< 64KiB, 1MiB; the value is in octets
  ip,              ///< IPv4 or IPv6 address
  socket_address,  ///< ADDR:PORT
  endpoint,        ///< HOST:PORT
  address_range,   ///< ADDR, CIDR or ADDR:PORT
  port_range,      ///< FIRST-LAST
  origin,          ///< scheme://host[:port]
  sip_uri,
  expression,  ///< RE2
  choice       ///< one of `choices`
};

/// Whether a new value is taken while the gateway runs.
enum class Change : std::uint8_t {
  as_above,  ///< as in the section that the key stands in; of the file itself: at a restart
  live,      ///< at once
  restart    ///< at the next start
};

enum class Shape : std::uint8_t { one, list, one_or_list };

struct Key {
  std::string_view name;
  Kind kind = Kind::text;
  std::string_view doc = {};
  const char* standard =
      nullptr;  ///< the default as written in the file; of a list: separated by ", "
  bool required = false;
  Shape shape = Shape::one;
  std::int64_t minimum = 0,
               maximum = 0;  ///< of integer, duration (ms) and size (octets), or the length of text
  std::span<const std::string_view> choices = {};
  std::span<const Key> members = {};
  Change change = Change::as_above;
  bool of_node = false;  ///< each replica has its own: of no account for `fingerprint`
};

/// The whole file.
const Key& root();

/// How a value of this kind is written, in words for a message: "a duration such as 500ms, 30s, 5m
/// or 1h".
std::string_view kind_words(Kind kind);

}  // namespace trunkline::config
