// The browser's part played by aiortc, a WebRTC stack that is neither Chromium's nor ours: ICE, DTLS and SRTP are its own.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { join } from 'node:path';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway, repository } from '../peers/gateway.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const PHONE = 1000;
const TRUNK = 440;

describe('aiortc', () => {
  let gateway;
  let carrier;
  let phone;

  before(async () => {
    gateway = await Gateway.start({ codecs: '[PCMU]' });
    carrier = await Carrier.open(gateway);
    // The Python that Debian's packages are for.
    const command = ['/usr/bin/python3', join(repository, 'tests/peers/aiortc_phone.py')];
    phone = await SyntheticBrowser.open(gateway, 'alice', { command });
  });

  afterEach(async () => {
    carrier.endCalls();
    await gateway.idle();
  });

  after(async () => {
    await phone?.close();
    carrier?.close();
    assert.equal((await gateway?.stop())?.code, 0);
  });

  const talk = async (call, peer) => {
    peer.rtp.forget();
    await phone.hears(call);
    await until(() => peer.rtp.hears(PHONE) > 0.8, 'the trunk to hear the phone');
  };

  it('calls a number, and both hear each other', async () => {
    carrier.onCall = async (call) => {
      call.ring();
      await call.answer(TRUNK);
    };
    const arrived = carrier.arrival();
    const call = phone.call('5551000', { tone: PHONE, listen: TRUNK });
    await phone.event('ringing', { call, status: 180 });
    await phone.event('answered', { call });
    const peer = await arrived;
    await talk(call, peer);
    phone.hangup(call);
    await until(() => peer.ended, 'BYE at the trunk');
  });

  it('is called, and both hear each other', async () => {
    const peer = await carrier.call('1001');
    const { call } = await phone.event('incoming');
    peer.rtp.play(TRUNK);
    phone.answer(call, { tone: PHONE, listen: TRUNK });
    assert.equal(await peer.final(), 200);
    await talk(call, peer);
    peer.bye();
    await phone.event('ended', { call });
  });
});
