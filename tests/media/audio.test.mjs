// Sound, proven by its frequency, between every two kinds of ends that the gateway joins.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { answerAtOnce, BROWSER, ROUTES, Stage, TRUNK } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

let stage;
let gateway;
let carrier;
let alice;

before(async () => {
  stage = await Stage.open({ onCall: answerAtOnce, routes: `${ROUTES}\n  - { from: any, match: "^tone$", target: "service:tone" }` });
  ({ gateway, carrier, alice } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

describe('sound', () => {
  it('crosses both ways on a call of the browser', async () => {
    const [call, peer] = await stage.dials();
    const { profile } = await alice.event('media', { call });
    assert.match(profile, /^SRTP_/);
    await alice.talks(call, peer);
    const stats = await alice.stats(call);
    assert.equal(stats.srtp_errors, 0);
    assert.equal(stats.payload_type, 0);
    assert.deepEqual([...peer.rtp.payloadTypes], [0]);
    await alice.hangsUp(call, peer);
  });

  it('crosses both ways on a call of the trunk', async () => {
    const [call, peer] = await stage.received();
    await alice.talks(call, peer);
    peer.bye();
    await alice.event('ended', { call });
  });

  it('comes back to a browser from the echo service', async () => {
    const call = alice.call('echo', { tone: BROWSER, listen: BROWSER });
    await alice.event('answered', { call });
    await alice.hears(call);
    alice.hangup(call);
  });

  it('comes to a browser from the tone service', async () => {
    const call = alice.call('tone', { tone: 0, listen: 440 });
    await alice.event('answered', { call });
    await alice.hears(call);
    alice.hangup(call);
  });

  it('comes back to the trunk from the echo service', async () => {
    const peer = await carrier.call('echo');
    assert.equal(await peer.final(), 200);
    peer.rtp.play(660);
    await until(() => peer.rtp.hears(660) > 0.8, 'the echo');
    peer.bye();
  });

  it('comes to the trunk from the tone service', async () => {
    const peer = await carrier.call('tone');
    assert.equal(await peer.final(), 200);
    await until(() => peer.rtp.hears(440) > 0.8, 'the tone');
    assert.equal(peer.rtp.jumps.length, 0);
    peer.bye();
  });

  it('crosses between two browsers', async () => {
    const bob = await SyntheticBrowser.open(gateway, 'bob');
    const call = alice.call('bob', { tone: BROWSER, listen: 600 });
    const incoming = await bob.event('incoming');
    bob.answer(incoming.call, { tone: 600, listen: BROWSER });
    await alice.event('answered', { call });
    await alice.hears(call);
    await bob.hears(incoming.call);
    alice.hangup(call);
    await bob.event('ended', { call: incoming.call });
    await bob.close();
  });

  // RFC 3960 §3: early media reach the caller [early-media]
  it('of the trunk comes before the answer', async () => {
    carrier.behaviours.set('5557000', (call) => call.early(TRUNK));
    const arrived = carrier.arrival('5557000');
    const call = alice.call('5557000');
    await alice.event('ringing', { call, status: 183 });
    await alice.hears(call);
    const peer = await arrived;
    await peer.answer();
    await alice.event('answered', { call });
    await alice.talks(call, peer);
    await alice.hangsUp(call, peer);
  });

  it('of ten calls at once is each call\'s own', async () => {
    const answered = new Map();
    carrier.onCall = (peer) => {
      answered.set(peer.dialled, peer);
      return peer.answer(300 + 50 * Number(peer.dialled.slice(-1)));
    };
    const calls = Array.from({ length: 10 }, (_, index) =>
      [alice.call(`555600${index}`, { tone: 1200 + 50 * index, listen: 300 + 50 * index }), index]);
    for (const [call] of calls) await alice.event('answered', { call });
    for (const [call, index] of calls) {
      await alice.hears(call);
      const peer = answered.get(`555600${index}`);
      await until(() => peer.rtp.hears(1200 + 50 * index) > 0.8, `call ${index} to be heard at the trunk`);
    }
    for (const [call] of calls) alice.hangup(call);
  });
});

describe('hold', () => {
  it('by the browser keeps SSRC and sequence at the trunk', async () => {
    const [call, peer] = await stage.dials();
    await alice.talks(call, peer);
    alice.do('hold', { call });
    await alice.event('held', { call });
    assert.match(peer.reinvites.at(-1).body, /a=(sendonly|inactive)/);
    alice.do('resume', { call });
    await alice.event('resumed', { call });
    assert.match(peer.reinvites.at(-1).body, /a=sendrecv/);
    await alice.talks(call, peer);
    assert.equal(peer.rtp.ssrcs.size, 1);
    assert.deepEqual(peer.rtp.jumps, []);
    await alice.hangsUp(call, peer);
  });

  it('by the trunk keeps SSRC and sequence at the browser, and stops the trunk\'s sound', async () => {
    const [call, peer] = await stage.dials();
    await alice.talks(call, peer);
    const before = await alice.stats(call);
    assert.equal(await peer.reinvite('inactive'), 200);
    await alice.event('held', { call });
    const dropped = () => gateway.metric('trunkline_rtp_packets_dropped_total', { leg: 'sip' });
    await until(async () => {
      const held = await alice.stats(call);
      const already = await dropped();
      await until(async () => (await dropped()) >= already + 25, 'half a second of the trunk\'s sound to be dropped');
      return (await alice.stats(call)).rtp === held.rtp;
    }, 'half a second without a packet at the browser');
    assert.equal(await peer.reinvite('sendrecv'), 200);
    await alice.event('resumed', { call });
    await alice.talks(call, peer);
    const resumed = await alice.stats(call);
    assert.equal(resumed.ssrc, before.ssrc);
    assert.equal(resumed.ssrc_changes, before.ssrc_changes);
    assert.equal(resumed.sequence_gaps, before.sequence_gaps);
    assert.equal(peer.rtp.ssrcs.size, 1);
    await alice.hangsUp(call, peer);
  });

  // RFC 3711 §3.3.1: another SSRC of the trunk does not change ours [race-srtp-state]
  // RFC 3550 §8: another SSRC of the source does not change it [own-ssrc]
  it('a trunk that comes back with another SSRC does not change the browser\'s', async () => {
    const [call, peer] = await stage.dials();
    await alice.talks(call, peer);
    const before = await alice.stats(call);
    peer.rtp.ssrc = (peer.rtp.ssrc + 12345) >>> 0;
    peer.rtp.sequence = (peer.rtp.sequence + 30000) & 0xffff;
    peer.rtp.timestamp = (peer.rtp.timestamp + 0x7fffffff) >>> 0;
    await alice.talks(call, peer);
    const later = await alice.stats(call);
    assert.equal(later.ssrc, before.ssrc);
    assert.equal(later.ssrc_changes, before.ssrc_changes);
    assert.equal(later.sequence_gaps, before.sequence_gaps);
    await alice.hangsUp(call, peer);
  });
});

describe('RTCP', () => {
  // RFC 3550 §6.4: both sides get reports [rtcp-terminated]
  it('reports come to both sides', async () => {
    const [call, peer] = await stage.dials();
    await alice.talks(call, peer);
    await until(() => peer.rtp.reports > 0, 'a report at the trunk');
    await until(async () => (await alice.stats(call)).sender_reports > 0, 'a sender report at the browser');
    await alice.hangsUp(call, peer);
  });
});
