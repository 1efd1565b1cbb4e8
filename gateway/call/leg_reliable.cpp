#include "call/leg.hpp"
#include "sip/parts.hpp"

#include <utility>

// The early dialogs of a leg and the reliable provisional responses in them (RFC 3262): each leg
// runs its own, and what crosses to the other one is decided in call_reliable.cpp.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

namespace {
/// Early dialogs of one INVITE that are told apart: more than any list of devices that ring at
/// once.
constexpr std::size_t kMaxForks = 32;
}  // namespace

bool Leg::settled_early() const {
  if (!media || media->sdp().state() != sdp::OfferAnswer::State::stable) return false;
  switch (state) {
    case State::invited:
    case State::answered:
      return reliable && reliable->settled();
    case State::inviting: {
      if (!dialog) return false;
      const auto fork = forks.find(dialog->remote_tag());
      return fork != forks.end() && fork->second.stands;
    }
    case State::confirmed:
    case State::ended:
      break;
  }
  return false;
}

sip::Dialog* Leg::dialog_with(std::string_view remote_tag) {
  if (dialog && dialog->remote_tag() == remote_tag) return &*dialog;
  const auto fork = forks.find(remote_tag);
  return fork != forks.end() && fork->second.dialog ? &*fork->second.dialog : nullptr;
}

sip::Dialog* Leg::dialog_of(const sip::Message& request, const sip::Message& response) {
  const std::string tag(sip::to_tag(response));
  if (tag.empty()) return nullptr;
  if (sip::Dialog* known = dialog_with(tag)) return known;
  if (response.status() < 200 && forks.size() >= kMaxForks) return nullptr;
  auto made = sip::Dialog::as_uac(request, response);
  if (!made) return nullptr;
  return &forks[tag].dialog.emplace(std::move(*made));
}

void Leg::enter(std::string_view remote_tag) {
  if (dialog && dialog->remote_tag() == remote_tag) return;
  const auto fork = forks.find(remote_tag);
  if (fork == forks.end() || !fork->second.dialog) return;
  std::optional<sip::Dialog> left = std::exchange(dialog, std::exchange(fork->second.dialog, {}));
  if (!left) return;
  const std::string tag = left->remote_tag();
  forks[tag].dialog = std::move(left);
}

void Leg::leave_forks() {
  dialog.reset();
  forks.clear();
  answered_by.clear();
}

std::string Leg::answer_in(const sip::Message& response, bool came_reliably) {
  const std::string_view text = sdp_of(response);
  const std::string tag(sip::to_tag(response));
  if (dialog_with(tag) == nullptr) return std::string(text);
  Fork& fork = forks[tag];
  const bool fresh = !fork.stands && !text.empty();
  if (fresh) {
    fork.answer = text;
    fork.stands = came_reliably;
  }
  // RFC 3261 §13.2.1: what has come reliably is not repeated; another fork may have been heard
  // since.
  const bool chosen = response.status() >= 200 && answered_by != tag;
  return fresh || chosen ? fork.answer : std::string{};
}

void Leg::hear_fork(Turn& turn) {
  const std::string& tag = dialog->remote_tag();
  const auto fork = forks.find(tag);
  if (answered_by == tag || fork == forks.end()) return;
  const auto remote = media->answered(fork->second.answer);
  if (!remote) return;
  answered_by = tag;
  media->update(turn, *remote);
  heard(sdp::ready_direction(*remote));
}

void Leg::send_prack(Turn& turn, sip::Dialog& early, const sip::Message& response) {
  sip::Message request = early.request(Method::prack);
  request.add(HeaderName::rack, sip::ReliableOrder::rack_of(response).text());
  if (digest) digest->preload(request);
  send(turn, Purpose::prack, std::move(request));
}

void Leg::respond_to_invite(Turn& turn, sip::Message response) {
  if (!reliable) return turn.respond(invite, std::move(response));
  std::vector<sip::Message> due;
  reliable->respond(std::move(response), turn.at.now, due);
  for (sip::Message& one : due)
    turn.respond(invite, std::move(one));
}

}  // namespace trunkline::call
