#pragma once
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/plane.hpp"
#include "media/srtp.hpp"

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace trunkline::media {

/// The keys of a DTLS-SRTP association (RFC 5764 §4.2), from our point of view.
struct DtlsSrtpKeys {
  SrtpProfile profile = SrtpProfile::aead_aes_128_gcm;
  SrtpMasterKey send, receive;
};

/// One DTLS 1.2 association over one `SSL` object (RFC 6347, RFC 5764, RFC 8842). Datagrams in,
/// datagrams out; the caller lets in only what comes from an address that ICE has validated. A
/// failed association is thrown away and replaced. Its retransmission timer runs by `deadline()`,
/// of the worker's clock. OpenSSL compares with the wall clock too when it fires: an association
/// whose timer would wait because that was put back fails instead, and the peer's next flight
/// begins another.
class DtlsAssociation {
 public:
  enum class State : std::uint8_t {
    handshaking,
    finished,  ///< keys are there; whether the peer is the right one, `verified()` says
    closed,    ///< the peer sent close_notify or a fatal alert after the handshake
    failed     ///< the handshake came to nothing
  };
  enum class Failure : std::uint8_t { none, alert, fingerprint, profile, clock };

  /// Null only if OpenSSL has no memory. `client`: we send the ClientHello, with `start`.
  static std::unique_ptr<DtlsAssociation> make(const DtlsIdentity& identity, bool client);
  ~DtlsAssociation();
  DtlsAssociation(const DtlsAssociation&) = delete;
  DtlsAssociation& operator=(const DtlsAssociation&) = delete;

  /// What the peer's certificate must hash to: any one of these (RFC 8122 §5). Empty: not yet
  /// known.
  void expect(std::vector<Fingerprint> fingerprints);
  void start(TimePoint now);
  void receive(ByteView datagram, TimePoint now);
  void on_deadline(TimePoint now);
  TimePoint deadline() const { return deadline_; }
  /// Sends close_notify if the handshake is over.
  void close();

  State state() const { return state_; }
  Failure failure() const { return failure_; }
  /// The peer's certificate was compared with the expected fingerprints. `mismatch()`: and is none
  /// of them.
  bool verified() const { return state_ == State::finished && matches_ == Match::yes; }
  bool mismatch() const { return matches_ == Match::no; }
  const DtlsSrtpKeys* keys() const { return keys_ ? &*keys_ : nullptr; }
  /// Datagrams to send, in order; each at most `kMtu` octets. Empties the list.
  std::vector<std::vector<std::uint8_t>> take_datagrams() { return std::exchange(out_, {}); }

  static constexpr long kMtu = 1200;

 private:
  enum class Match : std::uint8_t { unknown, yes, no };
  friend struct DtlsCallbacks;

  DtlsAssociation() = default;
  void advance(TimePoint now);
  void finish();
  void read_records();
  void rearm(TimePoint now);
  Match compare(const X509* certificate) const;
  std::optional<DtlsSrtpKeys> export_keys() const;

  SSL* ssl_ = nullptr;
  bool client_ = false;
  State state_ = State::handshaking;
  Failure failure_ = Failure::none;
  Match matches_ = Match::unknown;
  TimePoint deadline_ = kNever;
  std::vector<Fingerprint> expected_;
  std::optional<DtlsSrtpKeys> keys_;
  ByteView in_;  ///< the datagram being read
  std::vector<std::vector<std::uint8_t>> out_;
};

}  // namespace trunkline::media
