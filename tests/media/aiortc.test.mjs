// The browser's part played by aiortc, a WebRTC stack that is neither Chromium's nor ours: ICE, DTLS and SRTP are its own.
import { after, afterEach, before, describe, it } from 'node:test';
import { join } from 'node:path';
import { repository } from '../peers/gateway.mjs';
import { Stage } from '../peers/stage.mjs';

describe('aiortc', () => {
  let stage;
  let carrier;
  let phone;

  before(async () => {
    // The Python that Debian's packages are for.
    const command = ['/usr/bin/python3', join(repository, 'tests/peers/aiortc_phone.py')];
    stage = await Stage.open({ codecs: '[PCMU]', browser: { command } });
    ({ carrier, alice: phone } = stage);
  });

  afterEach(async () => {
    carrier.endCalls();
    await stage.idle();
  });

  after(() => stage?.close());

  it('calls a number, and both hear each other', async () => {
    const arrived = carrier.arrival();
    const call = phone.call('5551000');
    await phone.event('ringing', { call, status: 180 });
    await phone.event('answered', { call });
    const peer = await arrived;
    await phone.talks(call, peer);
    await phone.hangsUp(call, peer);
  });

  it('is called, and both hear each other', async () => {
    const [call, peer] = await stage.received();
    await phone.talks(call, peer);
    peer.bye();
    await phone.event('ended', { call });
  });
});
