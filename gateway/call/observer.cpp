#include "call/observer.hpp"

#include "media/api.hpp"

namespace trunkline::call {

std::string_view direction_label(Direction direction) {
  switch (direction) {
    case Direction::inbound:
      return "in";
    case Direction::outbound:
      return "out";
    case Direction::internal:
    case Direction::count_:
      break;
  }
  return "internal";
}

std::vector<std::string_view> silence_causes() {
  std::vector<std::string_view> causes;
  for (std::size_t i = 1; i < static_cast<std::size_t>(media::Silence::count_); ++i)
    causes.push_back(media::silence_label(static_cast<media::Silence>(i)));
  return causes;
}

}  // namespace trunkline::call
