#include "client/options.hpp"
#include "client/session.hpp"
#include "client/table.hpp"
#include "client/wording.hpp"
#include <chrono>
#include <google/rpc/code.pb.h>
#include <iostream>
#include <string_view>
#include <thread>
#include <trunkline/v1/node_service.grpc.pb.h>
#include <trunkline/v1/registration_service.grpc.pb.h>
#include <trunkline/v1/routing_service.grpc.pb.h>
#include <trunkline/v1/trunk_service.grpc.pb.h>

namespace trunkline::client {
namespace {

constexpr int kPage = 1000;
constexpr std::chrono::seconds kBetweenQuestions{1};

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& all) {
  std::string text;
  for (const std::string& one : all)
    text += (text.empty() ? "" : ", ") + one;
  return text;
}

void add(const v1::Trunk& trunk, Table& table) {
  const bool known = trunk.state() != v1::TRUNK_STATE_UNSPECIFIED;
  table.row({trunk.trunk(), known ? word(trunk.state()) : "unknown",
             std::to_string(trunk.calls()) + " of " + std::to_string(trunk.max_calls()),
             trunk.uri(), joined(trunk.addresses())});
}

Table trunk_table() {
  return Table({"TRUNK", "STATE", "CALLS", "URI", "ADDRESSES"});
}

void print(const v1::Trunk& trunk) {
  Table table = trunk_table();
  add(trunk, table);
  table.print(std::cout);
}

/// One RPC on a trunk whose response has the trunk.
template <class Request, class Response>
int on_trunk(const Options& options,
             grpc::Status (v1::TrunkService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*)) {
  const Session session(options);
  Request request;
  request.set_trunk(options.name);
  Response response;
  const grpc::Status status = session.ask<v1::TrunkService>(method, request, response);
  return session.finish(status, response, [&] { print(response.trunk()); });
}

template <class Registrations>
void print_registrations(const Registrations& all) {
  Table table(
      {"USER", "ID", "TRANSPORT", "SOURCE", "SINCE", "EXPIRES", "PROGRAM", "NODE", "CONTACT"});
  for (const v1::Registration& one : all)
    table.row({one.user(), one.registration_id(), one.transport(), one.source(),
               in_words(one.register_time()), in_words(one.expire_time()), one.user_agent(),
               one.node().empty() ? "this" : one.node(), one.contact()});
  table.print(std::cout);
}

void print_route(const v1::ExplainRouteResponse& response) {
  Table table({"RULE", "MATCHED", "WHY"});
  for (const v1::RouteStep& step : response.steps())
    table.row({step.rule(), step.matched() ? "yes" : "no", step.why()});
  if (response.steps_size() > 0) {
    table.print(std::cout);
    std::cout << '\n';
  }
  const auto field = [](const std::string& name, const std::string& value) {
    if (!value.empty()) std::cout << name << "  " << printable(value) << '\n';
  };
  field("target     ", response.target());
  field("request URI", response.request_uri());
  field("next hop   ", response.next_hop());
  if (response.sip_code() != 0) field("refused with", std::to_string(response.sip_code()));
  // What the text says of the rules is in the table; its last line is the conclusion.
  if (response.steps_size() == 0 || response.sip_code() != 0)
    field("because     ", response.text().substr(response.text().rfind('\n') + 1));
}

void print_mappings(const v1::DescribeStatusResponse& response) {
  Table table({"SIP", "NAME", "GRPC", "REASON", "FAULT", "RETRY", "FAILOVER"});
  for (const v1::StatusMapping& row : response.mappings()) {
    const bool retry_after = row.retry() == v1::RETRY_SOURCE_RETRY_AFTER;
    const bool computed = row.retry() == v1::RETRY_SOURCE_COMPUTED;
    table.row({std::to_string(row.sip_code()), row.sip_name(),
               row.provisional() ? "" : google::rpc::Code_Name(row.grpc_code()), row.reason(),
               row.fault() == v1::FAULT_UNSPECIFIED ? "" : word(row.fault()),
               retry_after ? "Retry-After"
               : computed  ? "computed"
                           : "",
               row.failover()
                   ? (row.failover_condition().empty() ? "yes" : row.failover_condition())
                   : ""});
  }
  table.print(std::cout);
}

void print_node(const v1::Node& node) {
  std::cout << printable(node.node()) << (node.draining() ? " takes no more calls" : " takes calls")
            << "; calls now: " << node.calls() << '\n';
}

/// Asks the node once a second until no call lives on it, and tells each change on stderr. Only the
/// command's own process waits.
grpc::Status wait_for_last_call(const Session& session, v1::Node& node) {
  while (node.calls() > 0) {
    v1::GetNodeResponse now;
    if (const grpc::Status status = session.ask<v1::NodeService>(&v1::NodeService::Stub::GetNode,
                                                                 v1::GetNodeRequest{}, now);
        !status.ok())
      return status;
    if (!now.node().draining())
      return {grpc::StatusCode::ABORTED, "the node takes calls again: the drain was undone"};
    if (!session.json() && now.node().calls() != node.calls())
      std::cerr << "calls now: " << now.node().calls() << '\n';
    node = now.node();
    if (node.calls() > 0) std::this_thread::sleep_for(kBetweenQuestions);
  }
  return grpc::Status::OK;
}

}  // namespace

