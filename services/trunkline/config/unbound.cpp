#include "config/config.hpp"
#include <algorithm>
#include <array>

namespace trunkline::config {
namespace {

/// The key whose address is in the message; of the whole file if it is none of these.
const Value& blamed(const Value& file, const std::string& message) {
  const auto says = [&message](const Value& bind, std::string_view transport) {
    const auto address = SocketAddress::parse(bind.text);
    return address &&
           message.starts_with("can't bind " + address->text() + "/" + std::string(transport));
  };
  const Value& listen = file["listen"];
  for (const Value& one : listen["websocket"].items)
    if (says(one["bind"], one["tls"].present ? "wss:" : "ws:")) return one["bind"];
  for (const Value& one : listen["sip"].items)
    if (says(one["bind"], one["transport"].text + ":")) return one["bind"];
  if (says(listen["grpc"]["bind"], "tcp (listen.grpc)")) return listen["grpc"]["bind"];
  if (says(listen["admin"]["bind"], "tcp (admin)")) return listen["admin"]["bind"];
  if (message.find("(media.webrtc_port") != std::string::npos) return file["media"]["webrtc_port"];
  if (message.find("RTP ports") != std::string::npos) return file["media"]["rtp_ports"];
  return file;
}

std::string what_to_do(const std::string& message) {
  struct Advice {
    std::string_view reason, right;
  };
  static constexpr std::array kAdvice{
      Advice{"already in use",
             "end the program that has it (ss -lntup shows it), or choose "
             "another port"},
      Advice{"assign requested address",
             "bind to an address of this machine (ip address shows "
             "them), and advertise what peers reach"},
      Advice{"ermission denied",
             "choose a port above 1023, or give the program "
             "CAP_NET_BIND_SERVICE"}};
  const auto found = std::ranges::find_if(kAdvice, [&message](const Advice& advice) {
    return message.find(advice.reason) != std::string::npos;
  });
  return found == kAdvice.end() ? std::string() : std::string(found->right);
}

}  // namespace

Problem unbound(const Value& effective, const std::string& message) {
  const Value& key = blamed(effective, message);
  return {key.line, key.path, message, what_to_do(message)};
}

}  // namespace trunkline::config
