#pragma once
#include "base/random.hpp"
#include "media/plane.hpp"
#include "rtp/g711.hpp"
#include "rtp/packet.hpp"
#include "rtp/rtcp.hpp"

#include "srtp_packets.hpp"
#include "support/browser_media.hpp"
#include <algorithm>
#include <gmock/gmock.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace trunkline::media::test {

inline SocketAddress at(std::string_view text) {
  return *SocketAddress::parse(text);
}

/// One carrier's RTP, by hand.
struct TrunkPeer {
  SocketAddress address;
  std::uint32_t ssrc = 0x77770000;
  std::uint16_t sequence = 500;
  std::uint32_t timestamp = 90000;

  std::vector<std::uint8_t> packet(ByteView payload, std::uint8_t payload_type = 0,
                                   std::uint32_t step = 160, bool marker = false) {
    std::vector<std::uint8_t> bytes(rtp::kFixedHeaderSize + payload.size());
    rtp::Header header;
    header.marker = marker;
    header.payload_type = payload_type;
    header.sequence = sequence++;
    header.timestamp = timestamp;
    header.ssrc = ssrc;
    rtp::write_header(bytes, header);
    std::copy(payload.begin(), payload.end(), bytes.begin() + rtp::kFixedHeaderSize);
    timestamp += step;
    return bytes;
  }
};

/// What the plane sent to an address.
struct Sent {
  SocketIndex socket;
  SocketAddress to;
  std::vector<std::uint8_t> bytes;
  TimePoint at;
};

struct MetricMap final : MetricSink {
  std::map<std::string, double> values;
  static std::string key(std::string_view name, MetricLabels labels) {
    std::string text(name);
    for (const auto& [label, value] : labels)
      text += "," + std::string(value);
    return text;
  }
  void counter(std::string_view name, std::string_view, MetricLabels labels,
               double value) override {
    values[key(name, labels)] += value;
  }
  void gauge(std::string_view name, std::string_view, MetricLabels labels, double value) override {
    values[key(name, labels)] += value;
  }
  void histogram(std::string_view, std::string_view, MetricLabels, const HistogramCell&) override {}
};

/// A plane with one browser socket and two trunk port pairs, a clock that is a variable, and peers
/// in memory.
class PlaneWorld : public testing::Test {
 protected:
  static constexpr SocketIndex kBrowserSocket = 0, kRtp1 = 1, kRtcp1 = 2, kRtp2 = 3, kRtcp2 = 4;
  static constexpr LegId kBrowser{1}, kTrunk{2}, kSecondTrunk{3}, kSecondBrowser{4};

  PlaneWorld() { make_plane({}); }

  void make_plane(const PlaneSettings& settings) {
    plane_ = std::make_unique<Plane>(
        settings, *identity_,
        std::vector<SocketSpec>{{SocketSpec::Use::browser, at("203.0.113.1:40000")},
                                {SocketSpec::Use::trunk_rtp, at("203.0.113.1:20000")},
                                {SocketSpec::Use::trunk_rtcp, at("203.0.113.1:20001")},
                                {SocketSpec::Use::trunk_rtp, at("203.0.113.1:20002")},
                                {SocketSpec::Use::trunk_rtcp, at("203.0.113.1:20003")}},
        random_);
  }

  // commands
  void execute(const Command& command) {
    plane_->execute(command, now_, *outbox_, events_);
    flush();
  }
  AddBrowserLeg browser_order(const trunkline::test::BrowserMedia& browser, LegId leg = kBrowser) {
    AddBrowserLeg order;
    order.leg = leg;
    order.local_ice = {"ufrag" + std::to_string(leg.value), "thepasswordthatisours000"};
    order.remote = {browser.ice(), {}, {browser.fingerprint()}, DtlsRole::server};
    order.ssrc = 0xb0000000u + static_cast<std::uint32_t>(leg.value);
    order.cname = "cname";
    return order;
  }
  AddTrunkLeg trunk_order(LegId leg = kTrunk, SourcePolicy policy = SourcePolicy::pinned) {
    AddTrunkLeg order;
    order.leg = leg;
    order.local = at(leg == kTrunk ? "203.0.113.1:20000" : "203.0.113.1:20002");
    order.remote = {carrier_.address, at("198.51.100.9:5001"), false};
    order.policy = policy;
    order.ssrc = 0xc0000000u + static_cast<std::uint32_t>(leg.value);
    order.cname = "cname";
    return order;
  }
  void route_both(LegId a = kBrowser, LegId b = kTrunk) {
    const PayloadRoute audio{0, 0, 8000, 8000, false};
    execute(SetRoute{a, b, {audio, {126, 101, 8000, 8000, true}}});
    execute(SetRoute{b, a, {audio, {101, 126, 8000, 8000, true}}});
  }
  /// Browser and trunk joined, media up.
  void connect_call() {
    execute(browser_order(*browser_));
    execute(trunk_order());
    route_both();
    browser_->connect({"ufrag1", "thepasswordthatisours000"}, identity_->fingerprint(), true, now_);
    run(milliseconds{100});
  }

