#include "call/registrar.hpp"

#include "base/result.hpp"
#include "sip/endpoint.hpp"
#include "sip/parts.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {

using sip::HeaderName;

/// Why a whole REGISTER is refused.
struct Registrar::Refusal {
  int status = 400;
  std::string_view phrase = {};
  std::optional<std::pair<HeaderName, std::string>> field = std::nullopt;
};

/// One Contact of a request and the seconds granted to it; 0 removes it.
struct Registrar::Wish {
  Binding binding;
  std::uint32_t seconds = 0;
};

namespace {

constexpr std::size_t kMaxContactSize = 2048;  ///< octets
constexpr std::size_t kMaxUserAgentSize = 256;
constexpr std::size_t kMaxCallIdSize = 512;
constexpr std::size_t kMaxPath = 8;  ///< proxies between a client and us
constexpr std::size_t kMaxPathSize = 2048;
constexpr std::uint32_t kFullRetryAfter = 30;
/// RFC 3261 §10.2.1.1: what a malformed interval counts as, and §10.3 step 7: what is never too
/// brief.
constexpr std::uint32_t kHour = 3600;
constexpr std::uint32_t kMaxRegId = 0x7fffffff;  // RFC 5626 §4.2

std::uint32_t interval_or_hour(std::string_view value) {
  return sip::parse_delta_seconds(value).value_or(kHour);
}

/// What the client asked for; nothing if it left that to us.
std::optional<std::uint32_t> asked_interval(const sip::Message& request,
                                            const sip::NameAddress& contact) {
  if (sip::find_parameter(contact.parameters, "expires") != nullptr) {
    return interval_or_hour(contact.parameter("expires"));
  }
  if (const auto expires = request.header(HeaderName::expires)) return interval_or_hour(*expires);
  return std::nullopt;
}

/// The Contact as the client wrote it, without `expires`: libraries look for their very own text in
/// the 200.
std::string contact_text_of(std::string_view value, const sip::NameAddress& contact) {
  const auto parts = sip::split_name_address(value);
  std::string text;
  if (parts->display_name.empty() && !sip::trim(value).starts_with('<')) {
    text = parts->uri;
  } else {
    if (!parts->display_name.empty()) text.append(parts->display_name).append(" ");
    text.append("<").append(parts->uri).append(">");
  }
  sip::Parameters kept = contact.parameters;
  std::erase_if(
      kept, [](const sip::Parameter& p) { return sip::equals_ignoring_case(p.name, "expires"); });
  return text + sip::parameters_text(kept);
}

/// For observers. sipML5 puts a password hash into its URI, which no log shall see.
std::string observed_contact(const Binding& binding) {
  sip::Uri uri = binding.contact.uri;
  std::erase_if(uri.parameters,
                [](const sip::Parameter& p) { return sip::equals_ignoring_case(p.name, "ha1"); });
  return uri.text();
}

void observe(RegistrationChanged::Kind kind, const Binding& binding,
             std::vector<Observation>& out) {
  out.emplace_back(RegistrationChanged{kind, describe(binding)});
}

/// Whether a registration of `next` is about the same contact as `old`: by instance and reg-id (RFC
/// 5626 §6), else by instance, else by URI (RFC 3261 §10.3).
bool same_contact(const Binding& next, const Binding& old) {
  if (!next.instance.empty()) return next.instance == old.instance && next.reg_id == old.reg_id;
  return next.contact.uri.equivalent(old.contact.uri);
}

/// RFC 3261 §10.3 step 7: within one Call-ID only a higher CSeq may change a binding.
bool out_of_order(const Binding& next, const Binding& old) {
  return next.call_id == old.call_id && next.sequence <= old.sequence;
}

std::uint32_t remaining_seconds(const Binding& binding, TimePoint now) {
  return static_cast<std::uint32_t>(std::chrono::ceil<seconds>(binding.expires - now).count());
}

std::uint32_t reg_id_of(const sip::NameAddress& contact) {
  const auto number = sip::parse_number(contact.parameter("reg-id"));
  return number && *number <= kMaxRegId ? *number : 0;
}

/// RFC 5626 §4.2.1: the client wants its binding to keep to its flow.
bool asks_for_flow(const sip::Message& request, const std::vector<std::string_view>& contacts) {
  if (!sip::has_token(request, HeaderName::supported, "outbound")) return false;
  return std::ranges::any_of(contacts, [](std::string_view value) {
    const auto contact = sip::NameAddress::parse(value);
    return contact && !sip::unquote(contact->parameter("+sip.instance")).empty() &&
           reg_id_of(*contact) != 0;
  });
}

/// RFC 5626 §6: a second Via means a proxy at the other end of the client's flow, which says in the
/// Path that it added first whether it keeps it.
bool first_hop_keeps_flow(const sip::Message& request) {
  if (request.count(HeaderName::via) < 2) return true;
  const auto path = request.headers(HeaderName::path);
  const auto first = path.empty() ? Result<sip::NameAddress>(fail("no Path"))
                                  : sip::NameAddress::parse(path.back());
  return first && first->uri.has_parameter("ob");
}

bool is_good_path(const std::vector<std::string_view>& path) {
  std::size_t size = 0;
  for (const std::string_view value : path) {
    const auto proxy = sip::NameAddress::parse(value);
    if (!proxy || proxy->wildcard || !proxy->uri.is_sip()) return false;
    size += value.size();
  }
  return path.size() <= kMaxPath && size <= kMaxPathSize;
}

Gruus::Device device_of(const Binding& binding) {
  return {binding.user, binding.instance};
}

bool is_removal_of_all(const std::vector<std::string_view>& contacts) {
  return std::ranges::any_of(contacts,
                             [](std::string_view value) { return sip::trim(value) == "*"; });
}

}  // namespace

