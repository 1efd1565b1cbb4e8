#pragma once
#include <functional>
#include <map>
#include <memory>

namespace CLI {  // NOLINT(readability-identifier-naming)
class App;
}

/// The command-line client of the gRPC API: `trunkline
/// call|calls|trace|trunks|registrations|explain|drain|reload`.
namespace trunkline::client {

struct Options;

/// The client's commands on the program's command line. Make it before the command line is parsed;
/// it lives as long as the app.
class Commands {
 public:
  explicit Commands(CLI::App& app);
  ~Commands();
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  /// The command line that was parsed names one of the commands.
  bool chosen() const;
  /// Does what was asked and tells the outcome on stdout and stderr. The exit code of the program:
  /// the number of the gRPC status, 64 for wrong usage, 74 if a file can't be read or written.
  int run() const;

 private:
  using Actions = std::map<const CLI::App*, std::function<int(const Options&)>>;

  CLI::App* app_;
  std::unique_ptr<Options> options_;
  std::unique_ptr<Actions> actions_;
};

}  // namespace trunkline::client
