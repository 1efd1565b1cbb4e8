// Redis fails in every way while calls are up: no call and no registration notices, and all is found again afterwards.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { until } from '../peers/until.mjs';
import { Cluster } from './stage.mjs';

const BROWSER = 1000;
const TRUNK = 440;

let cluster;
let one;
let two;
let alice; // at the second
let bob; // at the first
let live; // a call of the first's trunk to alice, that stays up all the time
let peer;

before(async () => {
  cluster = await Cluster.start(2);
  [one, two] = cluster.gateways;
  alice = await cluster.browser('alice', two);
  bob = await cluster.browser('bob', one);
  await cluster.written();
  peer = await cluster.carriers[0].call('1001');
  ({ call: live } = await alice.event('incoming'));
  alice.answer(live, { tone: BROWSER, listen: TRUNK });
  assert.equal(await peer.final(), 200);
  peer.rtp.play(TRUNK);
  await alice.talks(live, peer, BROWSER);
});

after(async () => {
  peer.bye();
  await alice.event('ended', { call: live });
  for (const end of await cluster.close()) assert.equal(end.code, 0);
});

const down = (gateway) => until(async () => (await gateway.metric('trunkline_store_up')) === 0, 'the store to be down');

// The call that is up, a registration and a call to a user of the same replica.
async function nothingHereNotices() {
  await alice.talks(live, peer, BROWSER);
  await bob.register();
  const local = await cluster.carriers[0].call('1002');
  const { call } = await bob.event('incoming');
  bob.answer(call, { tone: BROWSER, listen: TRUNK });
  assert.equal(await local.final(), 200);
  local.bye();
  await bob.event('ended', { call });
}

async function isFoundElsewhere() {
  const found = await cluster.carriers[1].call('1002');
  const { call } = await bob.event('incoming');
  await until(() => found.provisionals.includes(180), '180 at the trunk');
  found.cancel();
  assert.equal(await found.final(), 487);
  await bob.event('ended', { call });
}

const key = (node) => `trunkline:example.test:node:${node}`;

afterEach(async () => {
  await cluster.written();
  await isFoundElsewhere();
});

describe('no live call and no registration notices that Redis', () => {
  it('is stopped, and an empty one takes its place', async () => {
    await cluster.redis.stop();
    await down(one);
    await nothingHereNotices();
    const lost = await cluster.carriers[1].call('1002'); // bob, whom the second can't find now
    assert.equal(await lost.final(), 480);
    await cluster.redis.launch();
  });

  it('stands still', async () => {
    cluster.redis.pause();
    await down(one);
    await nothingHereNotices();
    const lost = await cluster.carriers[1].call('1002');
    assert.equal(await lost.final(), 480);
    cluster.redis.resume();
  });

  it('holds back its clients', async () => {
    await cluster.redis.do('CLIENT', 'PAUSE', 2000, 'ALL');
    await nothingHereNotices();
    await cluster.redis.do('PING'); // answered when the time is over
  });

  it('is emptied', async () => {
    await cluster.redis.do('FLUSHALL');
    await nothingHereNotices();
    for (const node of ['edge-1', 'edge-2'])
      await until(async () => (await cluster.redis.do('EXISTS', key(node))) === '1', `${node} in the store`);
    await until(async () => (await cluster.redis.do('EXISTS', 'trunkline:example.test:user:bob')) === '1', 'bob in the store');
  });

  it('takes no writes', async () => {
    await cluster.redis.do('REPLICAOF', '127.0.0.1', '1');
    await bob.register(); // something to write
    await down(one);
    await nothingHereNotices();
    await cluster.redis.do('REPLICAOF', 'NO', 'ONE');
  });

  it('belongs to another node of the same name', async () => {
    const twin = await cluster.launch('edge-1');
    await down(one);
    await nothingHereNotices();
    assert.ok(one.logLines().some(({ why }) => /another node is called edge-1/.test(why)));
    assert.equal((await twin.stop()).code, 0);
  });

  it('is full', async () => {
    await cluster.redis.do('CONFIG', 'SET', 'maxmemory', 1);
    await bob.register();
    await down(one);
    await nothingHereNotices();
    await cluster.redis.do('CONFIG', 'SET', 'maxmemory', 0);
  });
});
