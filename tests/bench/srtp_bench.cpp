// Nanoseconds to seal and to open a packet of 20 ms G.711 (172 octets), of every engine that this
// processor has: hot, one stream again and again, and cold, thousands of streams in turn. In
// brackets how many times faster than libsrtp. Fails when the fastest of ours is not faster.
#include "base/random.hpp"
#include "media/srtp.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace trunkline;
using namespace trunkline::media;

constexpr std::size_t kPacket = 172, kRoom = 512;
constexpr int kRounds = 15;
constexpr std::size_t kBatch = 1000;
// libsrtp over NSS takes longer for each stream the more there are: 5,000 would take minutes.
constexpr std::size_t kCold = 5000, kColdLibsrtp = 500;

struct Stream {
  std::unique_ptr<SrtpSender> sender;
  std::unique_ptr<SrtpReceiver> receiver;
  std::uint16_t sequence = 1000;
};

std::vector<Stream> make_streams(SrtpEngineKind engine, SrtpProfile profile, std::size_t count) {
  SeededRandom random(1);
  std::vector<Stream> streams(count);
  for (Stream& stream : streams) {
    SrtpMasterKey key;
    random.fill(key.key);
    random.fill(key.salt);
    stream.sender = make_srtp_sender(engine, profile, key, 1);
    stream.receiver = make_srtp_receiver(engine, profile, key);
  }
  return streams;
}

struct Cost {
  double seal = 0, open = 0;
};

template <class Work>
double nanoseconds(const Work& work) {
  const auto begun = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < kBatch; ++i)
    work(i);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begun;
  return took.count() / kBatch;
}

void check(SrtpVerdict verdict) {
  if (verdict == SrtpVerdict::ok) return;
  std::fprintf(stderr, "a packet was not taken: %s\n", std::string(verdict_label(verdict)).c_str());
  std::exit(1);
}

/// The median of the rounds.
Cost measure(SrtpEngineKind engine, SrtpProfile profile, std::size_t count) {
  auto streams = make_streams(engine, profile, count);
  std::vector<std::vector<std::uint8_t>> buffers(kBatch, std::vector<std::uint8_t>(kRoom));
  std::vector<Packet> packets(kBatch);
  std::vector<double> seal, open;
  std::size_t first = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto stream = [&](std::size_t i) -> Stream& {
      return streams[(first + i) % streams.size()];
    };
    for (std::size_t i = 0; i < kBatch; ++i) {
      buffers[i][0] = 0x80;
      store16(buffers[i], 2, ++stream(i).sequence);
      store32(buffers[i], 8, 1);
      packets[i] = {buffers[i].data(), kPacket};
    }
    seal.push_back(
        nanoseconds([&](std::size_t i) { check(stream(i).sender->protect_rtp(packets[i])); }));
    open.push_back(
        nanoseconds([&](std::size_t i) { check(stream(i).receiver->unprotect_rtp(packets[i])); }));
    first += kBatch;
  }
  const auto median = [](std::vector<double>& values) {
    std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
    return values[kRounds / 2];
  };
  return {median(seal), median(open)};
}

void print(const char* heat, std::size_t streams, const Cost& cost, const Cost& libsrtp) {
  std::printf("  %s %5zu: seal %6.0f ns (%4.1f) open %6.0f ns (%4.1f)", heat, streams, cost.seal,
              libsrtp.seal / cost.seal, cost.open, libsrtp.open / cost.open);
}

}  // namespace

int main() {
  bool faster = true;
  for (const SrtpProfile profile : kSrtpProfiles) {
    std::printf("%s\n", std::string(traits(profile).name).c_str());
    const Cost hot = measure(SrtpEngineKind::libsrtp, profile, 1);
    const Cost cold = measure(SrtpEngineKind::libsrtp, profile, kColdLibsrtp);
    double best = 1e9;
    for (const SrtpEngineKind engine : kSrtpEngines) {
      if (!srtp_engine_available(engine)) continue;
      const bool reference = engine == SrtpEngineKind::libsrtp;
      const Cost here = reference ? hot : measure(engine, profile, 1);
      const Cost there = reference ? cold : measure(engine, profile, kCold);
      std::printf("  %-9s", std::string(srtp_engine_name(engine)).c_str());
      print("hot", 1, here, hot);
      print("cold", reference ? kColdLibsrtp : kCold, there, cold);
      std::printf("\n");
      if (!reference) best = std::min(best, here.seal + here.open);
    }
    if (best >= hot.seal + hot.open) faster = false;
  }
  if (!faster) std::printf("an engine of ours is slower than libsrtp\n");
  return faster ? 0 : 1;
}
