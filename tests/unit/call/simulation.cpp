#include "simulation.hpp"

#include "sip/digest.hpp"

#include <gtest/gtest.h>

namespace trunkline::call::simulation {

using sip::HeaderName;
using sip::Method;

std::string browser_offer(std::string_view direction, int version) {
  std::string text(kBrowserOffer);
  text.replace(text.find("sendrecv"), 8, direction);
  text.replace(text.find("o=- 1 2"), 7, "o=- 1 " + std::to_string(version));
  return text;
}

std::string browser_answer(std::string_view direction) {
  std::string text = browser_offer(direction, 2);
  text.replace(text.find("actpass"), 7, "active");
  return text;
}

std::string trunk_sdp(std::string_view direction, int version, std::string_view codecs,
                      std::string_view address) {
  const std::string family = address.find(':') == std::string_view::npos ? "IP4 " : "IP6 ";
  return "v=0\r\no=carrier 77 " + std::to_string(version) + " IN IP4 127.0.0.1\r\ns=-\r\nc=IN " +
         family + std::string(address) + "\r\nt=0 0\r\nm=audio 40000 RTP/AVP " +
         std::string(codecs) +
         "\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=" + std::string(direction) +
         "\r\n";
}

// ---------------------------------------------------------------- peer

Peer::Peer(World& world, std::string peer_name, sip::Target at, std::uint64_t seed)
    : name(std::move(peer_name)), self(at), world_(world), random_(seed), endpoint_({}, random_) {
  for (const auto transport : {sip::Transport::udp, sip::Transport::tcp}) {
    endpoint_.set_sent_by(transport, at.remote.ip.is_v6(), at.remote.text());
  }
}

void Peer::deliver(std::string bytes) {
  if (silent) return;
  sip::Effects effects;
  endpoint_.receive(std::move(bytes), self, world_.now, effects);
  drain(effects);
}

void Peer::drain(sip::Effects& effects) {
  for (auto& transmission : effects.transmissions) {
    if (auto* send = std::get_if<sip::SendBytes>(&transmission); send != nullptr && !silent) {
      const bool udp = self.transport == sip::Transport::udp;
      const bool lost = udp && world_.random_.below(1000) < world_.loss * 1000;
      if (!lost) world_.to_gateway(std::move(send->bytes), self);
    }
  }
  for (auto& event : effects.events) {
    if (auto* request = std::get_if<sip::RequestReceived>(&event))
      requests.push_back(std::move(*request));
    if (auto* response = std::get_if<sip::ResponseReceived>(&event))
      responses.push_back(std::move(*response));
    if (auto* cancel = std::get_if<sip::CancelReceived>(&event))
      cancels.push_back(std::move(*cancel));
    if (auto* failure = std::get_if<sip::RequestFailed>(&event)) failures.push_back(*failure);
    if (auto* ack = std::get_if<sip::AckReceived>(&event)) {
      ++acks;
      acknowledged.push_back(std::move(ack->ack));
    }
  }
}

std::optional<sip::RequestReceived> Peer::take_request(Method method) {
  for (auto it = requests.begin(); it != requests.end(); ++it) {
    if (it->request.method() != method) continue;
    auto taken = std::move(*it);
    requests.erase(it);
    return taken;
  }
  return std::nullopt;
}

std::optional<sip::ResponseReceived> Peer::take_response(int at_least, sip::TransactionId of) {
  for (auto it = responses.begin(); it != responses.end(); ++it) {
    if (it->response.status() < at_least || (of && it->transaction != of)) continue;
    auto taken = std::move(*it);
    responses.erase(it);
    return taken;
  }
  return std::nullopt;
}

sip::TransactionId Peer::send(sip::Message request) {
  const sip::TransactionId id = endpoint_.next_transaction();
  sent[id] = request;
  sip::Effects effects;
  endpoint_.execute(sip::SendRequest{id, std::move(request), self}, world_.now, effects);
  drain(effects);
  return id;
}

sip::TransactionId Peer::invite(std::string_view to_user, std::string_view from_user,
                                std::string_view sdp) {
  auto request = sip::Message::request(
      Method::invite, "sip:" + std::string(to_user) + "@example.test" + to_parameters);
  request.add(HeaderName::max_forwards, "69");
  request.add(HeaderName::from,
              "<sip:" + std::string(from_user) + "@example.test>;tag=" + random_.token(8));
  request.add(HeaderName::to, "<sip:" + std::string(to_user) + "@example.test>");
  request.add(HeaderName::call_id, random_.token(16));
  request.add(HeaderName::cseq, "10 INVITE");
  const std::string contact_host =
      is_websocket(self.transport) ? "abc.invalid;transport=ws" : self.remote.text();
  request.add(HeaderName::contact, contact.empty()
                                       ? "<sip:" + std::string(from_user) + "@" + contact_host + ">"
                                       : contact);
  if (!allow.empty()) request.add(HeaderName::allow, allow);
  request.set_body("application/sdp", sdp);
  return send(std::move(request));
}

void Peer::respond(const sip::RequestReceived& to, int status, std::string_view sdp,
                   std::string_view tag) {
  auto response = sip::make_response(to.request, status, tag);
  for (const auto route : to.request.headers(HeaderName::record_route))
    response.add(HeaderName::record_route, route);
  const std::string contact_host =
      is_websocket(self.transport) ? "abc.invalid;transport=ws" : self.remote.text();
  response.add(HeaderName::contact, "<sip:peer@" + contact_host + ">");
  if (!allow.empty()) response.add(HeaderName::allow, allow);
  if (!sdp.empty()) response.set_body("application/sdp", sdp);
  if (status >= 200 && status < 300 && to.request.method() == Method::invite && !dialog) {
    dialog = *sip::Dialog::as_uas(to.request, tag);
    dialog->confirm();
  }
  respond(to, std::move(response));
}

void Peer::respond(const sip::RequestReceived& to, sip::Message response) {
  sip::Effects effects;
  endpoint_.execute(sip::Respond{to.transaction, std::move(response)}, world_.now, effects);
  drain(effects);
}

void Peer::raw(std::string bytes) {
  world_.to_gateway(std::move(bytes), self);
}

void Peer::cancel(sip::TransactionId invite, std::string_view reason) {
  sip::Effects effects;
  std::vector<std::string> reasons;
  if (!reason.empty()) reasons.emplace_back(reason);
  endpoint_.execute(sip::SendCancel{invite, std::move(reasons)}, world_.now, effects);
  drain(effects);
}

void Peer::ack(const sip::ResponseReceived& answer, std::string_view sdp) {
  const sip::Message& request = sent.at(answer.transaction);
  auto made = sip::Dialog::as_uac(request, answer.response);
  ASSERT_TRUE(made);
  made->confirm(answer.response);
  if (!dialog) dialog = *made;
  auto message = made->ack(sip::cseq_of(answer.response).number);
  message.set_body("application/sdp", sdp);
  sip::Effects effects;
  endpoint_.execute(sip::SendAck{answer.transaction, std::move(message), self}, world_.now,
                    effects);
  drain(effects);
}

sip::TransactionId Peer::send_in_dialog(Method method, std::string_view content_type,
                                        std::string_view body) {
  auto request = dialog->request(method);
  const std::string contact_host =
      is_websocket(self.transport) ? "abc.invalid;transport=ws" : self.remote.text();
  if (method == Method::invite || method == Method::update) {
    request.add(HeaderName::contact, "<sip:peer@" + contact_host + ">");
  }
  if (!body.empty()) request.set_body(content_type, body);
  return send(std::move(request));
}

void Peer::close_flow() {
  sip::Effects effects;
  world_.endpoint->flow_closed(self.flow, world_.now, effects);
  silent = closed = true;
  world_.run(effects);
}

// ---------------------------------------------------------------- world

World::World(std::uint64_t seed) : random_(seed) {
  settings.node = "test";
  settings.domain = "example.test";
  settings.users = {{"alice", "secret"}, {"bob", "secret"}};
  TrunkSettings carrier;
  carrier.name = "carrier";
  carrier.uri = *sip::Uri::parse("sip:192.0.2.9:5060");
  carrier.username = "gw";
  carrier.password = "trunk-secret";
  settings.trunks = {carrier};
  settings.routes = {{"user", "^[0-9]{3,15}$", "trunk:carrier"},
                     {"trunk:carrier", "^1001$", "user:alice"},
                     {"any", "^echo$", "service:echo"},
                     {"any", "^tone$", "service:tone"}};
  settings.contacts = {{sip::Transport::udp, *SocketAddress::parse("192.0.2.1:5060")}};
  restart();
  const sip::Target carrier_target{sip::Transport::udp, *SocketAddress::parse("192.0.2.9:5060"),
                                   FlowId{1}};
  trunk_ = peers_.emplace_back(std::make_unique<Peer>(*this, "carrier", carrier_target, seed + 100))
               .get();
}

void World::use_ipv6() {
  const IpAddress six = *IpAddress::parse("2001:db8::1");
  media_addresses.push_back({six, six});
  settings.contacts.push_back({sip::Transport::udp, {six, 5060}});
  restart();
}

void World::use_tcp() {
  settings.trunks[0].uri = *sip::Uri::parse("sip:192.0.2.9:5060;transport=tcp");
  settings.contacts.push_back({sip::Transport::tcp, *SocketAddress::parse("192.0.2.1:5060")});
  restart();
  trunk_->self.transport = sip::Transport::tcp;
  trunk_->self.flow = FlowId{5};
}

void World::restart() {
  endpoint = std::make_unique<sip::Endpoint>(sip::EndpointSettings{}, random_);
  for (const ContactAddress& contact : settings.contacts)
    endpoint->set_sent_by(contact.transport, contact.address.ip.is_v6(), contact.address.text());
  MediaResources media;
  media.addresses = media_addresses;
  media.fingerprint = {"sha-256", "AA:BB"};
  for (std::size_t index = 0; index < workers; ++index) {
    const auto offset = static_cast<std::uint16_t>(index);
    MediaResources::Worker worker;
    for (const auto& [bind, told] : media.addresses)
      worker.candidates.push_back({told, static_cast<std::uint16_t>(19000 + offset)});
    worker.fingerprint = media::Fingerprint{"sha-256", "AA:B" + std::to_string(index)};
    for (const auto& [bind, told] : media.addresses) {
      for (int port = 20000 + 200 * offset; port < 20200 + 200 * offset; port += 2)
        worker.trunk_ports[bind].push_back(static_cast<std::uint16_t>(port));
    }
    media.workers.push_back(worker);
  }
  auto made = Engine::make(settings, media, random_);
  ASSERT_TRUE(made) << made.error().message;
  engine = std::move(*made);
}

void World::reconfigure() {
  auto plan = Engine::plan(settings);
  ASSERT_TRUE(plan) << plan.error().message;
  Effects effects;
  engine->reconfigure(**plan, at(), effects);
  run(effects);
  settle();
}

Peer& World::browser(const std::string& user) {
  const sip::Target target{
      sip::Transport::ws,
      {*IpAddress::parse("198.51.100.7"), static_cast<std::uint16_t>(next_flow_)},
      FlowId{next_flow_}};
  ++next_flow_;
  return *peers_.emplace_back(std::make_unique<Peer>(*this, user, target, next_flow_ * 7));
}

Peer& World::stranger() {
  const sip::Target target{sip::Transport::udp, *SocketAddress::parse("203.0.113.66:5060"),
                           FlowId{1}};
  return *peers_.emplace_back(std::make_unique<Peer>(*this, "stranger", target, 666));
}

Peer& World::registered(const std::string& user, int expires, std::string_view instance) {
  Peer& peer = browser(user);
  register_with(peer, user, expires, instance);
  return peer;
}

sip::TransactionId World::answer_challenge(Peer& peer, sip::TransactionId transaction,
                                           const std::string& user, std::string_view password) {
  settle();
  const auto challenge = peer.take_response(401, transaction);
  EXPECT_TRUE(challenge && challenge->response.status() == 401);
  if (!challenge) return {};
  sip::Message again = peer.sent.at(transaction);
  sip::DigestClient digest(user, std::string(password), random_);
  EXPECT_TRUE(digest.authorize(challenge->response, again));
  const auto cseq = sip::cseq_of(again);
  again.set(HeaderName::cseq, std::to_string(cseq.number + 1) + " " + cseq.method_text);
  const auto next = peer.send(std::move(again));
  settle();
  return next;
}

void World::register_with(Peer& peer, const std::string& user, int expires,
                          std::string_view instance, std::string_view password, int status) {
  auto request = sip::Message::request(Method::register_, "sip:example.test");
  const std::string aor = "<sip:" + user + "@example.test>";
  request.add(HeaderName::max_forwards, "69");
  request.add(HeaderName::from, aor + ";tag=r1");
  request.add(HeaderName::to, aor);
  request.add(HeaderName::call_id, random_.token(16));
  request.add(HeaderName::cseq, "1 REGISTER");
  std::string contact = "<sip:" + user + "-x@abc.invalid;transport=ws>";
  if (!instance.empty())
    contact += ";+sip.instance=\"<urn:uuid:" + std::string(instance) + ">\";reg-id=1";
  request.add(HeaderName::contact, contact + ";expires=" + std::to_string(expires));
  const auto first = peer.send(std::move(request));
  const auto second = answer_challenge(peer, first, user, password);
  const auto done = peer.take_response(200, second);
  ASSERT_TRUE(done);
  ASSERT_EQ(done->response.status(), status);
  EXPECT_EQ(done->response.header(HeaderName::retry_after).has_value(), status == 503);
}

void World::to_gateway(std::string bytes, const sip::Target& from) {
  wire_.push_back([this, moved = std::move(bytes), from]() mutable {
    sip::Effects effects;
    endpoint->receive(std::move(moved), from, now, effects);
    run(effects);
  });
}

void World::run(sip::Effects& effects) {
  for (auto& transmission : effects.transmissions) {
    auto* send = std::get_if<sip::SendBytes>(&transmission);
    if (send == nullptr) continue;
    const bool lost =
        send->target.transport == sip::Transport::udp && random_.below(1000) < loss * 1000;
    for (auto& peer : peers_) {
      const bool by_flow =
          is_websocket(peer->self.transport) && peer->self.flow == send->target.flow;
      const bool by_address = !is_websocket(peer->self.transport) &&
                              !is_websocket(send->target.transport) &&
                              peer->self.remote == send->target.remote;
      if ((by_flow || by_address) && peer->closed && send->transaction)
        fail_later(send->transaction);
      if ((by_flow || by_address) && !lost) {
        wire_.push_back([to = peer.get(), bytes = send->bytes] { to->deliver(bytes); });
        break;
      }
    }
  }
  std::deque<sip::Event> events(std::make_move_iterator(effects.events.begin()),
                                std::make_move_iterator(effects.events.end()));
  effects.clear();
  for (auto& event : events) {
    Effects out;
    engine->receive(event, at(), out);
    run(out);
  }
}

void World::fail_later(sip::TransactionId transaction) {
  wire_.push_back([this, transaction] {
    sip::Effects effects;
    endpoint->send_failed(transaction, now, effects);
    run(effects);
  });
}

void World::run(Effects& effects) {
  for (auto& observation : effects.observations)
    observations.push_back(std::move(observation));
  for (auto& command : effects.media) {
    media_log.push_back(std::move(command.command));
    media_workers.push_back(command.worker);
  }
  for (auto& [request, reply] : effects.replies)
    EXPECT_TRUE(replies.emplace(request, std::move(reply)).second) << "a second reply";
  for (auto& question : effects.questions)
    questions.push_back(std::move(question));
  for (auto& question : effects.look_ups)
    look_ups.push_back(std::move(question));
  auto commands = std::move(effects.sip);
  for (auto& command : commands) {
    sip::Effects out;
    endpoint->execute(std::move(command), now, out);
    run(out);
  }
}

void World::settle() {
  for (int steps = 0; !wire_.empty(); ++steps) {
    ASSERT_LT(steps, 100000) << "messages without end";
    auto next = std::move(wire_.front());
    wire_.pop_front();
    next();
  }
}

TimePoint World::next_deadline() const {
  TimePoint first = std::min(endpoint->deadline(), engine->deadline());
  for (const auto& peer : peers_)
    first = std::min(first, peer->endpoint_.deadline());
  return first;
}

void World::pass(Duration duration) {
  const TimePoint until = now + duration;
  settle();
  while (next_deadline() <= until) {
    now = std::max(now, next_deadline());
    sip::Effects effects;
    endpoint->on_deadline(now, effects);
    run(effects);
    Effects out;
    engine->on_deadline(at(), out);
    run(out);
    for (auto& peer : peers_) {
      sip::Effects theirs;
      peer->endpoint_.on_deadline(now, theirs);
      peer->drain(theirs);
    }
    settle();
  }
  now = until;
}

void World::media(media::Event event) {
  Effects out;
  engine->receive(event, at(), out);
  run(out);
  settle();
}

RequestId World::ask(Request request) {
  const RequestId id{++asked_};
  Effects out;
  engine->execute(request, id, at(), out);
  run(out);
  settle();
  return id;
}

void World::answer(QuestionId question, const PolicyAnswer& with) {
  Effects out;
  engine->receive(with, question, at(), out);
  run(out);
  settle();
}

void World::locate(QuestionId look_up, const Locations& found) {
  Effects out;
  engine->receive(found, look_up, at(), out);
  run(out);
  settle();
}

Peer& World::other_trunk(std::string_view address) {
  const sip::Target target{sip::Transport::udp, *SocketAddress::parse(address), FlowId{1}};
  return *peers_.emplace_back(
      std::make_unique<Peer>(*this, "other-trunk", target, 900 + peers_.size()));
}

void World::end_all() {
  Effects out;
  engine->end_all(at(), out);
  run(out);
  settle();
}

void World::drain_engine() {
  Effects out;
  engine->drain(at(), out);
  run(out);
  settle();
}

namespace {
class GaugeSink final : public MetricSink {
 public:
  void counter(std::string_view, std::string_view, MetricLabels, double) override {}
  void gauge(std::string_view name, std::string_view, MetricLabels, double value) override {
    values[std::string(name)] += value;
  }
  void histogram(std::string_view, std::string_view, MetricLabels, const HistogramCell&) override {}
  std::map<std::string, double> values;
};
}  // namespace

std::map<std::string, double> World::gauges() const {
  GaugeSink sink;
  engine->metrics().collect(sink);
  return sink.values;
}

void World::expect_nothing_left() {
  pass(seconds{70});
  EXPECT_EQ(engine->calls(), 0U);
  EXPECT_EQ(endpoint->transactions(), 0U);
  auto left = gauges();
  EXPECT_EQ(left["trunkline_calls_held_in_memory"], 0);
  EXPECT_EQ(left["trunkline_sip_dialogs"], 0);
  EXPECT_EQ(left["trunkline_call_legs"], 0);
  EXPECT_EQ(left["trunkline_call_transactions"], 0);
  EXPECT_EQ(left["trunkline_media_ports_used"], 0);
  EXPECT_EQ(left["trunkline_policy_questions"], 0);
  const auto added =
      media_commands<media::AddBrowserLeg>().size() + media_commands<media::AddTrunkLeg>().size();
  EXPECT_EQ(media_commands<media::RemoveLeg>().size(), added);
  EXPECT_EQ(observed<CallEnded>().size(), observed<CallStarted>().size());
  // Each leg has had its one end.
  auto ends = leg_ends(*this);
  for (const CallEnded& one : observed<CallEnded>()) {
    for (const LegView& leg : one.call.legs)
      EXPECT_EQ((ends[{one.call.name, leg.id}]), 1) << leg.party;
  }
  EXPECT_EQ(replies.size(), asked_);
}

std::map<std::pair<std::string, std::string>, int> leg_ends(const World& world) {
  std::map<std::pair<std::string, std::string>, int> ends;
  for (const LegEnded& one : world.observed<LegEnded>())
    ++ends[{one.call.name, one.leg.id}];
  return ends;
}

}  // namespace trunkline::call::simulation
