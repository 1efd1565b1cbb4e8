#include "unit/call/registrar_fixture.hpp"

namespace trunkline::call {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// ---------------------------------------------------------------- the 200

// RFC 3261 §10.3: a contact comes back as it was written [register-echo]
// RFC 3261 §10.3: the very contact of the client [race-register-echo]
TEST_F(RegistrarTest, EchoesTheContactAsWrittenWithItsExpiry) {
  const auto response = send({.contacts = {kJsSip + ";expires=600"}});
  EXPECT_EQ(response.status(), 200);
  EXPECT_THAT(contacts(response), ElementsAre(kJsSip + ";expires=600"));
}

// RFC 3261 §10.3: each contact comes back with expires [register-echo]
TEST_F(RegistrarTest, AddsTheExpiryToAContactThatHadNone) {
  EXPECT_THAT(contacts(send({.contacts = {kSipJs}, .expires = "600"})),
              ElementsAre(kSipJs + ";expires=600"));
}

// RFC 3261 §10.3: with its parameters and quoting [register-echo]
TEST_F(RegistrarTest, KeepsDisplayNameParametersAndTheirQuoting) {
  const std::string odd =
      "\"A \\\"x\\\"\" "
      "<sip:a@b.invalid>;q=0.7;audio;+sip.instance=\"<urn:x>\";Expires=90;x-y=\"1,2;3\"";
  EXPECT_THAT(
      contacts(send({.contacts = {odd}})),
      ElementsAre(
          "\"A \\\"x\\\"\" <sip:a@b.invalid>;q=0.7;audio;+sip.instance=\"<urn:x>\";x-y=\"1,2;3\""
          ";expires=90"));
}

TEST_F(RegistrarTest, KeepsAContactWithoutBrackets) {
  EXPECT_THAT(contacts(send({.contacts = {"sip:a@b.invalid;expires=90;x=1"}})),
              ElementsAre("sip:a@b.invalid;x=1;expires=90"));
}

// RFC 3261 §10.3: the very interval, refresh after refresh [race-register-echo]
TEST_F(RegistrarTest, GrantsExactlyWhatWasAskedAcrossRefreshes) {
  for (std::uint32_t i = 1; i <= 5; ++i) {
    const auto response = send({.contacts = {kSipJs + ";expires=301"}, .cseq = i});
    EXPECT_THAT(contacts(response), ElementsAre(kSipJs + ";expires=301"));
    pass(milliseconds{150500});
  }
}

// RFC 3261 §10.3: the 200 lists all bindings [register-200]
TEST_F(RegistrarTest, ListsAllBindingsOfTheUserWithTheTimeThatIsLeft) {
  send({.contacts = {kJsSip + ";expires=600"}});
  pass(milliseconds{100400});
  const auto response = send({.contacts = {kSipJs + ";expires=300"}, .call_id = "call-2"});
  EXPECT_THAT(contacts(response), ElementsAre(kJsSip + ";expires=500", kSipJs + ";expires=300"));
}

TEST_F(RegistrarTest, DoesNotListOtherUsersBindings) {
  send({.contacts = {kJsSip}});
  EXPECT_THAT(contacts(send({.contacts = {kSipJs}, .expires = "60", .user = "bob"})),
              ElementsAre(kSipJs + ";expires=60"));
}

// RFC 3261 §10.3: the 200 has Date [register-200]
TEST_F(RegistrarTest, HasDateAndTheTag) {
  const auto response = send({.contacts = {kSipJs}});
  EXPECT_EQ(response.header(HeaderName::date), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(sip::to_of(response).tag(), "to-tag");
}

// RFC 3261 §10.3: without Contact it is a query [register-query]
TEST_F(RegistrarTest, WithoutContactIsAQuery) {
  send({.contacts = {kSipJs + ";expires=300"}});
  const auto response = send({.cseq = 2, .expires = "0"});
  EXPECT_EQ(response.status(), 200);
  EXPECT_THAT(contacts(response), ElementsAre(kSipJs + ";expires=300"));
  EXPECT_THAT(observations_, IsEmpty());
}

// ---------------------------------------------------------------- Path and Service-Route

// RFC 3327 §5.3: Path is stored with the binding and comes back [path]
TEST_F(RegistrarTest, KeepsThePathOfABindingAndGivesItBack) {
  const auto response =
      send({.contacts = {kSipJs},
            .extra = "Path: <sip:b.test;lr>\r\nPath: <sip:a.test;lr;x=1>\r\nSupported: path\r\n"});
  EXPECT_EQ(response.status(), 200);
  EXPECT_THAT(response.headers(HeaderName::path),
              ElementsAre("<sip:b.test;lr>", "<sip:a.test;lr;x=1>"));
  EXPECT_THAT(registrar_.find("alice", moment_.now).at(0).path,
              ElementsAre("<sip:b.test;lr>", "<sip:a.test;lr;x=1>"));
  // Each registration says it anew.
  EXPECT_FALSE(send({.contacts = {kSipJs}, .cseq = 2}).header(HeaderName::path));
  EXPECT_THAT(registrar_.find("alice", moment_.now).at(0).path, IsEmpty());
}

// RFC 3327 §5.3: a Path that the client would not understand is refused [path]
TEST_F(RegistrarTest, APathThatTheClientDoesNotSupportIs420) {
  const auto response =
      send({.contacts = {kSipJs}, .extra = "Path: <sip:edge.test;lr>\r\nSupported: gruu\r\n"});
  EXPECT_EQ(response.status(), 420);
  EXPECT_EQ(response.header(HeaderName::unsupported), "path");
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(RegistrarTest, APathThatIsNoneIs400) {
  const auto with = [&](const std::string& path) {
    return send({.contacts = {kSipJs}, .extra = "Path: " + path + "\r\nSupported: path\r\n"})
        .status();
  };
  EXPECT_EQ(with("nonsense <"), 400);
  EXPECT_EQ(with("<tel:1234>"), 400);
  EXPECT_EQ(with("*"), 400);
  EXPECT_EQ(with("<sip:a.test;x=" + std::string(2048, 'x') + ">"), 400);
  std::string long_way = "<sip:1.test;lr>";
  for (int proxy = 2; proxy <= 9; ++proxy)
    long_way += ", <sip:" + std::to_string(proxy) + ".test;lr>";
  EXPECT_EQ(with(long_way), 400);
  EXPECT_THAT(found(), IsEmpty());
}

// RFC 3608 §6.2: the 200 names the route that requests of the user take [service-route-given]
TEST_F(RegistrarTest, The200HasTheServiceRoute) {
  registrar_ = Registrar(RegistrarSettings{}, gruus_, "<sip:example.test;transport=ws;lr>");
  EXPECT_EQ(send({.contacts = {kSipJs}}).header(HeaderName::service_route),
            "<sip:example.test;transport=ws;lr>");
  EXPECT_FALSE(
      send({.contacts = {kSipJs + ";expires=1"}, .cseq = 2}).header(HeaderName::service_route))
      << "a refusal has none";
}

// ---------------------------------------------------------------- outbound

// RFC 5626 §6: outbound is required in the 200 [outbound-confirmed]
TEST_F(RegistrarTest, ConfirmsOutboundWhenAskedForItWithInstanceAndRegId) {
  const auto response =
      send({.contacts = {kJsSip}, .extra = "Supported: path, outbound, gruu\r\n"});
  EXPECT_EQ(response.header(HeaderName::require), "outbound");
  EXPECT_EQ(response.header(HeaderName::supported), "outbound");
}

// RFC 5626 §6: and not otherwise [outbound-confirmed]
TEST_F(RegistrarTest, DoesNotConfirmOutboundOtherwise) {
  const std::string outbound = "Supported: outbound\r\n";
  EXPECT_FALSE(send({.contacts = {kJsSip}, .call_id = "1"}).header(HeaderName::require));
  EXPECT_FALSE(
      send({.contacts = {kSipJs}, .call_id = "2", .extra = outbound}).header(HeaderName::require));
  EXPECT_FALSE(send({.contacts = {kSipJs + ";reg-id=1"}, .call_id = "3", .extra = outbound})
                   .header(HeaderName::require));
  EXPECT_FALSE(send({.call_id = "4", .extra = outbound}).header(HeaderName::require));
}

// RFC 5626 §6: behind a proxy it is the proxy that keeps the flow, if its Path says so
// [outbound-confirmed]
TEST_F(RegistrarTest, BehindAProxyItsPathDecidesAboutOutbound) {
  std::uint32_t cseq = 0;
  const auto through = [&](const std::string& path) {
    return send({.contacts = {kJsSip},
                 .cseq = ++cseq,
                 .extra = "Supported: outbound, path\r\n" + path +
                          "Via: SIP/2.0/WS behind.invalid;branch=z9hG4bK2\r\n"});
  };
  EXPECT_EQ(through("").status(), 439);
  EXPECT_EQ(through("Path: <sip:edge.test;lr>\r\n").status(), 439);
  EXPECT_EQ(through("Path: <sip:far.test;lr;ob>, <sip:edge.test;lr>\r\n").status(), 439)
      << "it is the first hop's, which stands last";
  EXPECT_THAT(found(), IsEmpty());
  const auto kept = through("Path: <sip:far.test;lr>, <sip:token@edge.test;lr;ob>\r\n");
  EXPECT_EQ(kept.status(), 200);
  EXPECT_EQ(kept.header(HeaderName::require), "outbound");
}

// RFC 5627 §5.1: a GRUU is no contact
TEST_F(RegistrarTest, AGruuIsNoContact) {
  EXPECT_EQ(send({.contacts = {"<sip:alice@example.test;gr=urn:uuid:1>"}}).status(), 403);
  EXPECT_THAT(found(), IsEmpty());
}

// RFC 5626 §6: a new flow replaces the old [outbound-binding]
// RFC 5626 §6: no stale binding stays [race-stale-binding]
TEST_F(RegistrarTest, ANewFlowOfTheSameInstanceAndRegIdReplacesTheOld) {
  send({.contacts = {kJsSip}});
  send({.contacts = {"<sip:new@z.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:1>\""},
        .call_id = "call-2",
        .flow = FlowId{2}});
  EXPECT_THAT(kinds(), ElementsAre(Kind::refreshed));
  EXPECT_THAT(found(), ElementsAre("new"));
  EXPECT_EQ(registrar_.find("alice", moment_.now)[0].target.flow, FlowId{2});
  EXPECT_EQ(registrar_.size(), 1u);
}

// RFC 5626 §6: the late end of the old flow changes nothing [outbound-binding]
TEST_F(RegistrarTest, ALateCloseOfTheOldFlowDoesNotTouchTheNewBinding) {
  send({.contacts = {kJsSip}});
  send({.contacts = {kJsSip}, .cseq = 2, .flow = FlowId{2}});
  close(FlowId{1});
  EXPECT_THAT(observations_, IsEmpty());
  EXPECT_THAT(found(), ElementsAre("k3v8"));
}

// RFC 5626 §7: the newest flow of an instance is used [reg-id-latest]
TEST_F(RegistrarTest, AnotherRegIdIsAnotherBindingAndTheNewestIsRung) {
  send({.contacts = {"<sip:one@z.invalid>;reg-id=1;+sip.instance=\"<urn:uuid:1>\""}});
  send({.contacts = {"<sip:two@z.invalid>;reg-id=2;+sip.instance=\"<urn:uuid:1>\""},
        .call_id = "call-2",
        .flow = FlowId{2}});
  EXPECT_EQ(registrar_.size(), 2u);
  EXPECT_THAT(found(), ElementsAre("two"));
  close(FlowId{2});
  EXPECT_THAT(found(), ElementsAre("one"));
}

TEST_F(RegistrarTest, AnInstanceWithoutRegIdIsOneBindingWhateverItsUri) {
  send({.contacts = {"<sip:one@z.invalid>;+sip.instance=\"<urn:uuid:1>\""}});
  send({.contacts = {"<sip:two@z.invalid>;+sip.instance=\"<urn:uuid:1>\""}, .call_id = "call-2"});
  EXPECT_THAT(found(), ElementsAre("two"));
  EXPECT_EQ(registrar_.size(), 1u);
}

TEST_F(RegistrarTest, WithoutAnInstanceTheUriIsCompared) {
  send({.contacts = {"<sip:a%6cice@Z.invalid;transport=WS>"}});
  send({.contacts = {"<sip:alice@z.INVALID;transport=ws>"}, .cseq = 2});
  EXPECT_EQ(registrar_.size(), 1u);
  send({.contacts = {"<sip:Alice@z.invalid;transport=ws>"}, .cseq = 3});
  EXPECT_EQ(registrar_.size(), 2u);
}

TEST_F(RegistrarTest, AContactWithoutInstanceIsComparedByUriWithAllBindings) {
  send({.contacts = {kJsSip}});
  send({.contacts = {"<sip:k3v8@a1b2.invalid;transport=ws;ob>;expires=0"}, .call_id = "call-2"});
  EXPECT_EQ(registrar_.size(), 0u);
}

TEST_F(RegistrarTest, ARegIdWithoutAnInstanceOrOutOfRangeMeansNothing) {
  send({.contacts = {"<sip:one@z.invalid>;reg-id=1"}});
  EXPECT_EQ(registrar_.find("alice", moment_.now)[0].reg_id, 0u);
  send({.contacts = {"<sip:two@z.invalid>;+sip.instance=\"<urn:uuid:1>\";reg-id=4294967295"},
        .call_id = "call-2"});
  EXPECT_EQ(registrar_.find("alice", moment_.now)[0].reg_id, 0u);
}

TEST_F(RegistrarTest, SeveralContactsWithARegIdAreRefused) {
  const auto response = send({.contacts = {kJsSip, kSipJs}});
  EXPECT_EQ(response.status(), 400);
  EXPECT_EQ(registrar_.size(), 0u);
}

TEST_F(RegistrarTest, RemembersWhatCallsNeed) {
  send({.contacts = {kJsSip}, .call_id = "call-7", .cseq = 77, .flow = FlowId{5}});
  const Binding binding = registrar_.find("alice", moment_.now).at(0);
  EXPECT_EQ(binding.user, "alice");
  EXPECT_EQ(binding.contact.uri.text(), "sip:k3v8@a1b2.invalid;transport=ws;ob");
  EXPECT_EQ(binding.instance, "<urn:uuid:1>");
  EXPECT_EQ(binding.reg_id, 1u);
  EXPECT_EQ(binding.target.flow, FlowId{5});
  EXPECT_EQ(binding.target.transport, sip::Transport::ws);
  EXPECT_EQ(binding.call_id, "call-7");
  EXPECT_EQ(binding.sequence, 77u);
  EXPECT_EQ(binding.user_agent, "JsSIP 3.13.8");
}

// ---------------------------------------------------------------- expiry

// RFC 3261 §10.3: expires of the contact comes first [register-expiry]
TEST_F(RegistrarTest, TheContactsExpiryGoesBeforeTheHeaderField) {
  EXPECT_THAT(contacts(send({.contacts = {kSipJs + ";expires=100"}, .expires = "200"})),
              ElementsAre(HasSubstr(";expires=100")));
}

// RFC 3261 §10.3: then the default [register-expiry]
TEST_F(RegistrarTest, WithoutEitherTheDefaultCounts) {
  EXPECT_THAT(contacts(send({.contacts = {kSipJs}})), ElementsAre(HasSubstr(";expires=600")));
}

TEST_F(RegistrarTest, AMalformedExpiryCountsAsAnHour) {
  EXPECT_THAT(contacts(send({.contacts = {kSipJs + ";expires=soon"}})),
              ElementsAre(HasSubstr(";expires=3600")));
  EXPECT_THAT(contacts(send({.contacts = {kSipJs}, .cseq = 2, .expires = "-1"})),
              ElementsAre(HasSubstr(";expires=3600")));
}

// RFC 3261 §10.3: too much is shortened [register-expiry]
TEST_F(RegistrarTest, ALongExpiryIsShortened) {
  for (const std::string asked : {"3601", "86400", "4294967295", "99999999999999999999"}) {
    EXPECT_THAT(contacts(send({.contacts = {kSipJs}, .call_id = asked, .expires = asked})),
                ElementsAre(HasSubstr(";expires=3600")))
        << asked;
  }
}

// RFC 3261 §10.3: too little gets 423 and Min-Expires [register-423]
TEST_F(RegistrarTest, ABriefExpiryIsRefusedWithTheMinimum) {
  const auto response = send({.contacts = {kSipJs + ";expires=59"}});
  EXPECT_EQ(response.status(), 423);
  EXPECT_EQ(response.header(HeaderName::min_expires), "60");
  EXPECT_EQ(registrar_.size(), 0u);
  EXPECT_EQ(send({.contacts = {kSipJs + ";expires=60"}}).status(), 200);
}

// RFC 3261 §10.3: an hour is never too brief [register-423]
TEST_F(RegistrarTest, AnHourIsNeverTooBrief) {
  registrar_ = Registrar(
      RegistrarSettings{.min_expires = 7200, .default_expires = 7200, .max_expires = 7200}, gruus_);
  EXPECT_EQ(send({.contacts = {kSipJs + ";expires=3599"}}).status(), 423);
  EXPECT_THAT(contacts(send({.contacts = {kSipJs + ";expires=3600"}})),
              ElementsAre(HasSubstr(";expires=3600")));
}

// RFC 3261 §10.3: zero removes [register-expiry]
TEST_F(RegistrarTest, ZeroRemovesTheBinding) {
  send({.contacts = {kSipJs}});
  const auto response = send({.contacts = {kSipJs + ";expires=0"}, .cseq = 2});
  EXPECT_EQ(response.status(), 200);
  EXPECT_THAT(contacts(response), IsEmpty());
  EXPECT_THAT(kinds(), ElementsAre(Kind::removed));
  EXPECT_EQ(registrar_.deadline(), kNever);
}

TEST_F(RegistrarTest, RemovingWhatIsNotThereIsNotAFault) {
  EXPECT_EQ(send({.contacts = {kSipJs}, .expires = "0"}).status(), 200);
  EXPECT_THAT(observations_, IsEmpty());
}

TEST_F(RegistrarTest, ABindingEndsAtItsDeadline) {
  send({.contacts = {kSipJs + ";expires=60"}});
  EXPECT_EQ(registrar_.deadline(), moment_.now + seconds{60});
  pass(seconds{60} - milliseconds{1});
  expire();
  EXPECT_THAT(found(), SizeIs(1));
  pass(milliseconds{1});
  EXPECT_THAT(found(), IsEmpty());
  expire();
  EXPECT_THAT(kinds(), ElementsAre(Kind::expired));
  EXPECT_EQ(registrar_.size(), 0u);
  EXPECT_EQ(registrar_.deadline(), kNever);
}

TEST_F(RegistrarTest, TheNearestDeadlineComesFirst) {
  send({.contacts = {kJsSip + ";expires=300"}});
  send({.contacts = {kSipJs + ";expires=100"}, .user = "bob"});
  EXPECT_EQ(registrar_.deadline(), moment_.now + seconds{100});
  pass(seconds{100});
  expire();
  EXPECT_THAT(observations_, SizeIs(1));
  EXPECT_EQ(registrar_.deadline(), moment_.now + seconds{200});
}

TEST_F(RegistrarTest, ARefreshMovesTheDeadline) {
  send({.contacts = {kSipJs + ";expires=60"}});
  pass(seconds{50});
  send({.contacts = {kSipJs + ";expires=60"}, .cseq = 2});
  EXPECT_THAT(kinds(), ElementsAre(Kind::refreshed));
  EXPECT_EQ(registrar_.deadline(), moment_.now + seconds{60});
}

TEST_F(RegistrarTest, ABindingThatEndedUnnoticedIsNotListedAndDoesNotOrderRequests) {
  send({.contacts = {kSipJs + ";expires=60"}, .cseq = 9});
  pass(seconds{61});
  const auto response = send({.contacts = {kSipJs + ";expires=60"}, .cseq = 3});
  EXPECT_EQ(response.status(), 200);
  EXPECT_THAT(kinds(), ElementsAre(Kind::expired, Kind::added));
}

}  // namespace
}  // namespace trunkline::call
