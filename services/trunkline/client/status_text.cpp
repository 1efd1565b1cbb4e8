#include "client/status_text.hpp"

#include "client/table.hpp"
#include "client/wording.hpp"
#include <google/rpc/code.pb.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <trunkline/v1/status.pb.h>

namespace trunkline::client {
namespace {

using Details = google::protobuf::RepeatedPtrField<google::protobuf::Any>;

template <class Detail>
bool find(const Details& details, Detail& out) {
  for (const auto& any : details)
    if (any.Is<Detail>()) return any.UnpackTo(&out);
  return false;
}

std::string line(const std::string& text) {
  return "  " + printable(text) + "\n";
}

std::string in_quotes(const std::string& text) {
  return '"' + text + '"';
}

std::string sip_line(const v1::SipStatus& sip) {
  std::string text = "SIP: " + std::to_string(sip.code()) + ' ' + sip.reason_phrase();
  text += sip.origin() == v1::ORIGIN_REMOTE ? ", from the peer" : ", found by the gateway";
  if (!sip.leg_id().empty()) text += ", leg " + sip.leg_id();
  if (!sip.trunk().empty()) text += ", trunk " + sip.trunk();
  if (sip.phase() != v1::PHASE_UNSPECIFIED) text += ", " + word(sip.phase());
  if (sip.q850_cause() != 0) {
    text += ", Q.850 cause " + std::to_string(sip.q850_cause());
    if (!sip.q850_text().empty()) text += ' ' + in_quotes(sip.q850_text());
  }
  std::string out = line(text);
  for (const std::string& warning : sip.warnings())
    out += line("warning: " + warning);
  for (const std::string& contact : sip.contacts())
    out += line("try instead: " + contact);
  if (!sip.call_id().empty()) out += line("call: " + sip.call_id());
  return out;
}

std::string advice(const Details& details) {
  std::string out;
  google::rpc::BadRequest bad;
  find(details, bad);
  for (const auto& violation : bad.field_violations())
    out += line(violation.field() + ": " + violation.description());
  google::rpc::QuotaFailure quota;
  find(details, quota);
  for (const auto& violation : quota.violations())
    out += line("limit of " + violation.subject() + ": " + violation.description());
  google::rpc::RetryInfo retry;
  if (find(details, retry)) out += line("try again in " + in_words(retry.retry_delay()));
  google::rpc::Help help;
  find(details, help);
  for (const auto& link : help.links())
    out += line("help: " + link.description() + ' ' + link.url());
  return out;
}

}  // namespace

std::string describe(const google::rpc::Status& status) {
  std::string head = google::rpc::Code_Name(status.code());
  if (head.empty()) head = "status " + std::to_string(status.code());
  google::rpc::ErrorInfo info;
  if (find(status.details(), info)) head += " (" + info.reason() + ')';
  std::string out = "trunkline: " + printable(head + ": " + status.message()) + "\n";
  v1::SipStatus sip;
  const bool has_sip = find(status.details(), sip);
  if (has_sip) out += sip_line(sip);
  for (const auto& [key, value] : info.metadata())
    if (!has_sip) out += line(std::string(key).append(": ").append(value));
  return out + advice(status.details());
}

}  // namespace trunkline::client
