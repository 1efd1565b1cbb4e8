#include "base/utf8.hpp"
#include "call/trace.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace trunkline::call {
namespace {

/// Columns: the time, then one lane a party. `kLane` stands between two of them.
constexpr std::size_t kTime = 12;
constexpr std::size_t kFirstLane = kTime + 10;
constexpr std::size_t kLane = 42;
/// Of an arrow on each side of its words.
constexpr std::size_t kShaft = 2;

/// UTF-8 without control characters, whatever a peer sent; with `lines` CR LF become LF, else they
/// are control characters as all others.
std::string readable(std::string_view text, bool lines = false) {
  const std::string valid = to_utf8(text);
  std::string out;
  out.reserve(valid.size());
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto c = static_cast<unsigned char>(valid[i]);
    const auto after = i + 1 < valid.size() ? static_cast<unsigned char>(valid[i + 1]) : 0;
    if (lines && c == '\r' && after == '\n') continue;
    if (c == 0xC2 && after < 0xA0) {  // U+0080 to U+009F
      out += '.';
      ++i;
    } else if ((c < 0x20 && !(lines && c == '\n')) || c == 0x7F) {
      out += '.';
    } else {
      out += valid[i];
    }
  }
  return out;
}

/// Cut to so many columns. A lane's words are ASCII or pushed a little by what is not.
std::string fitted(std::string text, std::size_t width) {
  constexpr std::string_view kCut = "..";
  if (text.size() <= width) return text;
  std::size_t end = width > kCut.size() ? width - kCut.size() : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end).append(kCut);
}

/// The name of a message and what tells it from others of that name.
std::string label_of(const TraceEntry& entry, std::size_t width) {
  const TraceSummary summary = summarize(entry.bytes);
  std::string tail = summary.status == 0 ? fmt::format(" ({})", summary.cseq)
                                         : fmt::format(" ({} {})", summary.cseq, summary.method);
  if (summary.description) tail += " SDP";
  if (entry.copies > 1) tail += fmt::format(" x{}", entry.copies);
  std::string head =
      summary.status == 0 ? summary.method : fmt::format("{} {}", summary.status, summary.reason);
  tail = fitted(readable(tail), width / 2);
  return fitted(readable(head), width - tail.size()) + tail;
}

class Ladder {
 public:
  explicit Ladder(const CallTrace& trace) : trace_(trace) { order_lanes(); }
  std::string text(bool with_messages) const;

 private:
  void order_lanes();
  std::string rails() const;
  std::string heading(std::size_t line) const;
  std::string arrow(const TraceEntry& entry) const;
  std::string message(const TraceEntry& entry, std::size_t number) const;
  std::size_t lane(std::size_t leg) const { return kFirstLane + lanes_[leg] * kLane; }
  std::size_t gateway() const { return kFirstLane + gateway_ * kLane; }

  const CallTrace& trace_;
  std::vector<std::size_t> lanes_;  ///< by leg
  std::size_t gateway_ = 0;         ///< lane of the gateway
};

/// The callers to the left of the gateway, who is called to the right.
void Ladder::order_lanes() {
  const auto& legs = trace_.legs();
  gateway_ = static_cast<std::size_t>(std::ranges::count(legs, true, &TraceLeg::from));
  std::size_t left = gateway_, right = gateway_;
  for (const TraceLeg& leg : legs)
    lanes_.push_back(leg.from ? --left : ++right);
}

std::string Ladder::rails() const {
  std::string row(kFirstLane + lanes_.size() * kLane + 1, ' ');
  for (std::size_t at = kFirstLane; at < row.size(); at += kLane)
    row[at] = '|';
  return row;
}

