// A short-lived credential of the API works in unmodified SIP libraries.
import { after, afterEach, before, describe, it } from 'node:test';
import { BROWSER } from '../peers/stage.mjs';
import { PageStage } from './browser.mjs';

let stage;
let gateway;
let api;
let browser;

before(async () => {
  stage = await PageStage.open({ carrier: false, extra: 'credentials: { secret: "a-secret-of-this-test", max_ttl: 1h }' });
  ({ gateway, api, browser } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

describe('a credential', () => {
  for (const library of ['jssip', 'sipjs']) {
    it(`registers and calls with ${library}`, async () => {
      const { username, password } = await api.must('createCredential', { user: 'carol', ttl: { seconds: 300 } });
      const page = await browser.signedIn(library, gateway, { user: 'carol', password, username });
      const number = await page.do('call', 'echo');
      await page.event('confirmed', { number });
      await page.hears(BROWSER);
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
