#include "media/trunk_source.hpp"

#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

SocketAddress at(std::string_view text) {
  return *SocketAddress::parse(text);
}

class Source : public testing::Test {
 protected:
  const SocketAddress signalled = at("198.51.100.9:5000"), other_port = at("198.51.100.9:6000"),
                      stranger = at("203.0.113.66:5000"), own = at("192.0.2.1:20000");
  TimePoint now = TimePoint{} + seconds{10};

  TrunkSource make(SourcePolicy policy, std::vector<AddressRange> allow = {}) {
    TrunkSource source(policy, std::move(allow), seconds{3}, own);
    source.describe({signalled, at("198.51.100.9:5001"), false}, now);
    return source;
  }
  /// `count` packets in sequence; whether the last was accepted.
  bool stream(TrunkSource& source, const SocketAddress& from, int count, std::uint16_t first = 100,
              std::uint32_t ssrc = 1) {
    bool accepted = false;
    for (int i = 0; i < count; ++i) {
      accepted = source.accept_rtp(from, ssrc, static_cast<std::uint16_t>(first + i), true, now);
    }
    return accepted;
  }
};

// RFC 7362 §4: pinned [media-source]
TEST_F(Source, PinnedTakesOnlyTheSignalledAddress) {
  TrunkSource source = make(SourcePolicy::pinned);
  EXPECT_TRUE(stream(source, signalled, 1));
  EXPECT_FALSE(stream(source, other_port, 50));
  EXPECT_FALSE(stream(source, stranger, 50));
}

TEST_F(Source, SameHostTakesAnyPortOfTheSignalledAddress) {
  TrunkSource source = make(SourcePolicy::same_host);
  EXPECT_TRUE(stream(source, other_port, 1));
  EXPECT_FALSE(stream(source, stranger, 50));
  EXPECT_EQ(source.rtp_destination(), signalled) << "but sends only where signalled";
}

// RFC 7362 §4: subnet [media-source]
TEST_F(Source, SubnetTakesWhatItAllows) {
  TrunkSource source = make(SourcePolicy::subnet, {*AddressRange::parse("203.0.113.0/24")});
  EXPECT_TRUE(stream(source, signalled, 1));
  EXPECT_TRUE(stream(source, stranger, 1));
  EXPECT_FALSE(stream(source, at("192.0.2.77:5000"), 50));
  EXPECT_EQ(source.rtp_destination(), signalled);
}

TEST_F(Source, NothingIsTakenBeforeTheRemoteIsKnown) {
  for (const SourcePolicy policy :
       {SourcePolicy::pinned, SourcePolicy::same_host, SourcePolicy::learn, SourcePolicy::subnet}) {
    TrunkSource source(policy, {}, seconds{3}, own);
    EXPECT_FALSE(stream(source, stranger, 10));
    EXPECT_FALSE(source.accept_rtcp(stranger));
    EXPECT_TRUE(source.rtp_destination().empty());
  }
}

// RFC 3264 §5.1: before the answer the host that was called is heard [receive-early]
TEST_F(Source, UntilThePeerIsDescribedItsHostIsTaken) {
  for (const SourcePolicy policy :
       {SourcePolicy::pinned, SourcePolicy::same_host, SourcePolicy::learn, SourcePolicy::subnet}) {
    TrunkSource source(policy, {}, seconds{3}, own);
    TrunkRemote remote;
    remote.host = signalled.ip;
    source.describe(remote, {});
    EXPECT_TRUE(stream(source, other_port, 1));
    EXPECT_TRUE(source.accept_rtcp(other_port));
    EXPECT_FALSE(stream(source, stranger, 10));
    EXPECT_TRUE(source.rtp_destination().empty()) << "but nothing is sent there";
    EXPECT_FALSE(source.locked());
  }
}

TEST_F(Source, UntilThePeerIsDescribedItsSubnetIsTaken) {
  TrunkSource source(SourcePolicy::subnet, {*AddressRange::parse("203.0.113.0/24")}, seconds{3},
                     own);
  EXPECT_TRUE(stream(source, stranger, 1));
  EXPECT_FALSE(stream(source, at("192.0.2.77:5000"), 10));
}

TEST_F(Source, AMoveForgetsThePeer) {
  TrunkSource source = make(SourcePolicy::learn);
  EXPECT_TRUE(stream(source, stranger, 4));
  source.move(at("[2001:db8::1]:20000"));
  EXPECT_EQ(source.own(), at("[2001:db8::1]:20000"));
  EXPECT_FALSE(source.locked());
  EXPECT_TRUE(source.rtp_destination().empty());
  EXPECT_FALSE(stream(source, signalled, 10));
}

