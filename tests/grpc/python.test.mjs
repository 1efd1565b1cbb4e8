// A Python client, with the stubs that Debian's plugin makes, runs every RPC against the gateway with a browser and SIPp.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { methods } from '../peers/call_control.mjs';
import { repository } from '../peers/gateway.mjs';
import { freePort } from '../peers/ports.mjs';
import { Sipp } from '../peers/sipp.mjs';
import { BROWSER, Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';

let folder;
let stage;
let bob;
let sipp;
let policyPort;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-python-'));
  execFileSync(join(repository, 'deploy/examples/python/generate'), [folder]);
  policyPort = await freePort();
  stage = await Stage.open({
    carrier: false,
    routes: `
  - { from: user, match: "^2000$", target: "service:policy" }
  - { from: any, match: "^[0-9]{3,15}$", target: "trunk:carrier" }`,
    extra: `policy: { endpoint: "127.0.0.1:${policyPort}", timeout: 10s, fallback: { reject: 503 }, authenticate_users: true }`,
  });
  bob = await stage.addBrowser('bob');
  sipp = await Sipp.callee(stage.gateway, 'uas_any', { calls: 100000, args: ['-rtp_echo', '-aa'], seconds: 1200 });
});

after(async () => {
  await sipp?.close();
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a Python client', () => {
  it('runs every RPC', async () => {
    const child = spawn('/usr/bin/python3', [join(repository, 'tests/grpc/every_rpc.py'), stage.gateway.grpcAddress, String(policyPort)], {
      stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: folder },
    });
    const done = new Set();
    let errors = '';
    child.stderr.on('data', (text) => (errors += text));
    // It says what the browsers are to do: "answer alice", "call alice 2000", "register dora secret"; and "done RPC".
    const users = { alice: stage.alice, bob };
    const calls = {};
    const acts = {
      done: (name) => done.add(name),
      answer: async (user) => {
        const { call } = await users[user].event('incoming');
        calls[user] = call;
        users[user].answer(call, { tone: BROWSER, listen: BROWSER });
      },
      call: (user, number) => void (calls[user] = users[user].call(number, { tone: BROWSER, listen: BROWSER })),
      hears: (user) => users[user].hears(calls[user]),
      ended: (user) => users[user].event('ended', { call: calls[user] }),
      failed: (user) => users[user].event('failed', { call: calls[user] }),
      register: async (user, password, username = user) => {
        users[user] = await SyntheticBrowser.open(stage.gateway, user, { password, username });
        await users[user].close();
      },
    };
    const failures = [];
    createInterface({ input: child.stdout }).on('line', async (line) => {
      const [verb, ...words] = line.split(' ');
      try {
        await acts[verb](...words);
        child.stdin.write('ok\n');
      } catch (error) {
        failures.push(`${line}: ${error.message}`);
        child.stdin.end();
      }
    });
    child.stdin.on('error', () => {});
    const code = await new Promise((ended) => child.once('close', ended));
    assert.deepEqual(failures, []);
    assert.equal(code, 0, errors);
    const all = [...methods.map(([, name]) => name), 'RouteCall', 'AuthenticateUser'];
    assert.deepEqual([...done].sort(), all.sort());
  });
});
