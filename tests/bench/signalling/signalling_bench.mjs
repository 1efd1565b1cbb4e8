// The signalling of whole calls, and of registrations, beside Debian's Kamailio, which only proxies and registers: turn by
// turn in one run, so that what else the machine does meets both.
//   node tests/bench/signalling/signalling_bench.mjs [--full] [--json FILE]
// Processor time per call holds on a busy machine too; times and rates want a quiet one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../peers/gateway.mjs';
import { until } from '../../peers/until.mjs';
import { table } from '../bench_stage.mjs';
import { Server } from './servers.mjs';

const { values: options } = parseArgs({ options: { full: { type: 'boolean', default: false }, json: { type: 'string', default: join(build, 'signalling_bench.json') } } });

// A call between a browser and a trunk takes two ports, which rest for ten seconds after it; the gateway holds them open, and
// a system may not let a process have more than 20,000 descriptors.
const MODEST = { users: 300, rates: [100, 400], seconds: 5, rounds: 1, registerRate: 300, idle: 1000, rtpFirst: 30002, rtpPorts: 10000 };
const FULL = { users: 500, rates: [100, 400, 800], seconds: 10, rounds: 3, registerRate: 500, idle: 5000, rtpFirst: 30002, rtpPorts: 18000, search: [400, 600, 800, 1000, 1200, 1400, 1600, 2000, 2400], searchSeconds: 7, searchCalls: 8500 };
const settings = options.full ? FULL : MODEST;

const HOLD = 500; // ms of a call, so that at every rate some are up
const TRUNK_RATE = 200;
const FIRST = 100; // WebSockets before those that are weighed: they bring the program itself into memory
const LINGER = 33500; // ms until the last timer of a transaction has fired (64*T1), whose cost is the call's too
const LATE = 250; // ms that the load may lag before the rate is not the one it should be
const MARKS = { calls: 1, trunkCall: 0.8, websocket: 24, rate: 1200 };

const raw = [];
const note = (text) => process.stderr.write(`${text}\n`);

// What one server used for the phase and until its last timers: { server, phase, cpu (ms each), …outcome }.
async function phase(server, name, rate, ask, count) {
  const begin = server.processorTime();
  const outcome = await server.ask(...ask);
  const record = { server: server.name, phase: name, rate, ...outcome, begin, over: Date.now() };
  raw.push(record);
  note(`${server.name} ${name} at ${rate}/s: p50 ${outcome.p50.toFixed(1)} ms, p99 ${outcome.p99.toFixed(1)} ms, ${outcome.failed} of ${count} failed ${JSON.stringify(outcome.reasons)}`);
  return record;
}

async function rest(servers, records) {
  const over = Math.max(...records.map((record) => record.over));
  await until(() => Date.now() >= over + LINGER, 'the last timers', 2 * LINGER);
  for (const [at, server] of servers.entries()) {
    const record = records[at];
    record.cpu = (server.processorTime() - record.begin) / Math.max(record.done, 1);
  }
}

// The same phase for each server, one after the other, the first of them another each time.
let turn = 0;
async function phases(servers, name, rate, ask, count) {
  const order = turn++ % 2 === 0 ? servers : [...servers].reverse();
  const records = [];
  for (const server of order) records.push(await phase(server, name, rate, ask, count));
  await rest(order, records);
}

const callPhase = (servers, kind, rate, seconds) => phases(servers, `${kind} call`, rate, ['call', kind, rate, rate * seconds, HOLD], rate * seconds);

// The highest of the rates at which all calls succeed, and the load itself kept up.
async function highest(server) {
  let best = 0;
  for (const rate of settings.search) {
    const count = Math.min(rate * settings.searchSeconds, settings.searchCalls);
    const outcome = await phase(server, 'search', rate, ['call', 'browser', rate, count, HOLD], count);
    if (outcome.failed > 0 || outcome.late > LATE) return best;
    best = rate;
    await rest([server], [outcome]);
  }
  return best;
}

async function withServers(rtpPorts, act) {
  const servers = [];
  try {
    for (const name of ['gateway', 'kamailio']) servers.push(await Server.start(name, { ...settings, rtpPorts, users: Math.max(settings.users, FIRST + settings.idle) }));
    return await act(servers);
  } finally {
    for (const server of servers) await server.close();
  }
}

// KiB of each server for a WebSocket whose user is registered.
async function idleWebSockets(servers) {
  const result = {};
  for (const server of servers) {
    await server.open(FIRST, settings.registerRate);
    const before = server.memory();
    await server.open(FIRST + settings.idle, settings.registerRate);
    result[server.name] = (server.memory() - before) / settings.idle / 1024;
  }
  return result;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const of = (server, name, rate) => raw.filter((one) => one.server === server && one.phase === name && one.rate === rate);

function row(title, name, rate, key, mark = '') {
  const [ours, theirs] = ['gateway', 'kamailio'].map((server) => mean(of(server, name, rate).map((one) => one[key])));
  return [title, ours, theirs, ours / theirs, mark];
}

const memory = await withServers(200, idleWebSockets);
const found = await withServers(settings.rtpPorts, async (servers) => {
  for (const server of servers) await server.open(settings.users, settings.registerRate);
  const rates = {};
  if (settings.search) for (const server of servers) rates[server.name] = await highest(server);
  for (let round = 0; round < settings.rounds; round += 1) {
    await phases(servers, 'registration', settings.registerRate, ['register', settings.registerRate], settings.users);
    for (const rate of settings.rates) await callPhase(servers, 'browser', rate, settings.seconds);
    await callPhase(servers, 'trunk', TRUNK_RATE, settings.seconds);
  }
  return rates;
});

const rows = [];
for (const rate of settings.rates) {
  const name = 'browser call';
  rows.push(row(`browser to trunk, ${rate}/s: processor time of a call, ms`, name, rate, 'cpu', `ratio ${MARKS.calls}`));
  rows.push(row(`browser to trunk, ${rate}/s: answered after, median, ms`, name, rate, 'p50'));
  rows.push(row(`browser to trunk, ${rate}/s: answered after, 99 %, ms`, name, rate, 'p99'));
}
rows.push(row(`trunk to trunk, ${TRUNK_RATE}/s: processor time of a call, ms`, 'trunk call', TRUNK_RATE, 'cpu', `${MARKS.trunkCall} ms`));
rows.push(row('processor time of a registration, ms', 'registration', settings.registerRate, 'cpu'));
rows.push(['memory of a registered WebSocket, KiB', memory.gateway, memory.kamailio, memory.gateway / memory.kamailio, `${MARKS.websocket} KiB`]);
if (settings.search) rows.push(['highest rate without failures, calls/s', found.gateway, found.kamailio, found.gateway / found.kamailio, `${MARKS.rate}/s`]);
table(['gateway', 'Kamailio', 'ratio', 'mark'], rows);
const failures = raw.filter((one) => one.phase !== 'search' && one.failed > 0);
for (const one of failures) console.log(`failed: ${one.server}, ${one.phase} at ${one.rate}/s: ${one.failed} of ${one.begun} ${JSON.stringify(one.reasons)}`);
mkdirSync(join(options.json, '..'), { recursive: true });
writeFileSync(options.json, `${JSON.stringify({ settings, memory, highest: found, phases: raw }, null, 1)}\n`);
console.log(`All figures: ${options.json}`);
