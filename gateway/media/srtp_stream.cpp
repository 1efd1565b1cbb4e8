#include "media/srtp_stream.hpp"

#include "media/srtp_index.hpp"
#include "media/srtp_keys.hpp"
#include "media/srtp_transform.hpp"

#include <algorithm>
#include <array>

namespace trunkline::media {

namespace {

std::unique_ptr<SrtpTransform> make(SrtpEngineKind engine, SrtpProfile profile,
                                    const SrtpMasterKey& key, SrtpStreamKind kind, SrtpWay way) {
  return make_srtp_transform(engine, profile, derive_session_keys(profile, key, kind), kind, way);
}

class StreamSender final : public SrtpSender {
 public:
  StreamSender(SrtpEngineKind engine, SrtpProfile profile, const SrtpMasterKey& key,
               std::uint32_t ssrc, SrtpPosition last)
      : ssrc_(ssrc),
        rtcp_index_(last.rtcp),
        rtp_(make(engine, profile, key, SrtpStreamKind::rtp, SrtpWay::seal)),
        rtcp_(make(engine, profile, key, SrtpStreamKind::rtcp, SrtpWay::seal)) {
    if (last.rtp != 0) sent_.add(last.rtp);
  }
  bool usable() const { return rtp_ && rtcp_; }

  SrtpVerdict protect_rtp(Packet& packet) override {
    const auto header = rtp_header_size(packet.bytes());
    if (!header) return SrtpVerdict::malformed;
    if (load32(packet.bytes(), 8) != ssrc_) return SrtpVerdict::refused;
    const std::uint64_t index = estimate_rtp_index(sent_.highest(), load16(packet.bytes(), 2));
    if (index > kMaxRtpIndex) return SrtpVerdict::refused;
    if (!sent_.acceptable(index)) return SrtpVerdict::replayed;
    sent_.add(index);
    rtp_->seal_rtp(packet, *header, index);
    return SrtpVerdict::ok;
  }

  SrtpVerdict protect_rtcp(Packet& packet) override {
    if (packet.size < kRtcpHeaderSize) return SrtpVerdict::malformed;
    if (load32(packet.bytes(), 4) != ssrc_ || rtcp_index_ == kMaxRtcpIndex) {
      return SrtpVerdict::refused;
    }
    // The first index is 1, as libsrtp has it: receivers take any.
    rtcp_->seal_rtcp(packet, ++rtcp_index_);
    return SrtpVerdict::ok;
  }

 private:
  std::uint32_t ssrc_;
  std::uint32_t rtcp_index_;
  std::unique_ptr<SrtpTransform> rtp_, rtcp_;
  ReplayWindow<kRtpReplayWindow> sent_;
};

class StreamReceiver final : public SrtpReceiver {
 public:
  StreamReceiver(SrtpEngineKind engine, SrtpProfile profile, const SrtpMasterKey& key)
      : profile_(profile),
        rtp_(make(engine, profile, key, SrtpStreamKind::rtp, SrtpWay::open)),
        rtcp_(make(engine, profile, key, SrtpStreamKind::rtcp, SrtpWay::open)) {}
  bool usable() const { return rtp_ && rtcp_; }

  SrtpVerdict unprotect_rtp(Packet& packet) override {
    const auto header = rtp_header_size(packet.bytes());
    if (!header || packet.size < *header + traits(profile_).rtp_tag) return SrtpVerdict::malformed;
    const std::uint32_t ssrc = load32(packet.bytes(), 8);
    const std::uint16_t sequence = load16(packet.bytes(), 2);
    Stream* stream = find(ssrc);
    if (!stream || !stream->heard_rtp) return first_rtp(packet, *header, ssrc, sequence);
    const std::uint64_t index = estimate_rtp_index(stream->rtp.highest(), sequence);
    if (index > kMaxRtpIndex || !stream->rtp.acceptable(index)) return SrtpVerdict::replayed;
    if (!rtp_->open_rtp(packet, *header, index)) return SrtpVerdict::authentication;
    stream->rtp.add(index);
    stream->used = ++clock_;
    return SrtpVerdict::ok;
  }

