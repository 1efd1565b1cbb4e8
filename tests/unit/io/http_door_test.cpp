#include "io/http_door.hpp"

#include <gtest/gtest.h>

namespace trunkline::io {
namespace {

const HttpDoor kDoor({{"/", "text/html", "<p>phone"}, {"/phone.js", "text/javascript", "call()"}},
                     {});
const HttpDoor kStrict({}, {"https://app.example.test"});

HttpRequest upgrade() {
  HttpRequest request;
  request.method = "GET";
  request.target = "/any/path";
  request.upgrade = true;
  request.key = "dGhlIHNhbXBsZSBub25jZQ==";
  request.version = "13";
  request.protocols = "sip";
  return request;
}

HttpRequest get(std::string_view target, std::string_view method = "GET") {
  HttpRequest request;
  request.method = method;
  request.target = target;
  return request;
}

TEST(HttpDoorTest, lets_a_sip_websocket_in) {
  EXPECT_FALSE(kDoor.judge(upgrade(), false));
}

TEST(HttpDoorTest, finds_sip_among_other_subprotocols) {
  HttpRequest request = upgrade();
  request.protocols = "chat,  sip ,msrp";
  EXPECT_FALSE(kDoor.judge(request, false));
}

// RFC 7118 §4.1: an upgrade without sip gets 400 [ws-subprotocol]
TEST(HttpDoorTest, refuses_an_upgrade_without_sip) {
  for (const char* protocols : {"", "chat", "sips", "xsip", "SIP2"}) {
    HttpRequest request = upgrade();
    request.protocols = protocols;
    const auto answer = kDoor.judge(request, false);
    ASSERT_TRUE(answer) << protocols;
    EXPECT_EQ(answer->status, 400u);
    EXPECT_EQ(answer->failure, HandshakeFailure::subprotocol);
    EXPECT_NE(answer->body.find("sip"), std::string_view::npos);
  }
}

TEST(HttpDoorTest, asks_for_version_13) {
  HttpRequest request = upgrade();
  request.version = "8";
  const auto answer = kDoor.judge(request, false);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 426u);
  EXPECT_EQ(answer->field, "Sec-WebSocket-Version");
  EXPECT_EQ(answer->value, "13");
}

TEST(HttpDoorTest, refuses_a_key_of_the_wrong_length) {
  HttpRequest request = upgrade();
  request.key = "short";
  const auto answer = kDoor.judge(request, false);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400u);
  EXPECT_EQ(answer->failure, HandshakeFailure::http);
}

TEST(HttpDoorTest, lets_only_listed_origins_in) {
  HttpRequest request = upgrade();
  request.origin = "https://app.example.test";
  EXPECT_FALSE(kStrict.judge(request, false));
  for (const char* origin : {"null", "https://app.example.test.evil.test",
                             "http://app.example.test", "https://app.example.test:8443", ""}) {
    request.origin = origin;
    const auto answer = kStrict.judge(request, false);
    ASSERT_TRUE(answer) << origin;
    EXPECT_EQ(answer->status, 403u);
    EXPECT_EQ(answer->failure, HandshakeFailure::origin);
  }
}

TEST(HttpDoorTest, refuses_a_missing_origin_when_some_are_listed) {
  const auto answer = kStrict.judge(upgrade(), false);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 403u);
}

TEST(HttpDoorTest, says_when_there_is_no_room) {
  const auto answer = kDoor.judge(upgrade(), true);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503u);
  EXPECT_EQ(answer->failure, HandshakeFailure::limit);
}

TEST(HttpDoorTest, serves_files_by_exact_path) {
  const auto page = kDoor.judge(get("/"), false);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200u);
  EXPECT_EQ(page->content_type, "text/html");
  EXPECT_EQ(page->body, "<p>phone");
  EXPECT_FALSE(page->failure);
  EXPECT_EQ(kDoor.judge(get("/phone.js?v=1"), false)->body, "call()");
  EXPECT_EQ(kDoor.judge(get("/phone.js", "HEAD"), false)->status, 200u);
}

TEST(HttpDoorTest, knows_no_other_path) {
  for (const char* path : {"/../etc/passwd", "/phone.j", "//", "/%2f"}) {
    EXPECT_EQ(kDoor.judge(get(path), false)->status, 404u) << path;
  }
}

TEST(HttpDoorTest, serves_no_other_method) {
  const auto answer = kDoor.judge(get("/", "POST"), false);
  EXPECT_EQ(answer->status, 405u);
  EXPECT_EQ(answer->field, "Allow");
  EXPECT_EQ(answer->value, "GET, HEAD");
}

}  // namespace
}  // namespace trunkline::io
