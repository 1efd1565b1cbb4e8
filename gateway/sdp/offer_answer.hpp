#pragma once
#include "base/net_address.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "sdp/crypto.hpp"
#include "sdp/session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::sdp {

/// The two kinds of leg.
enum class Profile : std::uint8_t {
  webrtc,  ///< UDP/TLS/RTP/SAVPF, ICE-lite, DTLS-SRTP, BUNDLE, rtcp-mux (RFC 8829, RFC 9143)
  avp      ///< RTP/AVP or, with keys in the description, RTP/SAVP; address and port pair
};

/// Whether the media of an avp leg is encrypted (contract: trunks[].srtp).
enum class SrtpPolicy : std::uint8_t {
  none,
  /// If the peer wants to: offers RTP/AVP with a=crypto (RFC 8643 §3.1), takes RTP/SAVP, and
  /// RTP/AVP with or without.
  sdes,
  sdes_required  ///< offers RTP/SAVP, and takes nothing without a usable a=crypto
};

/// What we are on this leg.
struct LocalMedia {
  Profile profile = Profile::avp;
  IpAddress address;  ///< advertised: c= and o=
  std::uint16_t rtp_port =
      0;  ///< avp: RTP; RTCP is the next port. webrtc: port of the first candidate
  std::vector<SocketAddress> candidates;  ///< webrtc: host candidates, best first
  bool ice_tcp = false;  ///< webrtc: their ports take TCP too, passively (RFC 6544)
  std::string ice_ufrag, ice_pwd;
  std::string fingerprint;  ///< webrtc: of our certificate, "sha-256 AB:CD…"
  std::uint32_t ssrc = 0;
  std::string cname;
  std::string msid;                    ///< webrtc: stream and track id
  SrtpPolicy srtp = SrtpPolicy::none;  ///< avp
  CryptoKeys keys;                     ///< of a leg whose policy has any
};

/// What the peer's offer or answer says about its audio.
struct RemoteMedia {
  Direction direction = Direction::sendrecv;  ///< as the peer states it; hold by c=0.0.0.0 (without
                                              ///< ICE) is `held_by_address`
  bool held_by_address = false;
  std::vector<Codec> codecs;  ///< known or not, in the peer's order, with the peer's payload types
  SocketAddress rtp, rtcp;    ///< empty where only ICE will tell
  bool rtcp_mux = false;
  std::string ice_ufrag, ice_pwd;  ///< empty: no ICE
  std::vector<std::pair<std::string, std::string>>
      fingerprints;  ///< hash in lower case, value in upper case
  Setup setup = Setup::none;
  bool ice_restart =
      false;  ///< both credentials differ from those agreed before (RFC 8839 §4.4.1.1.1)
  bool new_association = false;  ///< the fingerprint set or tls-id changed (RFC 8842 §5)
  bool renomination = false;  ///< draft-thatcher-ice-renomination: our next description has it too
  std::optional<std::uint32_t> ptime_ms;
  std::string tls_id;  ///< RFC 8842 §4; empty: none
  /// avp: the a=crypto line by which the media is encrypted both ways, with the peer's key and, in
  /// an offer, its tag. Nothing: RTP is plain.
  std::optional<Crypto> crypto;
};

/// What the peer is really ready for: an address of 0.0.0.0 takes away its receiving (RFC 3264
/// §8.4).
Direction ready_direction(const RemoteMedia& remote);

/// Why a description can't be taken; each has its SIP status and Warning (RFC 3261 §20.43).
enum class RejectionReason : std::uint8_t {
  syntax,     ///< 400
  no_audio,   ///< 488, no acceptable m=audio
  transport,  ///< 488, wrong profile for this leg, or no rtcp-mux, ICE or fingerprint where they
              ///< are required
  no_common_codec,  ///< 488
  wrong_state,   ///< an answer without offer, an offer while one is open: 491 or 500 by the caller
  changed_lines  ///< fewer m= lines than before, or an answer that doesn't fit the offer: 488
};
struct Rejection {
  RejectionReason reason{};
  std::string detail;
};

/// One m= line of a session, in its place for good (RFC 3264 §8).
struct MediaSlot {
  std::string kind, protocol, mid;
  std::vector<std::string> formats;  ///< repeated when the line is refused
  bool audio = false;                ///< the one that we use
};

/// The offer/answer state of one leg (RFC 3264, RFC 6337, RFC 8829 for webrtc), for one audio
/// stream. Other m= lines are kept in their places and refused with port 0. Builds every local
/// description from this model; copies nothing from anywhere else. The origin is ours and stays;
/// its version rises exactly when the description changes (RFC 3264 §8).
class OfferAnswer {
 public:
  enum class State { stable, local_offer, remote_offer };

  OfferAnswer(LocalMedia local, Random& random);

  State state() const { return state_; }
  /// Whether an offer/answer exchange has ever been completed.
  bool established() const { return agreed_.remote.has_value(); }

  /// A remote offer. On success the state is remote_offer until `answer` or `rollback`.
  Result<RemoteMedia, Rejection> receive_offer(std::string_view sdp);
  /// The answer to the open remote offer: these codecs of the offer (their payload types are the
  /// offer's) in this order, and this direction from our point of view, cut down to what the offer
  /// allows (RFC 3264 §6.1). Others than the offer's codecs are left out; without any the line is
  /// refused. For webrtc the DTLS role is fixed by it: see `dtls_client()`. Without an open remote
  /// offer nothing happens and the last description is returned.
  std::string answer(const std::vector<Codec>& codecs, Direction direction);

