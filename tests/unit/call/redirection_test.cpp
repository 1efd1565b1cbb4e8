#include "call/redirection.hpp"

#include "call/trunks.hpp"

#include <gtest/gtest.h>

namespace trunkline::call {
namespace {

sip::Uri uri(std::string_view text) {
  return *sip::Uri::parse(text);
}

sip::Message moved(std::initializer_list<std::string_view> contacts) {
  sip::Message response = sip::Message::response(302);
  for (const auto contact : contacts)
    response.add(sip::HeaderName::contact, contact);
  return response;
}

std::string next(Redirection& to, std::uint32_t limit = 5) {
  const auto found = to.next(limit);
  if (found) to.followed();
  return found ? found->text() : "none";
}

TEST(Redirection, GoesToTheContactsByTheirPreference) {
  Redirection to;
  to.add(moved({"<sip:c@192.0.2.1>;q=0.2", "<sip:a@192.0.2.1>", "<sip:b@192.0.2.1>;q=0.25",
                "<sip:never@192.0.2.1>;q=0", "<sip:d@192.0.2.1>;q=0.2"}),
         uri("sip:1@192.0.2.1"));
  EXPECT_FALSE(to.under_way());
  EXPECT_EQ(next(to), "sip:a@192.0.2.1");
  EXPECT_TRUE(to.under_way());
  EXPECT_EQ(next(to), "sip:b@192.0.2.1");
  EXPECT_EQ(next(to), "sip:c@192.0.2.1");
  EXPECT_EQ(next(to), "sip:d@192.0.2.1");
}

TEST(Redirection, GoesToNoneTwice) {
  Redirection to;
  to.add(moved({"<sip:a@192.0.2.1>", "<sip:A@192.0.2.1>", "<sip:a@192.0.2.1:5060>",
                "<sip:a@192.0.2.1>;q=0.5", "<sip:1@192.0.2.1>"}),
         uri("sip:1@192.0.2.1"));
  EXPECT_EQ(next(to), "sip:a@192.0.2.1");
  to.add(moved({"<sip:1@192.0.2.1>", "<sip:a@192.0.2.1>"}), uri("sip:a@192.0.2.1"));
  EXPECT_EQ(next(to), "sip:A@192.0.2.1");
  EXPECT_EQ(next(to), "sip:a@192.0.2.1:5060");
  EXPECT_EQ(next(to), "none");
}

TEST(Redirection, EndsAtTheLimitHoweverDeep) {
  Redirection to;
  for (int depth = 0; depth < 3; ++depth) {
    to.add(moved({"<sip:x" + std::to_string(depth) + "@192.0.2.1>",
                  "<sip:y" + std::to_string(depth) + "@192.0.2.1>"}),
           uri("sip:1@192.0.2.1"));
    EXPECT_EQ(next(to, 3), "sip:x" + std::to_string(depth) + "@192.0.2.1");
  }
  EXPECT_EQ(next(to, 3), "none");
  EXPECT_EQ(next(to, 4), "sip:y2@192.0.2.1");
}

TEST(Redirection, CountsWhatWasFollowedAlone) {
  Redirection to;
  to.add(moved({"<sip:a@192.0.2.1>", "<sip:b@192.0.2.1>"}), uri("sip:1@192.0.2.1"));
  EXPECT_TRUE(to.next(1));
  EXPECT_FALSE(to.under_way());
  EXPECT_EQ(next(to, 1), "sip:b@192.0.2.1");
  EXPECT_TRUE(to.under_way());
}

TEST(Redirection, TakesNothingFromAContactButItsAddress) {
  Redirection to;
  to.add(moved({"<sip:a:secret@192.0.2.1?X-Forged=1>", "*", "nonsense"}), uri("sip:1@192.0.2.1"));
  EXPECT_EQ(next(to), "sip:a@192.0.2.1");
  EXPECT_EQ(next(to), "none");
}

TEST(Redirection, RemembersABoundedNumber) {
  Redirection to;
  for (int i = 0; i < 100; ++i)
    to.add(moved({"<sip:" + std::to_string(i) + "@192.0.2.1>"}), uri("sip:1@192.0.2.1"));
  int taken = 0;
  while (to.next(1000))
    ++taken;
  EXPECT_EQ(taken, 16);
}

TrunkSettings carrier(std::string_view at, std::initializer_list<std::string_view> allow = {}) {
  TrunkSettings trunk;
  trunk.name = "carrier";
  trunk.uri = uri(at);
  for (const auto range : allow)
    trunk.allow.push_back(*AddressRange::parse(range));
  return trunk;
}

std::string leads(Trunks& trunks, std::string_view contact) {
  const auto target = Trunks::redirected(*trunks.all().front(), uri(contact));
  if (!target) return "nowhere";
  return std::string(sip::transport_label(target->transport)) + " " + target->remote.text();
}

TEST(RedirectedTrunk, LeadsToItsOwnAddressesOnly) {
  Trunks trunks({carrier("sip:192.0.2.9:5070", {"192.0.2.0/28", "198.51.100.1:5080"})});
  EXPECT_EQ(leads(trunks, "sip:2@192.0.2.9:5070"), "udp 192.0.2.9:5070");
  EXPECT_EQ(leads(trunks, "sip:2@192.0.2.5"), "udp 192.0.2.5:5060");
  EXPECT_EQ(leads(trunks, "sip:2@198.51.100.1:5080"), "udp 198.51.100.1:5080");
  for (const std::string_view contact :
       {"sip:2@192.0.2.200", "sip:2@127.0.0.1", "sip:2@10.0.0.1", "sip:2@198.51.100.1",
        "sip:2@[::1]", "sip:2@evil.example.test", "tel:+49301", "http://192.0.2.9",
        "sip:2@192.0.2.9:5070;maddr=10.0.0.1"})
    EXPECT_EQ(leads(trunks, contact), "nowhere") << contact;
}

TEST(RedirectedTrunk, WithoutAllowLeadsToWhatItsNameIs) {
  Trunks trunks({carrier("sip:sip.example.test")});
  EXPECT_EQ(leads(trunks, "sip:2@sip.example.test"), "nowhere");
  trunks.located("carrier", {{sip::Transport::udp, *SocketAddress::parse("192.0.2.9:5060")}});
  EXPECT_EQ(leads(trunks, "sip:2@SIP.example.test"), "udp 192.0.2.9:5060");
  EXPECT_EQ(leads(trunks, "sip:2@sip.example.test:5060"), "udp 192.0.2.9:5060");
  EXPECT_EQ(leads(trunks, "sip:2@sip.example.test:9"), "nowhere");
  EXPECT_EQ(leads(trunks, "sip:2@192.0.2.9:5099"), "udp 192.0.2.9:5099");
  EXPECT_EQ(leads(trunks, "sip:2@192.0.2.10"), "nowhere");
}

TEST(RedirectedTrunk, KeepsItsTransport) {
  Trunks udp({carrier("sip:192.0.2.9")});
  EXPECT_EQ(leads(udp, "sip:2@192.0.2.9;transport=udp"), "udp 192.0.2.9:5060");
  EXPECT_EQ(leads(udp, "sip:2@192.0.2.9;transport=tcp"), "nowhere");
  EXPECT_EQ(leads(udp, "sips:2@192.0.2.9"), "nowhere");
  Trunks tls({carrier("sip:192.0.2.9;transport=tls")});
  EXPECT_EQ(leads(tls, "sip:2@192.0.2.9"), "tls 192.0.2.9:5061");
  EXPECT_EQ(leads(tls, "sip:2@192.0.2.9;transport=udp"), "nowhere");
  Trunks sips({carrier("sips:192.0.2.9")});
  EXPECT_EQ(leads(sips, "sip:2@192.0.2.9;transport=tls"), "nowhere");
  EXPECT_EQ(leads(sips, "sips:2@192.0.2.9"), "tls 192.0.2.9:5061");
}

TEST(TrunkCapacity, IsSaidByAPhraseOfTheConfiguration) {
  TrunkSettings settings = carrier("sip:192.0.2.9");
  EXPECT_FALSE(Trunks({settings}).all().front()->names_capacity("CPS limit exceeded"));
  settings.capacity_phrase = "(?i)cps limit";
  Trunks trunks({settings});
  EXPECT_TRUE(trunks.all().front()->names_capacity("Sorry, CPS Limit exceeded"));
  EXPECT_FALSE(trunks.all().front()->names_capacity("Service Unavailable"));
  EXPECT_TRUE(Trunks::wrong_expression("(").has_value());
  EXPECT_FALSE(Trunks::wrong_expression("CPS").has_value());
}

}  // namespace
}  // namespace trunkline::call
