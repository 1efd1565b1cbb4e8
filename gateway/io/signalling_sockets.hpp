#pragma once
#include "base/ids.hpp"
#include "base/result.hpp"
#include "io/counters.hpp"
#include "io/settings.hpp"
#include "io/sip_datagram.hpp"
#include "io/sip_stream.hpp"
#include "io/sip_websocket.hpp"

#include <boost/asio/io_context.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::io {

/// All signalling sockets of the node behind one `send`. Signalling thread.
class SignallingSockets {
 public:
  /// A listener as it was bound: port 0 has become a number.
  struct Bound {
    sip::Transport transport = sip::Transport::udp;
    SocketAddress local;
    SocketAddress told;   ///< in Via and Contact
    SocketAddress asked;  ///< what the settings told
  };

  SignallingSockets(boost::asio::io_context& context, const Settings& settings,
                    const sip::ParserLimits& limits, SignallingInput& input, Counters& counters,
                    TlsContexts& tls);

  Result<std::vector<Bound>> listen(const Settings& settings);
  void start();
  void send(sip::SendBytes order);
  void close(const sip::CloseFlow& order);
  /// Of WebSockets: pages of these origins may connect from now on; empty: all.
  void allow(std::vector<std::string> origins) { websocket_.allow(std::move(origins)); }
  /// The WebSockets that are open, and how one of them is asked to come back elsewhere.
  std::vector<FlowId> browsers() const { return websocket_.flows(); }
  void move(FlowId browser) { websocket_.move(browser); }
  /// Nobody new; connections are closed in order.
  void stop();

 private:
  Result<SocketAddress> listen(const SipListener& listener);

  IdSequence<FlowId> flows_;
  SipDatagram datagram_;
  SipStream stream_;
  SipWebSocket websocket_;
};

}  // namespace trunkline::io
