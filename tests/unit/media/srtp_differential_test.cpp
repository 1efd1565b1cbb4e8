// Two engines, one truth: whatever is sent and whatever is done to it on the way, libsrtp and our
// own framing over OpenSSL must produce the same octets and the same verdicts.
#include "srtp_packets.hpp"
#include <deque>
#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

using test::OwnedPacket;

struct Engines {
  std::unique_ptr<SrtpSender> sender;
  std::unique_ptr<SrtpReceiver> receiver;
};

class SrtpDifferential : public testing::TestWithParam<SrtpProfile> {
 protected:
  static constexpr std::array<std::uint32_t, 3> kSsrcs{0x11223344, 0xfeedbeef, 7};

  void SetUp() override {
    key_ = test::random_key(random_);
    for (const std::uint32_t ssrc : kSsrcs) {
      ours_.push_back(engines::openssl_sender(GetParam(), key_, ssrc));
      theirs_.push_back(engines::libsrtp_sender(GetParam(), key_, ssrc));
      sequences_.push_back(static_cast<std::uint16_t>(1000 + random_.below(30000)));
    }
    our_receiver_ = engines::openssl_receiver(GetParam(), key_);
    their_receiver_ = engines::libsrtp_receiver(GetParam(), key_);
    ASSERT_TRUE(our_receiver_ && their_receiver_);
  }

  /// Both engines seal; the result is what both agree on, or nothing when both refuse.
  std::optional<OwnedPacket> seal(std::size_t stream, const OwnedPacket& clear, bool rtcp) {
    OwnedPacket mine = clear, other = clear;
    const SrtpVerdict a =
        rtcp ? ours_[stream]->protect_rtcp(mine.packet) : ours_[stream]->protect_rtp(mine.packet);
    const SrtpVerdict b = rtcp ? theirs_[stream]->protect_rtcp(other.packet)
                               : theirs_[stream]->protect_rtp(other.packet);
    EXPECT_EQ(a, b);
    if (a != SrtpVerdict::ok || b != SrtpVerdict::ok) return std::nullopt;
    EXPECT_EQ(mine.copy(), other.copy());
    return mine;
  }

  SrtpVerdict open(const OwnedPacket& sealed, bool rtcp) {
    OwnedPacket mine = sealed, other = sealed;
    const SrtpVerdict a = rtcp ? our_receiver_->unprotect_rtcp(mine.packet)
                               : our_receiver_->unprotect_rtp(mine.packet);
    const SrtpVerdict b = rtcp ? their_receiver_->unprotect_rtcp(other.packet)
                               : their_receiver_->unprotect_rtp(other.packet);
    EXPECT_EQ(a, b);
    if (a == SrtpVerdict::ok && b == SrtpVerdict::ok) {
      EXPECT_EQ(mine.copy(), other.copy());
    }
    ++verdicts_[static_cast<std::size_t>(a)];
    return a;
  }

  std::uint16_t next_sequence(std::size_t stream) {
    const std::uint32_t dice = random_.below(100);
    std::uint16_t& sequence = sequences_[stream];
    if (dice < 80) return ++sequence;
    if (dice < 90) return sequence = static_cast<std::uint16_t>(sequence + random_.below(3000));
    return static_cast<std::uint16_t>(sequence - random_.below(1100));
  }

  void damage(OwnedPacket& packet) {
    const std::uint32_t at = random_.below(static_cast<std::uint32_t>(packet.packet.size));
    if (random_.below(4) == 0)
      packet.packet.size = at;
    else
      packet.packet.data[at] ^= static_cast<std::uint8_t>(1 + random_.below(255));
    if (packet.packet.size > 0)
      packet.packet.data[0] = static_cast<std::uint8_t>(0x80 | (packet.packet.data[0] & 0x3f));
  }

  SeededRandom random_{20261121};
  SrtpMasterKey key_;
  std::vector<std::unique_ptr<SrtpSender>> ours_, theirs_;
  std::unique_ptr<SrtpReceiver> our_receiver_, their_receiver_;
  std::vector<std::uint16_t> sequences_;
  std::array<int, static_cast<std::size_t>(SrtpVerdict::count_)> verdicts_{};
};

TEST_P(SrtpDifferential, EnginesAgreeOnEveryOctetAndVerdict) {
  std::deque<std::pair<OwnedPacket, bool>> history;
  for (std::size_t stream = 0; stream < kSsrcs.size(); ++stream) {
    const auto first =
        seal(stream, test::random_rtp(random_, kSsrcs[stream], sequences_[stream]), false);
    ASSERT_TRUE(first);
    ASSERT_EQ(open(*first, false), SrtpVerdict::ok);
  }
  for (int i = 0; i < 12000 && !HasFailure(); ++i) {
    const std::size_t stream = random_.below(kSsrcs.size());
    const bool rtcp = random_.below(8) == 0;
    auto sealed = seal(stream,
                       rtcp ? test::random_rtcp(random_, kSsrcs[stream])
                            : test::random_rtp(random_, kSsrcs[stream], next_sequence(stream)),
                       rtcp);
    if (sealed) history.emplace_back(*sealed, rtcp);
    if (history.size() > 200) history.pop_front();
    if (history.empty()) continue;
    const std::uint32_t dice = random_.below(100);
    auto chosen = dice < 70 ? history.back()
                            : history[random_.below(static_cast<std::uint32_t>(history.size()))];
    if (dice >= 90) damage(chosen.first);
    open(chosen.first, chosen.second);
  }
  // The run really met every case.
  EXPECT_GT(verdicts_[static_cast<std::size_t>(SrtpVerdict::ok)], 4000);
  EXPECT_GT(verdicts_[static_cast<std::size_t>(SrtpVerdict::authentication)], 100);
  EXPECT_GT(verdicts_[static_cast<std::size_t>(SrtpVerdict::replayed)], 100);
  EXPECT_GT(verdicts_[static_cast<std::size_t>(SrtpVerdict::malformed)], 10);
}

TEST_P(SrtpDifferential, EnginesForgetTheSameSsrcWhenTheNinthSpeaks) {
  std::vector<OwnedPacket> first;
  for (std::uint32_t ssrc = 100; ssrc < 109; ++ssrc) {
    const auto sender = engines::openssl_sender(GetParam(), key_, ssrc);
    OwnedPacket packet = test::rtp(ssrc, 2000);
    ASSERT_EQ(sender->protect_rtp(packet.packet), SrtpVerdict::ok);
    first.push_back(packet);
    EXPECT_EQ(open(packet, false), SrtpVerdict::ok);
  }
  EXPECT_EQ(open(first[8], false), SrtpVerdict::replayed);
  EXPECT_EQ(open(first[1], false), SrtpVerdict::replayed);
  EXPECT_EQ(open(first[0], false), SrtpVerdict::ok) << "forgotten, so it is new again";
}

INSTANTIATE_TEST_SUITE_P(Profiles, SrtpDifferential, testing::ValuesIn(test::kProfiles));

}  // namespace
}  // namespace trunkline::media
