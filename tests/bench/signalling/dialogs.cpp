#include "dialogs.hpp"

#include "sip_text.hpp"
#include <array>
#include <cstdio>

namespace trunkline::bench {
namespace {

constexpr std::string_view kCommon =
    "Allow: ACK,CANCEL,INVITE,MESSAGE,BYE,OPTIONS,INFO,NOTIFY,REFER\r\n"
    "Supported: outbound,replaces\r\nUser-Agent: bench/1.0\r\n";

std::string address(std::string_view uri, std::string_view tag) {
  std::string text = "<" + std::string(uri) + ">";
  if (!tag.empty()) text.append(";tag=").append(tag);
  return text;
}

std::string hex8(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%08x", value);
  return text.data();
}

std::string top_lines(const Dialog& dialog, std::string_view method) {
  std::string text;
  text.reserve(4096);
  text.append(method).append(" ").append(dialog.target).append(" SIP/2.0\r\nVia: SIP/2.0/");
  text.append(dialog.websocket ? "WS " : "UDP ").append(dialog.via_host);
  text.append(";branch=z9hG4bK").append(dialog.call_id).append(std::to_string(dialog.branch));
  if (!dialog.websocket) text += ";rport";
  text.append("\r\nMax-Forwards: 70\r\n").append(dialog.routes);
  text.append("From: ").append(dialog.from).append("\r\nCall-ID: ").append(dialog.call_id);
  text.append("\r\nCSeq: ").append(std::to_string(dialog.cseq)).append(" ").append(method);
  text += "\r\n";
  return text;
}

void append_body(std::string& text, std::string_view description) {
  if (!description.empty()) text += "Content-Type: application/sdp\r\n";
  text.append("Content-Length: ").append(std::to_string(description.size()));
  text.append("\r\n\r\n").append(description);
}

}  // namespace

User::User(std::size_t number)
    : name_("user" + std::to_string(number)),
      host_("h" + std::to_string(number) + ".invalid"),
      ha1_(sip::digest_ha1(sip::DigestAlgorithm::md5, name_, kDomain, kPassword)) {}

bool User::challenged(std::string_view response) {
  proxy_ = status_of(response) == 407;
  const auto challenge = sip::DigestChallenge::parse(
      field(response, proxy_ ? "Proxy-Authenticate" : "WWW-Authenticate"));
  if (!challenge ||
      challenge->algorithm.value_or(sip::DigestAlgorithm::md5) != sip::DigestAlgorithm::md5)
    return false;
  challenge_ = *challenge;
  uses_ = 0;
  return true;
}

std::string User::authorization(std::string_view method, std::string_view uri) {
  sip::DigestCredentials credentials;
  credentials.username = name_;
  credentials.realm = challenge_.realm;
  credentials.nonce = challenge_.nonce;
  credentials.opaque = challenge_.opaque;
  credentials.uri = uri;
  credentials.algorithm = challenge_.algorithm;
  credentials.qop_auth = challenge_.qop_auth;
  if (challenge_.qop_auth) {
    credentials.nc = hex8(++uses_);
    credentials.cnonce = "0a4f113b";
  }
  credentials.response = sip::digest_response(credentials, ha1_, method);
  return (proxy_ ? "Proxy-Authorization: " : "Authorization: ") + credentials.text() + "\r\n";
}

Dialog browser_dialog(const User& user, std::string_view number, std::string call_id) {
  Dialog dialog;
  dialog.websocket = true;
  dialog.via_host = user.host();
  dialog.target = "sip:" + std::string(number) + "@" + std::string(kDomain);
  dialog.from = address("sip:" + user.name() + "@" + std::string(kDomain), "f" + call_id);
  dialog.to = address(dialog.target, {});
  dialog.contact = "<sip:" + user.name() + "@" + user.host() + ";transport=ws;ob>";
  dialog.call_id = std::move(call_id);
  return dialog;
}

Dialog trunk_dialog(std::uint16_t port, std::uint16_t server_port, std::string_view number,
                    std::string call_id) {
  Dialog dialog;
  dialog.via_host = "127.0.0.1:" + std::to_string(port);
  dialog.target = "sip:" + std::string(number) + "@127.0.0.1:" + std::to_string(server_port);
  dialog.from = address("sip:+4930123456@" + dialog.via_host, "f" + call_id);
  dialog.to = address(dialog.target, {});
  dialog.contact = "<sip:+4930123456@" + dialog.via_host + ">";
  dialog.call_id = std::move(call_id);
  return dialog;
}

void establish(Dialog& dialog, std::string_view response) {
  dialog.to = field(response, "To");
  dialog.target = uri_of(field(response, "Contact"));
  dialog.routes = routes_of(response);
}

std::string write_request(Dialog& dialog, std::string_view method, std::string_view more,
                          std::string_view description) {
  if (method != "ACK") ++dialog.cseq;
  ++dialog.branch;
  std::string text = top_lines(dialog, method);
  text.append("To: ").append(dialog.to).append("\r\n").append(more);
  if (method == "INVITE") text.append("Contact: ").append(dialog.contact).append("\r\n");
  text += kCommon;
  append_body(text, description);
  return text;
}

std::string write_register(Dialog& dialog, const User& user, std::string_view authorization) {
  ++dialog.cseq;
  ++dialog.branch;
  std::string text = top_lines(dialog, "REGISTER");
  text.append("To: ").append(dialog.to).append("\r\n").append(authorization);
  text.append("Contact: ").append(dialog.contact);
  text.append(";reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-0000");
  text.append(hex8(static_cast<std::uint32_t>(std::stoul(user.name().substr(4)))));
  text.append(">\"\r\nExpires: 600\r\n").append(kCommon);
  append_body(text, {});
  return text;
}

std::string write_ack_of_refusal(const Dialog& dialog, std::string_view response) {
  std::string text = top_lines(dialog, "ACK");
  text.append("To: ").append(field(response, "To")).append("\r\n");
  append_body(text, {});
  return text;
}

std::string write_response(std::string_view request, std::string_view status, std::uint16_t port,
                           std::string_view description) {
  std::string text;
  text.reserve(2048);
  text.append("SIP/2.0 ").append(status).append("\r\n").append(field_lines(request, "Via"));
  text += field_lines(request, "Record-Route");
  text.append("From: ").append(field(request, "From")).append("\r\nTo: ");
  const std::string_view to = field(request, "To");
  text += to;
  if (to.find(";tag=") == std::string_view::npos) text += ";tag=callee";
  text.append("\r\nCall-ID: ").append(field(request, "Call-ID"));
  text.append("\r\nCSeq: ").append(field(request, "CSeq"));
  text.append("\r\nContact: <sip:callee@127.0.0.1:").append(std::to_string(port)).append(">\r\n");
  append_body(text, description);
  return text;
}

std::string trunk_description(std::uint16_t port) {
  // Nobody listens there: no call here has media.
  return "v=0\r\no=switch 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio " +
         std::to_string(port) +
         " RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
         "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";
}

}  // namespace trunkline::bench
