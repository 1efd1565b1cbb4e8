// The chart's scripts, against servers that say what clouds, STUN servers and Kubernetes say.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as http } from 'node:http';
import { createServer as https } from 'node:https';
import { join } from 'node:path';
import test from 'node:test';
import { until } from '../peers/until.mjs';
import { chart, render, scenario, scratch } from './helm.mjs';
import { Pod, certificates } from './pod.mjs';

const script = (name) => join(chart, 'files', name);

// Everything open is closed when the test is over.
async function listening(t, server, address = '127.0.0.1') {
  await new Promise((done) => server.listen(0, address, done));
  server.unref();
  t.after(() => server.close());
  return server.address().port;
}

// Answers by path: text, an object (JSON), or a function of the request.
function pages(table) {
  return (request, response) => {
    const found = table[request.url.split('?')[0]];
    const answer = typeof found === 'function' ? found(request) : found;
    if (answer === undefined) response.writeHead(404).end();
    else response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  };
}

function account() {
  const folder = mkdtempSync(join(scratch, 'account-'));
  writeFileSync(join(folder, 'token'), 'the-token\n');
  copyFileSync(certificates.path('ca.pem'), join(folder, 'ca.crt'));
  return folder;
}

// A Kubernetes API that knows its callers: variables that lead a script there.
async function kubernetes(t, table, seen = []) {
  const server = https({ cert: certificates.read('pod.pem'), key: certificates.read('pod.key') }, (request, response) => {
    seen.push(request);
    if (request.headers.authorization !== 'Bearer the-token') return response.writeHead(401).end();
    return pages(table)(request, response);
  });
  return { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(await listening(t, server)), SERVICE_ACCOUNT: account() };
}

