#include "call/replicas.hpp"

#include "base/base64url.hpp"
#include "base/secret.hpp"
#include "sip/digest.hpp"
#include "sip/header.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <array>
#include <charconv>
#include <cstdlib>

namespace trunkline::call {
namespace {

using sip::HeaderName;

constexpr std::string_view kReplicaScheme = "Trunkline-HMAC-SHA-256";
constexpr std::size_t kMaxProof = 1024;  ///< octets of the field

struct Proof {
  std::string from, to, instance, time, mac;
};

std::optional<Proof> read_proof(std::string_view value) {
  if (value.size() > kMaxProof) return std::nullopt;
  Proof fields;
  sip::ListCursor list(value.substr(kReplicaScheme.size()));
  while (const auto item = list.next()) {
    const auto equals = item->find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = sip::trim(item->substr(0, equals));
    std::string text = sip::unquote(sip::trim(item->substr(equals + 1)));
    if (name == "from")
      fields.from = std::move(text);
    else if (name == "to")
      fields.to = std::move(text);
    else if (name == "instance")
      fields.instance = std::move(text);
    else if (name == "time")
      fields.time = std::move(text);
    else if (name == "mac")
      fields.mac = std::move(text);
  }
  return fields;
}

bool same_proof(std::string_view a, std::string_view b) {
  return a.size() == b.size() && a.size() <= Secret::kCapacity &&
         Secret(as_bytes(a)) == Secret(as_bytes(b));
}

std::optional<std::int64_t> seconds_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

Replicas::Replicas(const ReplicaSettings& settings, std::string_view secret, std::string node)
    : node_(std::move(node)) {
  if (!settings.enabled) return;
  // Not the key of the credentials themselves: what is made for one can't be used for the other.
  const auto key = sip::hmac_sha256(secret, "trunkline requests between nodes");
  key_.assign(reinterpret_cast<const char*>(key.data()), key.size());
}

std::string Replicas::proof(const sip::Message& request, std::string_view from, std::string_view to,
                            std::string_view instance, std::string_view time) const {
  std::string text;
  const std::string sequence = std::to_string(sip::cseq_of(request).number);
  for (const std::string_view part :
       {request.method_text(), std::string_view(request.request_uri()), sip::call_id_of(request),
        sip::from_tag(request), std::string_view(sequence), from, to, instance, time,
        std::string_view(request.body())}) {
    // Each with its length: no two lists of parts give one text.
    text.append(std::to_string(part.size())).append(":").append(part);
  }
  return base64url(sip::hmac_sha256(key_, text));
}

void Replicas::vouch(sip::Message& request, std::string_view to, std::string_view instance,
                     std::int64_t wall_seconds) const {
  const std::string time = std::to_string(wall_seconds);
  std::string value(kReplicaScheme);
  value += " from=" + sip::quote(node_) + ", to=" + sip::quote(to);
  if (!instance.empty()) value += ", instance=" + sip::quote(instance);
  value += ", time=" + time + ", mac=\"" + proof(request, node_, to, instance, time) + "\"";
  request.set(HeaderName::authorization, value);
}

bool Replicas::claims(const sip::Message& request) const {
  const auto value = request.header(HeaderName::authorization);
  return enabled() && value && sip::begins_ignoring_case(*value, kReplicaScheme);
}

Result<Introduction> Replicas::check(const sip::Message& request, std::int64_t wall_seconds) {
  if (!claims(request)) return fail("it does not say which node it is from");
  const auto fields = read_proof(*request.header(HeaderName::authorization));
  if (!fields) return fail("malformed Authorization");
  const std::string right =
      proof(request, fields->from, fields->to, fields->instance, fields->time);
  // Before anything in it is believed, and told of.
  if (!same_proof(right, fields->mac)) return fail("not made with our credentials.secret");
  if (fields->to != node_) return fail("meant for node " + fields->to);
  const auto time = seconds_in(fields->time);
  if (!time || std::abs(*time - wall_seconds) > kReplicaSkew)
    return fail("stale: the clocks differ, or it was sent before");
  if (seen(fields->mac, wall_seconds)) return fail("sent before");
  return Introduction{fields->from, fields->instance};
}

bool Replicas::seen(const std::string& mac, std::int64_t wall_seconds) {
  const auto forget = [&] {
    taken_.erase(order_.front().second);
    order_.pop_front();
  };
  while (!order_.empty() && order_.front().first < wall_seconds - 2 * kReplicaSkew)
    forget();
  if (!taken_.insert(mac).second) return true;
  if (order_.size() >= kMaxRemembered) forget();
  order_.emplace_back(wall_seconds, mac);
  return false;
}

void Replicas::looked_up(const Locations& found) {
  LookUpEnd end = found.all.empty() ? LookUpEnd::none : LookUpEnd::found;
  if (!found.known) end = LookUpEnd::failed;
  look_ups_[end].add();
}

void Replicas::collect(MetricSink& sink) const {
  if (!enabled()) return;
  constexpr std::array kLabels{"found", "none", "failed"};
  for_each<LookUpEnd>([&](LookUpEnd end) {
    sink.counter("trunkline_replica_lookups_total",
                 "Questions whether a user is on another node: some bindings found, none, or no "
                 "answer of the store in time.",
                 {{"result", kLabels[static_cast<std::size_t>(end)]}}, value(look_ups_[end]));
  });
}

}  // namespace trunkline::call
