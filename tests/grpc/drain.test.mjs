// The graceful end of a node: what it refuses, whom it sends elsewhere, what it goes on with, and when it is over.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Code, grpc } from '../peers/call_control.mjs';
import { OPCODE, RawWebSocket } from '../peers/raw_websocket.mjs';
import { header } from '../peers/sip_message.mjs';
import { Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const SPREAD = 2; // seconds

// A gateway of its own for each test, since it ends in it.
const open = async (t, { timeout = '60s', spread = `${SPREAD}s`, ...options } = {}) => {
  const stage = await Stage.open({ extra: `drain: { timeout: ${timeout}, spread: ${spread} }\ncdr: { path: calls.jsonl }\n`, ...options });
  t.after(() => stage.close());
  return stage;
};

// grpc.health.v1: 1 is SERVING, 2 is NOT_SERVING.
const health = (stage) => new Promise((done, failed) => {
  const client = new grpc.Client(stage.gateway.grpcAddress, grpc.credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  client.makeUnaryRequest('/grpc.health.v1.Health/Check', (bytes) => bytes, (bytes) => bytes, Buffer.alloc(0), (error, bytes) => {
    client.close();
    if (error) failed(error);
    else done(bytes[1]);
  });
});

const ready = async (stage) => (await stage.gateway.get('/readyz')).status;
const draining = (stage) => until(async () => (await ready(stage)) === 503, 'the node to drain');
const records = (folder) => readFileSync(join(folder, 'calls.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));

// How many browsers that say nothing, and what each is closed with, and when: { code, at }, in this order.
const idle = async (stage, count) => {
  const closed = [];
  for (let number = 0; number < count; number += 1) {
    const browser = await RawWebSocket.open(stage.gateway);
    browser.frame = (opcode, payload) => {
      RawWebSocket.prototype.frame.call(browser, opcode, payload);
      if (opcode === OPCODE.close) closed.push({ code: browser.closeCode, at: Date.now() });
    };
  }
  return closed;
};

// The end of the gateway by itself.
const end = (stage) => {
  stage.gateway.process.ref();
  return stage.gateway.exited;
};

describe('a drain', () => {
  it('by SIGTERM: tells health checks, refuses what is new, serves the call, and ends with it', async (t) => {
    const stage = await open(t);
    const { id, number, peer } = await stage.connected();
    stage.gateway.process.kill('SIGTERM');
    await draining(stage);
    assert.equal((await stage.gateway.get('/healthz')).status, 200);
    await until(async () => (await health(stage)) === 2, 'NOT_SERVING');
    const { error } = await stage.api.createCall({ from: 'service:echo', to: '5551000' });
    assert.deepEqual([error.code, error.reason], [Code.UNAVAILABLE, 'DRAINING']);
    const incoming = await stage.carrier.call('1001');
    assert.equal(await incoming.final(), 503);
    assert.match(header(incoming.finalResponse, 'retry-after'), /^\d+$/);
    const outgoing = stage.alice.call('5551000');
    assert.equal((await stage.alice.event('failed', { call: outgoing })).status, 503);
    assert.equal(await peer.reinvite('sendonly'), 200);
    assert.equal(await peer.reinvite('sendrecv'), 200);
    await stage.talk(number, peer);
    const { error: undrained } = await stage.api.undrain({});
    assert.equal(undrained.code, Code.FAILED_PRECONDITION);
    await until(() => stage.gateway.logLines().some((line) => line.some?.includes(id)), 'the call in the log');
    stage.alice.hangup(number);
    await until(() => peer.ended, 'BYE at the trunk');
    assert.deepEqual(await end(stage), { code: 0, signal: null });
  });

  it('by the API: the same, until it is called off', async (t) => {
    const stage = await open(t);
    const { id, number, peer } = await stage.connected();
    await stage.api.must('drain', {});
    assert.equal(await ready(stage), 503);
    assert.equal((await stage.gateway.get('/healthz')).status, 200);
    assert.equal(await health(stage), 2);
    assert.equal(await stage.gateway.metric('trunkline_drain_remaining_calls'), 1);
    await stage.alice.register();
    const bob = await SyntheticBrowser.open(stage.gateway, 'bob', { register: false });
    t.after(() => bob.close());
    bob.do('register');
    assert.equal((await bob.event('register_failed')).status, 503);
    await stage.talk(number, peer);
    await stage.api.must('undrain', {});
    assert.equal(await ready(stage), 200);
    assert.equal(await health(stage), 1);
    assert.equal(await stage.gateway.metric('trunkline_drain_remaining_calls'), 0);
    await stage.hangUp(id, peer);
    const again = await stage.connected();
    await stage.hangUp(again.id, again.peer);
  });

  it('answers OPTIONS with 503, so that carriers go elsewhere', async (t) => {
    const stage = await open(t, { browser: false });
    const asked = async () => {
      const before = stage.carrier.log.length;
      stage.carrier.options();
      return until(() => stage.carrier.log.slice(before).find((line) => line.startsWith('<- SIP/2.0')), 'an answer to OPTIONS');
    };
    assert.match(await asked(), / 200 /);
    await stage.api.must('drain', {});
    assert.match(await asked(), / 503 /);
    await stage.api.must('undrain', {});
    assert.match(await asked(), / 200 /);
  });

  it('sends idle browsers elsewhere, each at its own moment of the spread, but none with a call', async (t) => {
    const stage = await open(t);
    const { id, number, peer } = await stage.connected();
    const closed = await idle(stage, 40);
    const since = Date.now();
    await stage.api.must('drain', {});
    await until(() => closed.length === 40, 'all closed');
    assert.deepEqual(new Set(closed.map(({ code }) => code)), new Set([1012]));
    const moments = closed.map(({ at }) => at - since);
    assert.ok(moments[0] < SPREAD * 1000, `the first at ${moments[0]} ms`);
    assert.ok(moments.at(-1) - moments[0] > (SPREAD * 1000) / 4, `within ${moments.at(-1) - moments[0]} ms`);
    await stage.talk(number, peer);
    assert.equal(await stage.gateway.metric('trunkline_ws_connections'), 1);
    assert.equal(await stage.gateway.metric('trunkline_ws_disconnects_total', { reason: 'drained' }), 40);
    await stage.hangUp(id, peer);
    await until(async () => (await stage.gateway.metric('trunkline_ws_connections')) === 0, 'the last one to be closed, after its call');
  });

  it('by SIGTERM waits for the spread when browsers are there, and not when there are none', async (t) => {
    const stage = await open(t, { browser: false, carrier: false });
    const closed = await idle(stage, 10);
    stage.gateway.process.kill('SIGTERM');
    assert.deepEqual(await end(stage), { code: 0, signal: null });
    assert.deepEqual(closed.map(({ code }) => code), Array(10).fill(1012));
    const empty = await open(t, { browser: false, carrier: false, spread: '600s' });
    empty.gateway.process.kill('SIGTERM');
    assert.deepEqual(await end(empty), { code: 0, signal: null });
  });

  it('ends what is left at its deadline: BYE with a Reason to both, records, exit 0', async (t) => {
    const stage = await open(t, { timeout: '1s' });
    const { number, peer } = await stage.connected();
    stage.gateway.process.kill('SIGTERM');
    await stage.alice.event('ended', { call: number });
    await until(() => peer.ended, 'BYE at the trunk');
    assert.match(header(peer.ended, 'reason'), /^Q\.850;cause=31/);
    const kept = stage.gateway.folder;
    const exit = await end(stage);
    assert.deepEqual(exit, { code: 0, signal: null });
    const [call] = records(kept).filter(({ type }) => type === 'call');
    assert.equal(call.reason, 'draining');
  });

  for (const signal of ['SIGTERM', 'SIGINT']) {
    it(`is over at once with ${signal} after it, and both sides get BYE all the same`, async (t) => {
      const stage = await open(t, { timeout: '600s' });
      const { number, peer } = await stage.connected();
      stage.gateway.process.kill('SIGTERM');
      await draining(stage);
      stage.gateway.process.kill(signal);
      await stage.alice.event('ended', { call: number });
      await until(() => peer.ended, 'BYE at the trunk');
      const folder = stage.gateway.folder;
      assert.deepEqual(await end(stage), { code: 0, signal: null });
      assert.equal(records(folder).filter(({ type }) => type === 'call').length, 1);
    });
  }
});
