#include "call/leg_media.hpp"

#include "sdp/codec_match.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::call {
namespace {

std::string make_cname(Random& random) {
  return random.token(16);
}  // RFC 7022 §4.2: 96 bits of chance

std::uint32_t make_ssrc(Random& random) {
  std::uint32_t ssrc = 0;
  while (ssrc == 0)
    ssrc = random.number32();
  return ssrc;
}

const std::vector<MediaAddress>& addresses_of(const Node& node, const Trunk& trunk) {
  return trunk.settings.media.empty() ? node.media.addresses : trunk.settings.media;
}

bool same_family(const IpAddress& one, const IpAddress& other) {
  return one.is_v6() == other.is_v6();
}

/// A 488 for want of an address of the peer's family.
Failure incompatible_address() {
  Failure failure = Failure::local(EndReason::no_codec);
  failure.detail.warnings = {"Incompatible network address formats"};
  return failure;
}

std::optional<MediaAddress> of_family(const std::vector<MediaAddress>& addresses,
                                      const IpAddress& peer) {
  const auto found = std::ranges::find_if(
      addresses, [&](const MediaAddress& own) { return same_family(own.bind, peer); });
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

media::SrtpProfile profile_of(sdp::CryptoSuite suite) {
  switch (suite) {
    case sdp::CryptoSuite::aes_cm_128_hmac_sha1_80:
      return media::SrtpProfile::aes_cm_128_hmac_sha1_80;
    case sdp::CryptoSuite::aes_cm_128_hmac_sha1_32:
      return media::SrtpProfile::aes_cm_128_hmac_sha1_32;
    case sdp::CryptoSuite::aead_aes_128_gcm:
      return media::SrtpProfile::aead_aes_128_gcm;
    case sdp::CryptoSuite::aead_aes_256_gcm:
      break;
  }
  return media::SrtpProfile::aead_aes_256_gcm;
}

}  // namespace

media::AudioCodec audio_codec_of(const sdp::Codec& codec) {
  if (sip::equals_ignoring_case(codec.name, "PCMU")) return media::AudioCodec::pcmu;
  if (sip::equals_ignoring_case(codec.name, "PCMA")) return media::AudioCodec::pcma;
  if (sip::equals_ignoring_case(codec.name, "G722")) return media::AudioCodec::g722;
  if (sip::equals_ignoring_case(codec.name, "opus")) return media::AudioCodec::opus;
  return media::AudioCodec::none;
}

LegMedia LegMedia::browser(Turn& turn, LegId leg, std::size_t worker, const IpAddress& peer) {
  Random& random = turn.node.random;
  const auto& resources = turn.node.media;
  LegMedia made;
  made.leg_ = leg;
  made.place_.worker = worker;
  made.profile_ = sdp::Profile::webrtc;
  made.translation_ = turn.node.settings.translation;
  sdp::LocalMedia local;
  local.profile = sdp::Profile::webrtc;
  local.candidates = resources.workers[worker].candidates;
  local.ice_tcp = resources.workers[worker].ice_tcp;
  const auto fits = std::ranges::find_if(
      local.candidates, [&](const SocketAddress& own) { return same_family(own.ip, peer); });
  const SocketAddress& first = fits == local.candidates.end() ? local.candidates.front() : *fits;
  local.address = first.ip;
  local.rtp_port = first.port;
  local.ice_ufrag = random.token(8);
  local.ice_pwd = random.token(24);
  const auto& fingerprint = resources.workers[worker].fingerprint.value_or(resources.fingerprint);
  local.fingerprint = fingerprint.hash + " " + fingerprint.value;
  local.ssrc = make_ssrc(random);
  local.cname = make_cname(random);
  local.msid = random.token(16);
  made.sdp_.emplace(std::move(local), random);
  return made;
}

std::optional<LegMedia> LegMedia::trunk(Turn& turn, LegId leg, std::size_t worker,
                                        const Trunk& trunk, const IpAddress& peer) {
  const auto& addresses = addresses_of(turn.node, trunk);
  if (addresses.empty()) return std::nullopt;
  const MediaAddress own = of_family(addresses, peer).value_or(addresses.front());
  const auto port = turn.node.take_port(worker, own.bind, turn.at.now);
  if (!port) return std::nullopt;

  LegMedia made;
  made.leg_ = leg;
  made.place_.worker = worker;
  made.profile_ = sdp::Profile::avp;
  made.translation_ = common(turn.node.settings.translation, trunk.settings.translation);
  made.place_.bind = {own.bind, *port};
  made.place_.lent = true;
  made.host_ = peer;
  made.policy_ = trunk.settings.media_source;
  made.allow_ = trunk.settings.allow;
  made.srtp_begins_anew_ = trunk.settings.srtp_begins_anew;
  made.takes_events_ =
      trunk.settings.dtmf != DtmfPolicy::info && trunk.settings.dtmf != DtmfPolicy::in_band;
  sdp::LocalMedia local;
  local.profile = sdp::Profile::avp;
  local.address = own.advertise;
  local.rtp_port = *port;
  local.ssrc = make_ssrc(turn.node.random);
  local.cname = make_cname(turn.node.random);
  local.srtp = trunk.settings.srtp;
  if (local.srtp != sdp::SrtpPolicy::none) local.keys.renew(turn.node.random, std::nullopt);
  made.sdp_.emplace(std::move(local), turn.node.random);
  return made;
}

void LegMedia::open(Turn& turn) {
  const sdp::LocalMedia& local = sdp_->local();
  place_.open = true;
  turn.node.count_leg(place_.worker, 1);
  if (profile_ == sdp::Profile::webrtc) {
    media::AddBrowserLeg add{leg_, {local.ice_ufrag, local.ice_pwd}, {}, local.ssrc, local.cname};
    add.certificate = local.fingerprint.substr(local.fingerprint.find(' ') + 1);
    turn.media(place_.worker, std::move(add));
    return;
  }
  turn.media(place_.worker, media::AddTrunkLeg{leg_, place_.bind, trunk_remote({}), policy_, allow_,
                                               local.ssrc, local.cname});
}

media::BrowserRemote LegMedia::browser_remote(const sdp::RemoteMedia& remote) const {
  media::BrowserRemote told;
  told.ice = media::IceCredentials{remote.ice_ufrag, remote.ice_pwd};
  for (const auto& [hash, value] : remote.fingerprints)
    told.fingerprints.push_back({hash, value});
  told.tls_id = remote.tls_id;
  // While our offer waits for its answer the peer decides the role; a ClientHello that comes early
  // makes us the server.
  const bool decided = sdp_->state() == sdp::OfferAnswer::State::stable && sdp_->established();
  if (decided) told.role = sdp_->dtls_client() ? media::DtlsRole::client : media::DtlsRole::server;
  return told;
}

media::TrunkRemote LegMedia::trunk_remote(const sdp::RemoteMedia& remote) const {
  media::TrunkRemote told{remote.rtp, remote.rtcp, remote.rtcp_mux, host_};
  // What may be encrypted can't be told from noise before the keys are known.
  if (sdp_->local().srtp != sdp::SrtpPolicy::none) told.host = {};
  if (remote.held_by_address) told.rtp = told.rtcp = {};  // RFC 3264 §8.4: never send to 0.0.0.0
  if (remote.crypto) {
    const sdp::CryptoSuite suite = remote.crypto->suite;
    told.srtp = media::SrtpKeys{profile_of(suite), sdp_->local().keys[suite], remote.crypto->key,
                                srtp_begins_anew_};
  }
  return told;
}

void LegMedia::update(Turn& turn, const sdp::RemoteMedia& remote) {
  if (!place_.open) return;
  if (profile_ == sdp::Profile::avp) {
    turn.media(place_.worker, media::UpdateTrunkLeg{leg_, trunk_remote(remote), place_.bind});
    sdp_->renew_keys(turn.node.random);
    if (left_ && left_->worker == place_.worker) arrive(turn);
    return;
  }
  media::BrowserRemote told = browser_remote(remote);
  told.local_ice = std::exchange(fresh_ice_, std::nullopt);
  turn.media(place_.worker, media::UpdateBrowserLeg{leg_, std::move(told)});
}

bool LegMedia::reaches(const sdp::RemoteMedia& remote) const {
  return profile_ != sdp::Profile::avp || remote.rtp.empty() ||
         same_family(remote.rtp.ip, place_.bind.ip);
}

std::optional<Failure> LegMedia::meet(Turn& turn, const Trunk* trunk,
                                      const sdp::RemoteMedia& offer) {
  if (reaches(offer)) return std::nullopt;
  if (trunk == nullptr) return incompatible_address();
  return turn_to(turn, *trunk, offer.rtp.ip);
}

std::optional<Failure> LegMedia::turn_to(Turn& turn, const Trunk& trunk, const IpAddress& peer) {
  const auto own = of_family(addresses_of(turn.node, trunk), peer);
  if (!own) return incompatible_address();
  const auto port = turn.node.take_port(place_.worker, own->bind, turn.at.now);
  if (!port) return Failure::local(EndReason::no_ports);
  left_description_ = sdp_->local();
  sdp::LocalMedia local = *left_description_;
  local.address = own->advertise;
  local.rtp_port = *port;
  sdp_->relocate(std::move(local));
  left_ = std::exchange(place_, Place{place_.worker, {own->bind, *port}, place_.open, true});
  left_->open = false;  // the worker has one leg, here or there
  if (!place_.open) arrive(turn);
  return std::nullopt;
}

std::string LegMedia::aim(Turn& turn, const Trunk& trunk, const IpAddress& peer) {
  const bool elsewhere = std::exchange(host_, peer) != peer;
  const bool moved = !same_family(peer, place_.bind.ip) && !turn_to(turn, trunk, peer);
  if (elsewhere || moved) update(turn, {});
  if (!moved) return {};
  std::string offer = sdp_->renew_offer();
  keep_offer();
  return offer;
}

void LegMedia::restart_ice(Turn& turn) {
  fresh_ice_ = media::IceCredentials{turn.node.random.token(8), turn.node.random.token(24)};
  sdp_->set_ice(fresh_ice_->ufrag, fresh_ice_->pwd);
}

void LegMedia::rollback() {
  sdp_->rollback();
  fresh_ice_.reset();
}

bool LegMedia::move(Turn& turn, std::size_t worker, const Trunk* trunk) {
  std::optional<LegMedia> fresh;
  if (profile_ == sdp::Profile::webrtc) {
    fresh = browser(turn, leg_, worker, sdp_->local().address);
  } else if (trunk != nullptr) {
    fresh = LegMedia::trunk(turn, leg_, worker, *trunk, place_.bind.ip);
  }
  if (!fresh) return false;
  left_description_ = sdp_->local();
  sdp::LocalMedia local = fresh->sdp_->local();
  local.cname = left_description_->cname;
  local.msid = left_description_->msid;  // the same track to the page
  sdp_->relocate(std::move(local));
  left_ = std::exchange(place_, fresh->place_);
  open(turn);
  return true;
}

void LegMedia::arrive(Turn& turn) {
  if (!left_) return;
  close(turn, *left_);
  left_.reset();
  left_description_.reset();
}

void LegMedia::stay(Turn& turn) {
  if (!left_) return;
  if (left_->worker == place_.worker) left_->open = std::exchange(place_.open, false);
  close(turn, place_);
  place_ = *std::exchange(left_, std::nullopt);
  sdp_->relocate(std::move(*left_description_));
  left_description_.reset();
}

void LegMedia::close(Turn& turn) {
  if (place_.open) awaits_report_ = true;
  close(turn, place_);
  arrive(turn);
}

void LegMedia::close(Turn& turn, Place& place) const {
  if (place.open) {
    place.open = false;
    turn.node.count_leg(place.worker, -1);
    turn.media(place.worker, media::RemoveLeg{leg_});
  }
  if (place.lent) {
    place.lent = false;
    turn.node.give_back_port(place.worker, place.bind, turn.at.now);
  }
}

Result<sdp::RemoteMedia, sdp::Rejection> LegMedia::answered(std::string_view text) {
  auto judged = offered_ ? *offered_ : *sdp_;
  judged.follow(*sdp_);
  auto remote = judged.receive_answer(text);
  if (remote && !reaches(*remote)) {
    return fail(sdp::Rejection{sdp::RejectionReason::transport,
                               "an address of another family than the offer's"});
  }
  if (remote) sdp_ = std::move(judged);
  return remote;
}

sdp::Translation common(sdp::Translation one, sdp::Translation other) {
  constexpr auto kNone = sdp::Translation::never;
  return one == kNone || other == kNone ? kNone : std::max(one, other);
}

sdp::Translation towards(sdp::Profile profile, sdp::Translation translation) {
  if (profile == sdp::Profile::webrtc) return translation;
  return std::min(translation, sdp::Translation::where_needed);
}

namespace {

std::vector<sdp::CodecRoute> routes_between(const LegMedia& source, const LegMedia& sink,
                                            const std::vector<sdp::Codec>& received) {
  const auto allowed = common(source.translation(), sink.translation());
  return sdp::route_codecs(received, sink.sdp().agreed_codecs(), towards(sink.profile(), allowed));
}

/// Events that the sink has none for are reported, and go on in another way.
void report_events(const LegMedia& source, media::SetRoute& route) {
  const bool crosses =
      std::ranges::any_of(route.payloads, [](const auto& one) { return one.telephone_event; });
  if (crosses) return;
  for (const sdp::Codec& codec : source.sdp().receive_codecs()) {
    if (!sdp::is_telephone_event(codec)) continue;
    media::PayloadRoute& payload = route.payloads.emplace_back(media::PayloadRoute{
        codec.payload_type, codec.payload_type, codec.clock_rate, codec.clock_rate, true});
    payload.reported_only = true;
  }
}

void route_one_way(Turn& turn, LegId from, const LegMedia& source, LegId to, const LegMedia& sink,
                   Passage passage) {
  const bool flows = sdp::receives(source.sdp().direction()) && sdp::sends(sink.sdp().direction());
  media::SetRoute route{from, to, {}};
  for (const auto& pair : routes_between(source, sink, source.sdp().receive_codecs())) {
    const bool event = sdp::is_telephone_event(pair.from);
    if (passage == Passage::events && !event) continue;
    media::PayloadRoute& payload = route.payloads.emplace_back(
        media::PayloadRoute{pair.from.payload_type, pair.to.payload_type, pair.from.clock_rate,
                            pair.to.clock_rate, event});
    if (!pair.translated) continue;
    payload.decode = audio_codec_of(pair.from);
    payload.encode = audio_codec_of(pair.to);
  }
  report_events(source, route);
  const bool empty = passage == Passage::events && route.payloads.empty();
  if (!flows || empty || passage == Passage::nothing) {
    turn.media(source.worker(), media::ClearRoute{from, to});
    return;
  }
  turn.media(source.worker(), std::move(route));
}

}  // namespace

void route_media(Turn& turn, LegId one, const LegMedia& first, LegId other, const LegMedia& second,
                 Passage forth, Passage back) {
  // During a move what was routed in the old place stands; what comes of the move routes anew.
  if (first.worker() != second.worker()) return;
  route_one_way(turn, one, first, other, second, forth);
  if (one != other) route_one_way(turn, other, second, one, first, back);
}

void route_early(Turn& turn, LegId from, const LegMedia& source, LegId to, const LegMedia& sink) {
  route_one_way(turn, from, source, to, sink, Passage::all);
}

bool hears(const LegMedia& to, const LegMedia& from) {
  const sdp::Codec* audio = sdp::audio_codec(from.sdp().agreed_codecs());
  return audio != nullptr && !routes_between(from, to, {*audio}).empty();
}

bool transcoded(const LegMedia& one, const LegMedia& other) {
  const auto anew = [](const LegMedia& from, const LegMedia& to) {
    const sdp::Codec* audio = sdp::audio_codec(from.sdp().agreed_codecs());
    if (audio == nullptr) return false;
    const auto routes = routes_between(from, to, {*audio});
    return !routes.empty() && routes.front().translated;
  };
  return anew(one, other) || anew(other, one);
}

bool shares_codec(const LegMedia& from, const LegMedia& to) {
  for (const auto& pair : routes_between(from, to, from.sdp().receive_codecs())) {
    if (!sdp::is_telephone_event(pair.from)) return true;
  }
  return false;
}

}  // namespace trunkline::call
