#pragma once
#include "base/time.hpp"

#include "config/key.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::config {

/// What the file (or a default) says for one key, after `${…}` and `X_file`, checked for its kind.
struct Value {
  const Key* key = nullptr;
  std::string path;         ///< "trunks[0].uri"
  int line = 0;             ///< of the file; 0: a default
  bool present = false;     ///< the file holds the key
  bool known = false;       ///< it has a usable value: from the file or by default
  std::string text;         ///< scalars, as meant
  std::string file{};       ///< of a secret: the path of the file that it was read from, if any
  std::int64_t number = 0;  ///< integer; milliseconds; octets; boolean 0 or 1; first port
  std::int64_t last = 0;    ///< port_range: last port
  std::vector<Value>
      items;  ///< lists: the elements; sections: one per member, in the order of the table

  /// The member of a section. The name must be one of the table's.
  const Value& operator[](std::string_view name) const;
  milliseconds duration() const { return milliseconds{number}; }
  bool is_true() const { return number != 0; }
};

}  // namespace trunkline::config
