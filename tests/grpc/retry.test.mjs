// A client with a retry policy, in Node and in Python, never makes anyone's telephone ring twice.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { CallControl, Code, grpc, services } from '../peers/call_control.mjs';
import { repository } from '../peers/gateway.mjs';
import { Stage } from '../peers/stage.mjs';

const ATTEMPTS = 4;
const ANSWERS = [404, 408, 480, 486, 487, 488, 500, 503, 504, 600, 603];

const SERVICE_CONFIG = JSON.stringify({
  loadBalancingConfig: [{ pick_first: {} }],
  methodConfig: [{
    name: [{ service: 'trunkline.v1.CallService' }],
    retryPolicy: {
      maxAttempts: ATTEMPTS, initialBackoff: '0.05s', maxBackoff: '0.1s', backoffMultiplier: 1,
      retryableStatusCodes: Object.keys(Code).filter((name) => Number.isNaN(Number(name)) && name !== 'OK'),
    },
  }],
});

let stage;
let folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trunkline-retry-'));
  execFileSync(join(repository, 'deploy/examples/python/generate'), [folder]);
  stage = await Stage.open({ browser: false, rtpPorts: 400 });
});
afterEach(() => stage.clear());
after(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

const request = (to, id) => ({ from: 'service:echo', to, wait_until: 'WAIT_UNTIL_ANSWERED', ...(id ? { request_id: id } : {}) });

// Each makes one call to each of the numbers, one after the other; resolves to the status codes.
const clients = {
  async 'grpc-js'(endpoint, numbers, id) {
    const api = new CallControl(endpoint, { options: { 'grpc.service_config': SERVICE_CONFIG } });
    const codes = [];
    for (const to of numbers) codes.push((await api.createCall(request(to, id && `${id}-${to}`))).error?.code ?? 0);
    api.close();
    return codes;
  },
  async Python(endpoint, numbers, id = '') {
    const { stdout } = await promisify(execFile)('/usr/bin/python3', [join(repository, 'tests/grpc/retry.py'), endpoint, SERVICE_CONFIG, id, ...numbers], {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: folder },
    });
    return stdout.trim().split('\n').map(Number);
  },
};

// A server that fails without a word about retries, and counts.
async function failing() {
  const server = new grpc.Server();
  const failed = { attempts: 0, close: () => server.forceShutdown() };
  server.addService(services.CallService.service, {
    CreateCall(_, answer) {
      failed.attempts += 1;
      answer({ code: Code.UNAVAILABLE, details: 'no' });
    },
  });
  const port = await new Promise((done, fail) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? fail(error) : done(bound))));
  failed.endpoint = `127.0.0.1:${port}`;
  return failed;
}

for (const [name, dial] of Object.entries(clients)) {
  describe(`a client that retries, in ${name},`, () => {
    it('does retry', async () => {
      const server = await failing();
      assert.deepEqual(await dial(server.endpoint, ['5551000']), [Code.UNAVAILABLE]);
      server.close();
      assert.equal(server.attempts, ATTEMPTS);
    });

    for (const [how, id] of [['without a request_id', undefined], ['with a request_id', `retry-${name}`]]) {
      it(`dials a number once whatever it answers, ${how}`, async () => {
        const numbers = ANSWERS.map((status) => `5550${status}`);
        const invites = Object.fromEntries(numbers.map((number) => [number, 0]));
        ANSWERS.forEach((status, at) => stage.carrier.behaviours.set(numbers[at], (call) => {
          invites[numbers[at]] += 1;
          call.reject(status, 'Refused');
        }));
        const codes = await dial(stage.gateway.grpcAddress, numbers, id);
        assert.ok(codes.length === numbers.length && codes.every((code) => code !== Code.OK), String(codes));
        assert.deepEqual(invites, Object.fromEntries(numbers.map((number) => [number, 1])));
      });
    }
  });
}
