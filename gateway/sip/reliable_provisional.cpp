#include "sip/reliable_provisional.hpp"

#include "sip/syntax.hpp"

#include <string>
#include <utility>

namespace trunkline::sip {
namespace {

constexpr std::string_view kOptionTag = "100rel";
constexpr std::uint32_t kHighestFirstRSeq = 0x7fffffff;  // RFC 3262 §3: 2^31-1
/// Responses that wait for one PRACK: more than any ringing has stages.
constexpr std::size_t kMaxQueued = 8;

bool is_provisional(int status) {
  return status > 100 && status < 200;
}

/// RFC 3262 §7.1: 1 to 2^32-1.
std::optional<std::uint32_t> rseq_of(const Message& response) {
  const auto value = parse_number(trim(response.header(HeaderName::rseq).value_or("")));
  return value == 0U ? std::nullopt : value;
}

}  // namespace

ReliableDemand reliable_demand(const Message& invite) {
  if (has_token(invite, HeaderName::require, kOptionTag)) return ReliableDemand::required;
  return has_token(invite, HeaderName::supported, kOptionTag) ? ReliableDemand::supported
                                                              : ReliableDemand::none;
}

// ---------------------------------------------------------------- the side that sends them

ReliableResponses::ReliableResponses(const Message& invite, TransactionTimers timers,
                                     Random& random)
    : required_(reliable_demand(invite) == ReliableDemand::required),
      invite_sequence_(cseq_of(invite).number),
      next_rseq_(1 + random.below(kHighestFirstRSeq)),
      timers_(timers) {}

bool ReliableResponses::goes_reliably(const Message& response) const {
  if (!is_provisional(response.status())) return false;  // §3: never a 100
  return required_ || (!response.body().empty() && !described_);
}

void ReliableResponses::respond(Message response, TimePoint now, std::vector<Message>& out) {
  if (finished_) return;
  const int status = response.status();
  if (status >= 300) {
    // §3: a refusal need not wait; what is still unacknowledged is not repeated any more, but its
    // PRACK may come.
    stop();
    finished_ = true;
    out.push_back(std::move(response));
    return;
  }
  if (held_) return;
  if (status >= 200) {
    queue_.clear();  // nothing new is sent reliably after the final response
    const bool waits = unacknowledged_ && unacknowledged_->described;
    if (!waits) return succeed(std::move(response), out);
    held_ = std::move(response);  // §3
    return;
  }
  const bool waits = unacknowledged_ && (goes_reliably(response) || !queue_.empty());
  if (waits) return enqueue(std::move(response));
  transmit(std::move(response), now, out);
}

void ReliableResponses::enqueue(Message response) {
  if (queue_.size() >= kMaxQueued) {
    const auto plain = std::find_if(queue_.begin(), queue_.end(),
                                    [](const Message& each) { return each.body().empty(); });
    queue_.erase(plain == queue_.end() ? queue_.begin() : plain);
  }
  queue_.push_back(std::move(response));
}

void ReliableResponses::transmit(Message response, TimePoint now, std::vector<Message>& out) {
  if (described_) response.set_body({}, {});  // RFC 3261 §13.2.1
  if (!goes_reliably(response)) {
    out.push_back(std::move(response));
    return;
  }
  response.add(HeaderName::require, kOptionTag);
  response.set(HeaderName::rseq, std::to_string(next_rseq_));
  const bool described = !response.body().empty();
  described_ = described_ || described;
  out.push_back(response);
  unacknowledged_ = Sent{std::move(response), next_rseq_, described};
  ++next_rseq_;
  interval_ = timers_.t1;
  retransmit_at_ = now + interval_;
  give_up_at_ = now + timers_.timeout();
}

void ReliableResponses::succeed(Message response, std::vector<Message>& out) {
  stop();
  finished_ = true;
  if (described_) response.set_body({}, {});  // RFC 3261 §13.2.1
  out.push_back(std::move(response));
}

void ReliableResponses::stop() {
  queue_.clear();
  held_.reset();
  retransmit_at_ = give_up_at_ = kNever;
}

bool ReliableResponses::expects(const RAck& rack) const {
  return unacknowledged_ && rack.rseq == unacknowledged_->rseq &&
         rack.cseq.number == invite_sequence_ && rack.cseq.method == Method::invite;
}

bool ReliableResponses::acknowledge(const RAck& rack, TimePoint now, std::vector<Message>& out) {
  if (!expects(rack)) return false;
  settled_ = settled_ || unacknowledged_->described;
  unacknowledged_.reset();
  retransmit_at_ = give_up_at_ = kNever;
  release(now, out);
  return true;
}

void ReliableResponses::release(TimePoint now, std::vector<Message>& out) {
  if (held_) {
    Message success = *std::exchange(held_, std::nullopt);
    return succeed(std::move(success), out);
  }
  while (!unacknowledged_ && !queue_.empty()) {
    Message next = std::move(queue_.front());
    queue_.pop_front();
    transmit(std::move(next), now, out);
  }
}

ReliableResponses::Due ReliableResponses::on_deadline(TimePoint now, std::vector<Message>& out) {
  if (now >= give_up_at_) {
    retransmit_at_ = give_up_at_ = kNever;
    given_up_ = true;
    return Due::given_up;
  }
  if (now >= retransmit_at_) {
    out.push_back(unacknowledged_->response);
    interval_ *= 2;  // §3: no T2 here
    retransmit_at_ = now + interval_;
  }
  return Due::nothing;
}

// ---------------------------------------------------------------- the side that acknowledges them

ReliableOrder::Verdict ReliableOrder::receive(const Message& response) {
  const bool reliable =
      is_provisional(response.status()) && has_token(response, HeaderName::require, kOptionTag);
  const auto rseq = reliable ? rseq_of(response) : std::nullopt;
  if (!rseq) return Verdict::unreliable;
  if (last_ && *rseq <= *last_) return Verdict::copy;
  if (last_ && *rseq != *last_ + 1) return Verdict::out_of_order;  // §4
  last_ = rseq;
  return Verdict::next;
}

RAck ReliableOrder::rack_of(const Message& response) {
  return {rseq_of(response).value_or(0), cseq_of(response)};
}

}  // namespace trunkline::sip
