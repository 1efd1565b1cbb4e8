#pragma once
#include "call/engine.hpp"
#include "media/api.hpp"

#include "agenda.hpp"
#include "dice.hpp"
#include "journal.hpp"
#include <functional>
#include <map>
#include <set>

namespace trunkline::simulator {

/// The media workers without any media: what they would tell the signalling thread, a little
/// later, and a check that what they are told makes sense.
class MediaStub {
 public:
  MediaStub(Agenda& agenda, Journal& journal, Dice dice)
      : agenda_(agenda), journal_(journal), dice_(dice) {}

  std::function<void(const media::Event&)> tell;
  /// From now on every leg stays up and says nothing on its own.
  void rest() { resting_ = true; }
  void execute(const call::MediaCommand& command);
  void finish();

 private:
  struct Leg {
    std::size_t worker = 0;
    bool browser = false, heard = false;
    SocketAddress local;
  };
  using Place = std::pair<LegId, std::size_t>;  ///< a leg that moves is on two workers

  void run(std::size_t worker, const media::AddBrowserLeg& command);
  void run(std::size_t worker, const media::AddTrunkLeg& command);
  void run(std::size_t worker, const media::UpdateBrowserLeg& command);
  void run(std::size_t worker, const media::UpdateTrunkLeg& command);
  void run(std::size_t worker, const media::RemoveLeg& command);
  void run(std::size_t worker, const media::SetRoute& command);
  void run(std::size_t, const media::AddIdentity&) {}
  void run(std::size_t, const media::ClearRoute&) {}
  void run(std::size_t, const media::StartTone&) {}
  void run(std::size_t, const media::StartSound&) {}
  void run(std::size_t, const media::StopTone&) {}
  void run(std::size_t, const media::ExpectMedia&) {}
  void run(std::size_t, const media::DetectDigits&) {}
  void run(std::size_t worker, const media::SendDigit& command);
  void run(std::size_t worker, const media::QueryStatistics& command);
  void run(std::size_t worker, const media::JudgeMedia& command);
  Leg* find(std::size_t worker, LegId leg);
  void expect(std::size_t worker, LegId leg, const char* what);
  void later(Duration delay, std::size_t worker, LegId leg, const media::Event& event);
  void begin(std::size_t worker, LegId leg);

  Agenda& agenda_;
  Journal& journal_;
  Dice dice_;
  bool resting_ = false;
  std::map<Place, Leg> legs_;
};

}  // namespace trunkline::simulator
