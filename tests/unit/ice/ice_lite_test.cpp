#include "ice/ice_lite.hpp"

#include "controlling_peer.hpp"
#include <algorithm>
#include <functional>
#include <gmock/gmock.h>

namespace trunkline::ice {
namespace {

using test::Bytes;
using test::CheckOptions;
using test::ControllingPeer;

const Credentials kLocal{"Loca", "local-password-22-chars"};
const Credentials kNewLocal{"Newl", "other-password-22-chars"};

class IceLiteTest : public testing::Test {
 protected:
  CheckOutcome receive(const Bytes& datagram, const SocketAddress& from, std::uint32_t socket = 0) {
    return ice_.receive(datagram, from, socket, now_, reply_);
  }
  CheckOutcome check(const SocketAddress& from, CheckOptions options = {}) {
    return receive(peer_.check(options), from);
  }
  CheckOutcome nominate(const SocketAddress& from) { return check(from, {.use_candidate = true}); }
  void pass(Duration time) { now_ += time; }
  Result<StunMessage, StunParseError> reply(const CheckOutcome& outcome) const {
    return StunMessage::parse(ByteView(reply_).first(outcome.reply_size));
  }
  bool traffic(const SocketAddress& from) { return ice_.on_traffic({from, 0}, now_); }
  SocketAddress selected() const { return ice_.selected().value_or(Tuple{}).remote; }

