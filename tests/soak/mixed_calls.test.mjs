// A thousand calls that go well or badly, several at once; afterwards nothing of them is left and nothing has grown.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const CALLS = Number(process.env.TRUNKLINE_SOAK_CALLS ?? 1000);
const AT_ONCE = 10;
const PATIENCE = 60000;
const USERS = Array.from({ length: AT_ONCE }, (_, index) => `user${index}`);

let gateway;
let carrier;

before(async () => {
  gateway = await Gateway.start({
    rtpPorts: 2000,
    users: USERS.map((name) => `  - { name: ${name}, password: secret-${name} }`).join('\n'),
    routes: () => `
  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^(user[0-9]+)$", target: "user:\\\\1" }
  - { from: any, match: "^echo$", target: "service:echo" }`,
    extra: 'websocket: { grace: 2s }',
    grpc: ', max_lag: 16', // the past that is kept for watchers is full before the first half is over
  });
  carrier = await Carrier.open(gateway);
  carrier.onCall = (call) => (behaviours[Number(call.dialled) % 10] ?? behaviours[0])(call);
});

after(async () => {
  carrier?.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

// How the trunk treats a number, by its last digit.
const behaviours = {
  0: async (call) => {
    call.ring();
    await call.answer(440);
  },
  1: (call) => call.reject(486),
  2: (call) => call.ring(),
  3: (call) => call.reject(503),
};

// One worker: a browser, opened anew when it was killed, and one call after another.
class Worker {
  constructor(user) {
    Object.assign(this, { user, made: 0 });
  }

  async open() {
    this.browser = await SyntheticBrowser.open(gateway, this.user, { password: `secret-${this.user}` });
  }

  dial(last) {
    this.made += 1;
    return this.dialNumber(`7${USERS.indexOf(this.user)}${String(this.made).padStart(5, '0')}${last}`);
  }

  dialNumber(number) {
    const arrived = carrier.arrival(number);
    return [this.browser.call(number), arrived];
  }

  async close() {
    await this.browser.close();
  }
}

const kinds = {
  async answeredAndHungUp(worker) {
    const [call, arrived] = worker.dial(0);
    const peer = await arrived;
    await worker.browser.event('answered', { call }, PATIENCE);
    await worker.browser.hears(call, PATIENCE);
    worker.browser.hangup(call);
    await until(() => peer.ended, 'BYE', PATIENCE);
    return peer;
  },
  async endedByTrunk(worker) {
    const peer = await carrier.call(worker.user);
    const { call } = await worker.browser.event('incoming', {}, PATIENCE);
    worker.browser.answer(call);
    await until(() => peer.finalStatus, 'final response', PATIENCE);
    peer.bye();
    await worker.browser.event('ended', { call }, PATIENCE);
    return peer;
  },
  async cancelled(worker) {
    const [call, arrived] = worker.dial(2);
    const peer = await arrived;
    await worker.browser.event('ringing', { call }, PATIENCE);
    worker.browser.hangup(call);
    await until(() => peer.cancelled, 'CANCEL', PATIENCE);
    await worker.browser.event('failed', { call }, PATIENCE);
    return peer;
  },
  async cancelledByTrunk(worker) {
    const peer = await carrier.call(worker.user);
    const { call } = await worker.browser.event('incoming', {}, PATIENCE);
    peer.cancel();
    await worker.browser.event('ended', { call }, PATIENCE);
    await until(() => peer.finalStatus, 'final response', PATIENCE);
    return peer;
  },
  async rejected(worker) {
    const [call, arrived] = worker.dial(1);
    await worker.browser.event('failed', { call }, PATIENCE);
    return arrived;
  },
  async rejectedByBrowser(worker) {
    const peer = await carrier.call(worker.user);
    const { call } = await worker.browser.event('incoming', {}, PATIENCE);
    worker.browser.reject(call, 603);
    await until(() => peer.finalStatus, 'final response', PATIENCE);
    return peer;
  },
  async unavailableTrunk(worker) {
    const [call, arrived] = worker.dial(3);
    await worker.browser.event('failed', { call }, PATIENCE);
    return arrived;
  },
  // The trunk never acknowledges the answer and then says nothing more.
  async abandoned(worker) {
    const peer = await carrier.call(worker.user);
    peer.acknowledges = false;
    const { call } = await worker.browser.event('incoming', {}, PATIENCE);
    worker.browser.answer(call);
    await until(() => peer.finalStatus, 'final response', PATIENCE);
    peer.request = () => {};
    worker.browser.hangup(call);
    await worker.browser.event('ended', { call }, PATIENCE);
    return peer;
  },
  async browserKilled(worker) {
    const [call, arrived] = worker.dial(0);
    const peer = await arrived;
    await worker.browser.event('answered', { call }, PATIENCE);
    await worker.browser.kill();
    await until(() => peer.ended, 'BYE', PATIENCE);
    await worker.open();
    return peer;
  },
};

// Of every hundred calls.
const MIX = Object.entries({
  answeredAndHungUp: 25, endedByTrunk: 20, cancelled: 12, cancelledByTrunk: 10, rejected: 10, rejectedByBrowser: 8,
  unavailableTrunk: 5, abandoned: 5, browserKilled: 5,
}).flatMap(([kind, count]) => Array(count).fill(kind));

async function makeCalls(count, workers) {
  // 37 is prime to 100: the kinds are mixed, the same way each time.
  const order = Array.from({ length: count }, (_, index) => MIX[(index * 37) % MIX.length]);
  await Promise.all(workers.map(async (worker) => {
    for (let kind = order.shift(); kind; kind = order.shift()) {
      worker.browser.events.length = 0;
      const peer = await kinds[kind](worker).catch((error) => {
        throw new Error(`${kind}: ${error.message}`);
      });
      worker.browser.do('sweep');
      peer.close();
      // An abandoned call goes on being silent; of the others whatever still comes is answered with 481.
      if (kind !== 'abandoned') carrier.calls.delete(peer.callId);
    }
  }));
}

async function size() {
  await gateway.idle(PATIENCE);
  for (const name of ['trunkline_sip_transactions_active', 'trunkline_sip_dialogs', 'trunkline_calls_held_in_memory', 'trunkline_media_sessions']) {
    await until(async () => (await gateway.metric(name)) === 0, `${name} to be 0`, 120000);
  }
  return {
    descriptors: await gateway.metric('process_open_fds'),
    memory: await gateway.metric('process_resident_memory_bytes'),
  };
}

describe(`${CALLS} mixed calls, ${AT_ONCE} at once`, () => {
  it('leave no call, transaction, dialog, port, descriptor or memory behind', async () => {
    const workers = USERS.map((user) => new Worker(user));
    for (const worker of workers) await worker.open();
    await makeCalls(Math.floor(CALLS / 2), workers);
    const half = await size();
    await makeCalls(CALLS - Math.floor(CALLS / 2), workers);
    const whole = await size();
    const attempts = await gateway.metric('trunkline_call_attempts_total');
    assert.ok(attempts >= CALLS, `${attempts} calls`);
    assert.equal(await gateway.metric('trunkline_registrations'), AT_ONCE);
    assert.ok(Math.abs(whole.descriptors - half.descriptors) <= 2, `descriptors: ${half.descriptors}, then ${whole.descriptors}`);
    assert.ok(whole.memory <= half.memory * 1.05, `memory: ${half.memory}, then ${whole.memory}`);
    for (const worker of workers) await worker.close();
    await until(async () => (await gateway.metric('trunkline_registrations')) === 0, 'no registration');
  });
});
