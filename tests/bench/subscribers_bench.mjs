// What a thousand subscribers of WatchCalls, one of whom has stopped reading, do to the calls: the time until a call is
// answered with them and without them, at the highest rate at which all of them keep up.
import { SubscribersThread } from '../peers/subscribers.mjs';
import { until } from '../peers/until.mjs';
import { BenchStage, run, runAt, summary, table } from './bench_stage.mjs';

const SUBSCRIBERS = 1000;
const STOPPED = 1;
const ROUNDS = 2;
const BURST = 100; // calls that show what the subscribers can take
const SHARE = 0.7; // of which the calls are offered
const SECONDS = 6; // of a round
const MOST_CALLS = 100; // a second: what the ports suffice for

const stage = await BenchStage.open();

async function withSubscribers(act) {
  const subscribers = await SubscribersThread.open(stage.gateway.grpcPort, { streams: SUBSCRIBERS, stopped: STOPPED });
  try {
    const before = await stage.lastEvent();
    const begin = performance.now();
    const processor = stage.processorTime();
    const result = await act();
    const last = await stage.lastEvent();
    const over = performance.now();
    await until(() => subscribers.complete(last) >= SUBSCRIBERS - STOPPED, 'the last event at all subscribers');
    const told = (last - before) * (SUBSCRIBERS - STOPPED);
    return { result, told, elapsed: performance.now() - begin, late: performance.now() - over, processor: stage.processorTime() - processor };
  } finally {
    await subscribers.close();
  }
}

try {
  const ways = { sip: () => stage.bySip(), api: () => stage.byApi() };
  for (const way of Object.values(ways)) await run(way, BURST, 4);
  const empty = stage.resident();
  const burst = await withSubscribers(() => run(ways.sip, BURST, 8));
  const rate = Math.max(1, Math.min(MOST_CALLS, Math.floor((SHARE * 1000 * BURST) / burst.elapsed)));
  const runs = { sip: { with: [], without: [] }, api: { with: [], without: [] } };
  const load = { told: 0, elapsed: 0, processor: 0, late: 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const offer = () => runAt(way, rate * SECONDS, rate);
      runs[name].without.push(await offer());
      const { result, late, ...more } = await withSubscribers(offer);
      runs[name].with.push(result);
      for (const [key, value] of Object.entries(more)) load[key] += value;
      load.late = Math.max(load.late, late);
    }
  }
  const row = (title, name, value) => {
    const [without, crowded] = [value(summary(runs[name].without)), value(summary(runs[name].with))];
    return [title, without, crowded, crowded / without];
  };
  table(['alone', `${SUBSCRIBERS} subscribers`, 'ratio'], [
    row('by SIP: answered after, median, ms', 'sip', ({ p50 }) => p50),
    row('by SIP: answered after, 99 %, ms', 'sip', ({ p99 }) => p99),
    row('by CreateCall: answered after, median, ms', 'api', ({ p50 }) => p50),
    row('by CreateCall: answered after, 99 %, ms', 'api', ({ p99 }) => p99),
  ]);
  console.log(`${rate} calls a second; ${Math.round((1000 * load.told) / load.elapsed)} events told a second, ${((1000 * load.processor) / load.told).toFixed(2)} µs of the gateway's time each`);
  console.log(`in a burst: ${Math.round((1000 * burst.told) / burst.elapsed)} events told a second`);
  console.log(`all had the last event after ${Math.round(load.late)} ms at most; ${Math.round(empty / 2 ** 20)} MiB before, ${Math.round(stage.resident() / 2 ** 20)} MiB after`);
} finally {
  await stage.close();
}
