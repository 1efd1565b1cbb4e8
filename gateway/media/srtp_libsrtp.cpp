#include "media/srtp.hpp"

#include "media/srtp_index.hpp"

#include <openssl/crypto.h>
#include <srtp2/srtp.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace trunkline::media {

namespace {

bool library_ready() {
  static const bool ready = srtp_init() == srtp_err_status_ok;
  return ready;
}

struct SessionDeleter {
  void operator()(srtp_ctx_t_* session) const { srtp_dealloc(session); }
};
using Session = std::unique_ptr<srtp_ctx_t_, SessionDeleter>;

void set_profile(srtp_policy_t& policy, SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::aes_cm_128_hmac_sha1_80:
      srtp_crypto_policy_set_rtp_default(&policy.rtp);
      srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
      return;
    case SrtpProfile::aes_cm_128_hmac_sha1_32:
      srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
      srtp_crypto_policy_set_rtcp_default(&policy.rtcp);
      return;
    case SrtpProfile::aead_aes_128_gcm:
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
      return;
    case SrtpProfile::aead_aes_256_gcm:
      srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
      srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
      return;
  }
}

/// A policy with the key that it points to, wiped when it dies.
class Policy {
 public:
  Policy(SrtpProfile profile, const SrtpMasterKey& key, srtp_ssrc_t ssrc) {
    std::copy_n(key.key.begin(), traits(profile).key, joined_.begin());
    std::copy_n(key.salt.begin(), traits(profile).salt,
                joined_.begin() + static_cast<std::ptrdiff_t>(traits(profile).key));
    set_profile(policy_, profile);
    policy_.ssrc = ssrc;
    policy_.key = joined_.data();
    policy_.window_size = kRtpReplayWindow;
  }
  Policy(const Policy&) = delete;
  Policy& operator=(const Policy&) = delete;
  ~Policy() { OPENSSL_cleanse(joined_.data(), joined_.size()); }
  const srtp_policy_t* get() const { return &policy_; }

 private:
  std::array<std::uint8_t, kMaxSrtpKey + kMaxSrtpSalt> joined_{};
  srtp_policy_t policy_{};
};

Session make_session(SrtpProfile profile, const SrtpMasterKey& key, srtp_ssrc_t ssrc) {
  if (!library_ready()) return nullptr;
  const Policy policy(profile, key, ssrc);
  srtp_t session = nullptr;
  if (srtp_create(&session, policy.get()) != srtp_err_status_ok) return nullptr;
  return Session(session);
}

SrtpVerdict verdict_of(srtp_err_status_t status) {
  switch (status) {
    case srtp_err_status_ok:
      return SrtpVerdict::ok;
    case srtp_err_status_replay_fail:
    case srtp_err_status_replay_old:
      return SrtpVerdict::replayed;
    case srtp_err_status_auth_fail:
    case srtp_err_status_cipher_fail:
    case srtp_err_status_algo_fail:
      return SrtpVerdict::authentication;
    case srtp_err_status_no_ctx:
    case srtp_err_status_key_expired:
      return SrtpVerdict::refused;
    default:
      return SrtpVerdict::malformed;
  }
}

class LibsrtpSender final : public SrtpSender {
 public:
  LibsrtpSender(Session session, std::uint32_t ssrc) : session_(std::move(session)), ssrc_(ssrc) {}

  SrtpVerdict protect_rtp(Packet& packet) override {
    if (!rtp_header_size(packet.bytes())) return SrtpVerdict::malformed;
    if (load32(packet.bytes(), 8) != ssrc_) return SrtpVerdict::refused;
    int size = static_cast<int>(packet.size);
    const SrtpVerdict verdict = verdict_of(srtp_protect(session_.get(), packet.data, &size));
    packet.size = static_cast<std::size_t>(size);
    return verdict;
  }
  SrtpVerdict protect_rtcp(Packet& packet) override {
    if (packet.size < kRtcpHeaderSize) return SrtpVerdict::malformed;
    if (load32(packet.bytes(), 4) != ssrc_) return SrtpVerdict::refused;
    int size = static_cast<int>(packet.size);
    const SrtpVerdict verdict = verdict_of(srtp_protect_rtcp(session_.get(), packet.data, &size));
    packet.size = static_cast<std::size_t>(size);
    return verdict;
  }

 private:
  Session session_;
  std::uint32_t ssrc_;
};

/// A roll-over counter other than 0 for a new stream, which libsrtp leaves to its user, costs a
/// stream of its own: that is slow, and comes after a wrong tag of an unknown SSRC only.
class LibsrtpReceiver final : public SrtpReceiver {
 public:
  LibsrtpReceiver(SrtpProfile profile, const SrtpMasterKey& key, Session session)
      : profile_(profile), key_(key), session_(std::move(session)) {}

  SrtpVerdict unprotect_rtp(Packet& packet) override {
    const auto header = rtp_header_size(packet.bytes());
    if (!header || packet.size < *header + traits(profile_).rtp_tag) return SrtpVerdict::malformed;
    const std::uint32_t ssrc = load32(packet.bytes(), 8);
    const std::uint16_t sequence = load16(packet.bytes(), 2);
    Known* known = find(ssrc);
    if (known == nullptr || !known->heard_rtp) return first_rtp(packet, ssrc, sequence);
    const SrtpVerdict verdict = open_rtp(packet);
    if (verdict != SrtpVerdict::ok) return verdict;
    heard(remember(ssrc), estimate_rtp_index(known->highest, sequence));
    return verdict;
  }
  SrtpVerdict unprotect_rtcp(Packet& packet) override {
    // With GCM libsrtp itself would take a packet that is only authenticated.
    if (!srtcp_index(profile_, packet.bytes())) return SrtpVerdict::malformed;
    const std::uint32_t ssrc = load32(packet.bytes(), 4);
    int size = static_cast<int>(packet.size);
    const SrtpVerdict verdict = verdict_of(srtp_unprotect_rtcp(session_.get(), packet.data, &size));
    packet.size = static_cast<std::size_t>(size);
    if (verdict == SrtpVerdict::ok) remember(ssrc);
    return verdict;
  }

