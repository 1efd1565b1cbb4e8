#include "io/srtp_speed.hpp"

#include "base/log.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>

namespace trunkline::io {

namespace {

using media::SrtpEngineKind;
using media::SrtpProfile;
using SteadyClock = std::chrono::steady_clock;

// The shortest of some rounds: whatever else the machine does makes a round longer, never shorter.
constexpr int kRounds = 8;
constexpr std::size_t kPackets = 32, kSize = 172;
constexpr std::uint32_t kSsrc = 1;
using Buffer = std::array<std::uint8_t, kSize + media::kTailRoom>;

double nanoseconds_of(SrtpEngineKind engine, SrtpProfile profile) {
  SystemRandom random;
  media::SrtpMasterKey key;
  random.fill(key.key);
  random.fill(key.salt);
  const auto sender = media::make_srtp_sender(engine, profile, key, kSsrc);
  const auto receiver = media::make_srtp_receiver(engine, profile, key);
  if (!sender || !receiver) return 0;
  std::array<Buffer, kPackets> buffers{};
  std::array<media::Packet, kPackets> packets;
  std::uint16_t sequence = 0;
  double best = std::numeric_limits<double>::max();
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kPackets; ++i) {
      Buffer& buffer = buffers[i];
      buffer[0] = 0x80;
      store16(buffer, 2, ++sequence);
      store32(buffer, 8, kSsrc);
      packets[i] = {buffer.data(), kSize};
    }
    bool good = true;
    const SteadyClock::time_point begun = SteadyClock::now();
    for (media::Packet& packet : packets)
      good &= sender->protect_rtp(packet) == media::SrtpVerdict::ok;
    for (media::Packet& packet : packets)
      good &= receiver->unprotect_rtp(packet) == media::SrtpVerdict::ok;
    const std::chrono::duration<double, std::nano> took = SteadyClock::now() - begun;
    if (!good) return 0;
    best = std::min(best, took.count() / (2 * kPackets));
  }
  return best;
}

}  // namespace

SrtpSpeed measure_srtp_engines(SrtpEngineKind wanted) {
  SrtpSpeed speed;
  for (const SrtpProfile profile : media::kSrtpProfiles) {
    auto& costs = speed.nanoseconds[static_cast<std::size_t>(profile)];
    double least = std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < media::kSrtpEngines.size(); ++i) {
      const SrtpEngineKind engine = media::kSrtpEngines[i];
      if (wanted != SrtpEngineKind::automatic && wanted != engine) continue;
      if (!media::srtp_engine_available(engine)) continue;
      costs[i] = nanoseconds_of(engine, profile);
      if (costs[i] == 0 || costs[i] >= least) continue;
      least = costs[i];
      speed.fastest[profile] = engine;
    }
  }
  return speed;
}

void log_srtp_engines(const SrtpSpeed& speed) {
  std::array<std::string, media::kSrtpProfiles.size()> texts;
  for (const SrtpProfile profile : media::kSrtpProfiles) {
    std::string& text = texts[static_cast<std::size_t>(profile)];
    const auto& costs = speed.nanoseconds[static_cast<std::size_t>(profile)];
    text = media::srtp_engine_name(speed.fastest[profile]);
    for (std::size_t i = 0; i < media::kSrtpEngines.size(); ++i) {
      if (costs[i] == 0) continue;
      const bool chosen = media::kSrtpEngines[i] == speed.fastest[profile];
      const std::string cost = std::to_string(std::lround(costs[i])) + " ns";
      text +=
          chosen ? ": " + cost
                 : ", " + std::string(media::srtp_engine_name(media::kSrtpEngines[i])) + " " + cost;
    }
  }
  static_assert(media::kSrtpProfiles.size() == 4);
  const auto name = [](std::size_t i) { return media::traits(media::kSrtpProfiles[i]).name; };
  log::info("srtp engines",
            {{name(0), texts[0]}, {name(1), texts[1]}, {name(2), texts[2]}, {name(3), texts[3]}});
}

}  // namespace trunkline::io
