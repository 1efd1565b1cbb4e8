#include "sip/parser.hpp"
#include "sip/syntax.hpp"

#include <algorithm>

namespace trunkline::sip {
namespace {

constexpr std::string_view kBlockEnd = "\r\n\r\n";

struct Length {
  std::optional<ParseErrorReason> fault;
  std::size_t octets = 0;
};

/// The next line of a header block with what is folded to it; `block` keeps the rest.
std::string_view take_line(std::string_view& block) {
  std::size_t end = block.find(kLineEnd);
  while (end != std::string_view::npos && end + 2 < block.size() && is_blank(block[end + 2])) {
    end = block.find(kLineEnd, end + 2);
  }
  const std::string_view line = block.substr(0, end);
  block.remove_prefix(end == std::string_view::npos ? block.size() : end + 2);
  return line;
}

std::string_view trim_folded(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// Reads Content-Length as the parser will: if the two ever differed, octets of a body could pose
/// as a message.
Length content_length(std::string_view block) {
  bool found = false;
  Length length;
  take_line(block);
  while (!block.empty()) {
    const std::string_view line = take_line(block);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || is_blank(line.front())) continue;
    if (parse_header_name(trim(line.substr(0, colon))) != HeaderName::content_length) continue;
    if (found) return {ParseErrorReason::duplicate_header, 0};
    found = true;
    const auto octets = parse_number(trim_folded(line.substr(colon + 1)));
    if (!octets) return {ParseErrorReason::content_length, 0};
    length.octets = *octets;
  }
  if (!found) length.fault = ParseErrorReason::content_length;
  return length;
}

}  // namespace

void StreamFramer::push(std::string_view bytes) {
  if (broken_) return;
  if (start_ > 0) {
    buffer_.erase(0, start_);
    start_ = 0;
  }
  buffer_.append(bytes);
}

/// Takes line ends in front of a message (RFC 3261 §7.5). True after a double CRLF (RFC 5626
/// §3.5.1).
bool StreamFramer::take_ping() {
  while (start_ < buffer_.size()) {
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    if (rest.starts_with(kBlockEnd)) {
      start_ += kBlockEnd.size();
      return true;
    }
    // The beginning of a ping: more may come.
    if (kBlockEnd.starts_with(rest)) return false;
    if (rest.front() != '\r' && rest.front() != '\n') return false;
    ++start_;
  }
  return false;
}

StreamFramer::Frame StreamFramer::cut(std::size_t size) {
  Frame frame;
  frame.kind = Frame::Kind::message;
  if (start_ == 0 && size == buffer_.size()) {
    frame.text = std::move(buffer_);
    buffer_.clear();
  } else {
    frame.text = buffer_.substr(start_, size);
    start_ += size;
  }
  scanned_ = needed_ = 0;
  return frame;
}

StreamFramer::Frame StreamFramer::give_up(ParseErrorReason reason, std::size_t size) {
  Frame frame = cut(std::min(size, buffer_.size() - start_));
  frame.kind = Frame::Kind::broken;
  frame.reason = reason;
  broken_ = reason;
  buffer_.clear();
  start_ = 0;
  return frame;
}

StreamFramer::Frame StreamFramer::next() {
  if (broken_) return {Frame::Kind::broken, {}, *broken_};
  if (needed_ == 0) {
    if (take_ping()) return {Frame::Kind::ping, {}, {}};
    const std::string_view rest = std::string_view(buffer_).substr(start_);
    const std::size_t end = rest.find(kBlockEnd, scanned_);
    if (end == std::string_view::npos) {
      // One octet too many tells the parser, too, that this is too much.
      if (rest.size() > limits_.message_size) {
        return give_up(ParseErrorReason::too_large, limits_.message_size + 1);
      }
      scanned_ = rest.size() - std::min(rest.size(), kBlockEnd.size() - 1);
      return {};
    }
    const std::size_t block = end + kBlockEnd.size();
    const Length length = content_length(rest.substr(0, end + kLineEnd.size()));
    if (length.fault) return give_up(*length.fault, block);
    if (block + length.octets > limits_.message_size) {
      return give_up(ParseErrorReason::too_large, block);
    }
    needed_ = block + length.octets;
  }
  if (buffer_.size() - start_ < needed_) return {};
  return cut(needed_);
}

}  // namespace trunkline::sip
