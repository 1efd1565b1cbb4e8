#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "base/rate_limit.hpp"
#include "call/settings.hpp"
#include "sip/digest.hpp"
#include "sip/effects.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace trunkline::call {

/// One configured trunk and what is known of it.
struct Trunk {
  TrunkSettings settings;
  std::vector<SocketAddress> addresses;  ///< what the URI's host resolves to now; the first is used
  std::uint32_t calls = 0;
  std::optional<bool> up;  ///< whether it answered when it was last asked; nothing: never asked
  bool enabled = true;     ///< by the API: a disabled one takes no new calls in either direction
  RateLimit call_rate;
  std::shared_ptr<const re2::RE2> capacity;  ///< capacity_phrase; null: none

  /// Whether a phrase of the trunk's means that it has no room for the call.
  bool names_capacity(std::string_view phrase) const;
};

/// All trunks: whose request this is, and whether a trunk takes one more call.
class Trunks {
 public:
  explicit Trunks(const std::vector<TrunkSettings>& settings);

  Trunk* find(std::string_view name);
  std::vector<Trunk>& all() { return trunks_; }
  /// The trunk whose `allow` (or resolved address) holds this source; the most specific entry wins.
  /// Null: none.
  Trunk* identify(const SocketAddress& source);
  /// New addresses of a trunk's host; port 0 stands for the URI's port or the default one. An empty
  /// answer changes nothing: a resolver's outage does not take down a trunk that was reachable.
  void resolved(std::string_view name, std::vector<SocketAddress> addresses);
  /// The place to send a new request to (RFC 3263: transport and port by the URI or its defaults,
  /// UDP, 5060, 5061). Nothing while the host is not resolved, or if the URI asks for a transport
  /// that trunks don't have.
  static std::optional<sip::Target> target(const Trunk& trunk);

  /// Where a call goes that the trunk sends on to this contact: to an address of the trunk's own,
  /// by the transport that it uses anyway. Nothing for any other contact: what a trunk says in a
  /// 3xx must not aim our calls, nor our credentials, at others.
  static std::optional<sip::Target> redirected(const Trunk& trunk, const sip::Uri& contact);
  /// Whether an expression can be taken as `capacity_phrase`: nothing, or what is wrong with it.
  static std::optional<std::string> wrong_expression(const std::string& text);

  enum class Admission { ok, calls, rate, disabled };
  /// Takes one call's place on the trunk (given back with `release`).
  Admission admit(Trunk& trunk, TimePoint now);
  void release(std::string_view name);

 private:
  std::vector<Trunk> trunks_;
};

}  // namespace trunkline::call
