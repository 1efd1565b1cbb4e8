#include "call/trunk_registration.hpp"

#include "sip/endpoint.hpp"
#include "sip/header.hpp"

#include <gmock/gmock.h>

namespace trunkline::call {
namespace {

using sip::HeaderName;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = TrunkRegistration::State;

constexpr std::string_view kChallenge =
    "Digest realm=\"carrier.test\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";

struct Registering : testing::Test {
  static TrunkSettings settings() {
    TrunkSettings trunk;
    trunk.name = "carrier";
    trunk.uri = *sip::Uri::parse("sip:carrier.test;transport=udp");
    trunk.username = "gw";
    trunk.password = "secret";
    trunk.registers = true;
    return trunk;
  }
  void SetUp() override { machine.set_contact("sip:gw@192.0.2.1:5060;transport=udp"); }

  /// What is sent when it is due.
  std::optional<sip::Message> due() {
    now = std::max(now, machine.deadline());
    TrunkRegistration::Effects effects;
    machine.on_deadline(now, effects);
    return effects.send;
  }
  /// What is sent because of a response to `request`.
  std::optional<sip::Message> answer(
      const sip::Message& request, int status,
      std::initializer_list<std::pair<HeaderName, std::string_view>> headers = {}) {
    sip::Message response = sip::make_response(request, status, "r");
    for (const auto& [name, value] : headers)
      response.add(name, value);
    TrunkRegistration::Effects effects;
    machine.receive(response, now, effects);
    return effects.send;
  }
  void accept(const sip::Message& request, std::string expires = "600") {
    const std::string contact = "<sip:gw@192.0.2.1:5060;transport=udp>;expires=" + expires;
    EXPECT_FALSE(answer(request, 200, {{HeaderName::contact, contact}}));
    EXPECT_EQ(machine.state(), State::registered);
  }
  static std::string field(const sip::Message& message, HeaderName name) {
    return std::string(message.header(name).value_or(""));
  }
  static std::uint32_t number(const sip::Message& message) { return sip::cseq_of(message).number; }
  static sip::DigestCredentials credentials(const sip::Message& message) {
    const auto parsed = sip::DigestCredentials::parse(field(message, HeaderName::authorization));
    EXPECT_TRUE(parsed) << message.serialize();
    return parsed ? *parsed : sip::DigestCredentials{};
  }
  double wait() const { return std::chrono::duration<double>(machine.deadline() - now).count(); }