int list_trunks(const Options& options) {
  if (!options.name.empty())
    return on_trunk<v1::GetTrunkRequest, v1::GetTrunkResponse>(options,
                                                               &v1::TrunkService::Stub::GetTrunk);
  const Session session(options);
  v1::ListTrunksRequest request;
  request.set_page_size(kPage);
  v1::ListTrunksResponse all;
  grpc::Status status;
  do {
    v1::ListTrunksResponse page;
    status = session.ask<v1::TrunkService>(&v1::TrunkService::Stub::ListTrunks, request, page);
    all.mutable_trunks()->MergeFrom(page.trunks());
    request.set_page_token(page.next_page_token());
  } while (status.ok() && !request.page_token().empty());
  return session.finish(status, all, [&] {
    Table table = trunk_table();
    for (const v1::Trunk& trunk : all.trunks())
      add(trunk, table);
    table.print(std::cout);
  });
}

int enable_trunk(const Options& options) {
  return on_trunk<v1::EnableTrunkRequest, v1::EnableTrunkResponse>(
      options, &v1::TrunkService::Stub::EnableTrunk);
}

int disable_trunk(const Options& options) {
  return on_trunk<v1::DisableTrunkRequest, v1::DisableTrunkResponse>(
      options, &v1::TrunkService::Stub::DisableTrunk);
}

int ping_trunk(const Options& options) {
  const Session session(options);
  v1::PingTrunkRequest request;
  request.set_trunk(options.name);
  v1::PingTrunkResponse response;
  const grpc::Status status = session.ask<v1::TrunkService>(&v1::TrunkService::Stub::PingTrunk,
                                                            request, response, Waits::for_people);
  return session.finish(status, response, [&] {
    if (response.answered()) {
      std::cout << "answered with " << response.sip_code() << ' ' << printable(response.reason())
                << " after " << in_words(response.round_trip()) << '\n';
    } else {
      std::cout << "no answer: " << printable(response.reason()) << '\n';
    }
  });
}

int list_registrations(const Options& options) {
  const Session session(options);
  v1::ListRegistrationsRequest request;
  request.set_page_size(kPage);
  request.set_user(options.user);
  v1::ListRegistrationsResponse all;
  grpc::Status status;
  do {
    v1::ListRegistrationsResponse page;
    status = session.ask<v1::RegistrationService>(&v1::RegistrationService::Stub::ListRegistrations,
                                                  request, page);
    all.mutable_registrations()->MergeFrom(page.registrations());
    request.set_page_token(page.next_page_token());
  } while (status.ok() && !request.page_token().empty());
  return session.finish(status, all, [&] { print_registrations(all.registrations()); });
}