sip::Message Registrar::receive(const sip::Message& request, const std::string& user,
                                const sip::Target& source, Moment at, std::string_view to_tag,
                                std::vector<Observation>& out) {
  on_deadline(at.now, out);
  const auto contacts = request.headers(HeaderName::contact);
  Change change;
  std::optional<Refusal> refusal = judge(request, contacts);
  if (refusal) {
    // Nothing is looked at.
  } else if (is_removal_of_all(contacts)) {
    refusal = remove_all(request, user, change);
  } else if (!contacts.empty()) {
    refusal = update(request, contacts, user, source, at, change);
  }
  if (refusal) {
    sip::Message response = sip::make_response(request, refusal->status, to_tag, refusal->phrase);
    if (refusal->field) response.add(refusal->field->first, refusal->field->second);
    return response;
  }
  if (!contacts.empty()) {
    replace(user, std::move(change.bindings));
    out.insert(out.end(), change.observations.begin(), change.observations.end());
  }
  const bool with_gruus = sip::has_token(request, HeaderName::supported, "gruu");
  if (with_gruus) mint_gruus(contacts, user);
  sip::Message response = sip::make_response(request, 200, to_tag);
  list_bindings(user, at.now, with_gruus, response);
  response.add(HeaderName::date, sip::date_text(at.wall));
  for (const std::string_view proxy : request.headers(HeaderName::path))
    response.add(HeaderName::path, proxy);
  if (!service_route_.empty()) response.add(HeaderName::service_route, service_route_);
  if (asks_for_flow(request, contacts)) {
    response.add(HeaderName::supported, "outbound");
    response.add(HeaderName::require, "outbound");
  }
  return response;
}

std::optional<Registrar::Refusal> Registrar::judge(const sip::Message& request,
                                                   const std::vector<std::string_view>& contacts) {
  const auto path = request.headers(HeaderName::path);
  if (!is_good_path(path)) return Refusal{400, "Bad Path"};
  // RFC 3327 §5.3: who would not see what has been put into its way is not registered.
  if (!path.empty() && !sip::has_token(request, HeaderName::supported, "path"))
    return Refusal{420, {}, std::pair(HeaderName::unsupported, std::string("path"))};
  if (asks_for_flow(request, contacts) && !first_hop_keeps_flow(request)) return Refusal{439};
  return std::nullopt;
}

