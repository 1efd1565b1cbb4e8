#include "rtp/packet.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <vector>

namespace trunkline::rtp {
namespace {

using Bytes = std::vector<std::uint8_t>;
using testing::ElementsAre;
using testing::ElementsAreArray;

// Marker, payload type 111, sequence 0x1234, timestamp 0x01020304, SSRC 0xa0b0c0d0, then `rest`.
Bytes packet(std::uint8_t first, std::initializer_list<std::uint8_t> rest) {
  Bytes bytes{first, 0x80 | 111, 0x12, 0x34, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0};
  for (const std::uint8_t byte : rest)
    bytes.push_back(byte);
  return bytes;
}

HeaderError error_of(ByteView bytes) {
  const auto header = parse_header(bytes);
  return header ? HeaderError::count_ : header.error();
}

TEST(RtpHeader, ReadsTheFixedHeader) {
  const auto header = parse_header(packet(0x80, {9, 9, 9}));
  ASSERT_TRUE(header);
  EXPECT_TRUE(header->marker);
  EXPECT_EQ(header->payload_type, 111);
  EXPECT_EQ(header->sequence, 0x1234);
  EXPECT_EQ(header->timestamp, 0x01020304U);
  EXPECT_EQ(header->ssrc, 0xa0b0c0d0U);
  EXPECT_EQ(header->payload_at, 12U);
  EXPECT_EQ(header->payload_size, 3U);
}

TEST(RtpHeader, AnEmptyPayloadIsFine) {
  EXPECT_EQ(parse_header(packet(0x80, {}))->payload_size, 0U);
}

TEST(RtpHeader, SkipsTheCsrcs) {
  const auto header = parse_header(packet(0x82, {1, 1, 1, 1, 2, 2, 2, 2, 9}));
  EXPECT_EQ(header->payload_at, 20U);
  EXPECT_EQ(header->payload_size, 1U);
}

TEST(RtpHeader, SkipsTheExtension) {
  const auto header = parse_header(packet(0x90, {0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, 9, 9}));
  EXPECT_EQ(header->payload_at, 20U);
  EXPECT_EQ(header->payload_size, 2U);
}

// RFC 3550 §5.1: the payload ends before it [padding-bounds]
TEST(RtpHeader, TakesThePaddingOffThePayload) {
  EXPECT_EQ(parse_header(packet(0xa0, {9, 9, 0, 0, 3}))->payload_size, 2U);
  EXPECT_EQ(parse_header(packet(0xa0, {0, 0, 3}))->payload_size, 0U);
}

// RFC 3550 §5.1: lengths are checked [rtp-bounds]
TEST(RtpHeader, RefusesWhatRunsPastTheEnd) {
  const Bytes whole = packet(0x80, {});
  for (std::size_t size = 0; size < 12; ++size) {
    EXPECT_EQ(error_of(ByteView(whole).first(size)), HeaderError::too_short);
  }
  EXPECT_EQ(error_of(packet(0x8f, {1, 2, 3, 4})), HeaderError::csrc);
  EXPECT_EQ(error_of(packet(0x90, {})), HeaderError::extension);
  EXPECT_EQ(error_of(packet(0x90, {0xbe, 0xde, 0})), HeaderError::extension);
  EXPECT_EQ(error_of(packet(0x90, {0xbe, 0xde, 0, 1, 1, 2, 3})), HeaderError::extension);
  EXPECT_EQ(error_of(packet(0x90, {0xbe, 0xde, 0xff, 0xff, 1, 2, 3, 4})), HeaderError::extension);
}

// RFC 3550 §5.1: impossible padding [padding-bounds]
TEST(RtpHeader, RefusesImpossiblePadding) {
  EXPECT_EQ(error_of(packet(0xa0, {9, 9, 0})), HeaderError::padding);
  EXPECT_EQ(error_of(packet(0xa0, {9, 9, 4})), HeaderError::padding);
  EXPECT_EQ(error_of(packet(0xa0, {})), HeaderError::padding) << "the last octet is the SSRC's";
}

TEST(RtpHeader, RefusesOtherVersions) {
  EXPECT_EQ(error_of(packet(0x00, {})), HeaderError::version);
  EXPECT_EQ(error_of(packet(0x40, {})), HeaderError::version);
  EXPECT_EQ(error_of(packet(0xc0, {})), HeaderError::version);
}

TEST(RtpStrip, LeavesABarePacketAlone) {
  Bytes bytes = packet(0x80, {7, 8});
  const Bytes before = bytes;
  const Extent extent = strip(bytes, *parse_header(bytes));
  EXPECT_EQ(extent.offset, 0U);
  EXPECT_EQ(extent.size, 14U);
  EXPECT_EQ(bytes, before);
}

// RFC 3550 §5.3.1: the payload stays as it is [extensions-stripped]
TEST(RtpStrip, RemovesCsrcsExtensionAndPaddingWithoutMovingThePayload) {
  Bytes bytes = packet(0xb1, {5, 5, 5, 5, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, 7, 8, 9, 0, 2});
  const std::uint8_t* payload = bytes.data() + parse_header(bytes)->payload_at;
  const Extent extent = strip(bytes, *parse_header(bytes));
  const Bytes stripped(bytes.begin() + static_cast<std::ptrdiff_t>(extent.offset),
                       bytes.begin() + static_cast<std::ptrdiff_t>(extent.offset + extent.size));
  EXPECT_THAT(stripped, ElementsAreArray(packet(0x80, {7, 8, 9})));
  EXPECT_EQ(bytes.data() + extent.offset + 12, payload);
}

TEST(RtpStrip, WorksWithTheShortestOverlap) {
  Bytes bytes = packet(0x81, {5, 5, 5, 5, 7});
  const Extent extent = strip(bytes, *parse_header(bytes));
  EXPECT_EQ(extent.offset, 4U);
  const auto again = parse_header(ByteView(bytes).subspan(extent.offset, extent.size));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->ssrc, 0xa0b0c0d0U);
  EXPECT_EQ(again->payload_size, 1U);
}

TEST(RtpRewrite, EachSetterChangesOnlyItsField) {
  Bytes bytes = packet(0x80, {7});
  set_payload_type(bytes, 8);
  EXPECT_EQ(bytes[1], 0x80 | 8) << "the marker stays";
  set_marker(bytes, false);
  EXPECT_EQ(bytes[1], 8);
  set_marker(bytes, true);
  set_sequence(bytes, 65535);
  set_timestamp(bytes, 0xfffefdfc);
  set_ssrc(bytes, 0x01020304);
  EXPECT_THAT(bytes, ElementsAre(0x80, 0x88, 0xff, 0xff, 0xff, 0xfe, 0xfd, 0xfc, 1, 2, 3, 4, 7));
}

TEST(RtpRewrite, AWrittenHeaderReadsBack) {
  Bytes bytes(12 + 160);
  Header header;
  header.marker = true;
  header.payload_type = 101;
  header.sequence = 40000;
  header.timestamp = 0x80000001;
  header.ssrc = 0xdeadbeef;
  write_header(bytes, header);
  const auto read = parse_header(bytes);
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->marker);
  EXPECT_EQ(read->payload_type, 101);
  EXPECT_EQ(read->sequence, 40000);
  EXPECT_EQ(read->timestamp, 0x80000001U);
  EXPECT_EQ(read->ssrc, 0xdeadbeefU);
  EXPECT_EQ(read->payload_size, 160U);
}

