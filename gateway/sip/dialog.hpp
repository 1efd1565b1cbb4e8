#pragma once
#include "base/result.hpp"
#include "sip/header.hpp"
#include "sip/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::sip {

/// A dialog as RFC 3261 §12 defines it: a value that makes the requests inside the dialog and
/// judges those that come in. It sends nothing. UAC and UAS, early and confirmed.
class Dialog {
 public:
  enum class State { early, confirmed };
  enum class Role { uac, uas };

  /// From our dialog-forming request and a 101-199 or 2xx with a To tag (§12.1.2). Fails if that
  /// response has no tag.
  static Result<Dialog> as_uac(const Message& request, const Message& response);
  /// From a dialog-forming request that we answer with this tag (§12.1.1). `contact` is our Contact
  /// for this leg.
  static Result<Dialog> as_uas(const Message& request, std::string_view local_tag);

  Role role() const { return role_; }
  State state() const { return state_; }
  const std::string& call_id() const { return call_id_; }
  const std::string& local_tag() const { return local_tag_; }
  const std::string& remote_tag() const { return remote_tag_; }
  const Uri& remote_target() const { return remote_target_; }
  const NameAddress& local() const { return local_; }  ///< our From/To, without tag
  const NameAddress& remote() const { return remote_; }
  std::uint32_t local_sequence() const { return local_sequence_; }

  /// A 2xx confirms the dialog: remote target and, for the UAC, the route set come from it
  /// (§13.2.2.4).
  void confirm(const Message& response);
  void confirm() { state_ = State::confirmed; }
  /// Takes the Contact of a target refresh request or its 2xx (§12.2.1.2, §12.2.2).
  void refresh_target(const Message& message);

  /// A request inside the dialog: Request-URI, Route, From, To, Call-ID, CSeq, Max-Forwards 70 set
  /// by §12.2.1.1 (loose and strict routers). The caller adds Contact, Via is the endpoint's. Each
  /// but ACK takes the next CSeq.
  Message request(Method method);
  /// The ACK for the 2xx to the INVITE with this CSeq (§13.2.2.4).
  Message ack(std::uint32_t invite_sequence) const;
  /// Where a request goes first: the top of the route set, else the remote target (§12.2.1.1).
  Uri next_hop() const;

  /// Judges the CSeq of an incoming request (§12.2.2): in order, or the status to refuse it with
  /// (500 for a lower one). ACK is not judged.
  std::optional<int> receive(const Message& request);

 private:
  Dialog() = default;
  Message make_request(Method method, std::uint32_t sequence) const;

  Role role_ = Role::uac;
  State state_ = State::early;
  std::string call_id_, local_tag_, remote_tag_;
  NameAddress local_, remote_;
  Uri remote_target_;
  std::vector<std::string> route_set_;  ///< Route field values in sending order
  std::uint32_t local_sequence_ = 0;
  std::optional<std::uint32_t> remote_sequence_;
};

}  // namespace trunkline::sip
