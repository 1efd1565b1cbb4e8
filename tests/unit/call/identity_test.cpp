#include "call/identity.hpp"

#include "call/trunks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

using sip::HeaderName;
using testing::ElementsAre;
using testing::IsEmpty;

struct Identities : testing::Test {
  std::vector<UserSettings> users{{"alice", "secret", {"+4930123456", "+4930123457"}},
                                  {"bob", "secret"}};
  TrunkSettings settings;
  sip::Message request = sip::Message::request(sip::Method::invite, "sip:5551000@example.test");

  Identities() {
    settings.name = "carrier";
    settings.uri = *sip::Uri::parse("sip:192.0.2.9");
    from("\"Alice\" <sip:alice@example.test>;tag=1");
  }
  Trunk trunk() const { return *Trunks({settings}).all().front(); }
  void from(std::string_view value) { request.set(HeaderName::from, value); }
  void asserts(std::string_view value) { request.add(HeaderName::p_asserted_identity, value); }
  void prefers(std::string_view value) { request.set(HeaderName::p_preferred_identity, value); }
  Presentation shown(const Identity& who) const {
    const Trunk to = trunk();
    return present(who, "example.test", &to);
  }
};

TEST_F(Identities, AUserIsItsNameAmongUsersAndItsNumberForTrunks) {
  const Identity who = identity_of_user(users, "alice", request);
  EXPECT_EQ(present(who, "example.test", nullptr).from.text(),
            "\"Alice\" <sip:alice@example.test>");
  EXPECT_EQ(shown(who).from.text(), "\"Alice\" <sip:+4930123456@example.test>");
  EXPECT_THAT(shown(who).asserted, IsEmpty()) << "nothing was said of trust";
}

// RFC 3325 §6: of a user's own identities it may prefer one, and of no others [asserted-identity]
TEST_F(Identities, AUserMayPreferANumberOfItsOwn) {
  settings.asserts_identity = true;
  for (const char* value : {"<sip:+4930123457@example.test>", "tel:+49-30-123457",
                            "<sip:+49-30-123457@anywhere.test;user=phone>"}) {
    prefers(value);
    EXPECT_THAT(shown(identity_of_user(users, "alice", request)).asserted,
                ElementsAre("\"Alice\" <sip:+4930123457@example.test>"))
        << value;
  }
  for (const char* value : {"<sip:+15550000@example.test>", "tel:+15550000",
                            "<sip:bob@example.test>", "*", "nonsense <"}) {
    prefers(value);
    EXPECT_THAT(shown(identity_of_user(users, "alice", request)).asserted,
                ElementsAre("\"Alice\" <sip:+4930123456@example.test>"))
        << value;
  }
}

TEST_F(Identities, AUserWithoutNumbersIsItsAddressOfRecord) {
  settings.asserts_identity = true;
  prefers("<sip:+4930123456@example.test>");
  asserts("<sip:+15550000@example.test>");
  EXPECT_THAT(shown(identity_of_user(users, "bob")).asserted,
              ElementsAre("<sip:bob@example.test>"));
}

TEST_F(Identities, TheNumberThatWasCalledIsTheOneThatAnswers) {
  EXPECT_EQ(identity_of_user(users, "alice", "+4930123457").at_trunks, "+4930123457");
  EXPECT_EQ(identity_of_user(users, "alice", "1001").at_trunks, "+4930123456");
}

// RFC 3325 §5: what a peer that is not trusted asserts is passed over [asserted-identity]
TEST_F(Identities, OnlyATrunkThatIsTrustedAsserts) {
  from("\"Main\" <sip:+493000@carrier.test>;tag=1");
  asserts("\"Real\" <sip:+4912345@carrier.test>");
  const Identity untrusted = identity_of_peer(trunk(), request);
  EXPECT_EQ(untrusted.number, "+493000");
  EXPECT_FALSE(untrusted.asserted);
  settings.accepts_identity = true;
  const Identity trusted = identity_of_peer(trunk(), request);
  EXPECT_EQ(trusted.number, "+4912345");
  EXPECT_EQ(trusted.name, "Real");
  EXPECT_TRUE(trusted.asserted);
}

