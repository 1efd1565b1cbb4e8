#include "ice/ice_lite.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::ice {
namespace {

/// Writes the answer to an authenticated request; it is signed with the key of the request (RFC
/// 8489 §9.1.3).
std::size_t write_reply(CheckVerdict verdict, const StunMessage& request, const StunKey& key,
                        const SocketAddress& from, IceLite::Reply& reply) {
  const bool success = verdict == CheckVerdict::valid;
  StunWriter writer(reply, success ? StunClass::success : StunClass::error,
                    request.transaction_id());
  if (success) {
    writer.xor_mapped_address(from);
  } else if (verdict == CheckVerdict::role_conflict) {
    writer.error_code(kStunRoleConflict);
  } else {
    writer.error_code(kStunUnknownAttribute).unknown_attributes(request.unknown_attributes());
  }
  return writer.finish(&key);
}

bool is_answered(CheckVerdict verdict) {
  return verdict == CheckVerdict::valid || verdict == CheckVerdict::role_conflict ||
         verdict == CheckVerdict::unknown_attribute;
}

}  // namespace

std::string_view label(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::valid:
      return "valid";
    case CheckVerdict::role_conflict:
      return "role_conflict";
    case CheckVerdict::unknown_attribute:
      return "unknown_attribute";
    case CheckVerdict::malformed:
      return "malformed";
    case CheckVerdict::no_fingerprint:
      return "no_fingerprint";
    case CheckVerdict::not_binding:
      return "not_binding";
    case CheckVerdict::indication:
      return "indication";
    case CheckVerdict::response:
      return "response";
    case CheckVerdict::no_credentials:
      return "no_credentials";
    case CheckVerdict::unknown_ufrag:
      return "unknown_ufrag";
    case CheckVerdict::rate_limited:
      return "rate_limited";
    case CheckVerdict::integrity:
      return "integrity";
    case CheckVerdict::replayed:
      return "replayed";
    case CheckVerdict::closed:
      return "closed";
    case CheckVerdict::count_:
      break;
  }
  return "unknown";
}

std::string_view label(IceFailure failure) {
  switch (failure) {
    case IceFailure::connect_timeout:
      return "connect_timeout";
    case IceFailure::consent_expired:
      return "consent_expired";
    case IceFailure::count_:
      break;
  }
  return "unknown";
}

IceLite::IceLite(const IceSettings& settings, Credentials local,
                 std::optional<std::string> remote_ufrag, TimePoint now)
    : settings_(settings),
      current_{std::move(local.ufrag), std::move(remote_ufrag), StunKey(local.pwd)},
      began_(now) {}

void IceLite::set_remote_ufrag(std::string ufrag) {
  current_.remote_ufrag = std::move(ufrag);
}

void IceLite::restart(Credentials local, std::optional<std::string> remote_ufrag, TimePoint now) {
  // Of two restarts in a row the peer may never have heard of the first: the generation that it
  // checks with is kept.
  if (!previous_) previous_ = std::move(current_);
  current_ = Generation{std::move(local.ufrag), std::move(remote_ufrag), StunKey(local.pwd)};
  if (!failed_) return;
  failed_ = connected_ = false;
  began_ = now;
  pairs_.fill({});
  selected_ = pending_ = kNone;
}

CheckOutcome IceLite::receive(ByteView datagram, const SocketAddress& from,
                              std::uint32_t local_socket, TimePoint now, Reply& reply) {
  const auto message = StunMessage::parse(datagram);
  if (!message) return {};
  return receive(*message, from, local_socket, now, reply);
}

CheckOutcome IceLite::receive(const StunMessage& message, const SocketAddress& from,
                              std::uint32_t local_socket, TimePoint now, Reply& reply) {
  const Tuple tuple{from, local_socket};
  const Generation* generation = generation_of(message);
  CheckOutcome outcome;
  outcome.verdict = judge(message, generation, find(tuple), now);
  if (!is_answered(outcome.verdict)) return outcome;
  outcome.reply_size = write_reply(outcome.verdict, message, generation->key, from, reply);
  if (outcome.verdict == CheckVerdict::valid)
    accept(message, generation == &current_, tuple, now, outcome);
  return outcome;
}

const IceLite::Generation* IceLite::generation_of(const StunMessage& message) const {
  const auto matches = [&](const Generation& generation) {
    return message.receiver_ufrag() == generation.local_ufrag &&
           (!generation.remote_ufrag || message.sender_ufrag() == *generation.remote_ufrag);
  };
  if (matches(current_)) return &current_;
  if (previous_ && matches(*previous_)) return &*previous_;
  return nullptr;
}