  TimePoint now_ = TimePoint{} + seconds{1000};
  SocketAddress wifi_ = *SocketAddress::parse("192.0.2.1:4000");
  SocketAddress lte_ = *SocketAddress::parse("198.51.100.9:5000");
  SocketAddress stranger_ = *SocketAddress::parse("203.0.113.66:6666");
  IceLite ice_{IceSettings{}, kLocal, "Remo", now_};
  ControllingPeer peer_{"Remo", kLocal.ufrag, kLocal.pwd};
  IceLite::Reply reply_{};
};

TEST_F(IceLiteTest, AnswersAValidCheckWithTheSourceSignedByOurPassword) {
  const CheckOutcome outcome = check(wifi_);
  EXPECT_EQ(outcome.verdict, CheckVerdict::valid);
  const auto answer = reply(outcome);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->message_class(), StunClass::success);
  EXPECT_EQ(answer->transaction_id(), peer_.last_id());
  EXPECT_EQ(answer->xor_mapped_address(), wifi_);
  EXPECT_TRUE(answer->has_fingerprint());
  EXPECT_TRUE(answer->authenticate(peer_.key()));
}

// RFC 8489 §6.3.1.1: no amplifier [stun-no-amplifier]
TEST_F(IceLiteTest, ItsAnswerIsNoLongerThanTheRequest) {
  const Bytes request = peer_.check();
  EXPECT_EQ(receive(request, wifi_).reply_size, 64U);
  EXPECT_LE(64U, request.size());
  const Bytes second = peer_.check();
  EXPECT_EQ(receive(second, *SocketAddress::parse("[2001:db8::5]:9")).reply_size, 76U);
}

TEST_F(IceLiteTest, TheFirstValidCheckConnectsOnce) {
  EXPECT_FALSE(ice_.connected());
  const CheckOutcome first = check(wifi_);
  EXPECT_TRUE(first.connected);
  EXPECT_TRUE(first.tuple_added);
  const CheckOutcome second = check(wifi_);
  EXPECT_FALSE(second.connected);
  EXPECT_FALSE(second.tuple_added);
  EXPECT_TRUE(ice_.connected());
}

TEST_F(IceLiteTest, OnlyTheCheckedTupleIsValidated) {
  check(wifi_);
  EXPECT_TRUE(ice_.is_validated({wifi_, 0}));
  EXPECT_FALSE(ice_.is_validated({wifi_, 1}));
  EXPECT_FALSE(ice_.is_validated({lte_, 0}));
}

// RFC 8489 §6.3.1: answered again [stun-retransmission]
TEST_F(IceLiteTest, AnswersARetransmissionAgain) {
  check(wifi_);
  const CheckOutcome again = receive(peer_.check_again(), wifi_);
  EXPECT_EQ(again.verdict, CheckVerdict::valid);
  EXPECT_GT(again.reply_size, 0U);
}

// ---------------------------------------------------------------- what is dropped

// RFC 8489 §9.1.3: no answer to a stranger [stun-silent]
TEST_F(IceLiteTest, DropsInSilenceWhatIsNotAnAuthenticCheck) {
  ControllingPeer wrong_password("Remo", kLocal.ufrag, "wrong-password-22-chars");
  ControllingPeer wrong_ufrag("Remo", "Nope", kLocal.pwd);
  ControllingPeer wrong_remote("Evil", kLocal.ufrag, kLocal.pwd);
  const std::vector<std::pair<Bytes, CheckVerdict>> cases{
      {Bytes{0, 1, 2}, CheckVerdict::malformed},
      {wrong_password.check(), CheckVerdict::integrity},
      {wrong_ufrag.check(), CheckVerdict::unknown_ufrag},
      {wrong_remote.check(), CheckVerdict::unknown_ufrag},
      {peer_.check({.fingerprint = false}), CheckVerdict::no_fingerprint},
      {peer_.check({.sign = false}), CheckVerdict::no_credentials},
      {peer_.check({.username = false}), CheckVerdict::no_credentials},
      {peer_.check({.message_class = StunClass::indication}), CheckVerdict::indication},
      {peer_.check({.message_class = StunClass::success}), CheckVerdict::response},
      {peer_.check({.message_class = StunClass::error}), CheckVerdict::response},
  };
  for (const auto& [datagram, verdict] : cases) {
    const CheckOutcome outcome = receive(datagram, wifi_);
    EXPECT_EQ(label(outcome.verdict), label(verdict));
    EXPECT_EQ(outcome.reply_size, 0U);
    EXPECT_FALSE(outcome.tuple_added);
  }
  EXPECT_FALSE(ice_.connected());
  EXPECT_FALSE(ice_.is_validated({wifi_, 0}));
}

TEST_F(IceLiteTest, DropsAnotherMethod) {
  Bytes datagram = peer_.check({.sign = false, .fingerprint = false});
  store16(datagram, 0, 0x0003);  // Allocate
  EXPECT_EQ(receive(datagram, wifi_).verdict, CheckVerdict::not_binding);
}

// RFC 8445 §7.3: a check may come before the description [ice-early-check]
TEST_F(IceLiteTest, BeforeTheRemoteDescriptionOnlyOurUfragCounts) {
  IceLite ice(IceSettings{}, kLocal, std::nullopt, now_);
  ControllingPeer any("Whoe", kLocal.ufrag, kLocal.pwd);
  EXPECT_EQ(ice.receive(any.check(), wifi_, 0, now_, reply_).verdict, CheckVerdict::valid);
  ice.set_remote_ufrag("Remo");
  EXPECT_EQ(ice.receive(any.check(), wifi_, 0, now_, reply_).verdict, CheckVerdict::unknown_ufrag);
  EXPECT_EQ(ice.receive(peer_.check(), wifi_, 0, now_, reply_).verdict, CheckVerdict::valid);
}

// RFC 8445 §7.3: the whole fragment counts [ice-username]
TEST_F(IceLiteTest, APrefixOfTheUfragIsNotTheUfrag) {
  ControllingPeer shorter("Remo", "Loc", kLocal.pwd);
  ControllingPeer longer("Remo", "Local", kLocal.pwd);
  EXPECT_EQ(receive(shorter.check(), wifi_).verdict, CheckVerdict::unknown_ufrag);
  EXPECT_EQ(receive(longer.check(), wifi_).verdict, CheckVerdict::unknown_ufrag);
}

// RFC 8489 §6.3.1: 420 and the attribute [stun-unknown-attribute]
TEST_F(IceLiteTest, AnswersAnUnknownRequiredAttributeWith420) {
  const CheckOutcome outcome = check(wifi_, {.extra_attribute = 0x7f42});
  EXPECT_EQ(outcome.verdict, CheckVerdict::unknown_attribute);
  const auto answer = reply(outcome);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->message_class(), StunClass::error);
  EXPECT_EQ(answer->error_code(), 420);
  EXPECT_TRUE(answer->authenticate(peer_.key()));
  EXPECT_FALSE(ice_.connected());
}

