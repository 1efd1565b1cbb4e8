#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>
#include <string>

/// Certificates for one test, in a folder of its own that goes with it.
namespace trunkline {

class Certificates {
 public:
  Certificates() {
    std::string name = (std::filesystem::temp_directory_path() / "trunkline-tls-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    folder_ = name;
    ca_key_ = EVP_EC_gen("P-256");
    ca_ = make("test ca", "", ca_key_, nullptr, ca_key_);
    write("ca", ca_, nullptr);
  }
  Certificates(const Certificates&) = delete;
  ~Certificates() {
    X509_free(ca_);
    EVP_PKEY_free(ca_key_);
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string folder() const { return folder_; }
  /// Makes NAME.pem and NAME.key, signed by ca.pem. `names`: "DNS:a.test,IP:127.0.0.1"; valid from
  /// `begins` to `ends`, in seconds from now.
  void issue(const std::string& name, const std::string& names, long begins = -3600,
             long ends = 86400) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = make(name, names, key, ca_, ca_key_, begins, ends);
    write(name, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

 private:
  static void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer != nullptr ? issuer : certificate, certificate, nullptr,
                   nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static X509* make(const std::string& common_name, const std::string& names, EVP_PKEY* key,
                    X509* issuer, EVP_PKEY* issuer_key, long begins = -3600, long ends = 86400) {
    static long serial = 0;
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), begins);
    X509_gmtime_adj(X509_getm_notAfter(certificate), ends);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
    X509_set_issuer_name(certificate, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
    extend(certificate, issuer, NID_basic_constraints,
           issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    if (!names.empty()) extend(certificate, issuer, NID_subject_alt_name, names);
    X509_sign(certificate, issuer_key, EVP_sha256());
    return certificate;
  }

  void write(const std::string& name, X509* certificate, EVP_PKEY* key) const {
    FILE* file = fopen(path(name + ".pem").c_str(), "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    if (key == nullptr) return;
    file = fopen(path(name + ".key").c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    fclose(file);
  }

  std::filesystem::path folder_;
  EVP_PKEY* ca_key_ = nullptr;
  X509* ca_ = nullptr;
};

}  // namespace trunkline
