#include "world.hpp"
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

// simulator --seeds FROM..TO [--jobs N]   runs each seed; prints those that broke a rule
// simulator --seed N [--trace]            runs one; with --trace prints the ladder of it
namespace {

using trunkline::simulator::Outcome;
using trunkline::simulator::World;

constexpr int kUsage = 64;
constexpr std::uint64_t kMostShown = 10;  // broken seeds of one process; the rest is counted

struct Options {
  std::uint64_t from = 1, to = 100, jobs = 1;
  bool trace = false;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool read_range(std::string_view text, Options& into) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return false;
  const auto from = number(text.substr(0, dots)), to = number(text.substr(dots + 2));
  if (!from || !to || *from > *to) return false;
  into.from = *from;
  into.to = *to;
  return true;
}

std::optional<Options> read(const std::vector<std::string_view>& words) {
  Options options;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const std::string_view next = index + 1 < words.size() ? words[index + 1] : "";
    if (words[index] == "--trace") {
      options.trace = true;
      continue;
    }
    ++index;
    if (words[index - 1] == "--seeds") {
      if (!read_range(next, options)) return std::nullopt;
      continue;
    }
    const auto value = number(next);
    if (!value) return std::nullopt;
    if (words[index - 1] == "--seed") {
      options.from = options.to = *value;
    } else if (words[index - 1] == "--jobs" && *value > 0) {
      options.jobs = *value;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

/// Every `step`th seed from the first. How many broke a rule.
std::uint64_t run(const Options& options, std::uint64_t first, std::uint64_t step,
                  const char* program) {
  std::uint64_t broken = 0, calls = 0, answered = 0, messages = 0, runs = 0;
  for (std::uint64_t seed = first; seed <= options.to; seed += step) {
    const Outcome outcome = World(seed, options.trace).run();
    ++runs;
    calls += outcome.calls;
    answered += outcome.answered;
    messages += outcome.messages;
    if (outcome.violations.empty() || ++broken > kMostShown) continue;
    std::printf("seed %llu: replay with %s --seed %llu --trace\n",
                static_cast<unsigned long long>(seed), program,
                static_cast<unsigned long long>(seed));
    for (const std::string& violation : outcome.violations)
      std::printf("  %s\n", violation.c_str());
  }
  std::printf("%llu runs, %llu calls, %llu answered, %llu messages, %llu runs broke a rule\n",
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(calls),
              static_cast<unsigned long long>(answered), static_cast<unsigned long long>(messages),
              static_cast<unsigned long long>(broken));
  std::fflush(stdout);
  return broken;
}

/// The seeds spread over processes: a run owns everything that it touches.
bool run_jobs(const Options& options, const char* program) {
  std::vector<pid_t> children;
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    const pid_t child = fork();
    if (child == 0) {
      const bool fine = run(options, options.from + job, options.jobs, program) == 0;
      std::fflush(stdout);
      std::_Exit(fine ? 0 : 1);
    }
    if (child < 0) return false;
    children.push_back(child);
  }
  bool fine = true;
  for (const pid_t child : children) {
    int status = 0;
    fine &= waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return fine;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = read({argv + 1, argv + argc});
  if (!options) {
    std::fputs("usage: simulator --seeds FROM..TO [--jobs N] | --seed N [--trace]\n", stderr);
    return kUsage;
  }
  if (options->jobs > 1) return run_jobs(*options, argv[0]) ? 0 : 1;
  return run(*options, options->from, 1, argv[0]) == 0 ? 0 : 1;
}
