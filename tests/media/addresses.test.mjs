// Browsers whose addresses change: another network, ICE anew, TCP where UDP is blocked, and in the end none.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const BROWSER = 1000;
const TRUNK = 440;
const ADDRESSES = { IPv4: '127.0.0.1', IPv6: '::1' };

let gateway;
let carrier;
const browsers = {};

before(async () => {
  gateway = await Gateway.start({ codecs: '[PCMU]', addresses: Object.values(ADDRESSES), media: 'consent_timeout: 5s' });
  carrier = await Carrier.open(gateway);
  carrier.onCall = (call) => call.answer(TRUNK);
  browsers.udp = await SyntheticBrowser.open(gateway, 'alice');
});

afterEach(async () => {
  for (const browser of Object.values(browsers)) browser.events.length = 0;
  await gateway.idle();
});

after(async () => {
  for (const browser of Object.values(browsers)) await browser.close();
  carrier?.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

async function dialled(browser) {
  return browser.dials(carrier, '5551000', { tone: BROWSER, listen: TRUNK });
}

const talk = (browser, call, peer) => browser.talks(call, peer, BROWSER);
const hangUp = (browser, call, peer) => browser.hangsUp(call, peer);

const connections = () => gateway.metric('trunkline_ice_tcp_connections');
const handshakes = () => gateway.metric('trunkline_dtls_handshakes_total', { result: 'connected' });

describe('a browser whose network blocks UDP', () => {
  for (const [family, address] of Object.entries(ADDRESSES)) {
    // RFC 6544 §10: media by TCP to the passive candidate [ice-tcp]
    it(`has its media by TCP and ${family}`, async () => {
      const browser = await SyntheticBrowser.open(gateway, 'bob', { address, tcp: true });
      const [call, peer] = await dialled(browser);
      await talk(browser, call, peer);
      assert.equal(await connections(), 1);
      const { sequence_gaps: gaps, srtp_errors: errors } = await browser.stats(call);
      assert.deepEqual([gaps, errors], [0, 0]);
      await hangUp(browser, call, peer);
      await until(async () => (await connections()) === 0, 'the connection to be closed');
      await browser.close();
    });
  }
});

describe('a browser that goes to another network', () => {
  for (const [name, networks] of [['by UDP', ['udp', 'udp']], ['by TCP, and comes back', ['tcp', 'udp']]]) {
    // RFC 8445 §7.3.1.5: a nomination from a new address moves the media [ice-new-address]
    // RFC 8838 §3: the browser has told of no candidate at all [ice-no-trickle]
    it(`${name}, is followed there without an ICE restart`, async () => {
      const browser = browsers.udp;
      const [call, peer] = await dialled(browser);
      await talk(browser, call, peer);
      const before = { handshakes: await handshakes(), ...(await browser.stats(call)) };
      for (const by of networks) {
        browser.do('network', { call, by });
        await talk(browser, call, peer);
        assert.equal(await connections(), by === 'tcp' ? 1 : 0);
      }
      assert.equal(await handshakes(), before.handshakes);
      assert.equal((await browser.stats(call)).ssrc, before.ssrc);
      await hangUp(browser, call, peer);
    });

    // RFC 8842 §5.1: an ICE restart keeps the DTLS association [ice-restart-association]
    it(`${name}, is followed there with an ICE restart`, async () => {
      const browser = browsers.udp;
      const [call, peer] = await dialled(browser);
      await talk(browser, call, peer);
      const before = { handshakes: await handshakes(), ...(await browser.stats(call)) };
      for (const by of networks) {
        browser.do('network', { call, by });
        browser.do('restart', { call });
        await browser.event('restarted', { call });
        await talk(browser, call, peer);
      }
      assert.equal(await handshakes(), before.handshakes);
      assert.equal((await browser.stats(call)).ssrc, before.ssrc);
      await hangUp(browser, call, peer);
    });
  }

  // RFC 7675 §5.1: without consent nothing is sent, and the call ends [ice-consent]
  it('that leads nowhere: its call ends, and both sides are told', async () => {
    const browser = browsers.udp;
    const [call, peer] = await dialled(browser);
    await talk(browser, call, peer);
    const lost = await gateway.metric('trunkline_ice_sessions_total', { result: 'consent_expired' });
    browser.do('checks', { call, sent: false });
    await browser.event('ended', { call });
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
    const browser = browsers.udp;
    const [call, peer] = await dialled(browser);
    for (let i = 0; i < 50; i += 1) {
      const socket = await connection();
      socket.on('error', () => {});
      socket.write(Buffer.from([0x01, 0x00, 0x80, 0x00]));
      if (i % 2) socket.destroy();
      else socket.end();
    }
    await talk(browser, call, peer);
    await until(async () => (await connections()) === 0, 'the connections to be closed');
    await hangUp(browser, call, peer);
  });
});
