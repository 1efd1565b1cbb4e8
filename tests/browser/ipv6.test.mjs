// Chromium over IPv6: the WebSocket at ::1, and ICE between addresses of IPv6.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const MICROPHONE = 1000;
const TRUNK = 440;

let browser;
let gateway;
let carrier;

before(async () => (browser = await Browser.open(MICROPHONE)));
after(() => browser?.close());

afterEach(async () => {
  await browser.closePages();
  carrier?.close();
  assert.equal((await gateway?.stop())?.code, 0);
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
        gateway = await Gateway.start({
          addresses,
          trunks: (ports) => `
  - { name: carrier, uri: "sip:${trunk.includes(':') ? `[${trunk}]` : trunk}:${ports.carrierPort}", codecs: [PCMU], options_interval: 0s }`,
        });
        carrier = await Carrier.open(gateway, { address: trunk });
        const tab = await browser.page(library);
        await tab.do('start', { url: gateway.urlAt(page), user: 'alice', password: 'secret-a' });
        await tab.event('registered');
        carrier.onCall = (call) => call.answer(TRUNK);
        const arrived = carrier.arrival();
        const number = await tab.do('call', '5551000');
        const call = await arrived;
        await tab.event('confirmed', { number });
        await tab.hears(TRUNK);
        await until(() => call.rtp.hears(MICROPHONE) > 0.8, 'the trunk to hear the microphone');
        assert.equal(call.rtp.remote.address, trunk);
        await tab.do('hangup', number);
        await until(() => call.ended, 'BYE at the trunk');
      });
    }
  });
}
