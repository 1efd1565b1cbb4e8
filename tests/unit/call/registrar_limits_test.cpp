#include "unit/call/registrar_fixture.hpp"

namespace trunkline::call {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// ---------------------------------------------------------------- wildcard

// RFC 3261 §10.3: the wildcard removes all [register-wildcard]
TEST_F(RegistrarTest, TheWildcardRemovesAll) {
  send({.contacts = {kJsSip}, .call_id = "a"});
  send({.contacts = {kSipJs}, .call_id = "b"});
  const auto response = send({.contacts = {"*"}, .call_id = "c", .expires = "0"});
  EXPECT_EQ(response.status(), 200);
  EXPECT_THAT(contacts(response), IsEmpty());
  EXPECT_THAT(kinds(), ElementsAre(Kind::removed, Kind::removed));
  EXPECT_EQ(registrar_.size(), 0u);
}

// RFC 3261 §10.3: it needs Expires: 0 [register-wildcard]
TEST_F(RegistrarTest, TheWildcardNeedsExpiresZero) {
  send({.contacts = {kSipJs}});
  for (const std::string expires : {"", "60", "0x", "-0"}) {
    EXPECT_EQ(send({.contacts = {"*"}, .cseq = 2, .expires = expires}).status(), 400) << expires;
  }
  EXPECT_EQ(registrar_.size(), 1u);
}

// RFC 3261 §10.3: it stands alone [register-wildcard]
TEST_F(RegistrarTest, TheWildcardStandsAlone) {
  send({.contacts = {kSipJs}});
  EXPECT_EQ(send({.contacts = {"*", kSipJs}, .cseq = 2, .expires = "0"}).status(), 400);
  EXPECT_EQ(send({.contacts = {kSipJs, "*"}, .cseq = 3, .expires = "0"}).status(), 400);
  EXPECT_EQ(send({.contacts = {"*", "*"}, .cseq = 4, .expires = "0"}).status(), 400);
  EXPECT_EQ(registrar_.size(), 1u);
}

// RFC 3261 §10.3: an old wildcard removes nothing [register-order]
TEST_F(RegistrarTest, AnOldWildcardRemovesNothing) {
  send({.contacts = {kJsSip}, .call_id = "a", .cseq = 1});
  send({.contacts = {kSipJs}, .call_id = "b", .cseq = 5});
  EXPECT_EQ(send({.contacts = {"*"}, .call_id = "b", .cseq = 5, .expires = "0"}).status(), 500);
  EXPECT_THAT(observations_, IsEmpty());
  EXPECT_EQ(registrar_.size(), 2u);
}

// ---------------------------------------------------------------- order

// RFC 3261 §10.3: CSeq of a Call-ID must rise [register-order]
TEST_F(RegistrarTest, ALowerOrEqualCSeqOfTheSameCallIdIsRefused) {
  send({.contacts = {kSipJs + ";expires=600"}, .cseq = 5});
  EXPECT_EQ(send({.contacts = {kSipJs + ";expires=0"}, .cseq = 4}).status(), 500);
  EXPECT_EQ(send({.contacts = {kSipJs + ";expires=0"}, .cseq = 5}).status(), 500);
  EXPECT_THAT(found(), SizeIs(1));
  EXPECT_EQ(send({.contacts = {kSipJs + ";expires=0"}, .cseq = 6}).status(), 200);
}

TEST_F(RegistrarTest, AnotherCallIdStartsItsOwnOrder) {
  send({.contacts = {kSipJs}, .call_id = "a", .cseq = 500});
  EXPECT_EQ(send({.contacts = {kSipJs}, .call_id = "b", .cseq = 1}).status(), 200);
}

// RFC 3261 §10.3: all of a REGISTER or nothing [register-atomic]
TEST_F(RegistrarTest, OneContactOutOfOrderRefusesTheWholeRequest) {
  send({.contacts = {"<sip:one@z.invalid>"}, .cseq = 5});
  EXPECT_EQ(send({.contacts = {"<sip:two@z.invalid>", "<sip:one@z.invalid>"}, .cseq = 5}).status(),
            500);
  EXPECT_THAT(found(), ElementsAre("one"));
}

TEST_F(RegistrarTest, AContactTwiceInOneRequestIsOneBinding) {
  const auto response = send({.contacts = {kSipJs + ";expires=100", kSipJs + ";expires=200"}});
  EXPECT_THAT(contacts(response), ElementsAre(kSipJs + ";expires=200"));
  EXPECT_EQ(registrar_.size(), 1u);
}

// ---------------------------------------------------------------- what can't be a contact

TEST_F(RegistrarTest, ContactsThatAreNoSipUriAreRefused) {
  for (const std::string contact :
       {"<tel:+12025550100>", "<mailto:alice@example.test>", "<http://example.test>", "<sip:>",
        "<>", "<sip:a@b", "\"open <sip:a@b>"}) {
    EXPECT_EQ(send({.contacts = {contact}}).status(), 400) << contact;
  }
  EXPECT_EQ(send({.contacts = {"<sips:a@b.invalid>"}}).status(), 200);
}

TEST_F(RegistrarTest, AContactThatWouldInjectARouteIsRefused) {
  EXPECT_EQ(send({.contacts = {"sip:user@example.com?Route=%3Csip:sip.example.com%3E"}}).status(),
            400);
  EXPECT_EQ(send({.contacts = {"<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"}}).status(),
            400);
}

// RFC 3261 §10.3: all of a REGISTER or nothing [register-atomic]
TEST_F(RegistrarTest, OneBadContactRefusesTheWholeRequest) {
  EXPECT_EQ(send({.contacts = {kSipJs, "<tel:1>"}}).status(), 400);
  EXPECT_EQ(registrar_.size(), 0u);
  EXPECT_THAT(observations_, IsEmpty());
}

TEST_F(RegistrarTest, AnEndlessContactOrCallIdIsRefused) {
  EXPECT_EQ(send({.contacts = {"<sip:" + std::string(3000, 'a') + "@b.invalid>"}}).status(), 400);
  EXPECT_EQ(send({.contacts = {kSipJs}, .call_id = std::string(3000, 'c')}).status(), 400);
}

TEST_F(RegistrarTest, UsersWithAnEscapedNulAreTwoBindings) {
  send({.contacts = {"<sip:%00@host5.invalid>", "<sip:%00%00@host5.invalid>"}});
  EXPECT_THAT(found(), ElementsAre("%00%00", "%00"));
}

// ---------------------------------------------------------------- limits

// RFC 3261 §10.3: so many contacts and no more [register-limit]
TEST_F(RegistrarTest, OneContactTooManyIsRefused) {
  for (std::uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(send({.contacts = {"<sip:" + std::to_string(i) + "@z.invalid>"},
                    .call_id = std::to_string(i)})
                  .status(),
              200);
  }
  EXPECT_EQ(send({.contacts = {"<sip:more@z.invalid>"}, .call_id = "more"}).status(), 403);
  EXPECT_EQ(registrar_.size(), 10u);
  EXPECT_EQ(send({.contacts = {"<sip:3@z.invalid>"}, .call_id = "3", .cseq = 2}).status(), 200);
}

TEST_F(RegistrarTest, ABindingMayBeReplacedInOneRequestWhenAllPlacesAreTaken) {
  for (std::uint32_t i = 0; i < 10; ++i) {
    send({.contacts = {"<sip:" + std::to_string(i) + "@z.invalid>"}, .call_id = std::to_string(i)});
  }
  EXPECT_EQ(
      send({.contacts = {"<sip:new@z.invalid>", "<sip:0@z.invalid>;expires=0"}, .call_id = "n"})
          .status(),
      200);
  EXPECT_EQ(registrar_.size(), 10u);
}

TEST_F(RegistrarTest, HundredsOfContactsInOneRequestAreRefused) {
  sip::Message request = message({});
  for (int i = 0; i < 300; ++i)
    request.add(HeaderName::contact, "<sip:" + std::to_string(i) + "@z.invalid>");
  EXPECT_EQ(registrar_.receive(request, "alice", {}, moment_, "t", observations_).status(), 403);
  EXPECT_EQ(registrar_.size(), 0u);
}

TEST_F(RegistrarTest, TheLastPlaceOfAllMayBeTaken) {
  registrar_ = Registrar(RegistrarSettings{.max_registrations = 2}, gruus_);
  EXPECT_EQ(send({.contacts = {kJsSip}, .call_id = "1"}).status(), 200);
  EXPECT_EQ(send({.contacts = {kSipJs}, .call_id = "2"}).status(), 200);
  EXPECT_EQ(send({.contacts = {"<sip:x@y.invalid>"}, .call_id = "3"}).status(), 503);
}

TEST_F(RegistrarTest, AFullRegistrarRefusesNewBindingsAndServesTheOldOnes) {
  registrar_ = Registrar(RegistrarSettings{.max_registrations = 2}, gruus_);
  send({.contacts = {kSipJs}, .user = "alice"});
  send({.contacts = {kSipJs}, .user = "bob"});
  const auto response = send({.contacts = {kSipJs}, .user = "carol"});
  EXPECT_EQ(response.status(), 503);
  EXPECT_TRUE(response.header(HeaderName::retry_after));
  EXPECT_EQ(send({.contacts = {kSipJs}, .cseq = 2, .user = "bob"}).status(), 200);
  EXPECT_EQ(send({.contacts = {kSipJs + ";expires=0"}, .cseq = 2, .user = "alice"}).status(), 200);
  EXPECT_EQ(send({.contacts = {kSipJs}, .cseq = 2, .user = "carol"}).status(), 200);
}

// ---------------------------------------------------------------- finding and losing

TEST_F(RegistrarTest, FindsTheMostRecentlyRegisteredFirst) {
  send({.contacts = {"<sip:one@z.invalid>"}, .call_id = "1"});
  send({.contacts = {"<sip:two@z.invalid>"}, .call_id = "2"});
  send({.contacts = {"<sip:three@z.invalid>"}, .call_id = "3"});
  EXPECT_THAT(found(), ElementsAre("three", "two", "one"));
  send({.contacts = {"<sip:one@z.invalid>"}, .call_id = "1", .cseq = 2});
  EXPECT_THAT(found(), ElementsAre("one", "three", "two"));
}

TEST_F(RegistrarTest, FindsNothingForOthers) {
  send({.contacts = {kSipJs}});
  EXPECT_THAT(found("bob"), IsEmpty());
  EXPECT_THAT(found("Alice"), IsEmpty());
}

// RFC 7118 §5: the bindings of a closed connection end [ws-closed]
TEST_F(RegistrarTest, AClosedFlowTakesAllItsBindingsAndNoOthers) {
  send({.contacts = {kJsSip}, .call_id = "1", .flow = FlowId{1}});
  send({.contacts = {kSipJs}, .call_id = "2", .flow = FlowId{2}});
  send({.contacts = {kSipJs}, .flow = FlowId{1}, .user = "bob"});
  close(FlowId{1});
  EXPECT_THAT(kinds(), ElementsAre(Kind::flow_lost, Kind::flow_lost));
  EXPECT_THAT(found(), ElementsAre("q9x7"));
  EXPECT_THAT(found("bob"), IsEmpty());
  EXPECT_EQ(registrar_.size(), 1u);
}

TEST_F(RegistrarTest, ClosingAFlowWithoutBindingsDoesNothing) {
  send({.contacts = {kSipJs}});
  close(FlowId{7});
  close(FlowId{});
  EXPECT_THAT(observations_, IsEmpty());
  EXPECT_EQ(registrar_.size(), 1u);
}

TEST_F(RegistrarTest, ARegistrationAfterALostFlowIsNew) {
  send({.contacts = {kSipJs}, .cseq = 5});
  close(FlowId{1});
  send({.contacts = {kSipJs}, .cseq = 5, .flow = FlowId{2}});
  EXPECT_THAT(kinds(), ElementsAre(Kind::added));
}

TEST_F(RegistrarTest, AnyMixOfRequestsStaysInItsLimitsAndLeavesNothingBehind) {
  registrar_ = Registrar(RegistrarSettings{.max_contacts = 4, .max_registrations = 10}, gruus_);
  SeededRandom random(7);
  const auto pick = [&](std::uint32_t bound) { return std::to_string(random.below(bound)); };
  for (std::uint32_t i = 1; i <= 4000; ++i) {
    Register request{.call_id = "call-" + pick(5), .cseq = random.below(i) + 1};
    request.flow = FlowId{1 + random.below(6)};
    request.user = "user" + pick(5);
    for (std::uint32_t left = random.below(4); left > 0; --left) {
      std::string contact = "<sip:c" + pick(6) + "@z.invalid>";
      if (random.below(2) == 0) contact += ";+sip.instance=\"<urn:" + pick(3) + ">\"";
      if (random.below(2) == 0) contact += ";reg-id=" + pick(3);
      if (random.below(2) == 0) contact += ";expires=" + pick(300);
      request.contacts.push_back(random.below(20) == 0 ? "*" : contact);
    }
    if (random.below(3) == 0) request.expires = pick(2);
    const auto response = send(request);
    EXPECT_LE(response.count(HeaderName::contact), 4u);
    EXPECT_LE(registrar_.size(), 10u);
    EXPECT_GT(registrar_.deadline(), moment_.now);
    pass(seconds{random.below(30)});
    if (random.below(10) == 0) close(FlowId{1 + random.below(6)});
    if (random.below(5) == 0) expire();
  }
  for (std::uint64_t flow = 1; flow <= 6; ++flow)
    close(FlowId{flow});
  EXPECT_EQ(registrar_.size(), 0u);
  EXPECT_EQ(registrar_.deadline(), kNever);
}

TEST_F(RegistrarTest, ObservesWhoWhereAndWithWhat) {
  send({.contacts = {"<sip:a@b.invalid;transport=ws;ha1=0123456789abcdef>"}});
  const auto& change = std::get<RegistrationChanged>(observations_.at(0));
  EXPECT_EQ(change.kind, Kind::added);
  EXPECT_EQ(change.registration.user, "alice");
  EXPECT_EQ(change.registration.contact, "sip:a@b.invalid;transport=ws");
  EXPECT_EQ(change.registration.user_agent, "JsSIP 3.13.8");
}

}  // namespace
}  // namespace trunkline::call
