#include "base/tls_files.hpp"

#include "support/certificates.hpp"
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline {
namespace {

using std::chrono::system_clock;
using ::testing::HasSubstr;
using File = TlsFileError::File;

class TlsFilesTest : public ::testing::Test {
 protected:
  TlsFilesTest() {
    certificates.issue("one", "DNS:one.test");
    certificates.issue("two", "DNS:two.test");
  }
  TlsFiles files(const std::string& certificate, const std::string& key,
                 const std::string& authorities = "") const {
    return {certificates.path(certificate), certificates.path(key),
            authorities.empty() ? "" : certificates.path(authorities)};
  }
  void copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(certificates.path(from), certificates.path(to),
                               std::filesystem::copy_options::overwrite_existing);
  }

  Certificates certificates;
  const system_clock::time_point now = system_clock::now();
};

TEST_F(TlsFilesTest, HoldACertificateItsKeyAndAuthorities) {
  const auto held = read_tls_files(files("one.pem", "one.key", "ca.pem"), now);
  ASSERT_TRUE(held) << held.error().wrong;
  EXPECT_THAT(held->certificate, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(held->key, HasSubstr("PRIVATE KEY"));
  EXPECT_THAT(held->authorities, HasSubstr("BEGIN CERTIFICATE"));
  ASSERT_TRUE(held->expires);
  EXPECT_GT(*held->expires, now);
  EXPECT_LT(*held->expires, now + std::chrono::hours(25));
}

TEST_F(TlsFilesTest, MayBeNone) {
  const auto held = read_tls_files({}, now);
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->expires);
}

TEST_F(TlsFilesTest, OfNoUseAreNamedWithTheReason) {
  std::ofstream(certificates.path("text.pem")) << "hello\n";
  std::ofstream(certificates.path("empty.pem"));
  std::ofstream(certificates.path("half.pem"))
      << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const struct {
    TlsFiles files;
    File file;
    const char* why;
  } all[] = {
      {files("gone.pem", "one.key"), File::certificate, "can't be read"},
      {files("one.pem", "gone.key"), File::key, "can't be read"},
      {files("text.pem", "one.key"), File::certificate, "is no certificate in PEM"},
      {files("empty.pem", "one.key"), File::certificate, "is no certificate in PEM"},
      {files("half.pem", "one.key"), File::certificate, "is no certificate in PEM"},
      {files("one.pem", "text.pem"), File::key, "holds no private key"},
      {files("one.pem", "two.key"), File::key, "is not the key of"},
      {files("one.pem", "one.key", "gone.pem"), File::authorities, "can't be read"},
      {files("one.pem", "one.key", "one.key"), File::authorities, "holds no certificate"},
  };
  for (const auto& one : all) {
    const auto held = read_tls_files(one.files, now);
    ASSERT_FALSE(held) << one.why;
    EXPECT_EQ(held.error().file, one.file) << held.error().wrong;
    EXPECT_THAT(held.error().wrong, HasSubstr(one.why));
  }
}

TEST_F(TlsFilesTest, CountOnlyWhileTheyAreValid) {
  const auto later = read_tls_files(files("one.pem", "one.key"), now + std::chrono::hours(48));
  ASSERT_FALSE(later);
  EXPECT_THAT(later.error().wrong, HasSubstr("has expired on"));
  const auto before = read_tls_files(files("one.pem", "one.key"), now - std::chrono::hours(48));
  ASSERT_FALSE(before);
  EXPECT_THAT(before.error().wrong, HasSubstr("is not valid before"));
}

TEST_F(TlsFilesTest, AreLookedAtAgainWhenTheyChangeAndOnlyThen) {
  copy("one.pem", "my.pem");
  copy("one.key", "my.key");
  TlsFileWatch watch(files("my.pem", "my.key"));
  EXPECT_FALSE(watch.look(now));
  std::filesystem::remove(certificates.path("my.pem"));
  copy("two.pem", "my.pem");
  const auto torn = watch.look(now);
  ASSERT_TRUE(torn);
  EXPECT_EQ(torn->error().file, File::key) << "the key is still the old one";
  EXPECT_FALSE(watch.look(now)) << "told once";
  std::filesystem::remove(certificates.path("my.key"));
  copy("two.key", "my.key");
  const auto whole = watch.look(now);
  ASSERT_TRUE(whole);
  ASSERT_TRUE(*whole) << whole->error().wrong;
  EXPECT_EQ((*whole)->certificate, read_tls_files(files("two.pem", "two.key"), now)->certificate);
  EXPECT_FALSE(watch.look(now));
}

TEST_F(TlsFilesTest, ChangeWhenALinkOnTheirWayDoes) {
  // As a volume of Kubernetes: tls.crt -> ..data/tls.crt, and ..data -> a folder of that moment.
  const std::filesystem::path folder = certificates.folder();
  for (const std::string name : {"one", "two"}) {
    std::filesystem::create_directory(folder / ("data-" + name));
    copy(name + ".pem", "data-" + name + "/tls.crt");
    copy(name + ".key", "data-" + name + "/tls.key");
  }
  std::filesystem::create_symlink("data-one", folder / "..data");
  for (const std::string name : {"tls.crt", "tls.key"})
    std::filesystem::create_symlink("..data/" + name, folder / name);
  TlsFileWatch watch(files("tls.crt", "tls.key"));
  EXPECT_FALSE(watch.look(now));
  std::filesystem::create_symlink("data-two", folder / "..data_tmp");
  std::filesystem::rename(folder / "..data_tmp", folder / "..data");
  const auto changed = watch.look(now);
  ASSERT_TRUE(changed);
  EXPECT_TRUE(*changed);
}

}  // namespace
}  // namespace trunkline
