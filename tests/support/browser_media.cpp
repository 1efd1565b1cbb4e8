#include "support/browser_media.hpp"

#include "ice/stun.hpp"
#include "media/audio_codec.hpp"
#include "rtp/g711.hpp"
#include "rtp/packet.hpp"
#include "rtp/quality.hpp"
#include "rtp/rtcp.hpp"
#include "rtp/telephone_event.hpp"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <numbers>

namespace trunkline::test {

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kRemembered = 64;
constexpr std::uint32_t kSamples = 160;
constexpr Duration kPacket = milliseconds{20};
constexpr Duration kReportInterval = seconds{5};

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
template <class T>
using Owned = std::unique_ptr<T, SslDeleter>;

std::string colon_hex(const X509* certificate) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  std::string text;
  for (const unsigned char octet : digest) {
    std::array<char, 4> part{};
    std::snprintf(part.data(), part.size(), "%02X:", octet);
    text += part.data();
  }
  text.pop_back();
  return text;
}

Owned<X509> make_certificate(EVP_PKEY* key) {
  Owned<X509> certificate(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400L * 30);
  X509_set_pubkey(certificate.get(), key);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

/// A browser's DTLS: OpenSSL over memory BIOs, a datagram a record.
class PeerDtls {
 public:
  PeerDtls(const BrowserMediaSettings& settings)
      : key_(EVP_EC_gen("P-256")), certificate_(make_certificate(key_.get())) {
    context_.reset(SSL_CTX_new(DTLS_method()));
    SSL_CTX_set_min_proto_version(context_.get(), DTLS1_2_VERSION);
    SSL_CTX_set_options(context_.get(), SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_tlsext_use_srtp(context_.get(), settings.srtp_profiles.c_str());
    if (settings.send_certificate) {
      SSL_CTX_use_certificate(context_.get(), certificate_.get());
      SSL_CTX_use_PrivateKey(context_.get(), key_.get());
    }
    fingerprint_ = {"sha-256", colon_hex(certificate_.get())};
  }

  void start(bool client) {
    client_ = client;
    finished_ = failed_ = closed_ = false;
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    BIO_set_mem_eof_return(out_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_mtu(ssl_.get(), 1200);
    if (client)
      SSL_set_connect_state(ssl_.get());
    else
      SSL_set_accept_state(ssl_.get());
    advance();
  }
  bool started() const { return ssl_ != nullptr; }
  void receive(ByteView datagram) {
    BIO_write(in_, datagram.data(), static_cast<int>(datagram.size()));
    advance();
  }
  void on_timer() {
    if (ssl_ && !finished_) DTLSv1_handle_timeout(ssl_.get());
  }
  Duration timeout() const {
    timeval left{};
    if (!ssl_ || finished_ || DTLSv1_get_timeout(ssl_.get(), &left) != 1) return seconds{3600};
    return seconds{left.tv_sec} + std::chrono::microseconds{left.tv_usec} + milliseconds{1};
  }
  void close() {
    if (finished_) SSL_shutdown(ssl_.get());
  }
  std::vector<Bytes> take() {
    std::vector<Bytes> records;
    if (!ssl_) return records;
    char* data = nullptr;
    const long pending = BIO_get_mem_data(out_, &data);
    const ByteView all = as_bytes({data, static_cast<std::size_t>(std::max(pending, 0L))});
    for (std::size_t at = 0; at + 13 <= all.size();) {
      const ByteView record =
          all.subspan(at, std::min<std::size_t>(13u + load16(all, at + 11), all.size() - at));
      records.emplace_back(record.begin(), record.end());
      at += record.size();
    }
    BIO_reset(out_);
    return records;
  }
  bool finished() const { return finished_; }
  bool failed() const { return failed_; }
  bool closed() const { return closed_; }
  const media::Fingerprint& fingerprint() const { return fingerprint_; }
  std::string peer_fingerprint() const {
    const Owned<X509> peer(SSL_get1_peer_certificate(ssl_.get()));
    return peer ? colon_hex(peer.get()) : std::string();
  }
  std::string profile() const {
    const auto* selected = ssl_ ? SSL_get_selected_srtp_profile(ssl_.get()) : nullptr;
    return selected ? selected->name : "";
  }
  /// Our and the peer's SRTP key, RFC 5764 §4.2.
  std::optional<BrowserSrtpKeys> keys() const {
    const auto* selected = SSL_get_selected_srtp_profile(ssl_.get());
    if (!selected) return std::nullopt;
    std::size_t key = 16, salt = 14;
    BrowserSrtpKeys keys;
    keys.profile = media::SrtpProfile::aes_cm_128_hmac_sha1_80;
    if (selected->id == SRTP_AES128_CM_SHA1_32) {
      keys.profile = media::SrtpProfile::aes_cm_128_hmac_sha1_32;
    } else if (selected->id == SRTP_AEAD_AES_128_GCM || selected->id == SRTP_AEAD_AES_256_GCM) {
      const bool wide = selected->id == SRTP_AEAD_AES_256_GCM;
      keys.profile =
          wide ? media::SrtpProfile::aead_aes_256_gcm : media::SrtpProfile::aead_aes_128_gcm;
      key = wide ? 32 : 16;
      salt = 12;
    }
    Bytes all(2 * (key + salt));
    SSL_export_keying_material(ssl_.get(), all.data(), all.size(), "EXTRACTOR-dtls_srtp", 19,
                               nullptr, 0, 0);
    const std::size_t mine = client_ ? 0 : 1, other = 1 - mine;
    std::copy_n(&all[mine * key], key, keys.ours.key.begin());
    std::copy_n(&all[other * key], key, keys.theirs.key.begin());
    std::copy_n(&all[2 * key + mine * salt], salt, keys.ours.salt.begin());
    std::copy_n(&all[2 * key + other * salt], salt, keys.theirs.salt.begin());
    return keys;
  }

 private:
  void advance() {
    ERR_clear_error();
    if (!finished_ && !failed_) {
      const int result = SSL_do_handshake(ssl_.get());
      if (result == 1) {
        finished_ = true;
      } else if (const int error = SSL_get_error(ssl_.get(), result);
                 error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        failed_ = true;
      }
    }
    if (finished_) {
      std::array<std::uint8_t, 2048> ignored;
      SSL_read(ssl_.get(), ignored.data(), static_cast<int>(ignored.size()));
      if (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) closed_ = true;
    }
    ERR_clear_error();
  }

  Owned<EVP_PKEY> key_;
  Owned<X509> certificate_;
  Owned<SSL_CTX> context_;
  Owned<SSL> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  bool client_ = true, finished_ = false, failed_ = false, closed_ = false;
  media::Fingerprint fingerprint_;
};

}  // namespace

// ------------------------------------------------------------------------------------ ToneMeter

void ToneMeter::add(double sample) {
  samples_.push_back(sample);
  if (samples_.size() < kWindow) return;
  const double step = 2 * std::numbers::pi * frequency_ / 8000;
  double s1 = 0, s2 = 0, energy = 0;
  for (const double each : samples_) {
    const double s0 = each + 2 * std::cos(step) * s1 - s2;
    s2 = s1;
    s1 = s0;
    energy += each * each;
  }
  const double power = s1 * s1 + s2 * s2 - 2 * std::cos(step) * s1 * s2;
  // A pure tone of amplitude A has power (A·N/2)² and energy A²·N/2.
  share_ = energy < 1000.0 * kWindow ? 0 : power / (energy * kWindow / 2);
  ++windows_;
  if (share_ > 0.8) ++heard_;
  samples_.clear();
}

void ToneMeter::add(ByteView ulaw) {
  for (const std::uint8_t code : ulaw)
    add(static_cast<double>(rtp::pcmu_decode(code)));
}

void ToneMeter::add(std::span<const std::int16_t> samples) {
  for (const std::int16_t sample : samples)
    add(static_cast<double>(sample));
}

namespace {

std::array<std::int16_t, kSamples> linear_tone(double frequency, std::uint64_t sample) {
  std::array<std::int16_t, kSamples> samples{};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double time = static_cast<double>(sample + i) / 8000;
    samples[i] =
        static_cast<std::int16_t>(8000 * std::sin(2 * std::numbers::pi * frequency * time));
  }
  return samples;
}

}  // namespace

std::vector<std::uint8_t> ulaw_tone(double frequency, std::uint64_t sample) {
  const auto samples = linear_tone(frequency, sample);
  Bytes payload(kSamples);
  std::transform(samples.begin(), samples.end(), payload.begin(), rtp::pcmu_encode);
  return payload;
}

// --------------------------------------------------------------------------------- BrowserMedia

struct BrowserMedia::Impl {
  Impl(BrowserMediaSettings chosen, Random& generator)
      : settings(std::move(chosen)),
        random(generator),
        dtls(settings),
        local{random.token(4), random.token(24)},
        ssrc(settings.ssrc != 0 ? settings.ssrc : random.number32() | 1),
        sequence(static_cast<std::uint16_t>(1000 + random.below(30000))),
        timestamp(random.number32()),
        meter(settings.listen_frequency),
        tie_breaker(random.number64()) {
    if (!settings.opus) return;
    encoder = media::AudioEncoder::make(media::AudioCodec::opus, 8000);
    decoder = media::AudioDecoder::make(media::AudioCodec::opus, 8000);
  }

  void check(TimePoint now);
  void receive_stun(ByteView datagram);
  void receive_srtp(ByteView datagram, TimePoint now);
  void take_rtp(ByteView packet, TimePoint now);
  void take_rtcp(ByteView packet, TimePoint now);
  void after_dtls(TimePoint now);
  bool seal(Bytes packet, bool rtcp);
  void report(TimePoint now);
  Bytes audio(std::uint64_t sample);
  void hear(ByteView payload);
  bool loses(std::uint32_t& counted) const {
    return settings.lose_every != 0 && ++counted % settings.lose_every == 0;
  }
  void flush_dtls() {
    for (Bytes& record : dtls.take())
      out.push_back(std::move(record));
  }

  BrowserMediaSettings settings;
  Random& random;
  PeerDtls dtls;
  media::IceCredentials local, remote;
  std::optional<media::IceCredentials> fresh;
  media::Fingerprint expected;
  bool connecting = false, ice_up = false, verified = false, mismatch = false, paused = false;
  TimePoint next_check = kNever, next_tone = kNever, next_report = kNever, dtls_timer = kNever;
  std::uint32_t ssrc;
  std::uint16_t sequence;
  std::uint32_t timestamp;
  ToneMeter meter;
  std::uint64_t tie_breaker;
  double tone_frequency = 0;
  std::uint64_t tone_sample = 0;
  std::uint32_t packets_sent = 0, octets_sent = 0;
  std::optional<BrowserSrtpKeys> keys;
  std::unique_ptr<media::SrtpSender> sender;
  std::unique_ptr<media::SrtpReceiver> receiver;
  std::optional<SocketAddress> mapped;
  std::vector<Bytes> out, sent;
  Received received;
  rtp::ReceiveStatistics statistics;
  rtp::EventReceiver events;
  std::unique_ptr<media::AudioEncoder> encoder;
  std::unique_ptr<media::AudioDecoder> decoder;
  std::uint32_t lossy_in = 0, lossy_out = 0;
};

void BrowserMedia::Impl::check(TimePoint now) {
  next_check = now + settings.check_interval;
  if (paused) return;
  ice::StunTransactionId id{};
  random.fill(id);
  Bytes message(ice::kMaxStunMessage);
  const ice::StunKey key(remote.pwd);
  ice::StunWriter writer(message, ice::StunClass::request, id);
  writer.username(remote.ufrag, local.ufrag)
      .priority(1853824767)
      .ice_controlling(tie_breaker)
      .use_candidate();
  message.resize(writer.finish(&key));
  out.push_back(std::move(message));
}

void BrowserMedia::Impl::receive_stun(ByteView datagram) {
  const auto message = ice::StunMessage::parse(datagram);
  if (!message || message->message_class() != ice::StunClass::success) return;
  if (!message->authenticate(ice::StunKey(remote.pwd))) return;
  ice_up = true;
  mapped = message->xor_mapped_address();
}

void BrowserMedia::Impl::after_dtls(TimePoint now) {
  flush_dtls();
  dtls_timer = dtls.started() && !dtls.finished() ? now + dtls.timeout() : kNever;
  if (!dtls.finished() || verified || mismatch) return;
  if (settings.check_fingerprint && dtls.peer_fingerprint() != expected.value) {
    mismatch = true;
    return;
  }
  keys = dtls.keys();
  if (!keys) {
    mismatch = true;
    return;
  }
  verified = true;
  if (!settings.carries_rtp) return;
  sender = media::engines::libsrtp_sender(keys->profile, keys->ours, ssrc);
  receiver = media::engines::libsrtp_receiver(keys->profile, keys->theirs);
  next_report = now + kReportInterval;
  if (tone_frequency > 0) next_tone = now;
}

void BrowserMedia::Impl::receive_srtp(ByteView datagram, TimePoint now) {
  if (!receiver) return;
  Bytes buffer(datagram.begin(), datagram.end());
  buffer.resize(datagram.size() + 64);
  media::Packet packet{buffer.data(), datagram.size()};
  const bool rtcp = rtp::is_rtcp(datagram);
  if (!rtcp && loses(lossy_in)) return;
  const auto verdict = rtcp ? receiver->unprotect_rtcp(packet) : receiver->unprotect_rtp(packet);
  if (verdict != media::SrtpVerdict::ok) {
    ++received.srtp_errors;
  } else if (rtcp) {
    take_rtcp(packet.bytes(), now);
  } else {
    take_rtp(packet.bytes(), now);
  }
}

void BrowserMedia::Impl::take_rtp(ByteView packet, TimePoint now) {
  const auto header = rtp::parse_header(packet);
  if (!header) return;
  if (received.rtp > 0) {
    if (received.ssrc != header->ssrc) ++received.ssrc_changes;
    if (header->sequence != static_cast<std::uint16_t>(received.sequence + 1)) {
      ++received.sequence_gaps;
    }
  }
  ++received.rtp;
  received.bytes += header->payload_size;
  received.ssrc = header->ssrc;
  received.sequence = header->sequence;
  received.timestamp = header->timestamp;
  received.payload_type = header->payload_type;
  received.marker = header->marker;
  const ByteView payload = packet.subspan(header->payload_at, header->payload_size);
  received.payload.assign(payload.begin(), payload.end());
  statistics.update(header->ssrc, header->sequence, header->timestamp, settings.clock, now);
  if (header->payload_type == settings.payload_type) hear(payload);
  if (header->payload_type != settings.event_payload_type) return;
  if (const auto event = rtp::parse_event(payload)) {
    for (const rtp::Digit& digit :
         events.receive(header->ssrc, header->timestamp, *event, settings.clock, now)) {
      received.digits += digit.digit;
    }
  }
}

void BrowserMedia::Impl::take_rtcp(ByteView packet, TimePoint now) {
  ++received.rtcp;
  auto reader = rtp::RtcpReader::open(packet);
  if (!reader) return;
  while (const auto part = reader->next()) {
    if (part->is(rtp::RtcpType::receiver_report)) ++received.receiver_reports;
    if (part->is(rtp::RtcpType::bye)) ++received.byes;
    if (!part->is(rtp::RtcpType::sender_report)) continue;
    ++received.sender_reports;
    const auto info = rtp::sender_info(*part);
    const auto from = rtp::sender_ssrc(*part);
    if (info && from) statistics.on_sender_report(*from, info->ntp, now);
  }
}

bool BrowserMedia::Impl::seal(Bytes bytes, bool rtcp) {
  if (!sender) return false;
  const std::size_t size = bytes.size();
  bytes.resize(size + media::kTailRoom + 64);
  media::Packet packet{bytes.data(), size};
  const auto verdict = rtcp ? sender->protect_rtcp(packet) : sender->protect_rtp(packet);
  if (verdict != media::SrtpVerdict::ok) return false;
  bytes.resize(packet.size);
  sent.push_back(bytes);
  if (sent.size() > kRemembered) sent.erase(sent.begin());
  if (rtcp || !loses(lossy_out)) out.push_back(std::move(bytes));
  return true;
}

void BrowserMedia::Impl::report(TimePoint now) {
  next_report = now + kReportInterval;
  rtp::RtcpReport own;
  own.ssrc = ssrc;
  own.cname = "browser";
  const auto block = statistics.report(now);
  if (block) own.blocks = {&*block, 1};
  if (packets_sent > 0) {
    own.sender = rtp::SenderInfo{
        rtp::ntp_time(std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch())),
        timestamp, packets_sent, octets_sent};
  }
  Bytes compound(512);
  compound.resize(rtp::write_report(compound, own));
  seal(std::move(compound), true);
}

