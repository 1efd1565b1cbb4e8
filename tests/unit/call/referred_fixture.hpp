#pragma once
#include "transfer_fixture.hpp"

namespace trunkline::call::simulation {

/// Peers that send REFER, and what they are told of it.
struct ReferredCase : TransferCase {
  using Headers = std::vector<std::pair<sip::HeaderName, std::string>>;

  /// A REFER in the peer's dialog; its final status.
  int refer(Peer& from, std::string_view to, const Headers& more = {}) {
    auto request = from.dialog->request(sip::Method::refer);
    request.add(sip::HeaderName::contact, "<sip:peer@" + from.self.remote.text() + ">");
    if (!to.empty()) request.add(sip::HeaderName::refer_to, to);
    for (const auto& [name, value] : more)
      request.add(name, value);
    sequence = sip::cseq_of(request).number;
    const auto sent = from.send(std::move(request));
    world.settle();
    last = from.take_response(200, sent);
    return last ? last->response.status() : 0;
  }
  /// The next NOTIFY that has come, answered; what it tells, "" if there is none.
  std::string told(Peer& peer, int answer = 200) {
    notify_ = peer.take_request(sip::Method::notify);
    if (!notify_) return {};
    peer.respond(*notify_, answer);
    world.settle();
    return told_by(*notify_);
  }
  static std::string told_by(const sip::RequestReceived& notify) {
    const std::string body(notify.request.body());
    EXPECT_TRUE(body.ends_with("\r\n")) << body;
    return body.substr(0, body.find('\r')) + " | " +
           header(notify, sip::HeaderName::subscription_state);
  }
  std::string event() const { return header(*notify_, sip::HeaderName::event); }
  /// The INVITE that has come to this peer, answered.
  void answer(Peer& peer, std::string_view sdp) {
    const auto invite = peer.take_request(sip::Method::invite);
    ASSERT_TRUE(invite);
    peer.respond(*invite, 200, sdp, "answer-tag");
    world.settle();
  }
  void ring(Peer& peer, int status = 180) {
    ASSERT_FALSE(peer.requests.empty());
    peer.respond(peer.requests.back(), status, {}, "answer-tag");
    world.settle();
  }
  bool bye_came(Peer& peer) { return ended(peer).has_value(); }

  std::uint32_t sequence = 0;
  std::optional<sip::ResponseReceived> last;
  std::optional<sip::RequestReceived> notify_;
};

inline constexpr std::string_view kSuccess = "SIP/2.0 200 OK | terminated;reason=noresource";

}  // namespace trunkline::call::simulation