// RFC 8489 §6.3.1: optional ones are ignored [stun-unknown-attribute]
TEST_F(IceLiteTest, IgnoresUnknownOptionalAttributes) {
  EXPECT_EQ(check(wifi_, {.extra_attribute = 0xc057}).verdict, CheckVerdict::valid);
}

// RFC 8445 §7.3.1.1: a peer that would be controlled gets 487 [ice-role]
TEST_F(IceLiteTest, AnswersTheControlledRoleWith487AndKeepsItsState) {
  const CheckOutcome outcome = check(wifi_, {.use_candidate = true, .controlled = true});
  EXPECT_EQ(outcome.verdict, CheckVerdict::role_conflict);
  EXPECT_EQ(reply(outcome)->error_code(), 487);
  EXPECT_TRUE(reply(outcome)->authenticate(peer_.key()));
  EXPECT_FALSE(ice_.connected());
  EXPECT_FALSE(ice_.is_validated({wifi_, 0}));
}

TEST_F(IceLiteTest, TakesACheckWithoutARole) {
  EXPECT_EQ(check(wifi_, {.no_role = true}).verdict, CheckVerdict::valid);
}

// RFC 8489 §16.1.2: strangers share a limit [stun-rate]
TEST_F(IceLiteTest, LimitsTheChecksOfStrangersBeforeTheHmac) {
  ControllingPeer forger("Remo", kLocal.ufrag, "wrong-password-22-chars");
  int authenticated = 0;
  for (int i = 0; i < 1000; ++i) {
    if (receive(forger.check(), stranger_).verdict == CheckVerdict::integrity) ++authenticated;
  }
  EXPECT_EQ(authenticated, 200);
  pass(seconds{1});
  EXPECT_EQ(receive(forger.check(), stranger_).verdict, CheckVerdict::integrity);
}

// RFC 8489 §16.1.2: which is not that of who is known [stun-rate]
TEST_F(IceLiteTest, AFloodOfStrangersDoesNotTouchAValidatedTuple) {
  check(wifi_);
  ControllingPeer forger("Remo", kLocal.ufrag, "wrong-password-22-chars");
  for (int i = 0; i < 1000; ++i)
    receive(forger.check(), stranger_);
  EXPECT_EQ(check(wifi_).verdict, CheckVerdict::valid);
}

// ---------------------------------------------------------------- nomination

TEST_F(IceLiteTest, BeforeNominationSendsToThePairCheckedLast) {
  EXPECT_FALSE(ice_.destination());
  check(wifi_);
  pass(milliseconds{50});
  check(lte_);
  EXPECT_FALSE(ice_.selected());
  EXPECT_EQ(ice_.destination(), (Tuple{lte_, 0}));
}

TEST_F(IceLiteTest, SelectsTheNominatedPair) {
  check(wifi_);
  const CheckOutcome outcome = nominate(lte_);
  EXPECT_TRUE(outcome.selected_changed);
  EXPECT_EQ(selected(), lte_);
  EXPECT_EQ(ice_.destination(), ice_.selected());
  EXPECT_FALSE(nominate(lte_).selected_changed);
}

// RFC 8445 §7.3.1.5: the pair nominated last is taken at once [ice-nomination]
TEST_F(IceLiteTest, ANewNominationMovesAtOnceWhileNoMediaFlows) {
  nominate(wifi_);
  EXPECT_TRUE(nominate(lte_).selected_changed);
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, ANominationWithMediaBehindItMovesAtOnce) {
  nominate(wifi_);
  traffic(wifi_);
  pass(milliseconds{20});
  EXPECT_FALSE(nominate(lte_).selected_changed) << "the old pair spoke 20 ms ago";
  EXPECT_TRUE(traffic(lte_));
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, ANominationMovesWhenTheOldPairFallsSilent) {
  nominate(wifi_);
  traffic(wifi_);
  pass(milliseconds{20});
  nominate(lte_);
  EXPECT_EQ(ice_.deadline(), now_ + milliseconds{980});
  pass(milliseconds{979});
  EXPECT_FALSE(ice_.on_deadline(now_).selected_changed);
  pass(milliseconds{1});
  EXPECT_TRUE(ice_.on_deadline(now_).selected_changed);
  EXPECT_EQ(selected(), lte_);
}

