#pragma once
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::client {

/// UTF-8 without what could steer a terminal: names in SIP come from anybody. Control characters
/// and broken sequences become '?'.
std::string printable(std::string_view text);

/// Columns as wide as their widest cell, two spaces between; cells are made printable.
class Table {
 public:
  explicit Table(std::vector<std::string> heads);
  /// As many cells as heads; an empty one is printed as "-".
  void row(std::vector<std::string> cells);
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace trunkline::client
