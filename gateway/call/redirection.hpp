#pragma once
#include "base/boxed.hpp"
#include "call/failure.hpp"
#include "sip/message.hpp"
#include "sip/uri.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace trunkline::call {

/// Where 3xx responses send one INVITE (RFC 3261 §8.1.3.4): the contacts by their preference, none
/// twice, and no more than a limit in all, however deep the redirections go.
class Redirection {
 public:
  /// Takes the contacts of a 3xx to the INVITE with this Request-URI; they come before those that
  /// still wait.
  void add(const sip::Message& response, const sip::Uri& asked);
  /// The next one to be tried; nothing once `limit` of them were followed, and when none is left.
  std::optional<sip::Uri> next(std::uint32_t limit);
  /// The INVITE has gone to that one.
  void followed() { ++followed_; }
  /// Only then does a failure of the INVITE lead to the next one.
  bool under_way() const { return followed_ > 0; }

  Boxed<Failure> best_refusal;  ///< of the contacts that were called

 private:
  bool known(const sip::Uri& uri) const;

  std::vector<sip::Uri> tried_;
  std::vector<sip::Uri> waiting_;
  std::uint32_t followed_ = 0;
};

}  // namespace trunkline::call