// RFC 7362 §5: four in sequence [media-learned]
TEST_F(Source, LearnTakesTheFourthPacketInSequence) {
  TrunkSource source = make(SourcePolicy::learn);
  EXPECT_FALSE(stream(source, stranger, 3));
  EXPECT_EQ(source.rtp_destination(), signalled) << "nothing is sent to a learnt address before";
  EXPECT_TRUE(stream(source, stranger, 1, 103));
  EXPECT_EQ(source.rtp_destination(), stranger);
  EXPECT_TRUE(source.locked());
}

// RFC 7362 §5: others are dropped [media-learned-once]
TEST_F(Source, LearnDropsEveryOtherSourceAfterTheLock) {
  TrunkSource source = make(SourcePolicy::learn);
  stream(source, stranger, 4);
  EXPECT_FALSE(stream(source, signalled, 50));
  EXPECT_FALSE(stream(source, at("203.0.113.67:5000"), 50));
  EXPECT_EQ(source.rtp_destination(), stranger);
}

// RFC 7362 §5: the signalled address needs no learning [media-learned]
TEST_F(Source, LearnTakesTheSignalledAddressAtOnce) {
  TrunkSource source = make(SourcePolicy::learn);
  stream(source, stranger, 3);
  EXPECT_TRUE(stream(source, signalled, 1));
  EXPECT_FALSE(stream(source, stranger, 50));
  EXPECT_EQ(source.rtp_destination(), signalled);
}

TEST_F(Source, LearnWantsOneSsrcInSequence) {
  TrunkSource source = make(SourcePolicy::learn);
  for (std::uint32_t i = 0; i < 20; ++i) {
    EXPECT_FALSE(source.accept_rtp(stranger, i, static_cast<std::uint16_t>(i), true, now));
    EXPECT_FALSE(source.accept_rtp(stranger, 1, static_cast<std::uint16_t>(7 * i), true, now));
  }
}

TEST_F(Source, LearnWantsAPayloadTypeThatWasNegotiated) {
  TrunkSource source = make(SourcePolicy::learn);
  for (std::uint16_t i = 0; i < 20; ++i) {
    EXPECT_FALSE(source.accept_rtp(stranger, 1, i, false, now));
  }
}

// RFC 7362 §5: not after the window [media-learned]
TEST_F(Source, LearnEndsWithItsWindow) {
  TrunkSource source = make(SourcePolicy::learn);
  now += seconds{3};
  EXPECT_FALSE(stream(source, stranger, 50));
  EXPECT_TRUE(stream(source, signalled, 1));
}

TEST_F(Source, LearnChoosesNobodyWhileTwoStreamsCompete) {
  TrunkSource source = make(SourcePolicy::learn);
  const SocketAddress rival = at("203.0.113.67:5000");
  for (std::uint16_t i = 0; i < 20; ++i) {
    EXPECT_FALSE(source.accept_rtp(stranger, 1, i, true, now));
    EXPECT_FALSE(source.accept_rtp(rival, 2, i, true, now));
    now += milliseconds{20};
  }
  EXPECT_FALSE(source.locked());
  EXPECT_EQ(source.rtp_destination(), signalled);
}

TEST_F(Source, LearnChoosesTheOneThatRemains) {
  TrunkSource source = make(SourcePolicy::learn);
  stream(source, at("203.0.113.67:5000"), 3);
  now += milliseconds{500};
  EXPECT_TRUE(stream(source, stranger, 4));
}

TEST_F(Source, LearnHonoursItsAccessList) {
  TrunkSource source = make(SourcePolicy::learn, {*AddressRange::parse("198.51.100.0/24")});
  EXPECT_FALSE(stream(source, stranger, 50));
  EXPECT_TRUE(stream(source, other_port, 4));
}

// RFC 7362 §5: a description opens it [media-learned-once]
TEST_F(Source, ANewDescriptionOpensItAgain) {
  TrunkSource source = make(SourcePolicy::learn);
  stream(source, stranger, 4);
  const SocketAddress moved = at("198.51.100.10:5000");
  source.describe({moved, {}, false}, now);
  EXPECT_FALSE(source.locked());
  EXPECT_EQ(source.rtp_destination(), moved);
  EXPECT_TRUE(stream(source, moved, 1));
}

TEST_F(Source, TheSameDescriptionChangesNothing) {
  TrunkSource source = make(SourcePolicy::learn);
  stream(source, stranger, 4);
  source.describe({signalled, at("198.51.100.9:5001"), false}, now);
  EXPECT_TRUE(source.locked());
  EXPECT_EQ(source.rtp_destination(), stranger);
}

// RFC 7362 §5: no other host [rtcp-source]
TEST_F(Source, RtcpComesFromTheHostOfTheAudio) {
  TrunkSource source = make(SourcePolicy::pinned);
  EXPECT_TRUE(source.accept_rtcp(at("198.51.100.9:44444")));
  EXPECT_FALSE(source.accept_rtcp(stranger));
}