// RFC 7983 §7: by the first octet [demux]
TEST(Demux, ClassifiesEveryFirstOctetAsRfc7983Does) {
  const auto expected = [](int first) {
    if (first <= 3) return DatagramKind::stun;
    if (first < 16) return DatagramKind::unknown;
    if (first <= 19) return DatagramKind::zrtp;
    if (first <= 63) return DatagramKind::dtls;
    if (first <= 79) return DatagramKind::turn;
    if (first < 128) return DatagramKind::unknown;
    if (first <= 191) return DatagramKind::rtp;
    return DatagramKind::unknown;
  };
  for (int first = 0; first < 256; ++first) {
    const Bytes bytes{static_cast<std::uint8_t>(first)};
    EXPECT_EQ(classify(bytes), expected(first)) << first;
  }
  EXPECT_EQ(classify({}), DatagramKind::unknown);
}

// RFC 5761 §4: by the second octet [demux-rtcp]
TEST(Demux, TellsRtcpBySecondOctet) {
  for (int second = 0; second < 256; ++second) {
    const Bytes bytes{0x80, static_cast<std::uint8_t>(second)};
    EXPECT_EQ(is_rtcp(bytes), second >= 192 && second <= 223) << second;
  }
  EXPECT_FALSE(is_rtcp(Bytes{0x80}));
}

TEST(RtpLabels, AreAllDifferent) {
  std::vector<std::string_view> labels;
  for (int i = 0; i < static_cast<int>(HeaderError::count_); ++i)
    labels.push_back(label(static_cast<HeaderError>(i)));
  for (int i = 0; i < static_cast<int>(DatagramKind::count_); ++i)
    labels.push_back(label(static_cast<DatagramKind>(i)));
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(std::adjacent_find(labels.begin(), labels.end()), labels.end());
}

}  // namespace
}  // namespace trunkline::rtp