/// RFC 5627 §5.3: each registration of a device makes it a new temporary URI.
void Registrar::mint_gruus(const std::vector<std::string_view>& contacts, const std::string& user) {
  std::set<Gruus::Device> registered;
  for (const std::string_view value : contacts) {
    const auto contact = sip::NameAddress::parse(value);
    if (contact)
      registered.insert({user, std::string(sip::unquote(contact->parameter("+sip.instance")))});
  }
  for (const Binding& binding : bindings_of(user)) {
    if (registered.erase(device_of(binding)) > 0 && !binding.instance.empty())
      gruus_->make_temporary_uri(device_of(binding));
  }
}

void Registrar::list_bindings(std::string_view user, TimePoint now, bool with_gruus,
                              sip::Message& response) const {
  const auto found = bindings_.find(user);
  if (found == bindings_.end()) return;
  for (const Binding& binding : found->second) {
    std::string text =
        binding.contact_text + ";expires=" + std::to_string(remaining_seconds(binding, now));
    if (with_gruus && !binding.instance.empty()) {
      text += ";pub-gruu=" + sip::quote(gruus_->public_uri(device_of(binding)));
      if (const auto temporary = gruus_->temporary_uri(device_of(binding)); !temporary.empty())
        text += ";temp-gruu=" + sip::quote(temporary);
    }
    response.add(HeaderName::contact, text);
  }
}

std::vector<Binding> Registrar::bindings_of(std::string_view user) const {
  const auto found = bindings_.find(user);
  return found == bindings_.end() ? std::vector<Binding>() : found->second;
}

/// `Contact: *` (RFC 3261 §10.3 step 6).
std::optional<Registrar::Refusal> Registrar::remove_all(const sip::Message& request,
                                                        const std::string& user,
                                                        Change& change) const {
  const auto expires = request.header(HeaderName::expires);
  if (request.count(HeaderName::contact) != 1 || !expires ||
      sip::parse_delta_seconds(*expires) != 0u) {
    return Refusal{400, "Wildcard Contact Must Be Alone and Expire"};
  }
  Binding request_order;
  request_order.call_id = sip::call_id_of(request);
  request_order.sequence = sip::cseq_of(request).number;
  for (const Binding& binding : bindings_of(user)) {
    if (out_of_order(request_order, binding)) return Refusal{500, "CSeq Out of Order"};
    observe(RegistrationChanged::Kind::removed, binding, change.observations);
  }
  return std::nullopt;
}

/// All or nothing: what the request asks for is put together beside what is stored.
std::optional<Registrar::Refusal> Registrar::update(const sip::Message& request,
                                                    const std::vector<std::string_view>& contacts,
                                                    const std::string& user,
                                                    const sip::Target& source, Moment at,
                                                    Change& change) {
  // As many may be added as removed by one request; beyond that it is work that nobody needs.
  if (contacts.size() > 2 * settings_.max_contacts) return Refusal{403, "Too Many Contacts"};
  const std::vector<Binding> before = bindings_of(user);
  change.bindings = before;
  std::size_t added = 0;
  bool has_reg_id = false;
  for (const std::string_view value : contacts) {
    auto wish = read(request, value, user, source, at);
    if (!wish) return wish.error();
    if (std::ranges::any_of(before, [&](const Binding& old) {
          return same_contact(wish->binding, old) && out_of_order(wish->binding, old);
        })) {
      return Refusal{500, "CSeq Out of Order"};
    }
    if (wish->seconds > 0) ++added;
    has_reg_id = has_reg_id || wish->binding.reg_id != 0;
    apply(std::move(*wish), change);
  }
  // RFC 5626 §6: each flow is registered by a request of its own.
  if (has_reg_id && added > 1) return Refusal{400, "One Contact per Flow"};
  if (change.bindings.size() <= before.size()) return std::nullopt;
  if (change.bindings.size() > settings_.max_contacts) return Refusal{403, "Too Many Contacts"};
  if (size_ - before.size() + change.bindings.size() > settings_.max_registrations) {
    return Refusal{503, "Registrar Full",
                   std::pair(HeaderName::retry_after, std::to_string(kFullRetryAfter))};
  }
  return std::nullopt;
}

