#include "support/srtp_differential.hpp"

#include "media/outbox.hpp"

#include <algorithm>
#include <string_view>

namespace trunkline::media::test {

namespace {

constexpr std::size_t kHistory = 256;

/// A packet with the room that `Packet` promises.
struct Roomy {
  std::array<std::uint8_t, kHeadRoom + kMaxDatagram + kTailRoom> buffer;
  Packet packet;
  explicit Roomy(const std::vector<std::uint8_t>& bytes) {
    packet = {buffer.data() + kHeadRoom, std::min(bytes.size(), kMaxDatagram)};
    std::copy_n(bytes.begin(), packet.size, packet.data);
  }
  std::vector<std::uint8_t> copy() const { return {packet.data, packet.data + packet.size}; }
};

std::size_t place(SrtpVerdict verdict) {
  return static_cast<std::size_t>(verdict);
}

std::string difference(std::string_view what, SrtpEngineKind a, SrtpVerdict verdict_a,
                       SrtpEngineKind b, SrtpVerdict verdict_b) {
  return std::string(what) + ": " + std::string(srtp_engine_name(a)) + " says " +
         std::string(verdict_label(verdict_a)) + ", " + std::string(srtp_engine_name(b)) +
         " says " + std::string(verdict_label(verdict_b)) + ", or the octets differ";
}

}  // namespace

SrtpDifferential::SrtpDifferential(std::vector<SrtpEngineKind> engines, SrtpProfile profile,
                                   Random& choices, Random& filler)
    : engines_(std::move(engines)), profile_(profile), choices_(choices), filler_(filler) {
  filler_.fill(key_.key);
  filler_.fill(key_.salt);
  for (const SrtpEngineKind engine : engines_) {
    receivers_.push_back(make_srtp_receiver(engine, profile_, key_));
  }
  for (Stream& stream : streams_)
    begin(stream);
}

void SrtpDifferential::begin(Stream& stream) {
  // The indices of an SSRC that comes again begin anew: under one key that must not be.
  std::uint32_t ssrc = filler_.number32();
  while (std::any_of(streams_.begin(), streams_.end(),
                     [ssrc](const Stream& other) { return other.ssrc == ssrc; })) {
    ssrc = filler_.number32();
  }
  stream = {};
  stream.ssrc = ssrc;
  for (const SrtpEngineKind engine : engines_) {
    stream.senders.push_back(make_srtp_sender(engine, profile_, key_, ssrc));
  }
  stream.began_late = choices_.below(4) == 0;
  if (stream.began_late) {
    stream.sequence = static_cast<std::uint16_t>(65535 - choices_.below(8));
    stream.unheard = 9;
  } else {
    stream.sequence = static_cast<std::uint16_t>(1000 + choices_.below(64000));
  }
}

std::uint16_t SrtpDifferential::next_sequence(Stream& stream) {
  const std::uint32_t dice = choices_.below(100);
  if (stream.unheard > 0 || dice < 78) return ++stream.sequence;
  if (dice < 88)
    return stream.sequence = static_cast<std::uint16_t>(stream.sequence + choices_.below(3000));
  if (dice < 90)
    return stream.sequence = static_cast<std::uint16_t>(stream.sequence + choices_.below(30000));
  return static_cast<std::uint16_t>(stream.sequence - choices_.below(1100));
}

SrtpDifferential::Octets SrtpDifferential::clear_packet(Stream& stream) {
  Octets clear;
  clear.rtcp = choices_.below(8) == 0;
  if (clear.rtcp) {
    clear.bytes.resize(8 + 4 * std::size_t{choices_.below(40)});
    filler_.fill(clear.bytes);
    clear.bytes[0] = 0x80;
    clear.bytes[1] = 200;
    store32(clear.bytes, 4, stream.ssrc);
    return clear;
  }
  const std::uint32_t csrcs = choices_.below(16) == 0 ? choices_.below(16) : 0;
  const bool extension = choices_.below(3) == 0;
  const std::uint32_t words = extension ? choices_.below(4) : 0;
  const std::size_t header = 12 + 4 * csrcs + (extension ? 4 + 4 * words : 0);
  clear.bytes.resize(header +
                     (choices_.below(8) == 0 ? choices_.below(1200) : choices_.below(200)));
  filler_.fill(clear.bytes);
  clear.bytes[0] = static_cast<std::uint8_t>(0x80 | csrcs | (extension ? 0x10 : 0));
  clear.bytes[1] &= 0x9f;
  store16(clear.bytes, 2, next_sequence(stream));
  store32(clear.bytes, 8, stream.ssrc);
  if (extension) store16(clear.bytes, 12 + 4 * csrcs + 2, static_cast<std::uint16_t>(words));
  return clear;
}

std::optional<std::string> SrtpDifferential::seal(Stream& stream, const Octets& clear) {
  std::optional<SrtpVerdict> first;
  std::vector<std::uint8_t> octets;
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    Roomy own(clear.bytes);
    SrtpSender& sender = *stream.senders[i];
    const SrtpVerdict verdict =
        clear.rtcp ? sender.protect_rtcp(own.packet) : sender.protect_rtp(own.packet);
    if (!first) {
      first = verdict;
      octets = own.copy();
    } else if (verdict != *first || (verdict == SrtpVerdict::ok && own.copy() != octets)) {
      return difference("sealing", engines_[0], *first, engines_[i], verdict);
    }
  }
  ++sealed_[place(*first)];
  if (*first != SrtpVerdict::ok) return std::nullopt;
  if (!clear.rtcp && stream.unheard > 0) {
    --stream.unheard;
    return std::nullopt;
  }
  if (!clear.rtcp && stream.began_late) {
    stream.began_late = false;
    ++late_streams_;
  }
  history_.push_back({std::move(octets), clear.rtcp});
  if (history_.size() > kHistory) history_.pop_front();
  return std::nullopt;
}

