// What each browser does with its media, whichever it is: Chromium and Firefox, as Debian has them, go through one list.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { AddressTranslator } from '../peers/address_translator.mjs';
import { repository } from '../peers/gateway.mjs';
import { answering, Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const OTHER = 880;
const LIBRARIES = ['jssip', 'sipjs'];
const PCMU = 0; // its payload type
const SECOND = 48000; // samples

const open = (settings) => Stage.open({ browser: false, ...settings });

// A library that, loaded before OpenSSL, leaves a program the AES_CM profile of DTLS-SRTP alone.
function aesCmOnly(folder) {
  const library = join(folder, 'aes_cm_only.so');
  execFileSync('c++', ['-shared', '-fPIC', '-o', library, join(repository, 'tests/browser/aes_cm_only.cpp')]);
  return library;
}

for (const engine of ['chromium', 'firefox']) describe(engine, () => {
  let browser;
  let folder;
  let translator;
  const stages = {};

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trunkline-media-'));
    stages.gcm = await open({ addresses: ['127.0.0.1', '::1'] });
    stages.cm = await open({ under: ['env', `LD_PRELOAD=${aesCmOnly(folder)}`] });
    stages.opus = await open({ trunkExtra: '    transcoding: opus\n' });
    stages.nat = await open({
      media: 'advertise: "127.0.0.2"', trunkExtra: '    media: { bind: "127.0.0.1", advertise: "127.0.0.1" }\n',
    });
    translator = await AddressTranslator.open(stages.nat.gateway.webrtcPort, '127.0.0.2');
    browser = await Browser.open({ engine });
  });

  after(async () => {
    await browser?.close();
    await translator?.close();
    for (const stage of Object.values(stages)) await stage.close();
    rmSync(folder, { recursive: true, force: true });
  });

  afterEach(async () => {
    translator.sees = () => {};
    await browser.closePages();
    for (const stage of Object.values(stages)) {
      stage.carrier.endCalls();
      await stage.idle();
    }
  });

  const registered = ({ gateway }, library, address = gateway.addresses[0]) => browser.signedIn(library, gateway, { url: gateway.urlAt(address) });

  // The page's call to the trunk, in which both hear each other.
  async function talking(stage, library, { address, options } = {}) {
    const page = await registered(stage, library, address);
    const [number, call] = await page.dials(stage.carrier, '5551000', options);
    await page.talks(call);
    return { page, number, call };
  }

  async function hangUp({ page, number, call }) {
    await page.do('hangup', number);
    await page.event('ended', { number });
    await until(() => call.ended, 'BYE at the trunk');
  }

  // Nothing of what happened to the browser reached the trunk: no request, and one stream without a gap.
  function unnoticed(call) {
    assert.deepEqual([call.reinvites.length, call.infos.length, call.ended], [0, 0, undefined]);
    assert.equal(call.rtp.ssrcs.size, 1);
    assert.deepEqual(call.rtp.jumps, []);
  }

  async function callId({ api }) {
    const { calls: [{ call_id }] } = await api.must('listCalls', {});
    return call_id;
  }

  // What the browser counts of the stream that it hears.
  const heard = async ({ page, number }) => (await page.do('statistics', number)).inbound;

  // By how much each sequence number on the way to the browser is beyond the one before, from now on.
  function stepsToBrowser() {
    const steps = [];
    let last;
    translator.sees = (bytes) => {
      if (bytes[0] >> 6 !== 2 || (bytes[1] & 0x7f) !== PCMU) return;
      const sequence = bytes.readUInt16BE(2);
      if (last !== undefined) steps.push((sequence - last) & 0xffff);
      last = sequence;
    };
    return steps;
  }

  // The browser and the gateway name the profile of SRTP alike, but for the spelling.
  async function agree(stage, page, number, profile) {
    const { legs } = await stage.api.must('getCallStats', { call_id: await callId(stage) });
    const { srtp } = await page.do('statistics', number);
    for (const name of [srtp, legs.find((leg) => leg.srtp_profile !== '').srtp_profile]) assert.match(name, profile);
  }

  describe('by the profile of SRTP that the gateway chooses', () => {
    const GCM = /AEAD_AES_128_GCM$/;
    const AES_CM = /AES(_CM_128|128_CM)(_HMAC)?_SHA1_80$/;

    for (const [name, profile, library] of [['gcm', GCM, 'jssip'], ['cm', AES_CM, 'sipjs']]) {
      it(`calls out by ${library}, and both hear each other: ${name}`, async () => {
        const call = await talking(stages[name], library);
        await agree(stages[name], call.page, call.number, profile);
        await hangUp(call);
      });
    }

    for (const [name, profile, library] of [['gcm', GCM, 'sipjs'], ['cm', AES_CM, 'jssip']]) {
      it(`is called by ${library}, and both hear each other: ${name}`, async () => {
        const page = await registered(stages[name], library);
        const call = await stages[name].carrier.call('1001');
        const { number } = await page.event('session', { direction: 'incoming' });
        call.rtp.play(TRUNK);
        await page.do('answer', number);
        assert.equal(await call.final(), 200);
        await page.talks(call);
        await agree(stages[name], page, number, profile);
        call.bye();
        await page.event('ended', { number });
      });
    }
  });

  describe('with other addresses', () => {
    for (const library of LIBRARIES) {
      // RFC 8445 §9: new credentials, while the media go on
      // RFC 8842 §5.3: the DTLS association stays [race-dtls-role]
      it(`restarts ICE by ${library}, of which the trunk hears nothing`, async () => {
        const talkers = await talking(stages.gcm, library);
        const { page, number, call } = talkers;
        const before = await page.do('connection', number);
        for (let restart = 0; restart < 2; restart += 1) {
          await page.do('restartIce', number);
          await page.talks(call);
        }
        const now = await page.do('connection', number);
        assert.notEqual(now.local.ufrag, before.local.ufrag);
        assert.notEqual(now.remote.ufrag, before.remote.ufrag);
        assert.equal(now.remote.fingerprint, before.remote.fingerprint);
        assert.equal(now.state, 'connected');
        unnoticed(call);
        await page.do('hold', number);
        await page.do('resume', number);
        await page.talks(call);
        await hangUp(talkers);
      });
    }

    // RFC 8445 §7.3.1.5: checks from the new address are enough [ice-new-address]
    it('is followed to the address that a NAT gives it in the middle of the call', async () => {
      const talkers = await talking(stages.nat, 'jssip');
      const { page, call } = talkers;
      await translator.move('127.0.0.4');
      await page.talks(call);
      assert.deepEqual([call.reinvites.length, call.rtp.ssrcs.size], [0, 1]);
      await hangUp(talkers);
    });

    it('has its media by IPv6', async () => {
      const talkers = await talking(stages.gcm, 'jssip', { address: '::1' });
      const { local, remote } = await talkers.page.do('statistics', talkers.number);
      for (const { address } of [local, remote]) assert.match(address, /:/);
      await hangUp(talkers);
    });
  });

  describe('while the stream of the trunk goes on', () => {
    // RFC 3711 §3.3.1: the roll-over counter goes on through a hold [srtp-rollover]
    it('hears on after a hold in which the sequence numbers have rolled over', async () => {
      const talkers = await talking(stages.nat, 'jssip');
      const { page, number, call } = talkers;
      const { ssrc } = await heard(talkers);
      const steps = stepsToBrowser();
      assert.equal(await call.reinvite('sendonly'), 200);
      await page.event('hold', { number, originator: 'remote' });
      // Losses, of as many packets as may be lost without a break in the stream, make the numbers run.
      for (let losses = 0; losses < 24; losses += 1) {
        const { sent } = call.rtp;
        call.rtp.sequence = (call.rtp.sequence + 2900) & 0xffff;
        await until(() => call.rtp.sent > sent, 'a packet of the trunk');
      }
      const passed = () => steps.reduce((sum, step) => sum + step, 0);
      await until(() => passed() > 65536, 'all sequence numbers to have passed');
      assert.equal(await call.reinvite('sendrecv'), 200);
      await page.event('unhold', { number, originator: 'remote' });
      await page.talks(call);
      // A trunk that sends nothing while it is held, and counts on.
      steps.splice(0);
      await page.do('hold', number);
      call.rtp.stopTone();
      call.rtp.sequence = (call.rtp.sequence + 40000) & 0xffff;
      call.rtp.timestamp = (call.rtp.timestamp + 40000 * 160) >>> 0;
      await page.do('resume', number);
      call.rtp.play(TRUNK);
      await page.talks(call);
      assert.deepEqual([...new Set(steps)], [1]);
      assert.equal((await heard(talkers)).ssrc, ssrc);
      assert.equal(await stages.nat.gateway.metric('trunkline_srtp_errors_total'), 0);
      await hangUp(talkers);
    });

    // RFC 3550 §5.1: one line of numbers, whoever is heard on it
    it('hears no gap when its party is transferred', async () => {
      const stage = stages.gcm;
      const talkers = await talking(stage, 'jssip');
      const { page, number, call } = talkers;
      stage.carrier.behaviours.set('5552000', answering(OTHER));
      const second = stage.carrier.arrival('5552000');
      const before = await heard(talkers);
      await stage.api.must('transferCall', { call_id: await callId(stage), leg_id: 'from', target: '5552000', mode: 'TRANSFER_MODE_GATEWAY' });
      const party = await second;
      await until(() => call.ended, 'BYE at the first number');
      await page.talks(party, OTHER);
      const now = await heard(talkers);
      assert.equal(now.ssrc, before.ssrc);
      assert.equal(now.packetsLost, before.packetsLost);
      assert.ok(now.concealedSamples - before.concealedSamples < SECOND);
      assert.deepEqual((await page.events()).filter(({ name }) => ['hold', 'unhold'].includes(name)), []);
      await hangUp({ page, number, call: party });
    });
  });

  describe('by telephone events', () => {
    for (const [name, codec] of [['gcm', 'PCMU'], ['opus', 'Opus']]) {
      // RFC 4733 §2.1: the clock of events is that of the codec beside them
      it(`sends and hears digits beside ${codec}`, async () => {
        const talkers = await talking(stages[name], 'jssip');
        const { page, number, call } = talkers;
        for (const digit of ['5', '#']) await page.do('dtmf', number, digit, 'rtp');
        await until(() => call.rtp.digits.length === 2, 'the digits at the trunk');
        assert.deepEqual(call.rtp.digits, ['5', '#']);
        assert.deepEqual(call.rtp.begun, ['5', '#']);
        assert.deepEqual(call.rtp.jumps, []);
        call.rtp.play(0);
        await until(async () => (await page.do('hears', TRUNK)) === 0, 'silence on the page');
        for (const digit of ['7', '0']) {
          call.rtp.sendDigit(digit, { milliseconds: 400 });
          await page.event('tones', { digit });
          await page.event('tones', { digit: '' });
        }
        call.rtp.play(TRUNK);
        await page.talks(call);
        assert.equal((await heard(talkers)).packetsLost, 0);
        await hangUp(talkers);
      });
    }
  });
});
