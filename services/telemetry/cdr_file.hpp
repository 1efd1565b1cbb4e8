#pragma once
#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::telemetry {

/// A file of lines that begins anew when it is full. Full ones stand beside it as PATH.1, PATH.2 …
/// in the order in which they were filled, until they take more room than they may: then the oldest
/// goes. One thread.
class CdrFile {
 public:
  struct Limits {
    std::uint64_t file = 64 << 20;     ///< octets of one file
    std::uint64_t spool = 1ULL << 30;  ///< octets of the full ones
  };
  /// Opens nothing yet.
  CdrFile(std::string path, Limits limits) : path_(std::move(path)), limits_(limits) {}
  ~CdrFile();
  CdrFile(const CdrFile&) = delete;
  CdrFile& operator=(const CdrFile&) = delete;

  /// Opens it, for what is appended later. Fails in words for an operator. A line that an earlier
  /// run has not written to its end is closed off.
  Result<void> open();
  /// Appends whole lines (each with its line end), all or none, and sees that the disk has them. A
  /// file that somebody has moved away is made anew. Fails in words; the lines may be tried again.
  Result<void> append(std::string_view lines);

  std::uint64_t spool() const { return spool_; }      ///< octets of the full ones
  std::uint64_t removed() const { return removed_; }  ///< full ones that had to go, ever

 private:
  void close();
  bool moved_away() const;
  Result<void> rotate();
  void shorten_spool();

  const std::string path_;
  const Limits limits_;
  int file_ = -1;
  std::uint64_t size_ = 0, spool_ = 0, removed_ = 0;
};

}  // namespace trunkline::telemetry
