#include "call_control/call_journal.hpp"

#include "base/utf8.hpp"

#include "call_control/call_message.hpp"
#include "trunkline/v1/call_event.pb.h"
#include "trunkline/v1/call_service.pb.h"
#include "trunkline/v1/registration_service.pb.h"
#include <algorithm>

namespace trunkline::call_control {
namespace {

template <class Message>
Bytes serialized(const Message& message) {
  return std::make_shared<const std::string>(message.SerializeAsString());
}

v1::RegistrationChange change_of(call::RegistrationChanged::Kind kind) {
  using Kind = call::RegistrationChanged::Kind;
  switch (kind) {
    case Kind::added:
      return v1::REGISTRATION_CHANGE_ADDED;
    case Kind::refreshed:
      return v1::REGISTRATION_CHANGE_REFRESHED;
    case Kind::removed:
      return v1::REGISTRATION_CHANGE_REMOVED;
    case Kind::expired:
      return v1::REGISTRATION_CHANGE_EXPIRED;
    case Kind::flow_lost:
      return v1::REGISTRATION_CHANGE_FLOW_LOST;
  }
  return v1::REGISTRATION_CHANGE_UNSPECIFIED;
}

template <class Message>
Bytes bookmark(const EventFeed& feed, std::chrono::system_clock::time_point now) {
  Message message;
  message.set_sequence(feed.last_sequence());
  message.set_resume_token(feed.token(feed.last_sequence()));
  write(now, *message.mutable_bookmark()->mutable_create_time());
  return serialized(message);
}

/// After the snapshot: the place in the feed at which it was taken.
template <class Message>
void close(const EventFeed& feed, Beginning& beginning) {
  Message message;
  message.set_sequence(feed.last_sequence());
  beginning.number = serialized(message);
  message.set_resume_token(feed.token(feed.last_sequence()));
  message.mutable_snapshot_end()->set_count(static_cast<std::int64_t>(beginning.snapshot.size()));
  beginning.end = serialized(message);
  beginning.position = feed.next_sequence();
}

void fill(const call::CallStarted&, v1::CallEvent& event) {
  event.mutable_created();
}
void fill(const call::CallRinging& seen, v1::CallEvent& event) {
  event.mutable_ringing()->set_sip_code(seen.code);
}
void fill(const call::CallAnswered&, v1::CallEvent& event) {
  event.mutable_answered();
}
void fill(const call::CallHeld& seen, v1::CallEvent& event) {
  const auto tell = [&seen](auto& message) {
    message.set_leg_id(seen.leg);
    message.set_by_api(seen.by_api);
  };
  if (seen.held) {
    tell(*event.mutable_held());
  } else {
    tell(*event.mutable_resumed());
  }
}
void fill(const call::DtmfPassed& seen, v1::CallEvent& event) {
  v1::CallDtmf& dtmf = *event.mutable_dtmf();
  dtmf.set_leg_id(to_utf8(seen.leg));
  dtmf.set_digit(std::string(1, seen.digit));
  dtmf.set_method(seen.method);
  dtmf.set_sent(seen.sent);
}
void fill(const call::CallParked& seen, v1::CallEvent& event) {
  write(seen.timeout, *event.mutable_parked()->mutable_timeout());
}
void fill(const call::CallTransferred& seen, v1::CallEvent& event) {
  v1::CallTransferred& transferred = *event.mutable_transferred();
  transferred.set_leg_id(seen.leg);
  transferred.set_target(to_utf8(seen.target));
  transferred.set_succeeded(!seen.failure);
  if (seen.failure) {
    write(*seen.failure, scene_of(seen.call, *seen.failure), *transferred.mutable_failure());
  }
}
void fill(const call::MediaChanged& seen, v1::CallEvent& event) {
  event.mutable_media()->set_leg_id(seen.leg);
  event.mutable_media()->set_change(seen.what);
  event.mutable_media()->set_cause(seen.cause);
}
void fill(const call::LegEnded& seen, v1::CallEvent& event) {
  event.mutable_leg_ended()->set_leg_id(seen.leg.id);
}
void fill(const call::CallEnded&, v1::CallEvent& event) {
  event.mutable_ended();
}

/// What has a message of its own in the call that it carries: made once, taken from there.
void copy_end(v1::CallEvent& event) {
  if (event.has_ended()) *event.mutable_ended()->mutable_end() = event.call().end();
  if (!event.has_leg_ended()) return;
  for (const v1::Leg& leg : event.call().legs()) {
    if (leg.leg_id() == event.leg_ended().leg_id())
      *event.mutable_leg_ended()->mutable_end() = leg.end();
  }
}

}  // namespace

Bytes call_bookmark(const EventFeed& calls, std::chrono::system_clock::time_point now) {
  return bookmark<v1::WatchCallsResponse>(calls, now);
}

Bytes registration_bookmark(const EventFeed& registrations,
                            std::chrono::system_clock::time_point now) {
  return bookmark<v1::WatchRegistrationsResponse>(registrations, now);
}

bool reached(const call::CallView& call, Milestone milestone) {
  switch (milestone) {
    case Milestone::ringing:
      return call.ringing || call.answered || call.state == call::CallState::ringing ||
             call.state == call::CallState::early_media;
    case Milestone::answered:
      return call.answered.has_value();
  }
  return false;
}

CallJournal::CallJournal(Settings settings, EventFeed& calls, EventFeed& registrations)
    : settings_(std::move(settings)), call_feed_(calls), registration_feed_(registrations) {}

CallJournal::Tracked& CallJournal::track(const call::CallView& view) {
  const auto [known, added] = orders_.try_emplace(view.name, last_order_ + 1);
  if (added) ++last_order_;
  Tracked& tracked = calls_[known->second];
  tracked.view = view;
  tracked.snapshot.reset();
  ++tracked.sequence;
  return tracked;
}

template <class Fill>
void CallJournal::append(const call::CallView& view, Fill&& fill_event) {
  Tracked& tracked = track(view);
  if (!call_feed_.begun()) return call_feed_.skip();
  v1::WatchCallsResponse message;
  const std::int64_t sequence = call_feed_.next_sequence();
  message.set_sequence(sequence);
  message.set_resume_token(call_feed_.token(sequence));
  v1::CallEvent& event = *message.mutable_event();
  write(tracked.view, settings_.node, *event.mutable_call());
  event.set_call_sequence(tracked.sequence);
  fill_event(event);
  copy_end(event);
  call_feed_.append(serialized(message));
}

void CallJournal::append(const call::RegistrationChanged& change) {
  if (!registration_feed_.begun()) return registration_feed_.skip();
  v1::WatchRegistrationsResponse message;
  const std::int64_t sequence = registration_feed_.next_sequence();
  message.set_sequence(sequence);
  message.set_resume_token(registration_feed_.token(sequence));
  message.mutable_event()->set_change(change_of(change.kind));
  write(change.registration, *message.mutable_event()->mutable_registration());
  registration_feed_.append(serialized(message));
}

void CallJournal::observe(const call::Observation& observation, TimePoint now,
                          std::vector<Settled>& settled) {
  forget_old(now);
  std::visit(
      [&](const auto& seen) {
        using Seen = std::decay_t<decltype(seen)>;
        if constexpr (std::is_same_v<Seen, call::CallEnded>) {
          call::CallView view = seen.call;
          // An end without its failure in the view would leave waiters without a reason.
          if (!view.end) view.end = seen.end;
          append(view, [&](v1::CallEvent& event) { fill(seen, event); });
          settle(view, settled);
          end(view, now);
        } else if constexpr (std::is_same_v<Seen, call::CallMeasured>) {
          // No event: what a live call counts is told by GetCallStats.
          if (Tracked* tracked = known(seen.call.name)) tracked->media.observe(seen);
        } else if constexpr (std::is_same_v<Seen, call::CallSampled>) {
          if (Tracked* tracked = known(seen.call))
            tracked->media.observe(seen, tracked->view.created);
        } else if constexpr (requires { seen.call.name; }) {
          append(seen.call, [&](v1::CallEvent& event) { fill(seen, event); });
          if constexpr (std::is_same_v<Seen, call::MediaChanged>)
            known(seen.call.name)->media.observe(seen);
          settle(seen.call, settled);
        } else if constexpr (std::is_same_v<Seen, call::RegistrationChanged>) {
          append(seen);
        } else if constexpr (std::is_same_v<Seen, call::PolicyFault>) {
          const call::CallView* view = find(seen.call);
          if (view == nullptr) return;
          append(call::CallView(*view),
                 [&](v1::CallEvent& event) { event.mutable_policy_failed()->set_cause(seen.why); });
        }
      },
      observation);
}

void CallJournal::gap() {
  call_feed_.truncate();
  registration_feed_.truncate();
}

void CallJournal::settle(const call::CallView& view, std::vector<Settled>& out) {
  const auto found = waits_.find(view.name);
  if (found == waits_.end()) return;
  std::erase_if(found->second, [&](const Wait& wait) {
    if (!view.ended && !reached(view, wait.milestone)) return false;
    waiting_for_.erase(wait.id);
    out.push_back({wait.id, view});
    return true;
  });
  if (found->second.empty()) waits_.erase(found);
}

void CallJournal::end(const call::CallView& view, TimePoint now) {
  ended_.push_back({orders_.at(view.name), now});
}

void CallJournal::forget_old(TimePoint now) {
  while (!ended_.empty() &&
         (ended_.size() > settings_.ended_calls || now - ended_.front().at > settings_.ended_for)) {
    const auto call = calls_.find(ended_.front().order);
    if (call != calls_.end()) {
      orders_.erase(call->second.view.name);
      calls_.erase(call);
    }
    ended_.pop_front();
  }
}

const call::CallView* CallJournal::find(std::string_view name) const {
  const auto order = orders_.find(std::string(name));
  return order == orders_.end() ? nullptr : &calls_.at(order->second).view;
}

CallJournal::Tracked* CallJournal::known(std::string_view name) {
  const auto order = orders_.find(std::string(name));
  return order == orders_.end() ? nullptr : &calls_.at(order->second);
}

const CallMedia* CallJournal::find_media(std::string_view name) const {
  const auto order = orders_.find(std::string(name));
  return order == orders_.end() ? nullptr : &calls_.at(order->second).media;
}

Bytes CallJournal::snapshot(Tracked& tracked) const {
  if (!tracked.snapshot) {
    v1::WatchCallsResponse message;
    write(tracked.view, settings_.node, *message.mutable_snapshot()->mutable_call());
    message.mutable_snapshot()->set_call_sequence(tracked.sequence);
    tracked.snapshot = serialized(message);
  }
  return tracked.snapshot;
}

Beginning CallJournal::begin_calls() {
  call_feed_.begin();
  Beginning beginning;
  for (auto& [_, tracked] : calls_) {
    if (!tracked.view.ended) beginning.snapshot.push_back(snapshot(tracked));
  }
  close<v1::WatchCallsResponse>(call_feed_, beginning);
  return beginning;
}

Beginning CallJournal::begin_registrations(const std::vector<call::Registration>& now) const {
  registration_feed_.begin();
  Beginning beginning;
  for (const call::Registration& registration : now) {
    v1::WatchRegistrationsResponse message;
    write(registration, *message.mutable_snapshot()->mutable_registration());
    beginning.snapshot.push_back(serialized(message));
  }
  close<v1::WatchRegistrationsResponse>(registration_feed_, beginning);
  return beginning;
}

std::optional<call::CallView> CallJournal::wait(WaitId id, std::string_view name,
                                                Milestone milestone) {
  const call::CallView* view = find(name);
  if (view != nullptr && (view->ended || reached(*view, milestone))) return *view;
  waits_[std::string(name)].push_back({id, milestone});
  waiting_for_.emplace(id, name);
  return std::nullopt;
}

void CallJournal::forget(WaitId id) {
  const auto name = waiting_for_.find(id);
  if (name == waiting_for_.end()) return;
  const auto waits = waits_.find(name->second);
  std::erase_if(waits->second, [id](const Wait& wait) { return wait.id == id; });
  if (waits->second.empty()) waits_.erase(waits);
  waiting_for_.erase(name);
}

}  // namespace trunkline::call_control
