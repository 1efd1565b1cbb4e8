// Transfers, blind and attended, over the wire: who hears whom after them, what the API says of them, and that a failed
// one leaves the call as it was.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Code } from '../peers/call_control.mjs';
import { freePort } from '../peers/ports.mjs';
import { header } from '../peers/sip_message.mjs';
import { answering, BROWSER, ringAndAnswer, ROUTES, Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const OTHER = 880; // Hz that whoever is transferred to says
const CHALLENGE = 'Digest realm="carrier", nonce="n1", algorithm=MD5, qop="auth"';
const ENDED = 'terminated;reason=noresource';

let stage;
let api;
let alice;
let bob;
let carrier;
let second;
let events;
let touched = []; // calls of the test

const trunk = (name, port, credentials = '') => `  - name: ${name}
    uri: "sip:127.0.0.1:${port}"
    allow: ["127.0.0.1:${port}"]
    codecs: [PCMU]
    options_interval: 0s
${credentials}`;

async function open(options) {
  const secondPort = await freePort();
  stage = await Stage.open({
    rtpPorts: 1000,
    trunks: (gateway) => trunk('carrier', gateway.carrierPort, '    username: gw\n    password: secret-t\n') + trunk('second', secondPort),
    routes: `  - { from: any, match: "^8[0-9]+$", target: "trunk:second" }${ROUTES}`,
    ...options,
  });
  ({ api, alice, carrier } = stage);
  second = await stage.addCarrier({ port: secondPort });
  bob = await stage.addBrowser('bob');
  events = api.watchCalls();
  await events.snapshotEnd();
}

async function close() {
  events?.cancel();
  await stage?.close();
}

// After each test nothing is left of it, and each leg of its calls has had its one end.
async function clear() {
  await stage.clear();
  carrier.allow = 'INVITE, ACK, BYE, CANCEL, INFO, UPDATE, REFER';
  for (const id of touched) {
    await until(() => events.eventsOf(id).some((event) => event.kind === 'ended'), 'the end of the call');
    const told = events.eventsOf(id);
    const ends = told.filter((event) => event.kind === 'leg_ended').map((event) => event.leg_ended.leg_id);
    const last = told.at(-1);
    assert.equal(last.kind, 'ended');
    assert.deepEqual(ends.sort(), last.call.legs.map((leg) => leg.leg_id).sort());
  }
  touched = [];
}

// ---------------------------------------------------------------- calls

// Alice's browser is called, then the number; both are up.
async function connected(request) {
  const made = await stage.connected(request);
  touched.push(made.id);
  return { ...made, from: made.call.legs[0].leg_id, to: made.call.legs[1].leg_id };
}

// Alice, in a second call, with whom she consults: a number of the second trunk that says `frequency`.
async function consult(frequency = OTHER) {
  second.behaviours.set('8552000', answering(frequency));
  const arrival = second.arrival('8552000');
  const creating = api.must('createCall', { from: 'user:alice', to: '8552000', wait_until: 'WAIT_UNTIL_ANSWERED' });
  const { call: number } = await alice.event('incoming');
  alice.answer(number, { tone: BROWSER, listen: frequency });
  const peer = await arrival;
  const { call } = await creating;
  touched.push(call.call_id);
  return { call, id: call.call_id, number, peer };
}

// A number of the carrier's that does this when it is called: resolves to the call.
function expect(number, behaviour, at = carrier) {
  at.behaviours.set(number, behaviour);
  return at.arrival(number);
}

const get = async (id) => (await api.must('getCall', { call_id: id })).call;
const live = (call) => call.legs.filter((leg) => leg.state !== 'CALL_STATE_ENDED');

async function hearEachOther(one, ones, other, others) {
  one.rtp.forget();
  other.rtp.forget();
  await until(() => one.rtp.hears(others) > 0.8 && other.rtp.hears(ones) > 0.8, `${ones} Hz and ${others} Hz at the other's`);
}

// What it was before: the same two legs, audio both ways, nothing asked of the peers meanwhile.
async function asItWas({ id, from, to, number, peer }) {
  const call = await get(id);
  assert.equal(call.state, 'CALL_STATE_ANSWERED');
  assert.deepEqual(live(call).map((leg) => leg.leg_id), [from, to]);
  await stage.talk(number, peer);
  assert.equal(peer.ended, undefined);
  assert.ok(!alice.has('ended', { call: number }));
}

async function transfers() {
  const count = (result) => stage.gateway.metric('trunkline_transfers_total', { result });
  return { ok: await count('ok'), failed: await count('failed') };
}

// The one event of the transfer, and the counter.
async function toldOf(id, target, before) {
  const { transferred, call } = await events.event('transferred', id);
  assert.equal(transferred.target, target);
  assert.equal(events.eventsOf(id).filter((event) => event.kind === 'transferred').length, 1);
  const result = transferred.succeeded ? 'ok' : 'failed';
  await until(async () => (await transfers())[result] === before[result] + 1, 'the transfer to be counted');
  return { ...transferred, call };
}

// Both legs of the call as it is now have got and sent packets.
async function bothSpeak(id) {
  await until(async () => {
    const { legs } = await api.must('getCallStats', { call_id: id });
    assert.equal(legs.length, 2);
    return legs.every((leg) => leg.packets_received > 0 && leg.packets_sent > 0 && leg.codec === 'PCMU');
  }, 'packets on both legs');
}

const refers = (peer) => until(() => peer.refers[0], 'REFER at the trunk');
const accepting = (reply) => reply(202, 'Accepted');

function blind(call, target, mode, more = {}) {
  return api.transferCall({ call_id: call.id, target, mode: `TRANSFER_MODE_${mode}`, ...more });
}

// The error is what the peer said.
function expectStatus({ error }, code, reason, sipCode, id) {
  assert.equal(error.code, code, JSON.stringify(error));
  assert.equal(error.reason, reason);
  assert.equal(error.details.SipStatus.code, sipCode);
  assert.equal(error.details.SipStatus.origin, 'ORIGIN_REMOTE');
  assert.equal(error.details.SipStatus.call_id, id);
}

describe('transfers', () => {
  before(() => open().then(clear));
  afterEach(clear);
  after(close);

  describe('by REFER', () => {
    it('end with the outcome that NOTIFY tells', async () => {
      const call = await connected();
      const counted = await transfers();
      call.peer.onRefer = accepting;
      const transferring = blind(call, '5559999', 'REFER');
      const request = await refers(call.peer);
      assert.match(header(request, 'refer-to'), /^<sip:5559999@127\.0\.0\.1:\d+>$/);
      call.peer.notify('SIP/2.0 100 Trying');
      call.peer.notify('SIP/2.0 180 Ringing');
      call.peer.notify('SIP/2.0 200 OK', ENDED);
      const { response, error } = await transferring;
      assert.equal(error, null);
      assert.equal(response.call.state, 'CALL_STATE_ENDED');
      assert.equal(response.call.end.cause, 'transferred');
      assert.equal(response.call.end.sip_code, 200);
      await until(() => call.peer.ended, 'BYE at the trunk');
      await alice.event('ended', { call: call.number });
      assert.deepEqual(call.peer.replies, [200, 200, 200].map((status) => ({ method: 'NOTIFY', status })));
      const told = await toldOf(call.id, '5559999', counted);
      assert.equal(told.succeeded, true);
      assert.equal(told.leg_id, call.to);
      const { ended } = await events.event('ended', call.id);
      assert.equal(ended.end.fault, 'FAULT_SUCCESS');
    });

    it('leave the call as it was when the target fails', async () => {
      const call = await connected();
      const counted = await transfers();
      call.peer.onRefer = accepting;
      const transferring = blind(call, '5559999', 'REFER');
      await refers(call.peer);
      call.peer.notify('SIP/2.0 100 Trying');
      call.peer.notify('SIP/2.0 486 Busy Here', ENDED);
      expectStatus(await transferring, Code.FAILED_PRECONDITION, 'CALLEE_BUSY', 486, call.id);
      const told = await toldOf(call.id, '5559999', counted);
      assert.equal(told.succeeded, false);
      assert.equal(told.failure.sip_code, 486);
      assert.equal(told.failure.reason, 'CALLEE_BUSY');
      await asItWas(call);
    });

    for (const [status, phrase, code, reason] of [
      [405, 'Method Not Allowed', Code.UNIMPLEMENTED, 'METHOD_NOT_ALLOWED'],
      [603, 'Decline', Code.PERMISSION_DENIED, 'CALLEE_DECLINED'],
    ]) {
      it(`leave the call as it was when REFER is answered with ${status}`, async () => {
        const call = await connected();
        call.peer.onRefer = (reply) => reply(status, phrase);
        expectStatus(await blind(call, '5559999', 'REFER'), code, reason, status, call.id);
        await asItWas(call);
      });
    }

    it('leave the call as it was when nothing more will be told', async () => {
      const call = await connected();
      call.peer.onRefer = accepting;
      const transferring = blind(call, '5559999', 'REFER');
      await refers(call.peer);
      call.peer.notify('SIP/2.0 100 Trying', 'terminated;reason=timeout');
      const { error } = await transferring;
      assert.equal(error.code, Code.DEADLINE_EXCEEDED);
      await asItWas(call);
    });

    it('answer a challenge', async () => {
      const call = await connected();
      call.peer.onRefer = (reply, message) => (header(message, 'proxy-authorization')
        ? reply(202, 'Accepted')
        : reply(407, 'Proxy Authentication Required', [['Proxy-Authenticate', CHALLENGE]]));
      const transferring = blind(call, '5559999', 'REFER');
      const accepted = await until(() => call.peer.refers.find((one) => header(one, 'proxy-authorization')), 'REFER with credentials');
      assert.match(header(accepted, 'proxy-authorization'), /username="gw"/);
      call.peer.notify('SIP/2.0 200 OK', ENDED);
      assert.equal((await transferring).error, null);
      await until(() => call.peer.ended, 'BYE at the trunk');
    });

    it('count as done when the trunk hangs up after it has accepted', async () => {
      const call = await connected();
      const counted = await transfers();
      call.peer.onRefer = accepting;
      const transferring = blind(call, '5559999', 'REFER');
      await refers(call.peer);
      call.peer.notify('SIP/2.0 100 Trying');
      await until(() => call.peer.replies.length === 1, 'the answer to NOTIFY');
      call.peer.bye();
      const { response, error } = await transferring;
      assert.equal(error, null);
      assert.equal(response.call.end.cause, 'transferred');
      await alice.event('ended', { call: call.number });
      assert.equal((await toldOf(call.id, '5559999', counted)).succeeded, true);
    });
  });

  describe('that choose the way themselves', () => {
    for (const [what, onRefer] of [
      ['is answered with 405', (reply) => reply(405, 'Method Not Allowed')],
      ['is answered with 603', (reply) => reply(603, 'Decline')],
      ['is answered with 407 again and again', (reply) => reply(407, 'Proxy Authentication Required', [['Proxy-Authenticate', CHALLENGE]])],
      ['has no answer', () => {}],
      ['is accepted and nothing is told', accepting],
    ]) {
      it(`call the target themselves when REFER ${what}`, async () => {
        const call = await connected();
        const counted = await transfers();
        call.peer.onRefer = onRefer;
        const arrival = expect('5559999', answering(OTHER));
        const transferring = blind(call, '5559999', 'AUTO');
        await refers(call.peer);
        const target = await arrival;
        const { response, error } = await transferring;
        assert.equal(error, null);
        assert.equal(response.call.state, 'CALL_STATE_ANSWERED');
        await alice.event('ended', { call: call.number });
        await hearEachOther(call.peer, TRUNK, target, OTHER);
        assert.equal((await toldOf(call.id, '5559999', counted)).succeeded, true);
        await bothSpeak(call.id);
      });
    }

    it('tell the failure of the target that they called themselves', async () => {
      const call = await connected();
      call.peer.onRefer = (reply) => reply(405, 'Method Not Allowed');
      expect('5559999', (target) => target.reject(404, 'Not Found'));
      expectStatus(await blind(call, '5559999', 'AUTO'), Code.NOT_FOUND, 'NUMBER_NOT_FOUND', 404, call.id);
      await asItWas(call);
    });

    it('leave it to a trunk that takes REFER', async () => {
      const call = await connected();
      call.peer.onRefer = accepting;
      const transferring = blind(call, '5559999', 'AUTO');
      await refers(call.peer);
      call.peer.notify('SIP/2.0 200 OK', ENDED);
      assert.equal((await transferring).response.call.state, 'CALL_STATE_ENDED');
      await until(() => call.peer.ended, 'BYE at the trunk');
    });

    it('ask a trunk that lists no methods', async () => {
      carrier.allow = null;
      const call = await connected();
      call.peer.onRefer = accepting;
      const transferring = blind(call, '5559999', 'AUTO');
      await refers(call.peer);
      call.peer.notify('SIP/2.0 200 OK', ENDED);
      assert.equal((await transferring).error, null);
    });

    it('do not ask a trunk for a user of ours, or that does not take REFER', async () => {
      const call = await connected();
      const transferring = blind(call, 'user:bob', 'AUTO');
      bob.reject((await bob.event('incoming')).call, 486);
      assert.equal((await transferring).error.reason, 'CALLEE_BUSY');
      assert.deepEqual(call.peer.refers, []);
      await stage.hangUp(call.id, call.peer);

      carrier.allow = 'INVITE, ACK, BYE, CANCEL';
      const other = await connected();
      expect('5559999', (target) => target.reject(486, 'Busy Here'));
      assert.equal((await blind(other, '5559999', 'AUTO')).error.reason, 'CALLEE_BUSY');
      assert.deepEqual(other.peer.refers, []);
    });
  });

  describe('by a leg of the gateway', () => {
    it('connect a number with a browser', async () => {
      const call = await connected();
      const counted = await transfers();
      const transferring = blind(call, 'user:bob', 'GATEWAY');
      const { call: theirs } = await bob.event('incoming');
      await stage.talk(call.number, call.peer); // while bob rings
      bob.answer(theirs, { tone: OTHER, listen: TRUNK });
      const { response, error } = await transferring;
      assert.equal(error, null);
      assert.equal(response.call.state, 'CALL_STATE_ANSWERED');
      assert.deepEqual(live(response.call).map((leg) => leg.party).sort(), ['trunk:carrier', 'user:bob']);
      // Bob has come to alice's side, and the side's name means him now.
      assert.equal(response.call.from, 'user:bob');
      assert.deepEqual(response.call.legs.map((leg) => leg.leg_id), ['from', 'to', 'from-2']);
      for (const change of ['muteCall', 'unmuteCall']) {
        const { call: changed } = await api.must(change, { call_id: call.id, leg_id: 'from' });
        assert.equal(changed.legs[2].muted_from_leg, change === 'muteCall');
      }
      await alice.event('ended', { call: call.number });
      call.peer.rtp.forget();
      await bob.hears(theirs);
      await until(() => call.peer.rtp.hears(OTHER) > 0.8, 'bob at the trunk');
      const told = await toldOf(call.id, 'user:bob', counted);
      assert.equal(told.succeeded, true);
      const released = events.eventsOf(call.id).filter((event) => event.kind === 'leg_ended').map((event) => event.leg_ended);
      assert.deepEqual(released.map((leg) => [leg.leg_id, leg.end.cause]), [[call.from, 'transferred']]);
      await bothSpeak(call.id);
      call.peer.bye();
      await bob.event('ended', { call: theirs });
    });

    it('connect a browser with a browser', async () => {
      const call = await connected();
      const transferring = blind(call, 'user:bob', 'GATEWAY', { leg_id: call.from });
      const { call: theirs } = await bob.event('incoming');
      bob.answer(theirs, { tone: TRUNK, listen: BROWSER });
      assert.equal((await transferring).error, null);
      await until(() => call.peer.ended, 'BYE at the trunk');
      await bob.hears(theirs);
      await alice.hears(call.number);
      alice.hangup(call.number);
      await bob.event('ended', { call: theirs });
    });

    it('connect a browser with a number of another trunk', async () => {
      const call = await connected();
      const arrival = expect('8552000', ringAndAnswer, second);
      const transferring = blind(call, '8552000', 'GATEWAY', { leg_id: call.from });
      const target = await arrival;
      assert.equal((await transferring).error, null);
      await until(() => call.peer.ended, 'BYE at the trunk');
      await stage.talk(call.number, target);
      const { trunks } = await api.must('listTrunks', {});
      assert.deepEqual(trunks.map((one) => one.calls), [0, 1]);
      target.bye();
      await alice.event('ended', { call: call.number });
    });

    it('connect a number that a user of ours dialled with a URI of our domain', async () => {
      const call = await connected();
      const transferring = blind(call, 'sip:bob@example.test', 'GATEWAY');
      const { call: theirs } = await bob.event('incoming');
      bob.answer(theirs, { tone: OTHER, listen: TRUNK });
      assert.equal((await transferring).error, null);
      await bob.hears(theirs);
    });

    it('connect a number with a service', async () => {
      const call = await connected();
      const { response, error } = await blind(call, 'service:echo', 'AUTO');
      assert.equal(error, null);
      assert.deepEqual(live(response.call).map((leg) => leg.party).sort(), ['service:echo', 'trunk:carrier']);
      assert.equal(response.call.from, 'service:echo');
      await alice.event('ended', { call: call.number });
      call.peer.rtp.forget();
      await until(() => call.peer.rtp.hears(TRUNK) > 0.8, 'the echo');
      assert.deepEqual(call.peer.refers, []);
    });

    it("answer the target's challenge", async () => {
      const call = await connected();
      const arrival = expect('5559999', async (target) => {
        await target.challenge(401, CHALLENGE);
        await target.answer(OTHER);
      });
      const transferring = blind(call, '5559999', 'GATEWAY');
      const target = await arrival;
      assert.equal((await transferring).error, null);
      await hearEachOther(call.peer, TRUNK, target, OTHER);
    });

    for (const [status, phrase, headers, code, reason] of [
      [486, 'Busy Here', [], Code.FAILED_PRECONDITION, 'CALLEE_BUSY'],
      [404, 'Not Found', [], Code.NOT_FOUND, 'NUMBER_NOT_FOUND'],
      [603, 'Decline', [], Code.PERMISSION_DENIED, 'CALLEE_DECLINED'],
      [401, 'Unauthorized', [['WWW-Authenticate', CHALLENGE]], Code.UNAUTHENTICATED, 'PEER_CREDENTIALS_REJECTED'],
      [503, 'Service Unavailable', [], Code.UNAVAILABLE, 'TRUNK_UNAVAILABLE'],
    ]) {
      it(`leave the call as it was when the target answers ${status}`, async () => {
        const call = await connected();
        const counted = await transfers();
        expect('8552000', (target) => target.reject(status, phrase, headers), second);
        const outcome = await blind(call, '8552000', 'GATEWAY');
        expectStatus(outcome, code, reason, status, call.id);
        assert.equal(outcome.error.details.SipStatus.reason_phrase, phrase);
        const told = await toldOf(call.id, '8552000', counted);
        assert.equal(told.failure.sip_code, status);
        assert.equal(told.failure.reason, reason);
        await asItWas(call);
      });
    }

    it('give up a target that does not answer', async () => {
      const call = await connected();
      const arrival = expect('8552000', (target) => target.ring(), second);
      const { error } = await blind(call, '8552000', 'GATEWAY', { ring_timeout: { seconds: 1 } });
      assert.equal(error.code, Code.DEADLINE_EXCEEDED);
      assert.equal(error.reason, 'NO_ANSWER');
      await until(async () => (await arrival).cancelled, 'CANCEL at the target');
      await asItWas(call);
    });

    it('fail when nobody is there', async () => {
      const call = await connected();
      const { error } = await blind(call, 'user:nobody', 'GATEWAY');
      assert.equal(error.code, Code.NOT_FOUND);
      assert.equal(error.reason, 'USER_NOT_REGISTERED');
      assert.equal((await blind(call, 'sip:nobody@elsewhere.test', 'GATEWAY')).error.reason, 'NO_ROUTE');
      assert.equal((await blind(call, '', 'GATEWAY')).error.code, Code.INVALID_ARGUMENT);
      assert.equal((await blind(call, 'user:bob', 'GATEWAY', { leg_id: 'nothing' })).error.reason, 'LEG_NOT_FOUND');
      await asItWas(call);
    });

    it('go on when the RPC is cancelled', async () => {
      const call = await connected();
      let rpc;
      const request = { call_id: call.id, target: 'user:bob', mode: 'TRANSFER_MODE_GATEWAY' };
      const transferring = api.transferCall(request, { started: (started) => (rpc = started) });
      const { call: theirs } = await bob.event('incoming');
      rpc.cancel();
      assert.equal((await transferring).error.code, Code.CANCELLED);
      bob.answer(theirs, { tone: OTHER, listen: TRUNK });
      assert.equal((await events.event('transferred', call.id)).transferred.succeeded, true);
      await bob.hears(theirs);
    });

    it('go on when the deadline of the RPC passes', async () => {
      const call = await connected();
      const request = { call_id: call.id, target: 'user:bob', mode: 'TRANSFER_MODE_GATEWAY' };
      const transferring = api.transferCall(request, { deadline: 10000 });
      const { call: theirs } = await bob.event('incoming');
      assert.equal((await transferring).error.code, Code.DEADLINE_EXCEEDED);
      bob.answer(theirs, { tone: OTHER, listen: TRUNK });
      assert.equal((await events.event('transferred', call.id)).transferred.succeeded, true);
      await bob.hears(theirs);
    });

    it('end a hold of ours and one of the party that is released', async () => {
      const call = await connected();
      await api.must('holdCall', { call_id: call.id });
      alice.do('hold', { call: call.number });
      await events.event('held', call.id);
      const transferring = blind(call, 'user:bob', 'GATEWAY');
      const { call: theirs } = await bob.event('incoming');
      bob.answer(theirs, { tone: OTHER, listen: TRUNK });
      assert.equal((await transferring).error, null);
      call.peer.rtp.forget();
      await bob.hears(theirs);
      await until(() => call.peer.rtp.hears(OTHER) > 0.8, 'bob at the trunk');
      await events.event('resumed', call.id);
    });

    for (const [who, hangUp] of [
      ['the API', ({ id }) => api.must('hangupCall', { call_id: id })],
      ['the party', ({ peer }) => peer.bye()],
      ['the other party', ({ number }) => alice.hangup(number)],
    ]) {
      it(`end with the call when ${who} hangs up`, async () => {
        const call = await connected();
        const transferring = blind(call, 'user:bob', 'GATEWAY');
        const { call: theirs } = await bob.event('incoming');
        hangUp(call);
        const { error } = await transferring;
        assert.equal(error.code, Code.FAILED_PRECONDITION);
        assert.equal(error.reason, 'WRONG_CALL_STATE');
        assert.equal((await bob.event('ended', { call: theirs })).status, 487);
        assert.equal((await events.event('transferred', call.id)).transferred.succeeded, false);
      });
    }

    it('are made one at a time', async () => {
      const call = await connected();
      const transferring = blind(call, 'user:bob', 'GATEWAY');
      const { call: theirs } = await bob.event('incoming');
      const { error } = await blind(call, '8552000', 'GATEWAY');
      assert.equal(error.code, Code.ABORTED);
      assert.equal(error.reason, 'OPERATION_IN_PROGRESS');
      bob.reject(theirs, 486);
      assert.equal((await transferring).error.reason, 'CALLEE_BUSY');
    });
  });

  describe('attended', () => {
    it('join the parties of two trunks', async () => {
      const first = await connected();
      const counted = await transfers();
      const other = await consult();
      const { call } = await api.must('attendedTransferCall', { call_id: first.id, consult_call_id: other.id });
      assert.equal(call.call_id, first.id);
      assert.equal(call.state, 'CALL_STATE_ANSWERED');
      assert.deepEqual(live(call).map((leg) => leg.party).sort(), ['trunk:carrier', 'trunk:second']);
      await alice.event('ended', { call: first.number });
      await alice.event('ended', { call: other.number });
      await hearEachOther(first.peer, TRUNK, other.peer, OTHER);
      assert.equal((await toldOf(first.id, other.id, counted)).succeeded, true);
      const { ended } = await events.event('ended', other.id);
      assert.equal(ended.end.cause, 'transferred');
      await bothSpeak(first.id);
      const { trunks } = await api.must('listTrunks', {});
      assert.deepEqual(trunks.map((one) => one.calls), [1, 1]);
      // Its SIP is now told of here.
      first.peer.bye();
      await until(() => other.peer.ended, 'BYE at the second trunk');
      const { text } = await api.must('getCallTrace', { call_id: first.id });
      assert.match(text, new RegExp(other.peer.callId));
    });

    it('join a number with a browser', async () => {
      const first = await connected();
      const creating = api.must('createCall', { from: 'user:alice', to: 'user:bob', wait_until: 'WAIT_UNTIL_ANSWERED' });
      const { call: number } = await alice.event('incoming');
      alice.answer(number, { tone: BROWSER, listen: OTHER });
      const { call: theirs } = await bob.event('incoming');
      bob.answer(theirs, { tone: OTHER, listen: TRUNK });
      const { call } = await creating;
      touched.push(call.call_id);
      await api.must('attendedTransferCall', { call_id: first.id, consult_call_id: call.call_id });
      first.peer.rtp.forget();
      await bob.hears(theirs);
      await until(() => first.peer.rtp.hears(OTHER) > 0.8, 'bob at the trunk');
      first.peer.bye();
      await bob.event('ended', { call: theirs });
    });

    it('leave both calls as they were when they can not be made', async () => {
      const first = await connected();
      const { error: unknown } = await api.attendedTransferCall({ call_id: first.id, consult_call_id: 'nothing' });
      assert.equal(unknown.reason, 'CALL_NOT_FOUND');
      const { error: itself } = await api.attendedTransferCall({ call_id: first.id, consult_call_id: first.id });
      assert.equal(itself.code, Code.INVALID_ARGUMENT);
      second.behaviours.set('8552000', (call) => call.ring());
      const { call } = await api.must('createCall', { from: 'service:echo', to: '8552000', wait_until: 'WAIT_UNTIL_RINGING' });
      touched.push(call.call_id);
      const { error } = await api.attendedTransferCall({ call_id: first.id, consult_call_id: call.call_id });
      assert.equal(error.code, Code.FAILED_PRECONDITION);
      assert.equal(error.reason, 'WRONG_CALL_STATE');
      await asItWas(first);
    });
  });
});

// The media of a party that joins one on another worker have to move there.
describe('transfers between media workers', () => {
  before(() => open({ workers: 2 }).then(clear));
  afterEach(clear);
  after(close);

  const audioPort = (message) => /^m=audio (\d+)/m.exec(message.body)[1];

  it("move a trunk's media", async () => {
    const first = await connected();
    const other = await consult();
    const before = first.peer.rtp.remote.port;
    await api.must('attendedTransferCall', { call_id: first.id, consult_call_id: other.id });
    assert.equal(first.peer.reinvites.length, 1);
    assert.notEqual(Number(audioPort(first.peer.reinvites[0])), before);
    await hearEachOther(first.peer, TRUNK, other.peer, OTHER);
    await bothSpeak(first.id);
    other.peer.bye();
    await until(() => first.peer.ended, 'BYE at the trunk');
  });

  it("move a browser's media, with ICE and DTLS of their own", async () => {
    const first = await connected();
    const other = await consult(TRUNK);
    await alice.event('media', { call: first.number });
    await api.must('attendedTransferCall', { call_id: first.id, leg_id: first.from, consult_call_id: other.id });
    await until(() => first.peer.ended, 'BYE at the trunk');
    await alice.event('media', { call: first.number });
    await stage.talk(first.number, other.peer);
    await bothSpeak(first.id);
    alice.hangup(first.number);
    await until(() => other.peer.ended, 'BYE at the second trunk');
  });

  it('leave both calls as they were when the party refuses to move', async () => {
    const first = await connected();
    const other = await consult();
    const request = first.peer.request.bind(first.peer);
    first.peer.request = (message, from) => (message.method === 'INVITE'
      ? carrier.reply(message, from, 488, 'Not Acceptable Here', [], '', first.peer.localTag)
      : request(message, from));
    expectStatus(await api.attendedTransferCall({ call_id: first.id, consult_call_id: other.id }),
      Code.FAILED_PRECONDITION, 'MEDIA_NOT_ACCEPTABLE', 488, first.id);
    await asItWas(first);
    other.peer.rtp.forget();
    await alice.hears(other.number);
    await until(() => other.peer.rtp.hears(BROWSER) > 0.8, 'the second trunk to hear the browser');
  });
});
