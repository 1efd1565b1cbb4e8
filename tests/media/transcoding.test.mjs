// Legs that share no codec: sound by way of a transcoder, and whatever goes on beside it.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Baresip } from '../peers/baresip.mjs';
import { CallControl } from '../peers/call_control.mjs';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { freePorts } from '../peers/ports.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const BROWSER = 1000;
const TRUNK = 440;
const OPUS = 111;

class World {
  static async open(settings, { opus = true } = {}) {
    const world = new World();
    world.gateway = await Gateway.start(settings);
    world.carrier = await Carrier.open(world.gateway);
    world.carrier.onCall = (call) => call.answer(TRUNK);
    world.alice = await SyntheticBrowser.open(world.gateway, 'alice', { options: opus ? ['--opus'] : [] });
    return world;
  }

  async dialled(browser = this.alice) {
    return browser.dials(this.carrier, '5551000', { tone: BROWSER, listen: TRUNK });
  }

  async talk(call, peer, browser = this.alice) {
    peer.rtp.forget();
    await browser.hears(call);
    await until(() => peer.rtp.hears(BROWSER) > 0.8, 'the trunk to hear the browser');
  }

  async hangUp(call, peer, browser = this.alice) {
    browser.hangup(call);
    await until(() => peer.ended, 'BYE at the trunk');
  }

  streams() {
    return this.gateway.metric('trunkline_transcoded_streams');
  }

  // Those of a call that is over go seconds after its last packet.
  hasStreams(count) {
    return until(async () => (await this.streams()) === count, `${count} transcoded directions`);
  }

  transcoded(event) {
    return this.gateway.metric('trunkline_transcoding_total', { event });
  }

  async close() {
    await this.alice?.close();
    this.carrier?.close();
    assert.equal((await this.gateway?.stop())?.code, 0);
  }
}

describe('a browser that has Opus alone, and a trunk of PCMU', () => {
  let world;

  before(async () => (world = await World.open()));
  afterEach(async () => {
    world.carrier.endCalls();
    await world.gateway.idle();
  });
  after(() => world?.close());

  // RFC 7587 §4.1: Opus counts 48,000 a second, whatever it is made from
  it('hear each other, the trunk one stream without a jump', async () => {
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    assert.equal((await world.alice.stats(call)).payload_type, OPUS);
    assert.deepEqual([...peer.rtp.payloadTypes], [0]);
    assert.equal(peer.rtp.ssrcs.size, 1);
    assert.deepEqual(peer.rtp.jumps, []);
    await world.hasStreams(2);
    await world.hangUp(call, peer);
    await world.hasStreams(0);
  });

  it('hear each other when the trunk calls', async () => {
    const peer = await world.carrier.call('1001');
    const { call } = await world.alice.event('incoming');
    world.alice.answer(call, { tone: BROWSER, listen: TRUNK });
    assert.equal(await peer.final(), 200);
    peer.rtp.play(TRUNK);
    await world.talk(call, peer);
    peer.bye();
    await world.alice.event('ended', { call });
  });

  // RFC 4733 §2.1, §2.5.1: events share the numbers of the audio beside them, and their clock
  it('get each other\'s digits, once each, between the clocks', async () => {
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    for (const digit of ['5', '#']) {
      world.alice.do('digit', { call, digit });
      await until(() => peer.rtp.digits.includes(digit), `${digit} at the trunk`);
    }
    for (const digit of ['7', '*']) {
      peer.rtp.sendDigit(digit);
      await world.alice.event('digit', { call, digit });
    }
    await world.talk(call, peer);
    assert.deepEqual(peer.rtp.digits, ['5', '#']);
    assert.equal(world.alice.has('digit'), false);
    assert.equal(peer.rtp.ssrcs.size, 1);
    assert.deepEqual(peer.rtp.jumps, []);
    await world.hangUp(call, peer);
  });

  it('hear each other again after a hold', async () => {
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    world.alice.do('hold', { call });
    await world.alice.event('held', { call });
    world.alice.do('resume', { call });
    await world.alice.event('resumed', { call });
    await world.talk(call, peer);
    assert.equal(await peer.reinvite('sendonly'), 200);
    await world.alice.event('held', { call });
    assert.equal(await peer.reinvite('sendrecv'), 200);
    await world.alice.event('resumed', { call });
    await world.talk(call, peer);
    assert.equal(peer.rtp.ssrcs.size, 1);
    assert.deepEqual(peer.rtp.jumps, []);
    await world.hangUp(call, peer);
  });

  it('hear each other while every twentieth packet is lost', async () => {
    const bob = await SyntheticBrowser.open(world.gateway, 'bob', { options: ['--opus', '--lose-every', '20'] });
    const lost = await world.transcoded('lost');
    const [call, peer] = await world.dialled(bob);
    await world.talk(call, peer, bob);
    await until(async () => (await world.transcoded('lost')) >= lost + 5, 'losses');
    await world.talk(call, peer, bob);
    assert.deepEqual(peer.rtp.jumps, [], 'the trunk is sent a whole stream');
    await world.hangUp(call, peer, bob);
    await bob.close();
  });

  it('leave a call beside them that is only relayed alone', async () => {
    const bob = await SyntheticBrowser.open(world.gateway, 'bob');
    const [relayed, far] = await world.dialled(bob);
    await world.talk(relayed, far, bob);
    await world.hasStreams(0);
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    const before = await bob.stats(relayed);
    await world.talk(relayed, far, bob);
    const later = await bob.stats(relayed);
    assert.equal(later.payload_type, 0);
    assert.equal(later.ssrc_changes, 0);
    assert.equal(later.sequence_gaps, before.sequence_gaps);
    assert.deepEqual(far.rtp.jumps, []);
    assert.equal(await world.streams(), 2);
    await world.hangUp(call, peer);
    await world.hangUp(relayed, far, bob);
    await bob.close();
  });

  it('hear each other when the API calls both', async () => {
    const api = new CallControl(world.gateway.grpcAddress);
    const arrived = world.carrier.arrival();
    await api.must('createCall', { from: 'user:alice', to: '5551000', trunk: 'carrier' });
    const { call } = await world.alice.event('incoming');
    world.alice.answer(call, { tone: BROWSER, listen: TRUNK });
    await world.talk(call, await arrived);
    world.alice.hangup(call);
    api.close();
  });
});

