#include "io/stream_connection.hpp"

#include "io/native_address.hpp"
#include "io/tcp_listener.hpp"
#include "io/tls_context.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>

namespace trunkline::io {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxSent = 256;
// A request that left this long ago has been answered, or its answer will come on a connection of
// the peer's making (RFC 3261 §18.2.2).
constexpr Duration kSentMemory = seconds{5};
constexpr Duration kCloseTimeout = seconds{2};
constexpr std::string_view kPong = "\r\n";  // RFC 5626 §3.5.1

}  // namespace

StreamConnection::StreamConnection(ByteStream::Socket socket, boost::asio::ssl::context* tls,
                                   sip::Target self, const StreamSettings& settings,
                                   const sip::ParserLimits& limits, Owner& owner)
    : stream_(std::move(socket), tls),
      timer_(stream_.get_executor()),
      self_(self),
      settings_(settings),
      owner_(owner),
      framer_(limits),
      opening_until_(Clock::now() + settings.connect_timeout),
      last_heard_(Clock::now()) {}

// ------------------------------------------------------------------------------------ opening

void StreamConnection::accept() {
  arm();
  if (stream_.tls() == nullptr) return opened();
  handshake(boost::asio::ssl::stream_base::server);
}

void StreamConnection::connect(const std::string& host, bool wildcards, Duration patience) {
  ours_ = true;
  opening_until_ = std::min(opening_until_, Clock::now() + patience);
  arm();
  if (stream_.tls() != nullptr) expect_peer(*stream_.tls(), host, wildcards);
  stream_.socket().async_connect(to_endpoint<tcp::endpoint>(self_.remote),
                                 [self = shared_from_this()](error_code error) {
                                   if (self->state_ == State::gone) return;
                                   if (error) return self->abort(error.message());
                                   set_connection_options(self->stream_.socket());
                                   if (self->stream_.tls() == nullptr) return self->opened();
                                   self->handshake(boost::asio::ssl::stream_base::client);
                                 });
}

void StreamConnection::handshake(boost::asio::ssl::stream_base::handshake_type side) {
  stream_.tls()->async_handshake(side, [self = shared_from_this()](error_code error) {
    if (self->state_ == State::gone) return;
    if (error) return self->fail_tls(handshake_fault(*self->stream_.tls(), error));
    self->opened();
  });
}

void StreamConnection::opened() {
  const bool closing = state_ == State::closing;
  if (!closing) state_ = State::open;
  was_open_ = true;
  last_heard_ = Clock::now();
  arm();
  owner_.on_open(*this);
  if (state_ == State::gone) return;
  read();
  if (!queue_.empty()) {
    write();
  } else if (closing) {
    abort(closing_reason_);
  }
}

// ------------------------------------------------------------------------------------ receiving

void StreamConnection::read() {
  stream_.async_read_some(boost::asio::buffer(buffer_),
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            self->on_read(error, size);
                          });
}

void StreamConnection::on_read(error_code error, std::size_t size) {
  if (state_ == State::gone) return;
  if (error && is_certificate_alert(error))
    return fail_tls({TlsFailure::refused, "TLS: " + error.message()});
  if (error) return abort(error.message());
  last_heard_ = Clock::now();
  if (!reading_broken_ && state_ == State::open) {
    framer_.push({buffer_.data(), size});
    if (!take_frames()) return;
  }
  arm();
  read();
}

/// False when the connection is gone.
bool StreamConnection::take_frames() {
  using Kind = sip::StreamFramer::Frame::Kind;
  bool any = false;
  while (state_ == State::open) {
    sip::StreamFramer::Frame frame = framer_.next();
    if (frame.kind == Kind::need_more) break;
    any = true;
    if (frame.kind == Kind::ping) {
      send({{}, std::string(kPong), {}});
    } else if (frame.kind == Kind::message) {
      owner_.on_message(*this, std::move(frame.text));
    } else {
      reading_broken_ = true;
      owner_.on_broken(*this, std::move(frame.text), frame.reason);
      close("framing lost");
    }
  }
  if (framer_.pending() == 0 || reading_broken_) {
    message_begun_ = kNever;
  } else if (any || message_begun_ == kNever) {
    message_begun_ = last_heard_;
  }
  return state_ != State::gone;
}

