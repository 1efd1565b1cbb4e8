#pragma once
#include "base/result.hpp"
#include "base/time.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::config {

/// Tells when what files hold has changed: by their folders, so that also a file which another one
/// takes the place of is seen, and one that a symbolic link leads to (Kubernetes turns the link
/// `..data` beside a mounted file to another folder). In a thread of its own.
class FileWatch {
 public:
  struct Settings {
    /// Which, as long as it lasts; called on the watch's thread.
    std::function<std::vector<std::string>()> files;
    Duration quiet = milliseconds{500};  ///< nothing has happened in the folders for so long …
    Duration at_most = seconds{5};       ///< … or for so long something has
  };

  /// `changed` is called on the watch's thread once for each new content of the files, but not for
  /// the one that they have now, nor when other files are to be watched. Fails in words for an
  /// operator.
  static Result<std::unique_ptr<FileWatch>> start(Settings settings, std::function<void()> changed);
  /// Waits for a call of `changed` under way.
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  FileWatch();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::config
