#pragma once
#include "base/time.hpp"
#include "call/server_location.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::call {

/// A server that is to be kept located, under a name of the owner's.
struct LocatedName {
  std::string name;
  sip::Uri uri;
};

/// Keeps servers located: looks each up, and again when its records have lived (within bounds).
/// Answers are kept by question: what fails later is answered as before, so that a DNS server's
/// outage takes nobody down who was found. Sans I/O; one thread.
class ServerLocator {
 public:
  struct Found {
    std::string name;
    std::vector<ServerTarget> targets;  ///< never empty: what can't be found is not told
  };
  struct Effects {
    std::vector<DnsQuestion> questions;  ///< to be asked; each gets one `receive`
    /// Also when nothing has changed; the first time before all answers are there, too.
    std::vector<Found> found;
    std::vector<std::string> lost;  ///< names that could not be found this time
  };

  /// `interval`: the longest time without a look.
  ServerLocator(std::vector<LocatedName> names, std::vector<sip::Transport> transports,
                Duration interval, AddressFamilies families = {});

  void receive(const DnsQuestion& question, DnsAnswer answer, TimePoint now, Effects& out);
  void on_deadline(TimePoint now, Effects& out);
  TimePoint deadline() const;

 private:
  struct Place {
    LocatedName wanted;
    TimePoint next{};
    std::optional<ServerLocation> location;  ///< while it is looked up
    TimePoint until = kNever;                ///< of the answers used in it
    bool found = false;                      ///< completely, once
    std::size_t told = 0;                    ///< targets, before it was
  };
  struct Known {
    DnsAnswer answer;
    TimePoint until{};
    bool asked = false;  ///< on the way
  };

  void advance(Place& place, TimePoint now, Effects& out);
  void forget(TimePoint now);

  std::vector<Place> places_;
  std::vector<sip::Transport> transports_;
  AddressFamilies families_;
  Duration interval_;
  std::map<DnsQuestion, Known> known_;
};

/// When a name is looked up again: its records' time to live, within bounds.
Duration refresh_after(Duration interval, seconds time_to_live);

}  // namespace trunkline::call
