#include "io/websocket_connection.hpp"

#include "base/time.hpp"
#include "base/utf8.hpp"
#include "io/byte_stream.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace trunkline::io {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using boost::system::error_code;

// How Beast ends a stream that it knows nothing about.
void beast_close_socket(ByteStream& stream) {
  stream.close();
}

template <class Handler>
void async_teardown(beast::role_type role, ByteStream& stream, Handler&& handler) {
  using websocket::async_teardown;
  if (stream.tls() != nullptr) {
    async_teardown(role, *stream.tls(), std::forward<Handler>(handler));
  } else {
    async_teardown(role, stream.socket(), std::forward<Handler>(handler));
  }
}

namespace {

constexpr std::uint32_t kMaxHeader = 8192;  // octets of the HTTP request
constexpr Duration kHandshakeToClose = seconds{5};
constexpr Duration kLinger = seconds{2};  // for the peer to read an HTTP response
constexpr Duration kMessageTimeout = seconds{10};
constexpr std::size_t kMaxPieces = 1024;   // fragments and segments of one message
constexpr int kMaxControlFrames = 20;      // a second
constexpr std::size_t kKeptBuffer = 8192;  // octets that a connection holds between messages
constexpr std::size_t kMaxReason = 123;    // RFC 6455 §5.5
constexpr std::uint16_t kTryAgainLater = 1013;
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src "
    "'self' blob:; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

using Request = http::request<http::empty_body>;
using Response = http::response<http::span_body<const char>>;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

HttpRequest to_door(const Request& request) {
  HttpRequest asked;
  asked.method = view(request.method_string());
  asked.target = view(request.target());
  asked.upgrade = websocket::is_upgrade(request);
  asked.key = view(request[http::field::sec_websocket_key]);
  asked.version = view(request[http::field::sec_websocket_version]);
  const auto [first, last] = request.equal_range(http::field::sec_websocket_protocol);
  for (auto field = first; field != last; ++field) {
    if (!asked.protocols.empty()) asked.protocols += ',';
    asked.protocols += view(field->value());
  }
  const auto origin = request.find(http::field::origin);
  if (origin != request.end()) asked.origin.emplace(view(origin->value()));
  return asked;
}

Response to_response(const HttpAnswer& answer, bool head_only) {
  Response response{http::int_to_status(answer.status), 11};
  response.set(http::field::content_type, {answer.content_type.data(), answer.content_type.size()});
  response.set("Content-Security-Policy", kContentSecurityPolicy);
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set(http::field::cache_control, "no-cache");
  response.set(http::field::connection, "close");
  if (!answer.field.empty()) {
    response.set(beast::string_view{answer.field.data(), answer.field.size()},
                 beast::string_view{answer.value.data(), answer.value.size()});
  }
  response.content_length(answer.body.size());
  if (!head_only) response.body() = {answer.body.data(), answer.body.size()};
  return response;
}

class Connection final : public WebSocketConnection,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, const WebSocketPlace& place,
             const sip::Target& self, bool crowded, Owner& owner)
      : ws_(std::move(socket), place.tls),
        timer_(ws_.get_executor()),
        door_(place.door),
        settings_(place.settings),
        counters_(place.counters),
        self_(self),
        crowded_(crowded),
        owner_(owner),
        phase_until_(Clock::now() + settings_.handshake_timeout) {}
  ~Connection() override { waits(0); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start() override;
  bool send(std::string bytes) override;
  void close(std::uint16_t code, std::string_view reason, Disconnect why) override;

 private:
  enum class Phase { handshake, answering, open, closing, gone };

  template <class Method>
  auto handler(Method method) {
    return [self = shared_from_this(), method](error_code error, auto&&...) {
      if (self->phase_ != Phase::gone) ((*self).*method)(error);
    };
  }

  void on_tls(error_code error);
  void read_request();
  void on_request(error_code error);
  void upgrade();
  void on_upgraded(error_code error);
  void answer(const HttpAnswer& answer, bool head_only);
  void on_answered(error_code error);
  void linger();
  void on_lingered(error_code error);
  void read();
  void on_read(error_code error);
  void on_piece();
  void on_control(websocket::frame_type type);
  void heard(TimePoint now);
  void write();
  void on_written(error_code error);
  void ping(TimePoint now);
  void on_pinged(error_code error);
  void waits(std::size_t octets);
  void begin_close();
  void on_close_done(error_code error);
  void finish();
  void finish_open(Disconnect why);
  TimePoint deadline() const;
  void arm();
  void on_timer();

  websocket::stream<ByteStream, false>
      ws_;  // no permessage-deflate: a bomb that the size limit can't see
  boost::asio::steady_timer timer_;
  const HttpDoor& door_;
  const WebSocketSettings& settings_;
  Counters& counters_;
  const sip::Target self_;
  const bool crowded_;
  Owner& owner_;
  Phase phase_ = Phase::handshake;
  std::optional<HandshakeFailure> failure_;

  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::optional<Response> response_;
  std::deque<std::string> queue_;
  std::size_t queued_ = 0;  // octets
  bool writing_ = false;
  bool close_begun_ = false;
  websocket::close_reason close_reason_;

  std::size_t pieces_ = 0;
  int control_frames_ = 0;
  TimePoint control_second_{};
  bool awaiting_pong_ = false;  ///< or anything else: what it sends shows that it lives
  bool timing_pong_ = false;
  TimePoint ping_sent_{};
  TimePoint last_heard_{};
  TimePoint message_begun_ = kNever;
  TimePoint phase_until_;
  TimePoint armed_for_ = kNever;
};

