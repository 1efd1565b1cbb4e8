#pragma once
#include "base/random.hpp"
#include "sip/uri.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace trunkline::call {

/// How many temporary URIs of one device are good at a time. RFC 5627 §3.2 sets no limit, and has
/// one made by each REGISTER; a device that registers more often loses its oldest.
inline constexpr std::size_t kMaxTemporaryUris = 16;

/// The globally routable URIs of the devices that are registered (RFC 5627): of each a public one,
/// which names user and instance, and temporary ones, which tell nobody whose they are. Sans I/O;
/// one thread.
class Gruus {
 public:
  /// One of a user's devices, by its +sip.instance.
  struct Device {
    std::string user, instance;
    auto operator<=>(const Device&) const = default;  // NOLINT(modernize-use-nullptr)
  };

  Gruus(std::string domain, Random& random) : domain_(std::move(domain)), random_(random) {}

  /// The same for as long as user and instance are the same (§3.1).
  std::string public_uri(const Device& device) const;
  /// A new one; those that were made before stay good.
  std::string make_temporary_uri(const Device& device);
  /// The one that was made last; empty if there is none.
  std::string temporary_uri(const Device& device) const;
  /// The device has no registration any more: its temporary URIs end (§3.2).
  void forget(const Device& device);

  /// Whose URI this is. A public one says it itself, whether or not the device is registered.
  /// Nothing: not of ours, or not good any more.
  std::optional<Device> find(const sip::Uri& uri) const;
  /// Whether it is one of ours, good or not: the domain's, with a `gr` parameter.
  bool is_gruu(const sip::Uri& uri) const;

 private:
  std::string domain_;
  Random& random_;
  std::map<Device, std::deque<std::string>> temporary_;  ///< user parts, the newest last
  std::unordered_map<std::string, Device> devices_;      ///< by those
};

}  // namespace trunkline::call
