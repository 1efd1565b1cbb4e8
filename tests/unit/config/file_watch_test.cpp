#include "config/file_watch.hpp"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <mutex>
#include <unistd.h>

// Changes of files, seen by the folders that they are in.
namespace trunkline::config {
namespace {

namespace fs = std::filesystem;

struct FileWatchTest : testing::Test {
  const fs::path folder =
      fs::temp_directory_path() / ("trunkline-watch-" + std::to_string(::getpid()));
  std::vector<std::string> files{(folder / "gw.yaml").string()};
  std::mutex mutex;
  std::condition_variable told;
  int changes = 0;
  std::unique_ptr<FileWatch> watch;

  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override {
    watch.reset();
    fs::remove_all(folder);
  }
  static void write(const fs::path& file, std::string_view text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
  }
  void replace(std::string_view text) const {
    write(folder / "next", text);
    fs::rename(folder / "next", folder / "gw.yaml");
  }
  void begin() {
    auto started = FileWatch::start({.files = [this] { return files; },
                                     .quiet = milliseconds{20},
                                     .at_most = milliseconds{200}},
                                    [this] {
                                      const std::scoped_lock lock(mutex);
                                      ++changes;
                                      told.notify_all();
                                    });
    ASSERT_TRUE(started) << started.error().message;
    watch = std::move(*started);
  }
  bool told_of(int count) {
    std::unique_lock lock(mutex);
    return told.wait_for(lock, seconds{60}, [&] { return changes >= count; });
  }
};

TEST_F(FileWatchTest, TellsOfAFileThatAnotherTakesThePlaceOf) {
  write(folder / "gw.yaml", "one");
  begin();
  replace("two");
  EXPECT_TRUE(told_of(1));
  write(folder / "gw.yaml", "three");
  EXPECT_TRUE(told_of(2));
}

TEST_F(FileWatchTest, TellsOfALinkThatIsTurnedAsKubernetesDoes) {
  for (const char* version : {"..1", "..2"}) {
    fs::create_directories(folder / version);
    write(folder / version / "gw.yaml", version);
  }
  fs::create_directory_symlink("..1", folder / "..data");
  fs::create_symlink("..data/gw.yaml", folder / "gw.yaml");
  begin();
  fs::create_directory_symlink("..2", folder / "..data_tmp");
  fs::rename(folder / "..data_tmp", folder / "..data");
  fs::remove_all(folder / "..1");
  EXPECT_TRUE(told_of(1));
}

TEST_F(FileWatchTest, TellsOfTheFilesThatCameIn) {
  fs::create_directories(folder / "secrets");
  write(folder / "gw.yaml", "one");
  write(folder / "secrets" / "password", "old");
  files.push_back((folder / "secrets" / "password").string());
  begin();
  write(folder / "secrets" / "password", "new");
  EXPECT_TRUE(told_of(1));
}

TEST_F(FileWatchTest, IsSilentOfWhatChangesNothing) {
  write(folder / "gw.yaml", "one");
  begin();
  write(folder / "other.yaml", "x");
  replace("one");
  replace("two");
  EXPECT_TRUE(told_of(1));
  replace("three");
  EXPECT_TRUE(told_of(2));
  EXPECT_EQ(changes, 2) << "the first two changed nothing of the file";
}

TEST_F(FileWatchTest, AFileThatIsGoneIsAChangeToo) {
  write(folder / "gw.yaml", "one");
  begin();
  fs::remove(folder / "gw.yaml");
  EXPECT_TRUE(told_of(1));
  write(folder / "gw.yaml", "one");
  EXPECT_TRUE(told_of(2));
}

TEST_F(FileWatchTest, AFolderThatIsNotThereIsAFailure) {
  files = {(folder / "nowhere" / "gw.yaml").string()};
  EXPECT_FALSE(FileWatch::start({.files = [this] { return files; }}, [] {}));
}

}  // namespace
}  // namespace trunkline::config
