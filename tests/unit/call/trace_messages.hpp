#pragma once
#include "call/trace.hpp"

#include <string>
#include <string_view>

/// Messages of a call between a browser and a trunk, and the trace of them, for the tests of
/// traces.
namespace trunkline::call::traced {

inline constexpr std::string_view kCall = "call-1";
inline constexpr std::string_view kFromId = "from-call-id", kToId = "to-call-id@example.test";

inline TraceLeg from_leg() {
  return {"leg-1", "user:alice", true, std::string(kFromId)};
}
inline TraceLeg to_leg() {
  return {"leg-2", "trunk:carrier", false, std::string(kToId)};
}

inline WallTime at(int milliseconds) {
  return WallTime(std::chrono::seconds(1'750'000'000)) + std::chrono::milliseconds(milliseconds);
}

inline std::string request(std::string_view method, std::string_view call_id, int cseq = 1,
                           std::string_view fields = "", std::string_view body = "") {
  return std::string(method) + " sip:1001@example.test SIP/2.0\r\n" +
         "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + std::to_string(cseq) + "\r\n" +
         "From: <sip:alice@example.test>;tag=1\r\nTo: <sip:1001@example.test>\r\n" +
         "Call-ID: " + std::string(call_id) + "\r\nCSeq: " + std::to_string(cseq) + " " +
         std::string(method) + "\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline std::string response(std::string_view status, std::string_view call_id, int cseq = 1,
                            std::string_view method = "INVITE", std::string_view fields = "",
                            std::string_view body = "") {
  return "SIP/2.0 " + std::string(status) + "\r\n" + "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" +
         std::to_string(cseq) + "\r\n" +
         "From: <sip:alice@example.test>;tag=1\r\nTo: <sip:1001@example.test>;tag=2\r\n" +
         "Call-ID: " + std::string(call_id) + "\r\nCSeq: " + std::to_string(cseq) + " " +
         std::string(method) + "\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline PassingMessage from_browser(std::string_view bytes, int milliseconds, bool sent = false) {
  return {sent,
          sip::Transport::wss,
          *SocketAddress::parse("127.0.0.1:8443"),
          *SocketAddress::parse("127.0.0.1:40000"),
          bytes,
          at(milliseconds)};
}
inline PassingMessage to_browser(std::string_view bytes, int milliseconds) {
  return from_browser(bytes, milliseconds, true);
}
inline PassingMessage from_trunk(std::string_view bytes, int milliseconds, bool sent = false) {
  return {sent,
          sip::Transport::udp,
          *SocketAddress::parse("192.0.2.1:5060"),
          *SocketAddress::parse("198.51.100.7:5070"),
          bytes,
          at(milliseconds)};
}
inline PassingMessage to_trunk(std::string_view bytes, int milliseconds) {
  return from_trunk(bytes, milliseconds, true);
}

}  // namespace trunkline::call::traced
