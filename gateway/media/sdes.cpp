#include "media/sdes.hpp"

#include <algorithm>

namespace trunkline::media {

namespace {

bool fits(SrtpProfile profile, const Secret& secret) {
  return secret.size() == traits(profile).key + traits(profile).salt;
}

SrtpMasterKey master_key(SrtpProfile profile, const Secret& secret) {
  SrtpMasterKey master;
  const SrtpProfileTraits& lengths = traits(profile);
  std::copy_n(secret.bytes().begin(), lengths.key, master.key.begin());
  std::copy_n(secret.bytes().begin() + static_cast<std::ptrdiff_t>(lengths.key), lengths.salt,
              master.salt.begin());
  return master;
}

template <class Contexts>
auto find(Contexts& contexts, SrtpProfile profile, const Secret& key) {
  return std::find_if(contexts.begin(), contexts.end(), [&](const auto& one) {
    return one.context && one.profile == profile && one.key == key;
  });
}

}  // namespace

void Sdes::describe(const std::optional<SrtpKeys>& keys, TimePoint now) {
  active_ = keys.has_value();
  if (!active_) return;
  use_to_send(keys->profile, keys->send);
  use_to_receive(*keys, now);
}

void Sdes::use_to_send(SrtpProfile profile, const Secret& key) {
  auto found = find(sending_, profile, key);
  if (found == sending_.end()) {
    found = sending_.end() - 1;
    *found = {profile, key, nullptr};
    if (fits(profile, key)) {
      found->context =
          make_srtp_sender(engines_[profile], profile, master_key(profile, key), ssrc_);
    }
  }
  std::rotate(sending_.begin(), found, found + 1);
}

void Sdes::use_to_receive(const SrtpKeys& keys, TimePoint now) {
  const auto found = find(receiving_, keys.profile, keys.receive);
  const bool known = found != receiving_.end() && !keys.begins_anew;
  if (known && found == receiving_.begin()) return;
  std::swap(receiving_[0], receiving_[1]);
  old_key_until_ = now + kOldKey;
  if (known) return;
  receiving_[0] = {keys.profile, keys.receive, nullptr};
  if (fits(keys.profile, keys.receive)) {
    receiving_[0].context = make_srtp_receiver(engines_[keys.profile], keys.profile,
                                               master_key(keys.profile, keys.receive));
  }
  if (receiving_[0].context && receiving_[1].context)
    receiving_[0].context->follow(receiving_[1].context->indices());
}

SrtpVerdict Sdes::protect(Packet& packet, bool rtcp) {
  SrtpSender* sender = sending_[0].context.get();
  if (sender == nullptr) return SrtpVerdict::refused;
  return rtcp ? sender->protect_rtcp(packet) : sender->protect_rtp(packet);
}

SrtpVerdict Sdes::open(SrtpReceiver& receiver, Packet& packet, bool rtcp) {
  return rtcp ? receiver.unprotect_rtcp(packet) : receiver.unprotect_rtp(packet);
}

SrtpVerdict Sdes::unprotect(Packet& packet, bool rtcp, TimePoint now) {
  if (!receiving_[0].context) return SrtpVerdict::authentication;
  const bool old_key_counts =
      receiving_[1].context && now < old_key_until_ && packet.size <= kMaxDatagram;
  if (!old_key_counts) return open(*receiving_[0].context, packet, rtcp);
  std::array<std::uint8_t, kMaxDatagram> copy;
  const Packet original = packet;
  std::copy_n(packet.data, packet.size, copy.data());
  const SrtpVerdict verdict = open(*receiving_[0].context, packet, rtcp);
  if (verdict == SrtpVerdict::ok) return verdict;
  packet = original;
  std::copy_n(copy.data(), packet.size, packet.data);
  return open(*receiving_[1].context, packet, rtcp);
}

}  // namespace trunkline::media
