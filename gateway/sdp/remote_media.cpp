#include "sdp/remote_media.hpp"

#include <algorithm>
#include <array>

namespace trunkline::sdp {
namespace {

/// The first line that may be agreed: they stand in the order of preference (RFC 4568 §5.1.1).
std::optional<Crypto> usable_crypto(const Media& media, const Expected& expected) {
  if (expected.srtp == SrtpPolicy::none) return std::nullopt;
  for (const std::string& line : media.crypto) {
    auto crypto = parse_crypto(line);
    if (!crypto) continue;
    if (std::find(expected.suites.begin(), expected.suites.end(), crypto->suite) !=
        expected.suites.end()) {
      return crypto;
    }
  }
  return std::nullopt;
}

enum class Encryption : std::uint8_t { impossible, plain, encrypted };

Encryption encryption_of(const Media& media, const Expected& expected) {
  const bool plain = media.protocol == "RTP/AVP" || media.protocol == "RTP/AVPF";
  const bool secure = media.protocol == "RTP/SAVP" || media.protocol == "RTP/SAVPF";
  if ((plain || secure) && usable_crypto(media, expected)) return Encryption::encrypted;
  return plain && expected.srtp != SrtpPolicy::sdes_required ? Encryption::plain
                                                             : Encryption::impossible;
}

bool acceptable_protocol(const Media& media, const Expected& expected) {
  static constexpr std::array<std::string_view, 4> kWebrtc{
      "UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP"};  // RFC 8829 §5.1.2
  if (expected.profile == Profile::avp) {
    return encryption_of(media, expected) != Encryption::impossible;
  }
  return std::find(kWebrtc.begin(), kWebrtc.end(), media.protocol) != kWebrtc.end();
}

std::string_view transport_problem(const Expected& expected) {
  switch (expected.srtp) {
    case SrtpPolicy::none:
      return "transport protocol not supported";
    case SrtpPolicy::sdes:
      return "no usable a=crypto for RTP/SAVP";
    case SrtpPolicy::sdes_required:
      break;
  }
  return "SRTP with a usable a=crypto is required";
}

/// Functions that are still safe (RFC 8122 §5). SHA-1 is not among them.
bool strong_hash(std::string_view hash) {
  return hash == "sha-256" || hash == "sha-384" || hash == "sha-512";
}

bool is_audio(const Media& media) {
  return media.kind == "audio" && media.port != 0;
}

void read_addresses(const Media& media, RemoteMedia& remote) {
  const auto ip = IpAddress::parse(media.connection);
  if (!ip) return;
  remote.held_by_address = ip->is_unspecified();
  // A group is no peer: sending to one would flood others.
  if (remote.held_by_address || ip->is_multicast()) return;
  remote.rtp = {*ip, media.port};
  if (remote.rtcp_mux) {
    remote.rtcp = remote.rtp;
    return;
  }
  // Of a=rtcp only the port is taken: an address of its own would point our reports at a third
  // host.
  if (media.rtcp_port) {
    remote.rtcp = {*ip, *media.rtcp_port};
  } else if (media.port != 65535) {
    remote.rtcp = {*ip, static_cast<std::uint16_t>(media.port + 1)};
  }
}

std::optional<Rejection> read_webrtc(const Media& media, RemoteMedia& remote) {
  remote.ice_ufrag = media.ice_ufrag;
  remote.ice_pwd = media.ice_pwd;
  std::copy_if(media.fingerprints.begin(), media.fingerprints.end(),
               std::back_inserter(remote.fingerprints),
               [](const auto& fingerprint) { return strong_hash(fingerprint.first); });
  remote.setup = media.setup;
  remote.tls_id = media.tls_id;
  remote.renomination = media.renomination;
  if (remote.ice_ufrag.empty() || remote.ice_pwd.empty()) {
    return Rejection{RejectionReason::transport, "ICE credentials required"};
  }
  if (remote.fingerprints.empty()) {
    return Rejection{RejectionReason::transport, "DTLS-SRTP fingerprint required"};
  }
  if (!remote.rtcp_mux) return Rejection{RejectionReason::transport, "rtcp-mux required"};
  return std::nullopt;
}

}  // namespace

Direction ready_direction(const RemoteMedia& remote) {
  if (!remote.held_by_address) return remote.direction;
  return make_direction(sends(remote.direction), false);
}

Result<std::size_t, Rejection> choose_audio(const Session& session, const Expected& expected,
                                            std::optional<std::size_t> preferred) {
  const auto acceptable = [&](const Media& media) {
    return is_audio(media) && acceptable_protocol(media, expected);
  };
  if (preferred && *preferred < session.media.size() && acceptable(session.media[*preferred])) {
    return *preferred;
  }
  const auto encrypted =
      std::find_if(session.media.begin(), session.media.end(), [&](const Media& media) {
        return is_audio(media) && encryption_of(media, expected) == Encryption::encrypted;
      });
  const auto found = encrypted != session.media.end()
                         ? encrypted
                         : std::find_if(session.media.begin(), session.media.end(), acceptable);
  if (found != session.media.end()) {
    return static_cast<std::size_t>(found - session.media.begin());
  }
  if (std::any_of(session.media.begin(), session.media.end(), is_audio)) {
    return fail(Rejection{RejectionReason::transport, std::string(transport_problem(expected))});
  }
  return fail(Rejection{RejectionReason::no_audio, "no audio stream"});
}

Result<RemoteMedia, Rejection> read_remote(const Media& media, const Expected& expected) {
  if (media.connection.empty()) {
    return fail(Rejection{RejectionReason::syntax, "no valid connection address"});
  }
  if (media.codecs.empty()) {
    return fail(Rejection{RejectionReason::no_common_codec, "no codec described"});
  }
  RemoteMedia remote;
  remote.direction = media.direction;
  remote.codecs = media.codecs;
  remote.rtcp_mux = media.rtcp_mux;
  remote.ptime_ms = media.ptime_ms;
  if (expected.profile == Profile::avp) {
    read_addresses(media, remote);
    remote.crypto = usable_crypto(media, expected);
  } else if (auto rejection = read_webrtc(media, remote)) {
    return fail(std::move(*rejection));
  }
  return remote;
}

bool compare_remote(const RemoteMedia& before, RemoteMedia& now) {
  const bool new_ufrag = now.ice_ufrag != before.ice_ufrag;
  const bool new_pwd = now.ice_pwd != before.ice_pwd;
  if (new_ufrag != new_pwd) return false;  // RFC 8839 §4.4.1.1.1: a restart changes both
  now.ice_restart = new_ufrag;
  auto old_set = before.fingerprints;
  auto new_set = now.fingerprints;
  std::sort(old_set.begin(), old_set.end());
  std::sort(new_set.begin(), new_set.end());
  now.new_association = old_set != new_set || now.tls_id != before.tls_id;
  return true;
}

}  // namespace trunkline::sdp
