#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trunkline::client {

/// Exit codes beside those of gRPC.
inline constexpr int kOk = 0, kUsage = 64, kFileError = 74;

using Milliseconds = std::chrono::milliseconds;
/// A name and its value, of a SIP header or of metadata.
using Pair = std::pair<std::string, std::string>;

/// How the gateway is reached.
struct Endpoint {
  std::string address = "127.0.0.1:50051";
  std::string token, token_file;  ///< for "authorization: Bearer"
  bool tls = false;               ///< also by naming any of these files
  std::string ca, certificate, key;
  std::string server_name;  ///< in the server's certificate, if it is not the host of `address`
  /// How long an RPC may take. Absent: kPlainDeadline, or none where the RPC waits for a person.
  std::optional<Milliseconds> deadline;
};

/// All that can stand on the client's command line. A command reads only what it has declared.
struct Options {
  Endpoint endpoint;
  bool json = false;

  std::string call, leg;  ///< which call, which of its legs
  std::string from, to, trunk, wait = "created", request_id;
  std::optional<Milliseconds> ring_timeout, max_duration;
  std::string caller_number, caller_name;
  bool anonymous = false;
  std::vector<Pair> headers, metadata;
  bool end_on_interrupt = false;
  int sip_code = 0;
  std::string reason, direction = "from", digits, target, mode = "auto", consult_call;
  std::optional<Milliseconds> tone_duration;

  bool watch = false, ended = false;
  std::string format = "text", output;
  std::string name;  ///< of a trunk
  std::string user, registration;
  std::optional<Milliseconds> ttl, drain_timeout;
  std::string source;
  bool undo = false, until_empty = false;  ///< of a drain
};

int create_call(const Options& options);
int hang_up(const Options& options);
int reject_call(const Options& options);
int answer_call(const Options& options);
int hold_call(const Options& options);
int resume_call(const Options& options);
int mute_call(const Options& options);
int unmute_call(const Options& options);
int send_dtmf(const Options& options);
int transfer_call(const Options& options);
int call_stats(const Options& options);

int list_calls(const Options& options);
int trace_call(const Options& options);

int watch_calls(const Options& options);
int watch_registrations(const Options& options);

int list_trunks(const Options& options);
int enable_trunk(const Options& options);
int disable_trunk(const Options& options);
int ping_trunk(const Options& options);

int list_registrations(const Options& options);
int delete_registration(const Options& options);
int create_credential(const Options& options);

int explain_route(const Options& options);
int explain_status(const Options& options);
int drain(const Options& options);
int reload(const Options& options);

}  // namespace trunkline::client
