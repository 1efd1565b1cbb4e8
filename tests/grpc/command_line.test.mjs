// The command-line client: what it prints for people and for programs, and what it exits with.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createServer, connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl, Code } from '../peers/call_control.mjs';
import { build, Gateway } from '../peers/gateway.mjs';
import { end, ringAndAnswer, ROUTES, Stage, TRUNK } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const TOKEN = 'token-of-the-desk';
const program = join(build, 'trunkline');

let stage;
let api;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-cli-'));
  stage = await Stage.open({ extra: 'reload: { watch: false }' });
  ({ api } = stage);
});
afterEach(() => stage.clear());
after(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

// Runs the program to its end: { code, out, err }.
function run(args, { endpoint = stage.gateway.grpcAddress, environment = {} } = {}) {
  return new Promise((done) => {
    const child = spawn(program, [...args, '--endpoint', endpoint], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
    const outcome = { code: null, out: '', err: '' };
    child.stdout.on('data', (text) => (outcome.out += text));
    child.stderr.on('data', (text) => (outcome.err += text));
    child.once('close', (code, signal) => done({ ...outcome, code: code ?? signal }));
  });
}

async function good(args, options) {
  const { code, out, err } = await run(args, options);
  assert.equal(code, 0, `${args.join(' ')}: ${err}`);
  assert.equal(err, '');
  return out;
}

const json = async (args, options) => JSON.parse(await good([...args, '--json'], options));

// A program that goes on: its lines as they come.
function follow(args, endpoint = stage.gateway.grpcAddress) {
  const child = spawn(program, [...args, '--endpoint', endpoint], { stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { lines: [], errors: '', child };
  createInterface({ input: child.stdout }).on('line', (line) => running.lines.push(line));
  child.stderr.on('data', (text) => (running.errors += text));
  running.exited = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  running.line = (pattern) => until(() => running.lines.find((line) => pattern.test(line)), `a line like ${pattern}`);
  running.stop = () => {
    child.kill('SIGTERM');
    return running.exited;
  };
  return running;
}

describe('trunkline call', () => {
  it('makes a call, waits for it and ends it', async () => {
    const arrival = stage.arrival(ringAndAnswer);
    const running = run(['call', 'user:alice', '5551000', '--wait', 'answered', '--metadata', 'order=17', '--header', 'X-A=b=c', '--header', 'X-B=d',
      '--caller-number', '+49301', '--caller-name', 'Büro', '--ring-timeout', '90s', '--max-duration', '1h', '--json']);
    const { call: number } = await stage.alice.event('incoming');
    stage.alice.answer(number);
    const peer = await arrival;
    const { code, out, err } = await running;
    assert.equal(code, 0, err);
    const { call } = JSON.parse(out);
    assert.equal(call.state, 'CALL_STATE_ANSWERED');
    assert.deepEqual(call.metadata, { order: '17' });
    assert.deepEqual([peer.invite.headers['x-a'], peer.invite.headers['x-b']], [['b=c'], ['d']]);
    assert.match(peer.invite.headers.from[0], /\+49301/);
    const id = call.call_id;

    assert.match(await good(['calls']), new RegExp(`^CALL .*\\n${id} +answered +user:alice +5551000 +carrier `));
    assert.match(await good(['calls', id]), /^call +.*\nstate +answered/);
    assert.equal((await json(['calls'])).calls[0].call_id, id);
    assert.equal((await json(['calls', id])).call.call_id, id);

    assert.match(await good(['call', 'hold', id]), /state +held/);
    assert.match(await good(['call', 'resume', id, '--leg', 'to']), /state +answered/);
    assert.match(await good(['call', 'mute', id, '--direction', 'to']), /deafened/);
    assert.doesNotMatch(await good(['call', 'unmute', id, '--direction', 'to']), /deafened/);
    await good(['call', 'dtmf', id, '42#', '--tone', '60ms']);
    await until(() => peer.rtp.digits.join('') === '42#', '42# at the trunk');
    assert.match(await good(['call', 'stats', id]), /^LEG .*\nfrom +PCMU +\S/);
    assert.equal((await json(['call', 'stats', id])).legs.length, 2);

    assert.match(await good(['trace', id]), /INVITE/);
    JSON.parse(await good(['trace', id, '--format', 'json']));
    const file = join(folder, 'call.pcapng');
    await good(['trace', id, '--format', 'pcapng', '-o', file]);
    assert.equal(readFileSync(file).readUInt32LE(0), 0x0a0d0d0a);
    assert.equal((await run(['trace', id, '-o', join(folder, 'no', 'such')])).code, 74);

    await good(['call', 'hangup', id, '--code', '480', '--reason', 'Done']);
    await until(() => peer.ended, 'BYE at the trunk');
    await until(async () => (await json(['calls'])).calls.length === 0, 'no call');
    assert.match(await good(['calls', '--ended']), new RegExp(`${id} +ended.*ended by api`));
  });

  it('says in words why a call failed, and exits with the number of the status', async () => {
    stage.carrier.onCall = (call) => call.reject(486, 'Busy Here', [['Retry-After', '30']]);
    const { code, out, err } = await run(['call', 'service:echo', '5551000', '--wait', 'answered']);
    assert.equal(code, Code.FAILED_PRECONDITION);
    assert.equal(out, '');
    assert.match(err, /^trunkline: FAILED_PRECONDITION \(CALLEE_BUSY\): /);
    assert.match(err, /SIP: 486 Busy Here, from the peer, leg to, trunk carrier/);
    assert.match(err, /try again in 30 s/);
    const machine = await run(['call', 'service:echo', '5551000', '--wait', 'answered', '--json']);
    assert.equal(machine.code, Code.FAILED_PRECONDITION);
    const { details } = JSON.parse(machine.err);
    assert.equal(details.find((one) => one['@type'].endsWith('ErrorInfo')).reason, 'CALLEE_BUSY');
    assert.equal(details.find((one) => one['@type'].endsWith('SipStatus')).code, 486);
  });

  it('names the field that is wrong', async () => {
    const { code, err } = await run(['call', 'service:echo', 'mailto:x', '--header', 'Via=x']);
    assert.equal(code, Code.INVALID_ARGUMENT);
    assert.match(err, /\n {2}to: /);
    assert.match(err, /\n {2}headers\[0\].name: /);
  });

  it('transfers a call', async (t) => {
    const bob = await SyntheticBrowser.open(stage.gateway, 'bob');
    t.after(() => bob.close());
    const { id, peer } = await stage.connected();
    const running = run(['call', 'transfer', id, 'user:bob', '--mode', 'gateway']);
    const { call: number } = await bob.event('incoming');
    bob.answer(number);
    assert.equal((await running).code, 0);
    await good(['call', 'hangup', id]);
    await until(() => peer.ended, 'BYE at the trunk');
  });

  it('knows no call of that name', async () => {
    for (const args of [['calls', 'x'], ['trace', 'x'], ['call', 'hangup', 'x'], ['call', 'reject', 'x'], ['call', 'answer', 'x'], ['call', 'stats', 'x'], ['call', 'hold', 'x'],
      ['call', 'dtmf', 'x', '1'], ['call', 'transfer', 'x', '5551000'], ['call', 'transfer', 'x', '--with', 'y']]) {
      const { code, err } = await run(args);
      assert.equal(code, Code.NOT_FOUND, args.join(' '));
      assert.match(err, /NOT_FOUND \(CALL_NOT_FOUND\)/);
    }
  });
});

describe('trunkline calls --watch', () => {
  it('prints what happens', async () => {
    const watch = follow(['calls', '--watch']);
    const lines = follow(['calls', '--watch', '--json']);
    await lines.line(/snapshot_end/);
    stage.carrier.onCall = (call) => call.reject(486);
    // The other one has begun when it tells of a call.
    await until(async () => {
      await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
      return watch.lines.length > 0;
    }, 'lines');
    await watch.line(/service:echo -> 5551000 {2}ended by callee: 486 CALLEE_BUSY$/);
    await lines.line(/"ended":/);
    for (const line of lines.lines) JSON.parse(line);
    assert.equal(await watch.stop(), 'SIGTERM');
    assert.equal(await lines.stop(), 'SIGTERM');
  });

  it('survives a broken connection and misses nothing', async () => {
    // A relay of ours, whose connections can be cut.
    const sockets = new Set();
    const relay = createServer((near) => {
      const far = connect(stage.gateway.grpcPort, '127.0.0.1');
      for (const [one, other] of [[near, far], [far, near]]) {
        sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
      }
    });
    await new Promise((done) => relay.listen(0, '127.0.0.1', done));
    const watch = follow(['calls', '--watch', '--json'], `127.0.0.1:${relay.address().port}`);
    await watch.line(/snapshot_end/);
    stage.carrier.onCall = (call) => call.reject(486);
    const sequences = () => watch.lines.map((line) => JSON.parse(line)).filter((message) => message.event).map((message) => Number(message.sequence));
    for (let round = 1; round <= 3; round += 1) {
      const reference = api.watchCalls();
      await reference.snapshotEnd();
      await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
      const { sequence } = await reference.until((message) => message.event?.ended);
      await until(() => sequences().at(-1) === sequence, 'the last event');
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
      const next = await reference.until((message) => message.event?.ended);
      await until(() => sequences().at(-1) === next.sequence, 'what happened meanwhile');
      reference.cancel();
    }
    const told = sequences();
    assert.deepEqual(told, told.map((_, at) => told[0] + at));
    assert.equal(watch.lines.filter((line) => line.includes('snapshot_end')).length, 1);
    assert.match(watch.errors, /connecting again/);
    await watch.stop();
    relay.close();
  });

  it('begins again when the gateway was started again', async () => {
    const gateway = await Gateway.start({ routes: ROUTES });
    const watch = follow(['calls', '--watch', '--json'], gateway.grpcAddress);
    await watch.line(/snapshot_end/);
    await end(gateway);
    await gateway.launch();
    await until(() => watch.lines.filter((line) => line.includes('snapshot_end')).length === 2, 'a second snapshot');
    await watch.stop();
    await gateway.stop();
  });
});

describe('trunkline trunks, registrations, explain, drain and reload', () => {
  it('show trunks and act on them', async () => {
    assert.match(await good(['trunks']), /^TRUNK .*\ncarrier +\w+ +0 of 2000 +sip:127\.0\.0\.1/);
    assert.match(await good(['trunks', 'disable', 'carrier']), /carrier +disabled/);
    assert.equal((await json(['trunks', 'enable', 'carrier'])).trunk.enabled, true);
    assert.match(await good(['trunks', 'ping', 'carrier']), /^answered with 200 .* after \d/);
    assert.equal((await run(['trunks', 'other'])).code, Code.NOT_FOUND);
  });

  it('show registrations and act on them', async (t) => {
    const bob = await SyntheticBrowser.open(stage.gateway, 'bob');
    t.after(() => bob.close());
    assert.match(await good(['registrations']), /^USER .*\nalice .*\nbob /);
    assert.deepEqual((await json(['registrations', 'bob'])).registrations.map((one) => one.user), ['bob']);
    assert.match(await good(['registrations', 'delete', 'bob']), /\nbob /);
    assert.equal((await run(['registrations', 'delete', 'bob'])).code, Code.NOT_FOUND);
    const { username, password } = await json(['registrations', 'credential', 'carol', '--ttl', '5m']);
    const carol = await SyntheticBrowser.open(stage.gateway, 'carol', { username, password });
    t.after(() => carol.close());
  });

  it('explain routes and the table', async () => {
    const out = await good(['explain', 'alice', '5551000', '--source', 'user:alice']);
    assert.match(out, /^RULE /);
    assert.match(out, /target +trunk:carrier/);
    assert.equal(await good(['explain', 'user:alice', '5551000']), out, 'the user who calls is the source');
    const refused = await good(['explain', 'alice', 'nowhere', '--source', 'user:alice']);
    assert.match(refused, /refused with +404/);
    assert.match(refused, /because +no rule gives a target: 404\n$/);
    assert.match(await good(['explain', 'status', '486']), /486 +Busy Here +FAILED_PRECONDITION +CALLEE_BUSY/);
    assert.deepEqual((await json(['explain', 'status'])).mappings.length, (await api.must('describeStatus', {})).mappings.length);
  });

  it('drain and take calls again', async () => {
    assert.match(await good(['drain', '--timeout', '5m']), /takes no more calls/);
    assert.equal((await run(['call', 'service:echo', '5551000'])).code, Code.UNAVAILABLE);
    assert.match(await good(['drain', '--undo']), / takes calls/);
  });

  it('drain and come back with the last call', async () => {
    const { id, peer } = await stage.connected();
    const waiting = run(['drain', '--wait']);
    await until(async () => (await api.must('getNode', {})).node.draining, 'the drain');
    await stage.hangUp(id, peer);
    const { code, out } = await waiting;
    assert.equal(code, 0);
    assert.match(out, /takes no more calls; calls now: 0\n$/);
    await good(['drain', '--undo']);
  });

  it('stop waiting when the drain is undone', async () => {
    const { id, peer } = await stage.connected();
    const waiting = run(['drain', '--wait']);
    await until(async () => (await api.must('getNode', {})).node.draining, 'the drain');
    await good(['drain', '--undo']);
    assert.equal((await waiting).code, Code.ABORTED);
    await stage.hangUp(id, peer);
  });

  it('read the configuration again', async () => {
    assert.equal(await good(['reload']), 'nothing has changed\n');
    const first = stage.gateway.configuration;
    stage.gateway.rewrite((text) => text.replace('routes:', 'limits: { max_calls: 77, max_transactions: 5000 }\nroutes:'));
    assert.equal(await good(['reload']), 'in use now:   limits.max_calls\nby a restart: limits.max_transactions\n');
    stage.gateway.rewrite(() => 'routes: 7\n');
    assert.equal((await run(['reload'])).code, Code.INVALID_ARGUMENT);
    stage.gateway.rewrite(() => first);
    await good(['reload']);
  });
});

describe('the command line', () => {
  it('refuses what makes no sense with 64', async () => {
    for (const args of [['call'], ['call', 'user:alice'], ['call', 'hangup'], ['call', 'dtmf', 'x'], ['call', 'transfer', 'x'], ['calls', '--wath'], ['trace'], ['trace', 'x', '--format', 'xml'],
      ['explain'], ['explain', 'status', '99'], ['call', 'a', 'b', '--ring-timeout', '30'], ['call', 'a', 'b', '--header', 'X'], ['trunks', 'enable'], ['drain', '--undo', '--timeout', '3s'], ['drain', '--undo', '--wait'],
      ['calls', '--token-file', join(folder, 'none')], ['calls', '--cert', join(folder, 'none')], ['calls', '--token', 'a\nb'], ['nonsense']]) {
      const { code, err } = await run(args);
      assert.equal(code, 64, args.join(' '));
      assert.notEqual(err, '');
    }
    assert.equal((await run(['calls', '--help'])).code, 0);
  });

  it('says when nobody is there', async () => {
    const { code, err } = await run(['calls'], { endpoint: '127.0.0.1:1' });
    assert.equal(code, Code.UNAVAILABLE);
    assert.match(err, /^trunkline: UNAVAILABLE: .*\n {2}is that the gateway's listen.grpc\? --endpoint HOST:PORT/);
    for (const endpoint of ['127.0.0.1', 'gateway', '127.0.0.1:'])
      assert.equal((await run(['calls'], { endpoint })).code, 64, endpoint);
    assert.equal((await run(['calls', '--watch'], { endpoint: '127.0.0.1:1' })).code, Code.UNAVAILABLE);
  });

  it('takes a token from the command line, a file or the environment', async () => {
    const gateway = await Gateway.start({ routes: ROUTES, grpc: `, tokens: [{ name: desk, token: ${TOKEN}, roles: [read] }]` });
    const endpoint = gateway.grpcAddress;
    const { code, err } = await run(['calls'], { endpoint });
    assert.equal(code, Code.UNAUTHENTICATED);
    assert.match(err, /UNAUTHENTICATED \(API_/);
    const file = join(folder, 'token');
    writeFileSync(file, `${TOKEN}\n`);
    await good(['calls', '--token', TOKEN], { endpoint });
    await good(['calls', '--token-file', file], { endpoint });
    await good(['calls'], { endpoint, environment: { TRUNKLINE_TOKEN: TOKEN } });
    assert.equal((await run(['drain', '--token', TOKEN], { endpoint })).code, Code.PERMISSION_DENIED);
    const api2 = new CallControl(endpoint, { token: TOKEN });
    assert.equal((await api2.listCalls({})).error, null);
    api2.close();
    await gateway.stop();
  });

  it('prints nothing that could steer a terminal', async () => {
    const peer = await stage.carrier.call('1001', { from: '+49301' });
    await stage.alice.event('incoming');
    const out = await good(['calls']);
    assert.doesNotMatch(out, /[\x00-\x09\x0b-\x1f\x7f]/);
    peer.cancel();
    assert.equal(await peer.final(), 487);
  });
});
