// Browsers whose addresses change: another network, ICE anew, TCP where UDP is blocked, and in the end none.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const ADDRESSES = { IPv4: '127.0.0.1', IPv6: '::1' };

let stage;
let gateway;
let alice;

before(async () => {
  stage = await Stage.open({ onCall: answerAtOnce, codecs: '[PCMU]', addresses: Object.values(ADDRESSES), media: 'consent_timeout: 5s' });
  ({ gateway, alice } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

const connections = () => gateway.metric('trunkline_ice_tcp_connections');
const handshakes = () => gateway.metric('trunkline_dtls_handshakes_total', { result: 'connected' });

describe('a browser whose network blocks UDP', () => {
  for (const [family, address] of Object.entries(ADDRESSES)) {
    // RFC 6544 §10: media by TCP to the passive candidate [ice-tcp]
    it(`has its media by TCP and ${family}`, async () => {
      const bob = await stage.addBrowser('bob', { address, tcp: true });
      const [call, peer] = await stage.dials(bob);
      await bob.talks(call, peer);
      assert.equal(await connections(), 1);
      const { sequence_gaps: gaps, srtp_errors: errors } = await bob.stats(call);
      assert.deepEqual([gaps, errors], [0, 0]);
      await bob.hangsUp(call, peer);
      await until(async () => (await connections()) === 0, 'the connection to be closed');
      await bob.close();
    });
  }
});

describe('a browser that goes to another network', () => {
  for (const [name, networks] of [['by UDP', ['udp', 'udp']], ['by TCP, and comes back', ['tcp', 'udp']]]) {
    // RFC 8445 §7.3.1.5: a nomination from a new address moves the media [ice-new-address]
    // RFC 8838 §3: the browser has told of no candidate at all [ice-no-trickle]
    it(`${name}, is followed there without an ICE restart`, async () => {
      const [call, peer] = await stage.dials();
      await alice.talks(call, peer);
      const before = { handshakes: await handshakes(), ...(await alice.stats(call)) };
      for (const by of networks) {
        alice.do('network', { call, by });
        await alice.talks(call, peer);
        assert.equal(await connections(), by === 'tcp' ? 1 : 0);
      }
      assert.equal(await handshakes(), before.handshakes);
      assert.equal((await alice.stats(call)).ssrc, before.ssrc);
      await alice.hangsUp(call, peer);
    });

    // RFC 8842 §5.1: an ICE restart keeps the DTLS association [ice-restart-association]
    it(`${name}, is followed there with an ICE restart`, async () => {
      const [call, peer] = await stage.dials();
      await alice.talks(call, peer);
      const before = { handshakes: await handshakes(), ...(await alice.stats(call)) };
      for (const by of networks) {
        alice.do('network', { call, by });
        alice.do('restart', { call });
        await alice.event('restarted', { call });
        await alice.talks(call, peer);
      }
      assert.equal(await handshakes(), before.handshakes);
      assert.equal((await alice.stats(call)).ssrc, before.ssrc);
      await alice.hangsUp(call, peer);
    });
  }

  // RFC 7675 §5.1: without consent nothing is sent, and the call ends [ice-consent]
  it('that leads nowhere: its call ends, and both sides are told', async () => {
    const [call, peer] = await stage.dials();
    await alice.talks(call, peer);
    const lost = await gateway.metric('trunkline_ice_sessions_total', { result: 'consent_expired' });
    alice.do('checks', { call, sent: false });
    await alice.event('ended', { call });
    await until(() => peer.ended, 'BYE at the trunk');
    assert.equal(await gateway.metric('trunkline_ice_sessions_total', { result: 'consent_expired' }), lost + 1);
  });
});

describe('the TCP port of media', () => {
  const connection = async () => {
    const socket = connect(gateway.webrtcPort, '127.0.0.1');
    await new Promise((done) => socket.once('connect', done));
    return socket;
  };

  it('closes what does not speak in frames', async () => {
    const refused = await gateway.metric('trunkline_ice_tcp_connections_total', { result: 'framing' });
    const socket = await connection();
    const closed = new Promise((done) => socket.once('close', done));
    socket.on('error', () => {}).resume();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await closed;
    assert.equal(await gateway.metric('trunkline_ice_tcp_connections_total', { result: 'framing' }), refused + 1);
  });

  it('does not mind who comes and goes in the middle of a frame', async () => {
    const [call, peer] = await stage.dials();
    for (let i = 0; i < 50; i += 1) {
      const socket = await connection();
      socket.on('error', () => {});
      socket.write(Buffer.from([0x01, 0x00, 0x80, 0x00]));
      if (i % 2) socket.destroy();
      else socket.end();
    }
    await alice.talks(call, peer);
    await until(async () => (await connections()) === 0, 'the connections to be closed');
    await alice.hangsUp(call, peer);
  });
});