std::optional<std::string> SrtpDifferential::receive(ByteView octets, bool rtcp) {
  const std::vector<std::uint8_t> bytes(octets.begin(), octets.end());
  std::optional<SrtpVerdict> first;
  std::vector<std::uint8_t> clear;
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    Roomy own(bytes);
    SrtpReceiver& receiver = *receivers_[i];
    const SrtpVerdict verdict =
        rtcp ? receiver.unprotect_rtcp(own.packet) : receiver.unprotect_rtp(own.packet);
    if (!first) {
      first = verdict;
      clear = own.copy();
    } else if (verdict != *first || (verdict == SrtpVerdict::ok && own.copy() != clear)) {
      return difference("opening", engines_[0], *first, engines_[i], verdict);
    }
  }
  ++opened_[place(*first)];
  return std::nullopt;
}

void SrtpDifferential::damage(std::vector<std::uint8_t>& bytes) {
  const std::uint32_t at = choices_.below(static_cast<std::uint32_t>(bytes.size()));
  if (choices_.below(4) == 0) {
    bytes.resize(at);
  } else {
    bytes[at] ^= static_cast<std::uint8_t>(1 + choices_.below(255));
  }
}

std::optional<std::string> SrtpDifferential::step() {
  Stream& stream = streams_[choices_.below(static_cast<std::uint32_t>(streams_.size()))];
  if (choices_.below(400) == 0) begin(stream);
  if (auto found = seal(stream, clear_packet(stream))) return found;
  if (history_.empty()) return std::nullopt;
  const std::uint32_t dice = choices_.below(100);
  Octets chosen = dice < 75 ? history_.back()
                            : history_[choices_.below(static_cast<std::uint32_t>(history_.size()))];
  if (dice >= 92) damage(chosen.bytes);
  return receive(chosen.bytes, chosen.rtcp);
}

}  // namespace trunkline::media::test