// RFC 8445 §19.2: a nomination without media moves nothing that flows [ice-stolen-nomination]
TEST_F(IceLiteTest, AStolenNominationMovesNothingWhileMediaFlows) {
  nominate(wifi_);
  traffic(wifi_);
  nominate(stranger_);
  for (int i = 0; i < 500; ++i) {
    pass(milliseconds{20});
    traffic(wifi_);
    EXPECT_FALSE(ice_.on_deadline(now_).selected_changed);
  }
  EXPECT_EQ(selected(), wifi_);
}

TEST_F(IceLiteTest, AStaleNominationIsForgotten) {
  nominate(wifi_);
  traffic(wifi_);
  nominate(stranger_);
  for (int i = 0; i < 300; ++i) {
    pass(milliseconds{20});
    traffic(wifi_);
  }
  pass(seconds{1});
  EXPECT_FALSE(ice_.on_deadline(now_).selected_changed);
  EXPECT_EQ(selected(), wifi_);
  EXPECT_GT(ice_.deadline(), now_) << "nothing is left to wait for";
}

TEST_F(IceLiteTest, MediaFromAPairThatWasNotNominatedMovesNothingWhileTheSelectedOneIsChecked) {
  nominate(wifi_);
  check(lte_);
  pass(seconds{5});
  check(wifi_);
  EXPECT_FALSE(traffic(lte_));
  EXPECT_EQ(selected(), wifi_);
}

// RFC 8445 §7.3.1.3: a NAT gives another address to a browser that never nominates again
// [ice-new-address]
TEST_F(IceLiteTest, MovesToThePairFromWhichAloneChecksAndMediaCome) {
  nominate(wifi_);
  traffic(wifi_);
  pass(milliseconds{500});
  check(lte_);
  EXPECT_FALSE(traffic(lte_)) << "the selected pair spoke half a second ago";
  pass(milliseconds{500});
  EXPECT_TRUE(traffic(lte_));
  EXPECT_EQ(selected(), lte_);
  EXPECT_FALSE(traffic(wifi_)) << "it comes late";
  check(lte_);
  EXPECT_EQ(ice_.deadline(), now_ + seconds{30});
}

TEST_F(IceLiteTest, MediaFromAnUnknownTupleMovesNothing) {
  nominate(wifi_);
  EXPECT_FALSE(traffic(stranger_));
  EXPECT_EQ(selected(), wifi_);
}

TEST_F(IceLiteTest, LateMediaOfTheOldPairDoesNotMoveBack) {
  nominate(wifi_);
  traffic(wifi_);
  nominate(lte_);
  traffic(lte_);
  EXPECT_FALSE(traffic(wifi_));
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, MovesBackWhenTheFirstPairIsNominatedAgainAndSpeaks) {
  nominate(wifi_);
  nominate(lte_);
  traffic(lte_);
  pass(milliseconds{20});
  nominate(wifi_);
  EXPECT_TRUE(traffic(wifi_));
  EXPECT_EQ(selected(), wifi_);
}

// RFC 8445 §8.1.1: nominating all pairs again and again moves nothing [ice-aggressive]
TEST_F(IceLiteTest, AggressiveNominationDoesNotFlap) {
  nominate(wifi_);
  nominate(lte_);
  const SocketAddress chosen = selected();
  int changes = 0;
  for (int i = 0; i < 20; ++i) {
    pass(milliseconds{50});
    if (nominate(wifi_).selected_changed) ++changes;
    if (nominate(lte_).selected_changed) ++changes;
  }
  EXPECT_EQ(changes, 0);
  EXPECT_EQ(selected(), chosen);
}

// RFC 8445 §8.1.1: of pairs that are nominated alike the one with media counts [ice-aggressive]
TEST_F(IceLiteTest, AfterAggressiveNominationMediaDecides) {
  nominate(wifi_);
  nominate(lte_);
  EXPECT_EQ(selected(), lte_);
  pass(milliseconds{100});
  EXPECT_TRUE(traffic(wifi_));
  EXPECT_EQ(selected(), wifi_);
  pass(milliseconds{20});
  EXPECT_FALSE(traffic(wifi_));
}

