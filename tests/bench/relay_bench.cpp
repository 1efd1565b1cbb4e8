// ns per packet through `Plane`: a browser's SRTP in and RTP out to the carrier, and the way back,
// without any socket.
#include "base/random.hpp"
#include "media/plane.hpp"
#include "rtp/packet.hpp"

#include "support/browser_media.hpp"
#include <benchmark/benchmark.h>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace trunkline;
using namespace trunkline::media;

SocketAddress address(std::uint8_t host, std::size_t port) {
  return {IpAddress::v4({10, 0, 0, host}), static_cast<std::uint16_t>(port)};
}

/// So many calls, connected: leg 2n+1 the browser, leg 2n+2 the carrier.
class Calls {
 public:
  explicit Calls(std::size_t calls, std::string profile) : calls_(calls) {
    std::vector<SocketSpec> sockets{{SocketSpec::Use::browser, address(1, 4000)}};
    for (std::size_t i = 0; i < calls; ++i) {
      sockets.push_back({SocketSpec::Use::trunk_rtp, address(1, 20000 + 2 * i)});
      sockets.push_back({SocketSpec::Use::trunk_rtcp, address(1, 20001 + 2 * i)});
    }
    PlaneSettings settings;
    settings.dtls_handshakes = calls;
    plane_ = std::make_unique<Plane>(settings, *identity_, std::move(sockets), random_);
    trunkline::test::BrowserMediaSettings browser;
    browser.srtp_profiles = std::move(profile);
    for (std::size_t i = 0; i < calls; ++i)
      connect(i, browser);
  }

  /// Sealed packets of each browser, made before the clock runs: one round is one packet of each.
  void prepare(std::size_t rounds) {
    rounds_.assign(rounds, {});
    const std::vector<std::uint8_t> payload(160, 0x55);
    for (auto& round : rounds_) {
      for (auto& browser : browsers_) {
        browser->send_rtp(payload, 0, 160);
        round.push_back(browser->take_datagrams().front());
      }
    }
  }
  std::size_t rounds() const { return rounds_.size(); }
  std::size_t calls() const { return calls_; }

  std::size_t from_browsers(std::size_t round) {
    now_ += milliseconds{20};
    std::size_t sent = 0;
    for (std::size_t i = 0; i < calls_; ++i) {
      sent += feed(0, address(2, 30000 + i), rounds_[round][i]);
    }
    return sent;
  }
  std::size_t from_carriers() {
    now_ += milliseconds{20};
    ++sequence_;
    std::size_t sent = 0;
    for (std::size_t i = 0; i < calls_; ++i) {
      store16(carrier_packet_, 2, sequence_);
      store32(carrier_packet_, 4, sequence_ * 160u);
      sent += feed(static_cast<SocketIndex>(1 + 2 * i), address(3, 30000 + 2 * i), carrier_packet_);
    }
    return sent;
  }

 private:
  void connect(std::size_t i, const trunkline::test::BrowserMediaSettings& settings) {
    auto browser = std::make_unique<trunkline::test::BrowserMedia>(settings, random_);
    const LegId a{2 * i + 1}, b{2 * i + 2};
    const IceCredentials ours{"u" + std::to_string(i), "passwordpasswordpassword"};
    execute(AddBrowserLeg{a,
                          ours,
                          {browser->ice(), {}, {browser->fingerprint()}, DtlsRole::server},
                          static_cast<std::uint32_t>(1000 + i),
                          "cname"});
    execute(AddTrunkLeg{b,
                        address(1, 20000 + 2 * i),
                        {address(3, 30000 + 2 * i), address(3, 30001 + 2 * i), false},
                        SourcePolicy::pinned,
                        {},
                        static_cast<std::uint32_t>(500000 + i),
                        "cname"});
    execute(SetRoute{a, b, {{0, 0, 8000, 8000, false}}});
    execute(SetRoute{b, a, {{0, 0, 8000, 8000, false}}});
    browser->connect(ours, identity_->fingerprint(), true, now_);
    browser->on_deadline(now_);
    for (int turn = 0; turn < 12; ++turn) {
      for (const auto& datagram : browser->take_datagrams()) {
        receive(0, address(2, 30000 + i), datagram);
        for (const auto& entry : outbox_->entries())
          browser->receive({entry.data, entry.size}, now_);
        outbox_->clear();
      }
    }
    browsers_.push_back(std::move(browser));
  }
  void execute(const Command& command) { plane_->execute(command, now_, *outbox_, events_); }
  void receive(SocketIndex socket, const SocketAddress& from, ByteView bytes) {
    Packet packet{buffer_.data() + kHeadRoom, bytes.size()};
    std::copy(bytes.begin(), bytes.end(), packet.data);
    plane_->receive(socket, from, packet, now_, *outbox_, events_);
    events_.clear();
  }
  std::size_t feed(SocketIndex socket, const SocketAddress& from, ByteView bytes) {
    receive(socket, from, bytes);
    const std::size_t sent = outbox_->entries().size();
    outbox_->clear();
    return sent;
  }

  std::size_t calls_;
  SeededRandom random_{1};
  Result<DtlsIdentity> identity_ = DtlsIdentity::make();
  std::unique_ptr<Plane> plane_;
  std::unique_ptr<Outbox> outbox_ = std::make_unique<Outbox>();
  std::vector<Event> events_;
  TimePoint now_ = TimePoint{} + seconds{1000};
  std::vector<std::unique_ptr<trunkline::test::BrowserMedia>> browsers_;
  std::vector<std::vector<std::vector<std::uint8_t>>> rounds_;
  std::vector<std::uint8_t> buffer_ =
      std::vector<std::uint8_t>(kHeadRoom + kMaxDatagram + kTailRoom);
  std::vector<std::uint8_t> carrier_packet_ = [] {
    std::vector<std::uint8_t> packet(172, 0x55);
    packet[0] = 0x80;
    packet[1] = 0;
    store32(packet, 8, 0xabcd);
    return packet;
  }();
  std::uint16_t sequence_ = 1;
};

constexpr const char* kGcm = "SRTP_AEAD_AES_128_GCM";
constexpr const char* kCm = "SRTP_AES128_CM_SHA1_80";

void browser_to_trunk(benchmark::State& state, const char* profile) {
  const auto calls = static_cast<std::size_t>(state.range(0));
  Calls all(calls, profile);
  all.prepare(60000 / calls);
  std::size_t round = 0, forwarded = 0;
  for (auto _ : state) {
    if (round == all.rounds()) {
      state.PauseTiming();
      all.prepare(all.rounds());
      round = 0;
      state.ResumeTiming();
    }
    forwarded += all.from_browsers(round++);
  }
  if (forwarded != state.iterations() * calls) state.SkipWithError("packets were lost");
  state.counters["per_packet"] = benchmark::Counter(
      static_cast<double>(forwarded), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void trunk_to_browser(benchmark::State& state, const char* profile) {
  const auto calls = static_cast<std::size_t>(state.range(0));
  Calls all(calls, profile);
  std::size_t forwarded = 0;
  for (auto _ : state)
    forwarded += all.from_carriers();
  if (forwarded != state.iterations() * calls) state.SkipWithError("packets were lost");
  state.counters["per_packet"] = benchmark::Counter(
      static_cast<double>(forwarded), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(browser_to_trunk, gcm128, kGcm)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(browser_to_trunk, cm80, kCm)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(trunk_to_browser, gcm128, kGcm)->Arg(1)->Arg(1000);
BENCHMARK_CAPTURE(trunk_to_browser, cm80, kCm)->Arg(1)->Arg(1000);

}  // namespace
