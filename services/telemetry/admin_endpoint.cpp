#include "telemetry/admin_endpoint.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <mutex>
#include <optional>
#include <thread>

namespace trunkline::telemetry {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

/// A request here has no use for a body.
constexpr std::uint64_t kMaxBody = 1024;
/// The wait after a failed accept (too many open files): trying at once would spin.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

/// RFC 9110: fields of any answer. Nothing of it may be embedded, or read by another site.
constexpr const char* kNothing = "default-src 'none'; frame-ancestors 'none'";
constexpr const char* kConsole =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

/// The way back to the listener's thread for answers that come from others; shut when it ends.
class Door {
 public:
  explicit Door(asio::io_context& context) : context_(&context) {}
  template <class Task>
  void post(Task task) {
    const std::scoped_lock lock(mutex_);
    if (context_ != nullptr) asio::post(*context_, std::move(task));
  }
  void shut() {
    const std::scoped_lock lock(mutex_);
    context_ = nullptr;
  }

 private:
  std::mutex mutex_;
  asio::io_context* context_;
};

struct Shared {
  AdminPages pages;
  AdminLimits limits;
  std::shared_ptr<Door> door{};
  std::size_t connections = 0;
};

AdminRequest request_of(const http::request<http::string_body>& request) {
  const auto text = [](auto view) { return std::string(view.data(), view.size()); };
  const auto field = [&](http::field name) -> std::optional<std::string> {
    const auto found = request.find(name);
    if (found == request.end()) return std::nullopt;
    return text(found->value());
  };
  AdminRequest asked;
  asked.method = text(request.method_string());
  asked.target = text(request.target());
  asked.host = field(http::field::host).value_or("");
  asked.authorization = field(http::field::authorization);
  asked.if_none_match = field(http::field::if_none_match);
  return asked;
}

/// One connection: request, answer, request, …
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Tcp::socket socket, Shared& shared)
      : stream_(std::move(socket)), patience_(stream_.get_executor()), shared_(shared) {
    ++shared_.connections;
  }
  ~Session() { --shared_.connections; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(shared_.limits.header_octets);
    parser_->body_limit(kMaxBody);
    stream_.expires_after(shared_.limits.timeout);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

 private:
  void on_read(error_code error) {
    if (error == http::error::header_limit)
      return refuse(http::status::request_header_fields_too_large);
    if (error == http::error::body_limit) return refuse(http::status::payload_too_large);
    if (error == http::error::end_of_stream || error == http::error::partial_message)
      return close();
    // A category of its own means that the peer's syntax is wrong, any other that the socket is
    // dead.
    if (error && error.category() == http::make_error_code(http::error::bad_method).category()) {
      return refuse(http::status::bad_request);
    }
    if (error) return;
    const AdminRequest asked = request_of(parser_->get());
    if (!is_api(shared_.pages, asked)) return write(answer(shared_.pages, asked));
    wait();
    shared_.pages.api(asked, [door = shared_.door, session = weak_from_this(),
                              number = ++number_](AdminAnswer found) {
      door->post([session, number, found = std::move(found)]() mutable {
        if (const auto self = session.lock()) self->on_answer(number, std::move(found));
      });
    });
  }

  /// For an answer that comes from another thread; meanwhile the timer keeps the session alive.
  void wait() {
    patience_.expires_after(shared_.limits.timeout);
    patience_.async_wait([self = shared_from_this()](error_code error) {
      if (error) return;
      ++self->number_;
      self->refuse(http::status::gateway_timeout);
    });
  }

  void on_answer(std::uint64_t number, AdminAnswer found) {
    if (number != number_) return;
    ++number_;
    patience_.cancel();
    write(std::move(found));
  }

  void refuse(http::status status) {
    response_ = {};
    response_.result(status);
    write(false, false, false);
  }

  void write(AdminAnswer found) {
    const auto& request = parser_->get();
    response_ = {};
    response_.result(found.status);
    if (!found.content_type.empty()) response_.set(http::field::content_type, found.content_type);
    for (const auto& [name, value] : found.fields)
      response_.set(beast::string_view{name.data(), name.size()},
                    beast::string_view{value.data(), value.size()});
    response_.body() = std::move(found.body);
    write(request.keep_alive(), request.method() == http::verb::head, found.page);
  }

  void write(bool keep_alive, bool head, bool page) {
    response_.set(http::field::server, "Trunkline");
    if (!page) response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("Referrer-Policy", "no-referrer");
    response_.set("Cross-Origin-Resource-Policy", "same-origin");
    response_.set("Cross-Origin-Opener-Policy", "same-origin");
    response_.set("Content-Security-Policy", page ? kConsole : kNothing);
    response_.keep_alive(keep_alive);
    response_.prepare_payload();
    // RFC 9110 §8.6: it would be the length of what is not sent.
    if (response_.result() == http::status::not_modified)
      response_.erase(http::field::content_length);
    if (head) response_.body().clear();
    stream_.expires_after(shared_.limits.timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (error) return;
                        if (self->response_.keep_alive()) {
                          self->read();
                        } else {
                          self->close();
                        }
                      });
  }

  void close() {
    error_code ignored;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
  }

  beast::tcp_stream stream_;
  asio::steady_timer patience_;
  std::uint64_t number_ = 0;  ///< of the answer that is waited for
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

Tcp::endpoint endpoint_of(const SocketAddress& address) {
  error_code error;
  return {asio::ip::make_address(address.ip.text(), error), address.port};
}

}  // namespace

struct AdminEndpoint::Impl {
  // `shared` outlives the context, whose end destroys the sessions: they count themselves out of
  // it.
  Shared shared;
  asio::io_context context{1};
  Tcp::acceptor acceptor{context};
  asio::steady_timer pause{context};
  SocketAddress bound;
  std::thread thread;

  error_code listen(const SocketAddress& bind) {
    const Tcp::endpoint endpoint = endpoint_of(bind);
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) bound = {bind.ip, acceptor.local_endpoint(error).port()};
    return error;
  }

  void accept() {
    acceptor.async_accept([this](error_code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      if (shared.connections < shared.limits.connections) {
        std::make_shared<Session>(std::move(socket), shared)->read();
      }
      accept();
    });
  }

  void accept_later() {
    pause.expires_after(kAcceptPause);
    pause.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }
};

AdminEndpoint::AdminEndpoint() : impl_(std::make_unique<Impl>()) {}

AdminEndpoint::~AdminEndpoint() {
  if (impl_->shared.door) impl_->shared.door->shut();
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::unique_ptr<AdminEndpoint>> AdminEndpoint::start(const SocketAddress& bind,
                                                            AdminPages pages, AdminLimits limits) {
  std::unique_ptr<AdminEndpoint> endpoint(new AdminEndpoint);
  Impl& impl = *endpoint->impl_;
  impl.shared.pages = std::move(pages);
  impl.shared.limits = limits;
  impl.shared.door = std::make_shared<Door>(impl.context);
  if (const error_code error = impl.listen(bind)) {
    return fail("can't bind " + bind.text() + "/tcp (admin): " + error.message());
  }
  impl.accept();
  impl.thread = std::thread([&impl] { impl.context.run(); });
  return endpoint;
}

SocketAddress AdminEndpoint::listening() const {
  return impl_->bound;
}

}  // namespace trunkline::telemetry
