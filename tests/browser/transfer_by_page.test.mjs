// Transfers that a page asks for by REFER, with unmodified JsSIP and SIP.js: blind and attended, and what they are told.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { answering, BROWSER, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { PageStage } from './browser.mjs';

const OTHER = 880;

let stage;
let carrier;

before(async () => {
  stage = await PageStage.open({ routes: null });
  ({ carrier } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

const phone = (library, user) => stage.browser.signedIn(library, stage.gateway, { user });

// The page calls the number; what is heard there.
async function talk(page, number, frequency) {
  carrier.behaviours.set(number, answering(frequency));
  const [session, call] = await page.dials(carrier, number);
  return { session, call };
}

const hears = (call, frequency) => {
  call.rtp.forget();
  return until(() => call.rtp.hears(frequency) > 0.8, `the trunk to hear ${frequency} Hz`);
};

for (const library of ['jssip', 'sipjs']) {
  describe(`${library} in Chromium`, () => {
    it('sends the other party on to a number', async () => {
      const page = await phone(library, 'alice');
      const { session, call } = await talk(page, '5551000', TRUNK);
      carrier.behaviours.set('5552000', answering(OTHER));
      const arrival = carrier.arrival('5552000');
      await page.do('refer', session, '5552000');
      await page.event('referAnswered', { number: session, status: 202 });
      await page.event('referred', { number: session, status: 100 });
      const target = await arrival;
      await page.event('referred', { number: session, status: 200 });
      await page.event('ended', { number: session });
      await hears(call, OTHER);
      await hears(target, TRUNK);
      assert.ok(!call.ended && !target.ended, 'both talk on');
    });

    it('sends the other party on to another page, which rings first', async () => {
      const page = await phone(library, 'alice');
      const other = await phone(library, 'bob');
      const { session, call } = await talk(page, '5551000', TRUNK);
      await page.do('refer', session, 'bob');
      await page.event('referred', { number: session, status: 100 });
      const { number } = await other.event('session', { direction: 'incoming' });
      await page.event('referred', { number: session, status: 180 });
      await other.do('answer', number);
      await page.event('referred', { number: session, status: 200 });
      await page.event('ended', { number: session });
      await other.hears(TRUNK);
      await hears(call, BROWSER);
    });

    it('hears that the target is busy, and talks on', async () => {
      const page = await phone(library, 'alice');
      const { session, call } = await talk(page, '5551000', TRUNK);
      carrier.behaviours.set('5552000', (busy) => busy.reject(486, 'Busy Here'));
      await page.do('refer', session, '5552000');
      await page.event('referred', { number: session, status: 100 });
      await page.event('referred', { number: session, status: 486 });
      await page.hears(TRUNK);
      await hears(call, BROWSER);
      // A second one is told apart from the first.
      await page.do('refer', session, 'echo');
      await page.event('referred', { number: session, status: 200 });
      await page.event('ended', { number: session });
    });

    it('may not send anybody where it could not call', async () => {
      const page = await phone(library, 'alice');
      const { session } = await talk(page, '5551000', TRUNK);
      await page.do('refer', session, '12');
      await page.event('referAnswered', { number: session, status: 202 });
      await page.event('referred', { number: session, status: 404 });
      await page.hears(TRUNK);
    });

    it('joins the two that it talks to', async () => {
      const page = await phone(library, 'alice');
      const first = await talk(page, '5551000', TRUNK);
      const second = await talk(page, '5552000', OTHER);
      await page.do('refer', first.session, '5552000', second.session);
      await page.event('referred', { number: first.session, status: 200 });
      await until(async () => {
        const over = (await page.events()).filter((event) => event.name === 'ended').map((event) => event.number);
        return over.includes(first.session) && over.includes(second.session);
      }, 'both sessions of the page to end');
      await hears(first.call, OTHER);
      await hears(second.call, TRUNK);
    });

    it('joins who has called it with whom it has called', async () => {
      const page = await phone(library, 'alice');
      const caller = await carrier.call('1001');
      const { number } = await page.event('session', { direction: 'incoming' });
      await page.do('answer', number);
      await caller.final();
      await page.event('confirmed', { number });
      const second = await talk(page, '5552000', OTHER);
      // The dialog that is named is one that the other side has begun.
      await page.do('refer', second.session, '5553000', number);
      await page.event('referred', { number: second.session, status: 200 });
      await hears(caller, OTHER);
    });
  });
}
