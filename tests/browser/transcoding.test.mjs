// A trunk whose calls browsers speak Opus for, whatever it speaks itself: Chromium's Opus, PCMU at the trunk.
import assert from 'node:assert/strict';
import { after, afterEach, before, it } from 'node:test';
import { answerAtOnce, TRUNK } from '../peers/stage.mjs';
import { PageStage } from './browser.mjs';

let stage;

before(async () => (stage = await PageStage.open({ onCall: answerAtOnce, trunkExtra: '    transcoding: opus\n' })));
afterEach(() => stage.idle());
after(() => stage?.close());

async function talk(page, call) {
  await page.talks(call);
  assert.deepEqual([...call.rtp.payloadTypes], [0]);
  assert.ok((await stage.gateway.metric('trunkline_transcoded_streams')) >= 2);
}

it('Chromium calls by Opus, and both hear each other', async () => {
  const page = await stage.browser.signedIn('jssip', stage.gateway);
  const [number, call] = await page.dials(stage.carrier);
  await talk(page, call);
  await page.hangsUp(number, call);
});

it('Chromium is called by Opus, and both hear each other', async () => {
  const page = await stage.browser.signedIn('jssip', stage.gateway);
  const call = await stage.carrier.call('1001');
  const { number } = await page.event('session', { direction: 'incoming' });
  await page.do('answer', number);
  assert.equal(await call.final(), 200);
  call.rtp.play(TRUNK);
  await talk(page, call);
  call.bye();
  await page.event('ended', { number });
});
