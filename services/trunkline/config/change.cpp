#include "config/change.hpp"

#include "config/build.hpp"
#include <algorithm>

namespace trunkline::config {
namespace {

bool live(Change above, const Key& key) {
  return (key.change == Change::as_above ? above : key.change) == Change::live;
}

bool same(const Value& one, const Value& other) {
  if (one.known != other.known || one.text != other.text || one.number != other.number ||
      one.last != other.last)
    return false;
  return std::ranges::equal(one.items, other.items, same);
}

const Value* named(const Value& list, const std::string& name) {
  const auto found = std::ranges::find_if(
      list.items, [&name](const Value& item) { return item["name"].text == name; });
  return found == list.items.end() ? nullptr : &*found;
}

bool has_names(const Key& key) {
  return std::ranges::any_of(
      key.members, [](const Key& member) { return member.name == "name" && member.required; });
}

void forget(Value& value) {
  value.present = value.known = false;
  value.text.clear();
  if (value.key->kind != Kind::section || value.key->shape != Shape::one) value.items.clear();
  for (Value& item : value.items)
    forget(item);
}

struct Comparison {
  const Bounds& bounds;
  Changes& out;

  void section(const Value& running, Value& next, const std::string& path, Change above) const {
    for (std::size_t i = 0; i < next.items.size(); ++i) {
      Value& item = next.items[i];
      const std::string name(item.key->name);
      member(running.items[i], item, path.empty() ? name : path + "." + name, above);
    }
  }

  void member(const Value& running, Value& next, const std::string& path, Change above) const {
    const Key& key = *next.key;
    const Change change = live(above, key) ? Change::live : Change::restart;
    if (key.kind == Kind::section && key.shape == Shape::one && !comes_or_goes(running, next))
      return section(running, next, path, change);
    if (same(running, next)) return;
    if (change == Change::live && !fits(next, path)) return settle(running, next, path, false);
    if (key.kind == Kind::section && change == Change::live && has_names(key))
      return elements(running, next, path);
    settle(running, next, path, change == Change::live);
  }

  /// A section that is there with its required keys only: of one that is not there, no part is
  /// taken alone.
  static bool comes_or_goes(const Value& running, const Value& next) {
    if (next.items.size() != running.items.size()) return true;
    for (std::size_t i = 0; i < next.items.size(); ++i) {
      if (next.items[i].key->required && running.items[i].known != next.items[i].known) return true;
    }
    return false;
  }

  void settle(const Value& running, Value& next, const std::string& path, bool taken) const {
    (taken ? out.applied : out.needs_restart).push_back(path);
    if (!taken) next = running;
  }

  void elements(const Value& running, Value& next, const std::string& path) const {
    for (Value& item : next.items) {
      const std::string label = path + "[" + item["name"].text + "]";
      if (const Value* before = named(running, item["name"].text)) {
        section(*before, item, label, Change::live);
        continue;
      }
      out.applied.push_back(label);
      if (path == "trunks") check_media(item, label);
    }
    for (const Value& item : running.items) {
      if (named(next, item["name"].text) == nullptr)
        out.applied.push_back(path + "[" + item["name"].text + "]");
    }
  }

  /// A new trunk whose media has an address of its own without ports: it has those of all until the
  /// next start.
  void check_media(Value& trunk, const std::string& path) const {
    Value& media = *std::ranges::find_if(
        trunk.items, [](const Value& item) { return item.key->name == "media"; });
    const bool bound = std::ranges::all_of(media["bind"].items, [this](const Value& item) {
      const auto ip = IpAddress::parse(item.text);
      return ip && std::ranges::find(bounds.media, *ip) != bounds.media.end();
    });
    if (bound) return;
    out.needs_restart.push_back(path + ".media");
    forget(media);
  }

  bool fits(const Value& next, const std::string& path) const {
    if (path == "limits.max_calls")
      return static_cast<std::size_t>(next.number) <= bounds.max_calls;
    if (path == "listen.grpc.tokens") return !bounds.certificate_needed || next.items.empty();
    return true;
  }
};

}  // namespace

Bounds bounds_of(const Config& started) {
  Bounds bounds;
  bounds.media = started.gateway.io.media.bind;
  bounds.media.insert(bounds.media.end(), started.gateway.io.media.trunk_binds.begin(),
                      started.gateway.io.media.trunk_binds.end());
  bounds.max_calls = started.gateway.media.max_legs / kLegsPerCall;
  bounds.certificate_needed = started.api && started.api->tls &&
                              !started.api->tls->authorities.empty() && started.api->tokens.empty();
  return bounds;
}

Changes compare(const Value& running, const Value& next, const Bounds& bounds) {
  Changes changes{.merged = next, .applied = {}, .needs_restart = {}};
  Comparison{bounds, changes}.section(running, changes.merged, {}, Change::restart);
  return changes;
}

}  // namespace trunkline::config
