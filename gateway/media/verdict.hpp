#pragma once
#include "media/api.hpp"
#include "media/counters.hpp"

#include <cstdint>

/// Why nothing is heard: one cause for each direction of a leg, from what its guards have seen.
namespace trunkline::media {

/// What is known of a leg's way to us.
struct ReceivingFacts {
  LegKind leg = LegKind::webrtc;
  // of a browser
  bool checked = false;          ///< a check of ICE has come, of whatever worth
  bool connected = false;        ///< one was valid
  bool handshake_begun = false;  ///< a DTLS record has come
  bool keys = false;             ///< DTLS is done
  bool failed = false;           ///< the transport is dead
  // of a trunk
  bool described = true;  ///< where its media come from is known
  // datagrams since the last packet that was taken
  std::uint64_t from_others = 0, unsealed = 0, unknown_payload = 0, malformed = 0;
};

/// The first thing on the way that is wrong; of a leg that is silent.
Silence why_silent(const ReceivingFacts& facts);

/// What is known of a leg's way from us: whether its peer hears. Fed by what the peer reports of
/// our line (RFC 3550 §6.4).
class Hearing {
 public:
  /// So many packets have left, and none of them counts as heard, by two reports one after the
  /// other: the peer hears nothing. One says little: the first of a browser has no block, though
  /// the browser plays what it gets.
  static constexpr std::uint64_t kUnheard = 50;

  /// RTCP of the peer. `highest`: of its report block on our line; nothing: it has none. `sent`:
  /// packets that have left on the line, ever. `always`: a peer that hears has a block. True: it is
  /// found now that the peer does not hear.
  bool reported(const std::uint32_t* highest, std::uint64_t sent, bool always);
  bool deaf() const { return deaf_; }

 private:
  std::uint32_t highest_ = 0;
  bool known_ = false, deaf_ = false, doubted_ = false;
  std::uint64_t sent_then_ = 0;  ///< when the peer last showed that it hears, or gave doubt
};

}  // namespace trunkline::media
