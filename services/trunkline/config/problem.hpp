#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::config {

/// One thing that is wrong with the configuration: where, what, and what would be right.
struct Problem {
  int line = 0;     ///< 1 is the first; 0: no line of the file is to blame
  std::string key;  ///< path such as "trunks[0].uri"
  std::string wrong, right;
};

/// "trunkline.yaml:12: trunks[0].uri: "foo" is not a SIP URI; write sip:HOST…"
std::string describe(const Problem& problem, std::string_view file);

/// All that was found, so that one run shows all of it. At most `kMaxProblems` are kept.
class Problems {
 public:
  static constexpr std::size_t kMaxProblems = 20;
  void add(int line, std::string key, std::string wrong, std::string right) {
    if (list_.size() < kMaxProblems)
      list_.push_back({line, std::move(key), std::move(wrong), std::move(right)});
  }
  bool none() const { return list_.empty(); }
  const std::vector<Problem>& list() const { return list_; }

 private:
  std::vector<Problem> list_;
};

/// The candidate that is most likely meant, as `did you mean "X"?`; empty when none is near.
std::string suggest(std::string_view given, const std::vector<std::string>& candidates);

}  // namespace trunkline::config
