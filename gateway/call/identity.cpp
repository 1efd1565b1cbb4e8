#include "call/identity.hpp"

#include "call/number_rules.hpp"
#include "call/trunks.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <optional>

namespace trunkline::call {

using sip::HeaderName;

namespace {

constexpr std::size_t kMaxAsserted = 8;  ///< values that are looked at
/// A shorter one stands in many a text by chance.
constexpr std::size_t kLeastTelling = 3;  ///< octets

const UserSettings* find_user(const std::vector<UserSettings>& users, std::string_view name) {
  const auto found = std::ranges::find(users, name, &UserSettings::name);
  return found == users.end() ? nullptr : &*found;
}

/// RFC 3325 §9.1: one SIP URI, one tel URI, or one of each; what is more or something else is no
/// identity (RFC 5876 §4.5).
struct Asserted {
  std::optional<sip::NameAddress> address, telephone;
};
Asserted asserted_in(const sip::Message& message) {
  Asserted found;
  std::size_t looked_at = 0;
  for (const auto value : message.headers(HeaderName::p_asserted_identity)) {
    if (++looked_at > kMaxAsserted) break;
    auto address = sip::NameAddress::parse(value);
    if (!address || address->wildcard || address->uri.unescaped_user().empty()) continue;
    if (address->uri.is_sip() && !found.address) {
      found.address = std::move(*address);
    } else if (address->uri.scheme == sip::Uri::Scheme::tel && !found.telephone) {
      found.telephone = std::move(*address);
    }
  }
  return found;
}

}  // namespace

bool Identity::is_named_in(std::string_view text) const {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{number, name, at_trunks, telephone},
      [text](std::string_view part) {
        return part.size() >= kLeastTelling && sip::contains_ignoring_case(text, part);
      });
}

Identity identity_of_user(const std::vector<UserSettings>& users, const std::string& user,
                          std::string_view called_at) {
  Identity who;
  who.number = user;
  who.asserted = true;
  const UserSettings* known = find_user(users, user);
  if (known == nullptr || known->numbers.empty()) return who;
  const bool own = std::ranges::find(known->numbers, called_at) != known->numbers.end();
  who.at_trunks = own ? std::string(called_at) : known->numbers.front();
  return who;
}

Identity identity_of_user(const std::vector<UserSettings>& users, const std::string& user,
                          const sip::Message& request) {
  const auto preferred =
      sip::NameAddress::parse(request.header(HeaderName::p_preferred_identity).value_or(""));
  Identity who = identity_of_user(users, user, preferred ? number_of(preferred->uri) : "");
  who.privacy = Privacy::of(request);
  const sip::NameAddress from = sip::from_of(request);
  if (names_nobody(from.uri)) {
    who.privacy.user = who.privacy.id = true;
  } else {
    who.name = from.display_name;
  }
  return who;
}

Identity identity_of_peer(const Trunk& trunk, const sip::Message& message) {
  Identity who;
  who.privacy = Privacy::of(message);
  const sip::NameAddress from = message.is_request() ? sip::from_of(message) : sip::NameAddress{};
  const bool nobody = message.is_request() && is_anonymous(from.uri);
  if (nobody) who.privacy.user = who.privacy.id = true;
  const Asserted asserted = trunk.settings.accepts_identity ? asserted_in(message) : Asserted{};
  who.asserted = asserted.address || asserted.telephone;
  if (who.asserted) {
    const sip::NameAddress& first = asserted.address ? *asserted.address : *asserted.telephone;
    who.number = trunk.calling_from.apply(number_of(first.uri));
    who.name = first.display_name.empty() && !nobody ? from.display_name : first.display_name;
    if (asserted.address && asserted.telephone)
      who.telephone = trunk.calling_from.apply(number_of(asserted.telephone->uri));
  } else if (message.is_request()) {
    who.number = nobody ? from.uri.unescaped_user() : trunk.calling_from.apply(number_of(from.uri));
    who.name = from.display_name;
  }
  return who;
}

Presentation present(const Identity& who, std::string_view domain, const Trunk* to) {
  Presentation shown;
  const auto form = to != nullptr ? to->settings.number_form : NumberForm::sip;
  const auto uri = [&](const std::string& number) {
    return number_uri(to != nullptr ? to->calling_to.apply(number) : number, domain, form);
  };
  const bool other = to != nullptr && !to->settings.replicas && !who.at_trunks.empty();
  sip::NameAddress known;
  known.display_name = who.name;
  known.uri = uri(other ? who.at_trunks : who.number);
  if (who.privacy.hides_party()) {
    shown.from.uri = anonymous_uri();
    shown.from.display_name = kAnonymous;
  } else {
    shown.from = known;
  }
  if (to == nullptr) return shown;
  if (!to->settings.asserts_identity) {
    // Whoever asks that nothing be hidden asks all the others too (RFC 3323 §4.2).
    if (who.privacy.none) shown.privacy = "none";
    return shown;
  }
  const bool tells_history = to->settings.tells_diversion || to->settings.tells_history;
  shown.privacy = who.privacy.passed_on(tells_history);
  if (!who.asserted || who.number.empty()) return shown;
  shown.asserted.push_back(known.text());
  if (!who.telephone.empty() && known.uri.is_sip() && is_telephone_number(who.telephone))
    shown.asserted.push_back(
        "<" + number_uri(to->calling_to.apply(who.telephone), domain, NumberForm::tel).text() +
        ">");
  return shown;
}

}  // namespace trunkline::call
