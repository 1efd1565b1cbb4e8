#include "sdp/offer_answer.hpp"

#include "sdp/description_writer.hpp"
#include "sdp/remote_media.hpp"

#include <algorithm>
#include <array>

namespace trunkline::sdp {
namespace {

constexpr std::uint64_t kSessionIdMask =
    (std::uint64_t{1} << 62) - 1;  // RFC 8829 §5.2.1 asks 63 bits at most

std::optional<std::size_t> audio_slot(const std::vector<MediaSlot>& slots) {
  const auto found =
      std::find_if(slots.begin(), slots.end(), [](const MediaSlot& slot) { return slot.audio; });
  if (found == slots.end()) return std::nullopt;
  return static_cast<std::size_t>(found - slots.begin());
}

MediaSlot first_slot(const LocalMedia& local) {
  const bool webrtc = local.profile == Profile::webrtc;
  MediaSlot slot;
  slot.kind = "audio";
  slot.protocol = webrtc                                    ? "UDP/TLS/RTP/SAVPF"
                  : local.srtp == SrtpPolicy::sdes_required ? "RTP/SAVP"
                                                            : "RTP/AVP";
  if (webrtc) slot.mid = "0";
  slot.audio = true;
  return slot;
}

std::vector<MediaSlot> slots_of(const Session& session, std::size_t audio, Profile profile) {
  std::vector<MediaSlot> slots;
  for (const Media& media : session.media) {
    MediaSlot& slot = slots.emplace_back();
    slot.kind = media.kind;
    slot.protocol = media.protocol;
    slot.formats = media.formats;
    slot.audio = slots.size() - 1 == audio;
    if (profile == Profile::webrtc) slot.mid = media.mid;
  }
  return slots;
}

bool in_a_bundle(const Session& session, const std::string& mid) {
  return !mid.empty() &&
         std::any_of(session.bundles.begin(), session.bundles.end(), [&](const auto& mids) {
           return std::find(mids.begin(), mids.end(), mid) != mids.end();
         });
}

/// Whether the lines of an answer stand where the offer's do (RFC 3264 §6).
bool fits(const Session& answer, const std::vector<MediaSlot>& slots) {
  return std::equal(answer.media.begin(), answer.media.end(), slots.begin(), slots.end(),
                    [](const Media& media, const MediaSlot& slot) {
                      const bool same_mid =
                          media.mid.empty() || slot.mid.empty() || media.mid == slot.mid;
                      return media.kind == slot.kind && same_mid;
                    });
}

}  // namespace

OfferAnswer::OfferAnswer(LocalMedia local, Random& random)
    : local_(std::move(local)), session_id_((random.number64() & kSessionIdMask) | 1) {
  agreed_.ice_ufrag = local_.ice_ufrag;
  agreed_.ice_pwd = local_.ice_pwd;
}

Result<RemoteMedia, Rejection> OfferAnswer::receive_offer(std::string_view sdp) {
  if (state_ != State::stable) {
    return fail(Rejection{RejectionReason::wrong_state, "another offer is open"});
  }
  const auto session = parse_session(sdp);
  if (!session) return fail(Rejection{RejectionReason::syntax, session.error().message});
  if (session->media.size() < agreed_.slots.size()) {
    return fail(Rejection{RejectionReason::changed_lines, "fewer m= lines than before"});
  }
  const Expected expected{local_.profile, local_.srtp, kKnownSuites};
  const auto index = choose_audio(*session, expected, audio_slot(agreed_.slots));
  if (!index) return fail(index.error());
  const Media& media = session->media[*index];
  auto remote = read_remote(media, expected);
  if (!remote) return remote;
  if (agreed_.remote && !compare_remote(*agreed_.remote, *remote)) {
    return fail(Rejection{RejectionReason::transport, "half of the ICE credentials changed"});
  }
  next_ = agreed_;
  next_.slots = slots_of(*session, *index, local_.profile);
  next_.bundle = local_.profile == Profile::webrtc && in_a_bundle(*session, media.mid);
  next_.rtcp_mux = remote->rtcp_mux;
  next_.crypto.clear();
  // RFC 4568 §5.1.2: one line, with the tag and the suite of the offer's, and a key of ours.
  if (remote->crypto) {
    next_.crypto = {
        {remote->crypto->tag, remote->crypto->suite, local_.keys[remote->crypto->suite]}};
  }
  choose_role(*remote, Setup::none);
  next_.remote = *remote;
  state_ = State::remote_offer;
  return remote;
}

/// RFC 8842 §5: the role follows from what both wrote; where it is left to us we stay what we are,
/// at first the server. `ours` is what our offer said, or none in an answer to come.
void OfferAnswer::choose_role(RemoteMedia& remote, Setup ours) {
  if (local_.profile != Profile::webrtc) return;
  bool client = false;
  if (ours == Setup::active || ours == Setup::passive) {
    client = ours == Setup::active;
  } else if (remote.setup == Setup::active || remote.setup == Setup::passive) {
    client = remote.setup == Setup::passive;
  } else if (ours == Setup::none && !remote.new_association) {
    client = agreed_.dtls_client;
  }
  if (agreed_.remote && client != agreed_.dtls_client) remote.new_association = true;
  next_.dtls_client = client;
}

std::string OfferAnswer::answer(const std::vector<Codec>& codecs, Direction direction) {
  if (state_ != State::remote_offer) return local_text_;
  const RemoteMedia& remote = *next_.remote;
  std::vector<Codec> answered;
  std::copy_if(codecs.begin(), codecs.end(), std::back_inserter(answered), [&](const Codec& codec) {
    return std::find_if(remote.codecs.begin(), remote.codecs.end(), [&](const Codec& offered) {
             return offered.payload_type == codec.payload_type && same_codec(offered, codec);
           }) != remote.codecs.end();
  });
  if (audio_codec(answered) == nullptr) answered.clear();
  next_.direction =
      answered.empty() ? Direction::inactive : common(direction, reversed(ready_direction(remote)));
  next_.setup = next_.dtls_client ? Setup::active : Setup::passive;
  next_.send_codecs = next_.receive_codecs = answered;
  remember_ours(answered);
  publish(answered);
  complete(RemoteMedia(remote));
  return local_text_;
}

std::string OfferAnswer::offer(const std::vector<Codec>& codecs, Direction direction) {
  if (state_ == State::remote_offer) return {};
  next_ = agreed_;
  if (next_.slots.empty()) {
    next_.slots = {first_slot(local_)};
    next_.bundle = local_.profile == Profile::webrtc;
  }
  next_.direction = direction;
  next_.crypto = offered_crypto();
  // RFC 8842 §5.5: a later offer may repeat the role, and so nothing changes for the peer.
  if (next_.setup == Setup::none || moving_) next_.setup = Setup::actpass;
  next_.receive_codecs = with_payload_types(codecs);
  remember_ours(next_.receive_codecs);
  publish(next_.receive_codecs);
  state_ = State::local_offer;
  return local_text_;
}

const std::string& OfferAnswer::renew_offer() {
  if (state_ == State::local_offer) publish(next_.receive_codecs);
  return local_text_;
}

std::string OfferAnswer::repeat() {
  if (state_ != State::stable || !established()) return {};
  next_ = agreed_;
  next_.direction = next_.written;
  unsent_ = false;
  state_ = State::local_offer;
  return local_text_;
}

Result<RemoteMedia, Rejection> OfferAnswer::receive_answer(std::string_view sdp) {
  if (state_ != State::local_offer) {
    return fail(Rejection{RejectionReason::wrong_state, "no offer is open"});
  }
  const auto session = parse_session(sdp);
  if (!session) return fail(Rejection{RejectionReason::syntax, session.error().message});
  if (!fits(*session, next_.slots)) {
    return fail(Rejection{RejectionReason::changed_lines, "m= lines differ from the offer's"});
  }
  const std::size_t index = audio_slot(next_.slots).value_or(0);
  if (session->media[index].port == 0) {
    return fail(Rejection{RejectionReason::no_audio, "audio refused"});
  }
  Session only;
  only.media = {session->media[index]};
  if (local_.profile == Profile::avp && !next_.rtcp_mux) only.media.front().rtcp_mux = false;
  std::vector<CryptoSuite> suites;
  for (const Crypto& crypto : next_.crypto)
    suites.push_back(crypto.suite);
  const Expected expected{local_.profile, local_.srtp, suites};
  const auto chosen = choose_audio(only, expected, std::nullopt);
  if (!chosen) return fail(chosen.error());
  auto remote = read_remote(only.media.front(), expected);
  if (!remote) return remote;
  if (agreed_.remote && !compare_remote(*agreed_.remote, *remote)) {
    return fail(Rejection{RejectionReason::transport, "half of the ICE credentials changed"});
  }
  std::vector<Codec> send, receive;
  for (const Codec& codec : remote->codecs) {
    const Codec* offered = find_codec(next_.receive_codecs, codec);
    if (offered == nullptr || find_codec(send, codec) != nullptr) continue;
    send.push_back(codec);
    receive.push_back(*offered);
  }
  if (audio_codec(send) == nullptr) {
    return fail(Rejection{RejectionReason::no_common_codec, "no codec of the offer in the answer"});
  }
  next_.send_codecs = std::move(send);
  next_.receive_codecs = std::move(receive);
  next_.direction = common(next_.direction, reversed(ready_direction(*remote)));
  next_.rtcp_mux = remote->rtcp_mux;
  // Some renumber the line that they chose: the suite says which it is.
  std::erase_if(next_.crypto, [&](const Crypto& crypto) {
    return !remote->crypto || crypto.suite != remote->crypto->suite;
  });
  choose_role(*remote, next_.setup);
  complete(*remote);
  return remote;
}

void OfferAnswer::rollback() {
  if (state_ == State::stable) return;
  const bool ours = state_ == State::local_offer;
  state_ = State::stable;
  next_ = {};
  set_ice(agreed_.ice_ufrag, agreed_.ice_pwd);
  if (!ours) return;
  if (agreed_.body.empty()) {
    local_text_.clear();
  } else {
    renumber(agreed_.body);
  }
}

void OfferAnswer::follow(const OfferAnswer& later) {
  if (later.version_ <= version_) return;
  version_ = later.version_;
  unsent_ = later.unsent_;
  numbered_body_ = later.numbered_body_;
  renumber(next_.body);
}

/// For a text that is ours again, and that no peer is told now.
void OfferAnswer::renumber(const std::string& body) {
  const std::uint64_t said = version_;
  const bool unsent = unsent_;
  local_text_ = numbered(body);
  unsent_ = unsent || version_ != said;
}

void OfferAnswer::relocate(LocalMedia local) {
  moving_ = local.fingerprint != local_.fingerprint && !moving_;
  local_ = std::move(local);
}

void OfferAnswer::set_ice(std::string ufrag, std::string pwd) {
  local_.ice_ufrag = std::move(ufrag);
  local_.ice_pwd = std::move(pwd);
}

/// At first all that we can do. Later what was agreed: its key stays, and so does its context.
std::vector<Crypto> OfferAnswer::offered_crypto() const {
  std::vector<Crypto> lines;
  if (local_.srtp == SrtpPolicy::none) return lines;
  if (agreed_.remote) {
    for (const Crypto& crypto : agreed_.crypto)
      lines.push_back({crypto.tag, crypto.suite, local_.keys[crypto.suite]});
    return lines;
  }
  for (const CryptoSuite suite : kOfferedSuites)
    lines.push_back({static_cast<std::uint32_t>(lines.size() + 1), suite, local_.keys[suite]});
  return lines;
}

void OfferAnswer::renew_keys(Random& random) {
  if (state_ != State::stable || local_.srtp == SrtpPolicy::none) return;
  std::optional<CryptoSuite> used;
  if (!agreed_.crypto.empty()) used = agreed_.crypto.front().suite;
  local_.keys.renew(random, used);
}

void OfferAnswer::complete(const RemoteMedia& remote) {
  next_.remote = remote;
  next_.ice_ufrag = local_.ice_ufrag;
  next_.ice_pwd = local_.ice_pwd;
  remember_theirs(next_.send_codecs);
  agreed_ = std::move(next_);
  next_ = {};
  moving_ = false;
  state_ = State::stable;
}

void OfferAnswer::publish(const std::vector<Codec>& codecs) {
  next_.written = next_.direction;
  next_.body =
      write_body({local_, next_.slots, codecs, next_.direction, next_.setup, next_.bundle,
                  next_.rtcp_mux, next_.remote && next_.remote->renomination, next_.crypto});
  local_text_ = numbered(next_.body);
}

/// RFC 3264 §8: one more exactly when the text differs from the one that the peer got before.
std::string OfferAnswer::numbered(std::string body) {
  const bool differs = version_ == 0 || body != numbered_body_;
  if (differs && !unsent_) ++version_;
  unsent_ = false;
  numbered_body_ = std::move(body);
  return write_head(local_, session_id_, version_) + numbered_body_;
}

std::vector<Codec> OfferAnswer::with_payload_types(const std::vector<Codec>& codecs) const {
  std::vector<Codec> chosen;
  for (const Codec& codec : codecs) {
    const auto payload_type = payload_type_for(codec, chosen);
    if (!payload_type || find_codec(chosen, codec) != nullptr) continue;
    chosen.push_back(codec);
    chosen.back().payload_type = *payload_type;
  }
  return chosen;
}

std::optional<std::uint8_t> OfferAnswer::payload_type_for(const Codec& codec,
                                                          const std::vector<Codec>& chosen) const {
  for (const auto* known : {&agreed_.receive_codecs, &used_codecs_}) {
    const Codec* before = find_codec(*known, codec);
    if (before != nullptr && may_mean(before->payload_type, codec, chosen)) {
      return before->payload_type;
    }
  }
  if (codec.payload_type < 128 && may_mean(codec.payload_type, codec, chosen)) {
    return codec.payload_type;
  }
  // RFC 3551 §3: the dynamic range, then what nobody has taken. 64 to 95 would look like RTCP (RFC
  // 5761 §4).
  constexpr std::array<std::pair<std::uint8_t, std::uint8_t>, 2> kRanges{{{96, 127}, {35, 63}}};
  for (const auto& [first, last] : kRanges) {
    for (std::uint8_t payload_type = first; payload_type <= last; ++payload_type) {
      if (may_mean(payload_type, codec, chosen)) return payload_type;
    }
  }
  return std::nullopt;
}

/// RFC 3264 §8.3.2: a payload type never changes its meaning.
bool OfferAnswer::may_mean(std::uint8_t payload_type, const Codec& codec,
                           const std::vector<Codec>& chosen) const {
  const auto clashes = [&](const Codec& other) {
    return other.payload_type == payload_type && !same_codec(other, codec);
  };
  return std::none_of(chosen.begin(), chosen.end(), clashes) &&
         std::none_of(used_codecs_.begin(), used_codecs_.end(), clashes);
}

void OfferAnswer::remember_ours(const std::vector<Codec>& codecs) {
  for (const Codec& codec : codecs) {
    std::erase_if(used_codecs_,
                  [&](const Codec& other) { return other.payload_type == codec.payload_type; });
    used_codecs_.push_back(codec);
  }
}

/// An answer may have payload types of its own (RFC 3264 §6.1): they are taken, but bind us to
/// nothing more.
void OfferAnswer::remember_theirs(const std::vector<Codec>& codecs) {
  for (const Codec& codec : codecs) {
    const bool known =
        std::any_of(used_codecs_.begin(), used_codecs_.end(),
                    [&](const Codec& other) { return other.payload_type == codec.payload_type; });
    if (!known) used_codecs_.push_back(codec);
  }
}

}  // namespace trunkline::sdp
