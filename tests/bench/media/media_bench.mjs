// The packet path beside Debian's rtpengine in user space, and beside the least that a relay can do with the same SRTP:
// turn by turn in one run, on one generator, so that what else the machine does meets all.
//   node tests/bench/media/media_bench.mjs [--full] [--only instructions,load] [--json FILE] [--plot FILE]
// Instructions, and ratios of processor time, hold on a busy machine too; latency and loss want a quiet one with cores
// to spare. Loopback: what the kernel does to deliver a packet is on the sender's account.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build } from '../../peers/gateway.mjs';
import { table } from '../bench_stage.mjs';
import { plot } from './plot.mjs';
import { Server } from './servers.mjs';

const { values: options } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string', default: 'instructions,load' },
    json: { type: 'string', default: join(build, 'media_bench.json') },
    plot: { type: 'string', default: join(build, 'media_bench.svg') },
  },
});

const MODEST = { loads: { 'dtls-gcm': [50, 200, 500], 'dtls-cm': [50, 200, 500], 'sdes-cm': [200] }, rounds: 2, seconds: 3 };
const FULL = { loads: { 'dtls-gcm': [50, 200, 500], 'dtls-cm': [50, 200, 500], 'sdes-cm': [50, 200, 500] }, rounds: 6, seconds: 10 };
const settings = options.full ? FULL : MODEST;

const SERVERS = ['gateway', 'rtpengine', 'relay'];
const WARM_UP = 3; // s of talk before any that counts
const SET_UP_RATE = 100; // calls that connect in a second
const STORM = { calls: 300, connecting: 200, seconds: 4 };
const COUNTED = { calls: 20, seconds: 3 }; // under callgrind
const MARKS = {
  instructions: { 'dtls-gcm': 5500, 'dtls-cm': 8000 }, ofRtpengine: 0.45, ofRelay: 1.25, setUp: 2.0, memory: 60, p50: 40, p99: 200, gap: 40,
};

const raw = { settings, processors: cpus().map((one) => one.model), talks: [], connects: [], memory: [], instructions: [], storms: [], engines: {} };
const note = (text) => process.stderr.write(`${text}\n`);
const digits = (value, count = 2) => (Number.isFinite(value) ? value.toFixed(count) : '');

async function withServers(kase, act) {
  const servers = [];
  try {
    for (const name of SERVERS) servers.push(await Server.start(name, kase));
    for (const server of servers) raw.engines[`${server.name} ${kase}`] = server.engine;
    await act(servers);
  } finally {
    for (const server of servers) await server.close();
  }
}

// What the server used for it, and what became of it.
async function measured(server, work) {
  const before = server.processorTime();
  const outcome = await work();
  const after = server.processorTime();
  return { ...outcome, cpu: Object.fromEntries(Object.keys(after).map((part) => [part, after[part] - before[part]])), load: loadavg()[0] };
}

async function talk(server, kase, calls, seconds, round) {
  const outcome = await measured(server, () => server.talk(calls, seconds));
  const record = { server: server.name, kase, calls, round, ...outcome };
  raw.talks.push(record);
  const { latency_us: latency } = outcome;
  note(`${server.name} ${kase} ${calls} calls: ${digits((1000 * outcome.cpu.total) / outcome.received)} µs a packet, ` +
    `${outcome.lost} of ${outcome.sent} lost, p50 ${digits(latency?.p50, 0)} µs, p99 ${digits(latency?.p99, 0)} µs`);
}

// So many calls altogether.
async function grow(server, kase, from, to) {
  await server.add(to - from);
  const outcome = await measured(server, () => server.connect(SET_UP_RATE));
  raw.connects.push({ server: server.name, kase, from, to, ...outcome });
  if (outcome.failed > 0) throw new Error(`${server.name}: ${outcome.failed} of ${to - from} calls did not connect`);
}

let turn = 0;
const inTurn = (servers) => (turn++ % 2 === 0 ? servers : [...servers].reverse());

async function load(servers, kase, sizes) {
  for (const [at, calls] of sizes.entries()) {
    for (const server of servers) await grow(server, kase, sizes[at - 1] ?? 0, calls);
    for (const server of servers) await server.talk(calls, at === 0 ? WARM_UP : 1);
    for (const server of servers) raw.memory.push({ server: server.name, kase, calls, kib: server.memory() });
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const server of inTurn(servers)) await talk(server, kase, calls, settings.seconds, round);
    }
  }
}

