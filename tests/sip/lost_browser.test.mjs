// Browsers whose connection breaks at every stage of a call: the other side is neither forgotten nor disturbed.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

let gateway;
let carrier;
let alice;

before(async () => {
  gateway = await Gateway.start({ extra: 'websocket: { grace: 1s }' });
  carrier = await Carrier.open(gateway);
});

afterEach(async () => {
  await alice.close();
  carrier.endCalls();
  await gateway.idle();
});

after(async () => {
  carrier?.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

const dialled = async (behaviour) => {
  alice = await SyntheticBrowser.open(gateway);
  carrier.onCall = behaviour;
  const arrived = carrier.arrival();
  const call = alice.call('5551000');
  return [call, await arrived];
};

describe('a browser that is lost', () => {
  it('while its call rings: the trunk has CANCEL', async () => {
    const [call, peer] = await dialled((ringing) => ringing.ring());
    await alice.event('ringing', { call });
    await alice.kill();
    await until(() => peer.cancelled, 'CANCEL at the trunk');
    await until(() => peer.acks.length > 0, 'the ACK of the 487');
  });

  it('while it is called: the trunk is told', async () => {
    alice = await SyntheticBrowser.open(gateway);
    const peer = await carrier.call('1001');
    await alice.event('incoming');
    await until(() => peer.provisionals.includes(180), '180 at the trunk');
    await alice.kill();
    assert.equal(await peer.final(), 480);
  });

  it('in a call: the trunk has BYE with a reason', async () => {
    const [call, peer] = await dialled((one) => one.answer(440));
    await alice.event('media', { call });
    await alice.kill();
    await until(() => peer.ended, 'BYE at the trunk');
    assert.match(peer.ended.headers.reason?.[0] ?? '', /cause=/);
  });

  it('in a call that the trunk ends meanwhile: the BYE is answered', async () => {
    const [call, peer] = await dialled((one) => one.answer(440));
    await alice.event('media', { call });
    alice.do('drop');
    await alice.event('disconnected');
    peer.bye();
    await until(() => peer.replies.some(({ method, status }) => method === 'BYE' && status === 200), 'the answer to BYE');
    assert.equal(peer.ended, undefined);
  });

  it('in a call that the trunk holds meanwhile: the trunk has an answer', async () => {
    const [call, peer] = await dialled((one) => one.answer(440));
    await alice.event('media', { call });
    alice.do('drop');
    await alice.event('disconnected');
    assert.ok((await peer.reinvite('sendonly')) >= 200);
    await until(() => peer.ended, 'BYE at the trunk');
  });
});
