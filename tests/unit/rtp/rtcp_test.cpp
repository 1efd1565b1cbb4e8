#include "rtp/rtcp.hpp"

#include <algorithm>
#include <array>
#include <gmock/gmock.h>
#include <string>
#include <vector>

namespace trunkline::rtp {
namespace {

using Bytes = std::vector<std::uint8_t>;
using testing::IsEmpty;

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes whole;
  for (const Bytes& part : parts)
    whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

// A packet with this body; its size must be a multiple of 4.
Bytes packet(std::uint8_t first, std::uint8_t type, const Bytes& body) {
  Bytes bytes{first, type, 0, static_cast<std::uint8_t>(body.size() / 4)};
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

std::vector<RtcpPacket> packets(ByteView bytes) {
  auto reader = RtcpReader::open(bytes);
  EXPECT_TRUE(reader);
  std::vector<RtcpPacket> found;
  while (reader) {
    const auto one = reader->next();
    if (!one) break;
    found.push_back(*one);
  }
  return found;
}

RtcpError error_of(ByteView bytes) {
  const auto reader = RtcpReader::open(bytes);
  return reader ? RtcpError::count_ : reader.error();
}

const Bytes kEmptyRr{0x80, 201, 0, 1, 0xa, 0xb, 0xc, 0xd};

TEST(RtcpReader, WalksACompound) {
  const Bytes bytes = join(
      {kEmptyRr, packet(0x81, 202, {0, 0, 0, 1, 1, 1, 'x', 0}), packet(0x81, 203, {0, 0, 0, 1})});
  const auto found = packets(bytes);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_TRUE(found[0].is(RtcpType::receiver_report));
  EXPECT_EQ(sender_ssrc(found[0]), 0x0a0b0c0dU);
  EXPECT_EQ(cname(found[1]), "x");
  EXPECT_EQ(bye_ssrc(found[2], 0), 1U);
  EXPECT_FALSE(bye_ssrc(found[2], 1));
}

// RFC 5506 §3.4.3: a packet may come by itself [rtcp-reduced]
TEST(RtcpReader, TakesReducedSizeFeedback) {
  const auto found = packets(packet(0x8f, 205, {0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].is(RtcpType::transport_feedback));
  EXPECT_EQ(found[0].count, 15);
}

TEST(RtcpReader, HandsOutTypesItDoesNotKnow) {
  const auto found = packets(join({packet(0x80, 210, {1, 2, 3, 4}), kEmptyRr}));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].type, 210);
}

TEST(RtcpReader, RefusesACompoundThatIsBrokenAnywhere) {
  EXPECT_EQ(error_of({}), RtcpError::too_short);
  EXPECT_EQ(error_of(Bytes{0x80, 201, 0, 0}), RtcpError::too_short);
  EXPECT_EQ(error_of(Bytes{0x80, 201, 0, 2, 1, 2, 3, 4}), RtcpError::length);
  EXPECT_EQ(error_of(Bytes{0x80, 201, 0xff, 0xff, 1, 2, 3, 4}), RtcpError::length);
  EXPECT_EQ(error_of(Bytes{0x40, 201, 0, 1, 1, 2, 3, 4}), RtcpError::version);
  EXPECT_EQ(error_of(join({kEmptyRr, {0x80, 202, 0}})), RtcpError::length);
  EXPECT_EQ(error_of(join({kEmptyRr, {0x00, 202, 0, 0}})), RtcpError::version);
  EXPECT_EQ(error_of(join({kEmptyRr, {0x80, 202, 0, 1}})), RtcpError::length);
}

TEST(RtcpReader, TakesPaddingOffTheLastPacketOnly) {
  const Bytes padded = packet(0xa0, 201, {0, 0, 0, 1, 0, 0, 0, 4});
  const auto found = packets(padded);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].body.size(), 4U);
  EXPECT_EQ(error_of(join({padded, kEmptyRr})), RtcpError::padding);
}

