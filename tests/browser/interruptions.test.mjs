// What happens to the calls of real browsers in the long run: the WebSocket is cut, the page is reloaded,
// the session is refreshed, the microphone is refused. Calls are of different users and run side by side.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CuttableRelay } from '../peers/cuttable_relay.mjs';
import { Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const LIBRARIES = ['jssip', 'sipjs'];

let patient; // waits long for a browser to come back
let impatient;
let browser;

async function open(grace) {
  const users = Array.from({ length: 10 }, (_, index) => `user${index}`);
  const stage = await Stage.open({
    browser: false,
    extra: `websocket: { grace: ${grace} }`,
    users: users.map((name) => `  - { name: ${name}, password: secret }`).join('\n'),
    routes: `
  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^100([0-9])$", target: "user:user\\\\1" }`,
  });
  return Object.assign(stage, { next: 0 });
}

before(async () => {
  patient = await open('60s');
  impatient = await open('1s');
  browser = await Browser.open();
});

after(async () => {
  await browser?.close();
  for (const stage of [patient, impatient]) {
    await stage?.idle();
    await stage?.close();
  }
});

// A page of a user of its own: { page, digit, sign }; `sign` signs in, again after a reload.
async function user(on, library, { url = on.gateway.url, from = browser, ...settings } = {}) {
  const digit = on.next;
  on.next += 1;
  const page = await from.page(library);
  const sign = async () => {
    await page.do('start', { url, user: `user${digit}`, password: 'secret', ...settings });
    await page.event('registered');
  };
  await sign();
  return { page, digit, sign };
}

// The user's call to the trunk, in which both hear each other.
async function talking(on, { page, digit }, options) {
  const [number, call] = await page.dials(on.carrier, `555100${digit}`, options);
  await page.talks(call);
  return { number, call };
}

// Nothing of what happened to the browser reached the trunk: no request, and one stream without a gap.
function unnoticed(call) {
  assert.deepEqual([call.reinvites.length, call.infos.length, call.ended], [0, 0, undefined]);
  assert.equal(call.rtp.ssrcs.size, 1);
  assert.deepEqual(call.rtp.jumps, []);
}

async function hangUp(page, number, call) {
  await page.hangsUp(number, call);
  await page.close();
}

describe('a browser', { concurrency: 3 }, () => {
  // RFC 4028 §7.4: JsSIP answers the refreshes that are ours [race-refresh-kinds]
  it('with JsSIP is refreshed by the gateway', async () => {
    const on = await user(patient, 'jssip', { session_timers: false });
    const { number, call } = await talking(patient, on, { extraHeaders: ['Session-Expires: 90;refresher=uas'] });
    const updates = () => patient.gateway.metric('trunkline_sip_requests_total', { direction: 'out', transport: 'ws', method: 'UPDATE' });
    await until(async () => (await updates()) > 0, 'a refresh', 90000);
    await on.page.talks(call);
    unnoticed(call);
    await hangUp(on.page, number, call);
  });

  it('with JsSIP refreshes its session again and again', async () => {
    const on = await user(patient, 'jssip');
    // The library is told 90 seconds; its clock runs fast, so that it refreshes every few.
    await on.page.page.evaluate(() => {
      const real = window.setTimeout.bind(window);
      window.setTimeout = (act, milliseconds, ...rest) => real(act, milliseconds >= 30000 ? milliseconds / 20 : milliseconds, ...rest);
    });
    const refreshes = () => patient.gateway.metric('trunkline_sip_requests_total', { direction: 'in', transport: 'ws', method: 'UPDATE' });
    const { number, call } = await talking(patient, on);
    await until(async () => (await refreshes()) >= 3, 'three refreshes');
    await on.page.talks(call);
    unnoticed(call);
    await hangUp(on.page, number, call);
  });

  for (const library of LIBRARIES) {
    // RFC 7118 §5: the call outlives the connection, and goes on over the next [race-websocket-back]
    it(`with ${library} talks while its WebSocket is cut, and controls the call over the next`, async () => {
      const relay = await CuttableRelay.open(patient.gateway.wsPort);
      const on = await user(patient, library, { url: relay.url });
      const { page } = on;
      const { number, call } = await talking(patient, on);
      relay.cut();
      await page.event('disconnected');
      await page.talks(call);
      await page.talks(call);
      unnoticed(call);
      relay.mend();
      if (library === 'sipjs') await page.do('reconnect');
      await page.event(library === 'jssip' ? 'registered' : 'registerAccepted');
      await page.talks(call);
      unnoticed(call);
      await page.do('hold', number);
      assert.match(call.reinvites.at(-1).body, /a=(sendonly|inactive)/);
      await page.do('resume', number);
      await page.talks(call);
      assert.equal(call.rtp.ssrcs.size, 1);
      await hangUp(page, number, call);
      relay.close();
    });

    // RFC 7118 §5: who does not come back is hung up on [race-websocket-gone]
    it(`with ${library} that does not come back is hung up on`, async () => {
      const relay = await CuttableRelay.open(impatient.gateway.wsPort);
      const on = await user(impatient, library, { url: relay.url });
      const { call } = await talking(impatient, on);
      relay.cut();
      await until(() => call.ended, 'BYE at the trunk');
      assert.match(call.ended.headers.reason?.[0] ?? '', /cause=/);
      await on.page.close();
      relay.close();
    });

    it(`with ${library} whose page is reloaded loses its call and makes the next`, async () => {
      const on = await user(impatient, library);
      const { call } = await talking(impatient, on);
      await on.page.reload();
      await on.sign();
      await until(() => call.ended, 'BYE at the trunk');
      assert.match(call.ended.headers.reason?.[0] ?? '', /cause=/);
      const second = await talking(impatient, on);
      await hangUp(on.page, second.number, second.call);
    });
  }
});

describe('a browser without a microphone', () => {
  let silent;
  before(async () => (silent = await Browser.open({ microphone: false })));
  after(() => silent?.close());

  for (const library of LIBRARIES) {
    it(`with ${library} calls nobody, and refuses who calls`, async () => {
      const on = await user(patient, library, { from: silent });
      const calls = patient.carrier.calls.size;
      const number = await on.page.do('call', `555100${on.digit}`);
      await on.page.event('failed', { number });
      assert.equal(patient.carrier.calls.size, calls);
      const call = await patient.carrier.call(`100${on.digit}`);
      const incoming = await on.page.event('session', { direction: 'incoming' });
      await on.page.do('answer', incoming.number);
      assert.ok((await call.final()) >= 400);
      await on.page.close();
    });
  }
});
