#include "api_actor.hpp"

#include <array>
#include <utility>

namespace trunkline::simulator {
namespace {
constexpr std::uint32_t kFewest = 2;  // seconds of a time-out that is asked for
}  // namespace

ApiActor::ApiActor(Agenda& agenda, Gateway& gateway, Books& books, Journal& journal, Dice dice)
    : agenda_(agenda),
      gateway_(gateway),
      books_(books),
      journal_(journal),
      dice_(std::move(dice)),
      parties_{"user:alice",   "user:bob",     "5551000",    "7000",
               "service:tone", "service:echo", "user:nobody"} {
  gateway_.on_question = [this](const call::AskPolicy& question) { asked(question); };
}

const std::string& ApiActor::any_party() {
  return dice_.pick(parties_);
}

void ApiActor::ask(const call::Request& request, const std::string& told) {
  journal_.note("request: " + told);
  gateway_.ask(request);
}

void ApiActor::act() {
  if (dice_.chance(20) || books_.live_calls().empty()) {
    if (dice_.chance(60)) create();
    return;
  }
  on_call(dice_.pick(books_.live_calls()));
}

void ApiActor::create() {
  call::CreateCall request;
  request.from = any_party();
  request.to = any_party();
  if (dice_.chance(30)) request.trunk = "carrier";
  if (dice_.chance(50)) request.ring_timeout = seconds{kFewest + dice_.below(20)};
  if (dice_.chance(30)) request.max_duration = seconds{kFewest + dice_.below(30)};
  ask(request, "create " + request.from + " to " + request.to);
}

void ApiActor::on_call(const std::string& call) {
  call::LegName on{call, {}};
  static constexpr std::array<const char*, 2> kLegs{"from", "to"};
  if (dice_.chance(80)) on.leg = dice_.pick(kLegs);
  const std::string of = " " + call.substr(0, 6) + " " + on.leg;
  switch (dice_.below(12)) {
    case 0:
      return ask(call::HangupCall{call, dice_.chance(50) ? 603 : 0, {}}, "hang up" + of);
    case 1:
    case 2:
      return ask(call::HoldCall{on}, "hold" + of);
    case 3:
    case 4:
      return ask(call::ResumeCall{on}, "resume" + of);
    case 5:
      return ask(
          call::MuteCall{
              on, dice_.chance(50) ? call::MuteDirection::from_leg : call::MuteDirection::to_leg,
              dice_.chance(50)},
          "mute" + of);
    case 6:
      return ask(call::SendDtmf{on, "12", 100}, "digits" + of);
    case 7:
      return ask(call::GetStatistics{call}, "statistics" + of);
    case 8: {
      const std::string& other = dice_.pick(books_.live_calls());
      return ask(call::AttendedTransfer{on, other},
                 "attended transfer" + of + " to " + other.substr(0, 6));
    }
    case 9:
      if (!books_.parked().empty() && dice_.chance(50)) {
        const std::string target = dice_.chance(60) ? any_party() : std::string{};
        return ask(call::AnswerCall{dice_.pick(books_.parked()), target}, "answer parked");
      }
      return ask(call::RejectCall{call, 486, {}}, "reject" + of);
    default:
      return transfer(on);
  }
}

void ApiActor::transfer(const call::LegName& on) {
  static constexpr std::array<call::TransferMode, 3> kModes{
      call::TransferMode::automatic, call::TransferMode::refer, call::TransferMode::gateway};
  call::TransferCall request{on, any_party(), dice_.pick(kModes), std::nullopt};
  if (dice_.chance(50)) request.ring_timeout = seconds{kFewest + dice_.below(15)};
  ask(request, "transfer " + on.call.substr(0, 6) + " " + on.leg + " to " + request.target +
                   " mode " + std::to_string(static_cast<int>(request.mode)));
}

/// The policy service: a decision, soon, late or never.
void ApiActor::asked(const call::AskPolicy& question) {
  if (dice_.chance(5)) return;
  call::RouteTargets targets;
  for (std::uint32_t left = 1 + dice_.below(3); left > 0; --left)
    targets.targets.push_back(any_party());
  const std::array<call::PolicyAnswer, 4> answers{
      targets, call::Park{seconds{kFewest + dice_.below(20)}}, call::PolicyRejection{},
      call::PolicyFailed{"unavailable"}};
  const std::size_t chosen = dice_.chance(60) ? 0 : dice_.below(answers.size());
  agenda_.after(
      dice_.between(milliseconds{1}, milliseconds{700}),
      [this, id = question.id, answer = answers[chosen]] { gateway_.answer(id, answer); });
}

void ApiActor::hang_up_everything() {
  const std::vector<std::string> live = books_.live_calls();
  for (const std::string& call : live)
    ask(call::HangupCall{call, 0, {}}, "hang up " + call.substr(0, 6));
}

}  // namespace trunkline::simulator
