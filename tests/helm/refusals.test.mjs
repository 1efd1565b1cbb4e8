import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { chart, refusal, render } from './helm.mjs';

const loadBalancer = { kind: 'StatefulSet', exposure: { mode: 'loadBalancer' } };
const nodePort = { exposure: { mode: 'nodePort', nodePort: { sip: 30060 } }, ports: { webrtc: 30900 } };
const inside = { exposure: { mode: 'clusterIP' }, address: { signaling: { source: 'podIP' }, media: { source: 'podIP' } } };
const apiTls = { tls: { grpc: { existingSecret: 'api' } } };

// Values, and what must be said of them.
const REFUSED = [
  // by the schema
  [{ replicas: 2 }, 'Additional property replicas is not allowed'],
  [{ exposure: { mode: 'hostnetwork' } }, 'exposure.mode must be one of the following: "hostNetwork", "hostPort"'],
  [{ ports: { sip: 70000 } }, 'ports.sip: Must be less than or equal to 65535'],
  [{ ports: { sip: '5060' } }, 'ports.sip: Invalid type. Expected: integer, given: string'],
  [{ address: { media: { value: 'gateway.example.test' } } }, 'address.media.value: Does not match pattern'],
  [{ image: { digest: 'sha256:abc' } }, 'image.digest: Does not match pattern'],
  [{ exposure: { nodePort: { sip: 5060 } } }, 'exposure.nodePort.sip: Must be greater than or equal to 30000'],
  [{ config: { trunks: [{ uri: 'sip:x' }] } }, 'config.trunks.0: name is required'],
  [{ grpc: { tokens: [{ name: 'desk', roles: ['all'], tokenSecretRef: { name: 'a', key: 'b' } }] } }, 'must be one of the following: "read", "call", "admin"'],
  [{ networkPolicy: { trunkCIDRs: ['192.0.2.1'] } }, 'networkPolicy.trunkCIDRs.0: Does not match pattern'],
  // addresses
  [{ exposure: { mode: 'clusterIP' } }, 'address.signaling.source must be chosen in mode clusterIP'],
  [{ address: { media: { source: 'podIP' } } }, 'address.media.source podIP tells outsiders an address of the cluster'],
  [{ address: { media: { source: 'service' } } }, 'address.media.source service needs exposure.mode loadBalancer, not hostNetwork'],
  [{ address: { media: { source: 'static' } } }, 'address.media.source static needs address.media.value'],
  [{ address: { media: { source: 'stun' } } }, 'needs address.discovery.stunServers'],
  [{ address: { signaling: { source: 'nodeLabel' } } }, 'needs address.discovery.nodeLabel'],
  [{ address: { media: { source: 'nodeIP', value: '192.0.2.1' } } }, 'stand beside source nodeIP'],
  [{ address: { media: { value: '2001:db8::1' } } }, '2001:db8::1 is not an IPv4 address'],
  [{ address: { family: 'IPv6', media: { bind: '192.0.2.1' } } }, '192.0.2.1 is not an IPv6 address'],
  [{ address: { media: { perPod: ['192.0.2.1'] } } }, 'perPod counts the pods of a StatefulSet'],
  [{ kind: 'StatefulSet', replicaCount: 2, address: { media: { perPod: ['192.0.2.1'] } } }, 'perPod has 1 addresses for up to 2 pods'],
  [{ kind: 'StatefulSet', address: { media: { value: '192.0.2.1', perPod: ['192.0.2.1'] } } }, 'value stands beside perPod'],
  // exposure
  [{ ...loadBalancer, kind: 'DaemonSet' }, 'a DaemonSet can\'t have: use kind: StatefulSet'],
  [{ ...loadBalancer, kind: 'Deployment', replicaCount: 2 }, 'with several pods needs a Service for each'],
  [{ ...loadBalancer, exposure: { mode: 'loadBalancer', rtp: true } }, 'would make 1000 ports of a Service'],
  [{ ...loadBalancer, replicaCount: 3, exposure: { mode: 'loadBalancer', loadBalancer: { ips: ['192.0.2.1'] } } }, 'loadBalancer.ips has 1 addresses for up to 3 pods'],
  [{ exposure: { mode: 'hostPort', rtp: true } }, 'would forward 1000 ports of the node, 256 at most'],
  [{ ...nodePort, exposure: { mode: 'nodePort' } }, 'exposure.nodePort.sip is needed'],
  [{ ...nodePort, tls: { sip: { existingSecret: 'sip' } } }, 'exposure.nodePort.sipTls is needed'],
  [{ ...nodePort, ports: { webrtc: 19000 } }, 'ports.webrtc 19000 must be a node port'],
  [{ ...nodePort, ports: { webrtc: 32767 }, media: { workers: 2 } }, 'ports.webrtc 32767 must be a node port (30000 to 32767, one for each worker)'],
  [{ exposure: { ...nodePort.exposure, rtp: true }, ports: { webrtc: 30900, rtp: { first: 20000, last: 20019 } } }, 'ports.rtp 20000-20019 must be node ports'],
  // ports
  [{ ports: { admin: 8080 } }, 'ports.admin and ports.websocket both take port 8080'],
  [{ ports: { webrtc: 20500 } }, 'ports.webrtc and ports.rtp both take port 20500'],
  [{ ports: { grpc: 19000 } }, 'ports.grpc and ports.webrtc both take port 19000'],
  [{ ports: { sip: 19001 }, media: { workers: 2 } }, 'ports.webrtc and ports.sip both take port 19001'],
  [{ ports: { rtp: { first: 20001, last: 20100 } } }, 'ports.rtp.first 20001 is odd'],
  [{ ports: { rtp: { first: 20100, last: 20000 } } }, 'comes after'],
  [{ ports: { rtp: { first: 20000, last: 20005 } }, media: { workers: 4 } }, 'ports.rtp is too small for 4 workers'],
  [{ ports: { webrtc: 65535 }, media: { workers: 2 } }, 'leaves no port for each of 2 workers'],
  [{ ports: { websocket: 80 } }, 'ports.websocket 80 needs root on the node\'s network'],
  [{ ports: { websocket: null }, sip: { transports: [] } }, 'nothing would listen for calls'],
  [{ resources: { limits: { cpu: '65' } } }, 'media.workers 65 is more than the gateway takes: 64'],
  // TLS and the API
  [{ tls: { sip: { existingSecret: 'a', certManager: { enabled: true, issuerRef: { name: 'b' }, dnsNames: ['c.test'] } } } }, 'tls.sip.existingSecret stands beside certManager.enabled'],
  [{ tls: { websocket: { certManager: { enabled: true, dnsNames: ['a.test'] } } } }, 'tls.websocket.certManager.issuerRef.name is missing'],
  [{ tls: { websocket: { certManager: { enabled: true, issuerRef: { name: 'a' } } } } }, 'certManager.dnsNames is empty'],
  [{ tls: { sip: { clientCA: { secretName: 'a' } } } }, 'tls.sip.clientCA needs a certificate of the gateway too'],
  [{ tls: { sip: { existingSecret: 's', clientCA: { secretName: 'a', configMapName: 'b' } } } }, 'clientCA.secretName stands beside configMapName'],
  [{ grpc: { expose: true } }, 'grpc.expose needs a certificate in tls.grpc'],
  [{ grpc: { expose: true, enabled: false } }, 'grpc.expose needs grpc.enabled'],
  [{ ...apiTls, grpc: { expose: true } }, 'would open the API to everyone'],
  [apiTls, 'tls.grpc is for the exposed API'],
  [{ grpc: { clients: [{ subject: 'a', roles: ['read'] }] } }, 'names client certificates that nothing verifies'],
  // configuration
  [{ config: { listen: {} } }, 'config.listen is decided by ports, sip, tls and grpc'],
  [{ config: { node: 'a' } }, 'config.node is decided by the pod\'s name'],
  [{ config: { drain: { timeout: '1s' } } }, 'config.drain is decided by drain.timeoutSeconds'],
  [{ config: { web: { phone: true } } }, 'config.web is decided by webPhone.enabled'],
  [{ config: { media: { rtp_ports: '1-2' } } }, 'config.media.rtp_ports is decided by ports.rtp'],
  [{ config: { media: { advertise: '192.0.2.1' } } }, 'config.media.advertise is decided by address.media'],
  [{ config: { domain: 'a.test', users: [{ name: 'alice', password: 'secret' }] } }, 'config.users[0].password would stand readable in a ConfigMap'],
  [{ config: { trunks: [{ name: 'a', uri: 'sip:b', password: 'x${A}' }] } }, 'config.trunks[0].password would stand readable'],
  [{ config: { trunks: [{ name: 'a', password: '${A}', passwordSecretRef: { name: 'b', key: 'c' } }] } }, 'stands beside another password'],
  [{ config: { credentials: { secret: 'a-secret-of-sixteen' } } }, 'config.credentials.secret would stand readable'],
  [{ config: { users: [{ name: 'alice', password: '${A}' }] } }, 'config.users needs config.domain'],
  [{ cdr: { enabled: true }, config: { cdr: { path: '/a' } } }, 'config.cdr.path is decided by cdr.enabled'],
  [{ config: { cdr: { queue: 5 } } }, 'has limits of records that nothing writes'],
  [{ redis: { enabled: true } }, 'redis.enabled needs where Redis is'],
  [{ redis: { enabled: true, url: 'redis://a', urlSecretRef: { name: 'a', key: 'b' } } }, 'redis.url stands beside redis.urlSecretRef'],
  [{ redis: { enabled: true, url: 'redis://:secret@a' } }, 'redis.url would stand readable'],
  [{ redis: { enabled: true, url: 'rediss://a' } }, 'redis.url asks for TLS'],
  [{ redis: { enabled: true, url: 'redis://a' } }, 'redis.enabled needs config.credentials.secretSecretRef'],
  [{ redis: { enabled: true, url: 'redis://a' }, sip: { transports: [] } }, 'redis.enabled needs udp or tcp'],
  [{ config: { store: { type: 'redis', url: '${URL}' } } }, 'config.store is decided by redis'],
  // scaling and the rest
  [{ autoscaling: { enabled: true }, keda: { enabled: true, prometheusAddress: 'http://a' } }, 'both would set the number of pods'],
  [{ kind: 'DaemonSet', autoscaling: { enabled: true } }, 'can\'t be scaled'],
  [{ autoscaling: { enabled: true, minReplicas: 5, maxReplicas: 2 } }, 'autoscaling.minReplicas 5 is more than maxReplicas 2'],
  [{ keda: { enabled: true } }, 'keda.prometheusAddress is missing'],
  [{ kind: 'StatefulSet', podDeletionCost: { enabled: true } }, 'podDeletionCost is for kind Deployment'],
  [{ metrics: { podMonitor: { enabled: true }, serviceMonitor: { enabled: true } } }, 'every pod would be scraped twice'],
  [{ ingress: { enabled: true } }, 'ingress.hosts is empty'],
  [{ ...inside, ports: { websocket: null }, ingress: { enabled: true, hosts: [{ host: 'a.test' }] } }, 'ingress needs ports.websocket'],
  [{ gateway: { tlsRoute: { enabled: true, parentRefs: [{ name: 'edge' }] } } }, 'gateway.tlsRoute needs tls.websocket'],
  [{ gateway: { grpcRoute: { enabled: true, parentRefs: [{ name: 'edge' }] } } }, 'gateway.grpcRoute needs grpc.expose'],
  [{ gateway: { httpRoute: { enabled: true } } }, 'gateway.httpRoute.parentRefs is empty'],
  [{ metrics: { prometheusRule: { enabled: true, alerts: { NoSuchAlert: { enabled: false } } } } }, 'alerts.NoSuchAlert is not an alert of this chart'],
];

