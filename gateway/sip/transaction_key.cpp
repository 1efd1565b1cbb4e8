#include "sip/transaction_key.hpp"

#include "sip/parts.hpp"

namespace trunkline::sip {
namespace {

constexpr std::string_view kMagicCookie = "z9hG4bK";

/// No part of a header field value can hold this, so joined parts can't be confused.
constexpr char kSeparator = '\n';

std::string_view transaction_method(const Message& request) {
  switch (request.method()) {
    case Method::ack:
    case Method::cancel:
      return method_name(Method::invite);
    default:
      return request.method_text();
  }
}

std::uint32_t sequence_of(const Message& request) {
  const auto cseq = split_cseq(request.header(HeaderName::cseq).value_or(""));
  return cseq ? cseq->number : 0;
}

void append(std::string& key, std::string_view part) {
  key += part;
  key += kSeparator;
}

}  // namespace

std::string client_key(std::string_view branch, std::string_view method) {
  std::string key;
  append(key, branch);
  append(key, method);
  return key;
}

std::string server_key(const Message& request, const Via& via) {
  std::string key;
  append(key, transaction_method(request));
  if (via.branch().starts_with(kMagicCookie)) {
    append(key, via.branch());
    append(key, via.sent_by());
    return key;
  }
  // §17.2.3. The To tag is left out: the INVITE has none where its ACK has ours.
  append(key, request.request_uri());
  append(key, from_tag(request));
  append(key, call_id_of(request));
  append(key, std::to_string(sequence_of(request)));
  append(key, via.text());
  return key;
}

std::string merge_key(const Message& request) {
  std::string key;
  append(key, transaction_method(request));
  append(key, call_id_of(request));
  append(key, from_tag(request));
  append(key, std::to_string(sequence_of(request)));
  return key;
}

}  // namespace trunkline::sip
