#include "base/bytes.hpp"

#include "unit/call/trace_messages.hpp"
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace trunkline::call {
namespace {

using namespace traced;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr TimePoint kNow{seconds{1000}};
const std::string kSdp = "Content-Type: application/sdp\r\n";

class TraceFormatsTest : public testing::Test {
 protected:
  /// alice calls, the carrier rings, answers over a lossy path, alice hangs up.
  const CallTrace& call() {
    traces_.add_leg(kCall, from_leg());
    traces_.add_leg(kCall, to_leg());
    traces_.record(from_browser(request("INVITE", kFromId, 1, kSdp, "v=0\r\n"), 0));
    traces_.record(to_trunk(request("INVITE", kToId, 7, kSdp, "v=0\r\n"), 2));
    traces_.record(to_trunk(request("INVITE", kToId, 7, kSdp, "v=0\r\n"), 502));
    traces_.record(from_trunk(response("180 Ringing", kToId, 7), 503));
    traces_.record(to_browser(response("180 Ringing", kFromId, 1), 504));
    traces_.record(from_browser(request("BYE", kFromId, 2), 1234));
    return *traces_.find(kCall, kNow);
  }
  const CallTrace& one(const PassingMessage& message) {
    traces_.add_leg(kCall, from_leg());
    traces_.record(message);
    return *traces_.find(kCall, kNow);
  }
  Traces traces_;
};

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

// ---------------------------------------------------------------- text

TEST_F(TraceFormatsTest, TheSessionIdentifierIsTheLastOne) {
  const std::string first = "Session-ID: a;remote=0\r\n", last = "Session-ID: a;remote=b\r\n";
  traces_.add_leg(kCall, from_leg());
  traces_.record(from_browser(request("INVITE", kFromId, 1, first), 0));
  traces_.record(from_browser(request("BYE", kFromId, 2, last), 1));
  traces_.record(from_browser(request("INFO", kFromId, 3), 2));
  const CallTrace& trace = *traces_.find(kCall, kNow);
  EXPECT_THAT(trace_text(trace, false), HasSubstr("\nSession-ID a;remote=b\n"));
  EXPECT_EQ(nlohmann::json::parse(trace_json(trace))["session_id"], "a;remote=b");
}

TEST_F(TraceFormatsTest, TheLadderHasAnArrowAMessage) {
  const std::vector<std::string> text = lines(trace_text(call(), false));
  ASSERT_EQ(text.size(), 11u);
  EXPECT_EQ(text[0], "Call call-1, from 2025-06-15 15:06:40.000 UTC, times in ms, secrets masked");
  EXPECT_THAT(text[2], HasSubstr("user:alice (leg-1)"));
  EXPECT_THAT(text[2], testing::ContainsRegex("alice.*trunkline.*trunk:carrier .leg-2."));
  EXPECT_THAT(text[3], testing::ContainsRegex("wss 127.0.0.1:40000.*udp 198.51.100.7:5070"));
  EXPECT_EQ(text[4],
            std::string(22, ' ') + "|" + std::string(41, ' ') + "|" + std::string(41, ' ') + "|");
  EXPECT_EQ(text[5], "         0.0          |------------ INVITE (1) SDP ------------>|" +
                         std::string(41, ' ') + "|");
  EXPECT_EQ(text[6], "         2.0          |" + std::string(41, ' ') +
                         "|----------- INVITE (7) SDP x2 ---------->|");
  EXPECT_EQ(text[7], "       503.0          |" + std::string(41, ' ') +
                         "|<------- 180 Ringing (7 INVITE) ---------|");
  EXPECT_EQ(text[8], "       504.0          |<------- 180 Ringing (1 INVITE) ---------|" +
                         std::string(41, ' ') + "|");
  EXPECT_EQ(text[9], "      1234.0          |---------------- BYE (2) --------------->|" +
                         std::string(41, ' ') + "|");
}

TEST_F(TraceFormatsTest, TheMessagesFollowTheLadder) {
  const std::string text = trace_text(call());
  EXPECT_THAT(text, HasSubstr("\n[2] 2.0 ms, leg leg-2, sent to udp 198.51.100.7:5070 at "
                              "192.0.2.1:5060, 2 times until 502.0 ms\n"
                              "INVITE sip:1001@example.test SIP/2.0\nVia: "));
  EXPECT_THAT(text, HasSubstr("[5] 1234.0 ms"));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
}

TEST_F(TraceFormatsTest, ALadderOfAForkReachesOverItsLanes) {
  const CallTrace& trace = call();
  traces_.add_leg(kCall, {"leg-3", "user:bob", false, "third"});
  traces_.record(to_browser(request("CANCEL", "third", 3), 2000));
  const std::string text = trace_text(trace, false);
  EXPECT_THAT(text, HasSubstr("|-------------- CANCEL (3) " + std::string(56, '-') + ">|\n"));
}

TEST_F(TraceFormatsTest, NoPeerWritesToTheTerminal) {
  const std::string hostile = response("200 \x1b[2J\xc2\x9b\x7f\xff" + std::string(300, 'A'),
                                       kFromId, 1, "INVITE", "Subject: \xc3\xbc\x1b]0;x\x07\t\r\n");
  const std::string text = trace_text(one(from_browser(hostile, 0)));
  for (const char c : text)
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n') << static_cast<int>(c);
  EXPECT_THAT(text, Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(text, Not(HasSubstr("\x7f")));
  EXPECT_THAT(text, HasSubstr("200 .[2J..\xef\xbf\xbd"));
  EXPECT_THAT(text, HasSubstr("Subject: \xc3\xbc.]0;x.."));
  for (const std::string& line : lines(trace_text(one(from_browser(hostile, 0)), false)))
    EXPECT_LE(line.size(), 150u);
}

TEST_F(TraceFormatsTest, WhatIsMissingIsTold) {
  TraceLimits limits;
  limits.first_messages = limits.last_messages = 1;
  limits.message_bytes = 100;
  traces_ = Traces(limits);
  traces_.add_leg(kCall, from_leg());
  for (int i = 0; i < 5; ++i)
    traces_.record(from_browser(request("INFO", kFromId, i), i));
  const CallTrace& trace = *traces_.find(kCall, kNow);
  EXPECT_THAT(trace_text(trace), HasSubstr("... 3 messages left out\n"));
  EXPECT_THAT(trace_text(trace), HasSubstr(", the first 100 of "));
  const auto json = nlohmann::json::parse(trace_json(trace));
  EXPECT_EQ(json["dropped_messages"], 3);
  EXPECT_EQ(json["messages"][1]["left_out_before"], 3);
  EXPECT_THAT(trace_pcapng(trace), HasSubstr("cut from "));
}

TEST_F(TraceFormatsTest, ACallWithoutMessagesIsNoError) {
  traces_.add_leg(kCall, from_leg());
  const CallTrace& trace = *traces_.find(kCall, kNow);
  EXPECT_EQ(trace_text(trace), "Call call-1: no messages\n");
  EXPECT_TRUE(nlohmann::json::parse(trace_json(trace))["messages"].empty());
  EXPECT_FALSE(trace_pcapng(trace).empty());
}

// ---------------------------------------------------------------- JSON

TEST_F(TraceFormatsTest, JsonHoldsEveryMessage) {
  const auto json = nlohmann::json::parse(trace_json(call()));
  EXPECT_EQ(json["call_id"], "call-1");
  EXPECT_EQ(json["legs"][1]["leg_id"], "leg-2");
  EXPECT_EQ(json["legs"][1]["side"], "to");
  EXPECT_EQ(json["legs"][1]["sip_call_id"], kToId);
  EXPECT_EQ(json["dropped_messages"], 0);
  ASSERT_EQ(json["messages"].size(), 5u);
  const auto& invite = json["messages"][1];
  EXPECT_EQ(invite["time"], "2025-06-15T15:06:40.002000Z");
  EXPECT_EQ(invite["offset_ms"], 2.0);
  EXPECT_EQ(invite["last_offset_ms"], 502.0);
  EXPECT_EQ(invite["copies"], 2);
  EXPECT_EQ(invite["direction"], "sent");
  EXPECT_EQ(invite["transport"], "udp");
  EXPECT_EQ(invite["method"], "INVITE");
  EXPECT_EQ(invite["cseq"], "7");
  EXPECT_EQ(invite["message"], request("INVITE", kToId, 7, kSdp, "v=0\r\n"));
  EXPECT_EQ(json["messages"][2]["status"], 180);
  EXPECT_EQ(json["messages"][2]["reason"], "Ringing");
}

TEST_F(TraceFormatsTest, JsonTakesOctetsThatAreNoText) {
  const std::string json =
      trace_json(one(from_browser(request("INVITE", kFromId, 1, "Subject: \xff\x00\x80\r\n"), 0)));
  EXPECT_TRUE(nlohmann::json::accept(json));
}

// ---------------------------------------------------------------- pcapng

/// One block of a pcapng file of this machine's byte order, and what was packed into it.
struct ReadBlock {
  std::uint32_t type = 0;
  std::string body;
};

std::uint32_t little32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- != 0;)
    value = (value << 8) | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

std::vector<ReadBlock> read_blocks(const std::string& file) {
  std::vector<ReadBlock> blocks;
  for (std::size_t at = 0; at < file.size();) {
    const std::uint32_t length = little32(file, at + 4);
    EXPECT_EQ(length % 4, 0u);
    EXPECT_GE(length, 12u);
    EXPECT_LE(at + length, file.size());
    if (length < 12 || at + length > file.size()) break;
    EXPECT_EQ(little32(file, at + length - 4), length);
    blocks.push_back({little32(file, at), file.substr(at + 8, length - 12)});
    at += length;
  }
  return blocks;
}

/// The packets of the file: what an IP stack would be handed.
std::vector<std::string> read_packets(const std::string& file) {
  std::vector<std::string> packets;
  for (const ReadBlock& block : read_blocks(file)) {
    if (block.type == 6) packets.push_back(block.body.substr(20, little32(block.body, 12)));
  }
  return packets;
}

/// The one's complement sum with its checksum inside: all ones when that is right (RFC 1071).
std::uint32_t sum_of(std::string_view bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(bytes[i])) << (i % 2 == 0 ? 8 : 0);
  while (sum > 0xFFFF)
    sum = (sum & 0xFFFF) + (sum >> 16);
  return sum;
}

void expect_sound(const std::string& packet) {
  const bool v4 = packet[0] == 0x45;
  const std::size_t header = v4 ? 20 : 40;
  const std::string segment = packet.substr(header);
  const ByteView ip = as_bytes(packet);
  if (v4) {
    EXPECT_EQ(sum_of(packet.substr(0, header)), 0xFFFFu);
    EXPECT_EQ(load16(ip, 2), packet.size());
  } else {
    EXPECT_EQ(packet[0], 0x60);
    EXPECT_EQ(load16(ip, 4), segment.size());
  }
  std::string pseudo = v4 ? packet.substr(12, 8) : packet.substr(8, 32);
  pseudo += std::string(1, '\0') + packet[v4 ? 9 : 6];
  pseudo += static_cast<char>(segment.size() >> 8);
  pseudo += static_cast<char>(segment.size());
  EXPECT_EQ(sum_of(pseudo + segment), 0xFFFFu);
}

TEST_F(TraceFormatsTest, PcapngHasAnInterfaceALegAndAPacketAMessage) {
  const std::string file = trace_pcapng(call());
  std::vector<std::uint32_t> types;
  for (const ReadBlock& block : read_blocks(file))
    types.push_back(block.type);
  EXPECT_THAT(types, ElementsAre(0x0A0D0D0A, 1, 1, 6, 6, 6, 6, 6));
  const ReadBlock section = read_blocks(file)[0], interface = read_blocks(file)[2];
  EXPECT_EQ(little32(section.body, 0), 0x1A2B3C4Du);
  EXPECT_EQ(little32(interface.body, 0), 101u);
  EXPECT_THAT(interface.body, HasSubstr("leg-2"));
  const ReadBlock packet = read_blocks(file)[4];
  EXPECT_EQ(little32(packet.body, 0), 1u);
  const std::uint64_t micros =
      (std::uint64_t{little32(packet.body, 4)} << 32) | little32(packet.body, 8);
  EXPECT_EQ(micros, 1'750'000'000'002'000u);
  EXPECT_THAT(packet.body, HasSubstr("leg leg-2 (trunk:carrier), sent over udp 192.0.2.1:5060 > "
                                     "198.51.100.7:5070, 2 times within 500 ms"));
}

TEST_F(TraceFormatsTest, PacketsAreSound) {
  const std::vector<std::string> packets = read_packets(trace_pcapng(call()));
  ASSERT_EQ(packets.size(), 5u);
  for (const std::string& packet : packets)
    expect_sound(packet);
  // Over UDP with the ports that were used, over WebSocket with that of SIP on our side.
  EXPECT_EQ(packets[1][9], 17);
  EXPECT_EQ(load16(as_bytes(packets[1]), 20), 5060);
  EXPECT_EQ(load16(as_bytes(packets[1]), 22), 5070);
  EXPECT_EQ(packets[0][9], 17);
  EXPECT_EQ(load16(as_bytes(packets[0]), 20), 40000);
  EXPECT_EQ(load16(as_bytes(packets[0]), 22), 5060);
  EXPECT_EQ(load16(as_bytes(packets[3]), 20), 5060);
  EXPECT_EQ(load16(as_bytes(packets[3]), 22), 40000);
  EXPECT_EQ(packets[1].substr(28), request("INVITE", kToId, 7, kSdp, "v=0\r\n"));
}

TEST_F(TraceFormatsTest, PacketsOfEveryLengthAndFamilyAreSound) {
  traces_.add_leg(kCall, from_leg());
  int i = 0;
  for (const char* address : {"192.0.2.9:5060", "[2001:db8::9]:5062"}) {
    for (const auto transport : {sip::Transport::udp, sip::Transport::tcp, sip::Transport::tls}) {
      for (std::size_t padding = 0; padding < 9; ++padding) {
        const std::string bytes = request(
            "INFO", kFromId, ++i, "Subject: " + std::string(padding * 251, '\xff') + "\r\n");
        PassingMessage message = from_browser(bytes, i);
        message.sent = i % 2 == 0;
        message.transport = transport;
        message.remote = *SocketAddress::parse(address);
        // The local address is of another family, or is not known.
        if (padding % 3 == 0) message.local = {};
        traces_.record(message);
      }
    }
  }
  const auto packets = read_packets(trace_pcapng(*traces_.find(kCall, kNow)));
  EXPECT_EQ(packets.size(), 54u);
  for (const std::string& packet : packets)
    expect_sound(packet);
}

TEST_F(TraceFormatsTest, AUdpChecksumThatComesOutAsZeroIsWrittenAsOnes) {
  // RFC 768: zero would say that there is none. Two octets of the message walk through all sums.
  traces_.add_leg(kCall, from_leg());
  bool seen = false;
  for (int high = 0; high < 256 && !seen; ++high) {
    Traces traces;
    traces.add_leg(kCall, from_leg());
    for (int low = 0; low < 200; ++low) {
      const std::string two = {static_cast<char>(high), static_cast<char>(low)};
      traces.record(from_trunk("\r\nX\r\ni: " + std::string(kFromId) + "\r\nX:" + two + "\r\n", 0));
    }
    for (const std::string& packet : read_packets(trace_pcapng(*traces.find(kCall, kNow)))) {
      EXPECT_NE(load16(as_bytes(packet), 26), 0u);
      seen |= load16(as_bytes(packet), 26) == 0xFFFF;
    }
  }
  EXPECT_TRUE(seen);
}

TEST_F(TraceFormatsTest, AStreamsSequenceNumbersGoOnInBothDirections) {
  traces_.add_leg(kCall, from_leg());
  std::vector<std::string> sent = {request("INVITE", kFromId, 1), response("100 Trying", kFromId),
                                   request("ACK", kFromId, 1), request("BYE", kFromId, 2)};
  for (std::size_t i = 0; i < sent.size(); ++i) {
    PassingMessage message = from_trunk(sent[i], static_cast<int>(i), i == 1);
    message.transport = sip::Transport::tcp;
    traces_.record(message);
  }
  const auto packets = read_packets(trace_pcapng(*traces_.find(kCall, kNow)));
  ASSERT_EQ(packets.size(), 4u);
  const auto sequence = [&](std::size_t i) { return load32(as_bytes(packets[i]), 24); };
  const auto acknowledged = [&](std::size_t i) { return load32(as_bytes(packets[i]), 28); };
  EXPECT_EQ(sequence(0), 1u);
  EXPECT_EQ(sequence(2), 1 + sent[0].size());
  EXPECT_EQ(sequence(3), 1 + sent[0].size() + sent[2].size());
  EXPECT_EQ(sequence(1), 1u);
  EXPECT_EQ(acknowledged(1), 1 + sent[0].size());
  EXPECT_EQ(acknowledged(2), 1 + sent[1].size());
}

}  // namespace
}  // namespace trunkline::call
