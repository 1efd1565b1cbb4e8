#pragma once
#include "peer.hpp"

namespace trunkline::simulator {

/// A carrier: datagrams or one connection, challenges, early media, forks, redirections.
class TrunkPeer final : public Peer {
 public:
  struct Carrier {
    std::string name, username, password;
    std::vector<std::string> numbers;  ///< whom it calls
    std::vector<std::pair<int, std::string>> codecs;
    SocketAddress gateway;
  };
  TrunkPeer(Place place, const Carrier& carrier, const Habits& habits, sip::Transport transport,
            SocketAddress remote, const Faults& faults, Dice dice);

  void act() override;

 private:
  std::string contact() const override;
  void call(const std::string& number, const Session* replaces) override;
  const std::vector<std::string>& numbers() const override { return carrier_.numbers; }
  std::string home() const override { return carrier_.gateway.text(); }
  Speaker::Style style() override;
  std::string redirection() override;
  bool challenge(const sip::RequestReceived& event) override;

  Carrier carrier_;
  sip::DigestServer digest_;
  std::uint16_t port_ = 40000;
};

}  // namespace trunkline::simulator
