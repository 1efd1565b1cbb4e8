#include "io/resolver.hpp"

#include <future>
#include <gtest/gtest.h>

namespace trunkline::io {
namespace {

TEST(ResolverTest, resolves_a_name_of_the_hosts_file) {
  std::promise<std::pair<std::string, std::vector<IpAddress>>> told;
  auto answer = told.get_future();
  bool once = false;
  const auto resolver =
      Resolver::make({"localhost"}, seconds{60}, [&](const std::string& host, auto addresses) {
        if (!std::exchange(once, true)) told.set_value({host, std::move(addresses)});
      });
  ASSERT_TRUE(resolver);
  ASSERT_EQ(answer.wait_for(seconds{60}), std::future_status::ready);
  const auto [host, addresses] = answer.get();
  EXPECT_EQ(host, "localhost");
  ASSERT_FALSE(addresses.empty());
  for (const IpAddress& ip : addresses)
    EXPECT_TRUE(ip.is_loopback()) << ip.text();
}

TEST(ResolverTest, looks_a_name_up_again_after_the_interval) {
  std::promise<void> twice;
  auto done = twice.get_future();
  int count = 0;
  const auto resolver =
      Resolver::make({"localhost"}, milliseconds{20}, [&](const std::string&, auto) {
        if (++count == 2) twice.set_value();
      });
  ASSERT_TRUE(resolver);
  EXPECT_EQ(done.wait_for(seconds{60}), std::future_status::ready);
}

TEST(ResolverTest, ends_while_a_query_is_under_way) {
  const auto resolver = Resolver::make({"name.invalid", "other.invalid"}, seconds{60},
                                       [](const std::string&, auto) { FAIL(); });
  EXPECT_TRUE(resolver);
}

TEST(ResolverTest, obeys_a_time_to_live_within_bounds) {
  EXPECT_EQ(refresh_after(seconds{60}, seconds{30}), seconds{30});
  EXPECT_EQ(refresh_after(seconds{60}, seconds{0}), seconds{60});
  EXPECT_EQ(refresh_after(seconds{60}, seconds{5}), seconds{60});
  EXPECT_EQ(refresh_after(seconds{60}, seconds{3600}), seconds{60});
}

}  // namespace
}  // namespace trunkline::io
