#pragma once
#include "base/rate_limit.hpp"
#include "media/api.hpp"
#include "media/outgoing_line.hpp"
#include "media/rtcp_session.hpp"
#include "media/turn.hpp"
#include "media/verdict.hpp"
#include "rtp/packet.hpp"
#include "rtp/quality.hpp"
#include "rtp/telephone_event.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::media {

class Leg;
struct TranscodedFrame;

/// From one leg to another: what each payload type becomes. 0 in `index` is "not listed".
class Route {
 public:
  Route(Leg& to, std::vector<PayloadRoute> payloads);
  Leg& to() const { return *to_; }
  const PayloadRoute* find(std::uint8_t payload_type) const {
    const std::uint8_t at = index_[payload_type & 0x7f];
    return at == 0 ? nullptr : &payloads_[at - 1u];
  }
  const PayloadRoute* transcoded(AudioCodec codec) const;

 private:
  Leg* to_;
  std::vector<PayloadRoute> payloads_;
  std::array<std::uint8_t, 128> index_{};
};

/// One side of a call: what comes from its peer is judged here and handed along the routes; what
/// other legs hand over becomes its one outgoing line. How bytes reach the peer is the derived
/// class's: `BrowserLeg` or `TrunkLeg`.
class Leg {
 public:
  static constexpr std::size_t kMaxRoutes = 4, kMaxPayloads = 64;
  /// Four times the packets that 10 ms audio makes, and a second of them at once after a stall.
  static constexpr double kMaxPacketRate = 400, kPacketBurst = 400;
  /// Nothing for so long after something: the peer is silent.
  static constexpr Duration kStalled = seconds{2};

  Leg(LegId id, LegKind kind, std::uint32_t ssrc, std::string cname, WorkerContext& worker);
  virtual ~Leg() = default;
  Leg(const Leg&) = delete;
  Leg& operator=(const Leg&) = delete;

  LegId id() const { return id_; }
  LegKind kind() const { return kind_; }

  // the bridge
  void set_route(Leg& to, const std::vector<PayloadRoute>& payloads);
  void clear_route(Leg& to);
  /// Ends all routes from here and to here.
  void detach();
  /// A clear packet that `source` received.
  void forward(Packet packet, const rtp::Header& header, const PayloadRoute& route, LegId source,
               Turn& turn);

  /// A frame that a transcoder made of what `source` received.
  void forward(const TranscodedFrame& frame, const PayloadRoute& route, Turn& turn);
  /// How this leg's audio reaches `to` in that codec, if it is transcoded for it.
  const PayloadRoute* transcoded_route(const Leg& to, AudioCodec codec) const;

  // sources of our own
  void start_tone(const StartTone& order, TimePoint now) { line_.start_tone(order, now); }
  void start_sound(const StartSound& order, std::shared_ptr<const Clip> clip, TimePoint now) {
    line_.start_sound(order, std::move(clip), now);
  }
  void stop_tone() { line_.stop_tone(); }
  void send_digit(const SendDigit& order, TimePoint now) {
    line_.queue_digit(order, worker_.settings.digit_tones, now);
  }

  // digits in the sound of the peer
  void detect(const DetectDigits& order) { detection_ = order; }
  void heard_digit(char digit, std::vector<Event>& events);

  /// See `ExpectMedia`.
  void expect(Duration within, TimePoint now) {
    silent_within_ = within;
    if (last_heard_ != kNever) last_heard_ = now;
  }

  void on_deadline(Turn& turn);
  TimePoint deadline() const;
  /// Says goodbye to the peer.
  void close(Turn& turn);
  LegStatistics statistics() const;
  /// As `statistics`; the interval that it tells of ends with it.
  LegStatistics end_interval();
  /// Why nothing is heard, in each direction.
  MediaJudged judge(TimePoint now) const;

  void drop(DropReason reason);

 protected:
  enum class Stream : std::uint8_t { rtp, rtcp };

  /// The flood guard: before any work that costs.
  bool within_rate(TimePoint now);
  void receive_rtp(Packet packet, const SocketAddress& from, Turn& turn);
  void receive_rtcp(ByteView compound, Turn& turn);
  /// The leg can send from now on: RTCP begins.
  void start_rtcp(TimePoint now) { rtcp_.start(now); }
  /// What was counted as an SRTP failure.
  void count_srtp(SrtpVerdict verdict);
  bool routes_payload(std::uint8_t payload_type) const {
    return find_route(payload_type) != nullptr;
  }
  OutgoingLine& line() { return line_; }
  WorkerContext& worker() { return worker_; }
  const WorkerContext& worker() const { return worker_; }

 private:
  /// Seals a clear packet and puts it into the outbox; why not, if not.
  virtual std::optional<DropReason> transmit(Packet& packet, Stream stream, Turn& turn) = 0;
  virtual void on_transport_deadline(Turn& turn) = 0;
  virtual TimePoint transport_deadline() const = 0;
  virtual void close_transport(Turn& turn) = 0;
  /// Of what comes before RTP.
  virtual void add_transport_facts(ReceivingFacts& facts) const = 0;

  const PayloadRoute* find_route(std::uint8_t payload_type) const;
  void receive_event(ByteView payload, const rtp::Header& header, const PayloadRoute& route,
                     Turn& turn);
  void report_digits(const rtp::Digits& digits, Turn& turn);
  void distribute(Packet packet, const rtp::Header& header, bool kept, Turn& turn);
  /// Gives what may hold digits to the listener; false: there is none.
  bool listen(const Packet& packet, const rtp::Header& header, Turn& turn);
  void transcode(const Packet& packet, const rtp::Header& header, const PayloadRoute& route,
                 LegId to, Turn& turn);
  void send(Packet& packet, Turn& turn);
  void send_report(Turn& turn, bool bye);
  /// A packet came that goes where it should.
  void taken(const rtp::Header& header, const SocketAddress& from, Turn& turn);
  void look_for_stall(Turn& turn);
  TimePoint silent_at() const {
    const bool counts = silent_within_ != Duration{} && last_heard_ != kNever;
    return counts ? last_heard_ + silent_within_ : kNever;
  }

  LegId id_;
  LegKind kind_;
  WorkerContext& worker_;
  std::vector<Route> routes_;
  std::vector<Leg*> sources_;  ///< legs with a route to this one
  OutgoingLine line_;
  RtcpSession rtcp_;
  rtp::ReceiveStatistics received_;
  rtp::EventReceiver events_;
  DetectDigits detection_;
  RateLimit rate_{kMaxPacketRate, kPacketBurst};
  bool heard_ = false;
  // for the verdict: the last packet that was taken, and what came since
  TimePoint taken_at_ = kNever, stall_at_ = kNever;
  bool paused_ = false;  ///< it was comfort noise: the peer has nothing to say (RFC 3389)
  struct {
    std::uint64_t from_others = 0, unsealed = 0, unknown_payload = 0, malformed = 0;
  } since_;
  Hearing hearing_;
  TimePoint last_heard_ = kNever;  ///< RTP or RTCP of the peer; then, since it is expected, too
  Duration silent_within_{};
  std::uint64_t interval_expected_ = 0, interval_lost_ = 0;  ///< when the interval began
  std::uint64_t octets_received_ = 0, dropped_ = 0, srtp_failures_ = 0;

  // of `Plane`: its place among the deadlines
  friend class DeadlineHeap;
  TimePoint scheduled_ = kNever;
  std::size_t heap_at_ = ~std::size_t{0};
};

}  // namespace trunkline::media
