// A real browser whose media move to another media worker in the middle of a call, because an attended transfer joins it
// with a party there: a re-INVITE brings another ICE and DTLS transport, and the page's track goes on.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl } from '../peers/call_control.mjs';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const MICROPHONE = 1000;
const TRUNK = 440;
const OTHER = 880;

let gateway;
let carrier;
let browser;
let api;

before(async () => {
  gateway = await Gateway.start({ workers: 2 });
  carrier = await Carrier.open(gateway);
  api = new CallControl(gateway.grpcAddress);
  browser = await Browser.open(MICROPHONE);
});

after(async () => {
  await browser?.close();
  api?.close();
  carrier?.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

afterEach(async () => {
  await browser.closePages();
  carrier.endCalls();
  await gateway.idle();
});

const answering = (frequency) => async (call) => {
  call.ring();
  await call.answer(frequency);
};

async function talk(page, call, frequency) {
  call.rtp.forget();
  await page.hears(frequency);
  await until(() => call.rtp.hears(MICROPHONE) > 0.8, 'the trunk to hear the microphone');
}

for (const library of ['jssip', 'sipjs']) {
  describe(`${library} in Chromium`, () => {
    it('follows its media to another worker', async () => {
      const page = await browser.page(library);
      await page.do('start', { url: gateway.url, user: 'alice', password: 'secret-a' });
      await page.event('registered');
      for (const [number, frequency] of [['5551000', TRUNK], ['5552000', OTHER], ['5553000', 0]]) {
        carrier.behaviours.set(number, answering(frequency));
      }
      const first = carrier.arrival('5551000');
      const number = await page.do('call', '5551000');
      await page.event('confirmed', { number });
      await talk(page, await first, TRUNK);
      const { calls: [{ call_id }] } = await api.must('listCalls', {});

      const second = carrier.arrival('5552000');
      const { call: consult } = await api.must('createCall', { from: '5553000', to: '5552000', trunk: 'carrier', wait_until: 'WAIT_UNTIL_ANSWERED' });
      await api.must('attendedTransferCall', { call_id, leg_id: 'from', consult_call_id: consult.call_id });
      const party = await second;
      await until(async () => (await first).ended, 'BYE at the first number');
      await talk(page, party, OTHER);
      party.bye();
      await page.event('ended', { number });
    });
  });
}