TEST_F(IceLiteTest, WithoutMediaNominatingOnePairTwiceInARowMovesThere) {
  nominate(wifi_);
  nominate(lte_);
  EXPECT_FALSE(nominate(wifi_).selected_changed);
  EXPECT_TRUE(nominate(wifi_).selected_changed);
  EXPECT_EQ(selected(), wifi_);
}

// RFC 8489 §6.3.1: counts once [stun-retransmission]
TEST_F(IceLiteTest, ARetransmittedNominationCountsOnce) {
  nominate(wifi_);
  nominate(lte_);
  nominate(wifi_);
  EXPECT_FALSE(receive(peer_.check_again({.use_candidate = true}), wifi_).selected_changed);
  EXPECT_EQ(selected(), lte_);
}

// ---------------------------------------------------------------- renomination

TEST_F(IceLiteTest, ANumberedNominationSelectsWithoutUseCandidate) {
  check(wifi_, {.nomination = 1});
  EXPECT_EQ(selected(), wifi_);
}

// RFC 8445 §8.1.1: the highest number counts [ice-renomination]
TEST_F(IceLiteTest, AHigherNumberMovesAtOnceEvenBackToAPairNominatedBefore) {
  check(wifi_, {.nomination = 1});
  check(lte_, {.nomination = 2});
  EXPECT_EQ(selected(), lte_);
  EXPECT_TRUE(check(wifi_, {.nomination = 3}).selected_changed);
  EXPECT_EQ(selected(), wifi_);
}

TEST_F(IceLiteTest, ANominationThatALaterOneHasOvertakenMovesNothing) {
  check(lte_, {.nomination = 7});
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(check(wifi_, {.nomination = 6}).selected_changed);
  EXPECT_FALSE(traffic(wifi_)) << "nor does its media";
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, AHigherNumberMovesNoMediaThatFlows) {
  check(wifi_, {.nomination = 1});
  traffic(wifi_);
  EXPECT_FALSE(check(lte_, {.nomination = 2}).selected_changed);
  EXPECT_TRUE(traffic(lte_)) << "until the new pair proves itself";
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, ARestartBeginsTheNumbersAnew) {
  check(wifi_, {.nomination = 9});
  ice_.restart(kNewLocal, "Remo", now_);
  ControllingPeer fresh("Remo", kNewLocal.ufrag, kNewLocal.pwd);
  receive(fresh.check({.nomination = 1}), lte_);
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, AnAttributeOfThatNumberAndAnotherLengthIsNoNomination) {
  Bytes message(kMaxStunMessage);
  StunWriter writer(message, StunClass::request, {1, 2, 3});
  writer.username(kLocal.ufrag, "Remo").attribute(0xc001, Bytes{0, 0, 0, 9, 9, 9, 9, 9});
  message.resize(writer.finish(&peer_.key()));
  EXPECT_EQ(receive(message, wifi_).verdict, CheckVerdict::valid);
  EXPECT_FALSE(ice_.selected());
}

// ---------------------------------------------------------------- connections

class IceLiteConnections : public IceLiteTest {
 protected:
  static constexpr std::uint32_t kUdp = 0, kConnection = 100;
  CheckOutcome nominate_over(std::uint32_t socket, const SocketAddress& from) {
    return receive(peer_.check({.use_candidate = true}), from, socket);
  }
};

TEST_F(IceLiteConnections, OneThatClosesGivesWayToTheOtherNominatedPair) {
  nominate_over(kUdp, wifi_);
  nominate_over(kConnection, lte_);
  EXPECT_EQ(selected(), lte_);
  EXPECT_TRUE(ice_.forget(kConnection, now_));
  EXPECT_EQ(selected(), wifi_);
  EXPECT_FALSE(ice_.is_validated({lte_, kConnection}));
}

TEST_F(IceLiteConnections, TheOnlyOneLeavesConsentRunningFromItsLastCheck) {
  nominate_over(kConnection, wifi_);
  pass(seconds{10});
  EXPECT_TRUE(ice_.forget(kConnection, now_));
  EXPECT_FALSE(ice_.destination());
  EXPECT_EQ(ice_.deadline(), now_ + seconds{20});
  pass(seconds{20});
  EXPECT_EQ(ice_.on_deadline(now_).failure, IceFailure::consent_expired);
}

