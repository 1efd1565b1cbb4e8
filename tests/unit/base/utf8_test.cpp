#include "base/utf8.hpp"

#include <gtest/gtest.h>

namespace trunkline {
namespace {

TEST(Utf8Test, takes_what_is_well_formed) {
  for (const char* text : {"", "SIP/2.0 200 OK", "J\xc3\xbcrgen", "\xe2\x82\xac",
                           "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8Test, refuses_what_is_not) {
  for (const char* text : {"\xff", "\x80", "\xc3", "\xc3(", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf",
                           "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(Utf8Test, replaces_only_what_is_not_well_formed) {
  EXPECT_EQ(to_utf8("J\xc3\xbcrgen"), "J\xc3\xbcrgen");
  EXPECT_EQ(to_utf8("a\xff"
                    "b\xc3"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd");
  for (const char* text : {"\xed\xa0\x80", "\xf0\x9f\x98", "\xe2(\xa1"})
    EXPECT_TRUE(is_utf8(to_utf8(text)));
}

TEST(Utf8Test, cuts_between_characters) {
  EXPECT_EQ(cut_text("short", 5), "short");
  EXPECT_EQ(cut_text("longer", 5), "longe");
  EXPECT_EQ(cut_text("J\xc3\xbcrgen", 2), "J");
  EXPECT_EQ(cut_text("J\xc3\xbcrgen", 3), "J\xc3\xbc");
  EXPECT_EQ(cut_text("\xe2\x82\xac", 1), "");
  EXPECT_EQ(cut_text("x", 0), "");
}

}  // namespace
}  // namespace trunkline