describe('max_transcoded_calls', () => {
  let world;

  before(async () => {
    world = await World.open({ media: 'max_transcoded_calls: 1' });
  });
  after(() => world?.close());

  // RFC 3261 §21.5.4: what can't be served now is 503
  it('refuses one more with 503, and takes it when there is room', async () => {
    const bob = await SyntheticBrowser.open(world.gateway, 'bob', { options: ['--opus'] });
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    const refused = bob.call('5551000', { tone: BROWSER, listen: TRUNK });
    assert.equal((await bob.event('failed', { call: refused })).status, 503);
    await world.talk(call, peer);
    await world.hangUp(call, peer);
    await world.gateway.idle();
    const [again, other] = await world.dialled(bob);
    await world.talk(again, other, bob);
    await world.hangUp(again, other, bob);
    await bob.close();
  });
});

describe('a trunk without transcoding', () => {
  let world;

  before(async () => (world = await World.open({ trunkExtra: '    transcoding: never\n' })));
  after(() => world?.close());

  // RFC 3261 §13.3.1.3: no common codec is 488 [offer-488]
  it('refuses a browser that shares no codec with it', async () => {
    const call = world.alice.call('5551000', { tone: BROWSER, listen: TRUNK });
    assert.equal((await world.alice.event('failed', { call })).status, 488);
  });
});

// A phone that isn't ours, with codecs that the browser lacks.
const ALONE = [['G722', 'PCMU'], ['opus', 'PCMU'], ['G722', 'Opus'], ['PCMA', 'Opus']];
for (const [codec, spoken] of ALONE) {
  describe(`baresip with ${codec} as the trunk, and a browser of ${spoken}`, () => {
    let gateway;
    let baresip;
    let alice;

    before(async () => {
      const port = await freePorts(2);
      gateway = await Gateway.start({
        trunks: `
  - { name: carrier, uri: "sip:127.0.0.1:${port}", allow: ["127.0.0.1/32"], codecs: [${codec}], options_interval: 0s }`,
      });
      baresip = await Baresip.start(gateway, { port, codec });
      alice = await SyntheticBrowser.open(gateway, 'alice', { options: spoken === 'Opus' ? ['--opus'] : [] });
    });
    after(async () => {
      await alice?.close();
      await baresip?.close();
      assert.equal((await gateway?.stop())?.code, 0);
    });

    const talk = async (call) => {
      await alice.hears(call);
      await baresip.hears(BROWSER);
      assert.equal((await alice.stats(call)).payload_type, spoken === 'Opus' ? OPUS : 0);
      assert.ok((await gateway.metric('trunkline_transcoded_streams')) >= 2);
    };

    // RFC 3551 §4.5.2: the clock of G.722 at a phone that is not ours [g722-clock]
    it('hear each other, and get each other\'s digits', async () => {
      const call = alice.call('5551000', { tone: BROWSER, listen: TRUNK });
      await alice.event('answered', { call });
      await talk(call);
      await baresip.do('sndcode', '5');
      await alice.event('digit', { call, digit: '5' });
      alice.do('digit', { call, digit: '7' });
      await baresip.event('CALL_DTMF_START', { param: '7' });
      alice.hangup(call);
      await baresip.event('CALL_CLOSED');
      await gateway.idle();
    });

    it('hear each other when it calls', async () => {
      await baresip.dial('1001');
      const { call } = await alice.event('incoming');
      alice.answer(call, { tone: BROWSER, listen: TRUNK });
      await baresip.event('CALL_ESTABLISHED');
      await talk(call);
      await baresip.do('hangup');
      await alice.event('ended', { call });
    });
  });
}