  Indices indices() const override {
    Indices indices;
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i].heard_rtp) indices[i] = {known_[i].ssrc, known_[i].highest};
    }
    return indices;
  }
  void follow(const Indices& before) override { before_ = before; }

 private:
  struct Known {
    std::uint32_t ssrc = 0;
    std::uint64_t used = 0;
    bool heard_rtp = false;
    std::uint64_t highest = 0;  ///< index of RTP
  };

  SrtpVerdict first_rtp(Packet& packet, std::uint32_t ssrc, std::uint16_t sequence) {
    const FirstIndices indices(index_before(ssrc), sequence);
    if (indices.size > 1 && packet.size > kMaxDatagram) return SrtpVerdict::malformed;
    std::array<std::uint8_t, kMaxDatagram> copy;
    const Packet original = packet;
    if (indices.size > 1) std::copy_n(packet.data, packet.size, copy.data());
    const bool unknown = find(ssrc) == nullptr;
    for (std::size_t i = 0; i < indices.size; ++i) {
      if (i > 0) {
        packet = original;
        std::copy_n(copy.data(), packet.size, packet.data);
      }
      const auto roll_over = static_cast<std::uint32_t>(indices.all[i] >> 16);
      if (open_at(packet, ssrc, unknown, roll_over) != SrtpVerdict::ok) continue;
      heard(remember(ssrc), indices.all[i]);
      return SrtpVerdict::ok;
    }
    return SrtpVerdict::authentication;
  }
  std::uint64_t index_before(std::uint32_t ssrc) const {
    for (const auto& stream : before_) {
      if (stream && stream->ssrc == ssrc) return stream->rtp;
    }
    return 0;
  }
  static void heard(Known& known, std::uint64_t index) {
    known.heard_rtp = true;
    known.highest = std::max(known.highest, index);
  }

  SrtpVerdict open_rtp(Packet& packet) {
    int size = static_cast<int>(packet.size);
    const SrtpVerdict verdict = verdict_of(srtp_unprotect(session_.get(), packet.data, &size));
    packet.size = static_cast<std::size_t>(size);
    return verdict;
  }
  /// Of a stream that is not known yet, with the roll-over counter given.
  SrtpVerdict open_at(Packet& packet, std::uint32_t ssrc, bool unknown, std::uint32_t roll_over) {
    if (roll_over == 0) return open_rtp(packet);
    if (unknown) {
      const Policy policy(profile_, key_, {ssrc_specific, ssrc});
      if (srtp_add_stream(session_.get(), policy.get()) != srtp_err_status_ok) {
        return SrtpVerdict::authentication;
      }
    }
    srtp_set_stream_roc(session_.get(), ssrc, roll_over);
    const SrtpVerdict verdict = open_rtp(packet);
    if (verdict == SrtpVerdict::ok) return verdict;
    if (unknown) {
      forget(ssrc);
    } else {
      srtp_set_stream_roc(session_.get(), ssrc, 0);
    }
    return verdict;
  }

  Known* find(std::uint32_t ssrc) {
    const auto known = std::find_if(known_.begin(), known_.end(), [ssrc](const Known& one) {
      return one.used != 0 && one.ssrc == ssrc;
    });
    return known == known_.end() ? nullptr : &*known;
  }
  Known& remember(std::uint32_t ssrc) {
    if (Known* known = find(ssrc)) {
      known->used = ++clock_;
      return *known;
    }
    Known& oldest =
        *std::min_element(known_.begin(), known_.end(),
                          [](const Known& a, const Known& b) { return a.used < b.used; });
    if (oldest.used != 0) forget(oldest.ssrc);
    oldest = {ssrc, ++clock_, false, 0};
    return oldest;
  }
  void forget(std::uint32_t ssrc) {
    // libsrtp takes the SSRC in network byte order here.
    std::array<std::uint8_t, 4> wire{};
    store32(wire, 0, ssrc);
    std::uint32_t network = 0;
    std::memcpy(&network, wire.data(), wire.size());
    srtp_remove_stream(session_.get(), network);
  }

  SrtpProfile profile_;
  SrtpMasterKey key_;
  Session session_;
  std::array<Known, kMaxSsrcs> known_{};
  Indices before_{};
  std::uint64_t clock_ = 0;
};

}  // namespace

namespace engines {

std::unique_ptr<SrtpSender> libsrtp_sender(SrtpProfile profile, const SrtpMasterKey& key,
                                           std::uint32_t ssrc) {
  Session session = make_session(profile, key, {ssrc_any_outbound, 0});
  if (!session) return nullptr;
  return std::make_unique<LibsrtpSender>(std::move(session), ssrc);
}

std::unique_ptr<SrtpReceiver> libsrtp_receiver(SrtpProfile profile, const SrtpMasterKey& key) {
  Session session = make_session(profile, key, {ssrc_any_inbound, 0});
  if (!session) return nullptr;
  return std::make_unique<LibsrtpReceiver>(profile, key, std::move(session));
}

}  // namespace engines

}  // namespace trunkline::media
