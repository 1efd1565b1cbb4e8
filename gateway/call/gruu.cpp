#include "call/gruu.hpp"

#include "sip/syntax.hpp"

namespace trunkline::call {

namespace {

constexpr std::string_view kParameter = "gr";
constexpr std::string_view kTemporary = "tgruu.";
constexpr std::size_t kTokenLength = 24;

/// An instance is a URN in angle brackets, which the `gr` parameter leaves out (RFC 5627 §4.2).
std::string_view without_brackets(std::string_view instance) {
  const bool bracketed = instance.size() > 2 && instance.front() == '<' && instance.back() == '>';
  return bracketed ? instance.substr(1, instance.size() - 2) : instance;
}

}  // namespace

std::string Gruus::public_uri(const Device& device) const {
  sip::Uri uri = sip::Uri::sip(device.user, domain_);
  sip::set_parameter(uri.parameters, kParameter,
                     sip::escape_parameter(without_brackets(device.instance)));
  return uri.text();
}

std::string Gruus::make_temporary_uri(const Device& device) {
  auto& made = temporary_[device];
  if (made.size() >= kMaxTemporaryUris) {
    devices_.erase(made.front());
    made.pop_front();
  }
  made.push_back(std::string(kTemporary) + random_.token(kTokenLength));
  devices_.emplace(made.back(), device);
  return temporary_uri(device);
}

std::string Gruus::temporary_uri(const Device& device) const {
  const auto made = temporary_.find(device);
  if (made == temporary_.end()) return {};
  sip::Uri uri = sip::Uri::sip(made->second.back(), domain_);
  sip::set_parameter(uri.parameters, kParameter, std::nullopt);
  return uri.text();
}

void Gruus::forget(const Device& device) {
  const auto made = temporary_.find(device);
  if (made == temporary_.end()) return;
  for (const std::string& user : made->second)
    devices_.erase(user);
  temporary_.erase(made);
}

bool Gruus::is_gruu(const sip::Uri& uri) const {
  return uri.is_sip() && uri.has_parameter(kParameter) &&
         sip::equals_ignoring_case(uri.host, domain_);
}

std::optional<Gruus::Device> Gruus::find(const sip::Uri& uri) const {
  if (!is_gruu(uri)) return std::nullopt;
  const std::string_view value = uri.parameter(kParameter);
  if (!value.empty()) {
    return Device{uri.unescaped_user(), '<' + sip::unescape(value) + '>'};
  }
  const auto device = devices_.find(uri.unescaped_user());
  if (device == devices_.end()) return std::nullopt;
  return device->second;
}

}  // namespace trunkline::call
