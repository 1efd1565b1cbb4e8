// Which digest algorithms unmodified SIP libraries come in with, and that nothing weaker is taken than what is offered.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { RawWebSocket } from '../peers/raw_websocket.mjs';
import { BROWSER } from '../peers/stage.mjs';
import { Browser } from './browser.mjs';

let browser;
const gateways = {};

before(async () => {
  gateways.both = await Gateway.start();
  gateways.strict = await Gateway.start({
    users: '  - { name: alice, password: secret-a, algorithms: [SHA-256] }\n  - { name: bob, password: secret-b }',
  });
  browser = await Browser.open();
});
afterEach(() => browser.closePages());
after(async () => {
  await browser?.close();
  for (const gateway of Object.values(gateways)) await gateway.stop();
});

async function challenges(gateway, user) {
  const socket = await RawWebSocket.open(gateway);
  const callId = `challenge-${user}`;
  socket.send([
    'REGISTER sip:example.test SIP/2.0',
    `Via: SIP/2.0/WS ${socket.address};branch=z9hG4bK${callId}`,
    `From: <sip:${user}@example.test>;tag=t`,
    `To: <sip:${user}@example.test>`,
    `Call-ID: ${callId}`,
    'CSeq: 1 REGISTER',
    `Contact: <sip:x@${socket.address};transport=ws>`,
    'Max-Forwards: 70',
    'Content-Length: 0', '', ''].join('\r\n'));
  const response = await socket.final(callId);
  assert.equal(response.status, 401);
  socket.socket.destroy();
  return response.headers['www-authenticate'].map((value) => /algorithm=([\w-]+)/.exec(value)[1]);
}

describe('SHA-256 beside MD5', () => {
  // RFC 8760 §2.3: SHA-256 is offered, before MD5 [algorithms-offered]
  it('is what a challenge offers', async () => {
    assert.deepEqual(await challenges(gateways.both, 'alice'), ['SHA-256', 'MD5']);
  });
  for (const library of ['jssip', 'sipjs']) {
    // RFC 8760 §2.3: clients that know MD5 alone come in all the same [algorithms-offered]
    // RFC 3608 §6.2: and a Service-Route is nothing to them [service-route-given]
    it(`keeps ${library} in, to register and to call`, async () => {
      const page = await browser.signedIn(library, gateways.both);
      const number = await page.do('call', 'echo');
      await page.event('confirmed', { number });
      await page.hears(BROWSER);
      await page.do('hangup', number);
      await page.event('ended', { number });
    });
  }
});

describe('a user for whom MD5 is switched off', () => {
  it('is offered SHA-256 alone, and the others are not concerned', async () => {
    assert.deepEqual(await challenges(gateways.strict, 'alice'), ['SHA-256']);
    assert.deepEqual(await challenges(gateways.strict, 'bob'), ['SHA-256', 'MD5']);
  });
  for (const library of ['jssip', 'sipjs']) {
    it(`does not come in with ${library}`, async () => {
      const page = await browser.page(library);
      await page.do('start', { url: gateways.strict.url, user: 'alice', password: 'secret-a' });
      await page.event('registrationFailed');
    });
  }
});
