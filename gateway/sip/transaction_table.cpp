#include "sip/transaction_table.hpp"

namespace trunkline::sip {

TimePoint Transaction::deadline() const {
  return std::visit([](const auto& each) { return each.deadline(); }, machine);
}

Transaction& TransactionTable::insert(Transaction transaction) {
  const TransactionId id = transaction.id;
  const FlowId flow = std::exchange(transaction.flow, {});
  (transaction.is_client() ? client_keys_ : server_keys_)[transaction.key] = id;
  if (!transaction.merge_key.empty()) merge_keys_.try_emplace(transaction.merge_key, id);
  Transaction& inserted = transactions_.emplace(id, std::move(transaction)).first->second;
  set_flow(inserted, flow);
  return inserted;
}

void TransactionTable::erase(const Transaction& transaction) {
  const TransactionId id = transaction.id;
  forget(transaction.is_client() ? client_keys_ : server_keys_, transaction.key, id);
  forget(merge_keys_, transaction.merge_key, id);
  if (const auto flow = flows_.find(transaction.flow); flow != flows_.end()) {
    flow->second.erase(id);
    if (flow->second.empty()) flows_.erase(flow);
  }
  deadlines_.erase({transaction.armed, id});
  transactions_.erase(id);
}

void TransactionTable::arm(Transaction& transaction) {
  const TimePoint deadline = transaction.deadline();
  if (deadline == transaction.armed) return;
  deadlines_.erase({transaction.armed, transaction.id});
  transaction.armed = deadline;
  if (deadline != kNever) deadlines_.emplace(deadline, transaction.id);
}

void TransactionTable::set_flow(Transaction& transaction, FlowId flow) {
  if (!flow || transaction.flow) return;
  transaction.flow = flow;
  flows_[flow].insert(transaction.id);
}

Transaction* TransactionTable::find(TransactionId id) {
  const auto found = transactions_.find(id);
  return found == transactions_.end() ? nullptr : &found->second;
}

std::vector<TransactionId> TransactionTable::on_flow(FlowId flow) const {
  const auto found = flows_.find(flow);
  if (found == flows_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

Transaction* TransactionTable::due(TimePoint now) {
  if (earliest() > now || deadlines_.empty()) return nullptr;
  return find(deadlines_.begin()->second);
}

Transaction* TransactionTable::find_by(const Keys& keys, const std::string& key) {
  const auto found = keys.find(key);
  return found == keys.end() ? nullptr : find(found->second);
}

void TransactionTable::forget(Keys& keys, const std::string& key, TransactionId id) {
  const auto found = keys.find(key);
  if (found != keys.end() && found->second == id) keys.erase(found);
}

}  // namespace trunkline::sip