  SrtpVerdict unprotect_rtcp(Packet& packet) override {
    const auto index = srtcp_index(profile_, packet.bytes());
    if (!index) return SrtpVerdict::malformed;
    const std::uint32_t ssrc = load32(packet.bytes(), 4);
    Stream* stream = find(ssrc);
    if (stream && !stream->rtcp.acceptable(*index)) return SrtpVerdict::replayed;
    if (!rtcp_->open_rtcp(packet, *index)) return SrtpVerdict::authentication;
    if (!stream) stream = &create(ssrc);
    stream->rtcp.add(*index);
    stream->used = ++clock_;
    return SrtpVerdict::ok;
  }

  Indices indices() const override {
    Indices indices;
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (streams_[i].heard_rtp) indices[i] = {streams_[i].ssrc, streams_[i].rtp.highest()};
    }
    return indices;
  }
  void follow(const Indices& before) override { before_ = before; }

 private:
  struct Stream {
    std::uint32_t ssrc = 0;
    std::uint64_t used = 0;  ///< 0: free
    bool heard_rtp = false;  ///< its roll-over counter is known
    ReplayWindow<kRtpReplayWindow> rtp;
    ReplayWindow<kRtcpReplayWindow> rtcp;
  };

  SrtpVerdict first_rtp(Packet& packet, std::size_t header, std::uint32_t ssrc,
                        std::uint16_t sequence) {
    const FirstIndices indices(index_before(ssrc), sequence);
    const Packet original = packet;
    std::array<std::uint8_t, kMaxDatagram> copy;
    const bool copied = indices.size > 1 && !rtp_->keeps_packet_on_failure();
    if (copied && packet.size > copy.size()) return SrtpVerdict::malformed;
    if (copied) std::copy_n(packet.data, packet.size, copy.data());
    for (std::size_t i = 0; i < indices.size; ++i) {
      if (i > 0) packet = original;
      if (i > 0 && copied) std::copy_n(copy.data(), packet.size, packet.data);
      if (indices.all[i] > kMaxRtpIndex || !rtp_->open_rtp(packet, header, indices.all[i]))
        continue;
      Stream* known = find(ssrc);
      Stream& stream = known != nullptr ? *known : create(ssrc);
      stream.heard_rtp = true;
      stream.rtp.add(indices.all[i]);
      stream.used = ++clock_;
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

  Stream* find(std::uint32_t ssrc) {
    for (Stream& stream : streams_) {
      if (stream.used != 0 && stream.ssrc == ssrc) return &stream;
    }
    return nullptr;
  }
  Stream& create(std::uint32_t ssrc) {
    Stream& oldest =
        *std::min_element(streams_.begin(), streams_.end(),
                          [](const Stream& a, const Stream& b) { return a.used < b.used; });
    oldest = Stream{};
    oldest.ssrc = ssrc;
    return oldest;
  }

  SrtpProfile profile_;
  std::unique_ptr<SrtpTransform> rtp_, rtcp_;
  std::array<Stream, kMaxSsrcs> streams_{};
  Indices before_{};
  std::uint64_t clock_ = 0;
};

}  // namespace

std::unique_ptr<SrtpSender> make_stream_sender(SrtpEngineKind engine, SrtpProfile profile,
                                               const SrtpMasterKey& key, std::uint32_t ssrc,
                                               SrtpPosition last) {
  auto sender = std::make_unique<StreamSender>(engine, profile, key, ssrc, last);
  if (!sender->usable()) return nullptr;
  return sender;
}

std::unique_ptr<SrtpReceiver> make_stream_receiver(SrtpEngineKind engine, SrtpProfile profile,
                                                   const SrtpMasterKey& key) {
  auto receiver = std::make_unique<StreamReceiver>(engine, profile, key);
  if (!receiver->usable()) return nullptr;
  return receiver;
}

}  // namespace trunkline::media