Result<Registrar::Wish, Registrar::Refusal> Registrar::read(const sip::Message& request,
                                                            std::string_view value,
                                                            const std::string& user,
                                                            const sip::Target& source,
                                                            Moment at) const {
  auto contact = sip::NameAddress::parse(value);
  const std::string_view call_id = sip::call_id_of(request);
  // A URI with header fields would let a user inject a Route into calls to him (RFC 4475 §3.3.14).
  if (!contact || !contact->uri.is_sip() || !contact->uri.headers.empty())
    return fail(Refusal{400, "Bad Contact"});
  // RFC 5627 §5.1: it would lead to itself.
  if (gruus_->is_gruu(contact->uri)) return fail(Refusal{403, "Contact Is a GRUU"});
  if (value.size() > kMaxContactSize || call_id.size() > kMaxCallIdSize)
    return fail(Refusal{400, "Contact Too Long"});
  Wish wish;
  const auto asked = asked_interval(request, *contact);
  if (asked && *asked > 0 && *asked < settings_.min_expires && *asked < kHour) {
    return fail(Refusal{
        423, {}, std::pair(HeaderName::min_expires, std::to_string(settings_.min_expires))});
  }
  wish.seconds = std::min(asked.value_or(settings_.default_expires), settings_.max_expires);
  Binding& binding = wish.binding;
  binding.user = user;
  binding.contact_text = contact_text_of(value, *contact);
  binding.target = source;
  for (const std::string_view proxy : request.headers(HeaderName::path))
    binding.path.emplace_back(proxy);
  binding.instance = sip::unquote(contact->parameter("+sip.instance"));
  if (!binding.instance.empty()) binding.reg_id = reg_id_of(*contact);
  binding.call_id = call_id;
  binding.sequence = sip::cseq_of(request).number;
  binding.expires = at.now + seconds{wish.seconds};
  binding.registered = at.wall;
  binding.expires_at = at.wall + seconds{wish.seconds};
  binding.user_agent =
      request.header(HeaderName::user_agent).value_or("").substr(0, kMaxUserAgentSize);
  binding.contact = std::move(*contact);
  return wish;
}

void Registrar::apply(Wish wish, Change& change) {
  using Kind = RegistrationChanged::Kind;
  const auto same = [&](const Binding& old) { return same_contact(wish.binding, old); };
  const auto old = std::ranges::find_if(change.bindings, same);
  const bool known = old != change.bindings.end();
  if (known) {
    wish.binding.id = old->id;
    wish.binding.registered = old->registered;
  } else {
    wish.binding.id = std::to_string(++last_id_);
  }
  std::erase_if(change.bindings, same);
  if (wish.seconds == 0) {
    if (known) observe(Kind::removed, wish.binding, change.observations);
    return;
  }
  observe(known ? Kind::refreshed : Kind::added, wish.binding, change.observations);
  change.bindings.push_back(std::move(wish.binding));
}

void Registrar::replace(const std::string& user, std::vector<Binding> next) {
  const auto found = bindings_.find(user);
  if (found != bindings_.end()) {
    for (const Binding& old : found->second) {
      expiries_.erase({old.expires, user});
      flows_.erase({old.target.flow, user});
      const bool stays = std::ranges::any_of(
          next, [&](const Binding& binding) { return binding.instance == old.instance; });
      if (!stays) gruus_->forget(device_of(old));
    }
    size_ -= found->second.size();
    if (next.empty()) {
      bindings_.erase(found);
      return;
    }
  }
  if (next.empty()) return;
  for (const Binding& binding : next) {
    expiries_.insert({binding.expires, user});
    flows_.insert({binding.target.flow, user});
  }
  size_ += next.size();
  bindings_[user] = std::move(next);
}

