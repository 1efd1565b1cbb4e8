// A real browser whose media move to another media worker in the middle of a call, because an attended transfer joins it
// with a party there: a re-INVITE brings another ICE and DTLS transport, and the page's track goes on.
import { after, afterEach, before, describe, it } from 'node:test';
import { answering, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { PageStage } from './browser.mjs';

const OTHER = 880;

let stage;
let carrier;
let api;

before(async () => {
  stage = await PageStage.open({ workers: 2 });
  ({ carrier, api } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

for (const library of ['jssip', 'sipjs']) {
  describe(`${library} in Chromium`, () => {
    it('follows its media to another worker', async () => {
      const page = await stage.browser.signedIn(library, stage.gateway);
      for (const [number, frequency] of [['5551000', TRUNK], ['5552000', OTHER], ['5553000', 0]]) {
        carrier.behaviours.set(number, answering(frequency));
      }
      const [number, first] = await page.dials(carrier);
      await page.talks(first);
      const { calls: [{ call_id }] } = await api.must('listCalls', {});

      const second = carrier.arrival('5552000');
      const { call: consult } = await api.must('createCall', { from: '5553000', to: '5552000', trunk: 'carrier', wait_until: 'WAIT_UNTIL_ANSWERED' });
      await api.must('attendedTransferCall', { call_id, leg_id: 'from', consult_call_id: consult.call_id });
      const party = await second;
      await until(() => first.ended, 'BYE at the first number');
      await page.talks(party, OTHER);
      party.bye();
      await page.event('ended', { number });
    });
  });
}