Bytes BrowserMedia::Impl::audio(std::uint64_t sample) {
  if (!encoder) return ulaw_tone(tone_frequency, sample);
  Bytes payload(media::kMaxEncoded);
  payload.resize(encoder->encode(linear_tone(tone_frequency, sample), payload));
  return payload;
}

void BrowserMedia::Impl::hear(ByteView payload) {
  if (!decoder) return meter.add(payload);
  std::array<std::int16_t, media::kMaxPacketSamples> samples{};
  meter.add(std::span<const std::int16_t>(samples).first(decoder->decode(payload, samples)));
}

BrowserMedia::BrowserMedia(BrowserMediaSettings settings, Random& random)
    : impl_(std::make_unique<Impl>(std::move(settings), random)) {}
BrowserMedia::~BrowserMedia() = default;

const media::IceCredentials& BrowserMedia::ice() const {
  return impl_->fresh ? *impl_->fresh : impl_->local;
}
const media::Fingerprint& BrowserMedia::fingerprint() const {
  return impl_->dtls.fingerprint();
}
std::uint32_t BrowserMedia::ssrc() const {
  return impl_->ssrc;
}

void BrowserMedia::connect(const media::IceCredentials& remote,
                           const media::Fingerprint& fingerprint, bool dtls_client, TimePoint now) {
  if (impl_->fresh) impl_->local = *std::exchange(impl_->fresh, std::nullopt);
  impl_->remote = remote;
  impl_->expected = fingerprint;
  impl_->settings.dtls_client = dtls_client;
  impl_->connecting = true;
  impl_->next_check = now;
}

