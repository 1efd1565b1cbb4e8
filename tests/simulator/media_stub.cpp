#include "media_stub.hpp"

#include <array>
#include <string>
#include <utility>

namespace trunkline::simulator {
namespace {
constexpr milliseconds kThreadHop{1};
constexpr milliseconds kIceAfter{30}, kIceBy{400}, kPacketAfter{20}, kPacketBy{200};
constexpr std::uint32_t kFailing = 3, kDialling = 10;  // percent of legs

std::string text_of(LegId leg) {
  return "media leg " + std::to_string(leg.value);
}
}  // namespace

void MediaStub::execute(const call::MediaCommand& command) {
  std::visit([&](const auto& each) { run(command.worker, each); }, command.command);
}

MediaStub::Leg* MediaStub::find(std::size_t worker, LegId leg) {
  const auto found = legs_.find({leg, worker});
  return found == legs_.end() ? nullptr : &found->second;
}

void MediaStub::expect(std::size_t worker, LegId leg, const char* what) {
  if (find(worker, leg) == nullptr)
    journal_.violation(text_of(leg) + ": " + what + " a worker that does not have it");
}

void MediaStub::later(Duration delay, std::size_t worker, LegId leg, const media::Event& event) {
  agenda_.after(delay, [this, worker, leg, event] {
    if (find(worker, leg) != nullptr && !resting_) tell(event);
  });
}

/// What becomes of a leg once its peer can be reached.
void MediaStub::begin(std::size_t worker, LegId id) {
  Leg& leg = *find(worker, id);
  if (std::exchange(leg.heard, true)) return;
  const SocketAddress remote{*IpAddress::parse("198.51.100.1"), 40000};
  Duration at = dice_.between(kIceAfter, kIceBy);
  if (leg.browser) {
    static constexpr std::array<media::MediaFailure, 4> kFailures{
        media::MediaFailure::ice_timeout, media::MediaFailure::dtls_alert,
        media::MediaFailure::dtls_timeout, media::MediaFailure::dtls_closed};
    if (dice_.chance(kFailing)) {
      const auto failure = dice_.pick(kFailures);
      return later(at + seconds{dice_.below(20)}, worker, id, media::LegFailed{id, failure});
    }
    later(at, worker, id, media::IceConnected{id, remote});
    later(at += kPacketAfter, worker, id, media::DtlsConnected{id, "AEAD_AES_128_GCM"});
  }
  later(at += dice_.between(kPacketAfter, kPacketBy), worker, id, media::FirstPacket{id, remote});
  if (dice_.chance(kDialling))
    later(at + seconds{dice_.below(20)}, worker, id, media::DigitReceived{id, '5', 160});
  if (leg.browser && dice_.chance(kFailing))
    later(at + seconds{dice_.below(60)}, worker, id,
          media::LegFailed{id, media::MediaFailure::consent_expired});
}

void MediaStub::run(std::size_t worker, const media::AddBrowserLeg& command) {
  if (!legs_.emplace(Place{command.leg, worker}, Leg{worker, true, false, {}}).second)
    journal_.violation(text_of(command.leg) + " added twice");
  if (command.remote.ice) begin(worker, command.leg);
}

void MediaStub::run(std::size_t worker, const media::AddTrunkLeg& command) {
  for (const auto& [place, leg] : legs_) {
    if (!leg.browser && leg.local == command.local)
      journal_.violation(text_of(command.leg) + " shares " + command.local.text() + " with " +
                         text_of(place.first));
  }
  if (!legs_.emplace(Place{command.leg, worker}, Leg{worker, false, false, command.local}).second)
    journal_.violation(text_of(command.leg) + " added twice");
  if (!command.remote.rtp.empty()) begin(worker, command.leg);
}

void MediaStub::run(std::size_t worker, const media::UpdateBrowserLeg& command) {
  expect(worker, command.leg, "updated on");
  if (find(worker, command.leg) != nullptr && command.remote.ice) begin(worker, command.leg);
}

void MediaStub::run(std::size_t worker, const media::UpdateTrunkLeg& command) {
  expect(worker, command.leg, "updated on");
  if (find(worker, command.leg) != nullptr) begin(worker, command.leg);
}

void MediaStub::run(std::size_t worker, const media::RemoveLeg& command) {
  expect(worker, command.leg, "removed from");
  legs_.erase({command.leg, worker});
  agenda_.after(kThreadHop, [this, leg = command.leg] { tell(media::LegClosed{leg, {}}); });
}

void MediaStub::run(std::size_t worker, const media::SetRoute& command) {
  expect(worker, command.from, "routed from, on");
  expect(worker, command.to, "routed to, on");
}

void MediaStub::run(std::size_t worker, const media::SendDigit& command) {
  expect(worker, command.to, "sent a digit by");
}

void MediaStub::run(std::size_t, const media::QueryStatistics& command) {
  agenda_.after(kThreadHop, [this, command] {
    tell(media::StatisticsReported{command.leg, command.query, {}});
  });
}

void MediaStub::run(std::size_t, const media::JudgeMedia& command) {
  agenda_.after(kThreadHop, [this, leg = command.leg] {
    tell(media::MediaJudged{leg, media::Silence::trunk_sends_nothing, media::Silence::none});
  });
}

void MediaStub::finish() {
  for (const auto& [place, leg] : legs_)
    journal_.violation(text_of(place.first) + " was never removed from its worker");
}

}  // namespace trunkline::simulator
