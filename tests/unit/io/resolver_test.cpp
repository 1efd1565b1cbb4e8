#include "io/resolver.hpp"

#include <future>
#include <gtest/gtest.h>

namespace trunkline::io {
namespace {

using call::ServerLocator;

Resolver::Settings wanted(const std::string& name, std::string_view uri, Duration interval) {
  Resolver::Settings settings;
  settings.names = {{name, *sip::Uri::parse(uri)}};
  settings.transports = {sip::Transport::udp};
  settings.interval = interval;
  return settings;
}

TEST(ResolverTest, locates_a_name_of_the_hosts_file) {
  std::promise<ServerLocator::Found> told;
  auto answer = told.get_future();
  bool once = false;
  ResolverCounters counters;
  const auto resolver = Resolver::make(
      wanted("trunk", "sip:localhost:5070", seconds{60}),
      [&](ServerLocator::Found found) {
        if (!std::exchange(once, true)) told.set_value(found);
      },
      counters);
  ASSERT_TRUE(resolver);
  ASSERT_EQ(answer.wait_for(seconds{60}), std::future_status::ready);
  const auto found = answer.get();
  EXPECT_EQ(found.name, "trunk");
  ASSERT_FALSE(found.targets.empty());
  for (const call::ServerTarget& target : found.targets) {
    EXPECT_TRUE(target.address.ip.is_loopback()) << target.address.text();
    EXPECT_EQ(target.address.port, 5070);
  }
}

TEST(ResolverTest, looks_a_name_up_again_after_the_interval) {
  std::promise<void> twice;
  auto done = twice.get_future();
  int count = 0;
  ResolverCounters counters;
  const auto resolver = Resolver::make(
      wanted("trunk", "sip:localhost", milliseconds{20}),
      [&](const ServerLocator::Found&) {
        if (++count == 2) twice.set_value();
      },
      counters);
  ASSERT_TRUE(resolver);
  EXPECT_EQ(done.wait_for(seconds{60}), std::future_status::ready);
}

TEST(ResolverTest, ends_while_a_query_is_under_way) {
  ResolverCounters counters;
  const auto resolver = Resolver::make(
      wanted("trunk", "sip:name.invalid", seconds{60}), [](const ServerLocator::Found&) { FAIL(); },
      counters);
  EXPECT_TRUE(resolver);
}

}  // namespace
}  // namespace trunkline::io
