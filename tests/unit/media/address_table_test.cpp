#include "media/address_table.hpp"

#include <gmock/gmock.h>
#include <map>

namespace trunkline::media {
namespace {

SocketAddress address(std::uint32_t number) {
  return {
      IpAddress::v4({10, static_cast<std::uint8_t>(number >> 16),
                     static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)}),
      static_cast<std::uint16_t>(1000 + number % 7)};
}

TEST(AddressTable, FindsWhatItHolds) {
  SeededRandom random(1);
  AddressTable table(10, random);
  ASSERT_TRUE(table.insert(address(1), 5));
  EXPECT_EQ(table.find(address(1)), 5u);
  EXPECT_EQ(table.find(address(2)), std::nullopt);
}

TEST(AddressTable, TellsPortsAndFamiliesApart) {
  SeededRandom random(1);
  AddressTable table(10, random);
  SocketAddress one = address(1), other = address(1);
  ++other.port;
  table.insert(one, 1);
  EXPECT_EQ(table.find(other), std::nullopt);
  table.insert({*IpAddress::parse("2001:db8::1"), one.port}, 2);
  EXPECT_EQ(table.find({*IpAddress::parse("2001:db8::1"), one.port}), 2u);
}

TEST(AddressTable, ReplacesTheOwner) {
  SeededRandom random(1);
  AddressTable table(10, random);
  table.insert(address(1), 5);
  table.insert(address(1), 6);
  EXPECT_EQ(table.find(address(1)), 6u);
  EXPECT_EQ(table.size(), 1u);
}

TEST(AddressTable, RefusesMoreThanItsCapacity) {
  SeededRandom random(1);
  AddressTable table(4, random);
  for (std::uint32_t i = 0; i < 4; ++i)
    EXPECT_TRUE(table.insert(address(i), i));
  EXPECT_FALSE(table.insert(address(4), 4));
  EXPECT_TRUE(table.insert(address(3), 9)) << "a known one may change hands";
  EXPECT_EQ(table.find(address(4)), std::nullopt);
}

TEST(AddressTable, HoldsNoEmptyAddress) {
  SeededRandom random(1);
  AddressTable table(4, random);
  EXPECT_FALSE(table.insert({}, 1));
  EXPECT_EQ(table.find({}), std::nullopt);
}

TEST(AddressTable, StaysRightThroughManyInsertionsAndErasures) {
  SeededRandom random(4);
  AddressTable table(300, random);
  std::map<SocketAddress, std::uint32_t> model;
  for (std::uint32_t i = 0; i < 20000; ++i) {
    const SocketAddress one = address(random.below(400));
    if (random.below(2) == 0) {
      const bool room = model.size() < 300 || model.contains(one);
      ASSERT_EQ(table.insert(one, i), room);
      if (room) model[one] = i;
    } else {
      table.erase(one);
      model.erase(one);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (std::uint32_t i = 0; i < 400; ++i) {
    const auto found = model.find(address(i));
    EXPECT_EQ(table.find(address(i)),
              found == model.end() ? std::nullopt : std::optional(found->second));
  }
}

}  // namespace
}  // namespace trunkline::media
