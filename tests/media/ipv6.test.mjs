// Sound between browsers and trunks of both address families, and when media change theirs.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { RtpPeer } from '../peers/audio.mjs';
import { freePort } from '../peers/ports.mjs';
import { answerAtOnce, Stage, TRUNK } from '../peers/stage.mjs';

const ADDRESSES = { IPv4: '127.0.0.1', IPv6: '::1' };

let stage;
const carriers = {};
const browsers = {};

before(async () => {
  const ports = { IPv4: await freePort(), IPv6: await freePort() };
  stage = await Stage.open({
    browser: false, carrier: false, onCall: answerAtOnce,
    addresses: Object.values(ADDRESSES),
    trunks: `
  - { name: four, uri: "sip:127.0.0.1:${ports.IPv4}", codecs: [PCMU], options_interval: 0s }
  - { name: six, uri: "sip:[::1]:${ports.IPv6}", codecs: [PCMU], options_interval: 0s }`,
    routes: `
  - { from: user, match: "^4", target: "trunk:four" }
  - { from: user, match: "^6", target: "trunk:six" }
  - { from: any, match: "^1001$", target: "user:alice" }
  - { from: any, match: "^1002$", target: "user:bob" }`,
  });
  for (const [family, address] of Object.entries(ADDRESSES)) {
    carriers[family] = await stage.addCarrier({ port: ports[family], address });
    browsers[family] = await stage.addBrowser(family === 'IPv4' ? 'alice' : 'bob', { address });
  }
});
afterEach(() => stage.idle());
after(() => stage?.close());

const dialled = (browser, family) => browser.dials(carriers[family], family === 'IPv4' ? '4441000' : '6661000');

for (const here of ['IPv4', 'IPv6']) {
  for (const there of ['IPv4', 'IPv6']) {
    describe(`a browser by ${here} and a trunk by ${there}`, () => {
      it('hear each other when the browser calls', async () => {
        const browser = browsers[here];
        const [call, peer] = await dialled(browser, there);
        await browser.talks(call, peer);
        assert.equal(peer.rtp.remote.address, ADDRESSES[there]);
        await browser.hangsUp(call, peer);
      });

      it('hear each other when the trunk calls', async () => {
        const browser = browsers[here];
        const [call, peer] = await stage.received(here === 'IPv4' ? '1001' : '1002', { browser, carrier: carriers[there] });
        await browser.talks(call, peer);
        assert.equal(peer.rtp.remote.address, ADDRESSES[there]);
        peer.bye();
        await browser.event('ended', { call });
      });
    });
  }
}

describe('media of a trunk', () => {
  for (const [signalling, media] of [['IPv4', 'IPv6'], ['IPv6', 'IPv4']]) {
    // RFC 3264 §6: the answer is of the family of the offer, however it came
    it(`are by ${media} though its signalling is by ${signalling}, if its offer says so`, async () => {
      const carrier = carriers[signalling];
      const browser = browsers.IPv4;
      carrier.mediaAddress = ADDRESSES[media];
      const [call, peer] = await stage.received('1001', { browser, carrier });
      carrier.mediaAddress = ADDRESSES[signalling];
      await browser.talks(call, peer);
      assert.equal(peer.rtp.remote.address, ADDRESSES[media]);
      peer.bye();
      await browser.event('ended', { call });
    });
  }

  // RFC 3264 §8.3.1: media that move to the other family are followed there [reoffer-address]
  it('go to the other family by a re-INVITE, and come back', async () => {
    const browser = browsers.IPv4;
    const [call, peer] = await dialled(browser, 'IPv4');
    await browser.talks(call, peer);
    const before = await browser.stats(call);
    for (const family of ['IPv6', 'IPv4']) {
      peer.rtp.close();
      peer.rtp = await RtpPeer.open(ADDRESSES[family]);
      assert.equal(await peer.reinvite('sendrecv'), 200);
      assert.equal(peer.rtp.remote.address, ADDRESSES[family]);
      peer.rtp.play(TRUNK);
      await browser.talks(call, peer);
    }
    const later = await browser.stats(call);
    assert.equal(later.ssrc, before.ssrc, 'the browser hears one stream all along');
    assert.equal(later.ssrc_changes, before.ssrc_changes);
    await browser.hangsUp(call, peer);
  });
});
