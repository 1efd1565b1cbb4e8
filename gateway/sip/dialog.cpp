#include "sip/dialog.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::sip {
namespace {

void remove_parameter(Parameters& parameters, std::string_view name) {
  if (const Parameter* found = find_parameter(parameters, name)) {
    parameters.erase(parameters.begin() + (found - parameters.data()));
  }
}

NameAddress without_tag(NameAddress address) {
  remove_parameter(address.parameters, "tag");
  return address;
}

std::string with_tag(NameAddress address, const std::string& tag) {
  if (!tag.empty()) {
    set_parameter(address.parameters, "tag", tag);  // a peer of RFC 2543 may have none (§12.1.1)
  }
  return address.text();
}

std::vector<std::string> record_route(const Message& message) {
  const std::vector<std::string_view> values = message.headers(HeaderName::record_route);
  return {values.begin(), values.end()};
}

/// The URI as a Request-URI: without what may stand only in a Contact (§19.1.1, table 1).
std::string request_uri(Uri uri) {
  uri.headers.clear();
  remove_parameter(uri.parameters, "method");
  return uri.text();
}

/// The request that its URI, Route set and the rest of §12.2.1.1 give; the fields that name the
/// dialog are still to come.
Message routed_request(Method method, const Uri& remote_target,
                       const std::vector<std::string>& route_set) {
  const Result<NameAddress> first = route_set.empty() ? Result<NameAddress>(fail("no route"))
                                                      : NameAddress::parse(route_set.front());
  if (!first || first->uri.has_parameter("lr")) {
    Message request = Message::request(method, request_uri(remote_target));
    for (const std::string& route : route_set) {
      request.add(HeaderName::route, route);
    }
    return request;
  }
  // §12.2.1.1: a strict router is addressed itself and finds the remote target in the last Route.
  Message request = Message::request(method, request_uri(first->uri));
  for (std::size_t i = 1; i < route_set.size(); ++i) {
    request.add(HeaderName::route, route_set[i]);
  }
  request.add(HeaderName::route, "<" + remote_target.text() + ">");
  return request;
}

}  // namespace

Result<Dialog> Dialog::as_uac(const Message& request, const Message& response) {
  const NameAddress remote = to_of(response);
  if (remote.tag().empty()) return fail("response without a To tag");
  Dialog dialog;
  dialog.role_ = Role::uac;
  dialog.call_id_ = call_id_of(request);
  const NameAddress local = from_of(request);
  dialog.local_tag_ = local.tag();
  dialog.remote_tag_ = remote.tag();
  dialog.local_ = without_tag(local);
  dialog.remote_ = without_tag(remote);
  dialog.local_sequence_ = cseq_of(request).number;
  // Many 1xx carry no Contact against §12.1.1: until one comes, what reached the peer before
  // reaches it again.
  if (Result<Uri> target = Uri::parse(request.request_uri())) {
    dialog.remote_target_ = std::move(*target);
  }
  dialog.refresh_target(response);
  dialog.route_set_ = record_route(response);
  std::reverse(dialog.route_set_.begin(), dialog.route_set_.end());  // §12.1.2
  if (response.status() >= 200) dialog.state_ = State::confirmed;
  return dialog;
}

Result<Dialog> Dialog::as_uas(const Message& request, std::string_view local_tag) {
  const std::optional<NameAddress> contact = contact_of(request);
  if (!contact || contact->wildcard) return fail("request without a usable Contact");  // §12.1.1
  Dialog dialog;
  dialog.role_ = Role::uas;
  dialog.call_id_ = call_id_of(request);
  const NameAddress remote = from_of(request);
  dialog.local_tag_ = local_tag;
  dialog.remote_tag_ = remote.tag();
  dialog.local_ = without_tag(to_of(request));
  dialog.remote_ = without_tag(remote);
  dialog.remote_target_ = contact->uri;
  dialog.route_set_ = record_route(request);  // §12.1.1: in order
  dialog.remote_sequence_ = cseq_of(request).number;
  return dialog;
}

void Dialog::confirm(const Message& response) {
  const bool first = std::exchange(state_, State::confirmed) == State::early;
  if (role_ == Role::uas || !first) return;
  refresh_target(response);
  route_set_ = record_route(response);  // §13.2.2.4: recomputed, §12.1.2: reversed
  std::reverse(route_set_.begin(), route_set_.end());
}

void Dialog::refresh_target(const Message& message) {
  const std::optional<NameAddress> contact = contact_of(message);
  if (contact && !contact->wildcard) remote_target_ = contact->uri;
}

Message Dialog::request(Method method) {
  if (method == Method::ack) return ack(local_sequence_);
  return make_request(method, ++local_sequence_);  // §12.2.1.1
}

Message Dialog::ack(std::uint32_t invite_sequence) const {
  return make_request(Method::ack, invite_sequence);
}

Message Dialog::make_request(Method method, std::uint32_t sequence) const {
  Message request = routed_request(method, remote_target_, route_set_);
  request.add(HeaderName::max_forwards, "70");
  request.add(HeaderName::from, with_tag(local_, local_tag_));
  request.add(HeaderName::to, with_tag(remote_, remote_tag_));
  request.add(HeaderName::call_id, call_id_);
  request.add(HeaderName::cseq, CSeq{sequence, method, std::string(method_name(method))}.text());
  return request;
}

Uri Dialog::next_hop() const {
  if (route_set_.empty()) return remote_target_;
  const Result<NameAddress> first = NameAddress::parse(route_set_.front());
  return first ? first->uri : remote_target_;
}

std::optional<int> Dialog::receive(const Message& request) {
  if (request.method() == Method::ack) return std::nullopt;
  const std::uint32_t number = cseq_of(request).number;
  // §12.2.2. The endpoint has absorbed copies, so an equal number is not one: it is out of order
  // too.
  if (remote_sequence_ && number <= *remote_sequence_) return 500;
  remote_sequence_ = number;
  return std::nullopt;
}

}  // namespace trunkline::sip
