#include "sdp/session.hpp"
#include "sdp/syntax.hpp"

#include <algorithm>

namespace trunkline::sdp {

bool same_codec(const Codec& one, const Codec& other) {
  return one.clock_rate == other.clock_rate && one.channels == other.channels &&
         same_without_case(one.name, other.name);
}

bool is_telephone_event(const Codec& codec) {
  return same_without_case(codec.name, "telephone-event");
}

const Codec* audio_codec(const std::vector<Codec>& codecs) {
  const auto audio = std::find_if_not(codecs.begin(), codecs.end(), is_telephone_event);
  return audio == codecs.end() ? nullptr : &*audio;
}

const Codec* find_codec(const std::vector<Codec>& codecs, const Codec& like) {
  const auto found = std::find_if(codecs.begin(), codecs.end(),
                                  [&](const Codec& codec) { return same_codec(codec, like); });
  return found == codecs.end() ? nullptr : &*found;
}

}  // namespace trunkline::sdp
