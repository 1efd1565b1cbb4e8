// Calls from a number to a number made by CreateCall, beside the same calls by SIP alone, as a ratio. Both go over the
// same two trunks to peers that answer at once; by SIP the caller's own INVITE is the first leg, by the API the gateway
// calls both.
import { BenchStage, run, summary, table } from './bench_stage.mjs';

const ROUNDS = 3;
const ALONE = 60; // calls of a round, one after the other
const TOGETHER = 200; // the ports of all rounds together suffice, however fast the machine is
const WIDTH = 16;

const stage = await BenchStage.open();
try {
  const ways = { sip: () => stage.bySip(), api: () => stage.byApi() };
  const runs = { sip: { alone: [], together: [] }, api: { alone: [], together: [] } };
  const rpc = [];
  for (const way of Object.values(ways)) await run(way, ALONE, 4);
  // Turn by turn, so that what else the machine does meets both.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      runs[name].alone.push(await run(way, ALONE, 1));
      runs[name].together.push(await run(way, TOGETHER, WIDTH));
    }
    rpc.push(await run(async () => {
      const begin = performance.now();
      await stage.api.must('getNode', {});
      return performance.now() - begin;
    }, TOGETHER, 1));
  }
  const row = (title, of, value) => {
    const [sip, api] = [value(summary(runs.sip[of])), value(summary(runs.api[of]))];
    return [title, sip, api, api / sip];
  };
  table(['SIP alone', 'CreateCall', 'ratio'], [
    row('one at a time: answered after, median, ms', 'alone', ({ p50 }) => p50),
    row('one at a time: answered after, 99 %, ms', 'alone', ({ p99 }) => p99),
    row(`${WIDTH} at a time: answered after, median, ms`, 'together', ({ p50 }) => p50),
    row(`${WIDTH} at a time: answered after, 99 %, ms`, 'together', ({ p99 }) => p99),
    row(`${WIDTH} at a time: calls made and ended a second`, 'together', ({ rate }) => rate),
  ]);
  const { p50, p99 } = summary(rpc);
  console.log(`An RPC that asks for nothing (GetNode): median ${p50.toFixed(2)} ms, 99 % ${p99.toFixed(2)} ms`);
} finally {
  await stage.close();
}
