// Who may ask what: tokens, client certificates, roles, and no open door off loopback.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CallControl, Code, methods } from '../peers/call_control.mjs';
import { build, Gateway, repository } from '../peers/gateway.mjs';
import { ROUTES } from '../peers/stage.mjs';
import { Subscribers } from '../peers/subscribers.mjs';
import { until } from '../peers/until.mjs';

const ROLES = ['read', 'call', 'admin'];

// The role of each RPC as its documentation says.
function documentedRoles() {
  const roles = {};
  for (const name of ['call', 'node', 'registration', 'routing', 'trunk']) {
    const text = readFileSync(join(repository, `proto/trunkline/v1/${name}_service.proto`), 'utf8');
    for (const [, comment, method] of text.matchAll(/((?:^ *\/\/.*\n)+) *rpc (\w+)\(/gm)) roles[method] = /Role (\w+)\./.exec(comment)?.[1];
  }
  return roles;
}

const DRAINS = ['Drain', 'Undrain', 'ReloadConfig'];

// What a client gets for an RPC with an empty request.
async function code(api, name) {
  const method = name[0].toLowerCase() + name.slice(1);
  if (!name.startsWith('Watch')) return api[method]({}).then(({ error }) => ({ code: error?.code ?? 0, reason: error?.reason, pushback: error?.pushback }));
  const watch = api[method]();
  const outcome = await Promise.race([watch.snapshotEnd().then(() => ({ code: 0 }), () => watch.end()), watch.end()]);
  watch.cancel();
  return outcome;
}

describe('tokens', () => {
  let gateway;
  const clients = {};

  before(async () => {
    gateway = await Gateway.start({
      routes: ROUTES,
      grpc: `, tokens: [${ROLES.map((role) => `{ name: ${role}, token: "token-${role}", roles: [${role}] }`).join(', ')}, { name: all, token: "token-all", roles: [read, call, admin] }]`,
    });
    for (const role of [...ROLES, 'all']) clients[role] = new CallControl(gateway.grpcAddress, { token: `token-${role}` });
  });
  after(async () => {
    for (const client of Object.values(clients)) client.close();
    await gateway?.stop();
  });

  it('are asked for', async () => {
    for (const token of [undefined, '', 'wrong', 'token-rea', 'token-read-', 'TOKEN-READ', 'token-read,token-admin', 'a'.repeat(5000)]) {
      const api = new CallControl(gateway.grpcAddress, { token });
      for (const [, name] of methods) {
        const outcome = await code(api, name);
        assert.equal(outcome.code, Code.UNAUTHENTICATED, `${name} with ${token}`);
        assert.match(outcome.reason, /^API_/);
      }
      api.close();
    }
  });

  it('may do what their roles allow, and no more', async () => {
    const roles = documentedRoles();
    for (const [, name] of methods) {
      assert.ok(ROLES.includes(roles[name]), `${name} has a role`);
      for (const role of ROLES) {
        if (role === roles[name] && DRAINS.includes(name)) continue;
        const outcome = await code(clients[role], name);
        assert.equal(outcome.code === Code.PERMISSION_DENIED, role !== roles[name], `${name} by ${role}: ${Code[outcome.code]} ${outcome.reason}`);
        if (role !== roles[name]) assert.match(outcome.reason, /^API_/);
      }
    }
    assert.equal((await code(clients.admin, 'Drain')).code, 0);
    assert.equal((await code(clients.admin, 'Undrain')).code, 0);
  });

  it('are not in the log nor in the printed configuration', () => {
    assert.ok(!gateway.output.includes('token-read'));
    const printed = spawnSync(join(build, 'trunkline'), ['--config', join(gateway.folder, 'gateway.yaml'), '--print-config'], { encoding: 'utf8' });
    assert.equal(printed.status, 0);
    assert.ok(!printed.stdout.includes('token-read'));
  });
});

describe('TLS', () => {
  let folder;
  let gateway;
  const file = (name) => join(folder, name);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

  const sign = (name, authority, names) => {
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(file(`${name}.ext`), `subjectAltName=${names}\n`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
  };
  const authority = (name) => openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`);
  const tls = (name) => ({
    ca: readFileSync(file('authority.pem')),
    ...(name ? { cert: readFileSync(file(`${name}.pem`)), key: readFileSync(file(`${name}.key`)) } : {}),
    serverName: 'gateway.example.test',
  });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'trunkline-tls-'));
    authority('authority');
    authority('stranger');
    sign('server', 'authority', 'DNS:gateway.example.test');
    sign('billing', 'authority', 'DNS:billing.example.test');
    sign('desk', 'authority', 'DNS:other.example.test,DNS:desk.example.test');
    sign('nobody', 'authority', 'DNS:nobody.example.test');
    sign('forged', 'stranger', 'DNS:desk.example.test');
    gateway = await Gateway.start({
      routes: ROUTES,
      grpc: `, tls: { certificate: "${file('server.pem')}", key: "${file('server.key')}", client_ca: "${file('authority.pem')}" }
    clients: [{ subject: billing.example.test, roles: [read] }, { subject: desk.example.test, roles: [read, call] }]`.replace('\n    clients', ', clients'),
    });
  });
  after(async () => {
    await gateway?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const outcome = async (options, method = 'listCalls', request = {}) => {
    const api = new CallControl(gateway.grpcAddress, options);
    const { error } = await api[method](request);
    api.close();
    return error?.code ?? 0;
  };

  it('knows clients by the names in their certificates', async () => {
    assert.equal(await outcome({ tls: tls('billing') }), Code.OK);
    assert.equal(await outcome({ tls: tls('billing') }, 'createCall', {}), Code.PERMISSION_DENIED);
    assert.equal(await outcome({ tls: tls('desk') }, 'createCall', {}), Code.INVALID_ARGUMENT);
    assert.equal(await outcome({ tls: tls('desk') }, 'drain'), Code.PERMISSION_DENIED);
  });

  it('lets nobody else in', async () => {
    assert.ok([Code.PERMISSION_DENIED, Code.UNAUTHENTICATED].includes(await outcome({ tls: tls('nobody') })));
    assert.equal(await outcome({ tls: tls('forged') }), Code.UNAVAILABLE);
    assert.equal(await outcome({ tls: tls() }), Code.UNAVAILABLE);
    assert.equal(await outcome({}), Code.UNAVAILABLE);
  });
});

describe('limits', () => {
  const MESSAGE = 8192;
  const METADATA = 8192;
  const STREAMS = 4;
  const SUBSCRIPTIONS = 10;
  let gateway;
  let api;

  before(async () => {
    gateway = await Gateway.start({
      routes: ROUTES,
      grpc: `, max_message: ${MESSAGE}B, max_metadata: ${METADATA}B, max_streams: ${STREAMS}, max_subscriptions: ${SUBSCRIPTIONS}`,
    });
    api = new CallControl(gateway.grpcAddress);
  });
  after(async () => {
    api?.close();
    await gateway?.stop();
  });

  it('bound a request', async () => {
    const asked = (size) => api.createCall({ from: 'service:echo', to: 'user:nobody', request_id: 'x'.repeat(size) });
    const large = await asked(MESSAGE);
    assert.deepEqual([large.error.code, large.error.reason], [Code.RESOURCE_EXHAUSTED, undefined]);
    assert.equal((await asked(MESSAGE / 2)).error.code, Code.INVALID_ARGUMENT); // it is read, and says so
  });

  it('bound the metadata of a request', async (t) => {
    const asked = (size) => {
      const client = new CallControl(gateway.grpcAddress);
      t.after(() => client.close());
      return client.listCalls({}, { metadata: { 'x-large': 'x'.repeat(size) } });
    };
    assert.equal((await asked(METADATA)).error.code, Code.RESOURCE_EXHAUSTED);
    assert.equal((await asked(METADATA / 2)).error, null);
    assert.equal((await api.listCalls({})).error, null);
  });

  it('bound the streams of a connection and the subscriptions of all', async (t) => {
    const open = async (streams) => {
      const subscribers = await Subscribers.open(gateway.grpcPort, { streams, connections: 1 });
      t.after(() => subscribers.close());
      return subscribers;
    };
    const one = await open(STREAMS);
    assert.equal(one.complete(0), STREAMS);
    const waiting = one.add();
    const two = await open(STREAMS);
    assert.equal(two.complete(0), STREAMS);
    assert.ok(!waiting.begun && !waiting.ended, 'one more has to wait for its turn');
    one.list[0].cancel();
    await until(() => waiting.begun, 'the stream that waited');
    const three = await open(STREAMS);
    const refused = three.list.filter((subscriber) => subscriber.ended).map(({ ended }) => `${ended.code} ${ended.reason}`);
    assert.ok(refused.length >= 3 * STREAMS - SUBSCRIPTIONS, `${refused.length} are refused`);
    assert.deepEqual(new Set(refused), new Set([`${Code.RESOURCE_EXHAUSTED} TOO_MANY_SUBSCRIPTIONS`]));
  });
});

describe('off loopback', () => {
  const check = (grpc, more = '') => {
    const folder = mkdtempSync(join(tmpdir(), 'trunkline-open-'));
    const name = join(folder, 'gateway.yaml');
    writeFileSync(name, `listen:\n  grpc: ${grpc}\n${more}`);
    const result = spawnSync(join(build, 'trunkline'), ['--config', name], { encoding: 'utf8', timeout: 60000 });
    rmSync(folder, { recursive: true, force: true });
    return result;
  };

  it('the start is refused without authentication, and says why', () => {
    for (const grpc of ['{ bind: "0.0.0.0:50051" }', '{ bind: "[::]:50051" }', '{ bind: "192.0.2.1:50051" }',
      '{ bind: "0.0.0.0:50051", tokens: [{ name: a, token: secret, roles: [read] }] }']) {
      const { status, stderr } = check(grpc);
      assert.equal(status, 78, `${grpc}: ${stderr}`);
      assert.match(stderr, /gateway\.yaml:2/);
      assert.match(stderr, /bind/);
      assert.ok(!stderr.includes('secret'));
    }
  });
});
