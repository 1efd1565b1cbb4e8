#include "io/sip_datagram.hpp"

#include "base/log.hpp"
#include "io/native_address.hpp"
#include "io/tcp_listener.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <cerrno>
#include <cstring>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <optional>
#include <system_error>

namespace trunkline::io {
namespace {

using boost::asio::ip::udp;

// Datagrams and errors taken before others have their turn.
constexpr int kBatch = 64;
constexpr int kBuffer = 4 << 20;  // octets of the kernel: a burst of retransmissions at 500 calls/s

void set_options(int fd, bool v6) {
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kBuffer);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kBuffer);
  if (v6) {
    set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, kSignallingTrafficClass);
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
  } else {
    set_option(fd, IPPROTO_IP, IP_RECVERR, 1);
    set_option(fd, IPPROTO_IP, IP_TOS, kSignallingTrafficClass);
    // A large message is better fragmented than refused.
    set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  }
}

/// RFC 3261 §18.4: host, network, port or protocol unreachable count; source quench and time
/// exceeded don't.
bool means_unreachable(const sock_extended_err& error) {
  if (error.ee_origin == SO_EE_ORIGIN_ICMP) {
    return error.ee_type == ICMP_DEST_UNREACH && error.ee_code != ICMP_FRAG_NEEDED;
  }
  return error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == ICMP6_DST_UNREACH;
}

std::optional<sock_extended_err> extended_error(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    const bool four = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
    const bool six = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
    if (!four && !six) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(part), sizeof(error));
    return error;
  }
  return std::nullopt;
}

}  // namespace

struct SipDatagram::Listener {
  explicit Listener(boost::asio::io_context& context) : socket(context) {}
  udp::socket socket;
  SocketAddress local;
  FlowId flow;
};

SipDatagram::~SipDatagram() {
  for (const auto& listener : listeners_) {
    boost::system::error_code ignored;
    listener->socket.close(ignored);
  }
}

Result<SocketAddress> SipDatagram::listen(const SocketAddress& bind, FlowId flow) {
  auto listener = std::make_shared<Listener>(context_);
  const auto endpoint = to_endpoint<udp::endpoint>(bind);
  boost::system::error_code error;
  listener->socket.open(endpoint.protocol(), error);
  if (!error && bind.ip.is_v6()) listener->socket.set_option(boost::asio::ip::v6_only(true), error);
  if (!error) listener->socket.non_blocking(true, error);
  if (!error) set_options(listener->socket.native_handle(), bind.ip.is_v6());
  if (!error) listener->socket.bind(endpoint, error);
  if (error) return fail("can't bind " + bind.text() + "/udp: " + error.message());
  listener->local = from_native(listener->socket.local_endpoint(error).data());
  listener->flow = flow;
  listeners_.push_back(listener);
  return listener->local;
}

void SipDatagram::start() {
  for (const auto& listener : listeners_)
    wait(listener);
}

void SipDatagram::wait(const std::shared_ptr<Listener>& listener) {
  listener->socket.async_wait(
      udp::socket::wait_read, [this, listener](boost::system::error_code error) {
        if (error == boost::asio::error::operation_aborted || !listener->socket.is_open()) return;
        receive(*listener);
        wait(listener);
      });
}

void SipDatagram::receive(Listener& listener) {
  for (int turn = 0; turn < kBatch && take_error(listener); ++turn)
    continue;
  for (int turn = 0; turn < kBatch; ++turn) {
    NativeAddress from;
    const ssize_t size = ::recvfrom(listener.socket.native_handle(), buffer_.data(), buffer_.size(),
                                    MSG_DONTWAIT, from.get(), &from.size);
    if (size < 0 && (errno == EAGAIN || errno == EBADF)) return;
    if (size < 0) continue;  // an ICMP error that waits; the error queue tells whose
    const sip::Target source{sip::Transport::udp, from_native(from.get()), listener.flow};
    input_.received(std::string(buffer_.data(), static_cast<std::size_t>(size)), source);
  }
}

bool SipDatagram::take_error(Listener& listener) {
  alignas(cmsghdr) std::array<char, 512> control{};
  char octet = 0;
  iovec part{&octet, 1};
  NativeAddress destination;
  msghdr message{};
  message.msg_name = destination.get();
  message.msg_namelen = destination.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(listener.socket.native_handle(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
    return false;
  const auto error = extended_error(message);
  if (error && means_unreachable(*error)) on_unreachable(from_native(destination.get()));
  return true;
}

void SipDatagram::on_unreachable(const SocketAddress& destination) {
  counters_.icmp_errors.add();
  const TimePoint now = Clock::now();
  if (log_limit_.allow(now))
    log::warn("peer unreachable", {{"peer", destination.text()}, {"transport", "udp"}});
  for (const sip::TransactionId transaction : recent_.take(destination, now))
    input_.send_failed(transaction, sip::Unsent::unreachable);
}

SipDatagram::Listener* SipDatagram::listener_for(const sip::Target& target) {
  Listener* fits = nullptr;
  for (const auto& listener : listeners_) {
    if (listener->local.ip.is_v4() != target.remote.ip.is_v4()) continue;
    if (listener->flow == target.flow) return listener.get();
    if (listener->local.ip.is_loopback() && !target.remote.ip.is_loopback()) continue;
    if (fits == nullptr) fits = listener.get();
  }
  return target.flow ? nullptr : fits;
}

void SipDatagram::send(const sip::SendBytes& order) {
  Listener* listener = listener_for(order.target);
  if (listener == nullptr || order.target.remote.port == 0) return failed(order, EADDRNOTAVAIL);
  if (order.transaction) recent_.remember(order.target.remote, order.transaction, Clock::now());
  const NativeAddress to(order.target.remote);
  // A pending ICMP error of an earlier datagram comes back from the next send: that one is tried
  // again.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (::sendto(listener->socket.native_handle(), order.bytes.data(), order.bytes.size(),
                 MSG_DONTWAIT | MSG_NOSIGNAL, to.get(), to.size) >= 0) {
      return;
    }
    if (errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH) break;
  }
  const int error = errno;
  if (error == EAGAIN || error == ENOBUFS) return counters_.drops[IoDrop::udp_full].add();
  failed(order, error);
}

void SipDatagram::failed(const sip::SendBytes& order, int error) {
  counters_.drops[IoDrop::udp_error].add();
  if (log_limit_.allow(Clock::now())) {
    log::warn("can't send", {{"peer", order.target.remote.text()},
                             {"transport", "udp"},
                             {"why", std::generic_category().message(error)}});
  }
  if (order.transaction) input_.send_failed(order.transaction, sip::Unsent::unreachable);
}

}  // namespace trunkline::io
