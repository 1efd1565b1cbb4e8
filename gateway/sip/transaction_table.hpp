#pragma once
#include "base/ids.hpp"
#include "base/time.hpp"
#include "sip/effects.hpp"
#include "sip/endpoint_counters.hpp"
#include "sip/invite_client_transaction.hpp"
#include "sip/invite_server_transaction.hpp"
#include "sip/non_invite_client_transaction.hpp"
#include "sip/non_invite_server_transaction.hpp"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace trunkline::sip {

/// A request as it goes by UDP after all (RFC 3261 §18.1.1).
struct UdpWay {
  Message request;
  Target target;
};

/// A transaction machine with what the Endpoint must know to find it and to speak for it.
struct Transaction {
  /// In the order of TransactionKind.
  using Machine = std::variant<InviteClientTransaction, NonInviteClientTransaction,
                               InviteServerTransaction, NonInviteServerTransaction>;

  TransactionId id;
  Machine machine;
  Method method = Method::unknown;
  std::string key{};                          ///< client_key or server_key
  std::string merge_key{};                    ///< of a server transaction
  std::string branch{};                       ///< of its Via
  std::string sent_by{};                      ///< of its Via, as Via::sent_by() gives it
  FlowId flow{};                              ///< the connection that it depends on; none for UDP
  std::optional<SocketAddress> reconnect{};   ///< server: see SendBytes
  std::unique_ptr<UdpWay> by_udp{};           ///< client: it went by TCP for its size alone
  std::string to_tag{};                       ///< INVITE server: of our responses
  std::string cancel_tag{};                   ///< INVITE server: of the answer to its CANCEL
  std::vector<std::string> cancel_reasons{};  ///< INVITE client
  bool unknown_to_user = false;               ///< a CANCEL of ours
  bool cancelled = false;                     ///< INVITE server: the user knows of the CANCEL
  bool over = false;                          ///< the machine has terminated
  TimePoint armed = kNever;  ///< its place among the deadlines; kept by TransactionTable

  TransactionKind kind() const { return static_cast<TransactionKind>(machine.index()); }
  bool is_client() const { return machine.index() <= 1; }
  TimePoint deadline() const;
};

/// All transactions of an endpoint: by id, by key, by connection and by deadline. References stay
/// valid until `erase`. One thread.
class TransactionTable {
 public:
  Transaction& insert(Transaction transaction);
  void erase(const Transaction& transaction);
  /// Puts it where its machine's deadline belongs. To be called after every input to the machine.
  void arm(Transaction& transaction);
  /// It now depends on this connection.
  void set_flow(Transaction& transaction, FlowId flow);

  Transaction* find(TransactionId id);
  Transaction* find_client(const std::string& key) { return find_by(client_keys_, key); }
  Transaction* find_server(const std::string& key) { return find_by(server_keys_, key); }
  /// The first server transaction with this merge key that is not over.
  Transaction* find_merged(const std::string& key) { return find_by(merge_keys_, key); }
  /// In the order of their start.
  std::vector<TransactionId> on_flow(FlowId flow) const;

  std::size_t size() const { return transactions_.size(); }
  TimePoint earliest() const { return deadlines_.empty() ? kNever : deadlines_.begin()->first; }
  /// The transaction with the earliest deadline, if that has come.
  Transaction* due(TimePoint now);

 private:
  using Keys = std::unordered_map<std::string, TransactionId>;
  Transaction* find_by(const Keys& keys, const std::string& key);
  static void forget(Keys& keys, const std::string& key, TransactionId id);

  std::unordered_map<TransactionId, Transaction> transactions_;
  Keys client_keys_, server_keys_, merge_keys_;
  std::unordered_map<FlowId, std::set<TransactionId>> flows_;
  std::set<std::pair<TimePoint, TransactionId>> deadlines_;
};

}  // namespace trunkline::sip
