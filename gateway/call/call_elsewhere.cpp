#include "call/call.hpp"
#include "call/places.hpp"

#include <algorithm>
#include <set>

// A user's devices on other nodes: they are looked up while those here ring already, and each node
// that has some is called once, for all that it has.
namespace trunkline::call {
namespace {

/// Look-ups of all calls that may be open at once; one more finds nothing.
constexpr std::size_t kMaxLookUps = 4096;

}  // namespace

bool Call::look_elsewhere(Turn& turn, const Destination& user) {
  Node& node = turn.node;
  // One that another node has sent here goes no further. Between nodes there is no TLS, which a
  // sips URI wants on every hop.
  const bool sent_here = placed_by_.kind == Caller::Kind::trunk && placed_by_.name == kReplicas;
  if (!node.replicas.enabled() || sent_here || secure_) return false;
  if (node.look_ups.size() >= kMaxLookUps) {
    node.replicas.looked_up({});
    return false;
  }
  look_up_ = node.question_ids.next();
  look_up_until_ = turn.at.now + kLookUpPatience;
  sought_ = user;
  node.look_ups[look_up_] = view_.id;
  turn.out.look_ups.push_back({look_up_, user.name});
  return true;
}

void Call::stop_looking(Node& node) {
  if (look_up_) node.look_ups.erase(look_up_);
  look_up_ = {};
  look_up_until_ = kNever;
}

void Call::located(Turn& turn, const Locations& found) {
  stop_looking(turn.node);
  turn.node.replicas.looked_up(found);
  const bool transfer = transfer_ && transfer_->stage == TransferOperation::Stage::dialling;
  const Side side = transfer ? opposite(*find(transfer_->leg)) : dialled_side();
  const std::size_t worker = transfer ? find(transfer_->leg)->media->worker() : worker_;
  std::set<std::string> nodes;
  bool rings = false;
  for (const Location& one : found.all) {
    const Registration& device = one.registration;
    if (!sought_.instance.empty() && device.instance != sought_.instance) continue;
    if (!nodes.insert(device.node).second) continue;
    const Callee callee = at_node(turn, one, side, worker);
    if (transfer) transfer_->dialled.push_back(callee.leg->id);
    const bool called =
        callee.leg->media && (transfer ? ring_target(turn, callee) : ring(turn, callee));
    if (!called) callee.leg->state = Leg::State::ended;
    rings = rings || called;
  }
  if (!rings) nobody_elsewhere(turn, transfer);
}

void Call::nobody_elsewhere(Turn& turn, bool transfer) {
  const bool some_ring = std::ranges::any_of(legs_, [&](const auto& leg) {
    return leg->state == Leg::State::inviting && dialled_for_transfer(*leg) == transfer;
  });
  if (some_ring) return;
  const auto reason = sought_.unlisted ? EndReason::no_route : EndReason::not_registered;
  const auto& known = transfer ? transfer_->best_refusal : best_refusal_;
  const Failure best = known ? *known : Failure::local(reason);  // which goes with the transfer
  transfer ? transfer_failed(turn, best) : party_failed(turn, best);
}

Callee Call::at_node(Turn& turn, const Location& location, Side side, std::size_t worker) {
  const std::string& user = sought_.name;
  Leg& leg = add_leg(turn, Leg::Kind::trunk, std::string(kReplicas), side);
  const Place place = place_at(turn.node, user, location);
  leg.replica = place.replica;
  leg.instance = sought_.instance;
  leg.target = place.target;
  leg.identity = identity_of_user(turn.node.settings.users, user, view_.dialled);
  give_media(turn, leg, worker);
  return {&leg, place.request_uri, place.to};
}

}  // namespace trunkline::call
