#include "trunk_peer.hpp"

#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include <utility>

namespace trunkline::simulator {

using sip::HeaderName;

namespace {
constexpr std::string_view kRealm = "carrier.example";
}  // namespace

TrunkPeer::TrunkPeer(Place place, const Carrier& carrier, const Habits& habits,
                     sip::Transport transport, SocketAddress remote, const Faults& faults,
                     Dice dice)
    : Peer(place, carrier.name, habits, std::move(dice)),
      carrier_(carrier),
      digest_({"key of " + carrier.name}, random_) {
  line_ = &network_.add(name_, *this, transport, remote, faults);
  for (const auto each : {sip::Transport::udp, sip::Transport::tcp})
    endpoint_->set_sent_by(each, false, remote.text());
}

std::string TrunkPeer::contact() const {
  return "<sip:peer@" + line_->remote.text() +
         (line_->transport == sip::Transport::tcp ? ";transport=tcp>" : ">");
}

Speaker::Style TrunkPeer::style() {
  port_ = static_cast<std::uint16_t>(port_ + 2);
  return {false, line_->remote.ip.text(), port_, carrier_.codecs};
}

std::string TrunkPeer::redirection() {
  return dice_.chance(70)
             ? "<sip:5550" + std::to_string(dice_.below(10)) + "@" + line_->remote.text() + ">"
             : "<sip:stranger@203.0.113.200>";
}

bool TrunkPeer::challenge(const sip::RequestReceived& event) {
  const auto field = event.request.header(HeaderName::proxy_authorization);
  const auto credentials = field ? sip::DigestCredentials::parse(*field)
                                 : Result<sip::DigestCredentials>(fail("no credentials"));
  const std::int64_t wall =
      std::chrono::duration_cast<seconds>(agenda_.now().time_since_epoch()).count();
  const bool ends = event.request.method() == sip::Method::bye;
  if (!field && !dice_.chance(ends ? habits_.challenges / 4 : habits_.challenges)) return false;
  bool stale = false;
  if (credentials) {
    const auto verdict = digest_.verify(
        *credentials, event.request.method_text(), {},
        digest_ha1(sip::DigestAlgorithm::md5, carrier_.username, kRealm, carrier_.password), wall);
    if (verdict == sip::DigestServer::Verdict::ok && !dice_.chance(3)) return false;
    stale = verdict == sip::DigestServer::Verdict::stale ||
            verdict == sip::DigestServer::Verdict::replayed;
    if (verdict == sip::DigestServer::Verdict::wrong)
      complain("credentials that are not right", event.request);
  }
  auto answer = sip::make_response(event.request, 407, random_.token(8));
  answer.add(HeaderName::proxy_authenticate,
             digest_.challenge(kRealm, sip::DigestAlgorithm::md5, stale, wall).text());
  respond(event, std::move(answer));
  return true;
}

void TrunkPeer::call(const std::string& number, const Session* replaces) {
  dial("sip:" + number + "@" + carrier_.gateway.text(),
       "<sip:5559" + std::to_string(dice_.below(10)) + "@" + line_->remote.text() + ">",
       "<sip:" + number + "@" + carrier_.gateway.text() + ">", replaces);
}

void TrunkPeer::act() {
  if (resting_) return;
  if (line_->dead) {
    if (dice_.chance(40)) network_.revive(*line_);
    return;
  }
  const std::uint32_t choice = dice_.below(100);
  if (choice < 25) {
    call(dice_.pick(carrier_.numbers), nullptr);
  } else if (choice < 28 && sip::is_reliable(line_->transport)) {
    network_.close(*line_);
  } else if (choice < 29) {
    die();
  } else {
    act_in_call();
  }
  pump();
}

}  // namespace trunkline::simulator