// ------------------------------------------------------------------------------------ TLS and HTTP

void Connection::start() {
  arm();
  ByteStream::Tls* tls = ws_.next_layer().tls();
  if (tls == nullptr) return read_request();
  tls->async_handshake(boost::asio::ssl::stream_base::server, handler(&Connection::on_tls));
}

void Connection::on_tls(error_code error) {
  if (!error) return read_request();
  failure_ = HandshakeFailure::tls;
  finish();
}

void Connection::read_request() {
  parser_.emplace();
  parser_->header_limit(kMaxHeader);
  parser_->body_limit(0);
  http::async_read_header(ws_.next_layer(), buffer_, *parser_, handler(&Connection::on_request));
}

void Connection::on_request(error_code error) {
  // A browser that opens a connection ahead of need and drops it has done nothing wrong.
  const bool dropped = error == http::error::end_of_stream ||
                       error.category() == boost::asio::error::get_system_category() ||
                       error.category() == boost::asio::error::get_ssl_category();
  if (error && dropped) return finish();
  if (error) return answer(HttpDoor::junk(), false);
  const Request& request = parser_->get();
  const auto answered = door_.judge(to_door(request), crowded_);
  if (answered) return answer(*answered, request.method() == http::verb::head);
  upgrade();
}

void Connection::upgrade() {
  ws_.set_option(websocket::stream_base::timeout{settings_.handshake_timeout,
                                                 websocket::stream_base::none(), false});
  ws_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
    response.set(http::field::sec_websocket_protocol, "sip");
    response.set(http::field::server, "Trunkline");
  }));
  ws_.read_message_max(settings_.max_message);
  ws_.auto_fragment(false);
  ws_.control_callback(
      [this](websocket::frame_type type, beast::string_view) { on_control(type); });
  ws_.async_accept(parser_->get(), handler(&Connection::on_upgraded));
}

void Connection::on_upgraded(error_code error) {
  parser_.reset();
  buffer_.clear();
  if (error) {
    failure_ = HandshakeFailure::http;
    return finish();
  }
  phase_ = Phase::open;
  heard(Clock::now());
  arm();
  owner_.on_open(self_);
  read();
}

void Connection::answer(const HttpAnswer& answer, bool head_only) {
  phase_ = Phase::answering;
  failure_ = answer.failure;
  response_.emplace(to_response(answer, head_only));
  http::async_write(ws_.next_layer(), *response_, handler(&Connection::on_answered));
}

