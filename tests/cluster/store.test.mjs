// Redis fails in every way while calls are up at two replicas and more begin: no call and no registration notices, no packet
// is lost, and all is found again afterwards.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { CallControl } from '../peers/call_control.mjs';
import { until } from '../peers/until.mjs';
import { Cluster } from './stage.mjs';

const BROWSER = 1000;
const TRUNK = 440;
const TONES = { tone: BROWSER, listen: TRUNK };
const SECOND = 50; // packets

let cluster;
let one;
let two;
let alice; // at the second
let bob; // at the first
let carol; // at the first, and in no list
let dave; // at the second
let streams; // of the calls that stay up: () => { received, gaps }
let hangUps; // of these calls
let load;
let gapsBefore;

const ofBrowser = (browser, call) => async () => {
  const { rtp, sequence_gaps: gaps, srtp_errors: errors } = await browser.stats(call);
  return { received: rtp, gaps: gaps + errors };
};
const ofTrunk = (peer) => () => ({ received: peer.rtp.received, gaps: peer.rtp.jumps.length });
const counted = async (what) => Promise.all(streams.map(async (stream) => (await stream())[what]));

async function staysUp(browser, carrier, number) {
  const [call, peer] = await browser.talksWhenDialled(carrier, number, TONES);
  streams.push(ofBrowser(browser, call), ofTrunk(peer));
  hangUps.push(async () => {
    peer.bye();
    await browser.event('ended', { call });
  });
}

before(async () => {
  cluster = await Cluster.start(2);
  [one, two] = cluster.gateways;
  const api = new CallControl(one.grpcAddress);
  const credential = async (user) => api.must('createCredential', { user });
  alice = await cluster.browser('alice', two);
  bob = await cluster.browser('bob', one);
  carol = await cluster.browser('carol', one, await credential('carol'));
  dave = await cluster.browser('dave', two, await credential('dave'));
  api.close();
  await cluster.written();
  streams = [];
  hangUps = [];
  const [first, second] = cluster.carriers;
  await staysUp(alice, first, '1001'); // these two go from one node to the other
  await staysUp(bob, second, '1002');
  await staysUp(bob, first, '1002'); // and these do not
  await staysUp(alice, second, '1001');
  const call = bob.call('alice', TONES);
  const { call: theirs } = await alice.event('incoming');
  alice.answer(theirs, { tone: TRUNK, listen: BROWSER });
  await bob.event('answered', { call });
  await bob.hears(call);
  await alice.hears(theirs);
  streams.push(ofBrowser(bob, call), ofBrowser(alice, theirs));
  hangUps.push(async () => {
    bob.hangup(call);
    await alice.event('ended', { call: theirs });
  });
});

after(async () => {
  for (const hangUp of hangUps) await hangUp();
  await cluster.idle();
  for (const end of await cluster.close()) assert.equal(end.code, 0);
});

// Registrations and calls at both replicas, to their own users and services, until it is stopped: each has to come through.
class Load {
  constructor() {
    this.wanted = true;
    this.made = [];
    const [first, second] = cluster.carriers;
    this.over = Promise.all([
      this.repeat(bob, () => this.dialled(bob, first, '1002')),
      this.repeat(alice, () => this.dialled(alice, second, '1001')),
      this.repeat(carol, () => this.dials(carol)),
      this.repeat(dave, () => this.dials(dave)),
    ]);
    this.over.catch((failure) => (this.failure = failure));
  }

  async repeat(browser, round) {
    const at = this.made.push(0) - 1;
    while (this.wanted) {
      await browser.register();
      await round();
      this.made[at] += 1;
    }
  }

  async dialled(browser, carrier, number) {
    const [call, peer] = await browser.talksWhenDialled(carrier, number, TONES);
    peer.bye();
    await browser.event('ended', { call });
    peer.close();
    carrier.calls.delete(peer.callId);
  }

  async dials(browser) {
    const call = browser.call('echo', { tone: BROWSER, listen: BROWSER });
    await browser.event('answered', { call });
    await browser.hears(call);
    browser.hangup(call);
    await browser.event('ended', { call });
  }

  // Resolves when each has begun and ended a round from now on.
  async goesOn() {
    const before = [...this.made];
    await until(() => {
      if (this.failure) throw this.failure;
      return this.made.every((made, at) => made >= before[at] + 2);
    }, 'calls to begin and end');
  }

  async stop() {
    this.wanted = false;
    await this.over;
  }
}

const down = async (...gateways) => {
  for (const gateway of gateways) await until(async () => (await gateway.metric('trunkline_store_up')) === 0, 'the store to be down');
};

// A second's packets come in each stream of the calls that are up, and new calls and registrations come through.
async function nothingHereNotices() {
  const before = await counted('received');
  await load.goesOn();
  await until(async () => (await counted('received')).every((now, at) => now >= before[at] + SECOND), 'packets of each stream');
}

// A user whom the other replica can't find now.
async function isNotFound(carrier, number) {
  const lost = await cluster.carriers[carrier].call(number);
  assert.equal(await lost.final(), 480);
}

async function areFoundElsewhere() {
  for (const [browser, carrier, number] of [[alice, 0, '1001'], [bob, 1, '1002']]) {
    const [call, peer] = await browser.talksWhenDialled(cluster.carriers[carrier], number, TONES);
    peer.bye();
    await browser.event('ended', { call });
  }
}

async function isWritten() {
  for (const rest of ['node:edge-1', 'node:edge-2', 'user:alice', 'user:bob', 'user:carol', 'user:dave'])
    await until(async () => (await cluster.redis.do('EXISTS', `trunkline:example.test:${rest}`)) === '1', `${rest} in the store`);
}

beforeEach(async () => {
  gapsBefore = await counted('gaps');
  load = new Load();
});

afterEach(async () => {
  await cluster.written();
  await load.stop();
  assert.deepEqual(await counted('gaps'), gapsBefore);
  await isWritten();
  await areFoundElsewhere();
});

describe('no live call and no registration notices that Redis', () => {
  it('is stopped, and comes back with nothing', async () => {
    await cluster.redis.stop();
    await down(one, two);
    await nothingHereNotices();
    await isNotFound(1, '1002');
    await isNotFound(0, '1001');
    await cluster.redis.launch();
  });

  it('is replaced by an empty one in the same place', async () => {
    const connections = () => Promise.all([one, two].map((gateway) => gateway.metric('trunkline_store_connections_total')));
    const before = await connections();
    await cluster.redis.stop();
    await cluster.redis.launch();
    await nothingHereNotices();
    await until(async () => (await connections()).every((now, at) => now > before[at]), 'a connection with the new one');
  });

  it('stands still', async () => {
    cluster.redis.pause();
    await down(one, two);
    await nothingHereNotices();
    await isNotFound(1, '1002');
    await isNotFound(0, '1001');
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
  });

  it('takes no writes', async () => {
    await cluster.redis.do('REPLICAOF', '127.0.0.1', '1');
    await down(one, two); // the load has something to write
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
    await down(one, two);
    await nothingHereNotices();
    await cluster.redis.do('CONFIG', 'SET', 'maxmemory', 0);
  });
});