  // time and the network
  void receive(SocketIndex socket, const SocketAddress& from, ByteView bytes) {
    OwnedPacket packet(bytes);
    plane_->receive(socket, from, packet.packet, now_, *outbox_, events_);
    flush();
  }
  void from_carrier(ByteView bytes) { receive(kRtp1, carrier_.address, bytes); }
  void flush() {
    for (const Outbox::Entry& entry : outbox_->entries()) {
      sent_.push_back({entry.socket, entry.to, {entry.data, entry.data + entry.size}, now_});
    }
    outbox_->clear();
  }
  /// Delivers what lies between the plane and the browser until nothing more comes.
  void exchange() {
    for (int round = 0; round < 20; ++round) {
      auto datagrams = browser_->take_datagrams();
      if (datagrams.empty() && delivered_ == sent_.size()) return;
      for (const auto& datagram : datagrams)
        receive(browser_socket_, browser_address_, datagram);
      end_turn();
      for (; delivered_ < sent_.size(); ++delivered_) {
        const Sent& one = sent_[delivered_];
        if (one.to == browser_address_ && one.socket == browser_socket_)
          browser_->receive(one.bytes, now_);
      }
    }
  }
  void run(Duration duration) {
    const TimePoint end = now_ + duration;
    for (; now_ < end; now_ += milliseconds{5}) {
      browser_->on_deadline(now_);
      exchange();
      end_turn();
      exchange();
    }
  }
  /// As a worker does, once all packets of a turn have been received.
  void end_turn() {
    if (plane_->deadline() > now_) return;
    plane_->on_deadline(now_, *outbox_, events_);
    flush();
  }
  void deadline_at(TimePoint time) {
    now_ = time;
    plane_->on_deadline(now_, *outbox_, events_);
    flush();
  }

  // what happened
  template <class Kind>
  std::vector<Kind> events() const {
    std::vector<Kind> found;
    for (const Event& event : events_) {
      if (const auto* one = std::get_if<Kind>(&event)) found.push_back(*one);
    }
    return found;
  }
  std::vector<Sent> sent_to(const SocketAddress& address) const {
    std::vector<Sent> found;
    std::copy_if(sent_.begin(), sent_.end(), std::back_inserter(found),
                 [&](const Sent& one) { return one.to == address; });
    return found;
  }
  /// RTP (not RTCP) that the carrier got.
  std::vector<Sent> audio_to_carrier() const {
    std::vector<Sent> found = sent_to(carrier_.address);
    std::erase_if(found, [](const Sent& one) { return rtp::is_rtcp(one.bytes); });
    return found;
  }
  static rtp::Header header(const Sent& one) { return *rtp::parse_header(one.bytes); }
  double metric(const std::string& key) const {
    MetricMap map;
    plane_->metrics().collect(map);
    EXPECT_TRUE(map.values.contains(key)) << key;
    return map.values[key];
  }
  double dropped(const std::string& leg, const std::string& reason) const {
    return metric("trunkline_rtp_packets_dropped_total," + leg + "," + reason);
  }

  SeededRandom random_{77};
  Result<DtlsIdentity> identity_ = DtlsIdentity::make();
  std::unique_ptr<Plane> plane_;
  std::unique_ptr<Outbox> outbox_ = std::make_unique<Outbox>();
  std::vector<Event> events_;
  std::vector<Sent> sent_;
  std::size_t delivered_ = 0;
  TimePoint now_ = TimePoint{} + seconds{1000};
  SocketIndex browser_socket_ = kBrowserSocket;  ///< or a TCP connection
  SocketAddress browser_address_ = at("192.0.2.50:61000");
  TrunkPeer carrier_{at("198.51.100.9:5000")};
  std::unique_ptr<trunkline::test::BrowserMedia> browser_ =
      std::make_unique<trunkline::test::BrowserMedia>(trunkline::test::BrowserMediaSettings{},
                                                      random_);
};

}  // namespace trunkline::media::test