void BrowserMedia::restart_ice() {
  impl_->fresh = media::IceCredentials{impl_->random.token(4), impl_->random.token(24)};
}

void BrowserMedia::begin_association(bool dtls_client, TimePoint now) {
  impl_->settings.dtls_client = dtls_client;
  impl_->verified = impl_->mismatch = false;
  impl_->dtls.start(dtls_client);
  impl_->after_dtls(now);
}

void BrowserMedia::receive(ByteView datagram, TimePoint now) {
  switch (rtp::classify(datagram)) {
    case rtp::DatagramKind::stun: {
      const bool was_up = impl_->ice_up;
      impl_->receive_stun(datagram);
      if (!was_up && impl_->ice_up && impl_->settings.dtls_client) {
        impl_->dtls.start(true);
        impl_->after_dtls(now);
      }
      return;
    }
    case rtp::DatagramKind::dtls:
      if (!impl_->dtls.started()) {
        if (impl_->settings.dtls_client) return;
        impl_->dtls.start(false);
      }
      impl_->dtls.receive(datagram);
      impl_->after_dtls(now);
      return;
    case rtp::DatagramKind::rtp:
      impl_->receive_srtp(datagram, now);
      return;
    case rtp::DatagramKind::zrtp:
    case rtp::DatagramKind::turn:
    case rtp::DatagramKind::unknown:
    case rtp::DatagramKind::count_:
      return;
  }
}

