// A short-lived credential of the API works in unmodified SIP libraries.
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl } from '../peers/call_control.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { Browser } from './browser.mjs';

const MICROPHONE = 1000;

let gateway;
let api;
let browser;

before(async () => {
  gateway = await Gateway.start({ extra: 'credentials: { secret: "a-secret-of-this-test", max_ttl: 1h }' });
  api = new CallControl(gateway.grpcAddress);
  browser = await Browser.open(MICROPHONE);
});
afterEach(() => browser.closePages());
after(async () => {
  await browser?.close();
  api?.close();
  await gateway?.stop();
});

describe('a credential', () => {
  for (const library of ['jssip', 'sipjs']) {
    it(`registers and calls with ${library}`, async () => {
      const { username, password } = await api.must('createCredential', { user: 'carol', ttl: { seconds: 300 } });
      const page = await browser.page(library);
      await page.do('start', { url: gateway.url, user: 'carol', password, username });
      await page.event('registered');
      const number = await page.do('call', 'echo');
      await page.event('confirmed', { number });
      await page.hears(MICROPHONE);
      await page.do('hangup', number);
      await page.event('ended', { number });
    });

    it(`is refused by the gateway if ${library} has it wrong`, async () => {
      const { username } = await api.must('createCredential', { user: 'carol' });
      const page = await browser.page(library);
      await page.do('start', { url: gateway.url, user: 'carol', password: 'wrong', username });
      await page.event('registrationFailed');
    });
  }
});
