#pragma once
#include "io/settings.hpp"

#include <openssl/x509.h>

#include <string>

namespace trunkline::io {

/// A self-signed certificate and its key in a folder that goes with it.
class Certificate {
 public:
  /// `alternative_names`: "DNS:gw.example.test,IP:127.0.0.1"; empty: none, only the common name.
  /// It is valid from a day ago, for so many days.
  explicit Certificate(const std::string& alternative_names,
                       const std::string& common_name = "test", int days = 2);
  ~Certificate();
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;
  TlsFiles settings() const { return {folder_ + "/certificate.pem", folder_ + "/key.pem"}; }
  /// The same, taking only who shows this certificate.
  TlsFiles asking(const Certificate& client) const {
    return {settings().certificate, settings().key, client.settings().certificate};
  }
  /// Puts this one's files where the other's are.
  void replace(const Certificate& other) const;
  X509* x509() const { return x509_; }
  /// Makes contexts that are made from now on trust this certificate alone.
  void trust() const;

 private:
  std::string folder_;
  X509* x509_ = nullptr;
};

}  // namespace trunkline::io
