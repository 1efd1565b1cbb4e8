#include "call/trace.hpp"

#include "call/trace_mask.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace trunkline::call {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
/// How many entries back the first sending of a retransmission may stand.
constexpr std::size_t kFoldWindow = 16;

std::size_t cost_of(const TraceEntry& entry) {
  return sizeof(TraceEntry) + entry.bytes.size();
}
std::size_t cost_of(const TraceLeg& leg) {
  return sizeof(TraceLeg) + leg.id.size() + leg.party.size() + 2 * leg.sip_call_id.size();
}

/// Whether the text is `name`, white space and a colon; then where the value begins.
std::optional<std::size_t> value_at(std::string_view line, std::string_view name) {
  if (name.empty() || line.size() <= name.size()) return std::nullopt;
  if (!sip::equals_ignoring_case(line.substr(0, name.size()), name)) return std::nullopt;
  std::size_t at = name.size();
  while (at < line.size() && sip::is_blank(line[at]))
    ++at;
  if (at == line.size() || line[at] != ':') return std::nullopt;
  return at + 1;
}

std::string_view trim_folded(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// The method of a CSeq value.
std::string_view cseq_method(std::string_view cseq) {
  const std::size_t space = cseq.find_last_of(" \t\r\n");
  return space == std::string_view::npos ? std::string_view{} : cseq.substr(space + 1);
}

/// Of a transaction that may be, or make, a call.
bool may_make_call(std::string_view message) {
  const std::string_view method = cseq_method(find_field(message, "CSeq"));
  return method == "INVITE" || method == "ACK" || method == "CANCEL";
}

}  // namespace

std::string_view find_field(std::string_view message, std::string_view name,
                            std::string_view compact) {
  std::size_t at = std::min(message.find_first_not_of(kLineEnd), message.size());
  while (at < message.size()) {
    const std::size_t end = std::min(message.find(kLineEnd, at), message.size());
    if (end == at) return {};
    const std::string_view line = message.substr(at, end - at);
    auto value = value_at(line, name);
    if (!value) value = value_at(line, compact);
    if (value) {
      std::size_t last = end;
      while (last + 2 < message.size() && sip::is_blank(message[last + 2]))
        last = std::min(message.find(kLineEnd, last + 2), message.size());
      return trim_folded(message.substr(at + *value, last - at - *value));
    }
    at = end + kLineEnd.size();
  }
  return {};
}

std::string_view find_call_id(std::string_view message) {
  return find_field(message, "Call-ID", "i");
}

TraceSummary summarize(std::string_view message) {
  TraceSummary summary;
  message.remove_prefix(std::min(message.find_first_not_of(kLineEnd), message.size()));
  const std::string_view start = message.substr(0, message.find(kLineEnd));
  const std::string_view cseq = find_field(message, "CSeq");
  summary.cseq = cseq.substr(0, cseq.find_first_of(" \t\r\n"));
  if (sip::equals_ignoring_case(start.substr(0, 4), "SIP/")) {
    const std::size_t code = std::min(start.find(' '), start.size());
    const std::string_view rest = sip::trim(start.substr(code));
    std::from_chars(rest.data(), rest.data() + rest.size(), summary.status);
    const std::size_t phrase = rest.find(' ');
    if (phrase != std::string_view::npos) summary.reason = rest.substr(phrase + 1);
    summary.method = cseq_method(cseq);
  } else {
    summary.method = start.substr(0, start.find(' '));
  }
  constexpr std::string_view kSdp = "application/sdp";
  summary.description = sip::equals_ignoring_case(
      find_field(message, "Content-Type", "c").substr(0, kSdp.size()), kSdp);
  return summary;
}

// ---------------------------------------------------------------- one call

std::optional<std::size_t> CallTrace::add_leg(TraceLeg leg, std::size_t max_legs) {
  bytes_ += cost_of(leg);
  const auto same = std::ranges::find(legs_, leg.id, &TraceLeg::id);
  if (same != legs_.end()) {
    same->sip_call_id = std::move(leg.sip_call_id);
    return static_cast<std::size_t>(same - legs_.begin());
  }
  if (legs_.size() >= max_legs) return std::nullopt;
  legs_.push_back(std::move(leg));
  return legs_.size() - 1;
}

bool CallTrace::fold(const TraceEntry& entry) {
  const auto from = entries_.size() > kFoldWindow ? entries_.end() - kFoldWindow : entries_.begin();
  const auto same = std::find_if(from, entries_.end(), [&](const TraceEntry& before) {
    return before.leg == entry.leg && before.sent == entry.sent && before.remote == entry.remote &&
           before.full_size == entry.full_size && before.bytes == entry.bytes;
  });
  if (same == entries_.end()) return false;
  ++same->copies;
  same->last_at = entry.at;
  return true;
}

void CallTrace::add(TraceEntry entry, const TraceLimits& limits) {
  bytes_ += cost_of(entry);
  entry.left_out_before = std::exchange(dropped_last_, 0);
  entries_.push_back(std::move(entry));
  while (entries_.size() > limits.first_messages + limits.last_messages)
    leave_out(limits.first_messages);
  while (bytes_ > limits.call_bytes && entries_.size() > 1)
    leave_out(std::min(limits.first_messages, (entries_.size() - 1) / 2));
}

