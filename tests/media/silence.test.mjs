// Why did this call fail? Each silence is told with its cause within three seconds: in the event, the log, a metric and the
// call's record.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { RtpPeer } from '../peers/audio.mjs';
import { RawBrowser } from '../peers/raw_browser.mjs';
import { Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

let stage;
let gateway;
let carrier;
let alice;
let watch;

before(async () => {
  stage = await Stage.open({ extra: 'cdr: { path: calls.jsonl }', trunkExtra: '    srtp: sdes\n' });
  ({ gateway, carrier, alice } = stage);
  watch = stage.api.watchCalls();
  await watch.snapshotEnd();
});

after(async () => {
  watch?.cancel();
  await stage?.close();
});

afterEach(async () => {
  carrier.endCalls();
  carrier.suites = [];
  await stage.idle();
});

const records = () => {
  const file = join(gateway.folder, 'calls.jsonl');
  return (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').filter(Boolean).map((line) => JSON.parse(line));
};
// What has been told of media, oldest first.
const events = () => watch.messages.flatMap(({ event }) => (event?.media ? [{ call: event.call.call_id, leg: event.media.leg_id, change: event.media.change, cause: event.media.cause }] : []));
const counted = (leg, cause) => gateway.metric('trunkline_call_silences_total', { leg, cause });

// What `talk` makes silent is told as `cause` in all four places; `talk` gives how the call is ended.
async function tells(cause, { leg = 'to', kind = 'sip', change = 'silent' }, talk) {
  const known = events().length;
  const before = await counted(kind, cause);
  const end = await talk();
  const fits = (event) => event.change === change && event.leg === leg;
  await until(() => events().slice(known).some(fits), `an event ${change} of ${leg}`);
  const told = events().slice(known).find(fits);
  assert.equal(told.cause, cause);
  assert.equal(await counted(kind, cause), before + 1);
  const line = gateway.logLines().find(({ call_id: id, cause: why }) => id === told.call && why === cause);
  assert.equal(line?.level, 'warn');
  assert.equal(line.leg, leg);
  await end();
  await until(() => records().some(({ type, call_id: id }) => type === 'leg' && id === told.call), 'records of the call');
  const record = records().find(({ type, call_id: id, leg_id: name }) => type === 'leg' && id === told.call && name === leg);
  if (record.media) assert.equal(record.media.silence, cause);
}

// Calls the trunk, which answers as `behave` says.
async function dialled(number, behave) {
  carrier.behaviours.set(number, behave);
  const [call, peer] = await alice.dials(carrier, number);
  return { call, peer, end: () => alice.hangup(call) };
}

describe('a silence is told with its cause', () => {
  it('TRUNK_SENDS_NOTHING', () => tells('TRUNK_SENDS_NOTHING', {}, async () => (await dialled('5550001', (call) => call.answer())).end));

  it('WRONG_SOURCE_ADDRESS', () => tells('WRONG_SOURCE_ADDRESS', {}, async () => {
    const { peer, end } = await dialled('5550002', (call) => call.answer());
    const elsewhere = await RtpPeer.open();
    elsewhere.remote = peer.rtp.remote;
    elsewhere.play(TRUNK);
    return async () => {
      elsewhere.close();
      await end();
    };
  }));

  it('SRTP_AUTH_FAILING', () => tells('SRTP_AUTH_FAILING', {}, async () => {
    carrier.suites = ['AES_CM_128_HMAC_SHA1_80'];
    return (await dialled('5550003', async (call) => {
      await call.answer(TRUNK);
      call.rtp.seals = null; // what it sends is not sealed, though it has agreed to
    })).end;
  }));

  it('UNKNOWN_PAYLOAD_TYPE', () => tells('UNKNOWN_PAYLOAD_TYPE', {}, async () => {
    const { peer, end } = await dialled('5550004', (call) => call.answer());
    let sequence = 0;
    const timer = setInterval(() => {
      sequence += 1;
      const packet = Buffer.alloc(172);
      packet.writeUInt8(0x80, 0);
      packet.writeUInt8(77, 1);
      packet.writeUInt16BE(sequence, 2);
      packet.writeUInt32BE(160 * sequence, 4);
      packet.writeUInt32BE(4711, 8);
      peer.rtp.rtp.send(packet, peer.rtp.remote.port, peer.rtp.remote.address);
    }, 20);
    return async () => {
      clearInterval(timer);
      await end();
    };
  }));

  it('BROWSER_SENT_NO_ICE_CHECKS', () => tells('BROWSER_SENT_NO_ICE_CHECKS', { leg: 'from', kind: 'webrtc' }, async () => {
    // A page whose network has no UDP: its signalling is well.
    const page = await RawBrowser.open(gateway, 'bob', 'secret-b');
    await page.call('5550005', { 'Content-Type': 'application/sdp' });
    return () => {
      carrier.endCalls();
      page.close();
    };
  }));

  it('when sound has come and stops', async () => {
    const { call, peer, end } = await dialled('5550006', (ringing) => ringing.answer(TRUNK));
    await alice.hears(call);
    await tells('TRUNK_SENDS_NOTHING', {}, async () => {
      peer.rtp.stopTone();
      return end;
    });
  });
});

describe('no silence is told', () => {
  it('of a call in which both are heard, nor of one on hold', async () => {
    const known = events().length;
    const { call, peer } = await dialled('5550007', (ringing) => ringing.answer(TRUNK));
    await alice.hears(call);
    assert.equal(await peer.reinvite('sendonly'), 200);
    assert.equal(await peer.reinvite('sendrecv'), 200);
    await alice.hears(call);
    await alice.hears(call);
    alice.hangup(call);
    await alice.event('ended', { call });
    assert.deepEqual(events().slice(known).filter(({ change }) => change === 'silent' || change === 'unheard'), []);
  });
});
