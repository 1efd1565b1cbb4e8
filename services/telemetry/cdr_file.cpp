#include "telemetry/cdr_file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace trunkline::telemetry {
namespace {

namespace fs = std::filesystem;

/// Numbers and names of people: not for everybody on the machine.
constexpr mode_t kMode = 0640;

std::string why(int error) {
  return std::generic_category().message(error);
}

/// The full files beside `path` by their numbers.
std::map<std::uint64_t, fs::path> full_files(const fs::path& path) {
  std::map<std::uint64_t, fs::path> found;
  const std::string begin = path.filename().string() + ".";
  std::error_code error;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(begin)) continue;
    std::uint64_t number = 0;
    const char* const last = name.data() + name.size();
    const auto read = std::from_chars(name.data() + begin.size(), last, number);
    if (read.ec == std::errc{} && read.ptr == last) found.emplace(number, at->path());
  }
  return found;
}

std::uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

CdrFile::~CdrFile() {
  close();
}

void CdrFile::close() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
}

Result<void> CdrFile::open() {
  if (file_ >= 0) return {};
  file_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  if (file_ < 0) return fail("can't open " + path_ + ": " + why(errno));
  struct stat seen {};
  ::fstat(file_, &seen);
  size_ = static_cast<std::uint64_t>(seen.st_size);
  char last = '\n';
  if (size_ > 0 && ::pread(file_, &last, 1, seen.st_size - 1) == 1 && last != '\n') {
    if (::write(file_, "\n", 1) == 1) ++size_;
  }
  spool_ = 0;
  for (const auto& [number, path] : full_files(path_))
    spool_ += size_of(path);
  shorten_spool();
  return {};
}

bool CdrFile::moved_away() const {
  struct stat ours {
  }, there{};
  if (::fstat(file_, &ours) != 0 || ::stat(path_.c_str(), &there) != 0) return true;
  return ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

Result<void> CdrFile::append(std::string_view lines) {
  if (file_ >= 0 && moved_away()) close();
  if (auto opened = open(); !opened) return opened;
  if (size_ > 0 && size_ + lines.size() > limits_.file) {
    if (auto rotated = rotate(); !rotated) return rotated;
  }
  std::size_t done = 0;
  while (done < lines.size()) {
    const ssize_t written = ::write(file_, lines.data() + done, lines.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const std::string wrong = why(errno);
      // All or none: what half of a line would look like is nobody's wish.
      if (done > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) != 0) close();
      return fail("can't write " + path_ + ": " + wrong);
    }
    done += static_cast<std::size_t>(written);
  }
  size_ += lines.size();
  if (::fdatasync(file_) != 0 && errno != EINVAL)  // EINVAL: a pipe or a device
    return fail("can't write " + path_ + ": " + why(errno));
  return {};
}

Result<void> CdrFile::rotate() {
  const auto full = full_files(path_);
  const std::uint64_t next = full.empty() ? 1 : full.rbegin()->first + 1;
  close();
  const std::string name = path_ + "." + std::to_string(next);
  if (::rename(path_.c_str(), name.c_str()) != 0)
    return fail("can't rename " + path_ + ": " + why(errno));
  return open();
}

void CdrFile::shorten_spool() {
  for (const auto& [number, path] : full_files(path_)) {
    if (spool_ <= limits_.spool) return;
    const std::uint64_t size = size_of(path);
    std::error_code error;
    if (!fs::remove(path, error)) continue;
    spool_ -= std::min(spool_, size);
    ++removed_;
  }
}

}  // namespace trunkline::telemetry
