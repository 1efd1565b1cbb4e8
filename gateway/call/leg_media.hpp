#pragma once
#include "base/boxed.hpp"
#include "base/ids.hpp"
#include "call/failure.hpp"
#include "call/node.hpp"
#include "media/api.hpp"
#include "sdp/offer_answer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::call {

/// The media of one leg as signalling sees it: the offer/answer state, the addresses lent for it,
/// and the commands that keep the leg on its worker in step. A leg exists on the worker from `open`
/// to `close`.
class LegMedia {
 public:
  /// A browser leg: ICE credentials, SSRC and identity are made here. `peer`: of its signalling;
  /// c= is of that family, candidates are of all.
  static LegMedia browser(Turn& turn, LegId leg, std::size_t worker, const IpAddress& peer);
  /// A trunk leg: takes a port pair at an address of the family of the peer's signalling, or at
  /// that of the other family where there is none. Nothing when the pool is empty.
  static std::optional<LegMedia> trunk(Turn& turn, LegId leg, std::size_t worker,
                                       const Trunk& trunk, const IpAddress& peer);

  sdp::OfferAnswer& sdp() { return *sdp_; }
  const sdp::OfferAnswer& sdp() const { return *sdp_; }
  sdp::Profile profile() const { return profile_; }
  /// What the configuration allows between this leg and another.
  sdp::Translation translation() const { return translation_; }
  /// Telephone events may be agreed on (RFC 4733).
  bool takes_events() const { return takes_events_; }
  std::size_t worker() const { return place_.worker; }
  bool is_open() const { return place_.open; }
  /// It was closed, and its worker has yet to tell what it counted (media::LegClosed).
  bool awaits_report() const { return awaits_report_; }
  void reported() { awaits_report_ = false; }

  /// Creates the leg on its worker, ready to receive.
  void open(Turn& turn);
  /// Tells the worker what the peer last described. An ICE restart must have been prepared with
  /// `restart_ice`.
  void update(Turn& turn, const sdp::RemoteMedia& remote);
  /// An offer of the peer's that was taken: if its media are of the other family, ours go there
  /// too, on the same worker; the answer tells of it, and `update` completes it. Nothing: it can be
  /// answered. `trunk`: that of a trunk leg.
  std::optional<Failure> meet(Turn& turn, const Trunk* trunk, const sdp::RemoteMedia& offer);
  /// Our first offer goes to another place than before. Its new text, if the place is of the other
  /// family; else nothing.
  std::string aim(Turn& turn, const Trunk& trunk, const IpAddress& peer);
  /// New credentials of ours for the answer to an ICE restart (RFC 8839 §4.4.1.1.1).
  void restart_ice(Turn& turn);
  /// Opens a second place for the media, on another worker; the next offer tells of it. False: no
  /// ports there, or `trunk`, that of a trunk leg, is not known any more.
  bool move(Turn& turn, std::size_t worker, const Trunk* trunk);
  /// The peer has agreed to that offer: the old place is given up. Nothing without a move.
  void arrive(Turn& turn);
  /// It has not: the new place is given up. Nothing without a move; before `rollback`.
  void stay(Turn& turn);
  /// The open offer came to nothing: what was agreed before stands, and our ICE credentials too.
  void rollback();
  /// Ends the leg on its worker; its port rests and returns to the pool.
  void close(Turn& turn);

  /// Remembers the offer just made, so that each answer of a forked call is judged against it.
  void keep_offer() { offered_.emplace(*sdp_); }
  /// Its INVITE has its final response: no other answer follows.
  void forget_offer() { offered_.reset(); }
  /// An answer to the kept offer: the first, or another one from a fork or in a later response. One
  /// that can't be taken changes nothing.
  Result<sdp::RemoteMedia, sdp::Rejection> answered(std::string_view text);

 private:
  LegMedia() = default;
  media::BrowserRemote browser_remote(const sdp::RemoteMedia& remote) const;
  media::TrunkRemote trunk_remote(const sdp::RemoteMedia& remote) const;
  bool reaches(const sdp::RemoteMedia& remote) const;
  /// Takes a port at our address of that family; the old one is kept until `arrive` or `stay`.
  std::optional<Failure> turn_to(Turn& turn, const Trunk& trunk, const IpAddress& peer);

  /// Where the media is: a leg on a worker, and the port lent for it.
  struct Place {
    std::size_t worker = 0;
    SocketAddress bind;
    bool open = false, lent = false;
  };
  void close(Turn& turn, Place& place) const;

  LegId leg_;
  sdp::Profile profile_ = sdp::Profile::avp;
  sdp::Translation translation_ = sdp::Translation::never;
  Place place_;
  std::optional<Place> left_;                ///< the old place, during a move
  Boxed<sdp::LocalMedia> left_description_;  ///< and what the peer knows of it
  std::optional<sdp::OfferAnswer> sdp_;
  Boxed<sdp::OfferAnswer> offered_;
  bool srtp_begins_anew_ = false;
  bool takes_events_ = true;
  bool awaits_report_ = false;
  media::SourcePolicy policy_ = media::SourcePolicy::pinned;
  std::vector<AddressRange> allow_;
  IpAddress host_;  ///< of a trunk's signalling
  std::optional<media::IceCredentials> fresh_ice_;
};

/// What is allowed between legs of which one says `one` and another `other`: what both allow, and
/// what one of them asks for.
sdp::Translation common(sdp::Translation one, sdp::Translation other);
/// The same, for what is sent to, or agreed with, a leg of that profile: only browsers are given
/// Opus that the other side does not speak.
sdp::Translation towards(sdp::Profile profile, sdp::Translation translation);

/// The codec as the media worker knows it; none for one that it can't make.
media::AudioCodec audio_codec_of(const sdp::Codec& codec);

/// What may pass in one direction between two legs.
enum class Passage : std::uint8_t {
  all,
  events,  ///< telephone events, no audio
  nothing
};
/// Routes the audio between two legs as their directions and codecs allow now; replaces what was
/// routed before. `forth`: from `one` to `other`.
void route_media(Turn& turn, LegId one, const LegMedia& first, LegId other, const LegMedia& second,
                 Passage forth = Passage::all, Passage back = Passage::all);
/// Lets one leg hear the other, whose answer is still to come (RFC 3264 §5.1).
void route_early(Turn& turn, LegId from, const LegMedia& source, LegId to, const LegMedia& sink);
/// Whether audio received on `from` has a codec that `to` agreed to, or that can be made one.
bool shares_codec(const LegMedia& from, const LegMedia& to);
/// Whether what the peer of one of them will send is made anew for the other.
bool transcoded(const LegMedia& one, const LegMedia& other);
/// Whether `to` agreed to the codec that the peer of `from` agreed to first, and so will send, or
/// to one that can be made of it.
bool hears(const LegMedia& to, const LegMedia& from);

}  // namespace trunkline::call