/// One of the two lines over the lanes: who, and where.
std::string Ladder::heading(std::size_t line) const {
  std::vector<std::string> words(lanes_.size() + 1);
  words[gateway_] = line == 0 ? "trunkline" : "";
  for (std::size_t leg = 0; leg < lanes_.size(); ++leg) {
    std::string& word = words[lanes_[leg]];
    if (line == 0) {
      word = fmt::format("{} ({})", trace_.legs()[leg].party, trace_.legs()[leg].id);
      continue;
    }
    const auto first = std::ranges::find(trace_.entries(), leg, &TraceEntry::leg);
    if (first == trace_.entries().end()) continue;
    word = fmt::format("{} {}", sip::transport_label(first->transport), first->remote.text());
  }
  std::string row;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string word = fitted(readable(words[i]), kLane - 2);
    const std::size_t middle = kFirstLane + i * kLane, half = word.size() / 2;
    const std::size_t begin = middle > half ? middle - half : 0;
    if (row.size() < begin) row.resize(begin, ' ');
    row += word;
  }
  return row;
}

std::string Ladder::arrow(const TraceEntry& entry) const {
  const std::size_t party = lane(entry.leg);
  const std::size_t left = std::min(party, gateway()) + 1, right = std::max(party, gateway()) - 1;
  const bool to_right = entry.sent == (party > gateway());
  std::string shaft(right - left + 1, '-');
  (to_right ? shaft.back() : shaft.front()) = to_right ? '>' : '<';
  // The words stand in the lane beside the gateway, where every arrow passes.
  const std::size_t room = kLane - 1 - 2 * (kShaft + 2);
  const std::string words = " " + label_of(entry, room) + " ";
  const std::size_t lane_begin = party > gateway() ? 0 : shaft.size() - (kLane - 1);
  const std::size_t at = lane_begin + (kLane - 1 - std::min(words.size(), kLane - 1)) / 2;
  const std::size_t columns = std::min(words.size(), shaft.size() - at);
  shaft.replace(at, columns, words);
  const std::string when =
      fmt::format("{:>{}.1f}", milliseconds_between(trace_.entries().front().at, entry.at), kTime);
  std::string row = rails();
  row.replace(0, std::min(when.size(), kFirstLane - 1), when);
  row.replace(left, right - left + 1, shaft);
  return row;
}

std::string Ladder::message(const TraceEntry& entry, std::size_t number) const {
  const TraceLeg& leg = trace_.legs()[entry.leg];
  std::string out =
      fmt::format("\n[{}] {:.1f} ms, leg {}, {} {} {} {}", number,
                  milliseconds_between(trace_.entries().front().at, entry.at), readable(leg.id),
                  entry.sent ? "sent to" : "received from", sip::transport_label(entry.transport),
                  entry.remote.text(),
                  entry.local.empty() ? std::string() : fmt::format("at {}", entry.local.text()));
  if (entry.copies > 1) {
    out += fmt::format(", {} times until {:.1f} ms", entry.copies,
                       milliseconds_between(trace_.entries().front().at, entry.last_at));
  }
  if (entry.bytes.size() < entry.full_size)
    out += fmt::format(", the first {} of {} octets", entry.bytes.size(), entry.full_size);
  out += "\n" + readable(entry.bytes, true);
  if (!out.ends_with('\n')) out += '\n';
  return out;
}

std::string Ladder::text(bool with_messages) const {
  const auto& entries = trace_.entries();
  std::string out = fmt::format("Call {}", readable(trace_.call()));
  if (entries.empty()) return out + ": no messages\n";
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(entries.front().at);
  out += fmt::format(", from {:%Y-%m-%d %H:%M:%S}.{:03} UTC, times in ms, secrets masked\n\n",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     whole.time_since_epoch().count() % 1000);
  if (const auto session = session_of(trace_); !session.empty())
    out += fmt::format("Session-ID {}\n\n", readable(session));
  out += heading(0) + "\n" + heading(1) + "\n" + rails() + "\n";
  for (const TraceEntry& entry : entries) {
    if (entry.left_out_before != 0)
      out += fmt::format("{:>{}} {} messages left out\n", "...", kTime, entry.left_out_before);
    out += arrow(entry) + "\n";
  }
  out += rails() + "\n";
  if (with_messages) {
    std::size_t number = 0;
    for (const TraceEntry& entry : entries)
      out += message(entry, ++number);
  }
  return out;
}

}  // namespace

std::string trace_text(const CallTrace& trace, bool with_messages) {
  return Ladder(trace).text(with_messages);
}

}  // namespace trunkline::call