TEST_F(IceLiteConnections, ANewOneInTimeGoesOn) {
  nominate_over(kConnection, wifi_);
  ice_.forget(kConnection, now_);
  pass(seconds{29});
  EXPECT_TRUE(nominate_over(kConnection, lte_).selected_changed);
  EXPECT_EQ(selected(), lte_);
  EXPECT_EQ(ice_.deadline(), now_ + seconds{30});
}

TEST_F(IceLiteConnections, TheEndOfAnotherPairsConnectionChangesNothing) {
  nominate_over(kUdp, wifi_);
  receive(peer_.check(), lte_, kConnection);
  EXPECT_FALSE(ice_.forget(kConnection, now_));
  EXPECT_EQ(selected(), wifi_);
}

TEST_F(IceLiteConnections, ANominationThatWaitsGoesWithItsConnection) {
  nominate_over(kUdp, wifi_);
  ice_.on_traffic({wifi_, kUdp}, now_);
  nominate_over(kConnection, lte_);
  EXPECT_FALSE(ice_.forget(kConnection, now_));
  pass(seconds{2});
  EXPECT_FALSE(ice_.on_deadline(now_).selected_changed);
  EXPECT_EQ(selected(), wifi_);
}

// ---------------------------------------------------------------- replay

// RFC 8445 §19.2: a transaction of another address is dropped [ice-stolen-nomination]
TEST_F(IceLiteTest, ACapturedCheckFromAnotherAddressIsDropped) {
  const Bytes captured = peer_.check({.use_candidate = true});
  receive(captured, wifi_);
  const CheckOutcome outcome = receive(captured, stranger_);
  EXPECT_EQ(outcome.verdict, CheckVerdict::replayed);
  EXPECT_EQ(outcome.reply_size, 0U);
  EXPECT_FALSE(ice_.is_validated({stranger_, 0}));
  EXPECT_EQ(selected(), wifi_);
}

TEST_F(IceLiteTest, ACapturedCheckToAnotherSocketOfOursIsDropped) {
  const Bytes captured = peer_.check();
  receive(captured, wifi_, 0);
  EXPECT_EQ(receive(captured, wifi_, 1).verdict, CheckVerdict::replayed);
}

TEST_F(IceLiteTest, RemembersTheLast256Checks) {
  const Bytes captured = peer_.check();
  receive(captured, wifi_);
  for (int i = 0; i < 255; ++i) {
    pass(milliseconds{100});
    check(wifi_);
  }
  EXPECT_EQ(receive(captured, stranger_).verdict, CheckVerdict::replayed);
  check(wifi_);
  EXPECT_EQ(receive(captured, stranger_).verdict, CheckVerdict::valid);
}

TEST_F(IceLiteTest, AReplayedRetransmissionDoesNotPushOthersOut) {
  const Bytes captured = peer_.check();
  receive(captured, wifi_);
  const Bytes other = peer_.check();
  for (int i = 0; i < 400; ++i) {
    pass(milliseconds{100});
    receive(other, wifi_);
  }
  EXPECT_EQ(receive(captured, stranger_).verdict, CheckVerdict::replayed);
}

// ---------------------------------------------------------------- the table of pairs

// RFC 8445 §6.1.2.5: eight pairs [ice-limits]
TEST_F(IceLiteTest, KeepsEightPairsAndEvictsTheOneCheckedLongestAgo) {
  nominate(wifi_);
  std::vector<SocketAddress> others;
  for (std::uint16_t port = 1; port <= 8; ++port)
    others.push_back({lte_.ip, port});
  for (std::size_t i = 0; i < 7; ++i) {
    pass(milliseconds{10});
    EXPECT_FALSE(check(others[i]).evicted);
  }
  pass(milliseconds{10});
  EXPECT_EQ(check(others[7]).evicted, (Tuple{others[0], 0}))
      << "the selected pair is older, but stays";
  EXPECT_FALSE(ice_.is_validated({others[0], 0}));
  EXPECT_TRUE(ice_.is_validated({others[7], 0}));
  EXPECT_EQ(selected(), wifi_);
}

