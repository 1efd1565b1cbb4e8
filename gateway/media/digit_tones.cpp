#include "media/digit_tones.hpp"

#include "rtp/telephone_event.hpp"

namespace trunkline::media {
namespace {

// ITU-T Q.23: the row of a key, and its column, in hertz.
constexpr std::array<double, 4> kRows{697, 770, 852, 941}, kColumns{1209, 1336, 1477, 1633};
// Of the pause. A decoder of G.722 that has heard something else before needs it: its scale would
// not be the encoder's at once, and the digit be heard twice.
constexpr milliseconds kLead{40};
constexpr std::array<std::string_view, 4> kKeys{"123A", "456B", "789C", "*0#D"};

}  // namespace

Result<std::shared_ptr<const DigitTones>> DigitTones::make() {
  auto tones = std::make_shared<DigitTones>();
  for (std::size_t row = 0; row < kRows.size(); ++row) {
    for (std::size_t column = 0; column < kColumns.size(); ++column) {
      const auto event = rtp::event_of(kKeys[row][column]);
      const std::array<double, 2> frequencies{kRows[row], kColumns[column]};
      auto clip = Clip::cadence(frequencies, kDigitTone, kDigitPause - kLead, kLead);
      if (!event || !clip) return fail(clip ? "has a key that is no digit" : clip.error().message);
      tones->clips_[*event] = std::move(*clip);
    }
  }
  return std::shared_ptr<const DigitTones>(std::move(tones));
}

const std::shared_ptr<const Clip>& DigitTones::of(char digit) const {
  const auto event = rtp::event_of(digit);
  return event && *event < clips_.size() ? clips_[*event] : none_;
}

bool DigitQueue::push(const SendDigit& order) {
  if (size_ == items_.size()) return false;
  items_[(first_ + size_++) % items_.size()] = {order.digit, order.payload_type, order.tone};
  return true;
}

std::optional<SendDigit> DigitQueue::pop() {
  if (size_ == 0) return std::nullopt;
  const Item& item = items_[first_];
  first_ = (first_ + 1) % items_.size();
  --size_;
  SendDigit order;
  order.digit = item.digit;
  order.payload_type = item.payload_type;
  order.tone = item.codec;
  return order;
}

}  // namespace trunkline::media
