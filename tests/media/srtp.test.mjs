// SRTP towards the trunk with keys in the descriptions (RFC 4568). The trunk's SRTP is Node's own crypto.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { freePort } from '../peers/ports.mjs';
import { cryptoLines, SUITES } from '../peers/srtp.mjs';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const ALL = Object.keys(SUITES);

let stage;
let gateway;
let strict; // a trunk that must encrypt
let open; // one that may
let alice;
let api;
const secrets = new Set();

before(async () => {
  const second = await freePort();
  stage = await Stage.open({
    onCall: answerAtOnce,
    trunks: ({ carrierPort }) => `
  - { name: strict, uri: "sip:127.0.0.1:${carrierPort}", allow: ["127.0.0.1:${carrierPort}"], srtp: sdes-required, options_interval: 0s }
  - { name: open, uri: "sip:127.0.0.1:${second}", allow: ["127.0.0.1:${second}"], srtp: sdes, options_interval: 0s }`,
    routes: () => `
  - { from: user, match: "^8[0-9]+$", target: "trunk:open" }
  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:strict" }
  - { from: any, match: "^1001$", target: "user:alice" }
  - { from: any, match: "^echo$", target: "service:echo" }`,
  });
  ({ gateway, carrier: strict, alice, api } = stage);
  open = await stage.addCarrier({ port: second });
});
afterEach(() => stage.idle());
after(async () => {
  await stage?.close();
  const said = gateway.output;
  for (const secret of secrets) assert.ok(!said.includes(secret), 'a key is in the log');
});

// All keys of both sides' descriptions.
function remember(peer) {
  const lines = [...cryptoLines(peer.remoteSdp), ...cryptoLines(peer.sdp())];
  for (const { key } of lines) secrets.add(key);
  return lines.map(({ key }) => key);
}

// `underWay`: packets that may have been sealed before the keys changed.
async function talk(call, peer, underWay = 0) {
  await alice.talks(call, peer);
  assert.ok(peer.rtp.unauthentic <= underWay, `${peer.rtp.unauthentic} packets that are not authentic`);
}

describe('a call to a trunk that must encrypt', () => {
  for (const suite of ['AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32', 'AEAD_AES_128_GCM']) {
    // RFC 4568 §10: the keys of all these calls are looked for in the log at the end [keys-not-logged]
    it(`is heard both ways with ${suite}`, async () => {
      strict.suites = [suite];
      const [call, peer] = await alice.dials(strict, '5551000');
      assert.match(peer.invite.body, /^m=audio \d+ RTP\/SAVP /m);
      assert.equal(cryptoLines(peer.invite.body).length, 3);
      remember(peer);
      await talk(call, peer);
      await until(() => peer.rtp.reports > 0, 'an RTCP report that is authentic');
      assert.equal(peer.rtp.jumps.length, 0);
      await alice.hangsUp(call, peer);
    });
  }

  // RFC 4568 §7.1.4: the sound goes on over each of them [sdes-rekey]
  it('goes on over descriptions with the same key, a new one, and another suite', async () => {
    strict.suites = ALL;
    const [call, peer] = await alice.dials(strict, '5551000');
    const [ours] = cryptoLines(peer.remoteSdp).filter(({ suite }) => suite === peer.crypto.suite);
    await talk(call, peer);
    assert.equal(await peer.reinvite('sendrecv'), 200);
    assert.deepEqual(cryptoLines(peer.remoteSdp), [{ ...ours, tag: peer.crypto.tag }]);
    await talk(call, peer);
    peer.keys[peer.crypto.suite] = undefined;
    assert.equal(await peer.reinvite('sendrecv'), 200);
    assert.equal(cryptoLines(peer.remoteSdp)[0].key, ours.key);
    await talk(call, peer);
    peer.crypto = { tag: 9, suite: 'AEAD_AES_256_GCM' };
    assert.equal(await peer.reinvite('sendrecv'), 200);
    assert.notEqual(cryptoLines(peer.remoteSdp)[0].key, ours.key);
    await talk(call, peer, 3);
    remember(peer);
    await alice.hangsUp(call, peer);
  });

  // RFC 4568 §7: an answer without a key ends the call [sdes-policy]
  it('ends when the answer has no key', async () => {
    strict.suites = [];
    const arrived = strict.arrival();
    const call = alice.call('5551000');
    await alice.event('failed', { call, status: 488 });
    const peer = await arrived;
    await until(() => peer.ended && peer.acks.length === 1, 'ACK and BYE');
  });

  it('shows no key in its trace', async () => {
    strict.suites = ALL;
    const [call, peer] = await alice.dials(strict, '5551000');
    const keys = remember(peer);
    assert.ok(keys.length >= 4);
    const { calls } = await api.must('listCalls', {});
    const id = calls[0].call_id;
    const stats = await api.must('getCallStats', { call_id: id });
    assert.equal(stats.legs.find(({ leg_id }) => leg_id === 'to').srtp_profile, 'AES_CM_128_HMAC_SHA1_80');
    const { text } = await api.must('getCallTrace', { call_id: id });
    const { json } = await api.must('getCallTrace', { call_id: id, format: 'TRACE_FORMAT_JSON' });
    const { pcapng } = await api.must('getCallTrace', { call_id: id, format: 'TRACE_FORMAT_PCAPNG' });
    assert.match(text, /a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:/);
    const everything = [text, json, Buffer.from(pcapng).toString('latin1'), JSON.stringify(calls)].join('\n');
    for (const key of keys) assert.ok(!everything.includes(key), 'a key is in the trace');
    await alice.hangsUp(call, peer);
  });
});

