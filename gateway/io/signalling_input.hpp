#pragma once
#include "base/ids.hpp"
#include "sip/effects.hpp"
#include "sip/parser.hpp"

#include <string>

namespace trunkline::io {

/// What the signalling sockets tell the loop. Called on the signalling thread, also from inside a
/// `send`: the loop queues what comes while it works.
class SignallingInput {
 public:
  virtual ~SignallingInput() = default;
  /// One whole message from `source`.
  virtual void received(std::string bytes, const sip::Target& source) = 0;
  /// A stream lost framing; the loop answers and closes the flow.
  virtual void broken(std::string bytes, sip::ParseErrorReason reason,
                      const sip::Target& source) = 0;
  /// A connection is gone.
  virtual void closed(FlowId flow) = 0;
  /// A request could not be sent.
  virtual void send_failed(sip::TransactionId transaction, sip::Unsent why) = 0;
};

}  // namespace trunkline::io
