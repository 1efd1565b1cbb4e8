#include "connection.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <deque>
#include <map>
#include <poll.h>
#include <unistd.h>

namespace trunkline::test {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Socket = beast::websocket::stream<beast::tcp_stream>;

struct Connection::Impl {
  Impl(std::string address, UserAgentSettings settings)
      : url(std::move(address)), agent(std::move(settings), random) {}

  /// How the packets of a call go and come.
  struct Media {
    explicit Media(asio::io_context& context) : udp(context), tcp(context) {}
    asio::ip::udp::socket udp;
    asio::ip::udp::endpoint from;
    asio::ip::tcp::socket tcp;
    bool ready = false;
    std::array<std::uint8_t, 2048> buffer{};

    void close() {
      beast::error_code ignored;
      udp.close(ignored);
      tcp.close(ignored);
    }
  };
  struct Path {
    int call, network;
    bool by_tcp, ipv6;
    auto operator<=>(const Path&) const = default;
  };

  std::string url;
  SystemRandom random;
  UserAgent agent;
  asio::io_context context;
  std::unique_ptr<Socket> socket;
  beast::flat_buffer incoming;
  std::deque<std::string> outgoing;
  bool writing = false;
  std::map<Path, std::unique_ptr<Media>> media;
  std::unique_ptr<asio::posix::stream_descriptor> watched;
  std::function<bool()> on_watched;

  void read() {
    socket->async_read(incoming, [this](const beast::error_code& error, std::size_t) {
      if (error) return closed();
      std::string message = beast::buffers_to_string(incoming.data());
      incoming.consume(incoming.size());
      agent.receive(std::move(message), Clock::now());
      if (socket) read();
    });
  }

  void write() {
    if (writing || outgoing.empty() || !socket) return;
    writing = true;
    socket->async_write(asio::buffer(outgoing.front()),
                        [this](const beast::error_code& error, std::size_t) {
                          writing = false;
                          if (!outgoing.empty()) outgoing.pop_front();
                          if (error) return closed();
                          write();
                        });
  }

  void closed() {
    if (!socket) return;
    beast::get_lowest_layer(*socket).close();
    graveyard.push_back(std::move(socket));  // handlers of the closed stream may still refer to it
    outgoing.clear();
    writing = false;
    agent.disconnected(Clock::now());
  }
  std::vector<std::unique_ptr<Socket>> graveyard;

  void listen(int call, Media& leg) {
    leg.udp.async_receive_from(
        asio::buffer(leg.buffer), leg.from,
        [this, call, &leg](const beast::error_code& error, std::size_t size) {
          if (error == asio::error::operation_aborted) return;
          if (!error) agent.datagram(call, {leg.buffer.data(), size}, Clock::now());
          listen(call, leg);
        });
  }

  /// RFC 4571: the length in two octets, and the packet.
  void read_frame(int call, Media& leg) {
    asio::async_read(leg.tcp, asio::buffer(leg.buffer, 2),
                     [this, call, &leg](const beast::error_code& error, std::size_t) {
                       if (error) return;
                       const std::size_t size = load16(leg.buffer, 0);
                       if (size > leg.buffer.size()) return;
                       asio::async_read(
                           leg.tcp, asio::buffer(leg.buffer, size),
                           [this, call, &leg](const beast::error_code& failure, std::size_t got) {
                             if (failure) return;
                             agent.datagram(call, {leg.buffer.data(), got}, Clock::now());
                             read_frame(call, leg);
                           });
                     });
  }

  Media& open(const UserAgent::Datagram& datagram) {
    auto& leg = media[{datagram.call, datagram.network, datagram.by_tcp, datagram.to.ip.is_v6()}];
    if (leg) return *leg;
    leg = std::make_unique<Media>(context);
    const auto address = asio::ip::make_address(datagram.to.ip.text());
    if (datagram.by_tcp) {
      leg->tcp.async_connect(
          {address, datagram.to.port},
          [this, call = datagram.call, opened = leg.get()](const beast::error_code& error) {
            opened->ready = !error;
            if (!error) read_frame(call, *opened);
          });
      return *leg;
    }
    leg->udp = asio::ip::udp::socket(
        context, datagram.to.ip.is_v6()
                     ? asio::ip::udp::endpoint(asio::ip::address_v6::loopback(), 0)
                     : asio::ip::udp::endpoint(asio::ip::address_v4::loopback(), 0));
    leg->ready = true;
    listen(datagram.call, *leg);
    return *leg;
  }

