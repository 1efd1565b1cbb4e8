#include "media/dtls_transport.hpp"

#include <algorithm>
#include <iterator>

namespace trunkline::media {

namespace {

constexpr Duration kRetry = milliseconds{500};
constexpr std::uint8_t kHandshakeRecord = 22, kClientHello = 1;
constexpr std::size_t kRecordHeader = 13;

/// Only a ClientHello may make us build an `SSL` object: alerts and noise find none.
bool is_client_hello(ByteView datagram) {
  return datagram.size() > kRecordHeader && datagram[0] == kHandshakeRecord &&
         datagram[kRecordHeader] == kClientHello;
}

bool same_set(const std::vector<Fingerprint>& one, const std::vector<Fingerprint>& other) {
  return std::is_permutation(one.begin(), one.end(), other.begin(), other.end());
}

}  // namespace

DtlsTransport::DtlsTransport(DtlsIdentity identity, HandshakeBudget& budget, Duration timeout)
    : identity_(std::move(identity)), budget_(budget), timeout_(timeout) {}

DtlsTransport::~DtlsTransport() {
  release_budget();
}

bool DtlsTransport::is_new_association(const BrowserRemote& remote) const {
  if (fingerprints_.empty() || remote.fingerprints.empty()) return false;
  const bool turned = remote.role != DtlsRole::undecided && role_ != DtlsRole::undecided &&
                      (remote.role == DtlsRole::client) != is_client();
  return turned || remote.tls_id != tls_id_ || !same_set(remote.fingerprints, fingerprints_);
}

DtlsTransport::Outcome DtlsTransport::describe(const BrowserRemote& remote, TimePoint now) {
  // A handshake under way goes on: it may be the new peer's already, and if not, its certificate is
  // the wrong one.
  const bool over = !association_ || association_->state() != DtlsAssociation::State::handshaking;
  if (over && is_new_association(remote)) {
    connected_ = false;
    retry_at_ = kNever;
    drop_association();
    restart_clock(now);
  }
  if (remote.role != DtlsRole::undecided && !connected_) {
    const bool was_client = is_client();
    role_ = remote.role;
    // An association in the wrong role leads nowhere. One that an early ClientHello began while the
    // role was open stays.
    if (is_client() != was_client) drop_association();
  }
  if (!remote.fingerprints.empty()) {
    const bool known = same_set(remote.fingerprints, fingerprints_);
    fingerprints_ = remote.fingerprints;
    tls_id_ = remote.tls_id;
    if (!known) restart_clock(now);
    if (!known && association_) association_->expect(fingerprints_);
  }
  if (begun_ && !association_ && !connected_ && is_client()) start_client(now);
  return judge(now);
}

DtlsTransport::Outcome DtlsTransport::begin(TimePoint now) {
  if (begun_) return {};
  begun_ = true;
  restart_clock(now);
  if (is_client()) start_client(now);
  return judge(now);
}

DtlsTransport::Outcome DtlsTransport::receive(ByteView datagram, TimePoint now) {
  if (!association_) {
    if (is_client() || !is_client_hello(datagram)) return {};
    if (!make_association(now)) return {.connected = false, .failure = {}, .refused = true};
  }
  association_->receive(datagram, now);
  return judge(now);
}

bool DtlsTransport::is_costly(ByteView datagram) const {
  if (association_) return association_->state() == DtlsAssociation::State::handshaking;
  return !is_client() && is_client_hello(datagram) && budget_.active < budget_.limit;
}

DtlsTransport::Outcome DtlsTransport::on_deadline(TimePoint now) {
  if (now >= give_up_at_) {
    give_up_at_ = kNever;
    if (!fingerprints_.empty() && !connected_) {
      drop_association();
      retry_at_ = kNever;
      return {.failure = saw_alert_ ? MediaFailure::dtls_alert : MediaFailure::dtls_timeout};
    }
    // Nobody is expected yet: only the place that an unfinished handshake holds is taken back.
    if (holds_budget_) {
      drop_association();
      if (is_client()) retry_at_ = now + kRetry;
    }
  }
  if (now >= retry_at_) start_client(now);
  if (association_) association_->on_deadline(now);
  return judge(now);
}

TimePoint DtlsTransport::deadline() const {
  TimePoint first = std::min(connected_ ? kNever : give_up_at_, retry_at_);
  if (association_) first = std::min(first, association_->deadline());
  return first;
}

void DtlsTransport::close() {
  if (association_) association_->close();
}

std::vector<std::vector<std::uint8_t>> DtlsTransport::take_datagrams() {
  auto datagrams = std::exchange(last_words_, {});
  if (association_) {
    auto more = association_->take_datagrams();
    std::move(more.begin(), more.end(), std::back_inserter(datagrams));
  }
  return datagrams;
}

bool DtlsTransport::make_association(TimePoint now) {
  if (budget_.active >= budget_.limit) return false;
  association_ = DtlsAssociation::make(identity_, is_client());
  if (!association_) return false;
  ++budget_.active;
  holds_budget_ = true;
  association_->expect(fingerprints_);
  if (give_up_at_ == kNever) give_up_at_ = now + timeout_;
  return true;
}

void DtlsTransport::drop_association() {
  if (association_) last_words_ = association_->take_datagrams();
  association_.reset();
  release_budget();
}

void DtlsTransport::release_budget() {
  if (!holds_budget_) return;
  holds_budget_ = false;
  --budget_.active;
}

void DtlsTransport::start_client(TimePoint now) {
  retry_at_ = kNever;
  if (make_association(now)) {
    association_->start(now);
  } else {
    retry_at_ = now + kRetry;
  }
}

void DtlsTransport::restart_clock(TimePoint now) {
  // Before the fingerprint is known a finished handshake is only held (RFC 8122 §6.2): the peer may
  // be waiting for a person to answer.
  saw_alert_ = false;
  give_up_at_ = begun_ && !fingerprints_.empty() ? now + timeout_ : kNever;
}

DtlsTransport::Outcome DtlsTransport::judge(TimePoint now) {
  Outcome outcome;
  if (!association_) return outcome;
  if (association_->state() != DtlsAssociation::State::handshaking) release_budget();
  switch (association_->state()) {
    case DtlsAssociation::State::handshaking:
      break;
    case DtlsAssociation::State::finished:
      if (association_->mismatch()) {
        association_->close();
        outcome.failure = MediaFailure::dtls_fingerprint;
      } else if (association_->verified() && !connected_) {
        connected_ = outcome.connected = true;
      }
      break;
    case DtlsAssociation::State::closed:
      outcome.failure = MediaFailure::dtls_closed;
      break;
    case DtlsAssociation::State::failed:
      if (association_->failure() == DtlsAssociation::Failure::fingerprint) {
        outcome.failure = MediaFailure::dtls_fingerprint;
      } else if (association_->failure() == DtlsAssociation::Failure::profile) {
        outcome.failure = MediaFailure::dtls_profile;
      } else {
        // Whoever can spoof an address can send an alert: only this association ends.
        saw_alert_ = saw_alert_ || association_->failure() == DtlsAssociation::Failure::alert;
        if (is_client()) retry_at_ = now + kRetry;
      }
      drop_association();
      break;
  }
  return outcome;
}

}  // namespace trunkline::media
