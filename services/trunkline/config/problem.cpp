#include "config/problem.hpp"

#include <algorithm>
#include <numeric>

namespace trunkline::config {
namespace {

/// Levenshtein distance; both are names of a configuration file, so short.
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= one.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t replaced = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

constexpr std::size_t kLongestName = 256;

}  // namespace

std::string describe(const Problem& problem, std::string_view file) {
  std::string text(file);
  if (problem.line > 0) text += ":" + std::to_string(problem.line);
  text += ": ";
  if (!problem.key.empty()) text += problem.key + ": ";
  text += problem.wrong;
  if (!problem.right.empty()) text += "; " + problem.right;
  return text;
}

std::string suggest(std::string_view given, const std::vector<std::string>& candidates) {
  if (given.size() > kLongestName) return {};
  const std::string* best = nullptr;
  // A transposed pair of letters counts two, so names too short for that must be one off.
  std::size_t nearest = given.size() < 4 ? 2 : std::max<std::size_t>(given.size() / 3, 2) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    const std::size_t away = distance(given, candidate);
    if (away < nearest) {
      nearest = away;
      best = &candidate;
    }
  }
  return best == nullptr ? std::string() : "did you mean \"" + *best + "\"?";
}

}  // namespace trunkline::config
