#pragma once
#include "base/random.hpp"
#include "media/srtp.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::media::test {

/// Several SRTP engines that are given the same packets: they must come to the same octets and the
/// same verdicts. What they are given comes from `choices`: packets in and out of order, lost,
/// copied, damaged and cut; roll-overs, and steps back over them; new SSRCs, also such as began
/// before a roll-over; RTP and RTCP.
class SrtpDifferential {
 public:
  /// `choices` decides, `filler` fills payloads; both outlive this.
  SrtpDifferential(std::vector<SrtpEngineKind> engines, SrtpProfile profile, Random& choices,
                   Random& filler);

  /// Seals one packet and opens one. Says what the engines do not agree on.
  std::optional<std::string> step();
  /// Any octets as a packet of the peer.
  std::optional<std::string> receive(ByteView octets, bool rtcp);

  using Verdicts = std::array<std::uint64_t, static_cast<std::size_t>(SrtpVerdict::count_)>;
  const Verdicts& opened() const { return opened_; }
  const Verdicts& sealed() const { return sealed_; }
  /// Streams that were first heard behind their first roll-over.
  std::uint64_t late_streams() const { return late_streams_; }

 private:
  struct Octets {
    std::vector<std::uint8_t> bytes;
    bool rtcp = false;
  };
  struct Stream {
    std::uint32_t ssrc = 0;
    std::uint16_t sequence = 0;
    std::vector<std::unique_ptr<SrtpSender>> senders;
    int unheard = 0;  ///< so many packets more are lost
    bool began_late = false;
  };

  void begin(Stream& stream);
  std::uint16_t next_sequence(Stream& stream);
  Octets clear_packet(Stream& stream);
  std::optional<std::string> seal(Stream& stream, const Octets& clear);
  void damage(std::vector<std::uint8_t>& bytes);

  std::vector<SrtpEngineKind> engines_;
  SrtpProfile profile_;
  Random& choices_;
  Random& filler_;
  SrtpMasterKey key_;
  std::array<Stream, 4> streams_;
  std::vector<std::unique_ptr<SrtpReceiver>> receivers_;
  std::deque<Octets> history_;
  Verdicts opened_{}, sealed_{};
  std::uint64_t late_streams_ = 0;
};

}  // namespace trunkline::media::test
