#include "client/call_words.hpp"
#include "client/options.hpp"
#include "client/session.hpp"
#include <cstdio>
#include <fstream>
#include <iostream>
#include <trunkline/v1/call_service.grpc.pb.h>
#include <unistd.h>

namespace trunkline::client {
namespace {

using Service = v1::CallService;
using Stub = v1::CallService::Stub;

constexpr int kPage = 1000;

int show_call(const Options& options) {
  const Session session(options);
  v1::GetCallRequest request;
  request.set_call_id(options.call);
  v1::GetCallResponse response;
  const grpc::Status status = session.ask<Service>(&Stub::GetCall, request, response);
  return session.finish(status, response, [&] { print(response.call()); });
}

v1::TraceFormat format_of(const Options& options) {
  if (options.format == "pcapng") return v1::TRACE_FORMAT_PCAPNG;
  if (options.format == "json" || options.json) return v1::TRACE_FORMAT_JSON;
  return v1::TRACE_FORMAT_TEXT;
}

const std::string& content_of(const v1::GetCallTraceResponse& trace) {
  if (trace.has_pcapng()) return trace.pcapng();
  return trace.has_json() ? trace.json() : trace.text();
}

int write_out(const std::string& content, const std::string& file) {
  if (file.empty() || file == "-") {
    std::cout << content << std::flush;
    return std::cout.good() ? kOk : file_error("the output can't be written");
  }
  std::ofstream out(file, std::ios::binary);
  out << content << std::flush;
  return out.good() ? kOk : file_error(file + ": can't be written");
}

}  // namespace

int list_calls(const Options& options) {
  if (!options.call.empty()) return show_call(options);
  const Session session(options);
  v1::ListCallsRequest request;
  request.set_page_size(kPage);
  request.set_show_ended(options.ended);
  request.set_trunk(options.trunk);
  v1::ListCallsResponse all;
  grpc::Status status;
  do {
    v1::ListCallsResponse page;
    status = session.ask<Service>(&Stub::ListCalls, request, page);
    all.mutable_calls()->MergeFrom(page.calls());
    request.set_page_token(page.next_page_token());
  } while (status.ok() && !request.page_token().empty());
  return session.finish(status, all, [&] {
    std::vector<const v1::Call*> calls;
    for (const v1::Call& call : all.calls())
      calls.push_back(&call);
    print(calls, std::cout);
  });
}

int trace_call(const Options& options) {
  if (options.format == "pcapng" && options.output.empty() && isatty(STDOUT_FILENO) != 0)
    return usage_error("a capture is not for a terminal: name a file with -o");
  const Session session(options);
  v1::GetCallTraceRequest request;
  request.set_call_id(options.call);
  request.set_format(format_of(options));
  v1::GetCallTraceResponse response;
  const grpc::Status status = session.ask<Service>(&Stub::GetCallTrace, request, response);
  if (!session.problem().empty() || !status.ok()) return session.fail(status);
  return write_out(content_of(response), options.output);
}

}  // namespace trunkline::client