// RFC 3325 §9.1: one SIP value and one tel value at most [asserted-identity]
TEST_F(Identities, OfManyAssertedOneOfEachKindCounts) {
  settings.accepts_identity = settings.asserts_identity = true;
  for (const char* value : {"<mailto:a@b.test>", "<sip:one@carrier.test>", "<sip:two@carrier.test>",
                            "<tel:+491>", "<tel:+492>", "broken <"})
    asserts(value);
  EXPECT_THAT(shown(identity_of_peer(trunk(), request)).asserted,
              ElementsAre("\"Alice\" <sip:one@example.test>", "<tel:+491>"));
}

TEST_F(Identities, AnAssertedTelephoneAloneWillDo) {
  settings.accepts_identity = settings.asserts_identity = true;
  from("<sip:anonymous@anonymous.invalid>;tag=1");
  asserts("tel:+49-30-1");
  const Identity who = identity_of_peer(trunk(), request);
  EXPECT_EQ(who.number, "+49301");
  EXPECT_TRUE(who.privacy.hides_party());
  EXPECT_EQ(shown(who).from.text(), "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
  EXPECT_THAT(shown(who).asserted, ElementsAre("<sip:+49301@example.test>"));
}

// RFC 3325 §7: what is asserted goes to trusted peers only, with the wish for privacy
// [asserted-identity]
TEST_F(Identities, IsTrustedToTrustedPeersOnly) {
  request.add(HeaderName::privacy, "ID");
  const Identity who = identity_of_user(users, "alice", request);
  for (const bool trusted : {true, false}) {
    settings.asserts_identity = trusted;
    const Presentation seen = shown(who);
    EXPECT_EQ(seen.from.text(), "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
    EXPECT_EQ(seen.privacy, trusted ? "id" : "");
    EXPECT_EQ(seen.asserted.size(), trusted ? 1U : 0U);
  }
  EXPECT_EQ(present(who, "example.test", nullptr).from.text(),
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
}

TEST_F(Identities, AnAnonymousFromAsksForPrivacy) {
  from("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1");
  const Identity who = identity_of_user(users, "alice", request);
  EXPECT_TRUE(who.privacy.hides_party());
  EXPECT_EQ(who.number, "alice");
  EXPECT_EQ(who.name, "");
}

TEST_F(Identities, WhoWantsNoPrivacyIsShown) {
  settings.asserts_identity = true;
  request.add(HeaderName::privacy, "none");
  const Identity who = identity_of_user(users, "alice", request);
  EXPECT_EQ(shown(who).privacy, "none");
  EXPECT_EQ(shown(who).from.uri.user, "+4930123456");
  settings.asserts_identity = false;
  EXPECT_EQ(shown(who).privacy, "none");
}

TEST_F(Identities, AreNotAssertedUnlessKnown) {
  settings.asserts_identity = true;
  from("<sip:+493000@carrier.test>;tag=1");
  const Identity who = identity_of_peer(trunk(), request);
  EXPECT_EQ(shown(who).from.uri.user, "+493000");
  EXPECT_THAT(shown(who).asserted, IsEmpty());
}

TEST_F(Identities, FollowTheRulesAndTheFormOfTheTrunk) {
  settings.asserts_identity = settings.accepts_identity = true;
  settings.calling_from = {{"^0", "+49"}};
  settings.calling_to = {{"^\\+49", "0"}};
  settings.number_form = NumberForm::phone;
  asserts("<sip:030123@carrier.test>");
  const Identity who = identity_of_peer(trunk(), request);
  EXPECT_EQ(who.number, "+4930123");
  EXPECT_EQ(shown(who).from.uri.text(), "sip:030123@example.test;user=phone");
  EXPECT_THAT(shown(who).asserted, ElementsAre("\"Alice\" <sip:030123@example.test;user=phone>"));
  settings.number_form = NumberForm::tel;
  settings.calling_to.clear();
  EXPECT_EQ(shown(who).from.uri.text(), "tel:+4930123");
}

}  // namespace
}  // namespace trunkline::call
