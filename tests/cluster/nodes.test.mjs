// Replicas that go: killed, and restarted one after the other under calls.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from '../peers/until.mjs';
import { Cluster } from './stage.mjs';

const BROWSER = 1000;
const TRUNK = 440;
const SILENCE = 2000; // ms: so long a caller waits for a first word
const BACK = 30000; // ms: so soon a browser is back

let cluster;
let alice;
let bob;

before(async () => {
  cluster = await Cluster.start(3);
  alice = await cluster.browser('alice', cluster.gateways[1]);
  bob = await cluster.browser('bob', cluster.gateways[2]);
  await cluster.written();
});

after(async () => {
  for (const end of await cluster.close()) assert.equal(end.code, 0);
});

// As a page does that has lost its connection.
async function comeBack(browser, milliseconds) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    browser.do('connect');
    await until(() => browser.has('connected') || browser.has('connect_failed'), 'an answer', milliseconds);
    if (browser.has('connected')) break;
    browser.events.length = 0;
    if (Date.now() > deadline) throw new Error(`${browser.user} is not back after ${milliseconds} ms`);
  }
  await browser.event('connected');
  browser.do('register');
  await browser.event('registered', {}, Math.max(1, deadline - Date.now()));
}

const TONES = { tone: BROWSER, listen: TRUNK };

describe('a replica that is killed', () => {
  it('takes nobody along: its browsers come back, its bindings are not followed', async () => {
    const [one, two, three] = cluster.gateways;
    const [call, peer] = await bob.talksWhenDialled(cluster.carriers[0], '1002', TONES); // between the two that live on
    const [, doomed] = await alice.talksWhenDialled(cluster.carriers[1], '1001', TONES);
    two.process.ref();
    two.process.kill('SIGKILL');
    await two.exited;
    await alice.event('disconnected');
    await bob.talks(call, peer, BROWSER);

    const early = await cluster.carriers[0].call('1001'); // the dead one may still count as alive
    assert.equal(await early.final(), 480);

    alice.events.length = 0;
    await comeBack(alice, BACK);
    await cluster.written([one, three]);
    const [again, caller] = await alice.talksWhenDialled(cluster.carriers[0], '1001', TONES);
    caller.bye();
    await alice.event('ended', { call: again });

    await until(async () => (await cluster.redis.do('EXISTS', 'trunkline:example.test:node:edge-2')) === '0', 'the sign of life to end');
    assert.equal(doomed.ended, undefined); // nobody is left who could say BYE
    await bob.talks(call, peer, BROWSER);
    peer.bye();
    await bob.event('ended', { call });
    doomed.close();
    cluster.carriers[1].calls.clear();
    await cluster.idle([one, three]);
    await two.launch();
    await cluster.written();
  });
});

// A caller who tries once more, elsewhere: at once where nobody answers at all, else when it was told to, or a second later.
// It sends no copies of its INVITE, as a client by UDP would.
async function callOnceMore(from, number, story = []) {
  for (const carrier of [from, (from + 2) % 3]) {
    const peer = await cluster.carriers[carrier].call(number);
    const asked = Date.now();
    const heard = () => peer.provisionals.length > 0 || peer.finalStatus;
    await until(() => heard() || Date.now() - asked > SILENCE, 'an answer');
    const answered = heard() ? await peer.final() : 0;
    story.push(`${answered} by ${carrier}`);
    if (answered === 200) return peer;
    peer.close();
    cluster.carriers[carrier].calls.delete(peer.callId);
    const wait = Number(peer.finalResponse?.headers['retry-after']?.[0] ?? 1);
    if (answered !== 0) await new Promise((done) => setTimeout(done, 1000 * wait));
  }
  return null;
}

describe('all replicas restarted one after the other', () => {
  it('cut no call off, and each new call comes through by the second attempt', async () => {
    let over = false; // no new calls
    let left = false; // and nobody has to answer any more
    const failed = [];
    let made = 0;
    const keep = async (browser) => {
      while (!left) {
        if (browser.has('disconnected')) {
          browser.events.splice(0, browser.events.length, ...browser.events.filter(({ event }) => event !== 'disconnected'));
          await comeBack(browser, BACK).catch(() => {});
        }
        const incoming = browser.events.find(({ event }) => event === 'incoming');
        if (incoming) {
          browser.events.splice(browser.events.indexOf(incoming), 1);
          browser.answer(incoming.call, { tone: BROWSER, listen: TRUNK });
        }
        await new Promise((wait) => setTimeout(wait, 20));
      }
    };
    const callers = async () => {
      for (let next = 0; !over; next += 1) {
        const story = [];
        const call = await callOnceMore(next % 3, '1001', story);
        if (call === null) failed.push(story);
        else {
          made += 1;
          call.bye();
        }
        await new Promise((wait) => setTimeout(wait, 200));
      }
    };
    const browsers = Promise.all([alice, bob].map((browser) => keep(browser)));
    const calls = callers();
    for (const [index, gateway] of cluster.gateways.entries()) {
      // One call is up while its replica drains, and lives until it ends by itself.
      const long = await callOnceMore(index, '1002');
      assert.ok(long, `a call by ${index}`);
      long.rtp.play(TRUNK);
      await until(() => long.rtp.hears(BROWSER) > 0.8, 'bob at the trunk');
      gateway.process.ref();
      gateway.process.kill('SIGTERM');
      long.rtp.forget();
      await until(() => long.rtp.hears(BROWSER) > 0.8, 'bob at the trunk while it drains');
      assert.equal(long.ended, undefined);
      long.bye();
      assert.equal((await gateway.exited).code, 0);
      await gateway.launch();
      const before = made; // as a roll-out does, it goes on when what is new has proved itself
      await until(() => made > before || failed.length > 0, 'a call after the restart');
    }
    over = true;
    await calls;
    left = true;
    await browsers;
    assert.deepEqual(failed, []);
    assert.ok(made >= 3, `${made} calls`);
  });
});