async function discover(wanted, env = {}) {
  const folder = mkdtempSync(join(scratch, 'discover-'));
  const result = join(folder, 'variables');
  const child = spawn('python3', ['-B', script('discover.py'), result], {
    env: { PATH: process.env.PATH, DISCOVER: JSON.stringify({ ADDRESS: { family: 'IPv4', ...wanted } }), TIMEOUT_SECONDS: '0',
      POD_NAME: 'edge-trunkline-1', POD_NAMESPACE: 'telephony', POD_IP: '10.1.2.3', HOST_IP: '10.0.0.7', NODE_NAME: 'node-7', ...env },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
  const status = await new Promise((done) => child.once('close', done));
  return { status, said, text: existsSync(result) ? readFileSync(result, 'utf8') : undefined };
}

async function found(wanted, env) {
  const { status, said, text } = await discover(wanted, env);
  assert.equal(status, 0, said);
  return /^ADDRESS=(\S+)\n$/.exec(text)[1];
}

async function refused(wanted, env) {
  const { status, said, text } = await discover(wanted, env);
  assert.equal(status, 1, said);
  assert.equal(text, undefined, 'nothing is written');
  return said;
}

// With an XOR-MAPPED-ADDRESS of IPv4 (RFC 8489 §14.2).
function stunAnswer(request, address, { transaction = request.subarray(8, 20), before = Buffer.alloc(0), type = 0x0101 } = {}) {
  const attribute = Buffer.from([0, 0x20, 0, 8, 0, 1, 0, 0, ...address.split('.').map((octet, index) => Number(octet) ^ request[4 + index])]);
  const header = Buffer.alloc(8);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(before.length + attribute.length, 2);
  request.copy(header, 4, 4, 8);
  return Buffer.concat([header, transaction, before, attribute]);
}

async function stunServer(t, answer) {
  const socket = dgram.createSocket('udp4');
  socket.unref();
  t.after(() => socket.close());
  let count = 0;
  socket.on('message', (request, from) => {
    for (const octets of answer(request, (count += 1))) socket.send(octets, from.port, from.address);
  });
  await new Promise((done) => socket.bind(0, '127.0.0.1', done));
  return `127.0.0.1:${socket.address().port}`;
}

test('STUN: what the server sees, past what comes before it and answers to others', async (t) => {
  const software = Buffer.from([0x80, 0x22, 0, 5, ...Buffer.from('abcde'), 0, 0, 0]);
  const server = await stunServer(t, (request) => [
    stunAnswer(request, '192.0.2.66', { transaction: Buffer.alloc(12) }), // of another request
    stunAnswer(request, '192.0.2.66', { type: 0x0111 }), // an error
    Buffer.from('no STUN at all, but long enough'),
    stunAnswer(request, '8.8.4.4', { before: software }),
  ]);
  assert.equal(await found({ source: 'stun', servers: [server], public: true }), '8.8.4.4');
});

// As RFC 8489 §6.2.1 has it.
test('STUN: a lost request is sent again, a silent server passed over', async (t) => {
  const server = await stunServer(t, (request, count) => (count < 3 ? [] : [stunAnswer(request, '8.8.4.4')]));
  assert.equal(await found({ source: 'stun', servers: ['127.0.0.1:1', server] }), '8.8.4.4');
});

test('STUN: no server that answers ends the start with the reason', async () => {
  assert.match(await refused({ source: 'stun', servers: ['127.0.0.1:1'] }), /ADDRESS: no address from source stun: 127\.0\.0\.1:1: .*refused/);
});

const CLOUDS = {
  aws: {
    '/latest/api/token': (request) => (request.method === 'PUT' && request.headers['x-aws-ec2-metadata-token-ttl-seconds'] ? 'session' : undefined),
    '/latest/meta-data/public-ipv4': (request) => (request.headers['x-aws-ec2-metadata-token'] === 'session' ? '8.8.4.4' : undefined),
  },
  gcp: { '/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip': (request) => (request.headers['metadata-flavor'] === 'Google' ? '8.8.4.4' : undefined) },
  azure: { '/metadata/instance/network/interface/0/ipv4/ipAddress/0/publicIpAddress': (request) => (request.headers.metadata === 'true' && request.url.includes('api-version=') ? '8.8.4.4' : undefined) },
  hetzner: { '/hetzner/v1/metadata/public-ipv4': '8.8.4.4\n' },
  digitalocean: { '/metadata/v1/interfaces/public/0/ipv4/address': '8.8.4.4' },
};
for (const [provider, table] of Object.entries(CLOUDS)) {
  test(`cloud: ${provider}, named and found by itself`, async (t) => {
    const METADATA_URL = `http://127.0.0.1:${await listening(t, http(pages(table)))}`;
    for (const name of [provider, 'auto']) assert.equal(await found({ source: 'cloud', provider: name, public: true }, { METADATA_URL }), '8.8.4.4');
    const other = provider === 'aws' ? 'gcp' : 'aws';
    assert.match(await refused({ source: 'cloud', provider: other }, { METADATA_URL }), new RegExp(`${other}: .*answered 404`));
  });
}

test('cloud: a proxy of the environment is not asked', async (t) => {
  const METADATA_URL = `http://127.0.0.1:${await listening(t, http(pages(CLOUDS.hetzner)))}`;
  assert.equal(await found({ source: 'cloud', provider: 'hetzner' }, { METADATA_URL, http_proxy: 'http://127.0.0.1:1' }), '8.8.4.4');
});

const node = (addresses, metadata = {}) => ({ '/api/v1/nodes/node-7': { metadata, status: { addresses } } });

test('the node\'s ExternalIP, of the family wanted', async (t) => {
  const env = await kubernetes(t, node([{ type: 'InternalIP', address: '10.0.0.7' }, { type: 'ExternalIP', address: '2a00::7' }, { type: 'ExternalIP', address: '8.8.4.4' }]));
  assert.equal(await found({ source: 'nodeExternalIP', public: true }, env), '8.8.4.4');
  const none = await kubernetes(t, node([{ type: 'InternalIP', address: '10.0.0.7' }]));
  assert.match(await refused({ source: 'nodeExternalIP' }, none), /node node-7 has no ExternalIP of IPv4/);
});

test('a label or an annotation of the node', async (t) => {
  const label = 'example.test/address';
  for (const metadata of [{ labels: { [label]: '198.51.100.4' } }, { labels: {}, annotations: { [label]: '198.51.100.4' } }])
    assert.equal(await found({ source: 'nodeLabel', label }, await kubernetes(t, node([], metadata))), '198.51.100.4');
  assert.match(await refused({ source: 'nodeLabel', label }, await kubernetes(t, node([]))), /neither a label nor an annotation/);
  const wrong = await kubernetes(t, node([], { labels: { [label]: 'edge' } }));
  assert.match(await refused({ source: 'nodeLabel', label }, wrong), /'edge' is not an IPv4 address/);
});

const serviceWith = (ingress) => ({ '/api/v1/namespaces/telephony/services/edge-direct-1': { status: { loadBalancer: { ingress } } } });
const ofService = { source: 'service', service: 'edge-direct', perPod: true };

test('the address of this pod\'s LoadBalancer Service, when it has come', async (t) => {
  assert.equal(await found(ofService, await kubernetes(t, serviceWith([{ ip: '10.9.0.1' }]))), '10.9.0.1');
  let asked = 0;
  const later = { '/api/v1/namespaces/telephony/services/edge-direct-1': () => serviceWith((asked += 1) < 2 ? [] : [{ ip: '10.9.0.2' }])['/api/v1/namespaces/telephony/services/edge-direct-1'] };
  assert.equal(await found(ofService, { ...(await kubernetes(t, later)), TIMEOUT_SECONDS: '60' }), '10.9.0.2');
  assert.match(await refused(ofService, await kubernetes(t, serviceWith([]))), /Service edge-direct-1 has no address yet/);
});

test('a load balancer with a name: loopback is nothing to tell', async (t) => {
  assert.match(await refused(ofService, await kubernetes(t, serviceWith([{ hostname: 'localhost' }]))), /127\.0\.0\.1 can't be reached by anyone else/);
});

test('a Kubernetes API that refuses, or isn\'t the cluster\'s, is said', async (t) => {
  const env = await kubernetes(t, {});
  assert.match(await refused({ source: 'nodeExternalIP' }, env), /nodes\/node-7 answered 404/);
  writeFileSync(join(env.SERVICE_ACCOUNT, 'token'), 'another');
  assert.match(await refused({ source: 'nodeExternalIP' }, env), /answered 401/);
  certificates.authority('stranger');
  copyFileSync(certificates.path('stranger.pem'), join(env.SERVICE_ACCOUNT, 'ca.crt'));
  assert.match(await refused({ source: 'nodeExternalIP' }, env), /CERTIFICATE_VERIFY_FAILED/);
});

test('an address that peers can\'t reach is never told', async (t) => {
  const given = async (address, more = {}, env = {}) => refused({ source: 'nodeLabel', label: 'a', ...more }, { ...(await kubernetes(t, node([], { labels: { a: address } }))), ...env });
  assert.match(await given('0.0.0.0'), /can't be reached/);
  assert.match(await given('169.254.1.1'), /can't be reached/);
  assert.match(await given('224.0.0.1'), /can't be reached/);
  assert.match(await given('10.1.2.3'), /is the pod's own address/);
  assert.match(await given('192.168.1.1', { public: true }), /is a private address; allow it with address\.discovery\.allowPrivate/);
  assert.match(await given('2001:db8::1'), /is not an IPv4 address/);
});

test('each pod of a StatefulSet is told its own address', async () => {
  assert.equal(await found({ source: 'static', perPod: ['198.51.100.1', '198.51.100.2'] }), '198.51.100.2');
  assert.match(await refused({ source: 'static', perPod: ['198.51.100.1'] }), /perPod has no address for pod 1/);
  assert.match(await refused({ source: 'static', perPod: ['198.51.100.1'] }, { POD_NAME: 'edge-7f9c-x2x' }), /is not of a StatefulSet/);
});

// Answers in a process of its own: the test waits for the init container and can't.
const STUN_PROCESS = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', (request, from) => {
    const mapped = [8, 8, 4, 4].map((octet, index) => octet ^ request[4 + index]);
    const answer = Buffer.concat([Buffer.from([1, 1, 0, 12]), request.subarray(4, 20), Buffer.from([0, 0x20, 0, 8, 0, 1, 0, 0, ...mapped])]);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1', () => console.log(socket.address().port));`;

test('a pod as rendered: its init container finds the addresses, and the gateway takes what it wrote', async (t) => {
  const server = spawn(process.execPath, ['-e', STUN_PROCESS], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => server.kill());
  const port = String(await new Promise((done) => server.stdout.once('data', done))).trim();
  const stun = { signaling: { source: 'stun' }, discovery: { nodeLabel: '', stunServers: [`127.0.0.1:${port}`] } };
  const pod = new Pod(render([...scenario('nodeport'), { address: stun }]));
  assert.deepEqual(pod.initialise(), { status: 0 });
  assert.match(pod.configuration(), /advertise: 8\.8\.4\.4:30060\n/);
  assert.match(pod.configuration(), /\n {2}advertise: 8\.8\.4\.4\n/);
  const { status, said } = pod.check();
  assert.equal(status, 0, said);
});

test('the deletion cost of a pod is the number of its calls, told when it changes', async (t) => {
  let calls = 3;
  let metricsAsked = 0;
  const metrics = http((request, response) => {
    metricsAsked += 1;
    response.end(`# TYPE trunkline_calls_active gauge\ntrunkline_calls_active{direction="in",trunk="a"} ${calls}\ntrunkline_calls_active{direction="out",trunk="b"} 2\ntrunkline_calls_active_other 9\n`);
  });
  const told = [];
  const server = https({ cert: certificates.read('pod.pem'), key: certificates.read('pod.key') }, (request, response) => {
    let body = '';
    request.on('data', (text) => (body += text)).on('end', () => {
      told.push([request.method, request.url, request.headers['content-type'], JSON.parse(body).metadata.annotations['controller.kubernetes.io/pod-deletion-cost']]);
      response.writeHead(told.length === 1 ? 500 : 200).end(); // the first attempt fails
    });
  });
  const child = spawn('python3', ['-B', script('deletion_cost.py')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, METRICS_URL: `http://127.0.0.1:${await listening(t, metrics)}/metrics`, PERIOD_SECONDS: '0.05', POD_NAME: 'edge-1', POD_NAMESPACE: 'telephony',
      KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(await listening(t, server)), SERVICE_ACCOUNT: account() },
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (text) => (said += text));
  await until(() => told.length === 2, 'the cost to be told');
  assert.match(said, /not told: .*500/);
  const asked = metricsAsked;
  await until(() => metricsAsked > asked + 3, 'more rounds');
  assert.deepEqual(told[1], ['PATCH', '/api/v1/namespaces/telephony/pods/edge-1', 'application/merge-patch+json', '5']);
  assert.equal(told.length, 2, 'what stays the same is not told again');
  calls = 7;
  await until(() => told.length === 3, 'the new cost');
  assert.equal(told[2][3], '9');
  child.kill('SIGTERM');
  assert.equal(await new Promise((done) => child.once('exit', done)), 0);
});

test('the checks of `helm test` fail on a server that is none', async (t) => {
  const port = await listening(t, http((request, response) => response.writeHead(503).end()));
  const child = spawn('python3', ['-B', script('check.py'), `http://127.0.0.1:${port}/readyz`, `ws://127.0.0.1:${port}/`, `sip-tcp://127.0.0.1:${port}`, `grpcs://127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  assert.equal(await new Promise((done) => child.once('close', done)), 1);
  assert.equal(said.match(/^FAILED /gm).length, 4, said);
});