// Others do their handshakes while calls talk.
async function storm(servers, kase) {
  for (const server of servers) {
    await server.add(STORM.connecting);
    const outcome = await measured(server, () => server.talk(STORM.calls, STORM.seconds, SET_UP_RATE));
    raw.storms.push({ server: server.name, kase, ...outcome });
    note(`${server.name} ${kase} storm: ${outcome.connected.connected} connected, longest gap ${digits(outcome.gap_ms, 1)} ms, ${digits(outcome.added_gap_ms, 1)} ms of it not the sender's`);
  }
}

// Without what it does for calls that are silent, and for itself.
async function count(name, kase) {
  const server = await Server.start(name, kase, { callgrind: true });
  try {
    await server.add(COUNTED.calls);
    const { failed } = await server.connect();
    if (failed > 0) throw new Error(`${name} under callgrind: ${failed} calls did not connect`);
    await server.talk(COUNTED.calls, 1);
    server.instructions();
    await sleep(1000 * COUNTED.seconds);
    const idle = server.instructions();
    const outcome = await server.talk(COUNTED.calls, COUNTED.seconds);
    const instructions = (server.instructions() - idle) / outcome.received;
    const record = { server: name, kase, engine: server.engine, instructions, idle, ...outcome };
    raw.instructions.push(record);
    note(`${name} ${kase}: ${digits(record.instructions, 0)} instructions a packet, ${record.engine}`);
  } finally {
    await server.close();
  }
}

// ---------------------------------------------------------------- the table

const sum = (values) => values.reduce((total, value) => total + value, 0);
const of = (list, server, kase, calls) => raw[list].filter((one) => one.server === server && one.kase === kase && (calls === undefined || one.calls === calls));
const verdict = (value, mark) => (value <= mark ? 'met' : 'missed');
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function perPacket(server, kase, calls, part = 'total') {
  const talks = of('talks', server, kase, calls);
  return (1000 * sum(talks.map((one) => one.cpu[part]))) / sum(talks.map((one) => one.received));
}

const rows = [];
const row = (title, values, mark = '', fulfilled = '') => rows.push([title, ...values, mark, fulfilled]);

function instructionRows() {
  for (const [kase, mark] of Object.entries(MARKS.instructions)) {
    const found = SERVERS.map((name) => of('instructions', name, kase)[0]);
    if (found.includes(undefined)) continue;
    row(`${kase}: user instructions a packet`, found.map((one) => digits(one.instructions, 0)), `${mark}`, verdict(found[0].instructions, mark));
  }
}

function loadRows(kase, sizes) {
  for (const calls of sizes) {
    const spent = SERVERS.map((name) => perPacket(name, kase, calls));
    row(`${kase}, ${calls} calls: processor time a packet, µs`, spent.map((one) => digits(one)));
    row('  of it in the program itself', SERVERS.map((name) => digits(perPacket(name, kase, calls, 'user'))));
    row('  gateway over each', ['1', ...[1, 2].map((at) => digits(spent[0] / spent[at]))], `${MARKS.ofRtpengine}; ${MARKS.ofRelay}`,
      [1, 2].map((at) => verdict(spent[0] / spent[at], at === 1 ? MARKS.ofRtpengine : MARKS.ofRelay)).join('; '));
    for (const share of ['p50', 'p99']) {
      const latency = SERVERS.map((name) => median(of('talks', name, kase, calls).map((one) => one.latency_us[share])));
      const mark = calls === 50 ? MARKS[share] : '';
      row(`  latency ${share}, µs`, latency.map((one) => digits(one, 0)), String(mark), mark && verdict(latency[0], mark));
    }
    const lost = SERVERS.map((name) => sum(of('talks', name, kase, calls).map((one) => one.lost)));
    const excused = Math.max(lost[2], sum(of('talks', 'gateway', kase, calls).map((one) => one.own_overflows)));
    row(`  lost of ${of('talks', 'gateway', kase, calls).reduce((all, one) => all + one.sent, 0)}`, lost.map(String), '0 more than the relay', verdict(lost[0], excused));
  }
}

