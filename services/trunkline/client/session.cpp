#include "client/session.hpp"

#include "client/status_text.hpp"
#include <cstdlib>
#include <fstream>
#include <google/protobuf/util/json_util.h>
#include <google/rpc/status.pb.h>
#include <iostream>
#include <iterator>

namespace trunkline::client {
namespace {

constexpr Milliseconds kPlainDeadline = std::chrono::seconds{30};
constexpr int kFirstReconnect = 200;       // ms
constexpr int kLatestReconnect = 5000;     // ms
constexpr int kLargestMessage = 64 << 20;  // a list of calls or a trace

bool read_file(const std::string& name, std::string& into, std::string& problem) {
  if (name.empty()) return true;
  std::ifstream file(name, std::ios::binary);
  into.assign(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) problem = name + ": can't be read";
  return problem.empty();
}

bool can_stand_in_header(const std::string& token) {
  return token.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
             "-._~+/=!#$%&'*^`|:;,()<>@[]{}?\"\\") == token.npos;
}

std::string token_of(const Endpoint& endpoint, std::string& problem) {
  std::string token = endpoint.token;
  if (!endpoint.token_file.empty()) {
    read_file(endpoint.token_file, token, problem);
    token.erase(token.find_last_not_of(" \t\r\n") + 1);
    // The client has no other thread yet. NOLINTNEXTLINE(concurrency-mt-unsafe)
  } else if (const char* variable = std::getenv("TRUNKLINE_TOKEN"); token.empty() && variable) {
    token = variable;
  }
  if (!can_stand_in_header(token)) problem = "the token has characters that no token can have";
  return token;
}

std::shared_ptr<grpc::ChannelCredentials> credentials_of(const Endpoint& endpoint,
                                                         std::string& problem) {
  const bool tls = endpoint.tls || !endpoint.ca.empty() || !endpoint.certificate.empty();
  if (endpoint.certificate.empty() != endpoint.key.empty())
    problem = "--cert and --key belong together";
  if (!tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  read_file(endpoint.ca, options.pem_root_certs, problem);
  read_file(endpoint.certificate, options.pem_cert_chain, problem);
  read_file(endpoint.key, options.pem_private_key, problem);
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments arguments_of(const Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  if (!endpoint.server_name.empty()) arguments.SetSslTargetNameOverride(endpoint.server_name);
  arguments.SetMaxReceiveMessageSize(kLargestMessage);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnect);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLatestReconnect);
  // Neither a proxy of the environment nor a policy found by DNS may change what a command does.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return arguments;
}

/// As it came in the details, or made of what gRPC itself says.
google::rpc::Status rich(const grpc::Status& status) {
  google::rpc::Status out;
  if (out.ParseFromString(status.error_details()) && out.code() == status.error_code()) return out;
  out.Clear();
  out.set_code(status.error_code());
  out.set_message(status.error_message());
  return out;
}

}  // namespace

Session::Session(const Options& options)
    : token_(token_of(options.endpoint, problem_)),
      deadline_(options.endpoint.deadline),
      json_(options.json) {
  const auto credentials = credentials_of(options.endpoint, problem_);
  if (!problem_.empty()) return;
  channel_ = grpc::CreateCustomChannel(options.endpoint.address, credentials,
                                       arguments_of(options.endpoint));
}

void Session::prepare(grpc::ClientContext& context, Waits waits) const {
  if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
  std::optional<Milliseconds> deadline = deadline_;
  if (!deadline && waits == Waits::for_gateway) deadline = kPlainDeadline;
  if (deadline) context.set_deadline(std::chrono::system_clock::now() + *deadline);
}

int Session::finish(const grpc::Status& status, const google::protobuf::Message& response,
                    const std::function<void()>& in_words) const {
  if (!problem_.empty() || !status.ok()) return fail(status);
  if (json_) {
    std::cout << to_json(response, true);
  } else {
    in_words();
  }
  std::cout.flush();
  return std::cout.good() ? kOk : file_error("the output can't be written");
}

int Session::fail(const grpc::Status& status) const {
  if (!problem_.empty()) return usage_error(problem_);
  const google::rpc::Status error = rich(status);
  std::cerr << (json_ ? to_json(error, true) : describe(error));
  if (!json_ && error.details().empty() && error.code() == grpc::StatusCode::UNAVAILABLE)
    std::cerr
        << "  is that the gateway's listen.grpc? --endpoint HOST:PORT names another address\n";
  return error.code();
}

int usage_error(const std::string& message) {
  std::cerr << "trunkline: " << message << "\n";
  return kUsage;
}

int file_error(const std::string& message) {
  std::cerr << "trunkline: " << message << "\n";
  return kFileError;
}

std::string to_json(const google::protobuf::Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = pretty;
  options.always_print_primitive_fields = true;  // a list that is empty is a list
  std::string text;
  const auto done = google::protobuf::util::MessageToJsonString(message, &text, options);
  // Only a detail of a type that this program does not know can't be printed.
  if (!done.ok()) return "{\"error\": \"the message has parts that this version doesn't know\"}\n";
  if (text.empty() || text.back() != '\n') text += '\n';
  return text;
}

}  // namespace trunkline::client
