#pragma once
#include "base/result.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace trunkline {

/// The PEM files of one end of TLS, as the configuration names them. An empty name: none.
struct TlsFiles {
  std::string certificate{}, key{};  ///< what it shows: both or none
  std::string authorities{};         ///< whose certificates it takes
};

/// What the files held, of one moment and known to fit.
struct TlsMaterial {
  std::string certificate{}, key{}, authorities{};  ///< PEM
  /// When the certificate, or one of its chain, expires.
  std::optional<std::chrono::system_clock::time_point> expires{};
};

/// Which file is of no use, and why, for an operator.
struct TlsFileError {
  enum class File : std::uint8_t { certificate, key, authorities } file = File::certificate;
  std::string wrong;  ///< "gw.pem has expired on 2026-11-30"
  std::string right;  ///< what would be right
};

/// Reads and checks: PEM that can be used without a pass phrase, a certificate that is valid `now`,
/// and the key of that certificate. Files of more than 4 MiB are refused.
Result<TlsMaterial, TlsFileError> read_tls_files(const TlsFiles& files,
                                                 std::chrono::system_clock::time_point now);

/// The same files again and again: tells what they hold once they have changed. A change is seen by
/// what a name leads to, so also when a symbolic link on the way was turned to another folder, as
/// Kubernetes does it. One thread.
class TlsFileWatch {
 public:
  /// Changes count from here on.
  explicit TlsFileWatch(TlsFiles files);

  /// Nothing while all is as it was at the last look. An error is told once; the next change is
  /// looked at again.
  std::optional<Result<TlsMaterial, TlsFileError>> look(std::chrono::system_clock::time_point now);
  const TlsFiles& files() const { return files_; }

 private:
  /// Which file, and which state of it; all 0 while there is none.
  using Mark = std::array<std::uint64_t, 5>;
  using Marks = std::array<Mark, 3>;
  Marks marks() const;

  TlsFiles files_;
  Marks last_;
};

/// A date for an operator: "2026-11-30 14:00:00 UTC".
std::string utc_text(std::chrono::system_clock::time_point time);

}  // namespace trunkline