function callRows(kase, sizes) {
  const setUp = SERVERS.map((name) => sum(of('connects', name, kase).map((one) => one.cpu.total)) / sum(of('connects', name, kase).map((one) => one.connected)));
  if (kase.startsWith('dtls')) row(`${kase}: ICE and DTLS of a call, ms`, [...setUp.slice(0, 2).map((one) => digits(one)), ''], `${MARKS.setUp}`, verdict(setUp[0], MARKS.setUp));
  if (sizes.length < 2) return;
  const memory = SERVERS.map((name) => {
    const [first, last] = [of('memory', name, kase)[0], of('memory', name, kase).at(-1)];
    return (last.kib - first.kib) / (last.calls - first.calls);
  });
  row(`${kase}: memory of a call, KiB`, memory.map((one) => digits(one, 1)), `${MARKS.memory}`, verdict(memory[0], MARKS.memory));
}

function stormRows() {
  for (const kase of new Set(raw.storms.map((one) => one.kase))) {
    const found = SERVERS.map((name) => of('storms', name, kase)[0]);
    row(`${kase}: ${SET_UP_RATE} handshakes/s beside ${STORM.calls} calls: longest gap, ms`, found.map((one) => digits(one.gap_ms, 1)));
    row('  without what the sender was late', found.map((one) => digits(one.added_gap_ms, 1)), `${MARKS.gap}`, verdict(found[0].added_gap_ms, MARKS.gap));
    row('  lost', found.map((one) => String(one.lost)));
  }
}

// ---------------------------------------------------------------- the plot

function charts() {
  const result = [];
  for (const [kase, sizes] of Object.entries(settings.loads)) {
    if (sizes.length < 2 || of('talks', 'gateway', kase).length === 0) continue;
    const lines = SERVERS.map((name) => ({ name, points: sizes.map((calls) => [calls, perPacket(name, kase, calls)]) }));
    result.push({ title: `${kase}: processor time a packet`, x: 'calls', y: 'µs', lines });
  }
  const [kase] = Object.keys(settings.loads);
  const calls = settings.loads[kase][0];
  if (of('talks', 'gateway', kase).length === 0) return result;
  const lines = SERVERS.map((name) => {
    const classes = new Map();
    for (const one of of('talks', name, kase, calls)) for (const [bound, number] of one.latency_us.histogram) classes.set(bound, (classes.get(bound) ?? 0) + number);
    const all = sum([...classes.values()]);
    let below = 0;
    return { name, points: [...classes].sort((a, b) => a[0] - b[0]).map(([bound, number]) => [bound, (100 * (below += number)) / all]) };
  });
  result.push({ title: `${kase}, ${calls} calls: latency`, x: 'µs', y: '% at most', logarithmic: true, lines });
  return result;
}

// ---------------------------------------------------------------- the run

const wanted = options.only.split(',');
if (wanted.includes('instructions')) {
  for (const kase of Object.keys(MARKS.instructions)) for (const name of SERVERS) await count(name, kase);
}
if (wanted.includes('load')) {
  for (const [kase, sizes] of Object.entries(settings.loads)) {
    await withServers(kase, async (servers) => {
      await load(servers, kase, sizes);
      if (kase === 'dtls-gcm') await storm(servers, kase);
    });
  }
}

for (const file of [options.json, options.plot]) mkdirSync(dirname(file), { recursive: true });
writeFileSync(options.json, `${JSON.stringify(raw, null, 1)}\n`);
instructionRows();
if (wanted.includes('load')) {
  for (const [kase, sizes] of Object.entries(settings.loads)) {
    loadRows(kase, sizes);
    callRows(kase, sizes);
  }
  stormRows();
  writeFileSync(options.plot, plot(charts()));
}
table([...SERVERS, 'mark', ''], rows);
for (const [where, engine] of Object.entries(raw.engines)) console.log(`SRTP of ${where}: ${engine}`);
for (const one of raw.instructions) console.log(`SRTP of ${one.server} ${one.kase} under valgrind: ${one.engine}`);
const wrong = [...raw.talks, ...raw.storms].filter((one) => one.altered > 0 || one.srtp_errors > 0);
for (const one of wrong) console.log(`WRONG: ${one.server} ${one.kase}: ${one.altered} packets altered, ${one.srtp_errors} that SRTP refused`);
console.log(`All figures: ${options.json}`);
if (wrong.some((one) => one.server === 'gateway')) process.exitCode = 1;