void BrowserMedia::on_deadline(TimePoint now) {
  if (now >= impl_->next_check) impl_->check(now);
  if (now >= impl_->dtls_timer) {
    impl_->dtls.on_timer();
    impl_->after_dtls(now);
  }
  if (now >= impl_->next_report) impl_->report(now);
  while (now >= impl_->next_tone) {
    impl_->next_tone += kPacket;
    send_rtp(impl_->audio(impl_->tone_sample), impl_->settings.payload_type,
             impl_->settings.clock / 50, impl_->tone_sample == 0);
    impl_->tone_sample += kSamples;
  }
}

TimePoint BrowserMedia::deadline() const {
  return std::min({impl_->next_check, impl_->next_tone, impl_->next_report, impl_->dtls_timer});
}

std::vector<std::vector<std::uint8_t>> BrowserMedia::take_datagrams() {
  return std::exchange(impl_->out, {});
}

bool BrowserMedia::ice_connected() const {
  return impl_->ice_up;
}
bool BrowserMedia::dtls_connected() const {
  return impl_->verified;
}
bool BrowserMedia::dtls_failed() const {
  return impl_->dtls.failed() || impl_->mismatch;
}
bool BrowserMedia::closed() const {
  return impl_->dtls.closed();
}
std::string BrowserMedia::srtp_profile() const {
  return impl_->dtls.profile();
}
std::optional<BrowserSrtpKeys> BrowserMedia::srtp_keys() const {
  return impl_->keys;
}
std::optional<SocketAddress> BrowserMedia::mapped_address() const {
  return impl_->mapped;
}

