#include "agenda.hpp"

#include <algorithm>
#include <utility>

namespace trunkline::simulator {

bool Agenda::later(const Entry& one, const Entry& other) {
  return one.when != other.when ? one.when > other.when : one.order > other.order;
}

void Agenda::at(TimePoint when, Action action) {
  entries_.push_back({std::max(when, now_), ++order_, std::move(action)});
  std::push_heap(entries_.begin(), entries_.end(), later);
}

void Agenda::run_next() {
  std::pop_heap(entries_.begin(), entries_.end(), later);
  const Entry entry = std::move(entries_.back());
  entries_.pop_back();
  advance(entry.when);
  entry.action();
}

}  // namespace trunkline::simulator