  void send(const UserAgent::Datagram& datagram) {
    Media& leg = open(datagram);
    if (!leg.ready) return;  // as lost: checks come again
    beast::error_code ignored;
    if (datagram.by_tcp) {
      std::array<std::uint8_t, 2> length{};
      store16(length, 0, static_cast<std::uint16_t>(datagram.bytes.size()));
      const std::array<asio::const_buffer, 2> frame{asio::buffer(length),
                                                    asio::buffer(datagram.bytes)};
      asio::write(leg.tcp, frame, ignored);
      return;
    }
    const auto address = asio::ip::make_address(datagram.to.ip.text());
    leg.udp.send_to(asio::buffer(datagram.bytes), {address, datagram.to.port}, 0, ignored);
  }

  void flush() {
    for (auto& message : agent.take_messages())
      outgoing.push_back(std::move(message));
    write();
    for (const auto& datagram : agent.take_datagrams())
      send(datagram);
    for (auto entry = media.begin(); entry != media.end();) {
      const WebCall* call = agent.find(entry->first.call);
      if (call != nullptr && !call->over && call->network == entry->first.network) {
        ++entry;
        continue;
      }
      entry->second->close();
      context.poll();  // lets the aborted receive run before its buffer goes
      entry = media.erase(entry);
    }
  }

  void watch() {
    watched->async_wait(asio::posix::stream_descriptor::wait_read,
                        [this](const beast::error_code& error) {
                          if (!error && on_watched()) watch();
                        });
  }
};

Connection::Connection(std::string url, UserAgentSettings settings)
    : impl_(std::make_unique<Impl>(std::move(url), std::move(settings))) {}
Connection::~Connection() = default;

UserAgent& Connection::agent() {
  return impl_->agent;
}
bool Connection::is_connected() const {
  return impl_->socket != nullptr;
}

bool Connection::connect(std::string& why) {
  std::string authority = impl_->url.substr(impl_->url.find("//") + 2);
  authority = authority.substr(0, authority.find('/'));
  const auto colon = authority.rfind(':');
  std::string host = authority.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  beast::error_code error;
  asio::ip::tcp::resolver resolver(impl_->context);
  const auto found = resolver.resolve(host, authority.substr(colon + 1), error);
  auto socket = std::make_unique<Socket>(impl_->context);
  if (!error) beast::get_lowest_layer(*socket).socket().connect(*found.begin(), error);
  if (!error) {
    socket->set_option(
        beast::websocket::stream_base::decorator([](beast::websocket::request_type& request) {
          request.set(beast::http::field::sec_websocket_protocol, "sip");
        }));
    beast::websocket::response_type response;
    socket->handshake(response, authority, "/", error);
    if (!error && response[beast::http::field::sec_websocket_protocol] != "sip") {
      why = "the gateway did not agree to the subprotocol sip";
      return false;
    }
  }
  if (error) {
    why = error.message();
    return false;
  }
  socket->text(true);
  impl_->socket = std::move(socket);
  impl_->agent.connected(Clock::now());
  impl_->read();
  return true;
}

void Connection::drop() {
  impl_->closed();
}

void Connection::turn(TimePoint until) {
  impl_->flush();
  const TimePoint wake = std::min(until, impl_->agent.deadline());
  impl_->context.restart();
  if (wake > Clock::now()) impl_->context.run_one_until(wake);
  impl_->context.poll();
  if (impl_->agent.deadline() <= Clock::now()) impl_->agent.on_deadline(Clock::now());
  impl_->flush();
}

void Connection::watch(int descriptor, std::function<bool()> ready) {
  impl_->watched =
      std::make_unique<asio::posix::stream_descriptor>(impl_->context, ::dup(descriptor));
  impl_->on_watched = std::move(ready);
  impl_->watch();
}

}  // namespace trunkline::test
