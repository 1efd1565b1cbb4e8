#pragma once
#include <grpcpp/grpcpp.h>

#include "client/options.hpp"
#include <functional>
#include <google/protobuf/message.h>
#include <memory>
#include <string>
#include <utility>

namespace trunkline::client {

/// What an RPC waits for decides how long it may take, unless the user says so.
enum class Waits { for_gateway, for_people };

/// A connection to the gateway, and the two streams that the outcome of a command goes to.
class Session {
 public:
  explicit Session(const Options& options);

  /// What is wrong with the options; empty: nothing. Nothing can be asked then.
  const std::string& problem() const { return problem_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  bool json() const { return json_; }

  /// One unary RPC: `session.ask<v1::CallService>(&v1::CallService::Stub::GetCall, request, call)`.
  template <class Service, class Request, class Response>
  grpc::Status ask(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                         Response*),
                   const Request& request, Response& response,
                   Waits waits = Waits::for_gateway) const {
    if (!problem_.empty()) return {grpc::StatusCode::OK, ""};
    grpc::ClientContext context;
    prepare(context, waits);
    const auto stub = Service::NewStub(channel_);
    return ((*stub).*method)(&context, request, &response);
  }

  /// Credentials and deadline for an RPC. `patience` absent: no deadline but the user's.
  void prepare(grpc::ClientContext& context, Waits waits) const;

  /// Ends a command: the error in words (or as JSON) on stderr, or the response on stdout, as JSON
  /// or by `in_words`. Returns the exit code.
  int finish(const grpc::Status& status, const google::protobuf::Message& response,
             const std::function<void()>& in_words) const;
  /// The error alone.
  int fail(const grpc::Status& status) const;

 private:
  std::string problem_;
  std::string token_;
  std::optional<Milliseconds> deadline_;
  bool json_ = false;
  std::shared_ptr<grpc::Channel> channel_;
};

/// "trunkline: …" on stderr.
int usage_error(const std::string& message);
int file_error(const std::string& message);

/// One line of JSON, names as in the .proto files; `pretty`: with line breaks.
std::string to_json(const google::protobuf::Message& message, bool pretty);

}  // namespace trunkline::client
