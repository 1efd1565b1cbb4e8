#pragma once
#include "base/result.hpp"
#include "base/time.hpp"
#include "io/settings.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::io {

/// What Redis answers to one command.
struct RedisReply {
  enum class Kind : std::uint8_t { nothing, number, text, list, error } kind = Kind::nothing;
  std::int64_t number = 0;
  std::string text{};  ///< of an error: "READONLY You can't write …"
  std::vector<RedisReply> items{};
};

/// One connection to a Redis server (hiredis). Blocks, within limits: for a thread of its own.
class RedisConnection {
 public:
  using Command = std::vector<std::string>;  ///< words; any octets

  /// Connects, enters and chooses the database. Names are looked up anew each time. Fails in words
  /// without the password.
  static Result<std::unique_ptr<RedisConnection>> connect(const RedisPlace& place, Duration limit);
  ~RedisConnection();

  /// Sends all of them, then waits for the reply to each. Fails if one does not come within the
  /// limit, or the connection is gone: then it is of no more use.
  Result<std::vector<RedisReply>> ask(const std::vector<Command>& commands);
  /// Readable while nothing was asked: the server has closed it.
  int fd() const;

 private:
  RedisConnection();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trunkline::io
