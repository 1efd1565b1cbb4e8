#include "media/dtls.hpp"

#include "base/random.hpp"
#include "media/dtls_identity.hpp"

#include "openssl_clock.hpp"
#include <gmock/gmock.h>

namespace trunkline::media {
namespace {

using testing::Each;
using testing::IsEmpty;
using testing::Le;
using testing::Not;
using testing::SizeIs;
using State = DtlsAssociation::State;
using Failure = DtlsAssociation::Failure;
using Datagrams = std::vector<std::vector<std::uint8_t>>;

class Dtls : public testing::Test {
 protected:
  void SetUp() override {
    server_->expect({client_identity_->fingerprint()});
    client_->expect({server_identity_->fingerprint()});
  }
  static Datagrams feed(DtlsAssociation& to, const Datagrams& datagrams, TimePoint now) {
    for (const auto& datagram : datagrams)
      to.receive(datagram, now);
    return to.take_datagrams();
  }
  void shake_hands() {
    client_->start(now_);
    Datagrams flight = client_->take_datagrams();
    for (int i = 0; i < 8 && !flight.empty(); ++i) {
      flight = feed(*server_, flight, now_);
      flight = feed(*client_, flight, now_);
    }
  }
  void advance(Duration by) {
    clock_.advance(by);
    now_ += by;
  }

