#include "io/sip_datagram.hpp"

#include "unit/io/loopback.hpp"

namespace trunkline::io {
namespace {

class SipDatagramTest : public Loopback {
 public:
  void SetUp() override {
    const auto bound = datagram.listen(loopback(), flow);
    ASSERT_TRUE(bound) << bound.error().message;
    local = *bound;
    datagram.start();
  }
  sip::SendBytes order(const SocketAddress& to, std::uint64_t transaction = 0) const {
    return {{sip::Transport::udp, to, {}}, "OPTIONS sip:a SIP/2.0\r\n\r\n", {transaction}};
  }

  SipDatagram datagram{context, input, counters};
  FlowId flow = flows.next();
  SocketAddress local;
};

TEST_F(SipDatagramTest, passes_a_datagram_with_its_source_and_flow) {
  const PeerSocket peer = PeerSocket::udp();
  peer.send_to("hello", local);
  ASSERT_TRUE(run_until([&] { return !input.messages.empty(); }));
  EXPECT_EQ(input.messages[0].bytes, "hello");
  EXPECT_EQ(input.messages[0].source, (sip::Target{sip::Transport::udp, peer.local(), flow}));
}

// RFC 3261 §18.1.1: very large datagrams are received [datagram-size]
TEST_F(SipDatagramTest, passes_an_empty_and_a_very_large_datagram) {
  const PeerSocket peer = PeerSocket::udp();
  const std::string large(60000, 'x');
  peer.send_to("", local);
  peer.send_to(large, local);
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 2; }));
  EXPECT_EQ(input.messages[1].bytes, large);
}

TEST_F(SipDatagramTest, takes_more_datagrams_than_one_turn_holds) {
  const PeerSocket peer = PeerSocket::udp();
  for (int i = 0; i < 200; ++i)
    peer.send_to(std::to_string(i), local);
  ASSERT_TRUE(run_until([&] { return input.messages.size() == 200; }));
  EXPECT_EQ(input.messages[199].bytes, "199");
}

TEST_F(SipDatagramTest, sends_from_the_bound_port) {
  const PeerSocket peer = PeerSocket::udp();
  datagram.send(order(peer.local()));
  SocketAddress from;
  std::string bytes;
  ASSERT_TRUE(run_until([&] { return !(bytes = peer.receive(&from)).empty(); }));
  EXPECT_EQ(from, local);
  EXPECT_EQ(bytes, order({}).bytes);
}

// RFC 3261 §18.4: an ICMP error fails the request [transport-failure]
TEST_F(SipDatagramTest, reports_a_request_that_nobody_listens_for) {
  const SocketAddress nobody = PeerSocket::udp().local();
  datagram.send(order(nobody, 7));
  ASSERT_TRUE(run_until([&] { return !input.failures.empty(); }));
  EXPECT_EQ(input.failures, std::vector<sip::TransactionId>{{7}});
  EXPECT_EQ(counters.icmp_errors.get(), 1);
}

TEST_F(SipDatagramTest, reports_each_unreachable_request_once_and_no_other) {
  const PeerSocket peer = PeerSocket::udp();
  const SocketAddress nobody = PeerSocket::udp().local();
  datagram.send(order(peer.local(), 1));
  datagram.send(order(nobody, 2));
  datagram.send(order(nobody, 3));
  datagram.send(order(peer.local(), 4));
  ASSERT_TRUE(run_until([&] { return counters.icmp_errors.get() == 2; }));
  run_ready();
  EXPECT_EQ(input.failures, (std::vector<sip::TransactionId>{{2}, {3}}));
}

TEST_F(SipDatagramTest, goes_on_receiving_after_an_icmp_error) {
  const SocketAddress nobody = PeerSocket::udp().local();
  datagram.send(order(nobody, 1));
  ASSERT_TRUE(run_until([&] { return counters.icmp_errors.get() == 1; }));
  const PeerSocket peer = PeerSocket::udp();
  peer.send_to("still here", local);
  EXPECT_TRUE(run_until([&] { return !input.messages.empty(); }));
}

TEST_F(SipDatagramTest, fails_a_request_to_a_family_without_a_listener) {
  datagram.send(order({*IpAddress::parse("::1"), 5060}, 9));
  EXPECT_EQ(input.failures, std::vector<sip::TransactionId>{{9}});
}

TEST_F(SipDatagramTest, fails_a_request_on_an_unknown_flow) {
  sip::SendBytes lost = order(PeerSocket::udp().local(), 9);
  lost.target.flow = FlowId{77};
  datagram.send(lost);
  EXPECT_EQ(input.failures, std::vector<sip::TransactionId>{{9}});
}

TEST_F(SipDatagramTest, names_the_address_that_it_can_not_bind) {
  const auto again = datagram.listen(local, flows.next());
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("can't bind " + local.text() + "/udp"), std::string::npos);
}

TEST(RecentRequestsTest, forgets_what_went_long_ago) {
  RecentRequests recent;
  const TimePoint begin = Clock::now();
  recent.remember(loopback(1), {1}, begin);
  recent.remember(loopback(1), {2}, begin + seconds{4});
  EXPECT_EQ(recent.take(loopback(1), begin + seconds{6}), std::vector<sip::TransactionId>{{2}});
}

TEST(RecentRequestsTest, keeps_the_youngest_when_there_are_too_many) {
  RecentRequests recent;
  const TimePoint now = Clock::now();
  for (std::uint64_t i = 1; i <= RecentRequests::kCapacity + 1; ++i) {
    recent.remember(loopback(static_cast<std::uint16_t>(i)), {i}, now);
  }
  EXPECT_TRUE(recent.take(loopback(1), now).empty());
  EXPECT_EQ(recent.take(loopback(2), now).size(), 1u);
}

}  // namespace
}  // namespace trunkline::io