void BrowserMedia::send_tone(double frequency, TimePoint now) {
  impl_->tone_frequency = frequency;
  impl_->next_tone = frequency > 0 && impl_->verified ? now : kNever;
}

bool BrowserMedia::send_rtp(ByteView payload, std::uint8_t payload_type,
                            std::uint32_t timestamp_step, bool marker) {
  if (!impl_->sender) return false;
  Bytes packet(rtp::kFixedHeaderSize + payload.size());
  rtp::Header header;
  header.marker = marker;
  header.payload_type = payload_type;
  header.sequence = impl_->sequence++;
  header.timestamp = impl_->timestamp;
  header.ssrc = impl_->ssrc;
  rtp::write_header(packet, header);
  std::copy(payload.begin(), payload.end(), packet.begin() + rtp::kFixedHeaderSize);
  impl_->timestamp += timestamp_step;
  ++impl_->packets_sent;
  impl_->octets_sent += static_cast<std::uint32_t>(payload.size());
  return impl_->seal(std::move(packet), false);
}

void BrowserMedia::send_digit(char digit, std::uint32_t duration_ms) {
  const auto event = rtp::event_of(digit);
  if (!event) return;
  const std::uint32_t total = duration_ms * (impl_->settings.clock / 1000);
  const std::uint32_t step = impl_->settings.clock / 50;
  for (std::uint32_t ticks = step; ticks < total; ticks += step) {
    Bytes payload(rtp::kEventPayloadSize);
    rtp::write_event(payload, {*event, false, 10, static_cast<std::uint16_t>(ticks)});
    send_rtp(payload, impl_->settings.event_payload_type, 0, ticks == step);
  }
  for (int i = 0; i < 3; ++i) {
    Bytes payload(rtp::kEventPayloadSize);
    rtp::write_event(payload, {*event, true, 10, static_cast<std::uint16_t>(total)});
    send_rtp(payload, impl_->settings.event_payload_type, i == 2 ? total : 0, false);
  }
}

void BrowserMedia::send_rtcp(ByteView compound) {
  impl_->seal(Bytes(compound.begin(), compound.end()), true);
}
void BrowserMedia::send_raw(ByteView datagram) {
  impl_->out.emplace_back(datagram.begin(), datagram.end());
}
void BrowserMedia::close() {
  impl_->dtls.close();
  impl_->flush_dtls();
}
void BrowserMedia::pause_checks(bool paused) {
  impl_->paused = paused;
}

const BrowserMedia::Received& BrowserMedia::received() const {
  return impl_->received;
}
const ToneMeter& BrowserMedia::tone() const {
  return impl_->meter;
}
const std::vector<std::vector<std::uint8_t>>& BrowserMedia::sent_srtp() const {
  return impl_->sent;
}

}  // namespace trunkline::test
