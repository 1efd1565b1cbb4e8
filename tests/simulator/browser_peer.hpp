#pragma once
#include "peer.hpp"

namespace trunkline::simulator {

/// A page with a phone: one WebSocket connection at a time, a registration, and the calls that go
/// on when the connection is lost and made anew.
class BrowserPeer final : public Peer {
 public:
  struct Person {
    std::string user, password, domain, instance;
    std::vector<std::string> numbers;  ///< whom it calls
  };
  BrowserPeer(Place place, const Person& person, const Habits& habits, SocketAddress remote,
              const Faults& faults, Dice dice);

  void start() { connect(); }
  void act() override;

 private:
  std::string contact() const override;
  void call(const std::string& number, const Session* replaces) override;
  const std::vector<std::string>& numbers() const override { return person_.numbers; }
  std::string home() const override { return person_.domain; }
  Speaker::Style style() override;
  sip::DigestClient* credentials() override { return &digest_; }
  void response_to_other(const Outgoing& sent, const sip::Message& response) override;
  void connection_lost() override;
  void connect();
  void register_here(std::uint32_t expires);
  void come_back();

  Person person_;
  sip::DigestClient digest_;
  bool registered_ = false;
  std::uint32_t register_sequence_ = 0;
};

}  // namespace trunkline::simulator
