// A whole media worker and a browser that has nothing but a TCP connection to it: ICE, DTLS, SRTP.
#include "io/media_worker.hpp"

#include "support/browser_media.hpp"
#include "unit/io/loopback.hpp"
#include <poll.h>

namespace trunkline::io {
namespace {

constexpr LegId kLeg{1};
constexpr std::uint16_t kFirstPort = 9420, kLastPort = 9423;
const media::IceCredentials kOurs{"ouruf", "thepasswordthatisours000"};

class IceTcp : public ::testing::Test {
 protected:
  void SetUp() override {
    MediaSettings settings;
    settings.bind = {loopback().ip};
    settings.webrtc_port = 0;
    settings.rtp_port_first = kFirstPort;
    settings.rtp_port_last = kLastPort;
    auto made = MediaWorker::make(0, settings, {}, identity, wakeup);
    ASSERT_TRUE(made) << made.error().message;
    worker = std::move(*made);
    worker->start();
    media::AddBrowserLeg leg;
    leg.leg = kLeg;
    leg.local_ice = kOurs;
    leg.remote = {browser.ice(), {}, {browser.fingerprint()}, media::DtlsRole::server};
    leg.ssrc = 77;
    leg.cname = "test";
    worker->post(leg);
    worker->post(media::SetRoute{kLeg, kLeg, {{.from = 0, .to = 0}}});
    worker->notify();
    connect();
    browser.connect(kOurs, identity.fingerprint(), true, Clock::now());
  }
  /// Another connection, as from another network.
  void connect() { peer.emplace(PeerSocket::tcp_to(worker->resources().candidates.front())); }

  /// Carries frames until `done`; false when that takes longer than on any slow and busy machine.
  bool run_until(const std::function<bool()>& done) {
    const TimePoint end = Clock::now() + seconds{60};
    while (!done()) {
      if (Clock::now() >= end) return false;
      pollfd wait{peer->fd(), POLLIN, 0};
      ::poll(&wait, 1, 5);
      take_frames();
      if (browser.deadline() <= Clock::now()) browser.on_deadline(Clock::now());
      for (const auto& datagram : browser.take_datagrams())
        peer->send(frame(datagram));
    }
    return true;
  }
  void take_frames() {
    peer->gather();
    std::string& stream = peer->gathered();
    while (stream.size() >= 2) {
      const std::size_t size = load16(as_bytes(stream), 0);
      if (stream.size() < 2 + size) return;
      const std::string packet = stream.substr(2, size);
      stream.erase(0, 2 + size);
      browser.receive(as_bytes(packet), Clock::now());
    }
  }
  static std::string frame(ByteView packet) {
    std::string framed(2 + packet.size(), '\0');
    framed[0] = static_cast<char>(packet.size() >> 8);
    framed[1] = static_cast<char>(packet.size());
    std::copy(packet.begin(), packet.end(), framed.begin() + 2);
    return framed;
  }
  bool hears_itself() {
    const std::uint64_t before = browser.tone().heard();
    return run_until([&] { return browser.tone().heard() >= before + 3; });
  }

  SystemRandom random;
  media::DtlsIdentity identity = *media::DtlsIdentity::make();
  Wakeup wakeup;
  std::unique_ptr<MediaWorker> worker;
  test::BrowserMedia browser{{.check_interval = milliseconds{100}}, random};
  std::optional<PeerSocket> peer;
};

TEST_F(IceTcp, carries_a_whole_call) {
  ASSERT_TRUE(run_until([&] { return browser.dtls_connected(); }));
  EXPECT_EQ(browser.mapped_address(), peer->local());
  browser.send_tone(440, Clock::now());
  EXPECT_TRUE(hears_itself());
  EXPECT_EQ(browser.received().srtp_errors, 0u);
}

TEST_F(IceTcp, goes_on_over_the_next_connection) {
  ASSERT_TRUE(run_until([&] { return browser.dtls_connected(); }));
  browser.send_tone(440, Clock::now());
  ASSERT_TRUE(hears_itself());
  connect();
  EXPECT_TRUE(hears_itself());
  EXPECT_EQ(browser.received().ssrc_changes, 0u);
}

TEST_F(IceTcp, is_told_when_its_leg_ends) {
  ASSERT_TRUE(run_until([&] { return browser.dtls_connected(); }));
  worker->post(media::RemoveLeg{kLeg});
  worker->notify();
  EXPECT_TRUE(run_until([&] { return browser.closed(); })) << "close_notify";
}

}  // namespace
}  // namespace trunkline::io
