#pragma once
#include "agenda.hpp"
#include "books.hpp"
#include "dice.hpp"
#include "gateway.hpp"
#include <string>
#include <vector>

namespace trunkline::simulator {

/// The programs that use the API, and the policy service that the gateway asks.
class ApiActor {
 public:
  ApiActor(Agenda& agenda, Gateway& gateway, Books& books, Journal& journal, Dice dice);

  /// Asks for one thing.
  void act();
  void hang_up_everything();

 private:
  void create();
  void on_call(const std::string& call);
  void transfer(const call::LegName& on);
  void asked(const call::AskPolicy& question);
  const std::string& any_party();
  void ask(const call::Request& request, const std::string& told);

  Agenda& agenda_;
  Gateway& gateway_;
  Books& books_;
  Journal& journal_;
  Dice dice_;
  std::vector<std::string> parties_;
};

}  // namespace trunkline::simulator
