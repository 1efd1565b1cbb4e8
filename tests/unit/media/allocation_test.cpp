// The packet path allocates nothing: neither by operator new nor inside OpenSSL.
#include <openssl/crypto.h>

#include "plane_world.hpp"
#include <cstdlib>
#include <new>

namespace {

bool counting = false;
std::size_t allocations = 0;

void count() {
  if (counting) ++allocations;
}
void* openssl_malloc(std::size_t size, const char*, int) {
  count();
  return std::malloc(size);
}
void* openssl_realloc(void* old, std::size_t size, const char*, int) {
  count();
  return std::realloc(old, size);
}
void openssl_free(void* old, const char*, int) {
  std::free(old);
}

/// OpenSSL takes these only before its first allocation, so they are set before main.
const bool openssl_counted =
    CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;

}  // namespace

void* operator new(std::size_t size) {
  count();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace trunkline::media {
namespace {

class Allocation : public test::PlaneWorld {};

TEST_F(Allocation, CountsWhatIsAllocated) {
  ASSERT_TRUE(openssl_counted);
  counting = true;
  auto something = std::make_unique<int>(1);
  OPENSSL_free(OPENSSL_malloc(16));
  counting = false;
  EXPECT_EQ(std::exchange(allocations, 0), 2u);
}

TEST_F(Allocation, ForwardsTenThousandPacketsWithoutAny) {
  connect_call();
  // Both directions, with a telephone event now and then, and STUN in between.
  std::vector<std::vector<std::uint8_t>> from_browser, from_trunk;
  for (int i = 0; i < 5000; ++i) {
    browser_->send_rtp(std::vector<std::uint8_t>(160, 1), 0, 160);
    for (auto& packet : browser_->take_datagrams())
      from_browser.push_back(std::move(packet));
    from_trunk.push_back(carrier_.packet(std::vector<std::uint8_t>(160, 1)));
  }
  ASSERT_THAT(from_browser, testing::SizeIs(5000));
  events_.reserve(100);
  test::OwnedPacket buffer;
  std::size_t forwarded = 0;
  const auto feed = [&](SocketIndex socket, const SocketAddress& from,
                        const std::vector<std::uint8_t>& bytes) {
    buffer.packet = {buffer.buffer.data() + kHeadRoom, bytes.size()};
    std::copy(bytes.begin(), bytes.end(), buffer.packet.data);
    plane_->receive(socket, from, buffer.packet, now_, *outbox_, events_);
    forwarded += outbox_->entries().size();
    outbox_->clear();
  };
  feed(kBrowserSocket, browser_address_, from_browser[0]);
  feed(kRtp1, carrier_.address, from_trunk[0]);
  counting = true;
  for (std::size_t i = 1; i < 5000; ++i) {
    now_ += milliseconds{20};
    feed(kBrowserSocket, browser_address_, from_browser[i]);
    feed(kRtp1, carrier_.address, from_trunk[i]);
  }
  counting = false;
  EXPECT_EQ(std::exchange(allocations, 0), 0u);
  EXPECT_EQ(forwarded, 10000u);
}

TEST_F(Allocation, RefusesGarbageWithoutAny) {
  connect_call();
  test::OwnedPacket buffer;
  counting = true;
  for (int i = 0; i < 1000; ++i) {
    now_ += milliseconds{20};
    buffer.packet = {buffer.buffer.data() + kHeadRoom, 200};
    std::fill_n(buffer.packet.data, 200, static_cast<std::uint8_t>(i));
    buffer.packet.data[0] = 0x80;
    plane_->receive(kBrowserSocket, browser_address_, buffer.packet, now_, *outbox_, events_);
    plane_->receive(kBrowserSocket, carrier_.address, buffer.packet, now_, *outbox_, events_);
    plane_->receive(kRtp1, browser_address_, buffer.packet, now_, *outbox_, events_);
    outbox_->clear();
  }
  counting = false;
  EXPECT_EQ(std::exchange(allocations, 0), 0u);
}

}  // namespace
}  // namespace trunkline::media
