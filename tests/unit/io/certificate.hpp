#pragma once
#include "io/settings.hpp"

#include <string>

namespace trunkline::io {

/// A self-signed certificate and its key in a folder that goes with it.
class Certificate {
 public:
  /// `alternative_name`: "DNS:gw.example.test" or "IP:127.0.0.1".
  explicit Certificate(const std::string& alternative_name);
  ~Certificate();
  TlsSettings settings() const { return {folder_ + "/certificate.pem", folder_ + "/key.pem"}; }
  /// Makes contexts that are made from now on trust this certificate alone.
  void trust() const;

 private:
  std::string folder_;
};

}  // namespace trunkline::io
