#include "base/bytes.hpp"
#include "base/net_address.hpp"
#include "ice/ice_lite.hpp"
#include "ice/stun.hpp"

#include <cstdint>
#include <cstdlib>
#include <vector>

// Any octets as a STUN datagram. Besides not crashing: what parses is whole, its views lie within
// the datagram, and a session that never gave its password away is never connected by it. The same
// octets behind a valid header reach the attributes, which random ones rarely do.
namespace trunkline::ice {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_parse(ByteView datagram) {
  const auto message = StunMessage::parse(datagram);
  if (!message) {
    require(!label(message.error()).empty());
    return;
  }
  require(datagram.size() >= kStunHeaderSize && datagram.size() % 4 == 0);
  require(message->unknown_attributes().size() <= 8);
  if (message->username()) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(message->username()->data());
    require(begin >= datagram.data());
    require(begin + message->username()->size() <= datagram.data() + datagram.size());
    require(message->receiver_ufrag().size() + message->sender_ufrag().size() <=
            message->username()->size());
  }
  if (message->error_code())
    require(*message->error_code() >= 300 && *message->error_code() <= 699);
}

void check_session(ByteView datagram) {
  const TimePoint now = TimePoint{} + seconds{1};
  IceLite ice(IceSettings{}, {"user", "a-password-that-nobody-has"}, std::nullopt, now);
  IceLite::Reply reply{};
  const CheckOutcome outcome =
      ice.receive(datagram, {IpAddress::v4({192, 0, 2, 1}), 1}, 0, now, reply);
  require(outcome.verdict != CheckVerdict::valid && outcome.reply_size == 0 && !ice.connected());
}

std::vector<std::uint8_t> with_header(ByteView attributes) {
  std::vector<std::uint8_t> datagram(kStunHeaderSize);
  datagram.insert(datagram.end(), attributes.begin(), attributes.end());
  while (datagram.size() % 4 != 0)
    datagram.push_back(0);
  store16(datagram, 0, 0x0001);
  store16(datagram, 2, static_cast<std::uint16_t>(datagram.size() - kStunHeaderSize));
  store32(datagram, 4, kStunMagicCookie);
  return datagram;
}

// The attributes, signed and summed by the password's owner: everything behind the HMAC is reached.
void check_authentic(ByteView attributes) {
  const TimePoint now = TimePoint{} + seconds{1};
  const Credentials local{"user", "a-password-that-nobody-has"};
  const StunKey key(local.pwd);
  std::vector<std::uint8_t> datagram(2048);
  StunWriter writer(datagram, StunClass::request, {1, 2, 3});
  writer.username("user", "peer");
  for (std::size_t at = 0; at + 4 <= attributes.size();) {
    const std::size_t size = std::min<std::size_t>(attributes[at + 2], attributes.size() - at - 3);
    writer.attribute(load16(attributes, at), attributes.subspan(at + 3, size));
    at += 3 + size;
  }
  datagram.resize(writer.finish(&key));
  IceLite ice(IceSettings{}, local, std::nullopt, now);
  IceLite::Reply reply{};
  const CheckOutcome outcome =
      ice.receive(datagram, {IpAddress::v4({192, 0, 2, 1}), 1}, 0, now, reply);
  require(outcome.reply_size <= reply.size());
  if (outcome.reply_size != 0) {
    const auto answer = StunMessage::parse(ByteView(reply).first(outcome.reply_size));
    require(answer.has_value() && answer->authenticate(key));
  }
}

}  // namespace
}  // namespace trunkline::ice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::ice;
  const trunkline::ByteView octets(data, std::min<std::size_t>(size, 1500));
  check_parse(octets);
  check_session(octets);
  const auto framed = with_header(octets);
  check_parse(framed);
  check_session(framed);
  check_authentic(octets);
  return 0;
}