void CallTrace::leave_out(std::size_t at) {
  const auto victim = entries_.begin() + static_cast<std::ptrdiff_t>(at);
  bytes_ -= cost_of(*victim);
  ++dropped_;
  std::next(victim)->left_out_before += victim->left_out_before + 1;
  entries_.erase(victim);
}

// ---------------------------------------------------------------- all calls

void Traces::record(const PassingMessage& message) {
  const std::string_view sip_call_id = find_call_id(message.bytes);
  if (sip_call_id.empty()) return;
  const auto place = places_.find(sip_call_id);
  if (place == places_.end()) {
    if (may_make_call(message.bytes)) keep_unclaimed(sip_call_id, message);
    return;
  }
  TraceEntry entry = entry_of(message);
  entry.leg = place->second.leg;
  add(calls_.find(place->second.call)->second, std::move(entry));
}

TraceEntry Traces::entry_of(const PassingMessage& message) const {
  TraceEntry entry{.at = message.at,
                   .last_at = message.at,
                   .sent = message.sent,
                   .transport = message.transport,
                   .local = message.local,
                   .remote = message.remote,
                   .bytes = std::string(message.bytes.substr(0, limits_.message_bytes)),
                   .full_size = message.bytes.size()};
  mask_secrets(entry.bytes);
  return entry;
}

void Traces::keep_unclaimed(std::string_view sip_call_id, const PassingMessage& message) {
  TraceEntry entry = entry_of(message);
  unclaimed_bytes_ += cost_of(entry) + sip_call_id.size();
  unclaimed_.push_back({std::string(sip_call_id), std::move(entry)});
  while (unclaimed_.size() > limits_.unclaimed_messages ||
         unclaimed_bytes_ > limits_.unclaimed_bytes) {
    unclaimed_bytes_ -= cost_of(unclaimed_.front().entry) + unclaimed_.front().sip_call_id.size();
    unclaimed_.pop_front();
  }
}

void Traces::add_leg(std::string_view call, TraceLeg leg) {
  auto found = calls_.find(call);
  if (found == calls_.end()) {
    found = calls_.emplace(call, Known{CallTrace(std::string(call)), {}, {}}).first;
  }
  Known& known = found->second;
  const auto place = places_.find(leg.sip_call_id);
  const bool has_it = place != places_.end() && place->second.call == call &&
                      known.trace.legs()[place->second.leg].id == leg.id;
  if (has_it || known.sip_call_ids.size() >= limits_.legs) return;
  const std::string sip_call_id = leg.sip_call_id;
  const std::size_t before = known.trace.bytes();
  const auto index = known.trace.add_leg(std::move(leg), limits_.legs);
  bytes_ += known.trace.bytes() - before;
  if (!index) return;
  known.sip_call_ids.push_back(sip_call_id);
  places_[sip_call_id] = {found->first, *index};
  claim(sip_call_id, known, *index);
}

void Traces::claim(std::string_view sip_call_id, Known& known, std::size_t leg) {
  for (auto waiting = unclaimed_.begin(); waiting != unclaimed_.end();) {
    if (waiting->sip_call_id != sip_call_id) {
      ++waiting;
      continue;
    }
    unclaimed_bytes_ -= cost_of(waiting->entry) + waiting->sip_call_id.size();
    waiting->entry.leg = leg;
    add(known, std::move(waiting->entry));
    waiting = unclaimed_.erase(waiting);
  }
}

void Traces::add(Known& known, TraceEntry entry) {
  CallTrace& trace = known.trace;
  if (trace.fold(entry)) return;
  if (!make_room(cost_of(entry), known)) {
    ++trace.dropped_;
    ++trace.dropped_last_;
    return;
  }
  const std::size_t before = trace.bytes();
  trace.add(std::move(entry), limits_);
  bytes_ += trace.bytes() - before;
}

/// Forgets ended calls until this many octets more fit.
bool Traces::make_room(std::size_t wanted, const Known& keep) {
  while (bytes_ + wanted > limits_.total_bytes && !ended_.empty() &&
         ended_.front() != keep.trace.call()) {
    forget_oldest();
  }
  return bytes_ + wanted <= limits_.total_bytes;
}

void Traces::forget_oldest() {
  const auto found = calls_.find(ended_.front());
  for (const std::string& sip_call_id : found->second.sip_call_ids) {
    const auto place = places_.find(sip_call_id);
    if (place != places_.end() && place->second.call == found->first) places_.erase(place);
  }
  bytes_ -= found->second.trace.bytes();
  calls_.erase(found);
  ended_.pop_front();
}

void Traces::ended(std::string_view call, TimePoint now) {
  const auto found = calls_.find(call);
  if (found == calls_.end() || found->second.ended) return;
  found->second.ended = now;
  ended_.push_back(found->first);
  while (!ended_.empty() &&
         (ended_.size() > limits_.ended_calls ||
          *calls_.find(ended_.front())->second.ended + limits_.ended_for <= now)) {
    forget_oldest();
  }
}

const CallTrace* Traces::find(std::string_view call, TimePoint now) const {
  const auto found = calls_.find(call);
  if (found == calls_.end()) return nullptr;
  const auto& ended = found->second.ended;
  return ended && *ended + limits_.ended_for <= now ? nullptr : &found->second.trace;
}

std::string_view session_of(const CallTrace& trace) {
  const auto& entries = trace.entries();
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    const std::string_view session = find_field(entry->bytes, "Session-ID");
    if (!session.empty()) return session;
  }
  return {};
}

}  // namespace trunkline::call
