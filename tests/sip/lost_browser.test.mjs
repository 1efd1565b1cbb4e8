// Browsers whose connection breaks at every stage of a call: the other side is neither forgotten nor disturbed.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

let stage;
let carrier;
let alice;

before(async () => {
  stage = await Stage.open({ browser: false, extra: 'websocket: { grace: 1s }' });
  ({ carrier } = stage);
});

afterEach(async () => {
  await alice.close();
  carrier.endCalls();
  await stage.idle();
});
after(() => stage?.close());

const dialled = async (behaviour) => {
  alice = await stage.addBrowser('alice');
  const arrived = stage.arrival(behaviour);
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
    alice = await stage.addBrowser('alice');
    const peer = await carrier.call('1001');
    await alice.event('incoming');
    await until(() => peer.provisionals.includes(180), '180 at the trunk');
    await alice.kill();
    assert.equal(await peer.final(), 480);
  });

  it('in a call: the trunk has BYE with a reason', async () => {
    const [call, peer] = await dialled(answerAtOnce);
    await alice.event('media', { call });
    await alice.kill();
    await until(() => peer.ended, 'BYE at the trunk');
    assert.match(peer.ended.headers.reason?.[0] ?? '', /cause=/);
  });

  it('in a call that the trunk ends meanwhile: the BYE is answered', async () => {
    const [call, peer] = await dialled(answerAtOnce);
    await alice.event('media', { call });
    alice.do('drop');
    await alice.event('disconnected');
    peer.bye();
    await until(() => peer.replies.some(({ method, status }) => method === 'BYE' && status === 200), 'the answer to BYE');
    assert.equal(peer.ended, undefined);
  });

  it('in a call that the trunk holds meanwhile: the trunk has an answer', async () => {
    const [call, peer] = await dialled(answerAtOnce);
    await alice.event('media', { call });
    alice.do('drop');
    await alice.event('disconnected');
    assert.ok((await peer.reinvite('sendonly')) >= 200);
    await until(() => peer.ended, 'BYE at the trunk');
  });
});
