#pragma once
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/dtls.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::media {

/// How many unfinished handshakes a worker carries at once.
struct HandshakeBudget {
  std::size_t limit = 0, active = 0;
};

/// The DTLS of one browser leg over all its associations: its role, its deadline, and a new
/// association when one fails or the peer becomes another (RFC 8842 §5). The caller feeds it only
/// from addresses that ICE has validated.
class DtlsTransport {
 public:
  struct Outcome {
    bool connected = false;               ///< verified: `keys()` are to be used from now on
    std::optional<MediaFailure> failure;  ///< it is over
    bool refused = false;                 ///< a ClientHello beyond the worker's budget
  };

  DtlsTransport(DtlsIdentity identity, HandshakeBudget& budget, Duration timeout);
  ~DtlsTransport();
  DtlsTransport(const DtlsTransport&) = delete;
  DtlsTransport& operator=(const DtlsTransport&) = delete;

  /// What the peer's SDP says. One that `is_new_association` begins it; the keys of the old one
  /// serve until it is verified.
  Outcome describe(const BrowserRemote& remote, TimePoint now);
  /// RFC 8842 §5.1: other fingerprints, another tls-id or another role than those that are agreed.
  bool is_new_association(const BrowserRemote& remote) const;
  /// ICE is up: as client we begin, as server the time for the peer begins.
  Outcome begin(TimePoint now);
  Outcome receive(ByteView datagram, TimePoint now);
  /// Whether this datagram would take a handshake further, which may cost public-key work.
  bool is_costly(ByteView datagram) const;
  Outcome on_deadline(TimePoint now);
  TimePoint deadline() const;
  /// close_notify.
  void close();

  bool connected() const { return connected_; }
  const DtlsSrtpKeys* keys() const { return association_ ? association_->keys() : nullptr; }
  std::vector<std::vector<std::uint8_t>> take_datagrams();

 private:
  bool is_client() const { return role_ == DtlsRole::client; }
  bool make_association(TimePoint now);
  void drop_association();
  void release_budget();
  void start_client(TimePoint now);
  void restart_clock(TimePoint now);
  Outcome judge(TimePoint now);

  DtlsIdentity identity_;
  HandshakeBudget& budget_;
  Duration timeout_;
  DtlsRole role_ = DtlsRole::undecided;
  std::vector<Fingerprint> fingerprints_;
  std::string tls_id_;
  std::unique_ptr<DtlsAssociation> association_;
  std::vector<std::vector<std::uint8_t>> last_words_;  ///< of an association that is gone
  bool holds_budget_ = false;
  bool begun_ = false, connected_ = false;
  bool saw_alert_ = false;
  TimePoint give_up_at_ = kNever;
  TimePoint retry_at_ = kNever;  ///< client: the next ClientHello of a fresh association
};

}  // namespace trunkline::media
