#include "base/tls_files.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <memory>
#include <sys/stat.h>
#include <system_error>
#include <vector>

namespace trunkline {
namespace {

using std::chrono::system_clock;
using File = TlsFileError::File;

constexpr std::size_t kMaxFile = 4 << 20;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;

Owned<BIO> bio_of(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<std::string, TlsFileError> read(const std::string& path, File which) {
  const auto wrong = [&](const std::string& what) {
    return fail(TlsFileError{which, path + " " + what, "name a PEM file that can be read"});
  };
  std::ifstream file(path, std::ios::binary);
  if (!file) return wrong("can't be read: " + std::generic_category().message(errno));
  std::string text(kMaxFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return wrong("can't be read: " + std::generic_category().message(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFile) return wrong("is larger than 4 MiB");
  return text;
}

/// All certificates, or none if one of them is malformed.
std::vector<Owned<X509>> certificates_in(const std::string& pem) {
  const auto bio = bio_of(pem);
  std::vector<Owned<X509>> all;
  while (Owned<X509> one{PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)})
    all.push_back(std::move(one));
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) all.clear();
  return all;
}

system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return system_clock::from_time_t(::timegm(&fields));
}

/// The chain must be valid now: a certificate that nobody takes is worth no start.
Result<system_clock::time_point, TlsFileError> check_times(const std::vector<Owned<X509>>& chain,
                                                           const std::string& path,
                                                           system_clock::time_point now) {
  auto first = system_clock::time_point::max();
  for (const auto& one : chain) {
    const auto begins = time_of(X509_get0_notBefore(one.get()));
    const auto ends = time_of(X509_get0_notAfter(one.get()));
    if (ends <= now)
      return fail(TlsFileError{File::certificate, path + " has expired on " + utc_text(ends),
                               "give a certificate that is valid"});
    if (begins > now)
      return fail(TlsFileError{File::certificate, path + " is not valid before " + utc_text(begins),
                               "give a certificate that is valid, or set the clock"});
    first = std::min(first, ends);
  }
  return first;
}

Result<void, TlsFileError> check_key(X509* certificate, const TlsFiles& files,
                                     const std::string& pem) {
  // An empty pass phrase: a key that needs one is refused, not asked for on the terminal.
  std::string none;
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(bio_of(pem).get(), nullptr, nullptr, none.data()));
  const bool fits = key && X509_check_private_key(certificate, key.get()) == 1;
  ERR_clear_error();
  if (!key)
    return fail(TlsFileError{File::key,
                             files.key + " holds no private key in PEM without a pass phrase",
                             "name the key of the certificate"});
  if (!fits)
    return fail(TlsFileError{File::key, files.key + " is not the key of " + files.certificate,
                             "name the key of the certificate"});
  return {};
}

Result<void, TlsFileError> read_pair(const TlsFiles& files, system_clock::time_point now,
                                     TlsMaterial& material) {
  auto certificate = read(files.certificate, File::certificate);
  if (!certificate) return fail(certificate.error());
  auto key = read(files.key, File::key);
  if (!key) return fail(key.error());
  const auto chain = certificates_in(*certificate);
  if (chain.empty())
    return fail(TlsFileError{File::certificate, files.certificate + " is no certificate in PEM",
                             "name a file that begins with -----BEGIN CERTIFICATE-----"});
  const auto expires = check_times(chain, files.certificate, now);
  if (!expires) return fail(expires.error());
  if (const auto fits = check_key(chain.front().get(), files, *key); !fits)
    return fail(fits.error());
  material.certificate = std::move(*certificate);
  material.key = std::move(*key);
  material.expires = *expires;
  return {};
}

}  // namespace

std::string utc_text(system_clock::time_point time) {
  const std::time_t seconds = system_clock::to_time_t(time);
  std::tm fields{};
  ::gmtime_r(&seconds, &fields);
  std::array<char, 64> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &fields);
  return {text.data(), size};
}

Result<TlsMaterial, TlsFileError> read_tls_files(const TlsFiles& files,
                                                 system_clock::time_point now) {
  TlsMaterial material;
  if (!files.certificate.empty()) {
    if (const auto pair = read_pair(files, now, material); !pair) return fail(pair.error());
  }
  if (files.authorities.empty()) return material;
  auto authorities = read(files.authorities, File::authorities);
  if (!authorities) return fail(authorities.error());
  if (certificates_in(*authorities).empty())
    return fail(TlsFileError{File::authorities, files.authorities + " holds no certificate in PEM",
                             "name a file with the certificates of the authorities"});
  material.authorities = std::move(*authorities);
  return material;
}

TlsFileWatch::TlsFileWatch(TlsFiles files) : files_(std::move(files)), last_(marks()) {}

TlsFileWatch::Marks TlsFileWatch::marks() const {
  Marks marks{};
  std::size_t at = 0;
  for (const std::string* path : {&files_.certificate, &files_.key, &files_.authorities}) {
    struct stat found {};
    Mark& mark = marks[at++];
    if (path->empty() || ::stat(path->c_str(), &found) != 0) continue;
    mark = {found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size),
            static_cast<std::uint64_t>(found.st_mtim.tv_sec),
            static_cast<std::uint64_t>(found.st_mtim.tv_nsec)};
  }
  return marks;
}

std::optional<Result<TlsMaterial, TlsFileError>> TlsFileWatch::look(system_clock::time_point now) {
  // Before the files are read: what changes meanwhile is seen at the next look.
  const Marks present = marks();
  if (present == last_) return std::nullopt;
  last_ = present;
  return read_tls_files(files_, now);
}

}  // namespace trunkline
