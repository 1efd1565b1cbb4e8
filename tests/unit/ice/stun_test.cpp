#include "ice/stun.hpp"

#include "controlling_peer.hpp"
#include <gmock/gmock.h>

namespace trunkline::ice {
namespace {

using test::Bytes;
using testing::ElementsAre;

constexpr std::string_view kVectorPassword = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 §2.1
const Bytes kRequestVector{
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};
// RFC 5769 §2.2
const Bytes kIpv4ResponseVector{
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
    0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
    0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96};
// RFC 5769 §2.3
const Bytes kIpv6ResponseVector{
    0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63,
    0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
    0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9, 0x00, 0x08, 0x00, 0x14,
    0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75,
    0xbf, 0xe3, 0xed, 0x41, 0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c};

StunParseError error_of(ByteView datagram) {
  const auto message = StunMessage::parse(datagram);
  return message ? StunParseError::count_ : message.error();
}

// A message without FINGERPRINT, so that a test may break it elsewhere.
Bytes bare(std::initializer_list<std::uint8_t> attributes) {
  Bytes bytes(kStunHeaderSize);
  store16(bytes, 0, 0x0001);
  store16(bytes, 2, static_cast<std::uint16_t>(attributes.size()));
  store32(bytes, 4, kStunMagicCookie);
  bytes.insert(bytes.end(), attributes);
  return bytes;
}

TEST(Stun, ReadsTheRequestVector) {
  const auto message = StunMessage::parse(kRequestVector);
  ASSERT_TRUE(message) << label(message.error());
  EXPECT_EQ(message->message_class(), StunClass::request);
  EXPECT_TRUE(message->is_binding());
  EXPECT_TRUE(message->has_fingerprint());
  EXPECT_EQ(message->username(), "evtj:h6vY");
  EXPECT_EQ(message->receiver_ufrag(), "evtj");
  EXPECT_EQ(message->sender_ufrag(), "h6vY");
  EXPECT_EQ(message->priority(), 0x6e0001ffU);
  EXPECT_EQ(message->ice_controlled(), 0x932ff9b151263b36U);
  EXPECT_FALSE(message->ice_controlling());
  EXPECT_FALSE(message->use_candidate());
  EXPECT_TRUE(message->unknown_attributes().empty());
}

TEST(Stun, AuthenticatesTheRequestVector) {
  const StunKey key(kVectorPassword);
  EXPECT_TRUE(StunMessage::parse(kRequestVector)->authenticate(key));
  EXPECT_TRUE(StunMessage::parse(kRequestVector)->authenticate(key))
      << "a key serves more than once";
}

TEST(Stun, ReadsTheIpv4ResponseVector) {
  const auto message = StunMessage::parse(kIpv4ResponseVector);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_class(), StunClass::success);
  EXPECT_TRUE(message->authenticate(StunKey(kVectorPassword)));
  EXPECT_EQ(message->xor_mapped_address(), SocketAddress::parse("192.0.2.1:32853"));
}

TEST(Stun, ReadsTheIpv6ResponseVector) {
  const auto message = StunMessage::parse(kIpv6ResponseVector);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->authenticate(StunKey(kVectorPassword)));
  EXPECT_EQ(message->xor_mapped_address(),
            SocketAddress::parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853"));
}

TEST(Stun, RefusesAnotherPassword) {
  EXPECT_FALSE(StunMessage::parse(kRequestVector)->authenticate(StunKey("VOkJxbRl1RmTxUk/WvJxBu")));
}

TEST(Stun, AnEmptyOrMovedKeyOnlyRefuses) {
  StunKey key(kVectorPassword);
  const StunKey moved = std::move(key);
  EXPECT_TRUE(StunMessage::parse(kRequestVector)->authenticate(moved));
  EXPECT_FALSE(StunMessage::parse(kRequestVector)->authenticate(StunKey()));
  EXPECT_FALSE(StunMessage::parse(kRequestVector)->authenticate(StunKey("")));
}

// RFC 8489 §9.1.3: every octet is signed [stun-authentic]
TEST(Stun, NoOctetOfASignedMessageCanBeChanged) {
  const StunKey key(kVectorPassword);
  for (std::size_t at = 0; at < kRequestVector.size(); ++at) {
    Bytes changed = kRequestVector;
    changed[at] ^= 0x04;
    const auto message = StunMessage::parse(changed);
    EXPECT_FALSE(message && message->has_fingerprint() && message->authenticate(key))
        << "octet " << at;
  }
}

TEST(Stun, NoPrefixOfAMessageIsAMessage) {
  for (std::size_t size = 0; size < kRequestVector.size(); ++size) {
    EXPECT_FALSE(StunMessage::parse(ByteView(kRequestVector).first(size))) << size;
  }
}

// RFC 8489 §5: header and length [stun-header]
TEST(Stun, NamesWhatIsWrongWithTheHeader) {
  EXPECT_EQ(error_of({}), StunParseError::too_short);
  Bytes bytes = bare({});
  EXPECT_EQ(error_of(bytes), StunParseError::count_);
  bytes[0] = 0x40;
  EXPECT_EQ(error_of(bytes), StunParseError::not_stun);
  bytes = bare({});
  bytes[4] = 0;
  EXPECT_EQ(error_of(bytes), StunParseError::not_stun);
  bytes = bare({0, 0});
  EXPECT_EQ(error_of(bytes), StunParseError::length);
  bytes = bare({0x80, 0x22, 0, 0});
  bytes.push_back(0);
  EXPECT_EQ(error_of(bytes), StunParseError::length);
}

// RFC 8489 §5: attributes end where the message ends [stun-header]
TEST(Stun, RefusesAttributesThatRunPastTheEnd) {
  EXPECT_EQ(error_of(bare({0x80, 0x22, 0, 4})), StunParseError::attribute);
  EXPECT_EQ(error_of(bare({0x80, 0x22, 0xff, 0xff, 1, 2, 3, 4})), StunParseError::attribute);
  EXPECT_EQ(error_of(bare({0x80, 0x22, 0, 5, 1, 2, 3, 4})), StunParseError::attribute);
}

TEST(Stun, RefusesKnownAttributesOfImpossibleLength) {
  EXPECT_EQ(error_of(bare({0, 0x24, 0, 3, 1, 2, 3, 0})), StunParseError::attribute) << "PRIORITY";
  EXPECT_EQ(error_of(bare({0, 0x25, 0, 1, 1, 0, 0, 0})), StunParseError::attribute)
      << "USE-CANDIDATE";
  EXPECT_EQ(error_of(bare({0, 0x08, 0, 4, 1, 2, 3, 4})), StunParseError::attribute)
      << "MESSAGE-INTEGRITY";
  EXPECT_EQ(error_of(bare({0x80, 0x28, 0, 0})), StunParseError::attribute) << "FINGERPRINT";
  EXPECT_EQ(error_of(bare({0, 0x20, 0, 8, 0, 2, 0, 0, 1, 2, 3, 4})), StunParseError::attribute)
      << "IPv6 of 4";
  EXPECT_EQ(error_of(bare({0, 0x20, 0, 8, 0, 3, 0, 0, 1, 2, 3, 4})), StunParseError::attribute)
      << "family";
  EXPECT_EQ(error_of(bare({0, 0x09, 0, 2, 0, 0, 0, 0})), StunParseError::attribute) << "ERROR-CODE";
  EXPECT_EQ(error_of(bare({0x80, 0x2a, 0, 4, 0, 0, 0, 0})), StunParseError::attribute)
      << "ICE-CONTROLLING";
}

// RFC 8489 §5: FINGERPRINT is last [stun-header]
TEST(Stun, RefusesAnythingBehindTheFingerprint) {
  Bytes bytes = kRequestVector;
  bytes.insert(bytes.end(), {0x80, 0x22, 0, 0});
  store16(bytes, 2, static_cast<std::uint16_t>(bytes.size() - kStunHeaderSize));
  // The sum covers the length, so it has to be made anew.
  store32(bytes, kRequestVector.size() - 4,
          crc32(ByteView(bytes).first(kRequestVector.size() - 8)) ^ 0x5354554eU);
  EXPECT_EQ(error_of(bytes), StunParseError::after_fingerprint);
}

// RFC 8489 §9.1.3: nothing behind the integrity is read [stun-authentic]
TEST(Stun, DoesNotSeeAttributesBehindTheIntegrity) {
  test::ControllingPeer peer("them", "us", "a-password-of-twenty-two");
  Bytes bytes = peer.check({.fingerprint = false});
  bytes.insert(bytes.end(), {0x00, 0x25, 0, 0});
  store16(bytes, 2, static_cast<std::uint16_t>(bytes.size() - kStunHeaderSize));
  const auto message = StunMessage::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->authenticate(peer.key()));
  EXPECT_FALSE(message->use_candidate());
}

