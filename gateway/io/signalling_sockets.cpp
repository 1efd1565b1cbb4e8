#include "io/signalling_sockets.hpp"

namespace trunkline::io {

SignallingSockets::SignallingSockets(boost::asio::io_context& context, const Settings& settings,
                                     const sip::ParserLimits& limits, SignallingInput& input,
                                     Counters& counters, TlsContexts& tls)
    : datagram_(context, input, counters),
      stream_(context, settings.stream, limits, flows_, input, counters, tls),
      websocket_(context, settings.websocket_settings, settings.web, flows_, input, counters, tls) {
}

Result<std::vector<SignallingSockets::Bound>> SignallingSockets::listen(const Settings& settings) {
  std::vector<Bound> all;
  for (const SipListener& listener : settings.sip) {
    const auto local = listen(listener);
    if (!local) return fail(local.error());
    all.push_back({listener.transport, *local, listener.advertise.value_or(*local),
                   listener.advertise.value_or(listener.bind)});
  }
  for (const WebSocketListener& listener : settings.websocket) {
    const auto local = websocket_.listen(listener);
    if (!local) return fail(local.error());
    all.push_back(
        {listener.tls ? sip::Transport::wss : sip::Transport::ws, *local, *local, listener.bind});
  }
  return all;
}

Result<SocketAddress> SignallingSockets::listen(const SipListener& listener) {
  switch (listener.transport) {
    case sip::Transport::udp:
      return datagram_.listen(listener.bind, flows_.next());
    case sip::Transport::tcp:
    case sip::Transport::tls:
      return stream_.listen(listener);
    case sip::Transport::ws:
    case sip::Transport::wss:
    case sip::Transport::count_:
      break;
  }
  return fail(listener.bind.text() + " has a transport that is no SIP listener's");
}

void SignallingSockets::start() {
  datagram_.start();
  stream_.start();
  websocket_.start();
}

void SignallingSockets::send(sip::SendBytes order) {
  switch (order.target.transport) {
    case sip::Transport::udp:
      return datagram_.send(order);
    case sip::Transport::tcp:
    case sip::Transport::tls:
      return stream_.send(std::move(order));
    case sip::Transport::ws:
    case sip::Transport::wss:
      return websocket_.send(std::move(order));
    case sip::Transport::count_:
      return;
  }
}

void SignallingSockets::close(const sip::CloseFlow& order) {
  if (!stream_.close(order.flow, order.reason)) websocket_.close(order.flow, order.reason);
}

void SignallingSockets::stop() {
  stream_.stop();
  websocket_.stop();
}

}  // namespace trunkline::io
