#pragma once
#include "sip/reliable_provisional.hpp"

#include "simulation.hpp"
#include <gtest/gtest.h>

namespace trunkline::call::simulation {

/// Alice calls the trunk, which has not answered yet.
struct EarlyCall : testing::Test {
  World world;
  Peer* alice = nullptr;
  Peer* trunk = nullptr;
  sip::TransactionId call;
  std::optional<sip::RequestReceived> invite;  ///< at the trunk
  std::optional<sip::Dialog> early;            ///< hers with us

  void SetUp() override {
    alice = &world.registered("alice", 100000);
    trunk = &world.trunk();
  }

  /// Her page names 100rel in this field; in none without one.
  void dial(std::optional<sip::HeaderName> field = std::nullopt,
            std::string_view sdp = kBrowserOffer) {
    send_invite(field, sdp);
    invite = trunk->take_request(sip::Method::invite);
    ASSERT_TRUE(invite);
  }
  void send_invite(std::optional<sip::HeaderName> field, std::string_view sdp) {
    using sip::HeaderName;
    auto request = sip::Message::request(sip::Method::invite, "sip:5551000@example.test");
    request.add(HeaderName::max_forwards, "69");
    request.add(HeaderName::from, "<sip:alice@example.test>;tag=hers");
    request.add(HeaderName::to, "<sip:5551000@example.test>");
    request.add(HeaderName::call_id, "early-call");
    request.add(HeaderName::cseq, "10 INVITE");
    request.add(HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
    request.add(HeaderName::allow, "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE");
    if (field) request.add(*field, "100rel");
    request.set_body("application/sdp", sdp);
    call = world.answer_challenge(*alice, alice->send(std::move(request)), "alice");
  }

  // ---- the trunk's side
  void rings(int status, std::string_view sdp = {}, std::string_view tag = "peer-tag") {
    trunk->respond(*invite, status, sdp, tag);
    world.settle();
  }
  /// A reliable provisional response of the trunk's.
  void rings_reliably(int status, std::uint32_t rseq, std::string_view sdp = {},
                      std::string_view tag = "peer-tag",
                      std::string_view contact = "<sip:peer@192.0.2.9:5060>") {
    auto response = sip::make_response(invite->request, status, tag);
    response.add(sip::HeaderName::contact, contact);
    response.add(sip::HeaderName::require, "100rel");
    response.add(sip::HeaderName::rseq, std::to_string(rseq));
    response.set_body("application/sdp", sdp);
    trunk->respond(*invite, std::move(response));
    world.settle();
  }
  /// A request of the trunk's in this early dialog.
  sip::TransactionId in_early_dialog(sip::Method method, std::string_view sdp = {},
                                     std::string_view tag = "peer-tag") {
    if (!theirs || theirs->local_tag() != tag) theirs = *sip::Dialog::as_uas(invite->request, tag);
    auto request = theirs->request(method);
    request.add(sip::HeaderName::contact, "<sip:peer@192.0.2.9:5060>");
    request.set_body("application/sdp", sdp);
    const auto sent = trunk->send(std::move(request));
    world.settle();
    return sent;
  }
  std::optional<sip::Dialog> theirs;

  // ---- hers
  /// The next response to her INVITE with this status or a higher one.
  std::optional<sip::ResponseReceived> heard(int at_least) {
    auto response = alice->take_response(at_least, call);
    if (response && !early) early = *sip::Dialog::as_uac(alice->sent.at(call), response->response);
    return response;
  }
  sip::TransactionId prack(const sip::Message& of, std::string_view sdp = {}) {
    auto request = early->request(sip::Method::prack);
    request.add(sip::HeaderName::rack, sip::ReliableOrder::rack_of(of).text());
    request.set_body("application/sdp", sdp);
    const auto sent = alice->send(std::move(request));
    world.settle();
    return sent;
  }
  sip::TransactionId update(std::string_view sdp = {}) {
    auto request = early->request(sip::Method::update);
    request.add(sip::HeaderName::contact, "<sip:alice@abc.invalid;transport=ws>");
    request.set_body("application/sdp", sdp);
    const auto sent = alice->send(std::move(request));
    world.settle();
    return sent;
  }
  int status_of(sip::TransactionId request) {
    const auto response = alice->take_response(200, request);
    return response ? response->response.status() : 0;
  }
  void hangs_up() {
    alice->dialog = early;
    alice->send_in_dialog(sip::Method::bye);
    world.settle();
    if (const auto bye = trunk->take_request(sip::Method::bye)) trunk->respond(*bye, 200);
    world.settle();
  }
};

}  // namespace trunkline::call::simulation