TEST(Stun, TakesTheFirstOfEqualAttributes) {
  const Bytes bytes = bare({0, 0x24, 0, 4, 0, 0, 0, 1, 0, 0x24, 0, 4, 0, 0, 0, 2});
  EXPECT_EQ(StunMessage::parse(bytes)->priority(), 1U);
}

TEST(Stun, ListsUnknownComprehensionRequiredAttributesOnly) {
  const Bytes bytes =
      bare({0x7f, 0x01, 0, 0, 0xc0, 0x57, 0, 0, 0xc0, 0x01, 0, 0, 0x00, 0x26, 0, 0});
  EXPECT_THAT(StunMessage::parse(bytes)->unknown_attributes(), ElementsAre(0x7f01, 0x0026));
}

TEST(Stun, RemembersOnlyEightUnknownAttributes) {
  Bytes bytes = bare({});
  for (std::uint8_t i = 0; i < 20; ++i)
    bytes.insert(bytes.end(), {0x7f, i, 0, 0});
  store16(bytes, 2, 80);
  EXPECT_EQ(StunMessage::parse(bytes)->unknown_attributes().size(), 8U);
}

TEST(Stun, AUsernameWithoutAColonHasNoUfrags) {
  const Bytes bytes = bare({0, 0x06, 0, 4, 'a', 'b', 'c', 'd'});
  const auto message = StunMessage::parse(bytes);
  EXPECT_EQ(message->username(), "abcd");
  EXPECT_EQ(message->receiver_ufrag(), "");
  EXPECT_EQ(message->sender_ufrag(), "");
}