  SeededRandom random{1};
  TimePoint now{seconds{1000}};
  TrunkRegistration machine{settings(), random};
};

// RFC 3261 §10.2: the domain in the Request-URI, the address of record in To and From
TEST_F(Registering, AsksForItsBinding) {
  const auto request = due();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->request_uri(), "sip:carrier.test;transport=udp");
  EXPECT_EQ(field(*request, HeaderName::to), "<sip:gw@carrier.test>");
  EXPECT_THAT(field(*request, HeaderName::from), HasSubstr("<sip:gw@carrier.test>;tag="));
  EXPECT_EQ(field(*request, HeaderName::contact),
            "<sip:gw@192.0.2.1:5060;transport=udp>;expires=3600");
  EXPECT_EQ(field(*request, HeaderName::expires), "3600");
  EXPECT_EQ(machine.deadline(), kNever) << "one at a time";
  accept(*request);
  EXPECT_TRUE(machine.bound(now + seconds{599}));
  EXPECT_FALSE(machine.bound(now + seconds{600}));
}

// RFC 3261 §10.2.4: refreshed before it runs out, with the same Call-ID and the next CSeq
// [trunk-register]
TEST_F(Registering, RefreshesBeforeTheBindingRunsOut) {
  auto request = due();
  const std::string call_id = field(*request, HeaderName::call_id);
  for (int round = 0; round < 20; ++round) {
    accept(*request, "600");
    EXPECT_GE(wait(), 450);
    EXPECT_LE(wait(), 516);
    const auto next = due();
    ASSERT_TRUE(next);
    EXPECT_EQ(field(*next, HeaderName::call_id), call_id);
    EXPECT_EQ(number(*next), number(*request) + 1);
    EXPECT_EQ(machine.state(), State::registered);
    request = next;
  }
}

// RFC 3261 §10.3: the registrar may shorten it; its word about our contact counts
TEST_F(Registering, TakesTheTimeThatIsGranted) {
  auto request = due();
  EXPECT_FALSE(answer(*request, 200,
                      {{HeaderName::contact, "<sip:other@192.0.2.7>;expires=20"},
                       {HeaderName::contact, "<sip:gw@192.0.2.1:5060;transport=udp>;expires=100"},
                       {HeaderName::expires, "3000"}}));
  EXPECT_TRUE(machine.bound(now + seconds{99}));
  EXPECT_FALSE(machine.bound(now + seconds{100}));
  request = due();
  EXPECT_FALSE(answer(*request, 200, {{HeaderName::expires, "50"}}));
  EXPECT_FALSE(machine.bound(now + seconds{50}));
  request = due();
  EXPECT_FALSE(answer(*request, 200));
  EXPECT_TRUE(machine.bound(now + seconds{3599})) << "without a word, what was asked for";
}

// RFC 3261 §22.2: a challenge is answered with the same Call-ID and the next CSeq
TEST_F(Registering, AnswersAChallenge) {
  const auto request = due();
  const auto again = answer(*request, 401, {{HeaderName::www_authenticate, kChallenge}});
  ASSERT_TRUE(again);
  EXPECT_EQ(number(*again), number(*request) + 1);
  EXPECT_EQ(field(*again, HeaderName::call_id), field(*request, HeaderName::call_id));
  EXPECT_EQ(field(*again, HeaderName::from), field(*request, HeaderName::from));
  EXPECT_EQ(credentials(*again).username, "gw");
  EXPECT_EQ(credentials(*again).nc, "00000001");
  accept(*again);
}

// RFC 3261 §22.3: proxy and registrar, one after the other
TEST_F(Registering, AnswersAChainOfChallenges) {
  const auto request = due();
  const auto two = answer(*request, 407, {{HeaderName::proxy_authenticate, kChallenge}});
  ASSERT_TRUE(two);
  const auto three = answer(*two, 401, {{HeaderName::www_authenticate, kChallenge}});
  ASSERT_TRUE(three);
  EXPECT_EQ(three->count(HeaderName::proxy_authorization), 1U);
  EXPECT_EQ(three->count(HeaderName::authorization), 1U);
  accept(*three);
}

// RFC 8760 §2.4: of several algorithms the topmost that we know [algorithms-answered]
TEST_F(Registering, AnswersBySha256WhereThatComesFirst) {
  const auto request = due();
  const auto again =
      answer(*request, 401,
             {{HeaderName::www_authenticate,
               "Digest realm=\"r\", nonce=\"s\", qop=\"auth\", algorithm=SHA-512-256"},
              {HeaderName::www_authenticate,
               "Digest realm=\"r\", nonce=\"s\", qop=\"auth\", algorithm=SHA-256"},
              {HeaderName::www_authenticate, "Digest realm=\"r\", nonce=\"s\", qop=\"auth\""}});
  ASSERT_TRUE(again);
  EXPECT_EQ(credentials(*again).algorithm, sip::DigestAlgorithm::sha256);
}

// RFC 7616 §3.4: the nonce serves on, with a count that rises
TEST_F(Registering, UsesTheNonceAgainForARefresh) {
  auto request = due();
  request = answer(*request, 401, {{HeaderName::www_authenticate, kChallenge}});
  accept(*request);
  const auto refresh = due();
  ASSERT_TRUE(refresh);
  EXPECT_EQ(credentials(*refresh).nonce, "n1");
  EXPECT_EQ(credentials(*refresh).nc, "00000002");
  const auto again =
      answer(*refresh, 401,
             {{HeaderName::www_authenticate,
               "Digest realm=\"carrier.test\", nonce=\"n2\", qop=\"auth\", stale=true"}});
  ASSERT_TRUE(again) << "only the nonce was old";
  EXPECT_EQ(credentials(*again).nonce, "n2");
  EXPECT_EQ(credentials(*again).nc, "00000001");
  accept(*again);
}

// RFC 3261 §22.1: no loop of challenges [challenge-loop]
TEST_F(Registering, GivesUpWhenItsPasswordIsRefused) {
  const auto request = due();
  const auto again = answer(*request, 401, {{HeaderName::www_authenticate, kChallenge}});
  ASSERT_TRUE(again);
  EXPECT_FALSE(answer(*again, 401, {{HeaderName::www_authenticate, kChallenge}}));
  EXPECT_EQ(machine.state(), State::failed);
  EXPECT_THAT(machine.failure(), HasSubstr("401"));
}

TEST_F(Registering, GivesUpOnAServerThatNeverHasEnough) {
  auto request = due();
  int sent = 1;
  for (; sent < 100; ++sent) {
    const std::string challenge =
        "Digest realm=\"r" + std::to_string(sent) + "\", nonce=\"n\", qop=\"auth\", stale=true";
    const auto again = answer(*request, 401, {{HeaderName::www_authenticate, challenge}});
    if (!again) break;
    request = again;
  }
  EXPECT_EQ(sent, 4);
  EXPECT_EQ(machine.state(), State::failed);
}

// RFC 3261 §10.2.8: 423 is answered with the time that its Min-Expires asks for
// [trunk-register-423]
// RFC 3261 §10.2.8: 423 is answered with the time that its Min-Expires asks for [race-register-423]
TEST_F(Registering, RaisesItsTimeWhenItIsTooShort) {
  const auto request = due();
  const auto again = answer(*request, 423, {{HeaderName::min_expires, "7200"}});
  ASSERT_TRUE(again);
  EXPECT_EQ(field(*again, HeaderName::expires), "7200");
  EXPECT_THAT(field(*again, HeaderName::contact), HasSubstr(";expires=7200"));
  EXPECT_EQ(number(*again), number(*request) + 1);
  accept(*again, "7200");
  EXPECT_EQ(field(*due(), HeaderName::expires), "7200") << "and remembers it";
}

TEST_F(Registering, DoesNotFollowA423WithoutSense) {
  for (const std::string_view minimum : {"60", "3600", "4294967295", "soon"}) {
    const auto request = due();
    ASSERT_TRUE(request);
    EXPECT_FALSE(answer(*request, 423, {{HeaderName::min_expires, minimum}})) << minimum;
    EXPECT_EQ(machine.state(), State::failed);
  }
  const auto request = due();
  EXPECT_FALSE(answer(*request, 423));
}

// RFC 5626 §4.5: from 30 seconds, doubled with each failure, to half an hour, with jitter
// [trunk-register-backoff]
TEST_F(Registering, WaitsLongerAfterEachFailure) {
  const std::array<std::pair<double, double>, 8> bounds{{{30, 60},
                                                         {60, 120},
                                                         {120, 240},
                                                         {240, 480},
                                                         {480, 960},
                                                         {900, 1800},
                                                         {900, 1800},
                                                         {900, 1800}}};
  std::optional<sip::Message> request = due();
  for (const auto& [least, most] : bounds) {
    EXPECT_FALSE(answer(*request, 403));
    EXPECT_GE(wait(), least);
    EXPECT_LE(wait(), most);
    request = due();
    ASSERT_TRUE(request);
  }
  accept(*request);
  request = due();
  EXPECT_FALSE(answer(*request, 500));
  EXPECT_LE(wait(), 60) << "a success begins anew";
}

TEST_F(Registering, ObeysRetryAfterWithinBounds) {
  auto request = due();
  EXPECT_FALSE(answer(*request, 503, {{HeaderName::retry_after, "300"}}));
  EXPECT_EQ(wait(), 300);
  EXPECT_TRUE(machine.server_failed());
  request = due();
  EXPECT_FALSE(answer(*request, 503, {{HeaderName::retry_after, "86400"}}));
  EXPECT_EQ(wait(), 1800);
}

TEST_F(Registering, KeepsItsBindingWhileARefreshFails) {
  const auto request = due();
  accept(*request, "600");
  ASSERT_TRUE(due());
  TrunkRegistration::Effects effects;
  machine.unanswered("no answer", now, effects);
  EXPECT_TRUE(effects.changed);
  EXPECT_EQ(machine.state(), State::failed);
  EXPECT_EQ(machine.failure(), "no answer");
  EXPECT_TRUE(machine.server_failed());
  EXPECT_TRUE(machine.bound(now));
  EXPECT_FALSE(machine.bound(now + seconds{600}));
  machine.try_elsewhere(now);
  EXPECT_EQ(machine.deadline(), now);
}

// RFC 3608 §6.1: the route that the registrar wants our requests to take [service-route]
TEST_F(Registering, RemembersTheServiceRoute) {
  const auto request = due();
  answer(*request, 200,
         {{HeaderName::service_route, "<sip:edge.test;lr>"},
          {HeaderName::service_route, "<sip:core.test;lr>"}});
  EXPECT_THAT(machine.service_route(), ElementsAre("<sip:edge.test;lr>", "<sip:core.test;lr>"));
  answer(*due(), 200);
  EXPECT_THAT(machine.service_route(), IsEmpty());
}

// RFC 3261 §10.2.2: the binding is removed with an expiry of zero [trunk-unregister]
TEST_F(Registering, LeavesWhenItIsTold) {
  accept(*due());
  TrunkRegistration::Effects effects;
  machine.leave(now, effects);
  ASSERT_TRUE(effects.send);
  EXPECT_EQ(field(*effects.send, HeaderName::expires), "0");
  EXPECT_THAT(field(*effects.send, HeaderName::contact), HasSubstr(";expires=0"));
  EXPECT_EQ(machine.state(), State::leaving);
  answer(*effects.send, 200);
  EXPECT_EQ(machine.state(), State::gone);
  EXPECT_FALSE(machine.bound(now));
  EXPECT_EQ(machine.deadline(), kNever);
  machine.come_back(now);
  const auto request = due();
  ASSERT_TRUE(request);
  accept(*request);
}

// RFC 3261 §10.2: no new REGISTER before the answer to the last
TEST_F(Registering, LeavesAfterTheAnswerThatItWaitsFor) {
  const auto request = due();
  TrunkRegistration::Effects effects;
  machine.leave(now, effects);
  EXPECT_FALSE(effects.send);
  const auto leaving = answer(*request, 200, {{HeaderName::expires, "600"}});
  ASSERT_TRUE(leaving);
  EXPECT_EQ(field(*leaving, HeaderName::expires), "0");
  EXPECT_FALSE(answer(*leaving, 500));
  EXPECT_EQ(machine.state(), State::gone) << "whoever ends waits for nothing";
}

TEST_F(Registering, LeavesInSilenceWithoutABinding) {
  const auto request = due();
  answer(*request, 403);
  TrunkRegistration::Effects effects;
  machine.leave(now, effects);
  EXPECT_FALSE(effects.send);
  EXPECT_EQ(machine.state(), State::gone);
}

TEST_F(Registering, IgnoresWhatIsNoFinalResponseToItsRequest) {
  const auto request = due();
  EXPECT_FALSE(answer(*request, 100));
  EXPECT_EQ(machine.deadline(), kNever);
  accept(*request);
  EXPECT_FALSE(answer(*request, 500));
  EXPECT_EQ(machine.state(), State::registered);
}

}  // namespace
}  // namespace trunkline::call