TEST(RtcpReader, RefusesImpossiblePadding) {
  EXPECT_EQ(error_of(packet(0xa0, 201, {0, 0, 0, 0})), RtcpError::padding);
  EXPECT_EQ(error_of(packet(0xa0, 201, {0, 0, 0, 3})), RtcpError::padding);
  EXPECT_EQ(error_of(packet(0xa0, 201, {0, 0, 0, 8})), RtcpError::padding);
}

TEST(RtcpReader, NoPrefixOfAPacketIsAPacket) {
  std::array<std::uint8_t, 200> buffer{};
  const ReportBlock block{.ssrc = 1};
  const std::size_t size = write_report(
      buffer, {.ssrc = 5, .sender = SenderInfo{}, .blocks = {&block, 1}, .cname = "abc"});
  // Whole packets of the compound are compounds themselves.
  for (std::size_t length = 0; length < size; ++length) {
    EXPECT_EQ(RtcpReader::open(ByteView(buffer).first(length)).has_value(), length == 52) << length;
  }
}

// ---------------------------------------------------------------- written and read back

// RFC 3550 §6.4: with the time of the line [rtcp-terminated]
TEST(RtcpReport, ASenderReportReadsBack) {
  const ReportBlock block{.ssrc = 0x22222222,
                          .fraction_lost = 64,
                          .cumulative_lost = -5,
                          .highest_sequence = 0x00012345,
                          .jitter = 77,
                          .last_sr = 0xb7058000,
                          .delay_since_sr = 0x00054000};
  const SenderInfo info{{0xb44db70520000000}, 123456, 1000, 160000};
  std::array<std::uint8_t, 256> buffer{};
  const std::size_t size = write_report(
      buffer,
      {.ssrc = 0x11111111, .sender = info, .blocks = {&block, 1}, .cname = "a-random-cname"});
  ASSERT_GT(size, 0U);
  EXPECT_EQ(size % 4, 0U);
  const auto found = packets(ByteView(buffer).first(size));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].is(RtcpType::sender_report));
  EXPECT_EQ(sender_ssrc(found[0]), 0x11111111U);
  const auto read_info = sender_info(found[0]);
  ASSERT_TRUE(read_info);
  EXPECT_EQ(read_info->ntp, info.ntp);
  EXPECT_EQ(read_info->rtp_timestamp, 123456U);
  EXPECT_EQ(read_info->packets, 1000U);
  EXPECT_EQ(read_info->octets, 160000U);
  const auto read = report_block(found[0], 0);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ssrc, block.ssrc);
  EXPECT_EQ(read->fraction_lost, 64);
  EXPECT_EQ(read->cumulative_lost, -5);
  EXPECT_EQ(read->highest_sequence, block.highest_sequence);
  EXPECT_EQ(read->jitter, 77U);
  EXPECT_EQ(read->last_sr, block.last_sr);
  EXPECT_EQ(read->delay_since_sr, block.delay_since_sr);
  EXPECT_FALSE(report_block(found[0], 1));
  EXPECT_EQ(cname(found[1]), "a-random-cname");
}

// RFC 5506 §3.4.3: ours begins with a report [rtcp-reduced]
TEST(RtcpReport, WithoutSenderInfoItIsAReceiverReport) {
  std::array<std::uint8_t, 256> buffer{};
  const std::array<ReportBlock, 2> blocks{ReportBlock{.ssrc = 1},
                                          ReportBlock{.ssrc = 2, .cumulative_lost = 0x7fffff}};
  const std::size_t size = write_report(buffer, {.ssrc = 5, .blocks = blocks, .cname = "x"});
  const auto found = packets(ByteView(buffer).first(size));
  EXPECT_TRUE(found[0].is(RtcpType::receiver_report));
  EXPECT_FALSE(sender_info(found[0]));
  EXPECT_EQ(report_block(found[0], 1)->ssrc, 2U);
  EXPECT_EQ(report_block(found[0], 1)->cumulative_lost, 0x7fffff);
}

