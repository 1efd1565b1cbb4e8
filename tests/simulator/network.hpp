#pragma once
#include "sip/effects.hpp"

#include "agenda.hpp"
#include "dice.hpp"
#include "journal.hpp"
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::simulator {

/// Who stands at one end of a line.
class Station {
 public:
  virtual ~Station() = default;
  virtual void received(std::string bytes, const sip::Target& from) = 0;
  virtual void closed(FlowId flow) = 0;
  virtual void send_failed(sip::TransactionId transaction) = 0;
};

/// What a path does to messages. Loss and copies are of datagrams alone; a connection delivers
/// each message once and in order, or breaks.
struct Faults {
  std::uint32_t loss = 0, copies = 0;  ///< percent
  milliseconds delay{5}, jitter{0};
};

/// The path between one peer and the gateway.
struct Line {
  std::string name;
  Station* peer = nullptr;
  sip::Transport transport = sip::Transport::udp;
  SocketAddress remote;  ///< the peer's
  FlowId flow;           ///< of the connection; of datagrams the listener's
  bool open = false;     ///< the connection stands
  bool dead = false;     ///< nobody is there any more, and says nothing
  Faults faults;
  TimePoint forth, back;  ///< when the last message arrives that was sent: to the gateway, from it
};

/// Carries messages between the gateway and its peers, with whatever the lines do to them.
class Network {
 public:
  Network(Agenda& agenda, const Journal& journal, Dice dice)
      : agenda_(agenda), journal_(journal), dice_(dice) {}
  void attach_gateway(Station& gateway, SocketAddress address);
  Line& add(std::string name, Station& peer, sip::Transport transport, SocketAddress remote,
            const Faults& faults);

  void from_gateway(sip::SendBytes message);
  void gateway_closes(FlowId flow);
  /// False: there is no way to the gateway now.
  bool from_peer(Line& line, std::string bytes);
  /// A new connection, on which the peer may speak at once.
  void open(Line& line);
  /// The peer, or its network, ends the connection; both sides hear of it.
  void close(Line& line);
  /// The peer is gone without a word. The gateway notices of connections, after a while.
  void die(Line& line);
  void revive(Line& line) { line.dead = false; }
  /// The gateway as the peer sees it.
  sip::Target gateway_seen(const Line& line) const { return {line.transport, address_, line.flow}; }
  const std::vector<std::unique_ptr<Line>>& lines() const { return lines_; }

 private:
  Line* find(const sip::Target& target);
  void deliver_to_gateway(Line& line, const std::string& bytes);
  void deliver_to_peer(Line& line, const std::string& bytes);
  void fail(sip::TransactionId transaction);
  milliseconds delay(const Line& line);
  TimePoint arrival(const Line& line, TimePoint& last);

  Agenda& agenda_;
  const Journal& journal_;
  Dice dice_;
  Station* gateway_ = nullptr;
  SocketAddress address_;
  std::uint64_t flows_ = 10;
  std::set<FlowId> ghosts_;  ///< the gateway has yet to notice that nobody is at the other end
  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace trunkline::simulator
