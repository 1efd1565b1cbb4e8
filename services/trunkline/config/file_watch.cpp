#include "config/file_watch.hpp"

#include "config/reader.hpp"
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace trunkline::config {
namespace {

constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;

/// A descriptor that is closed in the end.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// The folders whose entries decide what the file is: its own, and those of all links on the way.
std::set<std::string> folders_of(const std::string& file) {
  constexpr int kMostLinks = 16;
  std::set<std::string> folders;
  std::filesystem::path path = file;
  for (int links = 0; links < kMostLinks; ++links) {
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    folders.insert(folder.string());
    std::error_code error;
    if (!std::filesystem::is_symlink(path, error)) break;
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = folder / target;
  }
  return folders;
}

}  // namespace

struct FileWatch::Impl {
  Impl(Settings wanted, std::function<void()> then)
      : settings(std::move(wanted)),
        changed(std::move(then)),
        inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
        wakeup(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        files(settings.files()) {}
  ~Impl() {
    const std::uint64_t one = 1;
    if (thread.joinable()) {
      [[maybe_unused]] const auto written = ::write(wakeup.get(), &one, sizeof one);
      thread.join();
    }
  }

  Result<void> watch() const;
  std::string content() const;
  void run();
  void follow();
  /// False: it is over.
  bool wait(std::optional<TimePoint> until, bool& happened);

  const Settings settings;
  const std::function<void()> changed;
  const Descriptor inotify, wakeup;
  std::vector<std::string> files;
  std::string known;
  std::thread thread;
};

/// Folders that are watched already are not watched twice.
Result<void> FileWatch::Impl::watch() const {
  for (const std::string& file : files) {
    for (const std::string& folder : folders_of(file)) {
      if (::inotify_add_watch(inotify.get(), folder.c_str(), kChanges) < 0)
        return fail("can't watch " + folder + ": " + std::generic_category().message(errno));
    }
  }
  return {};
}

/// Of all files; of one that can't be read why, so that this too is a change.
std::string FileWatch::Impl::content() const {
  std::string all;
  for (const std::string& file : files) {
    const auto text = read_file(file);
    all += text ? "+" + *text : "-" + text.error().message;
    all += '\0';
  }
  return all;
}

bool FileWatch::Impl::wait(std::optional<TimePoint> until, bool& happened) {
  std::array<pollfd, 2> polled{pollfd{inotify.get(), POLLIN, 0}, pollfd{wakeup.get(), POLLIN, 0}};
  int limit = -1;
  if (until) {
    const auto left = std::chrono::ceil<milliseconds>(*until - Clock::now()).count();
    limit = static_cast<int>(std::max<std::int64_t>(left, 0));
  }
  if (::poll(polled.data(), polled.size(), limit) < 0 && errno != EINTR) return false;
  if (polled[1].revents != 0) return false;
  happened = polled[0].revents != 0;
  alignas(inotify_event) std::array<char, 4096> events;
  while (::read(inotify.get(), events.data(), events.size()) > 0) {
  }
  return true;
}

/// Takes up other files, as they are now.
void FileWatch::Impl::follow() {
  auto next = settings.files();
  if (next == files) return;
  files = std::move(next);
  (void)watch();
  known = content();
}

void FileWatch::Impl::run() {
  while (true) {
    bool happened = false;
    if (!wait(std::nullopt, happened)) return;
    if (!happened) continue;
    const TimePoint longest = Clock::now() + settings.at_most;
    while (happened && Clock::now() < longest) {
      if (!wait(std::min(Clock::now() + settings.quiet, longest), happened)) return;
    }
    (void)watch();  // links may lead elsewhere now
    follow();
    std::string now = content();
    if (now == known) continue;
    known = std::move(now);
    changed();
    follow();
  }
}

FileWatch::FileWatch() = default;
FileWatch::~FileWatch() = default;

Result<std::unique_ptr<FileWatch>> FileWatch::start(Settings settings,
                                                    std::function<void()> changed) {
  std::unique_ptr<FileWatch> made(new FileWatch);
  made->impl_ = std::make_unique<Impl>(std::move(settings), std::move(changed));
  Impl& impl = *made->impl_;
  if (impl.inotify.get() < 0 || impl.wakeup.get() < 0)
    return fail(std::generic_category().message(errno));
  if (auto watched = impl.watch(); !watched) return fail(watched.error());
  impl.known = impl.content();
  impl.thread = std::thread([&impl] { impl.run(); });
  return made;
}

}  // namespace trunkline::config