TEST(RtcpReport, EndsWithAByeWhenAsked) {
  std::array<std::uint8_t, 256> buffer{};
  const std::size_t size = write_report(buffer, {.ssrc = 5, .cname = "x", .bye = true});
  const auto found = packets(ByteView(buffer).first(size));
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(bye_ssrc(found[2], 0), 5U);
}

TEST(RtcpReport, PadsEveryLengthOfCname) {
  for (std::size_t length = 1; length < 40; ++length) {
    Bytes buffer(128, 0xee);
    const std::string name(length, 'n');
    buffer.resize(write_report(buffer, {.ssrc = 5, .cname = name}));
    const auto found = packets(buffer);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(cname(found[1]), name);
    EXPECT_EQ(buffer.back(), 0) << "a chunk ends with a null octet";
  }
}

TEST(RtcpReport, CutsTooLongACnameAndTooManyBlocks) {
  Bytes buffer(2000);
  const std::vector<ReportBlock> blocks(40);
  const std::string name(300, 'n');
  buffer.resize(write_report(buffer, {.ssrc = 5, .blocks = blocks, .cname = name}));
  const auto found = packets(buffer);
  EXPECT_EQ(found[0].count, 31);
  EXPECT_EQ(cname(found[1])->size(), 255U);
}

TEST(RtcpReport, WritesNothingPastTheEnd) {
  const ReportBlock block{};
  for (std::size_t room = 0; room < 100; ++room) {
    Bytes buffer(room + 8, 0xee);
    const std::size_t size = write_report(
        MutableBytes(buffer).first(room),
        {.ssrc = 5, .sender = SenderInfo{}, .blocks = {&block, 1}, .cname = "abc", .bye = true});
    EXPECT_EQ(size, room < 76 ? 0 : 76) << room;
    EXPECT_THAT(Bytes(buffer.end() - 8, buffer.end()), testing::Each(0xee));
  }
}

// ---------------------------------------------------------------- bodies shorter than they claim

TEST(RtcpBodies, NothingIsReadPastTheEnd) {
  EXPECT_FALSE(report_block(packets(packet(0x9f, 201, {0, 0, 0, 1}))[0], 0));
  EXPECT_FALSE(report_block(packets(packet(0x81, 200, Bytes(24)))[0], 0));
  EXPECT_FALSE(sender_info(packets(packet(0x80, 200, Bytes(20)))[0]));
  EXPECT_FALSE(bye_ssrc(packets(packet(0x82, 203, {0, 0, 0, 1}))[0], 1));
  EXPECT_FALSE(cname(packets(packet(0x81, 202, {0, 0, 0, 1, 1, 9, 'x', 'y'}))[0]));
  EXPECT_FALSE(cname(packets(packet(0x9f, 202, {0, 0, 0, 1}))[0]));
}

TEST(RtcpBodies, OnlyReportsHaveReportBlocks) {
  EXPECT_FALSE(report_block(packets(packet(0x81, 206, Bytes(28)))[0], 0));
  EXPECT_FALSE(cname(packets(kEmptyRr)[0]));
  EXPECT_FALSE(bye_ssrc(packets(kEmptyRr)[0], 0));
}

TEST(RtcpBodies, FindsTheCnameBehindOtherItemsAndChunks) {
  const Bytes body{0, 0, 0, 1, 2, 1, 'n', 0, 0, 0, 0, 2, 6, 1, 't', 1, 2, 'c', 'n', 0};
  EXPECT_EQ(cname(packets(packet(0x82, 202, body))[0]), "cn");
}

