#include "call/observer.hpp"

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

}  // namespace trunkline::call
