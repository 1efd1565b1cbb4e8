// Legs that share no codec: sound by way of a transcoder, and whatever goes on beside it.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Baresip } from '../peers/baresip.mjs';
import { freePorts } from '../peers/ports.mjs';
import { answerAtOnce, BROWSER, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const OPUS = 111; // as a payload type
const OPUS_ALONE = { options: ['--opus'] };

class World extends Stage {
  static open(settings) {
    return super.open({ onCall: answerAtOnce, browser: OPUS_ALONE, ...settings });
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
    const [call, peer] = await world.dials();
    await world.talk(call, peer);
    assert.equal((await world.alice.stats(call)).payload_type, OPUS);
    assert.deepEqual([...peer.rtp.payloadTypes], [0]);
    assert.equal(peer.rtp.ssrcs.size, 1);
    assert.deepEqual(peer.rtp.jumps, []);
    await world.hasStreams(2);
    await world.alice.hangsUp(call, peer);
    await world.hasStreams(0);
  });

  it('hear each other when the trunk calls', async () => {
    const [call, peer] = await world.received();
    await world.talk(call, peer);
    peer.bye();
    await world.alice.event('ended', { call });
  });

  // RFC 4733 §2.1, §2.5.1: events share the numbers of the audio beside them, and their clock
  it('get each other\'s digits, once each, between the clocks', async () => {
    const [call, peer] = await world.dials();
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
    await world.alice.hangsUp(call, peer);
  });

  it('hear each other again after a hold', async () => {
    const [call, peer] = await world.dials();
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
    await world.alice.hangsUp(call, peer);
  });

  it('hear each other while every twentieth packet is lost', async () => {
    const bob = await world.addBrowser('bob', { options: ['--opus', '--lose-every', '20'] });
    const lost = await world.transcoded('lost');
    const [call, peer] = await world.dials(bob);
    await bob.talks(call, peer);
    await until(async () => (await world.transcoded('lost')) >= lost + 5, 'losses');
    await bob.talks(call, peer);
    assert.deepEqual(peer.rtp.jumps, [], 'the trunk is sent a whole stream');
    await bob.hangsUp(call, peer);
    await bob.close();
  });

  it('leave a call beside them that is only relayed alone', async () => {
    const bob = await world.addBrowser('bob');
    const [relayed, far] = await world.dials(bob);
    await bob.talks(relayed, far);
    await world.hasStreams(0);
    const [call, peer] = await world.dials();
    await world.talk(call, peer);
    const before = await bob.stats(relayed);
    await bob.talks(relayed, far);
    const later = await bob.stats(relayed);
    assert.equal(later.payload_type, 0);
    assert.equal(later.ssrc_changes, 0);
    assert.equal(later.sequence_gaps, before.sequence_gaps);
    assert.deepEqual(far.rtp.jumps, []);
    assert.equal(await world.streams(), 2);
    await world.alice.hangsUp(call, peer);
    await bob.hangsUp(relayed, far);
    await bob.close();
  });

  it('hear each other when the API calls both', async () => {
    const arrived = world.carrier.arrival();
    await world.api.must('createCall', { from: 'user:alice', to: '5551000', trunk: 'carrier' });
    const { call } = await world.alice.event('incoming');
    world.alice.answer(call);
    await world.talk(call, await arrived);
    world.alice.hangup(call);
  });
});

describe('max_transcoded_calls', () => {
  let world;

  before(async () => (world = await World.open({ media: 'max_transcoded_calls: 1' })));
  after(() => world?.close());

  // RFC 3261 §21.5.4: what can't be served now is 503
  it('refuses one more with 503, and takes it when there is room', async () => {
    const bob = await world.addBrowser('bob', OPUS_ALONE);
    const [call, peer] = await world.dials();
    await world.talk(call, peer);
    const refused = bob.call('5551000');
    assert.equal((await bob.event('failed', { call: refused })).status, 503);
    await world.talk(call, peer);
    await world.alice.hangsUp(call, peer);
    await world.gateway.idle();
    const [again, other] = await world.dials(bob);
    await bob.talks(again, other);
    await bob.hangsUp(again, other);
    await bob.close();
  });
});

describe('a trunk without transcoding', () => {
  let world;

  before(async () => (world = await World.open({ trunkExtra: '    transcoding: never\n' })));
  after(() => world?.close());

  // RFC 3261 §13.3.1.3: no common codec is 488 [offer-488]
  it('refuses a browser that shares no codec with it', async () => {
    const call = world.alice.call('5551000');
    assert.equal((await world.alice.event('failed', { call })).status, 488);
  });
});

// A phone that isn't ours, with codecs that the browser lacks.
const ALONE = [['G722', 'PCMU'], ['opus', 'PCMU'], ['G722', 'Opus'], ['PCMA', 'Opus']];
for (const [codec, spoken] of ALONE) {
  describe(`baresip with ${codec} as the trunk, and a browser of ${spoken}`, () => {
    let world;
    let baresip;
    let alice;

    before(async () => {
      const port = await freePorts(2);
      world = await World.open({
        carrier: false, browser: spoken === 'Opus' ? OPUS_ALONE : true,
        trunks: `
  - { name: carrier, uri: "sip:127.0.0.1:${port}", allow: ["127.0.0.1/32"], codecs: [${codec}], options_interval: 0s }`,
      });
      ({ alice } = world);
      baresip = await Baresip.start(world.gateway, { port, codec });
    });
    after(async () => {
      await baresip?.close();
      await world?.close();
    });

    const talk = async (call) => {
      await alice.hears(call);
      await baresip.hears(BROWSER);
      assert.equal((await alice.stats(call)).payload_type, spoken === 'Opus' ? OPUS : 0);
      assert.ok((await world.streams()) >= 2);
    };

    // RFC 3551 §4.5.2: the clock of G.722 at a phone that is not ours [g722-clock]
    it('hear each other, and get each other\'s digits', async () => {
      const call = alice.call('5551000');
      await alice.event('answered', { call });
      await talk(call);
      await baresip.do('sndcode', '5');
      await alice.event('digit', { call, digit: '5' });
      alice.do('digit', { call, digit: '7' });
      await baresip.event('CALL_DTMF_START', { param: '7' });
      alice.hangup(call);
      await baresip.event('CALL_CLOSED');
      await world.gateway.idle();
    });

    it('hear each other when it calls', async () => {
      await baresip.dial('1001');
      const { call } = await alice.event('incoming');
      alice.answer(call);
      await baresip.event('CALL_ESTABLISHED');
      await talk(call);
      await baresip.do('hangup');
      await alice.event('ended', { call });
    });
  });
}
