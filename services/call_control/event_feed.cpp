#include "call_control/event_feed.hpp"

#include <algorithm>
#include <charconv>

namespace trunkline::call_control {
namespace {

constexpr int kHex = 16;
constexpr std::size_t kEpochDigits = 16;

std::string hex(std::uint64_t value) {
  std::string out(kEpochDigits, '0');
  for (std::size_t i = kEpochDigits; i-- > 0; value >>= 4)
    out[i] = "0123456789abcdef"[value & 0xf];
  return out;
}

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

EventFeed::EventFeed(char kind, std::uint64_t epoch, Limits limits)
    : kind_(kind), epoch_(epoch), limits_(limits) {}

std::int64_t EventFeed::next_sequence() const {
  const std::lock_guard lock(mutex_);
  return next_locked();
}

void EventFeed::append(Bytes event) {
  const std::lock_guard lock(mutex_);
  bytes_ += event->size();
  events_.push_back(std::move(event));
  while (events_.size() > limits_.events || (bytes_ > limits_.bytes && events_.size() > 1)) {
    bytes_ -= events_.front()->size();
    events_.pop_front();
    ++first_;
  }
}

void EventFeed::begin() {
  const std::lock_guard lock(mutex_);
  begun_ = true;
}

bool EventFeed::begun() const {
  const std::lock_guard lock(mutex_);
  return begun_;
}

void EventFeed::skip() {
  truncate();
}

void EventFeed::truncate() {
  const std::lock_guard lock(mutex_);
  // One number stays unused: whoever has the last event sees that it is not the last any more.
  first_ += static_cast<std::int64_t>(events_.size()) + 1;
  events_.clear();
  bytes_ = 0;
}

// KIND EPOCH - SEQUENCE
std::string EventFeed::token(std::int64_t sequence) const {
  return kind_ + hex(epoch_) + '-' + std::to_string(sequence);
}

Result<std::int64_t, EventFeed::TokenFault> EventFeed::resume(std::string_view token) const {
  constexpr std::size_t kDash = 1 + kEpochDigits;
  if (token.size() <= kDash + 1 || token[kDash] != '-' || token[0] != kind_)
    return tl::make_unexpected(TokenFault::malformed);
  const auto epoch = number<std::uint64_t>(token.substr(1, kEpochDigits), kHex);
  const auto sequence = number<std::int64_t>(token.substr(kDash + 1));
  if (!epoch || !sequence || *sequence < 0) return tl::make_unexpected(TokenFault::malformed);
  const std::lock_guard lock(mutex_);
  if (*epoch != epoch_ || *sequence >= next_locked() || *sequence + 1 < first_)
    return tl::make_unexpected(TokenFault::truncated);
  return *sequence + 1;
}

bool EventFeed::lagging_locked(std::int64_t position, std::int64_t allowed_lag) const {
  return position < first_ || next_locked() - position > allowed_lag;
}

bool EventFeed::lagging(std::int64_t position, std::int64_t allowed_lag) const {
  const std::lock_guard lock(mutex_);
  return lagging_locked(position, allowed_lag);
}

std::int64_t EventFeed::allowed_lag(std::int64_t position) const {
  const std::lock_guard lock(mutex_);
  return std::max(static_cast<std::int64_t>(limits_.lag), next_locked() - position);
}

EventFeed::Progress EventFeed::read(std::int64_t& position, std::int64_t allowed_lag,
                                    std::size_t most, std::deque<Bytes>& out) const {
  const std::lock_guard lock(mutex_);
  if (lagging_locked(position, allowed_lag)) return Progress::lagging;
  const auto begin = static_cast<std::size_t>(position - first_);
  const std::size_t count = std::min(most, events_.size() - std::min(begin, events_.size()));
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(events_[begin + i]);
  position += static_cast<std::int64_t>(count);
  return count == 0 ? Progress::nothing : Progress::read;
}

bool EventFeed::wait(const std::shared_ptr<FeedReader>& reader, std::int64_t position) {
  const std::lock_guard lock(mutex_);
  waiting_.try_emplace(reader.get(), Waiting{reader, position});
  return position >= next_locked();
}

void EventFeed::forget(const FeedReader* reader) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(reader);
}

bool EventFeed::has_waiting() const {
  const std::lock_guard lock(mutex_);
  return !waiting_.empty();
}

template <class Choose>
std::vector<std::shared_ptr<FeedReader>> EventFeed::take(Choose&& choose) {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<FeedReader>> out;
  out.reserve(waiting_.size());
  std::erase_if(waiting_, [&](auto& entry) {
    if (!choose(entry.second)) return false;
    out.push_back(std::move(entry.second.reader));
    return true;
  });
  return out;
}

std::vector<std::shared_ptr<FeedReader>> EventFeed::take_ready() {
  return take([this](const Waiting& waiting) { return waiting.position < next_locked(); });
}

std::vector<std::shared_ptr<FeedReader>> EventFeed::take_waiting() {
  return take([](const Waiting&) { return true; });
}

}  // namespace trunkline::call_control
