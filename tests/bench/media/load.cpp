#include "load.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>

namespace trunkline::bench {
namespace {

constexpr Host kEncryptedHosts = 0x7f010001, kPlainHosts = 0x7f020001;  // 127.1.0.1, 127.2.0.1
constexpr Duration kCheckInterval = milliseconds{2500};  // Chromium's, once a connection is stable
constexpr Duration kDeadlines = milliseconds{10};  // how often timers of browsers are looked at
constexpr Duration kTail = milliseconds{300};      // that the last packets have to arrive
constexpr Duration kPatience = seconds{60};
constexpr Duration kBeforeConnects = seconds{1};  // of a talk, before others connect beside it
constexpr std::uint64_t kEncrypted = 0, kPlain = 1, kRtcp = 2, kOther = 3;
constexpr std::uint32_t kPlainFlow = 1u << 31;  // in a flow's id: the plain end sends it

sockaddr_in native(const SocketAddress& address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(address.port);
  std::memcpy(&name.sin_addr, address.ip.bytes().data(), 4);
  return name;
}

SocketAddress address(Host host, std::uint16_t port) {
  const auto octet = [host](int shift) { return static_cast<std::uint8_t>(host >> shift); };
  return {IpAddress::v4({octet(24), octet(16), octet(8), octet(0)}), port};
}

bool same(const sockaddr_in& a, const sockaddr_in& b) {
  return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

double in_milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

struct Load::Call {
  Call(std::uint32_t number, CallKind chosen, std::uint32_t encrypted_ssrc, Random& random)
      : kind(chosen),
        encrypted_host(kEncryptedHosts + number),
        plain_host(kPlainHosts + number),
        to_plain(number, encrypted_ssrc, static_cast<std::uint16_t>(random.below(30000))),
        to_encrypted(number | kPlainFlow, random.number32() | 1,
                     static_cast<std::uint16_t>(random.below(30000))) {}

  bool up() const { return sender != nullptr; }
  bool over() const { return up() || failed; }
  void seal_with(const Keys& keys) {
    sender =
        media::make_srtp_sender(media::SrtpEngineKind::automatic, keys.profile, keys.send, ssrc);
    receiver =
        media::make_srtp_receiver(media::SrtpEngineKind::automatic, keys.profile, keys.receive);
  }

  CallKind kind;
  Host encrypted_host, plain_host;
  std::uint32_t ssrc = 0;
  bool known = false, connecting = false, failed = false;
  TimePoint give_up{};
  sockaddr_in encrypted_remote{}, plain_remote{};
  Remote remote;
  std::unique_ptr<test::BrowserMedia> browser;
  std::unique_ptr<media::SrtpSender> sender;
  std::unique_ptr<media::SrtpReceiver> receiver;
  Flow to_plain, to_encrypted;
};

/// When the next of some things is due that come so many a second.
class Load::Pace {
 public:
  Pace(std::vector<Call*> calls, double rate, TimePoint start)
      : calls_(std::move(calls)), rate_(rate), start_(start) {}
  TimePoint next() const {
    if (at_ == calls_.size()) return kNever;
    if (rate_ == 0) return start_;
    return start_ + std::chrono::duration_cast<Duration>(
                        std::chrono::duration<double>(static_cast<double>(at_) / rate_));
  }
  Call& take() { return *calls_[at_++]; }
  bool over() const {
    return std::ranges::all_of(calls_, [](const Call* call) { return call->over(); });
  }
  const std::vector<Call*>& calls() const { return calls_; }

 private:
  std::vector<Call*> calls_;
  double rate_;
  TimePoint start_;
  std::size_t at_ = 0;
};

Load::Load(std::uint16_t encrypted_port, std::uint16_t plain_port)
    : encrypted_(encrypted_port),
      plain_(plain_port),
      plain_rtcp_(static_cast<std::uint16_t>(plain_port + 1)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      encrypted_port_(encrypted_port),
      plain_port_(plain_port),
      start_(Clock::now()) {
  const auto watch = [this](int fd, std::uint64_t key) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = key;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) < 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  };
  watch(encrypted_.fd(), kEncrypted);
  watch(plain_.fd(), kPlain);
  watch(plain_rtcp_.fd(), kRtcp);
}

Load::~Load() {
  ::close(epoll_);
}

// ---------------------------------------------------------------- calls

Load::Local Load::add(CallKind kind, const std::string& srtp_profiles) {
  const std::size_t id = calls_.size();
  std::unique_ptr<test::BrowserMedia> browser;
  if (kind == CallKind::dtls) {
    test::BrowserMediaSettings settings;
    settings.srtp_profiles = srtp_profiles;
    settings.check_interval = kCheckInterval;
    settings.carries_rtp = false;
    browser = std::make_unique<test::BrowserMedia>(settings, random_);
  }
  const std::uint32_t ssrc = browser ? browser->ssrc() : random_.number32() | 1;
  auto call = std::make_unique<Call>(static_cast<std::uint32_t>(id), kind, ssrc, random_);
  call->ssrc = ssrc;
  Local local{id,
              address(call->encrypted_host, encrypted_port_),
              address(call->plain_host, plain_port_),
              ssrc,
              {},
              {}};
  if (browser) {
    local.ice = browser->ice();
    local.fingerprint = browser->fingerprint();
  }
  call->browser = std::move(browser);
  calls_.push_back(std::move(call));
  return local;
}

void Load::set_remote(std::size_t id, const Remote& remote) {
  Call& call = *calls_.at(id);
  call.remote = remote;
  call.encrypted_remote = native(remote.encrypted_side);
  call.plain_remote = native(remote.plain_side);
  call.known = true;
}

void Load::begin_connecting(Call& call, TimePoint now) {
  call.connecting = true;
  call.give_up = now + kPatience;
  if (call.kind == CallKind::keyed) return call.seal_with(call.remote.keys.value());
  call.browser->connect(call.remote.ice, call.remote.fingerprint, true, now);
  call.browser->on_deadline(now);
  take_datagrams(call);
}

void Load::take_datagrams(Call& call) {
  for (const auto& datagram : call.browser->take_datagrams()) {
    const media::Packet packet = encrypted_.room();
    std::ranges::copy(datagram, packet.data);
    encrypted_.commit(call.encrypted_host, call.encrypted_remote, datagram.size(), nullptr);
  }
  encrypted_.flush();
  if (call.up()) return;
  if (call.browser->dtls_failed()) call.failed = true;
  if (const auto keys = call.browser->srtp_keys())
    call.seal_with({keys->profile, keys->ours, keys->theirs});
}

void Load::on_deadlines(TimePoint now) {
  if (now < next_deadlines_) return;
  next_deadlines_ = now + kDeadlines;
  for (const auto& call : calls_) {
    if (!call->connecting || !call->browser) continue;
    if (!call->over() && call->give_up <= now) call->failed = true;
    if (call->browser->deadline() > now) continue;
    call->browser->on_deadline(now);
    take_datagrams(*call);
  }
}

Load::Call* Load::call_at(Host own, Host base) {
  const std::size_t at = own - base;
  return at < calls_.size() ? calls_[at].get() : nullptr;
}

// ---------------------------------------------------------------- packets

void Load::receive_encrypted(const BatchSocket::Arrival& arrival) {
  Call* call = call_at(arrival.own, kEncryptedHosts);
  if (call == nullptr || !same(arrival.from, call->encrypted_remote)) {
    ++strangers_;
    return;
  }
  media::Packet packet = arrival.packet;
  if (packet.size < 2) return;
  if (packet.data[0] >> 6 != 2) {  // RFC 7983: not RTP or RTCP
    if (!call->browser) return;
    call->browser->receive(packet.bytes(), Clock::now());
    return take_datagrams(*call);
  }
  if (packet.data[1] >= 192 && packet.data[1] < 224) {  // RFC 5761 §4
    ++rtcp_;
    return;
  }
  if (!call->up() || call->receiver->unprotect_rtp(packet) != media::SrtpVerdict::ok) {
    ++srtp_errors_;
    return;
  }
  call->to_encrypted.read(packet.bytes(), arrival.at);
}

void Load::receive_plain(const BatchSocket::Arrival& arrival) {
  Call* call = call_at(arrival.own, kPlainHosts);
  if (call == nullptr || !same(arrival.from, call->plain_remote)) {
    ++strangers_;
    return;
  }
  call->to_plain.read(arrival.packet.bytes(), arrival.at);
}

void Load::send(const Slot& slot, TimePoint due) {
  Call& call = *slot.call;
  BatchSocket& socket = slot.from_encrypted ? encrypted_ : plain_;
  Flow& flow = slot.from_encrypted ? call.to_plain : call.to_encrypted;
  media::Packet packet = socket.room();
  packet.size = kRtpPacket;
  std::int64_t* sent_at =
      flow.write(packet.bytes(), static_cast<std::uint32_t>((due - start_) / kPacketTime));
  if (slot.from_encrypted) {
    call.sender->protect_rtp(packet);
    socket.commit(call.encrypted_host, call.encrypted_remote, packet.size, sent_at);
  } else {
    socket.commit(call.plain_host, call.plain_remote, packet.size, sent_at);
  }
}

/// Until then, or until something has come.
void Load::wait(TimePoint until) {
  const TimePoint now = Clock::now();
  on_deadlines(now);
  until = std::min(until, next_deadlines_);
  const auto left = std::chrono::nanoseconds(std::max(until, now) - now).count();
  const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  std::array<epoll_event, 4> events{};
  const int count = ::epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    switch (events[static_cast<std::size_t>(i)].data.u64) {
      case kEncrypted:
        encrypted_.receive([this](const auto& arrival) { receive_encrypted(arrival); });
        break;
      case kPlain:
        plain_.receive([this](const auto& arrival) { receive_plain(arrival); });
        break;
      case kRtcp:
        plain_rtcp_.receive([this](const auto&) { ++rtcp_; });
        break;
      default:
        other_ready_ = true;
    }
  }
}

// ---------------------------------------------------------------- phases

std::vector<Load::Call*> Load::waiting() const {
  std::vector<Call*> found;
  for (const auto& call : calls_) {
    if (call->known && !call->connecting) found.push_back(call.get());
  }
  return found;
}

Connected Load::outcome(const std::vector<Call*>& calls) {
  Connected outcome;
  for (const Call* call : calls)
    ++(call->up() ? outcome.connected : outcome.failed);
  return outcome;
}

Connected Load::connect(double rate) {
  const TimePoint start = Clock::now();
  Pace pace(waiting(), rate, start);
  while (!pace.over()) {
    const TimePoint now = Clock::now();
    while (pace.next() <= now)
      begin_connecting(pace.take(), now);
    wait(pace.next());
  }
  Connected result = outcome(pace.calls());
  result.seconds = in_milliseconds(Clock::now() - start) / 1000;
  return result;
}

std::vector<Load::Slot> Load::schedule(std::size_t calls) {
  std::vector<Slot> slots;
  const auto phase = [this] {
    return Duration(static_cast<Duration::rep>(
        random_.below(static_cast<std::uint32_t>(std::chrono::nanoseconds(kPacketTime).count()))));
  };
  for (const auto& call : calls_) {
    if (slots.size() == 2 * calls) break;
    if (!call->up()) continue;
    call->to_plain.begin();
    call->to_encrypted.begin();
    slots.push_back({phase(), call.get(), true});
    slots.push_back({phase(), call.get(), false});
  }
  std::ranges::sort(slots, {}, &Slot::phase);
  return slots;
}

Talked Load::talk(std::size_t calls, seconds length, double connect_rate) {
  const std::vector<Slot> slots = schedule(calls);
  if (slots.empty()) throw std::runtime_error("no call is connected");
  Talked result;
  srtp_errors_ = strangers_ = rtcp_ = 0;
  const std::uint64_t overflows = encrypted_.overflows() + plain_.overflows();
  const std::uint64_t refused = encrypted_.refused() + plain_.refused();
  // On the grid of all talks, so that timestamps go on.
  TimePoint cycle = start_ + ((Clock::now() - start_) / kPacketTime + 2) * kPacketTime;
  const TimePoint end = cycle + length;
  Pace pace(connect_rate > 0 ? waiting() : std::vector<Call*>{}, connect_rate,
            cycle + kBeforeConnects);
  std::size_t at = 0;
  for (TimePoint now = Clock::now(); now < end + kTail; now = Clock::now()) {
    TimePoint due = cycle + slots[at].phase;
    for (; due <= now && due < end; due = cycle + slots[at].phase) {
      send(slots[at], due);
      result.late = std::max(result.late, in_milliseconds(now - due));
      if (++at == slots.size()) {
        at = 0;
        cycle += kPacketTime;
      }
    }
    encrypted_.flush();
    plain_.flush();
    while (pace.next() <= now)
      begin_connecting(pace.take(), now);
    wait(std::min({due < end ? due : end + kTail, pace.next(), end + kTail}));
  }
  for (const Slot& slot : slots)
    (slot.from_encrypted ? slot.call->to_plain : slot.call->to_encrypted).end(result.tally);
  result.calls = slots.size() / 2;
  result.srtp_errors = srtp_errors_;
  result.strangers = strangers_;
  result.rtcp = rtcp_;
  result.overflows = encrypted_.overflows() + plain_.overflows() - overflows;
  result.refused = encrypted_.refused() + plain_.refused() - refused;
  result.connected = outcome(pace.calls());
  return result;
}

void Load::idle(int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kOther;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  for (other_ready_ = false; !other_ready_;)
    wait(Clock::now() + seconds{1});
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

}  // namespace trunkline::bench
