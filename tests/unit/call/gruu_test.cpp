#include "established_call.hpp"
#include "registrar_fixture.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// The URIs of a user's devices (RFC 5627): who gets them, and where they lead.
namespace trunkline::call {
namespace {

using sip::HeaderName;
using sip::Method;
using testing::HasSubstr;
using testing::Not;

sip::Uri uri_in(const std::string& contact, std::string_view parameter) {
  const auto address = sip::NameAddress::parse(contact);
  EXPECT_TRUE(address) << contact;
  const auto uri = sip::Uri::parse(sip::unquote(address->parameter(parameter)));
  EXPECT_TRUE(uri) << contact;
  return uri ? *uri : sip::Uri{};
}

struct RegisteredGruu : RegistrarTest {
  Register jssip(std::uint32_t cseq = 1, const std::string& user = "Alice") {
    return {.contacts = {kJsSip}, .cseq = cseq, .user = user, .extra = "Supported: gruu\r\n"};
  }
};

// RFC 5627 §5.3: a client that supports GRUU gets a public and a temporary one of its device [gruu]
TEST_F(RegisteredGruu, ADeviceGetsBothInItsContact) {
  const auto contact = contacts(send(jssip())).at(0);
  EXPECT_THAT(contact, testing::StartsWith(kJsSip)) << "its own Contact comes first, unchanged";
  EXPECT_THAT(contact, HasSubstr(";pub-gruu=\"sip:Alice@example.test;gr=urn:uuid:1\""));
  const auto temporary = uri_in(contact, "temp-gruu");
  EXPECT_TRUE(temporary.has_parameter("gr"));
  EXPECT_THAT(temporary.text(), Not(HasSubstr("lice")));
  EXPECT_EQ(gruus_.find(temporary), (Gruus::Device{"Alice", "<urn:uuid:1>"}));
}

// RFC 5627 §5.3: who does not ask for it, and a contact without an instance, gets none
TEST_F(RegisteredGruu, NobodyElseGetsOne) {
  EXPECT_THAT(contacts(send({.contacts = {kJsSip}})).at(0), Not(HasSubstr("gruu")));
  EXPECT_THAT(
      contacts(send({.contacts = {kSipJs}, .user = "bob", .extra = "Supported: gruu\r\n"})).at(0),
      Not(HasSubstr("gruu")));
}

// RFC 5627 §3.2: a refresh makes a new temporary GRUU, and the old one stays good
TEST_F(RegisteredGruu, ARefreshMakesANewTemporaryOneAndTheOldStaysGood) {
  const auto first = uri_in(contacts(send(jssip(1))).at(0), "temp-gruu");
  const auto second = uri_in(contacts(send(jssip(2))).at(0), "temp-gruu");
  EXPECT_NE(first.text(), second.text());
  EXPECT_EQ(gruus_.find(first), gruus_.find(second));
}

TEST_F(RegisteredGruu, OfManyRefreshesTheOldestIsForgotten) {
  const auto first = uri_in(contacts(send(jssip(1))).at(0), "temp-gruu");
  for (std::uint32_t cseq = 2; cseq <= kMaxTemporaryUris; ++cseq)
    send(jssip(cseq));
  EXPECT_TRUE(gruus_.find(first));
  send(jssip(kMaxTemporaryUris + 1));
  EXPECT_FALSE(gruus_.find(first));
}

// RFC 5627 §3.2: temporary GRUUs end with the registration
TEST_F(RegisteredGruu, TheTemporaryOnesEndWithTheRegistration) {
  const auto temporary = uri_in(contacts(send(jssip())).at(0), "temp-gruu");
  pass(std::chrono::hours{2});
  expire();
  EXPECT_FALSE(gruus_.find(temporary));
  EXPECT_TRUE(gruus_.is_gruu(temporary));
}

// RFC 5627 §4.2: the instance stands in the gr parameter with what must be escaped escaped
TEST_F(RegisteredGruu, AnOddInstanceComesBackAsItWas) {
  const Gruus::Device device{"a b", "<urn:x:1;2 3>"};
  const auto uri = sip::Uri::parse(gruus_.public_uri(device));
  ASSERT_TRUE(uri);
  EXPECT_EQ(gruus_.find(*uri), device);
}

}  // namespace

namespace simulation {
namespace {

struct CalledGruu : testing::Test {
  World world;
  Peer* alice = &world.registered("alice");
  Peer* desk = &world.registered("bob", 600, "desk");
  Peer* mobile = &world.registered("bob", 600, "mobile");
};

// RFC 5627 §5.1: a GRUU rings its device only [gruu]
TEST_F(CalledGruu, RingsThatDeviceOnly) {
  alice->to_parameters = ";gr=urn:uuid:mobile";
  world.answer_challenge(*alice, alice->invite("bob", "alice", kBrowserOffer), "alice");
  EXPECT_TRUE(mobile->take_request(Method::invite));
  EXPECT_FALSE(desk->take_request(Method::invite));
}

// RFC 5627 §5.1: a device that is not registered is unavailable, whoever else is
TEST_F(CalledGruu, IsUnavailableWithoutItsDevice) {
  alice->to_parameters = ";gr=urn:uuid:tablet";
  const auto call =
      world.answer_challenge(*alice, alice->invite("bob", "alice", kBrowserOffer), "alice");
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 480);
  EXPECT_FALSE(desk->take_request(Method::invite));
}

// RFC 5627 §5.2: a temporary GRUU that has ended is not found
TEST_F(CalledGruu, IsNotFoundWhenItHasEnded) {
  alice->to_parameters = ";gr";
  const auto call = world.answer_challenge(
      *alice, alice->invite("tgruu.long-gone", "alice", kBrowserOffer), "alice");
  EXPECT_EQ(alice->take_response(200, call)->response.status(), 404);
}

// RFC 5627 §5.2: a request to a GRUU goes to the contact that its device registered
TEST_F(CalledGruu, AsTheContactOfACallLeadsToTheContactOfTheDevice) {
  alice->contact = "<sip:alice@example.test;gr=urn:uuid:i-1>";
  const auto call =
      world.answer_challenge(*alice, alice->invite("5551000", "alice", kBrowserOffer), "alice");
  Peer& trunk = world.trunk();
  const auto invite = trunk.take_request(Method::invite);
  ASSERT_TRUE(invite);
  trunk.respond(*invite, 200, trunk_sdp());
  world.settle();
  alice->ack(*alice->take_response(200, call));
  trunk.send_in_dialog(Method::bye);
  world.settle();
  const auto bye = alice->take_request(Method::bye);
  ASSERT_TRUE(bye);
  EXPECT_EQ(bye->request.request_uri(), "sip:alice-x@abc.invalid;transport=ws");
}

}  // namespace
}  // namespace simulation
}  // namespace trunkline::call