// ---------------------------------------------------------------- restart

// RFC 8445 §9: both generations until the new one is used [ice-restart-kept]
TEST_F(IceLiteTest, AfterARestartBothGenerationsAreGoodUntilTheNewOneIsUsed) {
  nominate(wifi_);
  ice_.restart(kNewLocal, "Rem2", now_);
  EXPECT_EQ(ice_.local_ufrag(), kNewLocal.ufrag);
  EXPECT_EQ(ice_.previous_local_ufrag(), kLocal.ufrag);
  EXPECT_EQ(check(wifi_).verdict, CheckVerdict::valid);
  EXPECT_EQ(ice_.previous_local_ufrag(), kLocal.ufrag);

  ControllingPeer again("Rem2", kNewLocal.ufrag, kNewLocal.pwd);
  const CheckOutcome outcome = receive(again.check(), wifi_);
  EXPECT_TRUE(outcome.restarted);
  EXPECT_FALSE(outcome.connected);
  EXPECT_TRUE(reply(outcome)->authenticate(again.key()));
  EXPECT_EQ(ice_.previous_local_ufrag(), "");
  EXPECT_EQ(check(wifi_).verdict, CheckVerdict::unknown_ufrag);
  EXPECT_FALSE(receive(again.check(), wifi_).restarted);
}

TEST_F(IceLiteTest, ARestartKeepsMediaOnTheSelectedPair) {
  nominate(wifi_);
  ice_.restart(kNewLocal, "Rem2", now_);
  EXPECT_EQ(selected(), wifi_);
  ControllingPeer again("Rem2", kNewLocal.ufrag, kNewLocal.pwd);
  receive(again.check(), lte_);
  EXPECT_EQ(selected(), wifi_);
  EXPECT_TRUE(receive(again.check({.use_candidate = true}), lte_).selected_changed);
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, ANewGenerationsNominationCountsAsTheFirst) {
  nominate(wifi_);
  nominate(lte_);
  ice_.restart(kNewLocal, "Rem2", now_);
  ControllingPeer again("Rem2", kNewLocal.ufrag, kNewLocal.pwd);
  EXPECT_TRUE(receive(again.check({.use_candidate = true}), wifi_).selected_changed);
}

// RFC 8445 §7.3: the parts are of one generation [ice-username]
TEST_F(IceLiteTest, TheGenerationsCannotBeMixed) {
  ice_.restart(kNewLocal, "Rem2", now_);
  ControllingPeer mixed_password("Rem2", kNewLocal.ufrag, kLocal.pwd);
  ControllingPeer mixed_ufrag("Remo", kNewLocal.ufrag, kNewLocal.pwd);
  EXPECT_EQ(receive(mixed_password.check(), wifi_).verdict, CheckVerdict::integrity);
  EXPECT_EQ(receive(mixed_ufrag.check(), wifi_).verdict, CheckVerdict::unknown_ufrag);
}

TEST_F(IceLiteTest, ASecondRestartKeepsTheGenerationThatWorks) {
  check(wifi_);
  ice_.restart(kNewLocal, "Rem2", now_);
  ice_.restart({"Thir", "third-password-22-chars"}, "Rem3", now_);
  EXPECT_EQ(check(wifi_).verdict, CheckVerdict::valid);
  ControllingPeer third("Rem3", "Thir", "third-password-22-chars");
  EXPECT_TRUE(receive(third.check(), wifi_).restarted);
}

// ---------------------------------------------------------------- time

TEST_F(IceLiteTest, FailsWithoutAValidCheckInTime) {
  EXPECT_EQ(ice_.deadline(), now_ + seconds{30});
  pass(seconds{30} - milliseconds{1});
  EXPECT_FALSE(ice_.on_deadline(now_).failure);
  pass(milliseconds{1});
  EXPECT_EQ(ice_.on_deadline(now_).failure, IceFailure::connect_timeout);
  EXPECT_TRUE(ice_.failed());
  EXPECT_EQ(ice_.deadline(), kNever);
  EXPECT_FALSE(ice_.on_deadline(now_).failure) << "reported once";
  EXPECT_EQ(check(wifi_).verdict, CheckVerdict::closed);
}

