// The races in which SIP stacks have gone wrong, played by SIPp at the trunk over every transport; the transports side by side.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { until } from '../peers/until.mjs';
import { callees, callers, referrers } from './races.mjs';
import { sippStage, TRANSPORTS } from './sipp_stage.mjs';

// Over UDP SIPp takes copies for those of the network; there the lossy relay proves it (sipp.test.mjs).
const STREAMS = ['tcp', 'tls'];
const NAMES = { udp: 'UDP', tcp: 'TCP', tls: 'TLS' };

function called(stage) {
  const { transport } = stage;
  const sent = (method) => stage.gateway.metric('trunkline_sip_requests_total', { direction: 'out', transport, method });
  // The browser calls, and waits for `event`, unless that is null.
  const call = async (scenario, event = 'answered') => {
    const sipp = await stage.callee(callees[scenario]);
    const number = stage.alice.call('5551000');
    if (event) await stage.alice.event(event, { call: number });
    return [sipp, number];
  };
  const hold = async () => {
    const [{ call_id: id }] = (await stage.api.must('listCalls', {})).calls;
    return stage.api.holdCall({ call_id: id });
  };

  // RFC 3261 §13.2.2.4: the BYE after a 2xx that crossed CANCEL goes by its route set [race-crossed-200-route]
  it('answers what was cancelled, by way of a proxy', async () => {
    const [sipp, number] = await call('crossing_answer', 'ringing');
    stage.alice.hangup(number);
    await sipp.succeeds();
    await stage.alice.event('failed', { call: number, status: 487 });
  });

  // RFC 3261 §9.1: CANCEL waits for a provisional response, the caller does not [race-cancel-before-1xx]
  it('says nothing until it is given up', async () => {
    const before = await sent('INVITE');
    const [sipp, number] = await call('mute_at_first', null);
    await until(async () => (await sent('INVITE')) > before, 'INVITE');
    stage.alice.hangup(number);
    await stage.alice.event('failed', { call: number, status: 487 });
    await sipp.succeeds();
  });

  for (const [scenario] of [
    // RFC 3261 §17.1.1.3: the 487 after CANCEL gets its ACK [race-487-after-call]
    ['cancelled'],
    // RFC 3262 §4: a reliable response after the end gets no PRACK [race-late-reliable]
    ['rings_reliably_too_late'],
  ]) {
    it(callees[scenario].name, async () => {
      const [sipp, number] = await call(scenario, 'ringing');
      stage.alice.hangup(number);
      await stage.alice.event('failed', { call: number, status: 487 });
      await sipp.succeeds();
    });
  }

  for (const [scenario, over = TRANSPORTS] of [
    // RFC 3261 §13.2.2.4: the dialog is that of the 2xx [race-2xx-other-tag]
    ['other_tag'],
    // RFC 3261 §17.1.1.3: a refusal of a fork after the other's 2xx gets its ACK [race-losing-fork]
    ['losing_fork'],
    // RFC 3261 §22.2: a challenge that calls the nonce stale is answered, too [race-challenge-acknowledged]
    ['stale_nonce'],
    // RFC 3262 §7.2: RAck names the INVITE with the credentials [race-rack-after-challenge]
    ['challenges_and_rings_reliably'],
    // RFC 3261 §22.2: BYE is authenticated [race-bye-challenged]
    ['challenges_bye'],
    // RFC 3261 §13.2.1: the first answer stands [race-183-then-200]
    ['answers_otherwise'],
    ['redirects'],
    // RFC 4028 §7.3: 422 is answered with a longer interval
    ['wants_longer_interval'],
    // RFC 3261 §13.2.2.4: a copy of a 2xx gets the ACK again [race-ack-repeated]
    ['answers_again', STREAMS],
    // RFC 3261 §26.2.2: a Contact over TLS is a sip URI with transport=tls [sip-over-tls]
    ['names_itself_securely', ['tls']],
  ]) {
    if (!over.includes(transport)) continue;
    it(callees[scenario].name, async () => {
      const acks = await sent('ACK');
      const [sipp, number] = await call(scenario);
      if (scenario === 'answers_again') await until(async () => (await sent('ACK')) >= acks + 2, 'two ACKs');
      if (scenario === 'losing_fork') await until(async () => (await sent('ACK')) >= acks + 2, 'the ACK of the refusal');
      stage.alice.hangup(number);
      await sipp.succeeds();
    });
  }

  for (const [scenario, status] of [['challenges_without_end', 403], ['redirects_in_a_circle', 480]]) {
    it(`${callees[scenario].name}, which is the end`, async () => {
      const [sipp, number] = await call(scenario, null);
      await stage.alice.event('failed', { call: number, status });
      await sipp.succeeds();
    });
  }

  // RFC 3261 §13.2.2.4: a 200 to a re-INVITE after our BYE gets its ACK [race-bye-and-owed-ack]
  it('answers an offer after the call has ended', async () => {
    const [sipp, number] = await call('hung_up_on_while_offered');
    const before = await sent('INVITE');
    const held = hold();
    await until(async () => (await sent('INVITE')) > before, 're-INVITE');
    stage.alice.hangup(number);
    await sipp.succeeds();
    await held;
  });

  // RFC 3261 §15.1.2: BYE crosses a re-INVITE [race-bye-crosses-reinvite]
  it('hangs up instead of answering an offer', async () => {
    const [sipp, number] = await call('hangs_up_on_offer');
    await hold();
    await stage.alice.event('ended', { call: number });
    await sipp.succeeds();
  });

  // RFC 3261 §14.1: a refused re-INVITE ends nothing, and the next is taken [race-refused-reinvite]
  it('refuses an offer and takes the next', async () => {
    const [sipp, number] = await call('refuses_offer');
    assert.ok((await hold()).error, 'the first is refused');
    assert.equal((await hold()).error, null);
    stage.alice.hangup(number);
    await sipp.succeeds();
  });

  for (const [scenario] of [
    // RFC 3261 §14.1: after 491 the offer comes again [race-reinvite-glare]
    ['collides'],
    // RFC 3311 §5.2: an UPDATE that meets our offer gets 491 [race-offers-collide]
    ['updates_into_offer'],
  ]) {
    it(callees[scenario].name, async () => {
      const [sipp, number] = await call(scenario);
      assert.equal((await hold()).error, null);
      stage.alice.hangup(number);
      await sipp.succeeds();
    });
  }
}

