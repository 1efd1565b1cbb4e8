#include "call_control/console.hpp"

#include "call_control/console_json.hpp"
#include "call_control/desk.hpp"
#include "call_control/paging.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace trunkline::call_control {
namespace {

using call::GetTrace;
using call::GrpcCode;

unsigned http_status(const Rejection& rejection) {
  switch (static_cast<GrpcCode>(rejection.status.code())) {
    case GrpcCode::invalid_argument:
      return 400;
    case GrpcCode::unauthenticated:
      return 401;
    case GrpcCode::permission_denied:
      return 403;
    case GrpcCode::not_found:
      return 404;
    case GrpcCode::resource_exhausted:
      return 429;
    case GrpcCode::unavailable:
      return 503;
    default:
      return 500;
  }
}

ConsoleAnswer refused(unsigned status, std::string_view message) {
  ConsoleAnswer answer;
  answer.status = status;
  if (status == 401) answer.fields = {{"WWW-Authenticate", "Bearer realm=\"trunkline\""}};
  if (status == 429) answer.fields = {{"Retry-After", "1"}};
  Json body;
  body["error"] = {{"code", status}, {"message", message}};
  answer.body = text_of(body);
  return answer;
}

ConsoleAnswer refused(const Rejection& rejection) {
  return refused(http_status(rejection), rejection.status.message());
}

ConsoleAnswer document(Json json) {
  json["now"] = json_time(std::chrono::system_clock::now());
  ConsoleAnswer answer;
  answer.body = text_of(json);
  return answer;
}

/// The parameters that there are; their values need no escapes.
struct Query {
  std::string state = "live", format = "json", token;
  int size = 0;
  bool failed = false;
  // as `read_page` wants it
  int page_size() const { return size; }
  const std::string& page_token() const { return token; }
};

bool read(std::string_view name, std::string_view value, Query& query) {
  if (name == "state" && (value == "live" || value == "ended")) {
    query.state = value;
  } else if (name == "failed" && value == "true") {
    query.failed = true;
  } else if (name == "format" && (value == "json" || value == "text" || value == "pcapng")) {
    query.format = value;
  } else if (name == "page_token") {
    query.token = value;
  } else if (name == "page_size") {
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), query.size);
    return error == std::errc{} && end == value.data() + value.size();
  } else {
    return false;
  }
  return true;
}

std::optional<Query> read_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('&'));
    const auto equals = one.find('=');
    if (equals == std::string_view::npos ||
        !read(one.substr(0, equals), one.substr(equals + 1), query))
      return std::nullopt;
    text.remove_prefix(std::min(text.size(), one.size() + 1));
  }
  return query;
}

/// One request under way. Answers once.
class Asked {
 public:
  Asked(std::shared_ptr<Desk> desk, Console::Handler handler)
      : desk_(std::move(desk)), handler_(std::move(handler)), entered_(desk_->pending.enter()) {}
  ~Asked() {
    if (entered_) desk_->pending.leave();
  }
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;

  bool entered() const { return entered_; }
  Desk& desk() const { return *desk_; }
  void answer(ConsoleAnswer answer) const { handler_(std::move(answer)); }

 private:
  const std::shared_ptr<Desk> desk_;
  const Console::Handler handler_;
  const bool entered_;
};
using AskedPtr = std::shared_ptr<const Asked>;

/// Puts a request to the gateway; `show(value)` is the answer to a reply of the wanted kind.
template <class Wanted, class Show>
void ask_for(const AskedPtr& asked, call::Request request, Show&& show) {
  asked->desk().ask(std::move(request), [asked, show = std::forward<Show>(show)](
                                            const CallJournal&, call::Reply reply) {
    if (auto* wanted = std::get_if<Wanted>(&reply)) {
      asked->answer(show(std::move(*wanted)));
    } else {
      asked->answer(refused(reject(reply, {})));
    }
  });
}

template <class List>
ConsoleAnswer listed(const char* name, const List& all, const Page& page) {
  Json json;
  json[name] = Json::array();
  const std::string next =
      write_page(all, page, [&](const auto& one) { json[name].push_back(to_json(one)); });
  json["total"] = all.size();
  json["next_page_token"] = next.empty() ? Json() : Json(next);
  return document(std::move(json));
}

void get_node(const AskedPtr& asked, const Query&, const Page&, std::string_view) {
  ask_for<call::NodeView>(asked, call::GetNode{}, [asked](const call::NodeView& node) {
    return document(to_json(node, asked->desk().settings));
  });
}

void list_trunks(const AskedPtr& asked, const Query&, const Page& page, std::string_view) {
  ask_for<call::TrunkViews>(asked, call::ListTrunks{}, [page](const call::TrunkViews& trunks) {
    return listed("trunks", trunks.all, page);
  });
}

void list_registrations(const AskedPtr& asked, const Query&, const Page& page, std::string_view) {
  ask_for<call::Registrations>(asked, call::ListRegistrations{}, [page](call::Registrations found) {
    put_in_order(found);
    return listed("registrations", found.all, page);
  });
}

