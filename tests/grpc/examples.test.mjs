// The examples of deploy/examples do what their README says, in both languages.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { Gateway, repository } from '../peers/gateway.mjs';
import { freePort } from '../peers/ports.mjs';
import { end, ringAndAnswer, ROUTES, Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const PYTHON = '/usr/bin/python3'; // the one that Debian's packages are for
const examples = join(repository, 'deploy/examples');

let folder;
let stage;
const running = new Set();

// Runs an example; its output as it comes.
function start(language, name, args) {
  const [command, file] = language === 'Python' ? [PYTHON, `python/${name}.py`] : [process.execPath, `node/${name}.mjs`];
  const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', TRUNKLINE_STUBS: join(folder, 'stubs') };
  const child = spawn(command, [join(examples, file), ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
  const example = { output: '', child };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (example.output += text));
  example.exited = new Promise((done) => child.once('exit', (code, signal) => {
    running.delete(example);
    done(code ?? signal);
  }));
  example.says = (pattern) => until(() => pattern.exec(example.output), `${pattern} from ${name}: ${example.output}`);
  example.stop = (signal = 'SIGKILL') => {
    child.kill(signal);
    return example.exited;
  };
  running.add(example);
  return example;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-examples-'));
  execFileSync(join(examples, 'python/generate'), [join(folder, 'stubs')]);
  stage = await Stage.open();
});

afterEach(async () => {
  for (const example of [...running]) await example.stop();
  await stage.clear();
});

after(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

for (const language of ['Python', 'Node.js']) {
  describe(`${language}: click-to-call`, () => {
    it('connects two, and says who hung up', async () => {
      const arrival = stage.arrival(ringAndAnswer);
      const example = start(language, 'click_to_call', ['--endpoint', stage.gateway.grpcAddress, 'user:alice', '5551000']);
      const { call: number } = await stage.alice.event('incoming');
      stage.alice.answer(number);
      const peer = await arrival;
      await example.says(/ is up: user:alice talks to 5551000/);
      await stage.talk(number, peer);
      peer.bye();
      assert.equal(await example.exited, 0, example.output);
      assert.match(example.output, /was ended by the callee/);
    });

    it('says why not', async () => {
      stage.carrier.onCall = (call) => call.reject(486, 'Busy Here');
      const example = start(language, 'click_to_call', ['--endpoint', stage.gateway.grpcAddress, 'service:echo', '5551000']);
      assert.equal(await example.exited, 9);
      assert.match(example.output, /FAILED_PRECONDITION CALLEE_BUSY: .*\(SIP 486 Busy Here\)/);
    });
  });

  describe(`${language}: event log`, () => {
    const entries = (file) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line)) : []);
    const sequences = (file) => entries(file).filter((entry) => entry.event).map((entry) => Number(entry.sequence));
    const call = () => stage.api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });

    it('killed and started again, writes each event once', async () => {
      const file = join(folder, `${language}.log`);
      const args = ['--endpoint', stage.gateway.grpcAddress, file];
      stage.carrier.onCall = (one) => one.reject(486);
      const watch = stage.api.watchCalls();
      let example = start(language, 'event_log', args);
      await until(() => entries(file).some((entry) => entry.snapshot_end), 'the snapshot');
      for (let round = 0; round < 3; round += 1) {
        await call();
        const calling = call();
        await example.stop();
        await calling;
        await call(); // nobody logs
        example = start(language, 'event_log', args);
      }
      await call();
      for (let calls = 0; calls < 10; calls += 1) await watch.event('ended');
      const expected = watch.messages.filter((message) => message.event).map((message) => message.sequence);
      await until(() => sequences(file).at(-1) === expected.at(-1), 'the last event in the log');
      assert.deepEqual(sequences(file), expected);
      assert.equal(entries(file).filter((entry) => entry.snapshot_end).length, 1);
      watch.cancel();
    });

    it('cuts off a line that a crash has left half', async () => {
      const file = join(folder, `${language}.half.log`);
      const args = ['--endpoint', stage.gateway.grpcAddress, file];
      let example = start(language, 'event_log', args);
      await until(() => entries(file).some((entry) => entry.snapshot_end), 'the snapshot');
      await example.stop();
      const whole = readFileSync(file, 'utf8');
      writeFileSync(file, `${whole}{"sequence": "99`);
      example = start(language, 'event_log', args);
      stage.carrier.onCall = (one) => one.reject(486);
      await call();
      await until(() => entries(file).some((entry) => entry.event?.ended), 'the end of the call');
      assert.ok(readFileSync(file, 'utf8').startsWith(whole));
      await example.stop();
    });

    it('says that something is missing when the gateway was started again', async () => {
      const gateway = await Gateway.start({ routes: ROUTES });
      const file = join(folder, `${language}.gap.log`);
      const example = start(language, 'event_log', ['--endpoint', gateway.grpcAddress, file]);
      await until(() => entries(file).some((entry) => entry.snapshot_end), 'the snapshot');
      await end(gateway);
      await gateway.launch();
      await until(() => entries(file).filter((entry) => entry.snapshot_end).length === 2, 'a second snapshot');
      assert.equal(entries(file).filter((entry) => entry.gap).length, 1);
      await example.stop();
      await gateway.stop();
    });
  });

  describe(`${language}: policy server`, () => {
    it('routes by caller', async (t) => {
      const port = await freePort();
      const file = join(folder, `${language}.routes.json`);
      writeFileSync(file, readFileSync(join(examples, 'routes.json')));
      const example = start(language, 'policy_server', ['--listen', `127.0.0.1:${port}`, file]);
      await example.says(/listening on port/);
      const desk = await Stage.open({
        routes: '  - { from: "trunk:carrier", match: ".*", target: "service:policy" }',
        extra: `policy: { endpoint: "127.0.0.1:${port}", timeout: 10s, fallback: { reject: 503 } }`,
      });
      try {
        const wanted = await desk.carrier.call('4000', { from: '+4930111' });
        const { call: number } = await desk.alice.event('incoming');
        desk.alice.answer(number);
        assert.equal(await wanted.final(), 200);
        wanted.bye();
        await desk.alice.event('ended', { call: number });

        const unwanted = await desk.carrier.call('4000', { from: '+4930222' });
        assert.equal(await unwanted.final(), 603);
        assert.equal(unwanted.finalResponse.reason, 'Not wanted');

        const patient = await desk.carrier.call('4000', { from: '+4930333' });
        await until(async () => (await desk.api.must('listCalls', {})).calls.some((call) => call.parked), 'a parked call');
        patient.cancel();
        assert.equal(await patient.final(), 487);

        const bob = await SyntheticBrowser.open(desk.gateway, 'bob');
        t.after(() => bob.close());
        const other = await desk.carrier.call('4000', { from: '+4930444' });
        const { call: his } = await bob.event('incoming');
        bob.reject(his, 486);
        assert.equal(await other.final(), 486);
      } finally {
        await desk.close();
      }
      await example.stop('SIGTERM');
    });
  });
}
