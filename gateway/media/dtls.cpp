#include "media/dtls.hpp"

#include "media/dtls_callbacks.hpp"
#include "media/dtls_identity.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

namespace trunkline::media {

namespace {

constexpr unsigned int kFirstTimeout = 200'000, kLastTimeout = 3'000'000;  // µs
constexpr std::size_t kMaxQueued = 32;  ///< datagrams of one flight
constexpr int kMaxRecords = 16;         ///< records read from one datagram
constexpr std::string_view kExporterLabel = "EXTRACTOR-dtls_srtp";  // RFC 5764 §4.2

std::optional<SrtpProfile> profile_of(const SRTP_PROTECTION_PROFILE* selected) {
  if (!selected) return std::nullopt;
  switch (selected->id) {
    case SRTP_AES128_CM_SHA1_80:
      return SrtpProfile::aes_cm_128_hmac_sha1_80;
    case SRTP_AES128_CM_SHA1_32:
      return SrtpProfile::aes_cm_128_hmac_sha1_32;
    case SRTP_AEAD_AES_128_GCM:
      return SrtpProfile::aead_aes_128_gcm;
    case SRTP_AEAD_AES_256_GCM:
      return SrtpProfile::aead_aes_256_gcm;
    default:
      return std::nullopt;
  }
}

bool same_text(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

int DtlsCallbacks::verify(X509_STORE_CTX* store, void*) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* association = static_cast<DtlsAssociation*>(SSL_get_ex_data(ssl, 0));
  association->matches_ = association->compare(X509_STORE_CTX_get0_cert(store));
  if (association->matches_ != DtlsAssociation::Match::no) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

unsigned int DtlsCallbacks::timeout(SSL*, unsigned int previous) {
  return previous == 0 ? kFirstTimeout : std::min(previous * 2, kLastTimeout);
}

int DtlsCallbacks::write(BIO* bio, const char* data, int size) {
  auto* association = static_cast<DtlsAssociation*>(BIO_get_data(bio));
  if (association->out_.size() < kMaxQueued) association->out_.emplace_back(data, data + size);
  return size;
}

int DtlsCallbacks::read(BIO* bio, char* data, int size) {
  auto* association = static_cast<DtlsAssociation*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (association->in_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t length = std::min(association->in_.size(), static_cast<std::size_t>(size));
  std::memcpy(data, association->in_.data(), length);
  association->in_ = {};
  return static_cast<int>(length);
}

long DtlsCallbacks::control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* DtlsCallbacks::bio() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
    BIO_meth_set_write(made, &DtlsCallbacks::write);
    BIO_meth_set_read(made, &DtlsCallbacks::read);
    BIO_meth_set_ctrl(made, &DtlsCallbacks::control);
    return made;
  }();
  return method;
}

std::unique_ptr<DtlsAssociation> DtlsAssociation::make(const DtlsIdentity& identity, bool client) {
  std::unique_ptr<DtlsAssociation> made(new DtlsAssociation);
  made->client_ = client;
  made->ssl_ = SSL_new(identity.impl().context.get());
  BIO* bio = BIO_new(DtlsCallbacks::bio());
  if (!made->ssl_ || !bio) {
    BIO_free(bio);
    return nullptr;
  }
  BIO_set_data(bio, made.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(made->ssl_, bio, bio);
  SSL_set_ex_data(made->ssl_, 0, made.get());
  DTLS_set_timer_cb(made->ssl_, &DtlsCallbacks::timeout);
  DTLS_set_link_mtu(made->ssl_, kMtu);
  SSL_set_mtu(made->ssl_, kMtu);
  if (client)
    SSL_set_connect_state(made->ssl_);
  else
    SSL_set_accept_state(made->ssl_);
  return made;
}

DtlsAssociation::~DtlsAssociation() {
  SSL_free(ssl_);
}

void DtlsAssociation::expect(std::vector<Fingerprint> fingerprints) {
  expected_ = std::move(fingerprints);
  if (X509* certificate = SSL_get1_peer_certificate(ssl_)) {
    matches_ = compare(certificate);
    X509_free(certificate);
  }
}

void DtlsAssociation::start(TimePoint now) {
  advance(now);
}

void DtlsAssociation::receive(ByteView datagram, TimePoint now) {
  if (state_ == State::failed || state_ == State::closed) return;
  in_ = datagram;
  advance(now);
  in_ = {};
}

void DtlsAssociation::on_deadline(TimePoint now) {
  if (now < deadline_) return;
  ERR_clear_error();
  DTLSv1_handle_timeout(ssl_);
  rearm(now);
}

void DtlsAssociation::close() {
  if (state_ != State::finished) return;
  ERR_clear_error();
  SSL_alloc_buffers(ssl_);
  SSL_shutdown(ssl_);
}

void DtlsAssociation::advance(TimePoint now) {
  ERR_clear_error();
  if (state_ == State::handshaking) {
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) {
      finish();
    } else {
      const int error = SSL_get_error(ssl_, result);
      if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        state_ = State::failed;
        failure_ = mismatch() ? Failure::fingerprint : Failure::alert;
      }
    }
  }
  if (state_ == State::finished) {
    read_records();
    SSL_free_buffers(ssl_);  // 32 KiB that hardly anything comes for any more
  }
  rearm(now);
}

void DtlsAssociation::finish() {
  keys_ = export_keys();
  if (!keys_) {
    state_ = State::failed;
    failure_ = Failure::profile;
    return;
  }
  state_ = State::finished;
}

void DtlsAssociation::read_records() {
  // Application data has no meaning here (RFC 5764 §5): it is read and thrown away; alerts do
  // matter.
  std::array<std::uint8_t, 2048> ignored{};
  for (int i = 0; i < kMaxRecords; ++i) {
    if (SSL_read(ssl_, ignored.data(), static_cast<int>(ignored.size())) <= 0) break;
  }
  if (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) state_ = State::closed;
  ERR_clear_error();
}

void DtlsAssociation::rearm(TimePoint now) {
  timeval remaining{};
  const bool armed = state_ != State::failed && DTLSv1_get_timeout(ssl_, &remaining) == 1;
  const Duration left = seconds{remaining.tv_sec} + std::chrono::microseconds{remaining.tv_usec};
  deadline_ = armed ? now + left : kNever;
  // Twice what it was armed with at most: the wall clock was put back.
  if (!armed || left <= 2 * std::chrono::microseconds{kLastTimeout}) return;
  state_ = State::failed;
  failure_ = Failure::clock;
  deadline_ = kNever;
}

DtlsAssociation::Match DtlsAssociation::compare(const X509* certificate) const {
  if (!certificate || expected_.empty()) return Match::unknown;
  const bool found = std::any_of(expected_.begin(), expected_.end(), [&](const Fingerprint& one) {
    const std::string actual = certificate_fingerprint(certificate, one.hash);
    return !actual.empty() && same_text(actual, one.value);
  });
  return found ? Match::yes : Match::no;
}

std::optional<DtlsSrtpKeys> DtlsAssociation::export_keys() const {
  const auto profile = profile_of(SSL_get_selected_srtp_profile(ssl_));
  if (!profile) return std::nullopt;
  const std::size_t key = traits(*profile).key, salt = traits(*profile).salt;
  std::array<std::uint8_t, 2 * (kMaxSrtpKey + kMaxSrtpSalt)> material{};
  if (SSL_export_keying_material(ssl_, material.data(), 2 * (key + salt), kExporterLabel.data(),
                                 kExporterLabel.size(), nullptr, 0, 0) != 1) {
    return std::nullopt;
  }
  DtlsSrtpKeys keys;
  keys.profile = *profile;
  SrtpMasterKey& of_client = client_ ? keys.send : keys.receive;
  SrtpMasterKey& of_server = client_ ? keys.receive : keys.send;
  const std::uint8_t* at = material.data();
  const auto take = [&at](auto& into, std::size_t size) {
    std::copy_n(at, size, into.begin());
    at += size;
  };
  take(of_client.key, key);
  take(of_server.key, key);
  take(of_client.salt, salt);
  take(of_server.salt, salt);
  OPENSSL_cleanse(material.data(), material.size());
  return keys;
}

}  // namespace trunkline::media
