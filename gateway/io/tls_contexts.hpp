#pragma once
#include "base/metrics.hpp"
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "base/tls_files.hpp"
#include "io/settings.hpp"
#include "io/tls_context.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::io {

/// The TLS of all signalling sockets: the contexts of listeners and trunks, and who proves to be
/// which trunk. A context may be replaced at any time; connections keep theirs. Signalling thread,
/// but for `collect`.
class TlsContexts final : public MetricSource {
 public:
  using Slot = std::size_t;
  /// Something with files that may change.
  struct Watched {
    Slot slot;
    bool server;
    TlsFileWatch files;
  };

  /// The contexts of the trunks. Fails in words for an operator.
  Result<void> begin(const std::vector<TlsPeerSettings>& peers);
  /// The context of a listener; `name`: "tls 127.0.0.1:5061".
  Result<Slot> add_listener(std::string name, const TlsFiles& files);
  boost::asio::ssl::context& of(Slot slot) { return *entries_[slot].context; }

  /// For a connection to this peer, or to somebody unknown. Null: there is none, and the log says
  /// why.
  TlsContext towards(sip::PeerId peer);
  /// Whom a connection to this target must find, by name and by settings; null: nobody in
  /// particular.
  const TlsPeerSettings* expected(const sip::Target& target) const;
  /// The trunk that this client's certificate proves to be, if any.
  sip::PeerId proved(ByteStream::Tls& tls) const;
  /// Where a trunk is: a connection to such an address is to the trunk, though nobody says so.
  void located(sip::PeerId peer, const std::vector<IpAddress>& addresses);

  /// A handshake came to nothing; with a peer we were the client.
  void count_failure(sip::PeerId peer, TlsFailure failure);

  /// All that have files, as they were read. Once.
  std::vector<Watched> take_watched();
  /// What a change of the files has led to. Writes it down and uses the context, if there is one.
  void changed(Slot slot, const Result<TlsMaterial, TlsFileError>& found, TlsContext context);
  /// The authorities of the system are read again for the next connection.
  void forget_system() { system_ = nullptr; }

  void collect(MetricSink& sink) const override;

 private:
  struct Entry {
    std::string name;
    TlsContext context;
    Cell expires;  ///< seconds of Unix time; 0: nothing is shown
    Cell loaded, refused;
  };
  struct Peer {
    TlsPeerSettings settings;
    std::optional<Slot> slot;  ///< none: nothing of its own
    CellArray<TlsFailure> failures;
  };

  Result<Slot> add(std::string name, const TlsFiles& files, bool server);
  const Peer* find(sip::PeerId peer) const;

  std::deque<Entry> entries_;  // of which collect() reads the cells from another thread
  std::deque<Peer> peers_;
  std::vector<Watched> watched_;
  std::map<IpAddress, sip::PeerId> addresses_;
  TlsContext system_;
  CellArray<TlsFailure> failures_;  ///< of those that came to us
};

}  // namespace trunkline::io
