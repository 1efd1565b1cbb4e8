// A gateway between two trunks whose peers answer at once, and the ways to make a call through it.
import { readFileSync } from 'node:fs';
import { CallControl } from '../peers/call_control.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { freePort } from '../peers/ports.mjs';
import { answeringPeers, TrunkPeer } from './trunk_peer.mjs';

// A port rests for ten seconds after its call, and a call between two trunks takes four.
const RTP_PORTS = 9000;
const TICKS_PER_SECOND = 100; // of /proc, on Linux

const trunk = (name, port, sources) => `
  - name: ${name}
    uri: "sip:127.0.0.1:${port}"
    allow: [${sources.map((source) => `"127.0.0.1:${source}"`).join(', ')}]
    codecs: [PCMU]
    options_interval: 0s
    max_calls: 10000
    max_calls_per_second: 100000`;

export class BenchStage {
  static async open() {
    const stage = new BenchStage();
    const [near, far, caller] = [await freePort(), await freePort(), await freePort()];
    stage.gateway = await Gateway.start({
      rtpPorts: RTP_PORTS,
      trunks: trunk('near', near, [near, caller]) + trunk('far', far, [far]),
      routes: `
  - { from: any, match: "^1[0-9]{3}$", target: "trunk:near" }
  - { from: any, match: "^(2[0-9]{3}|busy)$", target: "trunk:far" }`,
      extra: 'limits: { max_calls: 10000 }',
      log: '{ level: warn, format: json }',
    });
    stage.peers = await answeringPeers([near, far], stage.gateway.sipPort);
    stage.caller = await TrunkPeer.open(caller, stage.gateway.sipPort);
    stage.api = new CallControl(stage.gateway.grpcAddress);
    return stage;
  }

  // Each makes one call from a number to a number and ends it; resolves to the milliseconds until it was answered.
  async bySip() {
    const begin = performance.now();
    const call = await this.caller.call('2000');
    const took = performance.now() - begin;
    await this.caller.hangUp(call);
    return took;
  }

  async byApi() {
    const begin = performance.now();
    const { call } = await this.api.must('createCall', { from: '1000', to: '2000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const took = performance.now() - begin;
    await this.api.must('hangupCall', { call_id: call.call_id });
    return took;
  }

  // Number of the last event until now.
  async lastEvent() {
    const watch = this.api.watchCalls();
    const { sequence } = await watch.snapshotEnd();
    watch.cancel();
    return sequence;
  }

  // Of the gateway: octets in memory, and milliseconds of processor time.
  resident() {
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(this.process('status'))[1]);
  }

  processorTime() {
    const [user, system] = this.process('stat').split(') ')[1].split(' ').slice(11, 13);
    return (Number(user) + Number(system)) * (1000 / TICKS_PER_SECOND);
  }

  process(file) {
    return readFileSync(`/proc/${this.gateway.process.pid}/${file}`, 'latin1');
  }

  async close() {
    this.api.close();
    this.caller.close();
    await this.peers.close();
    await this.gateway.stop();
  }
}

// So many calls, `width` at a time: the milliseconds of each, and how long all took.
export async function run(makeCall, calls, width) {
  let left = calls;
  const times = [];
  const begin = performance.now();
  const work = async () => {
    while (left > 0) {
      left -= 1;
      times.push(await makeCall());
    }
  };
  await Promise.all(Array.from({ length: width }, work));
  return { times, elapsed: performance.now() - begin };
}

// Calls begun at so many a second, whatever becomes of those before.
export async function runAt(makeCall, calls, rate) {
  const begin = performance.now();
  const started = [];
  for (let at = 0; at < calls; at += 1) {
    const wait = begin + (1000 * at) / rate - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    started.push(makeCall());
  }
  const times = await Promise.all(started);
  return { times, elapsed: performance.now() - begin };
}

// All runs of one kind together: { rate, p50, p99 }.
export function summary(runs) {
  const times = runs.flatMap((one) => one.times).sort((a, b) => a - b);
  const elapsed = runs.reduce((sum, one) => sum + one.elapsed, 0);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { rate: (1000 * times.length) / elapsed, p50: at(0.5), p99: at(0.99) };
}

const digits = (value) => (value < 100 ? value.toFixed(2) : value.toFixed(0));

// A table with a column for each name: [[title, summary, summary …] …].
export function table(names, rows) {
  const cells = [['', ...names], ...rows.map(([title, ...values]) => [title, ...values.map((value) => (typeof value === 'number' ? digits(value) : value))])];
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  for (const row of cells) console.log(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  '));
}