function calling(stage) {
  const { transport } = stage;
  const call = async (scenario) => {
    const sipp = await stage.caller(callers[scenario], { dial: '1001' });
    const { call: number } = await stage.alice.event('incoming');
    return [sipp, number];
  };

  for (const [scenario, over = TRANSPORTS] of [
    // RFC 3261 §9.2: CANCEL after the 2xx changes nothing [race-cancel-after-200]
    ['cancels_too_late'],
    // RFC 3261 §15: an ACK with an answer after BYE is passed over [race-ack-after-bye]
    ['acknowledges_after_bye'],
    // RFC 5407 §3.1.5: a re-INVITE between 2xx and ACK gets 500 [race-reinvite-in-moratorium]
    ['reoffers_before_ack'],
    // RFC 3264 §8.4: 0.0.0.0 is a hold [race-hold-spellings]
    ['holds_by_address'],
    // RFC 3264 §6: lines that are not taken keep their place [race-m-line-order]
    ['offers_video_first'],
    // RFC 3264 §8: after a refused offer the next one works [race-refused-offer]
    ['offers_what_nobody_speaks'],
    // RFC 3261 §11.2: OPTIONS in a dialog gets 200 [options-in-dialog]
    ['asks_options'],
    // RFC 3261 §13.3.1.4: copies of a 2xx come over streams too, and stop with the ACK [race-2xx-rhythm]
    ['acknowledges_late', STREAMS],
  ]) {
    if (!over.includes(transport)) continue;
    it(callers[scenario].name, async () => {
      const [sipp, number] = await call(scenario);
      stage.alice.answer(number);
      await sipp.succeeds();
      await stage.alice.event('ended', { call: number });
    });
  }

  for (const [scenario] of [
    // RFC 3261 §9.2: CANCEL is found behind a NAT that moved [race-cancel-nat]
    // RFC 3261 §8.2.2.3: Require is ignored in CANCEL and ACK [require-ignored]
    ['cancels_from_elsewhere'],
    // RFC 3261 §15.1.2: BYE in an early dialog gets 200, its INVITE 487 [caller-early-bye]
    ['early_bye'],
  ]) {
    it(callers[scenario].name, async () => {
      const [sipp, number] = await call(scenario);
      await sipp.succeeds();
      await stage.alice.event('ended', { call: number });
    });
  }

  // RFC 3311 §5.2: an UPDATE with an offer that meets theirs gets 500 [race-offers-collide]
  it('offers by UPDATE before its own offer was answered', async () => {
    const [sipp, number] = await call('updates_before_answer');
    await until(() => sipp.over || sipp.read('messages.log').includes('SIP/2.0 500'), '500');
    stage.alice.answer(number);
    await sipp.succeeds();
  });

  // RFC 3261 §15: the BYE waits for the caller's ACK [race-hang-up-before-ack]
  it('is hung up on before it has acknowledged', async () => {
    const [sipp, number] = await call(transport === 'udp' ? 'hung_up_on_before_ack_udp' : 'hung_up_on_before_ack');
    stage.alice.answer(number);
    await until(() => sipp.over || sipp.read('messages.log').includes('SIP/2.0 200'), '200');
    stage.alice.hangup(number);
    await sipp.succeeds();
  });

  // RFC 4028 §5: less than 90 seconds is refused [race-short-interval]
  it('asks for a session interval that is too short', async () => (await stage.caller(callers.short_interval)).succeeds());

  // RFC 3261 §17: an ACK is never answered [race-ack-answered]
  it('calls nobody, and has no answer to its ACK', async () => (await stage.caller(callers.unknown_number, { dial: 'nobody' })).succeeds());
}

