// A trunk whose calls browsers speak Opus for, whatever it speaks itself: Chromium's Opus, PCMU at the trunk.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { answerAtOnce, Stage, TRUNK } from '../peers/stage.mjs';
import { Browser } from './browser.mjs';

let stage;
let browser;

before(async () => {
  stage = await Stage.open({ browser: false, onCall: answerAtOnce, trunkExtra: '    transcoding: opus\n' });
  browser = await Browser.open();
});

after(async () => {
  await browser?.close();
  await stage?.close();
});

async function talk(page, call) {
  await page.talks(call);
  assert.deepEqual([...call.rtp.payloadTypes], [0]);
  assert.ok((await stage.gateway.metric('trunkline_transcoded_streams')) >= 2);
}

it('Chromium calls by Opus, and both hear each other', async () => {
  const page = await browser.signedIn('jssip', stage.gateway);
  const [number, call] = await page.dials(stage.carrier);
  await talk(page, call);
  await page.hangsUp(number, call);
  await page.close();
  await stage.idle();
});

it('Chromium is called by Opus, and both hear each other', async () => {
  const page = await browser.signedIn('jssip', stage.gateway);
  const call = await stage.carrier.call('1001');
  const { number } = await page.event('session', { direction: 'incoming' });
  await page.do('answer', number);
  assert.equal(await call.final(), 200);
  call.rtp.play(TRUNK);
  await talk(page, call);
  call.bye();
  await page.event('ended', { number });
  await page.close();
});
