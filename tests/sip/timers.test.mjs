// What happens, or must not happen, after half a minute: the cases run side by side.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const PATIENCE = 120000;
// How late a timer is depends on the machine; that none comes early doesn't.
const notBefore = (began, milliseconds) => assert.ok(performance.now() - began >= milliseconds, `after ${performance.now() - began} ms already`);

let stage;
let gateway;
let carrier;

before(async () => {
  stage = await Stage.open({
    browser: false,
    users: ['alice', 'bob', 'carol'].map((name) => `  - { name: ${name}, password: secret-${name[0]} }`).join('\n'),
    routes: `
  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^1002$", target: "user:bob" }
  - { from: "trunk:carrier", match: "^1003$", target: "user:carol" }`,
  });
  ({ gateway, carrier } = stage);
});
after(() => stage?.close());

const browser = (user) => stage.addBrowser(user, { password: `secret-${user[0]}` });

describe('half a minute', { concurrency: 10 }, () => {
  // RFC 3261 §13.3.1.4: without an ACK BYE on both sides [race-ack-never]
  it('without an ACK for our 200: the 200 again and again, then BYE on both sides', async () => {
    const bob = await browser('carol');
    const peer = await carrier.call('1003');
    peer.acknowledges = false;
    const { call } = await bob.event('incoming');
    const began = performance.now();
    bob.answer(call);
    assert.equal(await peer.final(), 200);
    await bob.event('ended', { call }, PATIENCE);
    notBefore(began, 32000);
    await until(() => peer.ended, 'BYE at the trunk');
    // 0.5, 1, 2 and then every 4 seconds: 11 in all, fewer where each is late.
    assert.ok(peer.copies >= 9 && peer.copies <= 11, `${peer.copies} copies of the 200`);
    await until(async () => (await gateway.metric('trunkline_calls_ended_total', { reason: 'ack_missing' })) === 1, 'the reason to be counted');
  });

  // RFC 3261 §17.1.1.2: seven INVITEs, and an end after 64*T1 [invite-timeout]
  it('without any response of the trunk: 408 to the browser', async () => {
    carrier.behaviours.set('5550001', () => {});
    const silent = /^INVITE sip:5550001@/;
    let invites = 0;
    carrier.loses = (start, way) => {
      const lost = way === 'in' && silent.test(start);
      if (lost) invites += 1;
      return lost;
    };
    const alice = await browser('alice');
    const began = performance.now();
    const call = alice.call('5550001');
    const failed = await alice.event('failed', { call }, PATIENCE);
    assert.equal(failed.status, 408);
    notBefore(began, 32000);
    // 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 seconds, the last of them never where each is late.
    assert.ok(invites === 6 || invites === 7, `${invites} INVITEs`);
  });

  for (const [who, number] of [['the trunk', '5550004'], ['a browser', '1002']]) {
    it(`${who} may ring for 35 seconds and then answer`, async () => {
      const alice = await browser(number === '1002' ? 'bob' : 'alice');
      const began = performance.now();
      const rung = () => until(() => performance.now() - began > 35000, 'the time to pass', PATIENCE);
      if (number === '1002') {
        const peer = await carrier.call(number);
        const { call } = await alice.event('incoming');
        await rung();
        alice.answer(call);
        assert.equal(await peer.final(), 200);
        peer.rtp.play(440);
        await alice.hears(call);
        peer.bye();
      } else {
        carrier.behaviours.set(number, async (call) => {
          call.ring();
          await rung();
          await call.answer(440);
        });
        const call = alice.call(number);
        await alice.event('answered', { call }, PATIENCE);
        await alice.hears(call);
        alice.hangup(call);
      }
    });
  }

  // RFC 3261 §15.1.1: after BYE the session is over [bye-unanswered]
  it('without an answer to our BYE: the call is over all the same', async () => {
    const alice = await browser('alice');
    const arrived = carrier.arrival('5550002');
    carrier.behaviours.set('5550002', (call) => call.answer());
    const call = alice.call('5550002');
    await alice.event('answered', { call });
    const peer = await arrived;
    peer.request = () => {};
    alice.hangup(call);
    await alice.event('ended', { call });
    await until(async () => (await gateway.metric('trunkline_sip_transaction_timeouts_total', { timer: 'F' })) > 0, 'Timer F', PATIENCE);
  });

  // RFC 3261 §9.1: 64*T1 after CANCEL nothing is left [cancel-timeout]
  it('without an answer to our CANCEL and INVITE: nothing is left', async () => {
    const alice = await browser('alice');
    const arrived = carrier.arrival('5550003');
    carrier.behaviours.set('5550003', (call) => call.ring());
    const call = alice.call('5550003');
    await alice.event('ringing', { call });
    const peer = await arrived;
    let cancels = 0;
    peer.request = (message) => (cancels += message.method === 'CANCEL' ? 1 : 0);
    alice.hangup(call);
    assert.equal((await alice.event('failed', { call })).status, 487);
    await until(async () => (await gateway.metric('trunkline_sip_transaction_timeouts_total', { timer: 'cancel' })) > 0, 'the end of the INVITE', PATIENCE);
    assert.ok(cancels >= 5, `${cancels} CANCELs`);
  });
});

describe('afterwards', () => {
  it('no call, port, transaction or dialog is left', async () => {
    await gateway.idle();
    await until(async () => (await gateway.metric('trunkline_sip_transactions_active')) === 0, 'no transaction', PATIENCE);
    await until(async () => (await gateway.metric('trunkline_sip_dialogs')) === 0, 'no dialog', PATIENCE);
    assert.equal(await gateway.metric('trunkline_calls_held_in_memory'), 0);
  });
});
