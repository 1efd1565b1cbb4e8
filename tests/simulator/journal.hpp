#pragma once
#include "agenda.hpp"
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::simulator {

/// What happened in a run that must not have, and, if somebody wants to read it, all that did.
class Journal {
 public:
  Journal(const Agenda& agenda, bool traced) : agenda_(agenda), traced_(traced) {}

  bool traced() const { return traced_; }
  void violation(std::string what);
  const std::vector<std::string>& violations() const { return violations_; }

  /// One line about something that is no message. Nothing unless traced.
  void note(std::string_view what) const;
  /// One message on the ladder. `fate`: "lost", "copied" … or nothing.
  void message(std::string_view from, std::string_view to, std::string_view bytes,
               std::string_view fate) const;

 private:
  void line(std::string_view text) const;

  const Agenda& agenda_;
  bool traced_;
  std::vector<std::string> violations_;
};

}  // namespace trunkline::simulator
