#include "telemetry/admin_endpoint.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

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

struct Shared {
  AdminPages pages;
  AdminLimits limits;
  std::size_t connections = 0;
};

/// One connection: request, answer, request, …
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
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
    const auto& request = parser_->get();
    AdminAnswer found =
        answer(shared_.pages, {request.method_string().data(), request.method_string().size()},
               {request.target().data(), request.target().size()});
    response_ = {};
    response_.result(found.status);
    response_.set(http::field::content_type, found.content_type);
    if (found.allow) response_.set(http::field::allow, "GET, HEAD");
    response_.body() = std::move(found.body);
    write(request.keep_alive(), request.method() == http::verb::head);
  }

  void refuse(http::status status) {
    response_ = {};
    response_.result(status);
    write(false, false);
  }

  void write(bool keep_alive, bool head) {
    response_.set(http::field::server, "Trunkline");
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    response_.keep_alive(keep_alive);
    response_.prepare_payload();
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
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::unique_ptr<AdminEndpoint>> AdminEndpoint::start(const SocketAddress& bind,
                                                            AdminPages pages, AdminLimits limits) {
  std::unique_ptr<AdminEndpoint> endpoint(new AdminEndpoint);
  Impl& impl = *endpoint->impl_;
  impl.shared.pages = std::move(pages);
  impl.shared.limits = limits;
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