TEST_F(IceLiteTest, ConsentExpiresWithoutChecksOnTheSelectedPair) {
  nominate(wifi_);
  pass(seconds{20});
  check(wifi_);
  EXPECT_EQ(ice_.deadline(), now_ + seconds{30});
  pass(seconds{30} - milliseconds{1});
  EXPECT_FALSE(ice_.on_deadline(now_).failure);
  pass(milliseconds{1});
  EXPECT_EQ(ice_.on_deadline(now_).failure, IceFailure::consent_expired);
  EXPECT_TRUE(ice_.failed());
}

TEST_F(IceLiteTest, ChecksOnAnotherPairDoNotRefreshConsent) {
  nominate(wifi_);
  pass(seconds{29});
  check(lte_);
  pass(seconds{1});
  EXPECT_EQ(ice_.on_deadline(now_).failure, IceFailure::consent_expired);
}

TEST_F(IceLiteTest, MediaDoesNotRefreshConsent) {
  nominate(wifi_);
  pass(seconds{29});
  traffic(wifi_);
  pass(seconds{1});
  EXPECT_EQ(ice_.on_deadline(now_).failure, IceFailure::consent_expired);
}

// RFC 7675 §5.1: only an authentic check is consent [ice-consent]
TEST_F(IceLiteTest, IndicationsAndForgedChecksDoNotRefreshConsent) {
  nominate(wifi_);
  pass(seconds{29});
  check(wifi_, {.message_class = StunClass::indication});
  ControllingPeer forger("Remo", kLocal.ufrag, "wrong-password-22-chars");
  receive(forger.check(), wifi_);
  pass(seconds{1});
  EXPECT_EQ(ice_.on_deadline(now_).failure, IceFailure::consent_expired);
}

TEST_F(IceLiteTest, BeforeNominationConsentIsThatOfThePairCheckedLast) {
  check(wifi_);
  pass(seconds{10});
  check(lte_);
  EXPECT_EQ(ice_.deadline(), now_ + seconds{30});
}

TEST_F(IceLiteTest, InsteadOfExpiringTakesANominatedPairThatIsAlive) {
  nominate(lte_);
  nominate(wifi_);
  pass(seconds{29});
  check(lte_);
  pass(seconds{1});
  const TimeOutcome outcome = ice_.on_deadline(now_);
  EXPECT_FALSE(outcome.failure);
  EXPECT_TRUE(outcome.selected_changed);
  EXPECT_EQ(selected(), lte_);
}

TEST_F(IceLiteTest, TheTimeoutsAreSettings) {
  IceLite ice({seconds{5}, seconds{10}}, kLocal, std::nullopt, now_);
  EXPECT_EQ(ice.deadline(), now_ + seconds{5});
  ice.receive(peer_.check(), wifi_, 0, now_, reply_);
  EXPECT_EQ(ice.deadline(), now_ + seconds{10});
}

TEST_F(IceLiteTest, ARestartRevivesAFailedSessionWithoutItsTuples) {
  nominate(wifi_);
  pass(seconds{30});
  ice_.on_deadline(now_);
  ice_.restart(kNewLocal, "Rem2", now_);
  EXPECT_FALSE(ice_.failed());
  EXPECT_FALSE(ice_.is_validated({wifi_, 0}));
  EXPECT_EQ(ice_.deadline(), now_ + seconds{30});
  ControllingPeer again("Rem2", kNewLocal.ufrag, kNewLocal.pwd);
  EXPECT_TRUE(receive(again.check(), wifi_).connected);
}

template <class Enum>
void expect_different_labels() {
  std::vector<std::string_view> labels;
  for (int i = 0; i < static_cast<int>(Enum::count_); ++i)
    labels.push_back(label(static_cast<Enum>(i)));
  std::sort(labels.begin(), labels.end());
  EXPECT_EQ(std::adjacent_find(labels.begin(), labels.end()), labels.end());
  EXPECT_THAT(labels, testing::Not(testing::Contains("unknown")));
}

TEST(IceLabels, AreAllDifferent) {
  expect_different_labels<CheckVerdict>();
  expect_different_labels<IceFailure>();
}

}  // namespace
}  // namespace trunkline::ice
