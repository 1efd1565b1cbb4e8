#pragma once
#include "sip/digest.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What the load generator says: canned messages, as SIP.js and a carrier's switch write them.
namespace trunkline::bench {

inline constexpr std::string_view kDomain = "example.test";
inline constexpr std::string_view kPassword = "secret";

/// A browser's user, its password, and the nonce that it was told last.
class User {
 public:
  explicit User(std::size_t number);

  const std::string& name() const { return name_; }
  const std::string& host() const { return host_; }  ///< the made-up one of RFC 7118 §5.2
  /// Takes the challenge of a 401 or 407; false: it bears none for MD5.
  bool challenged(std::string_view response);
  /// The field that answers the last challenge, as a line.
  std::string authorization(std::string_view method, std::string_view uri);

 private:
  std::string name_, host_, ha1_;
  sip::DigestChallenge challenge_;
  bool proxy_ = false;
  std::uint32_t uses_ = 0;
};

/// One side of a dialog that we began.
struct Dialog {
  std::string call_id, from, to, target, routes, via_host, contact;
  bool websocket = false;
  unsigned cseq = 0;
  unsigned branch = 0;  ///< requests sent, each of which has a branch of its own
};

/// The dialog of a call from this user to a number, or from the trunk at this port.
Dialog browser_dialog(const User& user, std::string_view number, std::string call_id);
Dialog trunk_dialog(std::uint16_t port, std::uint16_t server_port, std::string_view number,
                    std::string call_id);
/// Takes what a 2xx says about the other side.
void establish(Dialog& dialog, std::string_view response);

/// The next request, with a new CSeq number but for ACK. `more`: further lines.
std::string write_request(Dialog& dialog, std::string_view method, std::string_view more = {},
                          std::string_view description = {});
/// REGISTER of the user: the dialog's target is the registrar.
std::string write_register(Dialog& dialog, const User& user, std::string_view authorization);
/// The ACK to a final response but 2xx, on the branch of the last request (RFC 3261 §17.1.1.3).
std::string write_ack_of_refusal(const Dialog& dialog, std::string_view response);

/// A trunk's response to a request; `description` makes it bear one.
std::string write_response(std::string_view request, std::string_view status, std::uint16_t port,
                           std::string_view description = {});
/// A trunk's offer or answer: G.711 over RTP.
std::string trunk_description(std::uint16_t port);

}  // namespace trunkline::bench
