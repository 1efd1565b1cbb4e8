#include "browser_peer.hpp"

#include "sip/header.hpp"

#include <utility>

namespace trunkline::simulator {

using sip::HeaderName;
using sip::Method;

namespace {
constexpr std::uint32_t kExpires = 600, kShortest = 60;  // seconds
}  // namespace

BrowserPeer::BrowserPeer(Place place, const Person& person, const Habits& habits,
                         SocketAddress remote, const Faults& faults, Dice dice)
    : Peer(place, person.instance, habits, std::move(dice)),
      person_(person),
      digest_(person.user, person.password, random_) {
  line_ = &network_.add(name_, *this, sip::Transport::ws, remote, faults);
}

std::string BrowserPeer::contact() const {
  return "<sip:" + person_.instance + "@abc.invalid;transport=ws>";
}

Speaker::Style BrowserPeer::style() {
  return {true,
          "0.0.0.0",
          9,
          {{111, "opus/48000/2"},
           {9, "G722/8000"},
           {0, "PCMU/8000"},
           {8, "PCMA/8000"},
           {110, "telephone-event/48000"},
           {126, "telephone-event/8000"}}};
}

void BrowserPeer::connect() {
  network_.open(*line_);
  register_here(kExpires);
}

void BrowserPeer::register_here(std::uint32_t expires) {
  auto request = sip::Message::request(Method::register_, "sip:" + person_.domain);
  const std::string aor = "<sip:" + person_.user + "@" + person_.domain + ">";
  request.add(HeaderName::max_forwards, "70");
  request.add(HeaderName::from, aor + ";tag=" + random_.token(8));
  request.add(HeaderName::to, aor);
  request.add(HeaderName::call_id, person_.instance + std::to_string(lives_));
  register_sequence_ += 10;
  request.add(HeaderName::cseq, std::to_string(register_sequence_) + " REGISTER");
  request.add(HeaderName::contact, contact() + ";+sip.instance=\"<urn:uuid:" + person_.instance +
                                       ">\";reg-id=1;expires=" + std::to_string(expires));
  digest_.preload(request);
  send(std::move(request), Purpose::other, 0);
}

void BrowserPeer::response_to_other(const Outgoing& sent, const sip::Message& response) {
  if (sent.request.method() != Method::register_) return;
  if (response.status() == 200) {
    registered_ = true;
    bool listed = false;
    for (const auto value : response.headers(HeaderName::contact))
      listed |= value.find(person_.instance) != std::string_view::npos;
    const auto asked = sent.request.header(HeaderName::contact).value_or("");
    if (!listed && asked.find(";expires=0") == std::string_view::npos)
      complain("the 200 to REGISTER does not list what was registered", response);
  }
}

void BrowserPeer::connection_lost() {
  registered_ = false;
  if (dice_.chance(20)) {  // the page was closed
    for (auto& [id, session] : sessions_)
      end(*session);
    return;
  }
  const std::uint64_t life = lives_;
  agenda_.after(dice_.between(milliseconds{100}, milliseconds{dice_.chance(80) ? 20000 : 80000}),
                [this, life] {
                  if (life == lives_ && !line_->open) come_back();
                });
}

void BrowserPeer::come_back() {
  connect();
  for (auto& [id, session] : sessions_) {
    if (!session->live()) continue;
    later(dice_.between(milliseconds{300}, milliseconds{3000}), id, [this](Session& one) {
      one.speaker.restart_ice();
      reinvite(one, true);
    });
  }
  pump();
}

void BrowserPeer::call(const std::string& number, const Session* replaces) {
  const std::string domain = "@" + person_.domain;
  dial("sip:" + number + domain, "<sip:" + person_.user + domain + ">",
       "<sip:" + number + domain + ">", replaces);
}

void BrowserPeer::act() {
  if (resting_) return;
  if (!line_->open) {
    if (line_->dead && dice_.chance(50)) {
      network_.revive(*line_);
      connect();
    }
    return;
  }
  const std::uint32_t choice = dice_.below(100);
  if (choice < 30) {
    call(dice_.pick(person_.numbers), nullptr);
  } else if (choice < 36) {
    register_here(dice_.chance(90) ? kExpires : kShortest);
  } else if (choice < 41) {
    network_.close(*line_);
  } else if (choice < 43) {
    die();
  } else {
    act_in_call();
  }
  pump();
}

}  // namespace trunkline::simulator