std::vector<Binding> Registrar::find(std::string_view user, TimePoint now) const {
  std::vector<Binding> live;
  const auto found = bindings_.find(user);
  if (found == bindings_.end()) return live;
  for (auto binding = found->second.rbegin(); binding != found->second.rend(); ++binding) {
    const bool shadowed =
        !binding->instance.empty() && std::ranges::any_of(live, [&](const Binding& newer) {
          return newer.instance == binding->instance;
        });
    if (binding->expires > now && !shadowed) live.push_back(*binding);
  }
  return live;
}

std::optional<Binding> Registrar::older_flow(std::string_view user, std::string_view instance,
                                             FlowId failed, TimePoint now) const {
  const auto found = bindings_.find(user);
  if (found == bindings_.end() || instance.empty()) return std::nullopt;
  const std::vector<Binding>& all = found->second;
  const auto is_failed = [&](const Binding& binding) {
    return binding.instance == instance && binding.target.flow == failed;
  };
  auto binding = std::find_if(all.rbegin(), all.rend(), is_failed);
  if (binding == all.rend()) binding = all.rbegin();  // it has been taken away already
  for (; binding != all.rend(); ++binding) {
    if (binding->instance == instance && !is_failed(*binding) && binding->expires > now)
      return *binding;
  }
  return std::nullopt;
}

void Registrar::flow_closed(FlowId flow, std::vector<Observation>& out) {
  if (!flow) return;
  for (auto at = flows_.lower_bound({flow, {}}); at != flows_.end() && at->first == flow;
       at = flows_.lower_bound({flow, {}})) {
    const std::string user = at->second;
    drop(
        user, RegistrationChanged::Kind::flow_lost,
        [flow](const Binding& binding) { return binding.target.flow == flow; }, out);
  }
}

void Registrar::on_deadline(TimePoint now, std::vector<Observation>& out) {
  while (deadline() <= now) {
    const std::string user = expiries_.begin()->second;
    drop(
        user, RegistrationChanged::Kind::expired,
        [now](const Binding& binding) { return binding.expires <= now; }, out);
  }
}

template <class Gone>
void Registrar::drop(const std::string& user, RegistrationChanged::Kind kind, Gone gone,
                     std::vector<Observation>& out) {
  std::vector<Binding> kept;
  for (Binding& binding : bindings_of(user)) {
    if (gone(binding)) {
      observe(kind, binding, out);
    } else {
      kept.push_back(std::move(binding));
    }
  }
  replace(user, std::move(kept));
}

Registration describe(const Binding& binding) {
  Registration told;
  told.id = binding.id;
  told.user = binding.user;
  told.contact = observed_contact(binding);
  told.instance = binding.instance;
  told.user_agent = binding.user_agent;
  told.transport = sip::transport_label(binding.target.transport);
  told.source = binding.target.remote.text();
  told.registered = binding.registered;
  told.expires = binding.expires_at;
  return told;
}

std::vector<Registration> Registrar::list(std::string_view user, TimePoint now) const {
  std::vector<Registration> all;
  const auto add = [&](const std::vector<Binding>& bindings) {
    for (const Binding& binding : bindings) {
      if (binding.expires > now) all.push_back(describe(binding));
    }
  };
  if (const auto found = bindings_.find(user); found != bindings_.end()) add(found->second);
  if (!user.empty()) return all;
  for (const auto& [name, bindings] : bindings_)
    add(bindings);
  return all;
}

std::vector<Registration> Registrar::remove(const std::string& user, std::string_view id,
                                            std::vector<Observation>& out) {
  std::vector<Registration> removed;
  const auto gone = [&](const Binding& binding) {
    if (!id.empty() && binding.id != id) return false;
    removed.push_back(describe(binding));
    return true;
  };
  drop(user, RegistrationChanged::Kind::removed, gone, out);
  return removed;
}

TimePoint Registrar::deadline() const {
  return expiries_.empty() ? kNever : expiries_.begin()->first;
}

std::size_t Registrar::size() const {
  return size_;
}

}  // namespace trunkline::call
