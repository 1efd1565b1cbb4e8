// A trunk whose calls browsers speak Opus for, whatever it speaks itself: Chromium's Opus, PCMU at the trunk.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const MICROPHONE = 1000;
const TRUNK = 440;

let gateway;
let carrier;
let browser;

before(async () => {
  gateway = await Gateway.start({ trunkExtra: '    transcoding: opus\n' });
  carrier = await Carrier.open(gateway);
  browser = await Browser.open(MICROPHONE);
});

after(async () => {
  await browser?.close();
  carrier?.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

async function registered() {
  const page = await browser.page('jssip');
  await page.do('start', { url: gateway.url, user: 'alice', password: 'secret-a' });
  await page.event('registered');
  return page;
}

async function talk(page, call) {
  call.rtp.forget();
  await page.hears(TRUNK);
  await until(() => call.rtp.hears(MICROPHONE) > 0.8, 'the trunk to hear the microphone');
  assert.deepEqual([...call.rtp.payloadTypes], [0]);
  assert.ok((await gateway.metric('trunkline_transcoded_streams')) >= 2);
}

it('Chromium calls by Opus, and both hear each other', async () => {
  const page = await registered();
  carrier.onCall = (call) => call.answer(TRUNK);
  const arrived = carrier.arrival();
  const number = await page.do('call', '5551000');
  await page.event('confirmed', { number });
  const call = await arrived;
  await talk(page, call);
  await page.do('hangup', number);
  await until(() => call.ended, 'BYE at the trunk');
  await page.close();
  await gateway.idle();
});

it('Chromium is called by Opus, and both hear each other', async () => {
  const page = await registered();
  const call = await carrier.call('1001');
  const { number } = await page.event('session', { direction: 'incoming' });
  await page.do('answer', number);
  assert.equal(await call.final(), 200);
  call.rtp.play(TRUNK);
  await talk(page, call);
  call.bye();
  await page.event('ended', { number });
  await page.close();
});