void Connection::on_answered(error_code error) {
  if (error) return finish();
  phase_until_ = Clock::now() + kLinger;
  arm();
  if (ByteStream::Tls* tls = ws_.next_layer().tls()) {
    return tls->async_shutdown(handler(&Connection::on_close_done));
  }
  error_code ignored;
  ws_.next_layer().socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
  linger();
}

// To close on unread octets would be a reset, which may overtake our answer.
void Connection::linger() {
  buffer_.clear();
  ws_.next_layer().async_read_some(buffer_.prepare(kMaxHeader), handler(&Connection::on_lingered));
}

void Connection::on_lingered(error_code error) {
  if (error) return finish();
  linger();
}

// ------------------------------------------------------------------------------------ receiving

void Connection::read() {
  ws_.async_read_some(buffer_, 0, handler(&Connection::on_read));
}

void Connection::on_read(error_code error) {
  // A peer that hangs up right after its close frame has closed all the same.
  if (error == websocket::error::closed || (error && ws_.reason()))
    return finish_open(Disconnect::closed);
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
    return finish_open(Disconnect::too_big);
  }
  if (error == websocket::condition::protocol_violation) return finish_open(Disconnect::protocol);
  if (error) return finish_open(Disconnect::lost);
  if (phase_ != Phase::open) return;
  heard(Clock::now());
  on_piece();
  if (phase_ == Phase::open) read();
}

void Connection::on_piece() {
  if (!ws_.is_message_done()) {
    if (++pieces_ > kMaxPieces)
      return close(kPolicyViolation, "too many fragments", Disconnect::flood);
    if (message_begun_ == kNever) message_begun_ = last_heard_;
    return arm();
  }
  pieces_ = 0;
  message_begun_ = kNever;
  const auto data = buffer_.cdata();
  std::string bytes(static_cast<const char*>(data.data()), data.size());
  buffer_.clear();
  if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
  owner_.on_message(self_, std::move(bytes));
}

void Connection::on_control(websocket::frame_type type) {
  const TimePoint now = Clock::now();
  if (type == websocket::frame_type::pong && std::exchange(timing_pong_, false))
    counters_.ws_ping_round_trip.observe(std::chrono::duration<double>(now - ping_sent_).count());
  heard(now);
  if (now - control_second_ > seconds{1}) {
    control_second_ = now;
    control_frames_ = 0;
  }
  if (++control_frames_ != kMaxControlFrames) return;
  // Beast calls from the middle of a read.
  boost::asio::post(ws_.get_executor(), [self = shared_from_this()] {
    self->close(kPolicyViolation, "too many control frames", Disconnect::flood);
  });
}

void Connection::heard(TimePoint now) {
  last_heard_ = now;
  if (std::exchange(awaiting_pong_, false)) arm();
}

// ------------------------------------------------------------------------------------ sending

bool Connection::send(std::string bytes) {
  if (phase_ != Phase::open) return false;
  if (queued_ + bytes.size() > settings_.max_send_queue) {
    queue_.resize(writing_ ? 1 : 0);
    waits(writing_ ? queue_.front().size() : 0);
    close(kTryAgainLater, "send queue full", Disconnect::slow);
    return false;
  }
  waits(queued_ + bytes.size());
  queue_.push_back(std::move(bytes));
  write();
  return true;
}

/// So much is queued now.
void Connection::waits(std::size_t octets) {
  counters_.ws_queued.add(static_cast<std::int64_t>(octets) - static_cast<std::int64_t>(queued_));
  queued_ = octets;
}

void Connection::write() {
  if (writing_ || queue_.empty()) return;
  writing_ = true;
  ws_.text(is_utf8(queue_.front()));  // RFC 7118 §4.2: binary only where it must be
  ws_.async_write(boost::asio::buffer(queue_.front()), handler(&Connection::on_written));
}

