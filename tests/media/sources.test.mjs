// Whose RTP is taken, and which port may be used again: plain RTP proves nothing about its sender.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { RtpPeer } from '../peers/audio.mjs';
import { freePort } from '../peers/ports.mjs';
import { answerAtOnce, BROWSER, Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const STRANGER = 700;
const REST = 10000; // how long the gateway leaves an RTP port alone after use, in milliseconds

class World extends Stage {
  static open(settings) {
    return super.open({ onCall: answerAtOnce, ...settings });
  }

  async dialled(listen = TRUNK) {
    const [call, peer] = await this.alice.dials(this.carrier, '5551000', { listen });
    await this.alice.event('media', { call });
    return [call, peer];
  }

  async finishes(call, peer) {
    await this.alice.hangsUp(call, peer);
    await this.gateway.idle();
  }

  dropped(reason) {
    return this.gateway.metric('trunkline_rtp_packets_dropped_total', { leg: 'sip', reason });
  }
}

// A stranger who sends his own tone to the gateway's port of a call, from an address and port of his.
async function stranger(peer, address = '127.0.0.1') {
  const rtp = await RtpPeer.open(address);
  rtp.remote = peer.rtp.remote;
  rtp.play(STRANGER);
  return rtp;
}

describe('media_source: pinned', () => {
  let world;
  before(async () => (world = await World.open()));
  after(() => world?.close());

  for (const address of ['127.0.0.1', '127.0.0.7']) {
    it(`ignores and counts RTP from elsewhere (${address})`, async () => {
      const [call, peer] = await world.dialled();
      await world.talk(call, peer);
      const dropped = await world.dropped('unknown_source');
      const before = await world.alice.stats(call);
      const other = await stranger(peer, address);
      await until(() => other.sent >= 50, 'a second of strange sound');
      await world.talk(call, peer);
      const later = await world.alice.stats(call);
      assert.equal(later.ssrc_changes, before.ssrc_changes);
      assert.ok(later.windows - before.windows - (later.heard - before.heard) <= 2, `only the trunk was heard: ${JSON.stringify(later)}`);
      assert.ok((await world.dropped('unknown_source')) >= dropped + 40);
      assert.equal(other.received, 0, 'nothing was sent to the stranger');
      other.close();
      await world.finishes(call, peer);
    });
  }

  // RFC 1122 §4.1.3.3: the call goes on, and others too [icmp-counted]
  it('a call whose trunk has closed its RTP port disturbs no other', async () => {
    const closed = await freePort();
    world.carrier.behaviours.set('5552222', (call) => {
      call.rtp.close();
      call.rtp.port = closed;
      return call.answer();
    });
    const [call, peer] = await world.dialled();
    const [deaf, other] = await world.alice.dials(world.carrier, '5552222');
    await world.alice.event('media', { call: deaf });
    const before = await world.alice.stats(call);
    await world.talk(call, peer);
    await world.talk(call, peer);
    const later = await world.alice.stats(call);
    assert.equal(later.sequence_gaps, before.sequence_gaps);
    assert.equal(other.ended, undefined, 'the deaf call is up');
    world.alice.hangup(deaf);
    await until(() => other.ended, 'BYE of the deaf call');
    await world.finishes(call, peer);
  });

  // RFC 3264 §8.3.1: a new address is sent to once answered [reoffer-address]
  it('follows the trunk to the address of its re-INVITE', async () => {
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    const old = peer.rtp;
    old.stopTone();
    peer.rtp = await RtpPeer.open();
    peer.rtp.remote = old.remote;
    peer.rtp.play(TRUNK);
    assert.equal(await peer.reinvite('sendrecv'), 200);
    await world.talk(call, peer);
    old.forget();
    await world.talk(call, peer);
    assert.equal(old.received, 0, 'nothing more comes to the old address');
    old.close();
    await world.finishes(call, peer);
  });

  // RFC 6056 §3.3: a late sender reaches no other call [media-ports]
  it('sends nothing to a call that is over, whoever goes on sending', async () => {
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    await world.finishes(call, peer);
    peer.rtp.forget();
    peer.rtp.play(TRUNK);
    const sent = peer.rtp.sent;
    const [second, other] = await world.dialled();
    await world.talk(second, other);
    await until(() => peer.rtp.sent >= sent + 50, 'a second of late sound');
    assert.equal(peer.rtp.received, 0);
    assert.notEqual(other.rtp.remote.port, peer.rtp.remote.port);
    const stats = await world.alice.stats(second);
    assert.equal(stats.ssrc_changes, 0);
    peer.rtp.stopTone();
    await world.finishes(second, other);
  });
});

describe('media_source: same-host', () => {
  let world;
  before(async () => (world = await World.open({ trunkExtra: '    media_source: same-host\n' })));
  after(() => world?.close());

  // RFC 7362 §4: same-host [media-source]
  it('takes another port of the trunk\'s host, and no other host', async () => {
    const [call, peer] = await world.dialled(STRANGER);
    peer.rtp.stopTone();
    const other = await stranger(peer);
    await world.alice.hears(call);
    other.stopTone();
    const dropped = await world.dropped('unknown_source');
    const third = await stranger(peer, '127.0.0.7');
    await until(async () => (await world.dropped('unknown_source')) >= dropped + 20, 'drops to be counted');
    other.close();
    third.close();
    await world.finishes(call, peer);
  });
});

describe('media_source: subnet', () => {
  let world;
  before(async () => (world = await World.open({
    trunks: ({ carrierPort }) => `
  - name: carrier
    uri: "sip:127.0.0.1:${carrierPort}"
    allow: ["127.0.0.0/29"]
    media_source: subnet
    options_interval: 0s`,
  })));
  after(() => world?.close());

  // RFC 7362 §4: subnet [media-source]
  it('takes what lies within allow, and nothing else', async () => {
    const [call, peer] = await world.dialled(STRANGER);
    peer.rtp.stopTone();
    const near = await stranger(peer, '127.0.0.5');
    await world.alice.hears(call);
    await until(() => peer.rtp.hears(BROWSER) > 0.8, 'the sound to go where it was said');
    assert.equal(near.received, 0);
    near.stopTone();
    const dropped = await world.dropped('unknown_source');
    const far = await stranger(peer, '127.0.0.9');
    await until(async () => (await world.dropped('unknown_source')) >= dropped + 20, 'drops to be counted');
    near.close();
    far.close();
    await world.finishes(call, peer);
  });
});

describe('a description that aims elsewhere', () => {
  let world;
  before(async () => (world = await World.open()));
  after(() => world?.close());

  // RFC 6890 §2.2: nothing is sent to the metadata service of a cloud [media-destinations]
  it('is sent nothing, and says so in its counters', async () => {
    world.carrier.behaviours.set('5551000', (call) => {
      call.rtp.address = '169.254.169.254';
      return call.answer();
    });
    const [call, peer] = await world.dialled();
    await until(async () => (await world.dropped('held')) >= 20, 'the browser\'s sound to be left out');
    await world.finishes(call, peer);
  });
});

describe('media_source: learn', () => {
  let world;
  before(async () => (world = await World.open({ trunkExtra: '    media_source: learn\n' })));
  after(() => world?.close());

  // RFC 7362 §5: over the wire [media-learned]
  it('finds a trunk that sends from elsewhere than it says, sends there, and learns no more', async () => {
    // Says one port, sends from another, as behind a NAT.
    const real = await RtpPeer.open();
    world.carrier.behaviours.set('5551000', async (call) => {
      real.remote = call.rtp.remote;
      real.play(STRANGER);
      await call.answer();
    });
    const [call, peer] = await world.dialled(STRANGER);
    await world.alice.hears(call);
    await until(() => real.hears(BROWSER) > 0.8, 'the browser to be heard at the real place');
    const dropped = await world.dropped('unknown_source');
    const other = await stranger(peer);
    other.play(900);
    await until(async () => (await world.dropped('unknown_source')) >= dropped + 20, 'drops to be counted');
    await world.alice.hears(call);
    assert.equal(other.received, 0, 'nothing was sent to the stranger');
    other.close();
    real.close();
    await world.finishes(call, peer);
  });

  it('stays with the address that was said when RTP comes from there', async () => {
    world.carrier.behaviours.delete('5551000');
    const [call, peer] = await world.dialled();
    await world.talk(call, peer);
    const dropped = await world.dropped('unknown_source');
    const other = await stranger(peer);
    await until(async () => (await world.dropped('unknown_source')) >= dropped + 20, 'drops to be counted');
    await world.talk(call, peer);
    assert.equal(other.received, 0);
    other.close();
    await world.finishes(call, peer);
  });
});

describe('RTP ports', () => {
  let stage;
  before(async () => (stage = await Stage.open({ browser: false, rtpPorts: 8 })));
  after(() => stage?.close());

  // RFC 6056 §3.3: over the wire [media-ports]
  it('that are all in use refuse the next call, rest after use, and are lent again', async () => {
    const { gateway, carrier } = stage;
    const calls = [];
    for (let count = 0; count < 4; count += 1) {
      const call = await carrier.call('echo');
      assert.equal(await call.final(), 200);
      calls.push(call);
    }
    assert.equal(new Set(calls.map((call) => call.rtp.remote.port)).size, 4);
    assert.equal(await gateway.metric('trunkline_media_ports_used'), 4);
    assert.equal(await (await carrier.call('echo')).final(), 503);
    const began = performance.now();
    for (const call of calls) call.bye();
    await gateway.idle();
    assert.equal(await (await carrier.call('echo')).final(), 503, 'the ports are resting');
    let again;
    await until(async () => {
      again = await carrier.call('echo');
      if ((await again.final()) === 200) return true;
      again.close();
      return false;
    }, 'a port to be rested');
    assert.ok(performance.now() - began >= REST, `lent again after ${performance.now() - began} ms`);
    again.rtp.play(TRUNK);
    await until(() => again.rtp.hears(TRUNK) > 0.8, 'the echo');
    again.bye();
    await gateway.idle();
  });
});
