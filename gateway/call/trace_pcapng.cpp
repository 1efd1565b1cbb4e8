#include "base/bytes.hpp"
#include "call/trace.hpp"

#include <array>
#include <map>
#include <tuple>

namespace trunkline::call {
namespace {

// ---------------------------------------------------------------- the file:
// draft-ietf-opsawg-pcapng

constexpr std::uint32_t kSectionHeader = 0x0A0D0D0A;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrder = 0x1A2B3C4D;
constexpr std::uint16_t kLinkTypeRaw = 101;
constexpr std::uint16_t kEndOfOptions = 0, kComment = 1;
constexpr std::uint16_t kInterfaceName = 2, kInterfaceDescription = 3;
constexpr std::uint16_t kPacketFlags = 2, kUserApplication = 4;
constexpr std::uint32_t kInbound = 1, kOutbound = 2;
constexpr std::size_t kLongestOption = 1000;

/// Little-endian words, as the byte order word of the section says.
class Block {
 public:
  explicit Block(std::uint32_t type) { add32(type).add32(0); }

  Block& add16(std::uint32_t value) {
    bytes_ += static_cast<char>(value & 0xFF);
    bytes_ += static_cast<char>((value >> 8) & 0xFF);
    return *this;
  }
  Block& add32(std::uint32_t value) { return add16(value & 0xFFFF).add16(value >> 16); }
  Block& add_padded(std::string_view data) {
    bytes_ += data;
    bytes_.resize((bytes_.size() + 3) / 4 * 4, '\0');
    return *this;
  }
  Block& option(std::uint16_t code, std::string_view value) {
    value = value.substr(0, kLongestOption);
    return add16(code).add16(static_cast<std::uint32_t>(value.size())).add_padded(value);
  }
  Block& option(std::uint16_t code, std::uint32_t value) {
    return add16(code).add16(sizeof(value)).add32(value);
  }
  /// With the length at both ends.
  std::string finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() + sizeof(std::uint32_t));
    add32(length);
    for (std::size_t i = 0; i < sizeof(length); ++i)
      bytes_[4 + i] = static_cast<char>((length >> (8 * i)) & 0xFF);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

// ---------------------------------------------------------------- the packets

constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr std::size_t kIpv4Header = 20, kIpv6Header = 40, kTcpHeader = 20, kUdpHeader = 8;
constexpr std::uint8_t kHops = 64;
constexpr std::uint16_t kPushAck = 0x5018;  ///< header of five words, PSH and ACK
constexpr std::uint16_t kWindow = 65535;

/// The Internet checksum over parts of even length but the last (RFC 1071).
class Checksum {
 public:
  void add(ByteView bytes) {
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
      sum_ += load16(bytes, i);
    if (bytes.size() % 2 != 0) sum_ += static_cast<std::uint64_t>(bytes.back()) << 8;
  }
  void add(std::uint32_t value) { sum_ += value; }
  std::uint16_t value() const {
    std::uint64_t folded = sum_;
    while (folded > 0xFFFF)
      folded = (folded & 0xFFFF) + (folded >> 16);
    return static_cast<std::uint16_t>(~folded);
  }