TEST_F(Source, RtcpFollowsTheLock) {
  TrunkSource source = make(SourcePolicy::learn);
  stream(source, stranger, 4);
  EXPECT_TRUE(source.accept_rtcp(at("203.0.113.66:5001")));
  EXPECT_FALSE(source.accept_rtcp(at("198.51.100.9:5001")));
  EXPECT_EQ(source.rtcp_destination(), at("203.0.113.66:5001"));
}

// RFC 6890 §2.2: groups, broadcast, ourselves [media-destinations]
TEST_F(Source, SendsNothingToAnAddressThatIsNone) {
  for (const char* text :
       {"0.0.0.0:5000", "0.1.2.3:5000", "224.0.0.1:5000", "255.255.255.255:5000", "240.0.0.1:5000",
        "[ff02::1]:5000", "[::]:5000", "198.51.100.9:0", "192.0.2.1:20000"}) {
    TrunkSource source(SourcePolicy::pinned, {}, seconds{3}, own);
    source.describe({at(text), at("198.51.100.9:5001"), false}, now);
    EXPECT_TRUE(source.rtp_destination().empty()) << text;
    EXPECT_TRUE(source.rtcp_destination().empty()) << text;
  }
}

/// Where the audio goes of a peer that signals from `host` and describes `rtp`.
std::string aimed(const char* own, const char* host, const char* rtp, const char* allow = nullptr) {
  std::vector<AddressRange> ranges;
  if (allow != nullptr) ranges.push_back(*AddressRange::parse(allow));
  TrunkSource source(SourcePolicy::pinned, ranges, seconds{3}, at(own));
  TrunkRemote remote{at(rtp), {}, true};
  if (host != nullptr) remote.host = *IpAddress::parse(host);
  source.describe(remote, TimePoint{} + seconds{10});
  return source.rtp_destination().text();
}

// RFC 6890 §2.2: loopback and link-local [media-destinations]
TEST_F(Source, ADescriptionAimsNothingAtThisMachineOrItsLink) {
  for (const char* text :
       {"127.0.0.1:9090", "169.254.169.254:80", "[::1]:9090", "[fe80::1]:5000"}) {
    EXPECT_EQ(aimed("192.0.2.1:20000", "198.51.100.9", text), SocketAddress{}.text()) << text;
    EXPECT_EQ(aimed("192.0.2.1:20000", nullptr, text), SocketAddress{}.text()) << text;
    EXPECT_EQ(aimed("0.0.0.0:20000", "198.51.100.9", text), SocketAddress{}.text()) << text;
  }
  EXPECT_EQ(aimed("192.0.2.1:20000", "198.51.100.9", "127.0.0.1:5000", "127.0.0.1"),
            "127.0.0.1:5000");
  EXPECT_EQ(aimed("127.0.0.1:20000", "127.0.0.1", "127.0.0.2:5000"), "127.0.0.2:5000");
  EXPECT_EQ(aimed("0.0.0.0:20000", "127.0.0.1", "127.0.0.1:5000"), "127.0.0.1:5000");
  EXPECT_EQ(aimed("127.0.0.1:20000", "127.0.0.1", "169.254.169.254:80"), SocketAddress{}.text());
}

// RFC 6890 §2.2: private networks [media-destinations]
TEST_F(Source, APeerOutsideAimsNothingIntoAPrivateNetwork) {
  for (const char* text : {"10.0.0.5:5000", "172.16.3.4:5000", "192.168.1.9:5000",
                           "100.64.0.1:5000", "[fd00::5]:5000"}) {
    EXPECT_EQ(aimed("10.0.0.1:20000", "198.51.100.9", text), SocketAddress{}.text()) << text;
    EXPECT_EQ(aimed("10.0.0.1:20000", "10.9.9.9", text), text);
    EXPECT_EQ(aimed("10.0.0.1:20000", nullptr, text), text) << "where its signalling is unknown";
  }
  EXPECT_EQ(aimed("10.0.0.1:20000", "198.51.100.9", "10.0.0.5:5000", "10.0.0.0/24"),
            "10.0.0.5:5000");
}

TEST_F(Source, SendsNoRtcpToAThirdHost) {
  TrunkSource source(SourcePolicy::pinned, {}, seconds{3}, own);
  source.describe({signalled, stranger, false}, now);
  EXPECT_TRUE(source.rtcp_destination().empty());
}

TEST_F(Source, SendsMuxedRtcpWhereTheAudioGoes) {
  TrunkSource source(SourcePolicy::pinned, {}, seconds{3}, own);
  source.describe({signalled, {}, true}, now);
  EXPECT_EQ(source.rtcp_destination(), signalled);
}

}  // namespace
}  // namespace trunkline::media
