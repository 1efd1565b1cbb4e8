#pragma once
#include "sdp/offer_answer.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace trunkline::sdp {

/// All that one of our descriptions says. Only values of this model are written: nothing that a
/// peer sent reaches the text but tokens that the parser has checked (kind, protocol, formats and
/// mid of an m= line, names of codecs).
struct Description {
  const LocalMedia& local;
  const std::vector<MediaSlot>& slots;
  const std::vector<Codec>& codecs;  ///< of the audio slot; none: that is refused too
  Direction direction = Direction::sendrecv;
  Setup setup = Setup::none;          ///< webrtc
  bool bundle = false;                ///< webrtc
  bool rtcp_mux = false;              ///< avp; webrtc always has it
  bool renomination = false;          ///< webrtc: the peer has it
  const std::vector<Crypto>& crypto;  ///< avp
};

/// "v=" and "o=" (RFC 8866 §5.1, §5.2).
std::string write_head(const LocalMedia& local, std::uint64_t session_id, std::uint64_t version);
/// Everything behind "o=".
std::string write_body(const Description& description);

}  // namespace trunkline::sdp