TEST(RtcpBodies, FindsTheDelayOfTheLastReceiverReport) {
  const Bytes xr{0, 0, 0, 9,                                      // sender
                 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8,              // RRT
                 5, 0, 0, 6, 0, 0, 0, 7, 1, 1, 1, 1, 2, 2, 2, 2,  // DLRR about 7
                 0, 0, 0, 8, 3, 3, 3, 3, 4, 4, 4, 4};             // and about 8
  const auto found = delay_of_last_rr(packets(packet(0x80, 207, xr))[0], 8);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->last_sr, 0x03030303U);
  EXPECT_EQ(found->delay_since_sr, 0x04040404U);
  EXPECT_FALSE(delay_of_last_rr(packets(packet(0x80, 207, xr))[0], 6));
  EXPECT_FALSE(delay_of_last_rr(packets(kEmptyRr)[0], 8));
}

TEST(RtcpBodies, ABlockOfAnExtendedReportThatRunsPastTheEndIsIgnored) {
  EXPECT_FALSE(
      delay_of_last_rr(packets(packet(0x80, 207, {0, 0, 0, 9, 5, 0, 0, 9, 0, 0, 0, 8}))[0], 8));
}

// ---------------------------------------------------------------- time

TEST(NtpTime, CountsFrom1900WithAFraction) {
  EXPECT_EQ(ntp_time(std::chrono::nanoseconds(0)).value, 2208988800ULL << 32);
  EXPECT_EQ(ntp_time(std::chrono::milliseconds(500)).value, (2208988800ULL << 32) + 0x80000000);
  EXPECT_EQ(ntp_time(std::chrono::nanoseconds(-5)).value, 2208988800ULL << 32);
}

TEST(NtpTime, ItsMiddleIsTheLsr) {
  EXPECT_EQ((NtpTime{0xb44db70520000000}.middle()), 0xb7052000U);
}

// RFC 3550 §6.4.1: as in the example [round-trip]
TEST(RoundTrip, IsThatOfTheExampleOfRfc3550) {
  // RFC 3550 figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000; 6.125 s.
  const ReportBlock block{.last_sr = 0xb7052000, .delay_since_sr = 0x00054000};
  EXPECT_EQ(round_trip(block, {0x0000b71080000000}), milliseconds{6125});
}

TEST(RoundTrip, IsUnknownWithoutASenderReport) {
  EXPECT_FALSE(round_trip(ReportBlock{}, {0x0000b71080000000}));
}

// RFC 3550 §6.4.1: what can not be is none [round-trip]
TEST(RoundTrip, RefusesImpossibleValues) {
  EXPECT_FALSE(round_trip({.last_sr = 0xb7108001, .delay_since_sr = 0}, {0x0000b71080000000}))
      << "negative";
  EXPECT_FALSE(round_trip({.last_sr = 0xb6008000, .delay_since_sr = 0}, {0x0000b71080000000}))
      << "272 s";
}

TEST(RoundTrip, GoesThroughTheRollOverOfTheMiddleBits) {
  const ReportBlock block{.last_sr = 0xffff8000, .delay_since_sr = 0x4000};
  EXPECT_EQ(round_trip(block, {0x0000000040000000}), milliseconds{500});
}

// RFC 3550 §6.2: the interval is spread [rtcp-interval]
TEST(RtcpInterval, IsSpreadFromHalfToOneAndAHalf) {
  SeededRandom random(3);
  Duration shortest = seconds{100}, longest{};
  for (int i = 0; i < 2000; ++i) {
    const Duration interval = rtcp_interval(seconds{5}, random);
    shortest = std::min(shortest, interval);
    longest = std::max(longest, interval);
  }
  EXPECT_GE(shortest, milliseconds{2500});
  EXPECT_LT(shortest, milliseconds{2600});
  EXPECT_LE(longest, milliseconds{7500});
  EXPECT_GT(longest, milliseconds{7400});
}

TEST(RtcpLabels, AreAllDifferent) {
  std::vector<std::string_view> labels;
  for (int i = 0; i < static_cast<int>(RtcpError::count_); ++i)
    labels.push_back(label(static_cast<RtcpError>(i)));
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(std::adjacent_find(labels.begin(), labels.end()), labels.end());
}

}  // namespace
}  // namespace trunkline::rtp