// The cheap checks come first: nothing before the HMAC costs more than a comparison, and nothing
// before it changes state but the buckets.
CheckVerdict IceLite::judge(const StunMessage& message, const Generation* generation,
                            std::size_t pair, TimePoint now) {
  if (failed_) return CheckVerdict::closed;
  if (!message.is_binding()) return CheckVerdict::not_binding;
  if (message.message_class() == StunClass::indication) return CheckVerdict::indication;
  if (message.message_class() != StunClass::request) return CheckVerdict::response;
  if (!message.has_fingerprint()) return CheckVerdict::no_fingerprint;
  if (!message.username() || !message.has_integrity()) return CheckVerdict::no_credentials;
  if (generation == nullptr) return CheckVerdict::unknown_ufrag;
  RateLimit& limit = pair == kNone ? strangers_ : pairs_[pair].limit;
  if (!limit.allow(now)) return CheckVerdict::rate_limited;
  if (!message.authenticate(generation->key)) return CheckVerdict::integrity;
  if (seen(message.transaction_id(), pair) == Seen::elsewhere) return CheckVerdict::replayed;
  if (!message.unknown_attributes().empty()) return CheckVerdict::unknown_attribute;
  // A lite agent is always controlled when the peer is full (RFC 8445 §6.1.1); a check without a
  // role is taken.
  if (message.ice_controlled() && !message.ice_controlling()) return CheckVerdict::role_conflict;
  return CheckVerdict::valid;
}

void IceLite::accept(const StunMessage& message, bool newest, const Tuple& tuple, TimePoint now,
                     CheckOutcome& outcome) {
  if (newest && previous_) {
    end_previous();
    outcome.restarted = true;
  }
  std::size_t pair = find(tuple);
  const bool repeated = seen(message.transaction_id(), pair) == Seen::here;
  if (pair == kNone) pair = add_pair(tuple, outcome);
  pairs_[pair].last_check = now;
  outcome.connected = !std::exchange(connected_, true);
  if (repeated) return;
  remember({message.transaction_id(), pairs_[pair].serial});
  const auto& number = message.nomination();
  if (message.use_candidate() || number.value_or(0) > 0) nominate(pair, number, now, outcome);
}

void IceLite::remember(const Transaction& transaction) {
  if (transactions_.size() < kRememberedTransactions) return transactions_.push_back(transaction);
  transactions_[next_transaction_] = transaction;
  next_transaction_ = (next_transaction_ + 1) % kRememberedTransactions;
}

void IceLite::end_previous() {
  previous_.reset();
  // What was nominated in the old generation says nothing about the new one.
  for (Pair& pair : pairs_)
    pair.nomination = pair.nominations = 0;
  highest_number_ = 0;
  pending_ = kNone;
}

void IceLite::nominate(std::size_t pair, std::optional<std::uint32_t> number, TimePoint now,
                       CheckOutcome& outcome) {
  if (number && *number < highest_number_) return;  // overtaken by a later one
  const bool renominated = number && *number > highest_number_;
  if (renominated) highest_number_ = *number;
  Pair& candidate = pairs_[pair];
  const bool first = candidate.nomination == 0;
  candidate.nomination = ++last_nomination_;
  ++candidate.nominations;
  if (pair == selected_) {
    for (Pair& other : pairs_)
      other.nominations = 0;
    pending_ = kNone;
    return;
  }
  if (!first && !renominated && candidate.nominations < 2) return;
  if (selected_ == kNone || silent(pairs_[selected_], now) ||
      candidate.last_traffic > pairs_[selected_].last_traffic) {
    select(pair);
    outcome.selected_changed = true;
  } else {
    pending_ = pair;
  }
}

bool IceLite::silent(const Pair& pair, TimePoint now) const {
  return pair.last_traffic == TimePoint{} || now - pair.last_traffic >= kSilence;
}

void IceLite::select(std::size_t pair) {
  selected_ = pair;
  pending_ = kNone;
  for (Pair& other : pairs_)
    other.nominations = 0;
}

bool IceLite::on_traffic(const Tuple& tuple, TimePoint now) {
  if (selected_ != kNone && pairs_[selected_].tuple == tuple) {
    pairs_[selected_].last_traffic = now;
    return false;
  }
  const std::size_t index = find(tuple);
  if (index == kNone) return false;
  Pair& pair = pairs_[index];
  pair.last_traffic = now;
  if (selected_ == kNone) return false;
  const Pair& chosen = pairs_[selected_];
  if (pair.nomination == 0) {
    // Firefox renews its consent without nominating again: where a NAT has given it another
    // address, checks and media come from there, and from the selected pair neither.
    if (!silent(chosen, now) || chosen.last_check >= pair.last_check) return false;
    pair.nomination = ++last_nomination_;
  } else if (pair.nomination < chosen.nomination && !silent(chosen, now)) {
    return false;
  }
  select(index);
  return true;
}

