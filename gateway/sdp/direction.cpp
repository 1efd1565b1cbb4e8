#include "sdp/session.hpp"

namespace trunkline::sdp {

std::string_view direction_text(Direction direction) {
  switch (direction) {
    case Direction::sendrecv:
      return "sendrecv";
    case Direction::sendonly:
      return "sendonly";
    case Direction::recvonly:
      return "recvonly";
    case Direction::inactive:
      return "inactive";
  }
  return "inactive";
}

Direction make_direction(bool send, bool receive) {
  if (send) return receive ? Direction::sendrecv : Direction::sendonly;
  return receive ? Direction::recvonly : Direction::inactive;
}

Direction reversed(Direction direction) {
  return make_direction(receives(direction), sends(direction));
}

Direction common(Direction one, Direction other) {
  return make_direction(sends(one) && sends(other), receives(one) && receives(other));
}

}  // namespace trunkline::sdp
