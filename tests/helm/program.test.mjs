import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { freePort, freePorts } from '../peers/ports.mjs';
import { chart, find, render, scenario, scenarios } from './helm.mjs';
import { Pod, program } from './pod.mjs';

// What no init container can find here is given.
const FOUND = { address: { signaling: { source: 'static', value: '198.51.100.7' }, media: { source: 'static', value: '198.51.100.7' } } };

for (const { name, values } of scenarios) {
  test(`the gateway takes the configuration of ${name}`, () => {
    const discovers = ['hostport', 'loadbalancer', 'nodeport'].includes(name);
    const objects = render([...values, ...(discovers ? [FOUND] : name === 'ipv6' ? [{ address: { media: { source: 'static', value: '2001:db8::5' } } }] : [])]);
    const pod = new Pod(objects, { fields: name === 'ipv6' ? { 'status.podIP': '::1' } : {} });
    assert.deepEqual(pod.initialise(), { status: 0 });
    const { status, said } = pod.check();
    assert.equal(status, 0, said);
  });
}

test('what the gateway would refuse is refused by it, with the line in the ConfigMap', () => {
  const pod = new Pod(render({ config: { trunks: [{ name: 'carrier', uri: 'sip:a.test', colour: 'blue' }] } }));
  const { status, said } = pod.check();
  assert.equal(status, 78);
  assert.match(said, /trunkline\.yaml:\d+: trunks\[0\]\.colour/);
});

test('numbers of the configuration arrive as they were written', () => {
  const pod = new Pod(render({ config: { domain: 'example.test', users: [{ name: '00123', passwordSecretRef: { name: 'a', key: 'b' } }], limits: { max_registrations: 1000000 } } }));
  assert.match(pod.configuration(), /max_registrations: 1000000\n/);
  assert.match(pod.configuration(), /name: "00123"/);
  assert.equal(pod.check().status, 0);
});

test('a number that YAML would read otherwise stays text', () => {
  const pod = new Pod(render({ config: { domain: 'example.test', users: [{ name: 'alice', password: '${A}', numbers: ['+4930123456', '0301'] }] }, existingSecret: 's' }));
  assert.equal(pod.check().status, 0, pod.check().said);
  assert.match(pod.configuration(), /"\+4930123456"/);
});

async function freeValues() {
  const [websocket, websocketTls, sip, sipTls, grpc, admin, webrtc] = await Promise.all(Array.from({ length: 7 }, () => freePort()));
  const first = await freePorts(20);
  return { ports: { websocket, websocketTls, sip, sipTls, grpc, admin, webrtc, rtp: { first, last: first + 19 } }, drain: { timeoutSeconds: 10 } };
}

// The command of the test pod of `helm test`, with the pod's address for the names of Services.
function helmTest(objects, pod) {
  const [container] = find(objects, 'Pod').spec.containers;
  const urls = container.args.map((url) => url.replace(/edge-trunkline[a-z-]*/, pod.fields['status.podIP']));
  const environment = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
  const { status, stdout, stderr } = spawnSync('python3', ['-B', join(chart, 'files/check.py'), ...urls], { encoding: 'utf8', env: { PATH: process.env.PATH, ...environment } });
  return { status, said: stdout + stderr, urls };
}

test('hostNetwork with TLS: starts, serves what `helm test` asks, and ends by SIGTERM', async () => {
  const objects = render([...scenario('hostnetwork'), await freeValues(), { tls: { sip: { clientCA: { configMapName: '' } } } }]);
  const pod = new Pod(objects);
  await pod.start();
  assert.ok((await pod.probe('livenessProbe')).ok);
  const { status, said, urls } = helmTest(objects, pod);
  assert.equal(status, 0, said);
  assert.deepEqual(urls.map((url) => url.split(':')[0]), ['http', 'wss', 'sip-udp', 'sip-tcp', 'sip-tls']);
  assert.deepEqual(await pod.terminate(), { code: 0, signal: null });
  assert.equal(helmTest(objects, pod).status, 1, 'nobody is there any more');
});

test('clusterIP with the API exposed: starts, and answers the API to who has a token', async () => {
  const free = await freeValues();
  const objects = render([...scenario('clusterip'), free]);
  const pod = new Pod(objects);
  await pod.start();
  const { status, said, urls } = helmTest(objects, pod);
  assert.equal(status, 0, said);
  assert.ok(urls.some((url) => url.startsWith('grpcs:')));
  const ask = (...more) => spawnSync(program, ['trunks', '--endpoint', `127.0.0.1:${free.ports.grpc}`, '--ca', pod.path('/etc/trunkline/tls/grpc/ca.crt'), ...more], { encoding: 'utf8' });
  const answered = ask('--token-file', pod.path('/etc/trunkline/secrets/api-tokens/desk'));
  assert.equal(answered.status, 0, answered.stderr);
  assert.match(answered.stdout, /pbx/);
  assert.notEqual(ask().status, 0);
  assert.deepEqual(await pod.terminate(), { code: 0, signal: null });
});

test('the defaults: starts, and its own client reaches it from inside the pod', async () => {
  const free = await freeValues();
  const pod = new Pod(render(free));
  await pod.start();
  const { status, stderr } = spawnSync(program, ['trunks', '--endpoint', `127.0.0.1:${free.ports.grpc}`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.deepEqual(await pod.terminate(), { code: 0, signal: null });
});
