#pragma once
#include "base/time.hpp"
#include "call/observer.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trunkline::call {

/// What the other nodes are to know of this node's bindings, and which of it has yet to be written
/// to the store: written behind, the newest state of each device once, however often it changed in
/// between. Bounded by the bindings that the registrar takes and by `max_gone`. Sans I/O; one
/// thread.
class PublishedBindings {
 public:
  using Wall = std::chrono::system_clock::time_point;
  /// One thing to write. Its outcome is told with `finished`.
  struct Write {
    enum class Kind : std::uint8_t { publish, withdraw } kind = Kind::publish;
    std::string user, device;
    Registration registration{};  ///< publish
    milliseconds lifetime{};      ///< publish: more than zero
    std::int64_t at = 0;          ///< publish: when the device registered last, Unix time in ms
    /// publish: the device has just registered, and is here, wherever it was before. Else it is
    /// said again, and gives way to a later registration elsewhere.
    bool fresh = false;
    std::uint64_t change = 0;  ///< of the device, which may have changed again when it is written
  };
  enum class Outcome : std::uint8_t {
    done,
    superseded,  ///< the device has registered with another node since
    failed       ///< it will be tried again
  };

  /// `node`: tells devices without an instance apart. `max_gone`: withdrawals that wait; those
  /// above are left to the life time that the store gives each binding.
  PublishedBindings(std::string node, std::size_t max_gone)
      : node_(std::move(node)), max_gone_(max_gone) {}

  void changed(const RegistrationChanged& change, Wall now);
  /// All that there is, where changes have been missed.
  void replace(const std::vector<Registration>& all, Wall now);
  /// The store may have lost everything: all is written once more, after what has changed.
  void assert_all();

  /// What to write next; nothing: all is written.
  std::optional<Write> next(Wall now);
  /// `at`: as the store keeps it, so that what is fresh comes after what was there.
  void finished(const Write& write, Outcome outcome, std::int64_t at);

  std::size_t waiting() const { return waiting_; }
  std::size_t devices() const { return devices_.size(); }
  std::uint64_t given_up() const { return given_up_; }  ///< withdrawals that `max_gone` cut off

 private:
  using Key = std::pair<std::string, std::string>;  ///< user, device
  enum class Queue : std::uint8_t { none, changed, again };
  struct Device {
    std::vector<Registration> flows{};  ///< the newest last; none: it is gone
    std::int64_t at = 0;
    bool fresh = false, superseded = false;
    std::uint64_t change = 0;
    Queue queue = Queue::none;
  };
  using Devices = std::map<Key, Device>;
  Key key_of(const Registration& registration) const;
  void add(const Registration& registration, Wall now);
  void remove(const Registration& registration);
  void enqueue(const Key& key, Device& device, Queue queue);
  std::optional<Write> write_of(Devices::iterator found, Wall now);

  std::string node_;
  std::size_t max_gone_;
  Devices devices_;
  std::deque<Key> changed_, again_;
  std::size_t waiting_ = 0, gone_ = 0;
  std::uint64_t given_up_ = 0;
};

}  // namespace trunkline::call
