#include "sip/message.hpp"

#include "sip/parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

namespace trunkline::sip {
namespace {

using namespace std::string_literals;

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// RFC 3261 §7.3.1: names of fields are known in any case [header-names]
TEST(HeaderNames, EveryCanonicalSpellingIsFoundInAnyCase) {
  for (int i = 1; i < static_cast<int>(HeaderName::count_); ++i) {
    const auto name = static_cast<HeaderName>(i);
    std::string text(header_name_text(name));
    ASSERT_FALSE(text.empty()) << i;
    EXPECT_EQ(parse_header_name(text), name) << text;
    for (char& c : text)
      c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(parse_header_name(text), name) << text;
  }
}

// RFC 3261 §7.3.3: compact names are known [header-names]
TEST(HeaderNames, CompactFormsAreFound) {
  const std::pair<char, HeaderName> compact[] = {{'b', HeaderName::referred_by},
                                                 {'c', HeaderName::content_type},
                                                 {'e', HeaderName::content_encoding},
                                                 {'f', HeaderName::from},
                                                 {'i', HeaderName::call_id},
                                                 {'k', HeaderName::supported},
                                                 {'l', HeaderName::content_length},
                                                 {'m', HeaderName::contact},
                                                 {'o', HeaderName::event},
                                                 {'r', HeaderName::refer_to},
                                                 {'s', HeaderName::subject},
                                                 {'t', HeaderName::to},
                                                 {'u', HeaderName::allow_events},
                                                 {'v', HeaderName::via},
                                                 {'x', HeaderName::session_expires},
                                                 {'y', HeaderName::identity},
                                                 {'V', HeaderName::via},
                                                 {'a', HeaderName::other}};
  for (const auto& [c, name] : compact)
    EXPECT_EQ(parse_header_name(std::string_view(&c, 1)), name) << c;
}

TEST(HeaderNames, UnknownAndEmptyOnesAreOther) {
  EXPECT_EQ(parse_header_name(""), HeaderName::other);
  EXPECT_EQ(parse_header_name("Vio"), HeaderName::other);
  EXPECT_EQ(parse_header_name(std::string(5000, 'x')), HeaderName::other);
  EXPECT_EQ(header_name_text(HeaderName::other), "");
}

TEST(Methods, AreCaseSensitive) {
  for (int i = 1; i < static_cast<int>(Method::count_); ++i) {
    const auto method = static_cast<Method>(i);
    ASSERT_FALSE(method_name(method).empty());
    EXPECT_EQ(parse_method(method_name(method)), method);
  }
  EXPECT_EQ(parse_method("invite"), Method::unknown);
  EXPECT_EQ(parse_method(""), Method::unknown);
}

TEST(Message, RequestIsWrittenWithItsFieldsAndLength) {
  Message message = Message::request(Method::options, "sip:a@b");
  message.add(HeaderName::call_id, "1@x");
  message.add("X-Other", "value");
  EXPECT_EQ(
      message.serialize(),
      "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1@x\r\nX-Other: value\r\nContent-Length: 0\r\n\r\n");
}

TEST(Message, ResponseTakesTheRegisteredPhrase) {
  EXPECT_THAT(Message::response(486).serialize(), StartsWith("SIP/2.0 486 Busy Here\r\n"));
  EXPECT_THAT(Message::response(486, "Later").serialize(), StartsWith("SIP/2.0 486 Later\r\n"));
  EXPECT_EQ(Message::response(486).status(), 486);
  EXPECT_TRUE(Message::response(486).is_response());
}

TEST(Message, KeepsTheSpellingOfAnUnknownMethod) {
  const Message message = Message::request("Fetch", "sip:a@b");
  EXPECT_EQ(message.method(), Method::unknown);
  EXPECT_EQ(message.method_text(), "Fetch");
}

TEST(Message, BodyHasTypeAndLengthAndComesLast) {
  Message message = Message::request(Method::info, "sip:a@b");
  message.set_body("text/plain", "hello");
  EXPECT_THAT(message.serialize(),
              EndsWith("Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"));
  message.set_body("text/html", "bye");
  EXPECT_EQ(message.count(HeaderName::content_type), 1U);
  EXPECT_EQ(message.body(), "bye");
  message.set_body("", "");
  EXPECT_FALSE(message.header(HeaderName::content_type));
  EXPECT_THAT(message.serialize(), EndsWith("Content-Length: 0\r\n\r\n"));
}

TEST(Message, ContentLengthGivenByHandIsIgnored) {
  Message message = Message::request(Method::info, "sip:a@b");
  message.add("l", "99");
  message.set_body("text/plain", "x");
  EXPECT_THAT(message.serialize(), Not(HasSubstr("99")));
  EXPECT_THAT(message.serialize(), HasSubstr("Content-Length: 1\r\n"));
}

TEST(Message, FieldsAreFoundByNameInAnySpelling) {
  Message message = Message::request(Method::invite, "sip:a@b");
  message.add("v", "first");
  message.add(HeaderName::via, "second");
  message.add("X-Thing", "one");
  EXPECT_EQ(message.header("VIA"), "first");
  EXPECT_THAT(message.headers(HeaderName::via), ElementsAre("first", "second"));
  EXPECT_EQ(message.count(HeaderName::via), 2U);
  EXPECT_EQ(message.header("x-thing"), "one");
  EXPECT_EQ(message.header("x-thin"), std::nullopt);
  EXPECT_EQ(message.header(HeaderName::to), std::nullopt);
  EXPECT_THAT(message.serialize(), HasSubstr("Via: first\r\n"));
}

TEST(Message, PrependPutsAFieldBeforeItsKind) {
  Message message = Message::request(Method::invite, "sip:a@b");
  message.add(HeaderName::to, "t");
  message.prepend(HeaderName::via, "lower");
  message.prepend(HeaderName::via, "upper");
  EXPECT_THAT(message.headers(HeaderName::via), ElementsAre("upper", "lower"));
  EXPECT_EQ(message.fields().front().name, HeaderName::via);
}

TEST(Message, SetReplacesAllOfAKindInPlace) {
  Message message = Message::request(Method::invite, "sip:a@b");
  message.add(HeaderName::route, "1");
  message.add(HeaderName::to, "t");
  message.add(HeaderName::route, "2");
  message.set(HeaderName::route, "3");
  message.set(HeaderName::from, "f");
  EXPECT_THAT(message.headers(HeaderName::route), ElementsAre("3"));
  EXPECT_EQ(message.fields().front().name, HeaderName::route);
  EXPECT_EQ(message.header(HeaderName::from), "f");
}

TEST(Message, RemoveTakesAllAndRemoveFirstOne) {
  Message message = Message::request(Method::invite, "sip:a@b");
  for (std::string_view value : {"1", "2", "3"})
    message.add(HeaderName::via, value);
  message.remove_first(HeaderName::via);
  EXPECT_THAT(message.headers(HeaderName::via), ElementsAre("2", "3"));
  message.remove(HeaderName::via);
  EXPECT_EQ(message.count(HeaderName::via), 0U);
  message.remove_first(HeaderName::via);
}

TEST(Message, TakesViewsOfItself) {
  Message message = Message::request(Method::invite, "sip:a@b");
  message.add("X-A-Name-Longer-Than-Any-Small-Buffer", std::string(100, 'v'));
  for (int i = 0; i < 20; ++i) {
    const Message::Field field = message.fields().front();
    message.add(message.field_name(field), message.field_value(field));
  }
  for (const Message::Field& field : message.fields()) {
    EXPECT_EQ(message.field_name(field), "X-A-Name-Longer-Than-Any-Small-Buffer");
    EXPECT_EQ(message.field_value(field), std::string(100, 'v'));
  }
}

TEST(Message, IsCopiedAndMovedWhole) {
  Message message = Message::request(Method::invite, "sip:a@b");
  message.add(HeaderName::subject, "s");
  Message copy = message;
  copy.set(HeaderName::subject, "other");
  const Message moved = std::move(message);
  EXPECT_EQ(moved.header(HeaderName::subject), "s");
  EXPECT_EQ(copy.header(HeaderName::subject), "other");
  EXPECT_EQ(moved.request_uri(), "sip:a@b");
}

// RFC 3261 §7.3.1: no value becomes another field [header-injection]
TEST(Message, AValueCannotForgeAField) {
  Message message = Message::response(200, "OK\r\nX-Forged: 1");
  message.add(HeaderName::subject, "a\r\nX-Forged: 2\nb\rc");
  message.add(HeaderName::subject, "d\0e"s);
  EXPECT_THAT(message.serialize(), Not(HasSubstr("\nX-Forged")));
  EXPECT_THAT(message.serialize(), HasSubstr("Subject: a  X-Forged: 2 b c\r\nSubject: d e\r\n"));
}

// RFC 3261 §7.3.1: no name becomes another field [header-injection]
TEST(Message, ANameCannotForgeAField) {
  Message message = Message::request(Method::info, "sip:a@b");
  message.add("X: 1\r\nX-Forged", "2");
  message.add("", "3");
  EXPECT_EQ(message.serialize(), "INFO sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n");
}

// RFC 3261 §7.3.1: no Request-URI becomes another field [header-injection]
TEST(Message, ARequestUriCannotEndTheStartLine) {
  Message message = Message::request(Method::info, "sip:a@b SIP/2.0\r\nX-Forged: 1\r\n\r\n");
  EXPECT_THAT(message.serialize(),
              StartsWith("INFO sip:a@b%20SIP/2.0%0D%0AX-Forged:%201%0D%0A%0D%0A SIP/2.0\r\n"));
}

TEST(Message, AQuotedPairMayKeepItsNulButNotALineEnd) {
  Message message = Message::response(200);
  message.add(HeaderName::to, "\"a\\\0b\" <sip:a@b>"s);
  message.add(HeaderName::from, "\"a\\\r\nX: y\" <sip:a@b>");
  EXPECT_THAT(message.serialize(), HasSubstr("To: \"a\\\0b\" <sip:a@b>\r\n"s));
  EXPECT_THAT(message.serialize(), HasSubstr("From: \"a\\  X: y\" <sip:a@b>\r\n"));
}

TEST(Message, ANulAfterTheQuotesIsBlanked) {
  Message message = Message::response(200);
  message.add(HeaderName::to, "\"a\" \\\0 <sip:a@b>"s);
  EXPECT_THAT(message.serialize(), HasSubstr("To: \"a\" \\  <sip:a@b>\r\n"));
}

}  // namespace
}  // namespace trunkline::sip
