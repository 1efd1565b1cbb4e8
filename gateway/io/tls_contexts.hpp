#pragma once
#include "base/metrics.hpp"
#include "base/net_address.hpp"
#include "base/result.hpp"
#include "base/tls_files.hpp"
#include "io/settings.hpp"
#include "io/tls_context.hpp"

#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <mutex>
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

  /// A trunk whose files have been read, if it has any.
  struct PreparedPeer {
    struct Own {
      TlsContext context;
      std::int64_t expires = 0;  ///< seconds of Unix time; 0: nothing is shown
      TlsFileWatch files;
    };
    TlsPeerSettings settings;
    std::optional<Own> own;
  };
  /// Reads the files of trunks; any thread. Fails in words for an operator.
  static Result<std::vector<PreparedPeer>> prepare(const std::vector<TlsPeerSettings>& peers);
  /// The trunks at the start. Fails as `prepare`.
  Result<void> begin(const std::vector<TlsPeerSettings>& peers);
  /// These are the trunks from now on. One whose id is known keeps its context; what has been begun
  /// with one that is not among them goes on with it.
  void replace(std::vector<PreparedPeer> peers);
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

  /// Those that have files and have not been taken before, as they were read.
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
    bool retired = false;  ///< of a trunk that is not configured any more
  };
  struct Peer {
    TlsPeerSettings settings;
    std::optional<Slot> slot;  ///< none: nothing of its own
    CellArray<TlsFailure> failures;
    bool retired = false;
  };

  static Result<PreparedPeer::Own> read(const std::string& name, const TlsFiles& files,
                                        bool server);
  Slot add(std::string name, PreparedPeer::Own made, bool server);
  const Peer* find(sip::PeerId peer) const;
  void retire(Peer& peer);

  /// Of the lists: taken to change them, and by collect(), which reads their cells from another
  /// thread.
  mutable std::mutex mutex_;

  std::deque<Entry> entries_;
  std::list<Peer> peers_;  ///< those that are retired, the longest first, before the others
  std::vector<Watched> watched_;
  std::map<IpAddress, sip::PeerId> addresses_;
  TlsContext system_;
  CellArray<TlsFailure> failures_;  ///< of those that came to us
};

}  // namespace trunkline::io