function referring(stage) {
  const call = async (scenario, to, dial = '1001') =>
    stage.caller(referrers[scenario], { dial, keys: { refer_to: `sip:${to}@127.0.0.1:${stage.gateway.sipPort}` } });

  // RFC 5589 §6.1: a referrer that hangs up after its 202 ends no transfer [race-referrer-leaves]
  it('hangs up while the target rings', async () => {
    const sipp = await call('leaves', '1002');
    const { call: number } = await stage.alice.event('incoming');
    stage.alice.answer(number, { tone: 1000, listen: 1500 });
    const { call: target } = await stage.bob.event('incoming');
    await sipp.succeeds();
    stage.bob.answer(target, { tone: 1500, listen: 1000 });
    await stage.alice.hears(number);
    await stage.bob.hears(target);
    stage.alice.hangup(number);
    await stage.alice.event('ended', { call: number });
  });

  // RFC 3515 §2.4.6: each NOTIFY is of its own REFER [race-second-refer]
  it('sends on a call twice, and both times in vain', async () => {
    const sipp = await call('refers_twice', 'nobody');
    const { call: number } = await stage.alice.event('incoming');
    stage.alice.answer(number);
    await sipp.succeeds();
    await stage.alice.event('ended', { call: number });
  });

  // RFC 3515 §2.4.2: REFER in a call without a far leg is answered [race-refer-one-legged]
  it('sends a service on', async () => (await call('refers_service', '1001', 'echo')).succeeds());
}

// Half a minute each, side by side.
function slow(stage) {
  // A browser's calls are numbered in both directions: it is called when its own call has got its number.
  let called;
  const aliceCalled = new Promise((done) => (called = done));

  // RFC 3261 §9.1: 64*T1 after CANCEL nothing is left [race-487-missing]
  it('answers CANCEL and never the INVITE', async () => {
    const [sipp, number] = await (async () => {
      const peer = await stage.callee(callees.silent_after_cancel);
      const call = stage.alice.call('5551000');
      await stage.alice.event('ringing', { call });
      return [peer, call];
    })().finally(called);
    stage.alice.hangup(number);
    await stage.alice.event('failed', { call: number, status: 487 });
    await sipp.succeeds();
    const given = () => stage.gateway.metric('trunkline_sip_transaction_timeouts_total', { timer: 'cancel' });
    await until(async () => (await given()) > 0, 'the end of the INVITE', 120000);
  });

  // RFC 3261 §13.3.1.4: without an ACK BYE on both sides, after copies of the 2xx [race-ack-never]
  it('never acknowledges the answer', async () => {
    const sipp = await stage.caller(callers.never_acknowledges, { dial: '1002' });
    const { call: number } = await stage.bob.event('incoming');
    stage.bob.answer(number);
    await sipp.succeeds();
    await stage.bob.event('ended', { call: number });
  });

  // RFC 3262 §3: without PRACK copies of the ringing, and after 64*T1 a 5xx [rel100-retransmission]
  it('never acknowledges the ringing', async () => {
    await aliceCalled;
    const sipp = await stage.caller(callers.never_pracks, { dial: '1001' });
    const { call: number } = await stage.alice.event('incoming');
    await sipp.succeeds();
    await stage.alice.event('ended', { call: number });
  });
}

describe('SIPp', { concurrency: 2 * TRANSPORTS.length }, () => {
  for (const transport of TRANSPORTS) {
    describe(`for long over ${NAMES[transport]}`, { concurrency: 3 }, () => slow(sippStage(transport, { users: ['alice', 'bob'], sideBySide: true })));
    describe(`over ${NAMES[transport]}`, { concurrency: 1 }, () => {
      const stage = sippStage(transport, { users: ['alice', 'bob'], trunkKeys: '    codecs: [PCMU]\n    max_redirects: 2\n' });
      called(stage);
      calling(stage);
      referring(stage);
    });
  }
});