int delete_registration(const Options& options) {
  const Session session(options);
  v1::DeleteRegistrationRequest request;
  request.set_user(options.user);
  request.set_registration_id(options.registration);
  v1::DeleteRegistrationResponse response;
  const grpc::Status status = session.ask<v1::RegistrationService>(
      &v1::RegistrationService::Stub::DeleteRegistration, request, response);
  return session.finish(status, response, [&] { print_registrations(response.registrations()); });
}

int create_credential(const Options& options) {
  const Session session(options);
  v1::CreateCredentialRequest request;
  request.set_user(options.user);
  if (options.ttl) set(*request.mutable_ttl(), *options.ttl);
  v1::CreateCredentialResponse response;
  const grpc::Status status = session.ask<v1::RegistrationService>(
      &v1::RegistrationService::Stub::CreateCredential, request, response);
  return session.finish(status, response, [&] {
    std::cout << "username  " << printable(response.username()) << "\npassword  "
              << printable(response.password()) << "\nexpires   "
              << in_words(response.expire_time()) << '\n';
  });
}

int explain_route(const Options& options) {
  if (options.from.empty() || options.to.empty())
    return usage_error("explain FROM TO, or explain status [CODE]; see trunkline explain --help");
  const Session session(options);
  v1::ExplainRouteRequest request;
  request.set_from(options.from);
  request.set_to(options.to);
  request.set_source(options.source);
  // Who calls as "user:alice" is where the call comes from, unless something else is said.
  static constexpr std::string_view kUser = "user:";
  if (options.source.empty() && options.from.starts_with(kUser)) {
    request.set_source(options.from);
    request.set_from(options.from.substr(kUser.size()));
  }
  v1::ExplainRouteResponse response;
  const grpc::Status status =
      session.ask<v1::RoutingService>(&v1::RoutingService::Stub::ExplainRoute, request, response);
  return session.finish(status, response, [&] { print_route(response); });
}

int explain_status(const Options& options) {
  const Session session(options);
  v1::DescribeStatusRequest request;
  request.set_sip_code(options.sip_code);
  v1::DescribeStatusResponse response;
  const grpc::Status status =
      session.ask<v1::RoutingService>(&v1::RoutingService::Stub::DescribeStatus, request, response);
  return session.finish(status, response, [&] { print_mappings(response); });
}

int drain(const Options& options) {
  if (options.undo && options.drain_timeout) return usage_error("--undo has no --timeout");
  if (options.undo && options.until_empty) return usage_error("--undo has no --wait");
  const Session session(options);
  v1::DrainResponse drained;
  v1::UndrainResponse undrained;
  if (options.undo) {
    const grpc::Status status = session.ask<v1::NodeService>(&v1::NodeService::Stub::Undrain,
                                                             v1::UndrainRequest{}, undrained);
    return session.finish(status, undrained, [&] { print_node(undrained.node()); });
  }
  v1::DrainRequest request;
  if (options.drain_timeout) set(*request.mutable_timeout(), *options.drain_timeout);
  grpc::Status status =
      session.ask<v1::NodeService>(&v1::NodeService::Stub::Drain, request, drained);
  if (status.ok() && session.problem().empty() && options.until_empty)
    status = wait_for_last_call(session, *drained.mutable_node());
  return session.finish(status, drained, [&] { print_node(drained.node()); });
}

int reload(const Options& options) {
  const Session session(options);
  v1::ReloadConfigResponse reloaded;
  const grpc::Status status = session.ask<v1::NodeService>(&v1::NodeService::Stub::ReloadConfig,
                                                           v1::ReloadConfigRequest{}, reloaded);
  return session.finish(status, reloaded, [&] {
    for (const std::string& key : reloaded.applied())
      std::cout << "in use now:   " << key << '\n';
    for (const std::string& key : reloaded.needs_restart())
      std::cout << "by a restart: " << key << '\n';
    if (reloaded.applied().empty() && reloaded.needs_restart().empty())
      std::cout << "nothing has changed\n";
  });
}

}  // namespace trunkline::client
