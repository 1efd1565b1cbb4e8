// ns per 172-octet packet: sealing and opening, one stream and a thousand in turn.
#include "base/random.hpp"
#include "media/srtp.hpp"

#include <benchmark/benchmark.h>
#include <memory>
#include <vector>

namespace {

using namespace trunkline;
using namespace trunkline::media;

constexpr std::size_t kPacket = 172, kRoom = 512;

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

void write_packet(std::vector<std::uint8_t>& buffer, std::uint16_t sequence) {
  buffer[0] = 0x80;
  buffer[1] = 0;
  store16(buffer, 2, sequence);
  store32(buffer, 8, 1);
}

void protect(benchmark::State& state, SrtpEngineKind engine, SrtpProfile profile) {
  auto streams = make_streams(engine, profile, static_cast<std::size_t>(state.range(0)));
  std::vector<std::uint8_t> buffer(kRoom);
  std::size_t at = 0;
  for (auto _ : state) {
    Stream& stream = streams[at++ % streams.size()];
    write_packet(buffer, ++stream.sequence);
    Packet packet{buffer.data(), kPacket};
    if (stream.sender->protect_rtp(packet) != SrtpVerdict::ok) state.SkipWithError("not sealed");
    benchmark::DoNotOptimize(buffer.data());
  }
}

/// The cost of sealing is in it too: compare with `protect`.
void protect_and_unprotect(benchmark::State& state, SrtpEngineKind engine, SrtpProfile profile) {
  auto streams = make_streams(engine, profile, static_cast<std::size_t>(state.range(0)));
  std::vector<std::uint8_t> buffer(kRoom);
  std::size_t at = 0;
  for (auto _ : state) {
    Stream& stream = streams[at++ % streams.size()];
    write_packet(buffer, ++stream.sequence);
    Packet packet{buffer.data(), kPacket};
    stream.sender->protect_rtp(packet);
    if (stream.receiver->unprotect_rtp(packet) != SrtpVerdict::ok)
      state.SkipWithError("not opened");
    benchmark::DoNotOptimize(buffer.data());
  }
}

void add(const char* name, SrtpEngineKind engine, SrtpProfile profile) {
  const std::string label = std::string(srtp_engine_name(engine)) + "/" + name;
  benchmark::RegisterBenchmark(("protect/" + label).c_str(), protect, engine, profile)
      ->Arg(1)
      ->Arg(1000);
  benchmark::RegisterBenchmark(("both/" + label).c_str(), protect_and_unprotect, engine, profile)
      ->Arg(1)
      ->Arg(1000);
}

const bool registered = [] {
  for (const SrtpEngineKind engine : {SrtpEngineKind::openssl, SrtpEngineKind::libsrtp}) {
    add("gcm128", engine, SrtpProfile::aead_aes_128_gcm);
    add("gcm256", engine, SrtpProfile::aead_aes_256_gcm);
    add("cm80", engine, SrtpProfile::aes_cm_128_hmac_sha1_80);
  }
  return true;
}();

}  // namespace