void Connection::on_written(error_code error) {
  writing_ = false;
  if (error) return phase_ == Phase::open ? finish_open(Disconnect::lost) : finish();
  waits(queued_ - queue_.front().size());
  queue_.pop_front();
  if (!queue_.empty()) return write();
  if (phase_ == Phase::closing) begin_close();
}

void Connection::ping(TimePoint now) {
  awaiting_pong_ = timing_pong_ = true;
  ping_sent_ = now;
  ws_.async_ping({}, handler(&Connection::on_pinged));
}

void Connection::on_pinged(error_code error) {
  if (error && phase_ == Phase::open) finish_open(Disconnect::lost);
}

// ------------------------------------------------------------------------------------ ending

void Connection::close(std::uint16_t code, std::string_view reason, Disconnect why) {
  if (phase_ == Phase::handshake || phase_ == Phase::answering) return finish();
  if (phase_ != Phase::open) return;
  phase_ = Phase::closing;
  phase_until_ = Clock::now() + kHandshakeToClose;
  reason = reason.substr(0, kMaxReason);
  close_reason_ = websocket::close_reason(static_cast<websocket::close_code>(code),
                                          beast::string_view{reason.data(), reason.size()});
  arm();
  if (!writing_) begin_close();
  owner_.on_closed(self_, why);
}

void Connection::begin_close() {
  if (close_begun_) return;
  close_begun_ = true;
  ws_.async_close(close_reason_, handler(&Connection::on_close_done));
}

void Connection::on_close_done(error_code) {
  finish();
}

void Connection::finish_open(Disconnect why) {
  // What ends while it is closing is finished by that close.
  if (phase_ == Phase::closing && close_begun_) return;
  if (phase_ == Phase::open) {
    phase_ = Phase::closing;
    owner_.on_closed(self_, why);
  }
  finish();
}

void Connection::finish() {
  if (phase_ == Phase::gone) return;
  phase_ = Phase::gone;
  timer_.cancel();
  ws_.next_layer().close();
  owner_.on_gone(self_, failure_);
}

// ------------------------------------------------------------------------------------ time

TimePoint Connection::deadline() const {
  switch (phase_) {
    case Phase::handshake:
    case Phase::answering:
    case Phase::closing:
      return phase_until_;
    case Phase::gone:
      return kNever;
    case Phase::open:
      break;
  }
  const TimePoint quiet =
      awaiting_pong_ ? ping_sent_ + settings_.pong_timeout : last_heard_ + settings_.ping_interval;
  return message_begun_ == kNever ? quiet : std::min(quiet, message_begun_ + kMessageTimeout);
}

void Connection::arm() {
  const TimePoint due = deadline();
  // A deadline that moved back is noticed when the timer fires.
  if (due >= armed_for_) return;
  armed_for_ = due;
  timer_.expires_at(due);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->on_timer();
  });
}

void Connection::on_timer() {
  armed_for_ = kNever;
  const TimePoint now = Clock::now();
  if (deadline() > now) return arm();
  switch (phase_) {
    case Phase::handshake:
      failure_ = HandshakeFailure::http;
      return finish();
    case Phase::answering:
    case Phase::closing:
      return finish();
    case Phase::gone:
      return;
    case Phase::open:
      break;
  }
  if (message_begun_ != kNever && now >= message_begun_ + kMessageTimeout) {
    return close(kPolicyViolation, "half a message", Disconnect::flood);
  }
  if (awaiting_pong_) return finish_open(Disconnect::ping_timeout);
  ping(now);
  arm();
}

}  // namespace

std::shared_ptr<WebSocketConnection> make_websocket_connection(boost::asio::ip::tcp::socket socket,
                                                               const WebSocketPlace& place,
                                                               const sip::Target& self,
                                                               bool crowded,
                                                               WebSocketConnection::Owner& owner) {
  return std::make_shared<Connection>(std::move(socket), place, self, crowded, owner);
}

}  // namespace trunkline::io
