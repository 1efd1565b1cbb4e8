#pragma once
#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace trunkline {

/// Why an operation could not be done, in words for an operator or a log line.
/// Layers whose callers must react to the kind of error use an enum of their own as `E` of
/// `Result`.
struct Error {
  std::string message;
};

/// A value, or the reason why there is none. The core returns errors as values; nothing in it
/// throws for bad input.
template <class T, class E = Error>
using Result = tl::expected<T, E>;

/// Wraps an error so that it converts to any `Result`.
template <class E>
auto fail(E error) {
  return tl::make_unexpected(std::move(error));
}

/// `fail` with an `Error` of these words.
inline auto fail(const char* message) {
  return tl::make_unexpected(Error{message});
}
inline auto fail(std::string message) {
  return tl::make_unexpected(Error{std::move(message)});
}

}  // namespace trunkline
