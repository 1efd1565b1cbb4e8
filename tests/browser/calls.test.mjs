// Real browsers with unmodified libraries, a real gateway, a SIP trunk with real RTP. Sound is proven by its frequency:
// the browser's microphone plays 1,000 Hz, the trunk plays 440 Hz.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { BROWSER, ringAndAnswer, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { PageStage } from './browser.mjs';

let stage;
let gateway;
let carrier;
let browser;

before(async () => {
  stage = await PageStage.open({ extra: 'websocket: { grace: 20s }' });
  ({ gateway, carrier, browser } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

const registered = (library, user = 'alice') => browser.signedIn(library, gateway, { user });

async function dialled(page, behaviour) {
  const arrived = stage.arrival(behaviour);
  const number = await page.do('call', '5551000');
  return [number, await arrived];
}

for (const library of ['jssip', 'sipjs']) {
  describe(`${library} in Chromium`, () => {
    // RFC 7118 §5.2.2: JsSIP and SIP.js take our Contact [ws-contact]
    // RFC 3261 §12.1.1: the 2xx has our Contact [contact-own]
    // RFC 3261 §22.1: their ACK is not challenged [never-challenged]
    it('calls out, and both hear each other', async () => {
      const page = await registered(library);
      const [number, call] = await dialled(page, ringAndAnswer);
      await page.event('progress', { number, status: 180 });
      await page.event('confirmed', { number });
      await page.talks(call);
      await page.do('hangup', number);
      await page.event('ended', { number });
      await until(() => call.ended, 'BYE at the trunk');
      await page.close();
      await gateway.idle();
    });

    // RFC 7118 §5: our ACK reaches the browser [race-ack-to-browser]
    it('is called, and both hear each other', async () => {
      const page = await registered(library);
      const call = await carrier.call('1001');
      const { number } = await page.event('session', { direction: 'incoming' });
      await until(() => call.provisionals.includes(180), '180 at the trunk');
      call.rtp.play(TRUNK);
      await page.do('answer', number);
      assert.equal(await call.final(), 200);
      await page.talks(call);
      call.bye();
      await page.event('ended', { number });
      await page.close();
      await gateway.idle();
    });

    it('cancels while it rings', async () => {
      const page = await registered(library);
      const [number, call] = await dialled(page, (ringing) => ringing.ring());
      await page.event('progress', { number, status: 180 });
      await page.do('hangup', number);
      await until(() => call.cancelled, 'CANCEL at the trunk');
      await page.close();
      await gateway.idle();
    });

    for (const status of [486, 404, 603]) {
      it(`is told when the trunk rejects with ${status}`, async () => {
        const page = await registered(library);
        const [number] = await dialled(page, (call) => call.reject(status));
        const failed = await page.event('failed', { number });
        assert.equal(failed.status, status);
        await page.close();
      });

      it(`rejects a call with ${status}`, async () => {
        const page = await registered(library);
        const call = await carrier.call('1001');
        const { number } = await page.event('session', { direction: 'incoming' });
        await page.do('reject', number, status, 'No');
        assert.equal(await call.final(), status);
        await page.close();
      });
    }

    it('gives a cancelled call up', async () => {
      const page = await registered(library);
      const call = await carrier.call('1001');
      const { number } = await page.event('session', { direction: 'incoming' });
      await until(() => call.provisionals.includes(180), '180 at the trunk');
      call.cancel();
      assert.equal(await call.final(), 487);
      await page.event(library === 'jssip' ? 'failed' : 'ended', { number });
      await page.close();
    });

    it('holds and resumes', async () => {
      const page = await registered(library);
      const [number, call] = await page.dials(carrier);
      await page.talks(call);
      await page.do('hold', number);
      assert.match(call.reinvites.at(-1).body, /a=(sendonly|inactive)/);
      await page.do('resume', number);
      assert.match(call.reinvites.at(-1).body, /a=sendrecv/);
      await page.talks(call);
      assert.equal(call.rtp.ssrcs.size, 1, 'one SSRC through hold and resume');
      await page.hangsUp(number, call);
      await page.close();
    });

    it('is held and resumed by the trunk', async () => {
      const page = await registered(library);
      const [number, call] = await page.dials(carrier);
      await page.talks(call);
      assert.equal(await call.reinvite('sendonly'), 200);
      assert.match(call.answerSdp, /a=(recvonly|inactive)/);
      if (library === 'jssip') await page.event('hold', { number, originator: 'remote' });
      assert.equal(await call.reinvite('sendrecv'), 200);
      if (library === 'jssip') await page.event('unhold', { number, originator: 'remote' });
      await page.talks(call);
      call.bye();
      await page.event('ended', { number });
      await page.close();
    });

    it('sends DTMF as RTP events and by INFO', async () => {
      const page = await registered(library);
      const [number, call] = await page.dials(carrier);
      await page.talks(call);
      await page.do('dtmf', number, '5', 'rtp');
      await until(() => call.rtp.digits.join('') === '5', 'the digit 5 at the trunk');
      await page.do('dtmf', number, '9', 'info');
      await until(() => call.rtp.digits.join('') === '59', 'the digit 9 at the trunk');
      call.info('7');
      await page.event('dtmf', { digit: '7' });
      await page.hangsUp(number, call);
      await page.close();
    });

    // RFC 3960 §3: early media without reliable provisional responses [race-early-media-unreliable]
    it('hears early media', async () => {
      const page = await registered(library);
      const [number, call] = await dialled(page, (early) => early.early(TRUNK));
      await page.event('progress', { number, status: 183, sdp: true });
      if (library === 'jssip') await page.hears(TRUNK);
      await call.answer();
      await page.event('confirmed', { number });
      await page.talks(call);
      await page.hangsUp(number, call);
      await page.close();
    });

    // RFC 7118 §5: who registers again goes on with the call [race-websocket-back]
    it('keeps its call when the WebSocket drops and it registers again', async () => {
      const page = await registered(library);
      const [number, call] = await page.dials(carrier);
      await page.talks(call);
      await page.do('dropSocket');
      await page.event('disconnected');
      if (library === 'sipjs') await page.do('reconnect');
      await page.event(library === 'jssip' ? 'registered' : 'registerAccepted');
      await page.talks(call);
      assert.equal(call.ended, undefined);
      call.bye();
      await page.event('ended', { number });
      await page.close();
      await gateway.idle();
    });

    it('is told of a wrong password', async () => {
      const page = await browser.page(library);
      await page.do('start', { url: gateway.url, user: 'alice', password: 'wrong' });
      const failed = await page.event('registrationFailed');
      assert.equal(failed.status, 401);
      await page.close();
    });
  });
}

describe('two calls at once', () => {
  it('do not disturb each other', async () => {
    const alice = await registered('jssip', 'alice');
    const bob = await registered('sipjs', 'bob');
    const [hers, first] = await alice.dials(carrier);
    const [his, second] = await bob.dials(carrier);
    await alice.talks(first);
    await bob.talks(second);
    await alice.do('hangup', hers);
    await until(() => first.ended, 'BYE of the first call');
    await bob.talks(second);
    await bob.do('hangup', his);
    await until(() => second.ended, 'BYE of the second call');
    await alice.close();
    await bob.close();
    await gateway.idle();
  });

  it('join two browsers', async () => {
    const alice = await registered('jssip', 'alice');
    const bob = await registered('sipjs', 'bob');
    const number = await alice.do('call', 'bob');
    const incoming = await bob.event('session', { direction: 'incoming' });
    await bob.do('answer', incoming.number);
    await alice.event('confirmed', { number });
    await alice.hears(BROWSER);
    await bob.hears(BROWSER);
    await alice.do('hangup', number);
    await bob.event('ended', { number: incoming.number });
    await alice.close();
    await bob.close();
    await gateway.idle();
  });
});

describe('a killed browser', () => {
  // RFC 7118 §5: a killed browser leaves nothing [race-websocket-gone]
  it('leaves nothing behind after the grace time', async () => {
    const page = await registered('jssip');
    const [number, call] = await page.dials(carrier);
    await page.talks(call);
    await page.close();
    await until(() => call.ended, 'BYE at the trunk');
    assert.match(call.ended.headers.reason?.[0] ?? '', /cause=/);
    await gateway.idle();
  });
});