bool IceLite::forget(std::uint32_t local_socket, TimePoint now) {
  bool was_selected = false;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    Pair& pair = pairs_[i];
    if (pair.serial == 0 || pair.tuple.local_socket != local_socket) continue;
    last_consent_ = std::max(last_consent_, pair.last_check);
    was_selected = was_selected || i == selected_;
    if (i == selected_) selected_ = kNone;
    if (i == pending_) pending_ = kNone;
    pair = {};
  }
  if (!was_selected) return false;
  pending_ = kNone;
  select_nominated_alive(now);
  return true;
}

TimeOutcome IceLite::on_deadline(TimePoint now) {
  TimeOutcome outcome;
  if (failed_) return outcome;
  if (!connected_) {
    if (began_ == kNever || now < began_ + settings_.connect_timeout) return outcome;
    outcome.failure = IceFailure::connect_timeout;
  } else {
    outcome.selected_changed = select_pending(now);
    if (now < consent_until()) return outcome;
    if (select_nominated_alive(now)) {
      outcome.selected_changed = true;
      return outcome;
    }
    outcome.failure = IceFailure::consent_expired;
  }
  failed_ = true;
  return outcome;
}

bool IceLite::select_pending(TimePoint now) {
  if (pending_ == kNone || !silent(pairs_[selected_], now)) return false;
  const std::size_t pair = std::exchange(pending_, kNone);
  if (now - pairs_[pair].last_check > kPendingLife) return false;
  select(pair);
  return true;
}

bool IceLite::select_nominated_alive(TimePoint now) {
  std::size_t best = kNone;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const Pair& pair = pairs_[i];
    if (pair.nomination == 0 || now >= pair.last_check + settings_.consent_timeout) continue;
    if (best == kNone || pair.nomination > pairs_[best].nomination) best = i;
  }
  if (best == kNone) return false;
  select(best);
  return true;
}

TimePoint IceLite::deadline() const {
  if (failed_) return kNever;
  if (!connected_) return began_ == kNever ? kNever : began_ + settings_.connect_timeout;
  if (pending_ == kNone) return consent_until();
  return std::min(consent_until(), pairs_[selected_].last_traffic + kSilence);
}

TimePoint IceLite::consent_until() const {
  const std::size_t pair = destination_index();
  return (pair == kNone ? last_consent_ : pairs_[pair].last_check) + settings_.consent_timeout;
}

std::optional<Tuple> IceLite::selected() const {
  if (selected_ == kNone) return std::nullopt;
  return pairs_[selected_].tuple;
}

std::optional<Tuple> IceLite::destination() const {
  const std::size_t pair = destination_index();
  if (pair == kNone) return std::nullopt;
  return pairs_[pair].tuple;
}

std::size_t IceLite::find(const Tuple& tuple) const {
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].serial != 0 && pairs_[i].tuple == tuple) return i;
  }
  return kNone;
}

std::size_t IceLite::destination_index() const {
  if (selected_ != kNone) return selected_;
  std::size_t newest = kNone;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].serial == 0) continue;
    if (newest == kNone || pairs_[i].last_check > pairs_[newest].last_check) newest = i;
  }
  return newest;
}

std::size_t IceLite::add_pair(const Tuple& tuple, CheckOutcome& outcome) {
  std::size_t place = kNone;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].serial == 0) {
      place = i;
      break;
    }
    if (i != selected_ && (place == kNone || pairs_[i].last_check < pairs_[place].last_check))
      place = i;
  }
  if (pairs_[place].serial != 0) outcome.evicted = pairs_[place].tuple;
  if (pending_ == place) pending_ = kNone;
  pairs_[place] = Pair{};
  pairs_[place].tuple = tuple;
  pairs_[place].serial = ++last_serial_;
  outcome.tuple_added = true;
  return place;
}

IceLite::Seen IceLite::seen(const StunTransactionId& id, std::size_t pair) const {
  for (const Transaction& transaction : transactions_) {
    if (transaction.pair_serial == 0 || transaction.id != id) continue;
    return pair != kNone && pairs_[pair].serial == transaction.pair_serial ? Seen::here
                                                                           : Seen::elsewhere;
  }
  return Seen::never;
}

}  // namespace trunkline::ice