bool wanted(const call::CallView& call, const Query& query) {
  if (call.ended.has_value() != (query.state == "ended")) return false;
  return !query.failed || (call.end && call.end->fault() != call::Fault::success);
}

void list_calls(const AskedPtr& asked, const Query& query, const Page& page, std::string_view) {
  asked->desk().journal.post([asked, query, page](const CallJournal& journal) {
    Json json;
    json["calls"] = Json::array();
    const std::uint64_t next =
        journal.list_back(page.begin, [&](const call::CallView& call, const CallMedia& media) {
          if (!wanted(call, query)) return true;
          if (json["calls"].size() == page.size) return false;
          json["calls"].push_back(to_json(call, media));
          return true;
        });
    json["next_page_token"] = next == 0 ? Json() : Json(std::to_string(next));
    asked->answer(document(std::move(json)));
  });
}

void get_call(const AskedPtr& asked, const Query&, const Page&, std::string_view id) {
  asked->desk().journal.post([asked, id = std::string(id)](const CallJournal& journal) {
    const call::CallView* call = journal.find(id);
    if (call == nullptr) return asked->answer(refused(404, "there is no such call (any more)"));
    asked->answer(document(to_json_with_history(*call, *journal.find_media(id))));
  });
}

void get_trace(const AskedPtr& asked, const Query& query, const Page&, std::string_view id) {
  GetTrace request{std::string(id)};
  ConsoleAnswer shown;
  if (query.format == "text") {
    shown.content_type = "text/plain; charset=utf-8";
  } else if (query.format == "pcapng") {
    request.format = GetTrace::Format::pcapng;
    shown.content_type = "application/x-pcapng";
    shown.fields = {
        {"Content-Disposition", "attachment; filename=\"call-" + std::string(id) + ".pcapng\""}};
  } else {
    request.format = GetTrace::Format::json;
  }
  ask_for<call::Trace>(asked, std::move(request), [shown](call::Trace trace) {
    ConsoleAnswer answer = shown;
    answer.body = std::move(trace.content);
    return answer;
  });
}

/// `id`: of a call, where the path has one.
using Serve = void (*)(const AskedPtr& asked, const Query& query, const Page& page,
                       std::string_view id);
struct Resource {
  std::string_view path, after_id;
  std::string_view method;  ///< of the API, whose role it needs
  Serve serve;
};

constexpr std::string_view kCall = "/api/calls/";
constexpr auto kResources = std::to_array<Resource>({
    {"/api/node", "", "NodeService.GetNode", get_node},
    {"/api/trunks", "", "TrunkService.ListTrunks", list_trunks},
    {"/api/registrations", "", "RegistrationService.ListRegistrations", list_registrations},
    {"/api/calls", "", "CallService.ListCalls", list_calls},
    {kCall, "", "CallService.GetCall", get_call},
    {kCall, "/trace", "CallService.GetCallTrace", get_trace},
});

/// The gateway makes them of nothing else.
bool is_call_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  });
}

struct Found {
  const Resource* resource = nullptr;
  std::string_view id;
};

Found find(std::string_view path) {
  for (const Resource& resource : kResources) {
    if (resource.path == path) return path == kCall ? Found{} : Found{&resource, {}};
    if (resource.path != kCall || !path.starts_with(kCall) || !path.ends_with(resource.after_id))
      continue;
    const std::string_view id =
        path.substr(kCall.size(), path.size() - kCall.size() - resource.after_id.size());
    if (is_call_id(id)) return {&resource, id};
  }
  return {};
}

}  // namespace

void Console::ask(const ConsoleRequest& request, Handler handler) {
  const auto refuse = [&](ConsoleAnswer answer) { handler(std::move(answer)); };
  if (!rate_.allow(Clock::now())) return refuse(refused(429, "too many requests a second"));
  const std::string_view path = request.target.substr(0, request.target.find('?'));
  const Found found = find(path);
  if (found.resource == nullptr) return refuse(refused(404, "there is nothing here"));
  const auto access = desk_->access();
  if (request.reach == Reach::misnamed && !access->wants_token())
    return refuse(refused(421, "the console is at 127.0.0.1 or localhost, under no other name"));
  if (const auto rejection = access->refuse_console(found.resource->method, request.authorization,
                                                    request.reach == Reach::local))
    return refuse(refused(*rejection));
  const auto query =
      read_query(path.size() == request.target.size() ? std::string_view{}
                                                      : request.target.substr(path.size() + 1));
  if (!query) return refuse(refused(400, "a parameter is not known, or its value is wrong"));
  Violations wrong;
  Page page = read_page(*query, wrong);
  if (!wrong.none()) return refuse(refused(reject(wrong.all())));
  page.size = std::min(page.size, kMaxPage);
  const auto asked = std::make_shared<const Asked>(desk_, std::move(handler));
  if (!asked->entered()) return asked->answer(refused(429, "too many requests are under way"));
  found.resource->serve(asked, *query, page, found.id);
}

}  // namespace trunkline::call_control