// ------------------------------------------------------------------------------------ sending

void StreamConnection::send(sip::SendBytes order) {
  if (state_ == State::gone || state_ == State::closing) {
    if (order.transaction) owner_.on_unsent(order.transaction, sip::Unsent::unreachable);
    if (order.reconnect) owner_.on_unanswered(std::move(order));
    return;
  }
  const bool full = queued_ + order.bytes.size() > settings_.max_send_queue;
  queued_ += order.bytes.size();
  queue_.push_back(std::move(order));
  // A peer that does not read is as good as gone, and what it missed can't be taken back.
  if (full) return abort("send queue full");
  if (state_ == State::open) write();
}

void StreamConnection::write() {
  if (writing_ || queue_.empty() || !was_open_) return;
  writing_ = true;
  boost::asio::async_write(
      stream_, boost::asio::buffer(queue_.front().bytes),
      [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
}

void StreamConnection::on_written(error_code error) {
  writing_ = false;
  if (state_ == State::gone) return;
  if (error) return abort(error.message());
  const sip::SendBytes& done = queue_.front();
  queued_ -= done.bytes.size();
  if (done.transaction) {
    sent_.push_back({done.transaction, Clock::now()});
    if (sent_.size() > kMaxSent) sent_.pop_front();
  }
  queue_.pop_front();
  if (!queue_.empty()) return write();
  if (state_ == State::closing) abort(closing_reason_);
}

// ------------------------------------------------------------------------------------ ending

void StreamConnection::close(std::string_view why) {
  if (state_ == State::gone || state_ == State::closing) return;
  if (queue_.empty()) return abort(why);
  state_ = State::closing;
  closing_reason_ = why;
  closing_until_ = Clock::now() + kCloseTimeout;
  arm();
}

void StreamConnection::abort(std::string_view why) {
  end({std::string(why)});
}

void StreamConnection::fail_tls(TlsFault fault) {
  end({std::move(fault.text), fault.failure});
}

void StreamConnection::end(StreamEnd how) {
  if (state_ == State::gone) return;
  const auto self = shared_from_this();
  state_ = State::gone;
  timer_.cancel();
  error_code ignored;
  // Without this unread octets would turn the end into a reset, which may overtake our last answer.
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.close();
  report_unsent(how.tls ? sip::Unsent::tls : sip::Unsent::unreachable);
  owner_.on_gone(*this, was_open_, how);
}

void StreamConnection::report_unsent(sip::Unsent why) {
  const TimePoint since = Clock::now() - kSentMemory;
  for (const sip::SendBytes& item : queue_) {
    if (item.transaction) owner_.on_unsent(item.transaction, why);
  }
  for (const Sent& item : sent_) {
    if (item.at >= since) owner_.on_unsent(item.transaction, why);
  }
  sent_.clear();
  // Not again for one that was made for it.
  if (!was_open_) return;
  for (sip::SendBytes& item : queue_) {
    if (item.reconnect) owner_.on_unanswered(std::move(item));
  }
}

// ------------------------------------------------------------------------------------ time

TimePoint StreamConnection::deadline() const {
  switch (state_) {
    case State::opening:
      return opening_until_;
    case State::closing:
      return closing_until_;
    case State::gone:
      return kNever;
    case State::open:
      break;
  }
  const TimePoint idle = last_heard_ + settings_.idle_timeout;
  return message_begun_ == kNever ? idle
                                  : std::min(idle, message_begun_ + settings_.message_timeout);
}

void StreamConnection::arm() {
  const TimePoint due = deadline();
  // A deadline that moved back is noticed when the timer fires.
  if (due >= armed_for_) return;
  armed_for_ = due;
  timer_.expires_at(due);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->on_timer();
  });
}

void StreamConnection::on_timer() {
  armed_for_ = kNever;
  if (state_ == State::gone) return;
  if (deadline() > Clock::now()) return arm();
  switch (state_) {
    case State::opening:
      return abort("no connection in time");
    case State::closing:
      return abort(closing_reason_);
    case State::open:
      return abort(message_begun_ == kNever ? "idle" : "half a message");
    case State::gone:
      return;
  }
}

}  // namespace trunkline::io