describe('a call from a trunk that must encrypt', () => {
  for (const suite of ALL) {
    it(`is answered with ${suite} and its tag`, async () => {
      strict.suites = ['AES_CM_128_HMAC_SHA1_80', suite].filter((one, at, all) => all.indexOf(one) === at).reverse();
      const peer = await strict.call('echo');
      assert.equal(await peer.final(), 200);
      assert.deepEqual([peer.crypto.tag, peer.crypto.suite], [1, suite]);
      remember(peer);
      peer.rtp.play(660);
      await until(() => peer.rtp.hears(660) > 0.8, 'the echo');
      assert.equal(peer.rtp.unauthentic, 0);
      peer.bye();
    });
  }

  // RFC 4568 §7: an offer without a key gets 488 [sdes-policy]
  it('is 488 without a key', async () => {
    strict.suites = [];
    const peer = await strict.call('1001');
    assert.equal(await peer.final(), 488);
  });

  // RFC 3711 §3.3: what is not authentic is dropped, and never ends a call [srtp-authentic]
  it('hears nothing of what others send', async () => {
    strict.suites = ALL;
    const peer = await strict.call('echo');
    assert.equal(await peer.final(), 200);
    const { seals } = peer.rtp;
    peer.rtp.seals = null;
    peer.rtp.play(660);
    await until(async () => (await gateway.metric('trunkline_srtp_errors_total', { leg: 'sip', kind: 'auth' })) > 10, 'plain packets to be refused');
    assert.equal(peer.rtp.received, 0);
    peer.rtp.seals = seals;
    await until(() => peer.rtp.hears(660) > 0.8, 'the echo');
    peer.bye();
  });
});

describe('a trunk that may encrypt', () => {
  it('is called in the clear when it wants no key', async () => {
    open.suites = [];
    const [call, peer] = await alice.dials(open, '8001');
    assert.match(peer.invite.body, /^m=audio \d+ RTP\/AVP /m);
    assert.equal(cryptoLines(peer.invite.body).length, 3);
    await talk(call, peer);
    await alice.hangsUp(call, peer);
  });

  it('is called with encryption when it takes a key', async () => {
    open.suites = ['AES_CM_128_HMAC_SHA1_80'];
    const [call, peer] = await alice.dials(open, '8001');
    assert.equal(peer.crypto.tag, 1);
    remember(peer);
    await talk(call, peer);
    await alice.hangsUp(call, peer);
  });

  // RFC 4568 §7: both are answered as they come [sdes-policy]
  it('may call with and without', async () => {
    for (const suites of [['AES_CM_128_HMAC_SHA1_32'], []]) {
      open.suites = suites;
      const peer = await open.call('echo');
      assert.equal(await peer.final(), 200);
      assert.equal(peer.protocol, suites.length > 0 ? 'RTP/SAVP' : 'RTP/AVP');
      peer.rtp.play(660);
      await until(() => peer.rtp.hears(660) > 0.8, 'the echo');
      assert.equal(peer.rtp.unauthentic, 0);
      peer.bye();
      await until(() => peer.replies.some(({ method }) => method === 'BYE'), 'the answer to BYE');
    }
  });
});
