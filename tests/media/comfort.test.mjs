// What the gateway plays to who waits, and what becomes of a trunk that says nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { wav } from '../peers/audio.mjs';
import { answerAtOnce, BROWSER, ROUTES, Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const WELCOME = 700;
const MUSIC = 600;
const RINGBACK = 425;

describe('sounds', () => {
  let folder;
  let stage;
  let carrier;
  let alice;
  let api;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trunkline-sounds-'));
    writeFileSync(join(folder, 'welcome.wav'), wav(WELCOME, 1, 16000));
    writeFileSync(join(folder, 'music.wav'), wav(MUSIC, 1, 8000));
    stage = await Stage.open({
      onCall: answerAtOnce,
      routes: `${ROUTES}\n  - { from: any, match: "^play$", target: "service:play" }`,
      media: `sounds: { play: "${folder}/welcome.wav", hold_music: "${folder}/music.wav" }`,
    });
    ({ carrier, alice, api } = stage);
  });
  afterEach(() => stage.idle());
  after(async () => {
    await stage?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const dialled = async () => {
    const [call, peer] = await stage.dials();
    await alice.hears(call);
    return [call, peer];
  };
  const heard = (peer, frequency) => {
    peer.rtp.forget();
    return until(() => peer.rtp.hears(frequency) > 0.8, `${frequency} Hz at the trunk`);
  };
  const wholeStream = (peer) => {
    assert.equal(peer.rtp.ssrcs.size, 1);
    assert.deepEqual(peer.rtp.jumps, []);
  };

  it('of service:play come in the codec of the caller', async () => {
    const bob = await stage.addBrowser('bob', { options: ['--opus'] });
    for (const browser of [alice, bob]) {
      const call = browser.call('play', { tone: BROWSER, listen: WELCOME });
      await browser.event('answered', { call });
      await browser.hears(call);
      browser.hangup(call);
    }
    const peer = await carrier.call('play');
    assert.equal(await peer.final(), 200);
    await heard(peer, WELCOME);
    wholeStream(peer);
    peer.bye();
    await bob.close();
  });

  // RFC 3264 §8.4: over the wire [hold-music]
  it('are heard by the trunk while the browser holds, and the browser again afterwards', async () => {
    const [call, peer] = await dialled();
    await heard(peer, BROWSER);
    alice.do('hold', { call });
    await alice.event('held', { call });
    await heard(peer, MUSIC);
    alice.do('resume', { call });
    await alice.event('resumed', { call });
    await heard(peer, BROWSER);
    await alice.hears(call);
    wholeStream(peer);
    await alice.hangsUp(call, peer);
  });

  it('are heard by the trunk while the API holds it', async () => {
    const [call, peer] = await dialled();
    const [{ call_id: id }] = (await api.must('listCalls', {})).calls;
    await api.must('holdCall', { call_id: id });
    await heard(peer, MUSIC);
    await api.must('resumeCall', { call_id: id });
    await heard(peer, BROWSER);
    wholeStream(peer);
    await alice.hangsUp(call, peer);
  });

  // RFC 3960 §3.2: over the wire [ringback]
  it('tell a browser that the API has called that the trunk rings, until it answers', async () => {
    let ringing;
    carrier.behaviours.set('5552000', (call) => {
      ringing = call;
      call.ring();
    });
    await api.must('createCall', { from: 'user:alice', to: '5552000' });
    const { call } = await alice.event('incoming');
    alice.answer(call, { tone: BROWSER, listen: RINGBACK });
    await until(() => ringing, 'the call at the trunk');
    await alice.hears(call);
    ringing.rtp.forget();
    void ringing.answer(TRUNK);
    await heard(ringing, BROWSER);
    const { heard: before, windows } = await alice.stats(call);
    await until(async () => (await alice.stats(call)).windows >= windows + 20, 'two seconds of the trunk\'s tone');
    assert.equal((await alice.stats(call)).heard, before, 'no ringback any more');
    await alice.hangsUp(call, ringing);
  });
});

describe('media.timeout', () => {
  let stage;
  let gateway;
  let carrier;
  let alice;

  before(async () => {
    stage = await Stage.open({ onCall: answerAtOnce, media: 'timeout: 5s' });
    ({ gateway, carrier, alice } = stage);
  });
  after(() => stage?.close());

  // RFC 3550 §6.3.5: over the wire [media-timeout]
  it('ends the call of a trunk that stops sending, and tells both why', async () => {
    const [call, peer] = await stage.dials();
    await alice.hears(call);
    peer.rtp.stopTone();
    await alice.event('ended', { call });
    await until(() => peer.ended, 'BYE at the trunk');
    assert.match(String(peer.ended.headers.reason), /Media timeout/);
    assert.equal(await gateway.metric('trunkline_calls_ended_total', { reason: 'media_timeout' }), 1);
    await gateway.idle();
  });

  // RFC 3264 §8.4: who is on hold may be silent [race-hold-silence]
  it('lets a trunk that is on hold be silent', async () => {
    const ended = await gateway.metric('trunkline_calls_ended_total', { reason: 'media_timeout' });
    const [call, peer] = await stage.dials();
    await alice.hears(call);
    alice.do('hold', { call });
    await alice.event('held', { call });
    peer.rtp.stopTone();
    // A second call that times out shows that the time of the first one would be over.
    const other = carrier.arrival('5552000');
    const second = alice.call('5552000');
    await alice.event('answered', { call: second });
    await alice.hears(second);
    (await other).rtp.stopTone();
    await alice.event('ended', { call: second });
    assert.equal(await gateway.metric('trunkline_calls_ended_total', { reason: 'media_timeout' }), ended + 1);
    assert.equal(peer.ended, undefined);
    await alice.hangsUp(call, peer);
  });
});