  test::OpensslClock clock_;
  TimePoint now_ = TimePoint{} + seconds{100};
  Result<DtlsIdentity> server_identity_ = DtlsIdentity::make(),
                       client_identity_ = DtlsIdentity::make();
  std::unique_ptr<DtlsAssociation> server_ = DtlsAssociation::make(*server_identity_, false);
  std::unique_ptr<DtlsAssociation> client_ = DtlsAssociation::make(*client_identity_, true);
};

// RFC 5764 §4.2: crosswise [dtls-srtp-keys]
TEST_F(Dtls, GivesBothSidesTheSameKeysCrosswise) {
  shake_hands();
  ASSERT_TRUE(server_->verified() && client_->verified());
  EXPECT_EQ(server_->keys()->send.key, client_->keys()->receive.key);
  EXPECT_EQ(server_->keys()->receive.salt, client_->keys()->send.salt);
  EXPECT_NE(server_->keys()->send.key, server_->keys()->receive.key);
}

TEST_F(Dtls, PrefersAes128Gcm) {
  shake_hands();
  ASSERT_NE(server_->keys(), nullptr);
  EXPECT_EQ(server_->keys()->profile, SrtpProfile::aead_aes_128_gcm);
}

// RFC 6347 §4.1.1.1: 1200 octets [dtls-mtu]
// RFC 8834 §6: flights of DTLS are cut [packet-size]
TEST_F(Dtls, KeepsDatagramsWithinItsMtu) {
  client_->start(now_);
  Datagrams hello = client_->take_datagrams();
  ASSERT_THAT(hello, SizeIs(1));
  const Datagrams flight = feed(*server_, hello, now_);
  ASSERT_THAT(flight, Not(IsEmpty()));
  for (const auto& datagram : flight)
    EXPECT_LE(datagram.size(), 1200u);
}

TEST_F(Dtls, HasNoDeadlineBeforeItSpeaks) {
  EXPECT_EQ(server_->deadline(), kNever);
  EXPECT_EQ(client_->deadline(), kNever);
}

// RFC 6347 §4.2.4.1: 200 ms, doubled [dtls-timer]
TEST_F(Dtls, SendsALostHelloAgainAfter200And400Milliseconds) {
  client_->start(now_);
  client_->take_datagrams();
  EXPECT_EQ(client_->deadline(), now_ + milliseconds{200});
  advance(milliseconds{200});
  client_->on_deadline(now_);
  EXPECT_THAT(client_->take_datagrams(), SizeIs(1));
  EXPECT_EQ(client_->deadline(), now_ + milliseconds{400});
  advance(milliseconds{400});
  client_->on_deadline(now_);
  EXPECT_THAT(client_->take_datagrams(), SizeIs(1));
}

// RFC 6347 §4.2.4.1: at most 3 s [dtls-timer]
TEST_F(Dtls, WaitsAtMostThreeSecondsBetweenTwoTries) {
  client_->start(now_);
  client_->take_datagrams();
  for (int i = 0; i < 8; ++i) {
    const Duration wait = client_->deadline() - now_;
    EXPECT_LE(wait, seconds{3});
    advance(wait);
    client_->on_deadline(now_);
    EXPECT_THAT(client_->take_datagrams(), SizeIs(1));
  }
}

// RFC 6347 §4.2.4.1: a wall clock that is put back stops no retransmission [dtls-timer]
TEST_F(Dtls, DoesNotWaitForAWallClockThatWasPutBack) {
  client_->start(now_);
  client_->take_datagrams();
  clock_.advance(-std::chrono::hours{1});
  now_ += milliseconds{200};
  client_->on_deadline(now_);
  EXPECT_EQ(client_->state(), State::failed);
  EXPECT_EQ(client_->failure(), Failure::clock);
  EXPECT_EQ(client_->deadline(), kNever);
}

TEST_F(Dtls, TakesAWallClockThatWasPutForward) {
  client_->start(now_);
  client_->take_datagrams();
  clock_.advance(std::chrono::hours{1});
  now_ += milliseconds{200};
  client_->on_deadline(now_);
  EXPECT_THAT(client_->take_datagrams(), SizeIs(1));
  EXPECT_EQ(client_->deadline(), now_ + milliseconds{400});
}

TEST_F(Dtls, DoesNothingBeforeItsDeadline) {
  client_->start(now_);
  client_->take_datagrams();
  advance(milliseconds{100});
  client_->on_deadline(now_);
  EXPECT_THAT(client_->take_datagrams(), IsEmpty());
}

TEST_F(Dtls, FinishesAlthoughFortyPercentOfTheDatagramsAreLost) {
  SeededRandom random(3);
  const auto lossy = [&random](Datagrams datagrams) {
    std::erase_if(datagrams, [&random](const auto&) { return random.below(100) < 40; });
    return datagrams;
  };
  client_->start(now_);
  Datagrams to_server = client_->take_datagrams(), to_client;
  for (int i = 0; i < 300 && !(server_->verified() && client_->verified()); ++i) {
    Datagrams next_to_client = feed(*server_, lossy(to_server), now_);
    to_server = feed(*client_, lossy(to_client), now_);
    to_client = std::move(next_to_client);
    advance(milliseconds{100});
    client_->on_deadline(now_);
    server_->on_deadline(now_);
    for (auto& datagram : client_->take_datagrams())
      to_server.push_back(std::move(datagram));
    for (auto& datagram : server_->take_datagrams())
      to_client.push_back(std::move(datagram));
  }
  EXPECT_TRUE(server_->verified());
  EXPECT_TRUE(client_->verified());
}

TEST_F(Dtls, SendsItsFinalFlightAgainWhenThePeerRepeatsFinished) {
  client_->start(now_);
  const Datagrams first = feed(*server_, client_->take_datagrams(), now_);
  const Datagrams lost = feed(*server_, feed(*client_, first, now_), now_);
  ASSERT_EQ(server_->state(), State::finished);
  ASSERT_THAT(lost, Not(IsEmpty()));
  advance(milliseconds{200});
  client_->on_deadline(now_);
  feed(*client_, feed(*server_, client_->take_datagrams(), now_), now_);
  EXPECT_EQ(client_->state(), State::finished);
}

TEST_F(Dtls, TakesAFlightInReversedOrder) {
  client_->start(now_);
  Datagrams flight = feed(*server_, client_->take_datagrams(), now_);
  std::reverse(flight.begin(), flight.end());
  const Datagrams answer = feed(*client_, flight, now_);
  feed(*client_, feed(*server_, answer, now_), now_);
  EXPECT_TRUE(server_->verified() && client_->verified());
}

/// One handshake message of one record, cut in two datagrams at `at` (RFC 6347 §4.2.3).
Datagrams fragment(const std::vector<std::uint8_t>& record, std::size_t at) {
  constexpr std::size_t kRecord = 13, kMessage = 12;
  const std::size_t length = record.size() - kRecord - kMessage;
  Datagrams parts;
  for (const auto& [offset, size] : {std::pair{std::size_t{0}, at}, std::pair{at, length - at}}) {
    std::vector<std::uint8_t> part(record.begin(), record.begin() + kRecord + kMessage);
    // A record number of its own, behind those that the client will use next.
    part[10] = static_cast<std::uint8_t>(offset == 0 ? 0 : 40);
    store16(part, 11, static_cast<std::uint16_t>(kMessage + size));
    part[kRecord + 6] = 0;
    store16(part, kRecord + 7, static_cast<std::uint16_t>(offset));
    part[kRecord + 9] = 0;
    store16(part, kRecord + 10, static_cast<std::uint16_t>(size));
    const auto body = record.begin() + kRecord + kMessage + static_cast<std::ptrdiff_t>(offset);
    part.insert(part.end(), body, body + static_cast<std::ptrdiff_t>(size));
    parts.push_back(std::move(part));
  }
  return parts;
}

TEST_F(Dtls, TakesAClientHelloInTwoDatagrams) {
  client_->start(now_);
  const Datagrams parts = fragment(client_->take_datagrams().at(0), 100);
  EXPECT_THAT(feed(*server_, {parts[0]}, now_), IsEmpty());
  const Datagrams flight = feed(*server_, {parts[1]}, now_);
  feed(*client_, feed(*server_, feed(*client_, flight, now_), now_), now_);
  EXPECT_TRUE(server_->verified() && client_->verified());
}

// RFC 6347 §4.2.3: in any order [dtls-fragments]
TEST_F(Dtls, TakesAClientHelloInTwoDatagramsOutOfOrder) {
  client_->start(now_);
  const Datagrams parts = fragment(client_->take_datagrams().at(0), 100);
  const Datagrams flight = feed(*server_, {parts[1], parts[0]}, now_);
  feed(*client_, feed(*server_, feed(*client_, flight, now_), now_), now_);
  EXPECT_TRUE(server_->verified() && client_->verified());
}

// RFC 6347 §4.2.3: a large ClientHello [dtls-fragments]
TEST_F(Dtls, TakesALargeClientHelloAsBrowsersWithPostQuantumKeysSendIt) {
  // As large as with the key share of ML-KEM-768, which OpenSSL 3.0 cannot make.
  std::vector<unsigned char> names;
  for (int i = 0; i < 12; ++i) {
    names.push_back(120);
    names.insert(names.end(), 120, static_cast<unsigned char>('a' + i));
  }
  SSL_CTX_set_alpn_protos(client_identity_->impl().context.get(), names.data(),
                          static_cast<unsigned>(names.size()));
  client_ = DtlsAssociation::make(*client_identity_, true);
  client_->expect({server_identity_->fingerprint()});
  client_->start(now_);
  const Datagrams hello = client_->take_datagrams();
  ASSERT_THAT(hello, SizeIs(2));
  for (const auto& datagram : hello)
    EXPECT_LE(datagram.size(), 1200u);
  EXPECT_THAT(feed(*server_, {hello[1]}, now_), IsEmpty());
  const Datagrams flight = feed(*server_, {hello[0]}, now_);
  feed(*client_, feed(*server_, feed(*client_, flight, now_), now_), now_);
  EXPECT_TRUE(server_->verified() && client_->verified());
}

// RFC 6347 §4.2.3: up to a limit [dtls-fragments]
TEST_F(Dtls, KeepsNoRoomForAMessageThatIsTooLarge) {
  client_->start(now_);
  std::vector<std::uint8_t> part = fragment(client_->take_datagrams().at(0), 100)[1];
  // A fragment of a message of 200,000 octets.
  part[13 + 1] = 3;
  store16(part, 13 + 2, 0x0d40);
  feed(*server_, {part}, now_);
  EXPECT_EQ(server_->state(), State::failed);
}

TEST_F(Dtls, RefusesACertificateThatWasNotSignalled) {
  server_->expect({server_identity_->fingerprint()});
  shake_hands();
  EXPECT_EQ(server_->state(), State::failed);
  EXPECT_EQ(server_->failure(), Failure::fingerprint);
  EXPECT_EQ(server_->keys(), nullptr);
  EXPECT_EQ(client_->state(), State::failed) << "a bad_certificate alert went back";
}

TEST_F(Dtls, RefusesTheWrongServerAsClientToo) {
  client_->expect({client_identity_->fingerprint()});
  shake_hands();
  EXPECT_EQ(client_->failure(), Failure::fingerprint);
  EXPECT_FALSE(client_->verified());
}

TEST_F(Dtls, HoldsAPeerWhoseFingerprintIsNotYetKnown) {
  server_->expect({});
  shake_hands();
  EXPECT_EQ(server_->state(), State::finished);
  EXPECT_FALSE(server_->verified());
  EXPECT_FALSE(server_->mismatch());
  server_->expect({client_identity_->fingerprint()});
  EXPECT_TRUE(server_->verified());
}

TEST_F(Dtls, FindsALateMismatch) {
  server_->expect({});
  shake_hands();
  server_->expect({server_identity_->fingerprint()});
  EXPECT_TRUE(server_->mismatch());
  EXPECT_FALSE(server_->verified());
}

// RFC 8122 §5: any of several [fingerprints]
TEST_F(Dtls, TakesAnyOfSeveralFingerprintsInAnyCase) {
  std::string lower = client_identity_->fingerprint().value;
  for (char& c : lower)
    c = static_cast<char>(std::tolower(c));
  server_->expect({{"sha-512", "00:11"}, {"sha-256", lower}});
  shake_hands();
  EXPECT_TRUE(server_->verified());
}

// RFC 8122 §5: not sha-1 [fingerprints]
TEST_F(Dtls, DoesNotAcceptSha1) {
  server_->expect({{"sha-1", "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33"}});
  shake_hands();
  EXPECT_EQ(server_->failure(), Failure::fingerprint);
}

// RFC 5246 §7.2.1: sent [dtls-close]
TEST_F(Dtls, TellsThePeerThatItCloses) {
  shake_hands();
  server_->close();
  feed(*client_, server_->take_datagrams(), now_);
  EXPECT_EQ(client_->state(), State::closed);
}

TEST_F(Dtls, SaysNothingWhenClosedBeforeTheHandshakeIsOver) {
  server_->close();
  EXPECT_THAT(server_->take_datagrams(), IsEmpty());
}

// RFC 6347 §4.1.2.7: records that are not authentic [dtls-noise]
TEST_F(Dtls, IgnoresGarbageAfterTheHandshake) {
  shake_hands();
  std::vector<std::uint8_t> garbage(100, 0x17);
  feed(*server_, {garbage, {21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40}}, now_);
  EXPECT_EQ(server_->state(), State::finished);
}

// RFC 6347 §4.1.2.7: another hello [dtls-noise]
TEST_F(Dtls, IgnoresASecondHelloAfterTheHandshake) {
  shake_hands();
  const auto other = DtlsAssociation::make(*client_identity_, true);
  other->start(now_);
  feed(*server_, other->take_datagrams(), now_);
  EXPECT_EQ(server_->state(), State::finished);
  client_->close();
  feed(*server_, client_->take_datagrams(), now_);
  EXPECT_EQ(server_->state(), State::closed) << "the association is still the old one";
}

TEST(DtlsIdentity, IsAnotherOneEachTime) {
  const auto one = DtlsIdentity::make(), two = DtlsIdentity::make();
  ASSERT_TRUE(one && two);
  EXPECT_NE(one->fingerprint().value, two->fingerprint().value);
  EXPECT_EQ(one->fingerprint().hash, "sha-256");
  EXPECT_THAT(one->fingerprint().value, SizeIs(95));
}

}  // namespace
}  // namespace trunkline::media
