#include "unit/io/certificate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>

namespace trunkline::io {
namespace {

constexpr long kOneDay = 86400;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

Certificate::Certificate(const std::string& alternative_names, const std::string& common_name,
                         int days) {
  std::string pattern = (std::filesystem::temp_directory_path() / "trunkline-test-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* const certificate = x509_ = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kOneDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), (days - 1) * kOneDay);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* common = reinterpret_cast<const unsigned char*>(common_name.c_str());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  if (!alternative_names.empty()) {
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_names.c_str());
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
  }
  EXPECT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
  const TlsFiles files = settings();
  const File certificate_file(std::fopen(files.certificate.c_str(), "w"));
  const File key_file(std::fopen(files.key.c_str(), "w"));
  EXPECT_EQ(PEM_write_X509(certificate_file.get(), certificate), 1);
  EXPECT_EQ(PEM_write_PrivateKey(key_file.get(), key, nullptr, nullptr, 0, nullptr, nullptr), 1);
  EVP_PKEY_free(key);
}

Certificate::~Certificate() {
  X509_free(x509_);
  std::filesystem::remove_all(folder_);
}

void Certificate::replace(const Certificate& other) const {
  const auto over = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(settings().certificate, other.settings().certificate, over);
  std::filesystem::copy_file(settings().key, other.settings().key, over);
}

void Certificate::trust() const {
  ::setenv("SSL_CERT_FILE", settings().certificate.c_str(), 1);
}

}  // namespace trunkline::io
