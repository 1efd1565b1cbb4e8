#pragma once
#include "base/random.hpp"
#include "base/time.hpp"
#include "media/api.hpp"
#include "media/clip.hpp"
#include "media/counters.hpp"
#include "media/digit_tones.hpp"
#include "media/outbox.hpp"
#include "media/tone.hpp"
#include "rtp/packet.hpp"
#include "rtp/telephone_event.hpp"
#include "rtp/timeline.hpp"

#include <cstdint>
#include <optional>

namespace trunkline::media {

/// What one leg sends: a single SSRC with one sequence and timestamp line for its whole life,
/// whatever feeds it: other legs by routes, a tone, digits of ours. Packets here are clear; sealing
/// and sending is the leg's.
class OutgoingLine {
 public:
  OutgoingLine(std::uint32_t ssrc, Random& random) : timeline_(ssrc, random) {}

  /// Makes a packet that `source` received one of this line: bare header, our SSRC, this leg's
  /// payload type, sequence and timestamp. `header` is what `rtp::parse_header` said of it. A
  /// reason when it must not go out.
  std::optional<DropReason> rewrite(Packet& packet, const rtp::Header& header,
                                    const PayloadRoute& route, LegId source, TimePoint now);

  /// A packet that `source` received and that this line's peer has no use for: nobody takes it for
  /// lost.
  void leave_out(const rtp::Header& header, const PayloadRoute& route, LegId source);

  /// Makes a frame of the transcoder that listens to `source` one of this line: `packet` gets a
  /// header before the frame's payload, which is in place already. `header` counts in the clock of
  /// `route.encode`. A reason when it must not go out.
  std::optional<DropReason> number_transcoded(Packet& packet, const rtp::Header& header,
                                              const PayloadRoute& route, LegId source,
                                              TimePoint now);

  void start_tone(const StartTone& order, TimePoint now);
  void start_sound(const StartSound& order, std::shared_ptr<const Clip> clip, TimePoint now);
  void stop_tone();
  /// False when the digit is none or `kMaxQueuedDigits` wait already. `tones`: for those that are
  /// to be sounds; null: there are none.
  bool queue_digit(const SendDigit& order, const std::shared_ptr<const DigitTones>& tones,
                   TimePoint now);
  /// After hold or a new route: the next packet continues the line by the wall clock, with the
  /// marker.
  void splice() { timeline_.splice(); }

  /// Our own packet that is due, if any, written into `packet`; called until it says no.
  bool next_own(Packet& packet, TimePoint now);
  TimePoint deadline() const;

  void count_sent(std::size_t payload_octets, TimePoint now);
  std::uint64_t packets_sent() const { return packets_sent_; }
  std::uint64_t octets_sent() const { return octets_sent_; }
  TimePoint last_sent() const { return last_sent_; }
  /// Telephone events that began on this line by our own order.
  std::uint64_t digits_begun() const { return digits_begun_; }
  /// And digits as sound.
  std::uint64_t digits_sounded() const { return digits_sounded_; }
  std::uint32_t ssrc() const { return timeline_.ssrc(); }
  const rtp::Timeline& timeline() const { return timeline_; }

 private:
  /// An event relayed from another leg whose end has not come yet (RFC 4733 §2.5.1.4).
  struct Relayed {
    bool open = false;
    std::uint8_t payload_type = 0;
    std::uint32_t timestamp = 0;
    rtp::EventPayload payload;
    TimePoint last{};
    int ends_to_send = 0;
  };

  void rewrite_event(Packet& packet, const rtp::Header& header, const PayloadRoute& route,
                     const rtp::EventPayload& payload, rtp::LinePosition& position, TimePoint now);
  bool write_relayed_end(Packet& packet, TimePoint now);
  bool write_digit(Packet& packet, TimePoint now);
  template <class Source>
  bool write_source(std::optional<Source>& source, Packet& packet, TimePoint now);
  template <class Source>
  bool write_frame(Source& source, Packet& packet, TimePoint now);
  /// Digits as sound: the next one begins when the last is over.
  bool write_sounding_digit(Packet& packet, TimePoint now);
  void sound_next_digit(TimePoint begin);
  /// A digit of ours has the line: what else there is waits, or is left out.
  bool dials() const { return digits_.active() || sounding_; }
  /// A source of our own has the line.
  bool plays() const { return dials() || tone_ || sound_; }
  void write(Packet& packet, std::uint8_t payload_type, const rtp::LinePosition& position,
             std::size_t payload_size);

  std::optional<rtp::LinePosition> place(const rtp::Header& header, const PayloadRoute& route,
                                         LegId source, TimePoint now);

  rtp::Timeline timeline_;
  rtp::EventConverter converter_;
  LegId transcoded_;  ///< the leg whose audio comes by a transcoder, in numbers of its own
  rtp::EventSender digits_;
  std::uint8_t digit_payload_type_ = 101;
  std::optional<Tone> tone_;
  std::optional<ClipPlayer> sound_;
  DigitQueue sounding_digits_;
  std::shared_ptr<const DigitTones> digit_tones_;
  std::optional<ClipPlayer> sounding_;  ///< the digit that is heard now
  std::uint64_t tones_ = 0;             ///< sounds and digits too: each is a source of its own
  bool interrupted_ = false;            ///< a source was left out: it returns with a splice
  Relayed relayed_;
  std::uint64_t packets_sent_ = 0, octets_sent_ = 0, digits_begun_ = 0, digits_sounded_ = 0;
  TimePoint last_sent_{};
};

}  // namespace trunkline::media