  /// An offer of ours. Payload types already agreed for a codec are kept (RFC 3264 §8.3.2). State
  /// is local_offer until `receive_answer` or `rollback`. The same content as before repeats the
  /// same version. An open offer of ours is replaced by it. Empty, and nothing happens, while a
  /// remote offer is open.
  std::string offer(const std::vector<Codec>& codecs, Direction direction);
  /// The open offer of ours again, as it is after a `relocate`. Without one nothing happens.
  const std::string& renew_offer();
  /// The answer to our offer. One that can't be taken leaves the offer open.
  Result<RemoteMedia, Rejection> receive_answer(std::string_view sdp);

  /// This, a copy from when the offer was made, is answered again by another fork, in the place of
  /// `later`, to which more has happened: the versions go on from there.
  void follow(const OfferAnswer& later);

  /// The open offer was refused or withdrawn: back to what was agreed before (RFC 3264 §4, RFC 3261
  /// §14.1), our ICE credentials too. The text of the agreed description then has the next version,
  /// for none ever goes back; until it is repeated that is free for another text.
  void rollback();

  /// From the next offer on we are here: another address, and for webrtc a transport of its own,
  /// with which the DTLS association begins anew (RFC 8842 §5). Until that is answered the old
  /// place counts; `relocate` with it takes the move back, before the `rollback`.
  void relocate(LocalMedia local);
  /// New ICE credentials of ours, for an answer or offer to come.
  void set_ice(std::string ufrag, std::string pwd);
  /// Ours for all suites but the one agreed are made anew: so no key serves again after it was
  /// given up, when indices under it would repeat (RFC 3711 §9.1). Nothing while an offer is open.
  void renew_keys(Random& random);
  const LocalMedia& local() const { return local_; }
  /// What the peer last agreed to or offered in a completed exchange.
  const std::optional<RemoteMedia>& remote() const { return agreed_.remote; }
  /// Codecs agreed in the last completed exchange, with the payload types that the peer wants to
  /// receive, and our direction in it.
  const std::vector<Codec>& agreed_codecs() const { return agreed_.send_codecs; }
  /// The payload types under which the peer sends them to us (RFC 3264 §5.1: ours, from our own
  /// description); before the first answer those of the offer, for media may overtake it.
  const std::vector<Codec>& receive_codecs() const {
    const bool first = state_ == State::local_offer && !established();
    return first ? next_.receive_codecs : agreed_.receive_codecs;
  }
  Direction direction() const { return agreed_.direction; }
  /// The text of our last description.
  const std::string& local_text() const { return local_text_; }
  /// The same as an offer, for a refresh (RFC 4028 §7.4): nothing changes by it, but its answer may
  /// bring a new address or direction. Of the codecs those that are agreed may be in that. Empty,
  /// and nothing happens, while an offer is open or before the first exchange is complete.
  std::string repeat();
  /// webrtc: whether we are the DTLS client; kept over re-offers unless there is a new association
  /// (RFC 8842 §5.3).
  bool dtls_client() const { return agreed_.dtls_client; }

 private:
  /// What a completed exchange leaves, and what stands again when an open offer fails.
  struct Agreement {
    std::vector<MediaSlot> slots;
    std::optional<RemoteMedia> remote;
    std::vector<Codec> send_codecs, receive_codecs;
    Direction direction = Direction::sendrecv;
    Direction written = Direction::sendrecv;  ///< the one in `body`
    Setup setup = Setup::none;  ///< as we last wrote it; none: the next offer leaves it open
    bool dtls_client = false;
    bool bundle = false, rtcp_mux = false;
    std::vector<Crypto> crypto;  ///< as we last wrote it
    std::string ice_ufrag, ice_pwd;
    std::string body;  ///< our description without its origin
  };
  std::vector<Crypto> offered_crypto() const;
  void choose_role(RemoteMedia& remote, Setup ours);
  void publish(const std::vector<Codec>& codecs);
  void complete(const RemoteMedia& remote);
  std::string numbered(std::string body);
  void renumber(const std::string& body);
  std::vector<Codec> with_payload_types(const std::vector<Codec>& codecs) const;
  std::optional<std::uint8_t> payload_type_for(const Codec& codec,
                                               const std::vector<Codec>& chosen) const;
  bool may_mean(std::uint8_t payload_type, const Codec& codec,
                const std::vector<Codec>& chosen) const;
  void remember_ours(const std::vector<Codec>& codecs);
  void remember_theirs(const std::vector<Codec>& codecs);

  LocalMedia local_;
  State state_ = State::stable;
  bool moving_ = false;  ///< to a transport whose DTLS association is not agreed yet
  bool unsent_ = false;  ///< the last version was given to a text that no peer has seen
  std::uint64_t session_id_ = 0, version_ = 0;
  std::string local_text_, numbered_body_;
  Agreement agreed_, next_;  ///< `next_` grows while an offer is open
  /// Every payload type of this session. What ours mean counts before what the peer's do.
  std::vector<Codec> used_codecs_;
};

}  // namespace trunkline::sdp
