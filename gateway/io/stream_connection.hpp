#pragma once
#include "io/byte_stream.hpp"
#include "io/settings.hpp"
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
    virtual void on_unsent(sip::TransactionId transaction) = 0;
    /// The last call. `was_open`: `on_open` came before.
    virtual void on_gone(StreamConnection& connection, bool was_open, std::string_view why) = 0;
  };

  /// `self`: transport, peer and the flow's id.
  StreamConnection(ByteStream::Socket socket, boost::asio::ssl::context* tls, sip::Target self,
                   const StreamSettings& settings, const sip::ParserLimits& limits, Owner& owner);

  void accept();
  /// `hosts`: names of which a TLS peer must prove one.
  void connect(const std::vector<std::string>& hosts);
  void send(std::string bytes, sip::TransactionId transaction);
  /// Ends it when what is queued has left.
  void close(std::string_view why);
  /// Ends it now.
  void abort(std::string_view why);
  const sip::Target& self() const { return self_; }

 private:
  enum class State { opening, open, closing, gone };
  struct Outgoing {
    std::string bytes;
    sip::TransactionId transaction;
  };
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
  void report_unsent();

  ByteStream stream_;
  boost::asio::steady_timer timer_;
  sip::Target self_;
  const StreamSettings& settings_;
  Owner& owner_;
  State state_ = State::opening;
  bool was_open_ = false;
  bool writing_ = false;
  bool reading_broken_ = false;  ///< framing is lost: nothing more is read
  std::string closing_reason_;
  sip::StreamFramer framer_;
  std::array<char, 8192> buffer_{};
  std::deque<Outgoing> queue_;
  std::size_t queued_ = 0;  ///< octets
  std::deque<Sent> sent_;
  TimePoint opening_until_;
  TimePoint closing_until_ = kNever;
  TimePoint last_heard_;
  TimePoint message_begun_ = kNever;
  TimePoint armed_for_ = kNever;
};

}  // namespace trunkline::io