TEST(StunWriter, WritesACheckThatReadsBack) {
  test::ControllingPeer peer("them", "us", "a-password-of-twenty-two");
  const Bytes bytes = peer.check({.use_candidate = true});
  const auto message = StunMessage::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->message_class(), StunClass::request);
  EXPECT_EQ(message->transaction_id(), peer.last_id());
  EXPECT_EQ(message->username(), "us:them");
  EXPECT_EQ(message->ice_controlling(), 77U);
  EXPECT_TRUE(message->use_candidate());
  EXPECT_TRUE(message->has_fingerprint());
  EXPECT_TRUE(message->authenticate(peer.key()));
}

TEST(StunWriter, MakesTheResponseVectorsAddressesAgain) {
  StunTransactionId id{};
  std::copy_n(kIpv4ResponseVector.begin() + 8, id.size(), id.begin());
  for (const auto& address : {"192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"}) {
    Bytes bytes(128);
    StunWriter writer(bytes, StunClass::success, id);
    bytes.resize(writer.xor_mapped_address(*SocketAddress::parse(address)).finish(nullptr));
    EXPECT_EQ(StunMessage::parse(bytes)->xor_mapped_address(), SocketAddress::parse(address));
  }
}

TEST(StunWriter, ErrorsCarryTheirCode) {
  Bytes bytes(128);
  StunWriter writer(bytes, StunClass::error, {});
  bytes.resize(writer.error_code(kStunRoleConflict).finish(nullptr));
  const auto message = StunMessage::parse(bytes);
  EXPECT_EQ(message->message_class(), StunClass::error);
  EXPECT_EQ(message->error_code(), 487);
}

TEST(StunWriter, AllFourClassesReadBack) {
  for (StunClass wanted :
       {StunClass::request, StunClass::indication, StunClass::success, StunClass::error}) {
    Bytes bytes(64);
    bytes.resize(StunWriter(bytes, wanted, {}).finish(nullptr));
    EXPECT_EQ(StunMessage::parse(bytes)->message_class(), wanted);
    EXPECT_TRUE(StunMessage::parse(bytes)->is_binding());
  }
}

TEST(StunWriter, WritesNothingPastTheEnd) {
  const StunKey key("a-password-of-twenty-two");
  for (std::size_t room = 0; room < 140; ++room) {
    Bytes bytes(room + 8, 0xee);
    StunWriter writer(MutableBytes(bytes).first(room), StunClass::request, {});
    writer.username("receiver", "sender").priority(1).ice_controlling(2).use_candidate();
    const std::size_t size = writer.finish(&key);
    EXPECT_EQ(size, room < 96 ? 0 : 96) << room;
    EXPECT_THAT(Bytes(bytes.end() - 8, bytes.end()), testing::Each(0xee)) << room;
  }
}

TEST(StunWriter, PutsTheLongestUserNameOfIceIntoItsBuffer) {
  Bytes bytes(kMaxStunMessage);
  const std::string ufrag(256, 'a');
  const StunKey key("a-password-of-twenty-two");
  StunWriter writer(bytes, StunClass::request, {});
  bytes.resize(
      writer.username(ufrag, ufrag).priority(1).ice_controlling(1).use_candidate().finish(&key));
  EXPECT_EQ(StunMessage::parse(bytes)->sender_ufrag(), ufrag);
}

TEST(Crc32, HasTheCheckValueOfItsPolynomial) {
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926U);
  EXPECT_EQ(crc32({}), 0U);
}

TEST(StunLabels, AreAllDifferent) {
  std::vector<std::string_view> labels;
  for (int i = 0; i < static_cast<int>(StunParseError::count_); ++i) {
    labels.push_back(label(static_cast<StunParseError>(i)));
    EXPECT_NE(labels.back(), "unknown");
  }
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(std::adjacent_find(labels.begin(), labels.end()), labels.end());
}

}  // namespace
}  // namespace trunkline::ice