for (const [values, said] of REFUSED) {
  test(`refused: ${JSON.stringify(values)}`, () => {
    const words = refusal(values);
    assert.ok(words.includes(said), `"${said}" is not in: ${words}`);
    assert.doesNotMatch(words, /nil pointer|error calling (?!include|fail)/, words);
  });
}

test('all that is wrong is said at once', () => {
  const words = refusal({ ports: { admin: 8080 }, address: { media: { source: 'static' } }, grpc: { expose: true } });
  assert.equal(words.match(/^ {2}- /gm).length, 3, words);
});

test('the schema knows the values of the chart, and those alone', () => {
  const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8'));
  const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'));
  const resolved = (part) => (part.$ref ? schema.definitions[part.$ref.split('/').at(-1)] : part);
  const compare = (given, described, path) => {
    const part = resolved(described);
    const empty = Object.keys(given ?? {}).length === 0;
    if (part.properties === undefined || part.additionalProperties !== false || empty) return;
    // Of the probes only what differs from Kubernetes' own defaults stands in the values.
    const names = Object.keys(part.properties).filter((name) => name !== 'initialDelaySeconds');
    assert.deepEqual(Object.keys(given).sort(), names.sort(), path);
    for (const name of names) compare(given[name], part.properties[name], `${path}.${name}`);
  };
  compare(values, schema, 'values');
});

test('ports below 1024 need no root', () => {
  const objects = render({ ...inside, ports: { websocket: 80 } });
  const context = objects.find(({ kind }) => kind === 'Deployment').spec.template.spec.securityContext;
  assert.deepEqual(context.sysctls, [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '80' }]);
  render({ ports: { websocket: 80, allowPrivileged: true } });
});
