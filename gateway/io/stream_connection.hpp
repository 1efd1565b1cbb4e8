#pragma once
#include "io/byte_stream.hpp"
#include "io/settings.hpp"
#include "io/tls_context.hpp"
#include "sip/effects.hpp"
#include "sip/parser.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::io {

/// How a connection ended.
struct StreamEnd {
  std::string why;
  std::optional<TlsFailure> tls{};  ///< it did for the sake of TLS
};

/// One SIP connection over TCP or TLS (RFC 3261 §18): connect or accept, handshake, framing,
/// keep-alive, bounded sending. Signalling thread.
class StreamConnection : public std::enable_shared_from_this<StreamConnection> {
 public:
  /// Whom a connection reports to; outlives it or is gone only after the io_context stopped.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_open(StreamConnection& connection) = 0;
    virtual void on_message(StreamConnection& connection, std::string bytes) = 0;
    virtual void on_broken(StreamConnection& connection, std::string bytes,
                           sip::ParseErrorReason reason) = 0;
    /// Its octets never left, or left just before the connection was lost.
    virtual void on_unsent(sip::TransactionId transaction, sip::Unsent why) = 0;
    /// A response that never left, and has another way.
    virtual void on_unanswered(sip::SendBytes response) = 0;
    /// The last call. `was_open`: `on_open` came before.
    virtual void on_gone(StreamConnection& connection, bool was_open, const StreamEnd& end) = 0;
  };

  /// `self`: transport, peer and the flow's id.
  StreamConnection(ByteStream::Socket socket, boost::asio::ssl::context* tls, sip::Target self,
                   const StreamSettings& settings, const sip::ParserLimits& limits, Owner& owner);

  void accept();
  /// Gives up after `patience`. `host`: what a TLS peer must prove.
  void connect(const std::string& host, bool wildcards, Duration patience);
  /// For the flow that it is: the target of the order is not looked at.
  void send(sip::SendBytes order);
  /// Ends it when what is queued has left.
  void close(std::string_view why);
  /// Ends it now.
  void abort(std::string_view why);
  const sip::Target& self() const { return self_; }
  ByteStream::Tls* tls() { return stream_.tls(); }
  /// We have made it, as client.
  bool is_ours() const { return ours_; }
  /// The peer has proved who it is; before any message of it is told.
  void identify(sip::PeerId peer) { self_.peer = peer; }

 private:
  enum class State { opening, open, closing, gone };
  struct Sent {
    sip::TransactionId transaction;
    TimePoint at;
  };

  void handshake(boost::asio::ssl::stream_base::handshake_type side);
  void opened();
  void read();
  void on_read(boost::system::error_code error, std::size_t size);
  bool take_frames();
  void write();
  void on_written(boost::system::error_code error);
  TimePoint deadline() const;
  void arm();
  void on_timer();
  void fail_tls(TlsFault fault);
  void end(StreamEnd how);
  void report_unsent(sip::Unsent why);

  ByteStream stream_;
  boost::asio::steady_timer timer_;
  sip::Target self_;
  const StreamSettings& settings_;
  Owner& owner_;
  State state_ = State::opening;
  bool ours_ = false;
  bool was_open_ = false;
  bool writing_ = false;
  bool reading_broken_ = false;  ///< framing is lost: nothing more is read
  std::string closing_reason_;
  sip::StreamFramer framer_;
  std::array<char, 8192> buffer_{};
  std::deque<sip::SendBytes> queue_;
  std::size_t queued_ = 0;  ///< octets
  std::deque<Sent> sent_;
  TimePoint opening_until_;
  TimePoint closing_until_ = kNever;
  TimePoint last_heard_;
  TimePoint message_begun_ = kNever;
  TimePoint armed_for_ = kNever;
};

}  // namespace trunkline::io
