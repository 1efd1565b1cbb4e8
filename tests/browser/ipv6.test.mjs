// Chromium over IPv6: the WebSocket at ::1, and ICE between addresses of IPv6.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { Browser } from './browser.mjs';

let browser;
let stage;

before(async () => (browser = await Browser.open()));
after(() => browser?.close());

afterEach(async () => {
  await browser.closePages();
  await stage?.close();
});

// [what the gateway has, where the page connects, where the trunk is]
for (const [addresses, page, trunk] of [
  [['::1'], '::1', '::1'],
  [['127.0.0.1', '::1'], '::1', '127.0.0.1'],
  [['127.0.0.1', '::1'], '127.0.0.1', '::1'],
]) {
  describe(`a gateway on ${addresses.join(' and ')}`, () => {
    for (const library of ['jssip', 'sipjs']) {
      // RFC 8421 §4: candidates of both families lead to a connection [ice-families]
      it(`lets ${library}, connected to ${page}, and a trunk at ${trunk} hear each other`, async () => {
        stage = await Stage.open({
          addresses, browser: false, carrier: { address: trunk }, onCall: answerAtOnce,
          trunks: (ports) => `
  - { name: carrier, uri: "sip:${trunk.includes(':') ? `[${trunk}]` : trunk}:${ports.carrierPort}", codecs: [PCMU], options_interval: 0s }`,
        });
        const tab = await browser.signedIn(library, stage.gateway, { url: stage.gateway.urlAt(page) });
        const [number, call] = await tab.dials(stage.carrier);
        await tab.talks(call);
        assert.equal(call.rtp.remote.address, trunk);
        await tab.hangsUp(number, call);
      });
    }
  });
}
