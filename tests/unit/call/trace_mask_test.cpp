#include "call/trace_mask.hpp"

#include "base/random.hpp"
#include "sip/syntax.hpp"

#include "unit/call/trace_messages.hpp"
#include <gmock/gmock.h>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {
namespace {

using namespace traced;
using testing::HasSubstr;
using testing::Not;

std::string masked(std::string text) {
  const std::size_t size = text.size();
  mask_secrets(text);
  EXPECT_EQ(text.size(), size);
  return text;
}
/// One header field of a request, masked.
std::string field(std::string_view line) {
  const std::string before = "OPTIONS sip:a@b SIP/2.0\r\n", after = "\r\nMax-Forwards: 70\r\n\r\n";
  const std::string all = masked(before + std::string(line) + after);
  EXPECT_TRUE(all.starts_with(before));
  EXPECT_TRUE(all.ends_with(after));
  return all.substr(before.size(), all.size() - before.size() - after.size());
}
std::string body(std::string_view type, std::string_view text, std::string_view method = "INVITE",
                 std::string_view more = "") {
  const std::string fields = "Content-Type: " + std::string(type) + "\r\n" + std::string(more);
  const std::string all = masked(request(method, "id", 1, fields, text));
  EXPECT_THAT(all, HasSubstr(fields));
  return all.substr(all.size() - text.size());
}

TEST(TraceMaskTest, LeavesAMessageWithoutSecretsAlone) {
  const std::string message = request(
      "INVITE", kFromId, 1,
      "Contact: <sip:alice@198.51.100.7:5060;transport=tcp;ob>;+sip.instance=\"<urn:uuid:1>\"\r\n"
      "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nSession-ID: ab;remote=0\r\n"
      "Replaces: x@y;to-tag=1;from-tag=2\r\nSubject: Who @ noon: me\r\n"
      "Refer-To: <sip:bob@example.test?Replaces=a%40b%3Bto-tag%3D1&Require=replaces>\r\n"
      "Content-Type: application/sdp\r\n",
      "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
      "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\na=fingerprint:sha-256 AA:BB\r\n"
      "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
      "a=candidate:1 1 udp 2130706431 192.0.2.1 9 typ host\r\n");
  EXPECT_EQ(masked(message), message);
}

TEST(TraceMaskTest, KeepsOfADigestWhatIsNoSecret) {
  EXPECT_EQ(field("Authorization: Digest username=\"alice\", realm=\"r\", nonce=\"N0nce\", "
                  "uri=\"sip:r\", response=\"0123\", algorithm=MD5, cnonce=\"c\", qop=auth, "
                  "nc=00000001, opaque=\"op\""),
            "Authorization: Digest username=\"alice\", realm=\"r\", nonce=\"xxxxx\", "
            "uri=\"sip:r\", response=\"xxxx\", algorithm=MD5, cnonce=\"x\", qop=auth, "
            "nc=00000001, opaque=\"xx\"");
  EXPECT_EQ(field("WWW-Authenticate: Digest realm=\"r\",nonce=\"abc\",stale=true"),
            "WWW-Authenticate: Digest realm=\"r\",nonce=\"xxx\",stale=true");
  EXPECT_EQ(field("Authentication-Info: nextnonce=\"abc\", rspauth=\"def\", nc=00000001"),
            "Authentication-Info: nextnonce=\"xxx\", rspauth=\"xxx\", nc=00000001");
}

TEST(TraceMaskTest, TakesCredentialsOfEveryOtherKindWhole) {
  EXPECT_EQ(field("proxy-authorization:Basic YWxpY2U6cHc=="),
            "proxy-authorization:Basic xxxxxxxxxxx=x");
  EXPECT_EQ(field("AUTHORIZATION : Bearer a.b.c"), "AUTHORIZATION : Bearer xxxxx");
  EXPECT_EQ(field("Authorization: Other a=\"b c\" d"), "Authorization: xxxxx x=\"xxx\" x");
  EXPECT_EQ(field("P-Media-Authorization: 00ff"), "P-Media-Authorization: xxxx");
  EXPECT_EQ(field("X-Api-Token: a b"), "X-Api-Token:xxxx");
  EXPECT_EQ(field("Cookie: a=b"), "Cookie:xxxx");
}

TEST(TraceMaskTest, FoldedAndBrokenFieldsGiveNothingAway) {
  EXPECT_EQ(field("Authorization: Digest\r\n username=\"a\",\r\n\tresponse=\"0123\""),
            "Authorization: Digest\r\n username=\"a\",\r\n\tresponse=\"xxxx\"");
  EXPECT_EQ(field("Authorization: Digest response=\r\n \"0123\""),
            "Authorization: Digest response=\r\n \"xxxx\"");
  EXPECT_EQ(field("Authorization: Digest response = 0123"),
            "Authorization: Digest response = xxxx");
  EXPECT_EQ(field("Authorization: Digest username=\"a, response=0123"),
            "Authorization: Digest username=\"xxxxxxxxxxxxxxxx");
  EXPECT_EQ(field("Subject: x\nAuthorization: Digest response=\"0123\""),
            "Subject: x\nAuthorization: Digest response=\"xxxx\"");
  EXPECT_EQ(field("Subject: x\r\n Authorization: Digest response=\"0123\""),
            "Subject: x\r\n Authorization: Digest response=\"xxxx\"");
}

TEST(TraceMaskTest, TakesSecretsOutOfUris) {
  EXPECT_EQ(field("Contact: <sip:alice:pw@h:5060;transport=tcp>"),
            "Contact: <sip:alice:xx@h:5060;transport=tcp>");
  EXPECT_EQ(field("From: SIPS:alice:p;w@h"), "From: SIPS:alice:xxx@h");
  EXPECT_EQ(field("Call-Info: <https://u:pw@h/a?t=1>"), "Call-Info: <https://u:xx@h/a?t=x>");
  EXPECT_EQ(field("Contact: <sip:a@b>;ha1=\"00ff\";expires=3;pn-prid=abc;Password = x1"),
            "Contact: <sip:a@b>;ha1=\"xxxx\";expires=3;pn-prid=xxx;Password = xx");
  EXPECT_EQ(field("Refer-To: <sip:a@b?Replaces=c%40d&Proxy-Authorization=Digest%20x&body=hi>"),
            "Refer-To: <sip:a@b?Replaces=c%40d&Proxy-Authorization=xxxxxxxxxx&body=xx>");
  EXPECT_EQ(field("Refer-To: <tel:+1;postd=4711>"), "Refer-To: <tel:+1;postd=xxxx>");
  EXPECT_EQ(masked("INVITE sip:a:pw@b SIP/2.0\r\n\r\n"), "INVITE sip:a:xx@b SIP/2.0\r\n\r\n");
}

TEST(TraceMaskTest, TakesTheKeysOutOfDescriptions) {
  EXPECT_EQ(body("application/sdp",
                 "v=0\r\nk=clear:abc\r\na=ice-pwd:secret\r\n"
                 "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD|2^20|1:4 KDR=1\r\n"
                 "a=Crypto:2  AEAD_AES_128_GCM  inline:QUJD;inline:REVG\r\n"
                 "a=key-mgmt:mikey QUJD\r\na=acap:1 crypto:1 AES inline:QUJD\r\n"
                 "a=x:inline:QUJD\r\n"),
            "v=0\r\nk=xxxxxxxxx\r\na=ice-pwd:xxxxxx\r\n"
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xxxxxxxxxxxxxxxxxxx\r\n"
            "a=Crypto:2  AEAD_AES_128_GCM  inline:xxxxxxxxxxxxxxxx\r\n"
            "a=key-mgmt:xxxxxxxxxx\r\na=acap:1 crypto:xxxxxxxxxxxxxxxxx\r\n"
            "a=x:inline:xxxx\r\n");
  EXPECT_EQ(body("application/sdp", "a=crypto:inline:QUJD\r\n"), "a=crypto:xxxxxxxxxxx\r\n");
  EXPECT_EQ(body("application/sdp", "a=crypto:1 QUJDREVG:QUJD x\r\n"),
            "a=crypto:xxxxxxxxxxxxxxxxx\r\n");
  EXPECT_EQ(body("application/sdp", "v=0\n\n4711\na=ice-pwd:abc\n"),
            "v=0\n\nxxxx\na=ice-pwd:xxx\n");
}

TEST(TraceMaskTest, HidesEveryOtherBody) {
  EXPECT_EQ(body("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "INFO"),
            "xxxxxxxx\r\nxxxxxxxxxxxx\r\n");
  EXPECT_EQ(body("text/plain", "my card is 4711", "MESSAGE"), "xxxxxxxxxxxxxxx");
  EXPECT_EQ(body("application/sdp", "s=4711\r\n", "INFO"), "xxxxxx\r\n");
  EXPECT_EQ(body("multipart/mixed;boundary=b", "--b\r\n\r\n4711\r\n"), "xxx\r\n\r\nxxxx\r\n");
  EXPECT_EQ(body("application/sdp", "\x1f\x8b gzip", "INVITE", "Content-Encoding: gzip\r\n"),
            "xxxxxxx");
  EXPECT_EQ(body("application/sdp", "s=4711", "INVITE", "c: text/plain\r\n"), "xxxxxx");
  EXPECT_EQ(body("application/sdp", "s=4711", "INVITE", "Accept-Encoding: gzip\r\n"), "s=4711");
  EXPECT_THAT(masked("INVITE sip:a@b SIP/2.0\r\nTo: x\r\n\r\ns=4711"), HasSubstr("\r\nxxxxxx"));
  EXPECT_EQ(body("message/sipfrag;version=2.0",
                 "SIP/2.0 200 OK\r\nAuthorization: Basic abc\r\n\r\n4711", "NOTIFY"),
            "SIP/2.0 200 OK\r\nAuthorization: Basic xxx\r\n\r\nxxxx");
}

TEST(TraceMaskTest, SurvivesEveryCutAndEveryOctet) {
  SeededRandom random(7);
  const std::string message = request(
      "INVITE", "id", 1,
      "Authorization: Digest username=\"a\\\"\", response=\"01\"\r\nContact: <sip:a:b@c?d=e>\r\n"
      "Content-Type: application/sdp\r\n",
      "v=0\r\na=crypto:1 AES_CM inline:QUJD\r\nk=a\r\n");
  for (std::size_t size = 0; size <= message.size(); ++size)
    masked(message.substr(0, size));
  for (int i = 0; i < 5000; ++i) {
    std::string broken = message;
    for (std::uint32_t n = random.below(8) + 1; n != 0; --n)
      broken[random.below(static_cast<std::uint32_t>(broken.size()))] =
          "\r\n\t \"\\;:=?&@<>,\0a"[random.below(18)];
    const std::string once = masked(broken);
    EXPECT_EQ(std::count(once.begin(), once.end(), '\n'),
              std::count(broken.begin(), broken.end(), '\n'));
  }
}

// ---------------------------------------------------------------- the property

/// Writes messages with a secret in many places, in all the spellings that SIP allows.
class SecretWriter {
 public:
  explicit SecretWriter(std::uint64_t seed) : random_(seed) {}

  std::string message() {
    secrets.clear();
    const bool described = random_.below(2) == 0;
    const std::string method = pick({"INVITE", "MESSAGE", "INFO", "NOTIFY", "UPDATE"});
    std::string head = pick({"\r\n", "", ""}) + method + " sip:alice:" + secret() +
                       "@example.test SIP/2.0\r\n" + spelled("Call-ID") + ": " +
                       std::string(kFromId) + "\r\nCSeq: 1 " + method + "\r\n";
    for (std::uint32_t n = random_.below(6); n != 0; --n)
      head += header();
    if (described) {
      head += spelled(pick({"Content-Type", "c"})) + ": application/sdp\r\n";
    } else {
      head += pick({"", "Content-Type: text/plain\r\n", "c:application/dtmf-relay\r\n",
                    "Content-Type: multipart/mixed;boundary=application/sdp\r\n",
                    "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n"});
    }
    return head + "\r\n" + (described && method != "INFO" ? description() : words());
  }
  std::vector<std::string> secrets;

 private:
  std::string secret() {
    secrets.push_back("Zq" + random_.token(10));
    return secrets.back();
  }
  std::string pick(const std::vector<std::string>& choices) {
    return choices[random_.below(static_cast<std::uint32_t>(choices.size()))];
  }
  std::string spelled(std::string name) {
    for (char& c : name) {
      if (random_.below(3) == 0) c = random_.below(2) == 0 ? sip::to_upper(c) : sip::to_lower(c);
    }
    return name + pick({"", "", " ", "\t"});
  }
  std::string space() { return pick({" ", "", "  ", "\t", "\r\n ", "\r\n\t"}); }
  std::string quoted_secret() {
    return pick({"\"", "\"\\\"", "\"a b, c=", "\"="}) + secret() + "\"";
  }
  std::string credentials() {
    std::string text = pick({"Digest ", "digest\r\n ", "Digest\t"});
    for (std::uint32_t n = random_.below(5) + 1; n != 0; --n) {
      text += pick({"username=\"alice\"", "qop=auth", "realm=\"a, nonce=1\""}) + space() + "," +
              space();
      text += spelled(pick({"response", "nonce", "cnonce", "opaque", "nextnonce", "other"})) + "=" +
              space() + (random_.below(3) == 0 ? secret() : quoted_secret());
      text += space() + "," + space();
    }
    return random_.below(4) == 0 ? pick({"Basic ", "Bearer ", "Unheard "}) + secret() + "==" : text;
  }
  std::string header() {
    switch (random_.below(5)) {
      case 0:
        return spelled(pick({"Authorization", "Proxy-Authorization", "WWW-Authenticate",
                             "Proxy-Authenticate", "Authentication-Info"})) +
               ":" + space() + credentials() + "\r\n";
      case 1:
        return spelled(pick({"X-Api-Key", "Cookie", "X-Token", "P-Secret", "X-Auth"})) + ":" +
               space() + secret() + "\r\n";
      case 2:
        return spelled("Contact") + ": \"A\" <sip:alice:" + secret() + "@h;" + spelled("token") +
               "=" + secret() + ">;ha1=" + quoted_secret() + ";pn-prid=" + secret() + "\r\n";
      case 3:
        return spelled("Refer-To") + ": <sip:b@h?Replaces=a%40b&Authorization=Basic%20" + secret() +
               "&body=" + secret() + ">\r\n";
      default:
        return "Call-Info: <https://user:" + secret() + "@h/p?access=" + secret() + ">\r\n";
    }
  }
  std::string description() {
    std::string text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n";
    for (std::uint32_t n = random_.below(8) + 1; n != 0; --n) {
      text += pick({"a=" + spelled("ice-pwd") + ":" + secret(),
                    "a=crypto:" + pick({"1 ", "", "1"}) +
                        pick({"AES_CM_128_HMAC_SHA1_80 ", "AEAD_AES_256_GCM   ", "", "-- "}) +
                        pick({"inline:", "INLINE:", "other:"}) + secret() +
                        "|2^20|1:4;inline:" + secret() + " FEC_KEY=inline:" + secret(),
                    "k=base64:" + secret(), "K=" + secret(), "a=key-mgmt:mikey " + secret(),
                    "a=acap:1 crypto:1 AES inline:" + secret(), "a=acap:2 ice-pwd:" + secret(),
                    "u=https://u:" + secret() + "@h/?x=" + secret(), " " + secret(), secret()}) +
              pick({"\r\n", "\n", "\r\n\r\n"});
    }
    return text;
  }
  std::string words() {
    return pick({"", "Signal=", "a=ice-pwd:", "s=", "\r\n"}) + secret() + pick({"", "\r\n", "\n"}) +
           secret();
  }

  SeededRandom random_;
};

TEST(TraceMaskTest, NoSecretPassesWhereverItIsPlantedInAnyFormat) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    SecretWriter writer(seed);
    const std::string message = writer.message();
    Traces traces;
    traces.add_leg(kCall, from_leg());
    traces.record(seed % 2 == 0 ? from_browser(message, 0) : to_trunk(message, 0));
    const CallTrace* trace = traces.find(kCall, TimePoint{});
    ASSERT_EQ(trace->entries().size(), 1u) << message;
    const std::string shown = trace_text(*trace) + trace_json(*trace) + trace_pcapng(*trace);
    for (const std::string& secret : writer.secrets) {
      ASSERT_THAT(shown, Not(HasSubstr(secret))) << "seed " << seed << "\n" << message;
    }
    ASSERT_THAT(shown, HasSubstr(kFromId));
  }
}

}  // namespace
}  // namespace trunkline::call
