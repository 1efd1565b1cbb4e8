#pragma once
#include "config/config.hpp"
#include <optional>
#include <string>

/// From a well-formed tree of values to the settings of each layer, with the checks that need more
/// than one key. Each function reads its sections; every value of the tree is usable when they are
/// called.
namespace trunkline::config {

/// Legs that forking and transfers may need at once for each call.
inline constexpr std::size_t kLegsPerCall = 4;

struct Build {
  const Value& file;
  const std::string& folder;
  Config& config;
  Problems& problems;

  void wrong(const Value& at, std::string what, std::string right) const {
    problems.add(at.line, at.path, std::move(what), std::move(right));
  }
  /// A value whose feature is not there yet.
  void unsupported(const Value& at, std::string_view instead) const;
  void notice(const Value& at, std::string_view what) const;
};

void build_listeners(const Build& build);
void build_media(const Build& build);   ///< after the listeners: ports must not overlap
void build_trunks(const Build& build);  ///< after media and listeners
/// Identity, numbers and header fields of one trunk.
void build_trunk_identity(const Build& build, const Value& key, call::TrunkSettings& trunk);
void build_users(const Build& build);
void build_routes(const Build& build);  ///< after users and trunks
void build_store(const Build& build);   ///< after all others: the other nodes are one more trunk
void build_node(const Build& build);    ///< everything that stands alone

/// The addresses of a section's bind and advertise, one per family at most; without bind those of
/// `standard`.
std::vector<call::MediaAddress> build_media_addresses(
    const Build& build, const Value& section, const std::vector<call::MediaAddress>& standard);

/// The files of a `tls` section as paths to open: certificate and key, and as authorities the file
/// that the key `authorities` names. A problem at the key of a file that is of no use now. Nothing
/// without the section.
std::optional<TlsFiles> build_tls(const Build& build, const Value& tls,
                                  std::string_view authorities);

}  // namespace trunkline::config