 private:
  std::uint64_t sum_ = 0;
};

MutableBytes writable(std::string& text) {
  return {reinterpret_cast<std::uint8_t*>(text.data()), text.size()};
}
ByteView address_bytes(const IpAddress& address) {
  return ByteView(address.bytes()).first(address.is_v4() ? 4 : 16);
}

struct Path {
  SocketAddress from, to;
  auto operator<=>(const Path&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// The IP header in front of `segment`, whose checksum field is still zero and is filled in.
std::string ip_packet(const Path& path, std::uint8_t protocol, std::string segment) {
  const ByteView from = address_bytes(path.from.ip), to = address_bytes(path.to.ip);
  Checksum checksum;
  checksum.add(from);
  checksum.add(to);
  checksum.add(protocol);
  checksum.add(static_cast<std::uint32_t>(segment.size()));
  checksum.add(as_bytes(segment));
  // A UDP checksum of zero would mean that there is none (RFC 768).
  const bool none = protocol == kUdp && checksum.value() == 0;
  store16(writable(segment), protocol == kTcp ? 16 : 6, none ? 0xFFFF : checksum.value());

  const bool v4 = path.from.ip.is_v4();
  std::string header(v4 ? kIpv4Header : kIpv6Header, '\0');
  const MutableBytes out = writable(header);
  if (v4) {
    out[0] = 0x45;
    store16(out, 2, static_cast<std::uint16_t>(header.size() + segment.size()));
    store16(out, 6, 0x4000);  // don't fragment
    out[8] = kHops;
    out[9] = protocol;
    std::copy(from.begin(), from.end(), out.begin() + 12);
    std::copy(to.begin(), to.end(), out.begin() + 16);
    Checksum own;
    own.add(out);
    store16(out, 10, own.value());
  } else {
    out[0] = 0x60;
    store16(out, 4, static_cast<std::uint16_t>(segment.size()));
    out[6] = protocol;
    out[7] = kHops;
    std::copy(from.begin(), from.end(), out.begin() + 8);
    std::copy(to.begin(), to.end(), out.begin() + 24);
  }
  return header + segment;
}

std::string udp_packet(const Path& path, std::string_view payload) {
  std::string segment(kUdpHeader, '\0');
  store16(writable(segment), 0, path.from.port);
  store16(writable(segment), 2, path.to.port);
  store16(writable(segment), 4, static_cast<std::uint16_t>(kUdpHeader + payload.size()));
  return ip_packet(path, kUdp, segment.append(payload));
}

class Capture {
 public:
  explicit Capture(const CallTrace& trace) : trace_(trace) {}
  std::string write();

 private:
  std::string section() const;
  std::string interface(const TraceLeg& leg) const;
  std::string packet(const TraceEntry& entry);
  std::string tcp_packet(const Path& path, std::string_view payload);

  const CallTrace& trace_;
  /// Octets said so far in each direction of each connection.
  std::map<Path, std::uint32_t> said_;
};

/// Who spoke to whom. What is not known of our side is filled in with the unspecified address.
Path path_of(const TraceEntry& entry) {
  SocketAddress local = entry.local, remote = entry.remote;
  const bool v6 = remote.empty() ? local.ip.is_v6() : remote.ip.is_v6();
  const IpAddress none = v6 ? IpAddress::v6({}) : IpAddress::v4({});
  for (SocketAddress* address : {&local, &remote}) {
    if (address->empty() || address->ip.is_v6() != v6) *address = {none, sip::kDefaultPort};
  }
  return entry.sent ? Path{local, remote} : Path{remote, local};
}

/// The same with the port of SIP on our side, by which a reader knows the protocol wherever the
/// real port belongs to another one.
Path shown_path(const TraceEntry& entry) {
  Path path = path_of(entry);
  (entry.sent ? path.from : path.to).port = sip::kDefaultPort;
  return path;
}

/// A message that was cut would make the reassembly of a stream swallow what follows.
bool shown_as_stream(const TraceEntry& entry) {
  return entry.transport == sip::Transport::tcp && entry.bytes.size() == entry.full_size;
}

std::string comment_of(const CallTrace& trace, const TraceEntry& entry) {
  const TraceLeg& leg = trace.legs()[entry.leg];
  const Path path = path_of(entry);
  std::string text =
      "leg " + leg.id + " (" + leg.party + "), " + (entry.sent ? "sent over " : "received over ");
  text.append(sip::transport_label(entry.transport));
  text += " " + path.from.text() + " > " + path.to.text();
  if (entry.copies > 1) {
    const auto late =
        std::chrono::duration_cast<std::chrono::milliseconds>(entry.last_at - entry.at);
    text += ", " + std::to_string(entry.copies) + " times within " + std::to_string(late.count()) +
            " ms";
  }
  if (entry.bytes.size() < entry.full_size)
    text += ", cut from " + std::to_string(entry.full_size) + " octets";
  if (entry.left_out_before != 0)
    text += ", " + std::to_string(entry.left_out_before) + " messages before it left out";
  return text;
}

std::string Capture::section() const {
  Block block(kSectionHeader);
  block.add32(kByteOrder).add16(1).add16(0);
  block.add32(0xFFFFFFFF).add32(0xFFFFFFFF);  // the section's length: not told
  block.option(kComment, "Call " + trace_.call() + ", secrets masked, packet headers made up");
  block.option(kUserApplication, "Trunkline");
  return block.add16(kEndOfOptions).add16(0).finish();
}

std::string Capture::interface(const TraceLeg& leg) const {
  Block block(kInterface);
  block.add16(kLinkTypeRaw).add16(0).add32(0);
  block.option(kInterfaceName, leg.id);
  block.option(kInterfaceDescription, leg.party);
  return block.add16(kEndOfOptions).add16(0).finish();
}

std::string Capture::tcp_packet(const Path& path, std::string_view payload) {
  std::string segment(kTcpHeader, '\0');
  const MutableBytes out = writable(segment);
  std::uint32_t& said = said_[path];
  store16(out, 0, path.from.port);
  store16(out, 2, path.to.port);
  store32(out, 4, 1 + said);
  store32(out, 8, 1 + said_[{path.to, path.from}]);
  store16(out, 12, kPushAck);
  store16(out, 14, kWindow);
  said += static_cast<std::uint32_t>(payload.size());
  return ip_packet(path, kTcp, segment.append(payload));
}

std::string Capture::packet(const TraceEntry& entry) {
  const bool plain =
      entry.transport == sip::Transport::udp || entry.transport == sip::Transport::tcp;
  const Path path = plain ? path_of(entry) : shown_path(entry);
  const std::string bytes =
      shown_as_stream(entry) ? tcp_packet(path, entry.bytes) : udp_packet(path, entry.bytes);
  const auto micros = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(entry.at.time_since_epoch()).count());
  const auto size = static_cast<std::uint32_t>(bytes.size());
  Block block(kEnhancedPacket);
  block.add32(static_cast<std::uint32_t>(entry.leg));
  block.add32(static_cast<std::uint32_t>(micros >> 32)).add32(static_cast<std::uint32_t>(micros));
  block.add32(size).add32(size).add_padded(bytes);
  block.option(kComment, comment_of(trace_, entry));
  block.option(kPacketFlags, entry.sent ? kOutbound : kInbound);
  return block.add16(kEndOfOptions).add16(0).finish();
}

std::string Capture::write() {
  std::string file = section();
  for (const TraceLeg& leg : trace_.legs())
    file += interface(leg);
  for (const TraceEntry& entry : trace_.entries())
    file += packet(entry);
  return file;
}

}  // namespace

std::string trace_pcapng(const CallTrace& trace) {
  return Capture(trace).write();
}

}  // namespace trunkline::call
