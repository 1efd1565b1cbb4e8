// A thousand subscribers at a time, one of whom stops reading: nobody else misses anything.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Code } from '../peers/call_control.mjs';
import { Stage } from '../peers/stage.mjs';
import { Subscribers } from '../peers/subscribers.mjs';
import { until } from '../peers/until.mjs';

const SANITIZED = /[at]san/.test(process.env.TRUNKLINE_BUILD ?? '');
const SUBSCRIBERS = 1000;
const MAX_LAG = 500; // events
// What fits between the gateway and a client that does not read: 64 KiB in the gateway's buffer, 64 KiB in the window.
const BUFFERED = 400;
const CALLS = 20; // at a time; all are told of them before the next begin
const MOST_GROWTH = 64 << 20;

let stage;

before(async () => {
  stage = await Stage.open({ browser: false, rtpPorts: 2000, grpc: `, max_lag: ${MAX_LAG}` });
  stage.carrier.onCall = (call) => call.reject(486);
});
after(() => stage?.close());

const short = () => stage.api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });

const resident = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stage.gateway.process.pid}/status`, 'latin1'))[1]);

async function lastEvent() {
  const watch = stage.api.watchCalls();
  const { sequence } = await watch.snapshotEnd();
  watch.cancel();
  return sequence;
}

describe('a thousand subscribers', () => {
  it('are told everything, also if one of them stops', async (t) => {
    const begin = await lastEvent();
    const subscribers = await Subscribers.open(stage.gateway.grpcPort, { streams: SUBSCRIBERS });
    t.after(() => subscribers.close());
    const before = resident();
    const [stopped] = subscribers.list;
    stopped.stream.pause();
    let last = begin;
    while (last < begin + MAX_LAG + BUFFERED) {
      await Promise.all(Array.from({ length: CALLS }, short));
      last = await lastEvent();
      await until(() => subscribers.complete(last) === SUBSCRIBERS - 1, `event ${last} at all who read`);
    }
    // A sanitizer's own memory grows with what it has seen.
    if (!SANITIZED) assert.ok(resident() - before < MOST_GROWTH, `${before} octets of memory became ${resident()}`);

    stopped.stream.resume();
    await until(() => stopped.ended, 'the end of the one that stopped');
    assert.deepEqual([stopped.ended.code, stopped.ended.reason], [Code.RESOURCE_EXHAUSTED, 'SLOW_CONSUMER']);
    assert.ok(!stopped.missed);
    const seen = subscribers.progress[0];
    assert.ok(seen < last);
    const again = await Subscribers.open(stage.gateway.grpcPort, { streams: 1, connections: 1, token: stopped.ended.resumeToken, last: seen });
    t.after(() => again.close());
    await until(() => again.complete(last) === 1, 'what it had not seen');
  });

  it('may not come back when what they missed is gone', async () => {
    const watch = stage.api.watchCalls();
    await watch.snapshotEnd();
    const { resumeToken: token } = watch;
    const begin = await lastEvent();
    watch.cancel();
    while ((await lastEvent()) <= begin + 2 * MAX_LAG) await Promise.all(Array.from({ length: CALLS }, short));
    const { code, reason } = await stage.api.watchCalls({ resume_token: token }).end();
    assert.deepEqual([code, reason], [Code.OUT_OF_RANGE, 'EVENTS_TRUNCATED']);
  });
});
