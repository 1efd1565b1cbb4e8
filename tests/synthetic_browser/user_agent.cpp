#include "user_agent.hpp"

#include "sip/header.hpp"

namespace trunkline::test {

using sip::HeaderName;
using sip::Method;

UserAgent::UserAgent(UserAgentSettings settings, Random& random)
    : settings_(std::move(settings)),
      random_(random),
      endpoint_({}, random),
      digest_(settings_.username.empty() ? settings_.user : settings_.username, settings_.password,
              random),
      contact_user_(random.token(8)),
      register_call_id_(random.token(16)) {}

void UserAgent::connected(TimePoint now) {
  disconnected(now);
  gateway_ = {sip::Transport::ws, {IpAddress::v4({127, 0, 0, 1}), 5060}, FlowId{++flow_}};
}

void UserAgent::disconnected(TimePoint now) {
  if (!gateway_.flow) return;
  sip::Effects effects;
  endpoint_.flow_closed(gateway_.flow, now, effects);
  drain(effects, now);
  gateway_ = {};
}

std::string UserAgent::contact() const {
  std::string text = "<sip:" + contact_user_ + "@" + contact_user_ + ".invalid;transport=ws>";
  if (!settings_.instance.empty())
    text += ";+sip.instance=\"<urn:uuid:" + settings_.instance + ">\";reg-id=1";
  return text;
}

sip::Message UserAgent::new_request(Method method, std::string_view to) {
  const std::string target = method == Method::register_
                                 ? "sip:" + settings_.domain
                                 : "sip:" + std::string(to) + "@" + settings_.domain;
  auto message = sip::Message::request(method, target);
  message.add(HeaderName::max_forwards, "69");
  message.add(HeaderName::from,
              "<sip:" + settings_.user + "@" + settings_.domain + ">;tag=" + random_.token(10));
  message.add(HeaderName::to, "<sip:" + std::string(to) + "@" + settings_.domain + ">");
  message.add(HeaderName::call_id,
              method == Method::register_ ? register_call_id_ : random_.token(20));
  message.add(HeaderName::cseq,
              std::to_string(method == Method::register_ ? ++register_sequence_ : 1) + " " +
                  std::string(sip::method_name(method)));
  message.add(HeaderName::contact, contact());
  message.add(HeaderName::allow, "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS, INFO");
  return message;
}

sip::TransactionId UserAgent::send(sip::Message message, TimePoint now) {
  const auto id = endpoint_.next_transaction();
  sent_[id] = message;
  execute(sip::SendRequest{id, std::move(message), gateway_}, now);
  return id;
}

void UserAgent::execute(sip::Command command, TimePoint now) {
  sip::Effects effects;
  endpoint_.execute(std::move(command), now, effects);
  drain(effects, now);
}

void UserAgent::drain(sip::Effects& effects, TimePoint now) {
  for (auto& transmission : effects.transmissions) {
    auto* bytes = std::get_if<sip::SendBytes>(&transmission);
    if (bytes != nullptr && gateway_.flow) messages_.push_back(std::move(bytes->bytes));
  }
  const auto events = std::move(effects.events);
  for (const auto& event : events) {
    if (const auto* incoming = std::get_if<sip::RequestReceived>(&event)) request(*incoming, now);
    if (const auto* answer = std::get_if<sip::ResponseReceived>(&event)) response(*answer, now);
    if (const auto* ended = std::get_if<sip::TransactionEnded>(&event)) {
      transactions_.erase(ended->transaction);
      sent_.erase(ended->transaction);
    }
    if (const auto* cancel = std::get_if<sip::CancelReceived>(&event)) {
      const auto known = transactions_.find(cancel->transaction);
      WebCall* call = known == transactions_.end() ? nullptr : find(known->second);
      if (call == nullptr || call->connected || call->over) continue;
      execute(sip::Respond{call->invite, sip::make_response(call->request, 487, tag_)}, now);
      finish(*call, AgentEvent::Kind::ended, 487);
    }
    if (const auto* failure = std::get_if<sip::RequestFailed>(&event)) {
      const auto known = transactions_.find(failure->transaction);
      if (known == transactions_.end()) continue;
      if (known->second == 0) events_.push_back({AgentEvent::Kind::register_failed, 0, 408, {}});
      WebCall* call = find(known->second);
      if (call != nullptr && failure->transaction == call->invite)
        finish(*call, AgentEvent::Kind::failed, 408);
    }
  }
}

void UserAgent::receive(std::string message, TimePoint now) {
  sip::Effects effects;
  endpoint_.receive(std::move(message), gateway_, now, effects);
  drain(effects, now);
}

void UserAgent::datagram(int number, ByteView bytes, TimePoint now) {
  if (WebCall* call = find(number)) {
    call->media->receive(bytes, now);
    note_media(*call, now);
  }
}

void UserAgent::note_media(WebCall& call, TimePoint now) {
  if (call.media->dtls_connected() && !call.media_reported) {
    call.media_reported = true;
    if (call.tone > 0) call.media->send_tone(call.tone, now);
    events_.push_back({AgentEvent::Kind::media, call.number, 0, call.media->srtp_profile()});
  }
  const std::string& digits = call.media->received().digits;
  for (std::size_t at = call.digits_reported.size(); at < digits.size(); ++at) {
    events_.push_back({AgentEvent::Kind::digit, call.number, 0, std::string(1, digits[at])});
  }
  call.digits_reported = digits;
}

void UserAgent::on_deadline(TimePoint now) {
  sip::Effects effects;
  endpoint_.on_deadline(now, effects);
  drain(effects, now);
  for (auto& [number, call] : calls_) {
    if (call->media->deadline() <= now) call->media->on_deadline(now);
    note_media(*call, now);
  }
}

TimePoint UserAgent::deadline() const {
  TimePoint first = endpoint_.deadline();
  for (const auto& [number, call] : calls_)
    first = std::min(first, call->media->deadline());
  return first;
}

void UserAgent::register_now(TimePoint now) {
  auto message = new_request(Method::register_, settings_.user);
  message.set(HeaderName::contact, contact() + ";expires=" + std::to_string(settings_.expires));
  message.add(HeaderName::supported, "path, outbound");
  transactions_[send(std::move(message), now)] = 0;
}

int UserAgent::call(std::string_view to, double tone, double listen, TimePoint now) {
  const int number = next_call_++;
  auto made = std::make_unique<WebCall>(number, settings_.media, listen, random_);
  made->outgoing = true;
  made->by_tcp = settings_.by_tcp;
  made->tone = tone;
  made->request = new_request(Method::invite, to);
  made->request.set_body("application/sdp", made->sdp("actpass"));
  WebCall& call = *made;
  calls_[number] = std::move(made);
  call.invite = endpoint_.next_transaction();
  transactions_[call.invite] = number;
  sent_[call.invite] = call.request;
  execute(sip::SendRequest{call.invite, call.request, gateway_}, now);
  return number;
}

void UserAgent::respond(const sip::RequestReceived& to, int status, std::string_view sdp,
                        TimePoint now) {
  auto message = sip::make_response(to.request, status, random_.token(10));
  if (status < 300) message.add(HeaderName::contact, contact());
  if (!sdp.empty()) message.set_body("application/sdp", sdp);
  execute(sip::Respond{to.transaction, std::move(message)}, now);
}

WebCall* UserAgent::of_dialog(const sip::Message& message) {
  for (auto& [number, call] : calls_) {
    if (call->dialog && call->dialog->call_id() == sip::call_id_of(message) &&
        call->dialog->local_tag() == sip::to_of(message).tag()) {
      return call.get();
    }
  }
  return nullptr;
}

void UserAgent::request(const sip::RequestReceived& event, TimePoint now) {
  const auto& message = event.request;
  if (!sip::to_of(message).tag().empty()) {
    WebCall* call = of_dialog(message);
    if (call == nullptr || call->over) return respond(event, 481, {}, now);
    if (message.method() == Method::invite) return reoffered(*call, event, now);
    respond(event, 200, {}, now);
    if (message.method() == Method::bye) finish(*call, AgentEvent::Kind::ended, 0);
    if (message.method() == Method::info)
      events_.push_back({AgentEvent::Kind::digit, call->number, 0, std::string(message.body())});
    return;
  }
  if (message.method() != Method::invite) return respond(event, 405, {}, now);
  const int number = next_call_++;
  auto made = std::make_unique<WebCall>(number, settings_.media, 440, random_);
  made->by_tcp = settings_.by_tcp;
  made->invite = event.transaction;
  made->request = message;
  transactions_[event.transaction] = number;
  calls_[number] = std::move(made);
  tag_ = random_.token(10);
  execute(sip::Respond{event.transaction, sip::make_response(message, 180, tag_)}, now);
  events_.push_back({AgentEvent::Kind::incoming, number, 0, sip::from_of(message).uri.text()});
}

void UserAgent::reoffered(WebCall& call, const sip::RequestReceived& event, TimePoint now) {
  const auto offer = read_gateway_media(event.request.body());
  if (!offer) return respond(event, 488, {}, now);
  const bool held = offer->direction == "sendonly" || offer->direction == "inactive";
  call.direction = offer->direction == "sendonly" ? "recvonly" : held ? "inactive" : "sendrecv";
  ++call.version;
  if (offer->ice.ufrag != call.remote_ufrag) call.move(*offer, random_, now);
  auto message = sip::make_response(event.request, 200, call.dialog->local_tag());
  message.add(HeaderName::contact, contact());
  message.set_body("application/sdp", call.sdp("active"));
  execute(sip::Respond{event.transaction, std::move(message)}, now);
  events_.push_back(
      {held ? AgentEvent::Kind::held : AgentEvent::Kind::resumed, call.number, 0, {}});
}

void UserAgent::answer(int number, double tone, double listen, TimePoint now) {
  WebCall* call = find(number);
  if (call == nullptr || call->connected) return;
  call->tone = tone;
  call->listen(listen, random_);
  auto dialog = sip::Dialog::as_uas(call->request, tag_);
  if (!dialog || !call->take(call->request.body(), now)) return reject(number, 488, now);
  call->dialog = *dialog;
  call->dialog->confirm();
  call->connected = true;
  auto message = sip::make_response(call->request, 200, tag_);
  message.add(HeaderName::contact, contact());
  message.set_body("application/sdp", call->sdp("active"));
  execute(sip::Respond{call->invite, std::move(message)}, now);
  events_.push_back({AgentEvent::Kind::answered, number, 200, {}});
}

void UserAgent::reject(int number, int status, TimePoint now) {
  WebCall* call = find(number);
  if (call == nullptr) return;
  execute(sip::Respond{call->invite, sip::make_response(call->request, status, tag_)}, now);
  finish(*call, AgentEvent::Kind::ended, status);
}

void UserAgent::response(const sip::ResponseReceived& event, TimePoint now) {
  const auto known = transactions_.find(event.transaction);
  if (known == transactions_.end()) return;
  const int number = known->second;
  const int status = event.response.status();
  if (status == 401 || status == 407) {
    auto again = sent_.at(event.transaction);
    if (digest_.authorize(event.response, again)) {
      const auto cseq = sip::cseq_of(again);
      again.set(HeaderName::cseq, std::to_string(cseq.number + 1) + " " + cseq.method_text);
      if (number == 0) register_sequence_ = cseq.number + 1;
      WebCall* call = find(number);
      const bool invite = call != nullptr && event.transaction == call->invite;
      if (invite) call->request = again;
      const auto next = send(std::move(again), now);
      transactions_[next] = number;
      if (invite) call->invite = next;
      return;
    }
  }
  if (number == 0) {
    if (status >= 200) {
      events_.push_back(
          {status < 300 ? AgentEvent::Kind::registered : AgentEvent::Kind::register_failed,
           0,
           status,
           {}});
    }
    return;
  }
  WebCall* call = find(number);
  if (call == nullptr) return;
  if (event.transaction == call->invite) return invite_answered(*call, event, now);
  const bool reinvite = sent_.at(event.transaction).method() == Method::invite;
  if (!reinvite || status < 200) return;
  if (status < 300)
    execute(sip::SendAck{event.transaction, call->dialog->ack(sip::cseq_of(event.response).number),
                         gateway_},
            now);
  if (status < 300 && !std::exchange(call->offered_ufrag, {}).empty()) {
    if (call->take_restart(event.response.body(), now))
      events_.push_back({AgentEvent::Kind::restarted, number, status, {}});
    return;
  }
  const bool held = call->direction != "sendrecv";
  if (status < 300)
    events_.push_back(
        {held ? AgentEvent::Kind::held : AgentEvent::Kind::resumed, number, status, {}});
}

void UserAgent::invite_answered(WebCall& call, const sip::ResponseReceived& event, TimePoint now) {
  const int status = event.response.status();
  if (status < 200) {
    if (status == 100) return;
    if (!event.response.body().empty()) call.take(event.response.body(), now);
    events_.push_back({AgentEvent::Kind::ringing, call.number, status, {}});
    return;
  }
  if (status >= 300) return finish(call, AgentEvent::Kind::failed, status);
  auto dialog = sip::Dialog::as_uac(call.request, event.response);
  if (!dialog) return;
  dialog->confirm(event.response);
  execute(
      sip::SendAck{event.transaction, dialog->ack(sip::cseq_of(event.response).number), gateway_},
      now);
  const bool late = call.over;
  call.dialog = *dialog;
  if (late) {
    transactions_[send(call.dialog->request(Method::bye), now)] = call.number;
    return;
  }
  call.connected = true;
  if (!call.take(event.response.body(), now)) {
    hang_up(call.number, now);
    return;
  }
  events_.push_back({AgentEvent::Kind::answered, call.number, status, {}});
}

void UserAgent::hang_up(int number, TimePoint now) {
  WebCall* call = find(number);
  if (call == nullptr || call->over) return;
  if (call->connected) {
    transactions_[send(call->dialog->request(Method::bye), now)] = number;
    return finish(*call, AgentEvent::Kind::ended, 0);
  }
  if (!call->outgoing) return reject(number, 480, now);
  execute(sip::SendCancel{call->invite, {}}, now);
}

void UserAgent::hold(int number, bool held, TimePoint now) {
  WebCall* call = find(number);
  if (call == nullptr || !call->connected) return;
  call->direction = held ? "sendonly" : "sendrecv";
  ++call->version;
  auto message = call->dialog->request(Method::invite);
  message.add(HeaderName::contact, contact());
  message.set_body("application/sdp", call->sdp("actpass"));
  transactions_[send(std::move(message), now)] = number;
}

void UserAgent::restart_ice(int number, TimePoint now) {
  WebCall* call = find(number);
  if (call == nullptr || !call->connected) return;
  call->media->restart_ice();
  call->offered_ufrag = call->media->ice().ufrag;
  ++call->version;
  auto message = call->dialog->request(Method::invite);
  message.add(HeaderName::contact, contact());
  message.set_body("application/sdp", call->sdp("actpass"));
  transactions_[send(std::move(message), now)] = number;
}

void UserAgent::change_network(int number, bool by_tcp) {
  WebCall* call = find(number);
  if (call == nullptr) return;
  call->by_tcp = by_tcp;
  ++call->network;
}

void UserAgent::pause_checks(int number, bool paused) {
  if (WebCall* call = find(number)) call->media->pause_checks(paused);
}

void UserAgent::send_digit(int number, char digit, bool by_info, TimePoint now) {
  WebCall* call = find(number);
  if (call == nullptr || !call->connected) return;
  if (!by_info) return call->media->send_digit(digit, 160);
  auto message = call->dialog->request(Method::info);
  message.set_body("application/dtmf-relay",
                   "Signal=" + std::string(1, digit) + "\r\nDuration=160\r\n");
  transactions_[send(std::move(message), now)] = number;
}

void UserAgent::finish(WebCall& call, AgentEvent::Kind kind, int status) {
  if (call.over) return;
  call.over = true;
  call.media->close();
  events_.push_back({kind, call.number, status, {}});
}

std::vector<std::string> UserAgent::take_messages() {
  return std::exchange(messages_, {});
}

std::vector<UserAgent::Datagram> UserAgent::take_datagrams() {
  std::vector<Datagram> out;
  for (auto& [number, call] : calls_) {
    const auto to = call->by_tcp ? call->remote_tcp : std::optional(call->remote);
    for (auto& bytes : call->media->take_datagrams()) {
      if (to) out.push_back({number, *to, call->by_tcp, call->network, std::move(bytes)});
    }
  }
  return out;
}

std::optional<AgentEvent> UserAgent::take_event() {
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

WebCall* UserAgent::find(int call) {
  const auto found = calls_.find(call);
  return found == calls_.end() ? nullptr : found->second.get();
}

std::vector<int> UserAgent::calls() const {
  std::vector<int> numbers;
  for (const auto& [number, call] : calls_)
    numbers.push_back(number);
  return numbers;
}

void UserAgent::sweep() {
  std::erase_if(calls_, [](const auto& entry) { return entry.second->over; });
}

}  // namespace trunkline::test
