#pragma once
#include "base/random.hpp"
#include "ice/stun.hpp"

#include <functional>
#include <string>
#include <vector>

namespace trunkline::ice::test {

using Bytes = std::vector<std::uint8_t>;

/// What a check may have or lack.
struct CheckOptions {
  bool use_candidate = false;
  std::uint32_t nomination = 0;  ///< 0: not numbered
  bool controlled = false;       ///< claims the controlled role
  bool no_role = false;
  bool sign = true;
  bool fingerprint = true;
  bool username = true;
  std::uint16_t extra_attribute = 0;  ///< 0: none
  StunClass message_class = StunClass::request;
};

/// A browser's ICE agent (full, controlling): makes checks and reads the answers.
class ControllingPeer {
 public:
  ControllingPeer(std::string ufrag, std::string their_ufrag, std::string their_pwd)
      : ufrag_(std::move(ufrag)),
        their_ufrag_(std::move(their_ufrag)),
        key_(their_pwd),
        random_(std::hash<std::string>{}(their_pwd + ufrag_)) {}

  Bytes check(CheckOptions options = {}) {
    random_.fill(last_id_);
    return check_again(options);
  }
  /// With the transaction id of the last check.
  Bytes check_again(CheckOptions options = {}) const {
    Bytes buffer(kMaxStunMessage);
    StunWriter writer(buffer, options.message_class, last_id_);
    if (options.username) writer.username(their_ufrag_, ufrag_);
    writer.priority(1853824767);
    if (options.controlled) writer.ice_controlled(77);
    if (!options.controlled && !options.no_role) writer.ice_controlling(77);
    if (options.use_candidate) writer.use_candidate();
    if (options.nomination != 0) writer.nomination(options.nomination);
    if (options.extra_attribute != 0) writer.attribute(options.extra_attribute, Bytes{1, 2, 3, 4});
    buffer.resize(writer.finish(options.sign ? &key_ : nullptr));
    if (!options.fingerprint) {
      buffer.resize(buffer.size() - 8);
      store16(buffer, 2, static_cast<std::uint16_t>(buffer.size() - kStunHeaderSize));
    }
    return buffer;
  }
  const StunTransactionId& last_id() const { return last_id_; }
  const StunKey& key() const { return key_; }

 private:
  std::string ufrag_, their_ufrag_;
  StunKey key_;
  StunTransactionId last_id_{};
  SeededRandom random_;
};

}  // namespace trunkline::ice::test
