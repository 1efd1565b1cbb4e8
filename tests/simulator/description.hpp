#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::simulator {

/// A session description with one audio line, read and written apart from the gateway's own code,
/// so that one mistake is not made twice (RFC 8866, RFC 3264).
struct Description {
  std::string origin;  ///< o= without the version: user, session id, address
  std::uint64_t version = 0;
  std::string transport;              ///< "RTP/AVP"
  std::vector<std::string> lines;     ///< the m= lines as they stand
  std::vector<int> payloads;          ///< of the first m= line
  std::map<int, std::string> codecs;  ///< "PCMU/8000" by payload type, upper case
  std::string direction = "sendrecv";
  std::string setup, ufrag;

  static std::optional<Description> read(std::string_view text);
  std::string formats() const;  ///< payload types with spaces between
  /// The codec of a payload type, static ones included; empty if it has no name.
  std::string codec(int payload) const;
};

/// "sendonly" is what the other side must answer "recvonly" or "inactive" to (RFC 3264 §6.1).
bool direction_fits(std::string_view offered, std::string_view answered);

/// One side's descriptions in a dialog: the version goes up by one exactly when something has
/// changed (RFC 3264 §8).
class Speaker {
 public:
  struct Style {
    bool browser = false;  ///< ICE and DTLS
    std::string address = "198.51.100.1";
    std::uint16_t port = 40000;
    std::vector<std::pair<int, std::string>> codecs;  ///< all that it has: 0, "PCMU/8000"
  };
  explicit Speaker(Style style) : style_(std::move(style)) {}

  /// All codecs, or those of them that were agreed on before.
  std::string offer(std::string_view wish);
  /// What both sides have; nothing if that is nothing.
  std::optional<std::string> answer(const Description& offer, std::string_view wish);
  void restart_ice() { ++restarts_; }

 private:
  std::string say(const std::vector<std::pair<int, std::string>>& codecs,
                  std::string_view direction, std::string_view setup);

  Style style_;
  std::uint64_t version_ = 0;
  int restarts_ = 0;
  std::string said_;
};

}  // namespace trunkline::simulator
