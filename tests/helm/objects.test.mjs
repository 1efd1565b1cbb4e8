import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { parse } from 'yaml';
import { all, chart, configuration, find, gateway, helm, pod, render, repository, scenario, scenarios, scratch, workload } from './helm.mjs';
import { againstRestricted } from './pod_security.mjs';

const variables = (container) => Object.fromEntries(container.env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom.fieldRef.fieldPath]));
const initContainer = (objects, name) => pod(objects).initContainers?.find((container) => container.name === name);
const portNames = (service) => service.spec.ports.map(({ name }) => name);

test('the restricted pod security profile is met by all pods in mode clusterIP, and without the node\'s network by others', () => {
  const clusterIp = render(scenario('clusterip'));
  const discovering = render([...scenario('clusterip'), { address: { signaling: { source: 'stun' }, discovery: { stunServers: ['a.test:3478'] } } }]);
  for (const spec of [pod(clusterIp), pod(discovering), find(clusterIp, 'Pod').spec, pod(render(scenario('loadbalancer'))), pod(render(scenario('nodeport')))])
    assert.deepEqual(againstRestricted(spec), []);
  assert.ok(pod(discovering).initContainers.length > 0);
  assert.deepEqual(againstRestricted(pod(render())), ['hostNetwork']);
  assert.ok(againstRestricted(pod(render(scenario('hostport')))).every((wrong) => wrong.includes('hostPort')));
});

test('no container can write to its root, and none has a token that it does not need', () => {
  for (const { name, values } of scenarios) {
    const spec = pod(render(values));
    assert.equal(spec.automountServiceAccountToken, false, name);
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
      if (container.name === 'capture') continue; // the values' own
      assert.equal(container.securityContext.readOnlyRootFilesystem, true, `${name}: ${container.name}`);
    }
    assert.ok(!gateway(render(values)).volumeMounts.some((mount) => mount.name === 'kubernetes'), name);
  }
});

test('the drain is wired from one value', () => {
  for (const seconds of [0, 300, 3600]) {
    const objects = render({ drain: { timeoutSeconds: seconds, preStopSleepSeconds: 7 } });
    assert.equal(configuration(objects).drain.timeout, `${seconds}s`);
    assert.equal(configuration(objects).drain.spread, '30s');
    assert.ok(pod(objects).terminationGracePeriodSeconds >= seconds + 7 + 60);
    assert.equal(gateway(objects).lifecycle.preStop.sleep.seconds, 7);
  }
  const before = render({}, { kubernetes: '1.29.0' });
  assert.equal(gateway(before).lifecycle, undefined, 'Kubernetes 1.29 has no sleep');
  const { annotations } = workload(render()).spec.template.metadata;
  assert.equal(annotations['cluster-autoscaler.kubernetes.io/safe-to-evict'], 'false');
  assert.equal(annotations['karpenter.sh/do-not-disrupt'], 'true');
});

test('probes ask the admin listener, and liveness asks nothing but the event loops', () => {
  const container = gateway(render());
  assert.equal(container.ports.find(({ name }) => name === 'admin').containerPort, 9090);
  assert.deepEqual(container.livenessProbe.httpGet, { path: '/healthz', port: 'admin' });
  assert.deepEqual(container.readinessProbe.httpGet, { path: '/readyz', port: 'admin' });
  assert.deepEqual(container.startupProbe.httpGet, { path: '/healthz', port: 'admin' });
});

test('the advertised address comes from where the values say, and only mode clusterIP may say the pod\'s', () => {
  const told = (values) => variables(gateway(render(values)));
  assert.equal(told().SIGNALING_ADDRESS, 'status.hostIP');
  assert.equal(told().MEDIA_ADDRESS, 'status.hostIP');
  const apart = told({ address: { signaling: { value: '192.0.2.1' }, media: { source: 'nodeIP' } } });
  assert.deepEqual([apart.SIGNALING_ADDRESS, apart.MEDIA_ADDRESS], ['192.0.2.1', 'status.hostIP']);
  assert.equal(told(scenario('clusterip')).MEDIA_ADDRESS, 'status.podIP');
  for (const { name, values } of scenarios) {
    if (name === 'clusterip') continue;
    const { SIGNALING_ADDRESS, MEDIA_ADDRESS } = told(values);
    assert.notEqual(SIGNALING_ADDRESS, 'status.podIP', name);
    assert.notEqual(MEDIA_ADDRESS, 'status.podIP', name);
  }
});

test('what must be discovered is discovered before the gateway starts, with the rights that it takes', () => {
  const wanted = (objects) => JSON.parse(variables(initContainer(objects, 'discover-address')).DISCOVER);
  const rules = (objects, kind) => all(objects, kind).flatMap((role) => role.rules);

  const node = render(scenario('hostport'));
  assert.deepEqual(wanted(node).MEDIA_ADDRESS, { family: 'IPv4', public: true, source: 'nodeExternalIP' });
  assert.deepEqual(rules(node, 'ClusterRole'), [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }]);
  assert.deepEqual(gateway(node).args, ['--config', '/etc/trunkline/config/trunkline.yaml', '--variables', '/run/trunkline/variables']);
  assert.equal(variables(gateway(node)).MEDIA_ADDRESS, undefined);

  const balancer = render(scenario('loadbalancer'));
  assert.deepEqual(wanted(balancer).SIGNALING_ADDRESS, { family: 'IPv4', perPod: true, service: 'edge-trunkline-direct', source: 'service' });
  assert.deepEqual(rules(balancer, 'Role'), [{ apiGroups: [''], resources: ['services'], verbs: ['get'] }]);
  assert.equal(all(balancer, 'ClusterRole').length, 0);

  const mixed = render(scenario('nodeport'));
  assert.deepEqual(wanted(mixed), {
    SIGNALING_ADDRESS: { source: 'nodeLabel', family: 'IPv4', label: 'example.test/public-address' },
    MEDIA_ADDRESS: { source: 'stun', family: 'IPv4', servers: ['stun.example.test:3478'], public: true },
  });
  assert.deepEqual(wanted(render(scenario('perpod'))).MEDIA_ADDRESS, { source: 'static', family: 'IPv4', perPod: ['198.51.100.1', '198.51.100.2'] });
  assert.equal(initContainer(render(), 'discover-address'), undefined);
  assert.equal(all(render(), 'Role').length + all(render(), 'ClusterRole').length, 0);
});

test('hostNetwork: one pod a node, names still resolved by the cluster', () => {
  const objects = render();
  const spec = pod(objects);
  assert.equal(spec.hostNetwork, true);
  assert.equal(spec.dnsPolicy, 'ClusterFirstWithHostNet');
  const [apart] = spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution;
  assert.equal(apart.topologyKey, 'kubernetes.io/hostname');
  assert.deepEqual(workload(objects).spec.strategy.rollingUpdate, { maxUnavailable: 1, maxSurge: 0 });
  assert.deepEqual(workload(render(scenario('clusterip'))).spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
  const own = render({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'rack' }] }, nodeAffinity: {} } });
  assert.equal(pod(own).affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution.length, 2);
});

test('hostPort: the ports of calls are forwarded, those of metrics and the API not', () => {
  const ports = gateway(render(scenario('hostport'))).ports;
  assert.equal(ports.filter(({ name }) => name.startsWith('rtp-')).length, 100);
  for (const { name, containerPort, hostPort } of ports) assert.equal(hostPort, name === 'admin' ? undefined : containerPort, name);
});

test('loadBalancer: SIP and media of each pod have a Service of their own', () => {
  const objects = render(scenario('loadbalancer'));
  for (const number of [0, 1, 2]) {
    const service = find(objects, 'Service', `edge-trunkline-direct-${number}`);
    assert.equal(service.spec.selector['statefulset.kubernetes.io/pod-name'], `edge-trunkline-${number}`);
    assert.equal(service.spec.externalTrafficPolicy, 'Local');
    assert.equal(service.spec.publishNotReadyAddresses, true);
    assert.deepEqual(portNames(service).slice(0, 4), ['sip-udp', 'sip-tcp', 'webrtc-0', 'webrtc-tcp-0']);
    assert.equal(service.spec.ports.length, 4 + 40);
  }
  assert.deepEqual(portNames(find(objects, 'Service', 'edge-trunkline')), ['wss']);
  assert.equal(workload(objects).spec.serviceName, 'edge-trunkline-pods');
  const alone = render({ exposure: { mode: 'loadBalancer', loadBalancer: { ips: ['192.0.2.1'] } } });
  assert.equal(find(alone, 'Service', 'edge-trunkline-direct').spec.loadBalancerIP, '192.0.2.1');
});

test('media by TCP has its port, unless it is off', () => {
  const ports = (values) => gateway(render(values)).ports.filter(({ name }) => name.startsWith('webrtc')).map(({ containerPort, protocol }) => `${protocol} ${containerPort}`);
  assert.deepEqual(ports({ media: { workers: 2 } }), ['UDP 19000', 'TCP 19000', 'UDP 19001', 'TCP 19001']);
  assert.deepEqual(ports({ config: { media: { ice_tcp: false } } }), ['UDP 19000']);
});

test('nodePort: each node forwards to its own pod, and peers are told the node ports', () => {
  const objects = render(scenario('nodeport'));
  const service = find(objects, 'Service', 'edge-trunkline-direct');
  assert.equal(service.spec.externalTrafficPolicy, 'Local');
  const told = Object.fromEntries(service.spec.ports.map(({ name, nodePort }) => [name, nodePort]));
  assert.deepEqual([told['sip-udp'], told['sip-tcp'], told['sip-tls'], told['webrtc-0']], [30060, 30060, 30061, 30900]);
  assert.deepEqual(configuration(objects).listen.sip.map(({ advertise }) => advertise),
    ['${SIGNALING_ADDRESS}:30060', '${SIGNALING_ADDRESS}:30060', '${SIGNALING_ADDRESS}:30061']);
  assert.equal(configuration(objects).media.webrtc_port, 30900);
  assert.equal(service.spec.ports.filter(({ name }) => name.startsWith('rtp-')).length, 64);
});

test('every port of a Service is one of the container', () => {
  for (const { name, values } of scenarios) {
    const objects = render(values);
    const names = gateway(objects).ports.map((port) => port.name);
    for (const service of all(objects, 'Service')) {
      for (const { targetPort } of service.spec.ports) assert.ok(names.includes(targetPort), `${name}: ${service.metadata.name} ${targetPort}`);
      for (const [key, value] of Object.entries(service.spec.selector)) {
        if (key.startsWith('statefulset')) continue;
        assert.equal(workload(objects).spec.template.metadata.labels[key], value, `${name}: ${service.metadata.name}`);
      }
    }
  }
});

test('a WebSocket without TLS is open beside one with TLS only for an Ingress or a Gateway', () => {
  const listeners = (values) => configuration(render([{ tls: { websocket: { existingSecret: 'phone' } } }, values])).listen.websocket.map(({ bind }) => bind);
  assert.deepEqual(listeners({}), ['${POD_IP}:8443']);
  assert.deepEqual(listeners({ ingress: { enabled: true, hosts: [{ host: 'a.test' }] } }), ['${POD_IP}:8080', '${POD_IP}:8443']);
  assert.deepEqual(configuration(render()).listen.websocket, [{ bind: '${POD_IP}:8080' }]);
  // kubectl port-forward comes to the pod's loopback.
  assert.equal(configuration(render(scenario('clusterip'))).listen.admin.bind, '0.0.0.0:9090');
  assert.equal(configuration(render()).listen.admin.bind, '${POD_IP}:9090');
});

test('secrets come as files of whole Secrets, which Kubernetes renews, and are nowhere in a ConfigMap', () => {
  const objects = render(scenario('hostnetwork'));
  const config = configuration(objects);
  assert.equal(config.trunks[0].password_file, '/etc/trunkline/secrets/carrier/password');
  assert.equal(config.trunks[0].passwordSecretRef, undefined);
  assert.equal(config.users[0].password_file, '/etc/trunkline/secrets/alice/password');
  for (const { name, values } of scenarios) {
    for (const container of [...pod(render(values)).containers]) {
      for (const mount of container.volumeMounts ?? []) assert.equal(mount.subPath, undefined, name);
    }
  }
  assert.deepEqual(gateway(objects).envFrom, [{ secretRef: { name: 'gateway-environment' } }]);
});

test('the pods are replaced when what they read at their start changes, and at every change if that is wanted', () => {
  const checksum = (values) => workload(render(values)).spec.template.metadata.annotations['checksum/config'];
  const live = {
    config: {
      domain: 'example.test', limits: { max_calls: 5 }, users: [{ name: 'alice', password: '${ALICE}' }], log: { level: 'warn' }, websocket: { grace: '5s' },
      trunks: [{ name: 'carrier', uri: 'sip:192.0.2.1' }], routes: [{ from: 'any', match: '^1$', target: 'service:echo' }], media: { transcoding: false },
    },
    drain: { timeoutSeconds: 77 },
  };
  assert.equal(checksum(live), checksum({ config: { domain: 'example.test' } }));
  assert.notEqual(checksum({ config: { limits: { max_transactions: 500 } } }), checksum({}));
  assert.notEqual(checksum({ ports: { sip: 5070 } }), checksum({}));
  assert.notEqual(checksum({ ...live, rollOnChange: true }), checksum({ config: { domain: 'example.test' }, rollOnChange: true }));
  assert.equal(checksum({ ...live, rollOnChange: true }), checksum({ ...live, rollOnChange: true, image: { tag: 'x' } }));
});

test('media workers follow the CPUs', () => {
  const workers = (values) => configuration(render(values)).media.workers;
  assert.equal(workers({}), 1);
  assert.equal(workers({ resources: { limits: { cpu: 3 } } }), 3);
  assert.equal(workers({ resources: { limits: { cpu: '2500m' } } }), 3);
  assert.equal(workers({ resources: { requests: { cpu: '0.5' } } }), 1);
  assert.equal(workers({ resources: { limits: { cpu: 8 } }, media: { workers: 2 } }), 2);
});

test('records of calls have a volume, of the values\' kind', () => {
  const volume = (values) => pod(render(values)).volumes.find(({ name }) => name === 'cdr');
  const objects = render(scenario('loadbalancer'));
  assert.deepEqual(volume(scenario('loadbalancer')), { name: 'cdr', emptyDir: { sizeLimit: '2Gi' } });
  assert.deepEqual(configuration(objects).cdr, { max_size: '16MiB', path: '/var/lib/trunkline/calls.jsonl' });
  assert.deepEqual(gateway(objects).volumeMounts.find(({ name }) => name === 'cdr'), { name: 'cdr', mountPath: '/var/lib/trunkline' });
  const claim = { persistentVolumeClaim: { claimName: 'records' } };
  assert.deepEqual(volume({ cdr: { enabled: true, volume: claim } }), { name: 'cdr', ...claim });
  assert.equal(volume({}), undefined);
});

test('scaling counts active calls, slowly in', () => {
  const objects = render(scenario('loadbalancer'));
  const { spec } = find(objects, 'HorizontalPodAutoscaler');
  assert.deepEqual(spec.metrics[0].pods, { metric: { name: 'trunkline_calls_active' }, target: { type: 'AverageValue', averageValue: '200' } });
  assert.equal(spec.behavior.scaleDown.stabilizationWindowSeconds, 600);
  assert.equal(spec.scaleTargetRef.kind, 'StatefulSet');
  assert.equal(workload(objects).spec.replicas, undefined, 'the autoscaler decides');
  const [trigger] = find(render(scenario('clusterip')), 'ScaledObject').spec.triggers;
  assert.equal(trigger.metadata.query, 'sum(trunkline_calls_active{namespace="telephony",pod=~"edge-trunkline-.+"})');
});

test('a pod is disrupted one at a time', () => {
  assert.deepEqual([find(render(), 'PodDisruptionBudget').spec.maxUnavailable], [1]);
  assert.equal(find(render(scenario('hostnetwork')), 'PodDisruptionBudget'), undefined, 'a DaemonSet can\'t have one');
});

test('the network policy lets in what the gateway listens for', () => {
  const objects = render(scenario('clusterip'));
  const { ingress, egress } = find(objects, 'NetworkPolicy').spec;
  const ports = ingress.flatMap((rule) => rule.ports.map(({ port, protocol }) => `${protocol} ${port}`));
  for (const { containerPort, protocol } of gateway(objects).ports) assert.ok(ports.includes(`${protocol} ${containerPort}`), `${protocol} ${containerPort}`);
  assert.deepEqual(ingress.at(-1).ports, [{ port: 20000, endPort: 20999, protocol: 'UDP' }]);
  assert.ok(egress.length >= 3);
  const asking = find(render({ address: { signaling: { source: 'cloud' }, media: { source: 'nodeExternalIP' } }, networkPolicy: { enabled: true, egress: true } }), 'NetworkPolicy');
  assert.deepEqual(asking.spec.egress.slice(-2), [
    { ports: [{ port: 443, protocol: 'TCP' }, { port: 6443, protocol: 'TCP' }] },
    { to: [{ ipBlock: { cidr: '169.254.169.254/32' } }], ports: [{ port: 80, protocol: 'TCP' }] },
  ]);
  const trunks = find(render(scenario('hostnetwork')), 'NetworkPolicy').spec.ingress.at(-1).from;
  assert.deepEqual(trunks, [{ ipBlock: { cidr: '192.0.2.0/24' } }]);
});

test('all pods of a release are one job, by which the alerts know it', () => {
  const job = { targetLabel: 'job', replacement: 'telephony/edge-trunkline' };
  assert.deepEqual(find(render(scenario('hostnetwork')), 'PodMonitor').spec.podMetricsEndpoints[0].relabelings, [job]);
  const own = { metrics: { serviceMonitor: { relabelings: [{ targetLabel: 'zone', replacement: 'a' }] } } };
  const { spec } = find(render([...scenario('loadbalancer'), own]), 'ServiceMonitor');
  assert.deepEqual(spec.endpoints[0].relabelings, [job, own.metrics.serviceMonitor.relabelings[0]]);
  assert.match(find(render([...scenario('loadbalancer'), { fullnameOverride: 'edge' }]), 'ServiceMonitor').spec.endpoints[0].relabelings[0].replacement, /trunkline/);
});

test('the chart packs the rules and dashboards of deploy/, the same to the last octet', () => {
  const folder = join(scratch, 'package');
  mkdirSync(folder);
  const packed = helm('package', chart, '--destination', folder);
  assert.equal(packed.status, 0, packed.stderr);
  assert.equal(spawnSync('tar', ['xzf', join(folder, readdirSync(folder)[0]), '-C', folder]).status, 0);
  const same = (from, to, suffix) => {
    const files = readdirSync(join(repository, from)).filter((file) => file.endsWith(suffix)).sort();
    assert.deepEqual(readdirSync(join(folder, to)).filter((file) => file.endsWith(suffix)).sort(), files);
    for (const file of files) assert.ok(readFileSync(join(repository, from, file)).equals(readFileSync(join(folder, to, file))), file);
  };
  same('deploy/prometheus', 'trunkline/files/prometheus', '.yaml');
  same('deploy/grafana', 'trunkline/files/grafana', '.json');
  assert.deepEqual(render(scenario('hostnetwork'), { from: join(folder, 'trunkline') }), render(scenario('hostnetwork')));
});

test('every dashboard becomes a ConfigMap, every rule a rule', () => {
  const objects = render(scenario('hostnetwork'));
  for (const file of readdirSync(join(repository, 'deploy/grafana')).filter((name) => name.endsWith('.json'))) {
    const map = find(objects, 'ConfigMap', `edge-trunkline-dashboard-${file.replace('.json', '')}`);
    assert.equal(map.metadata.labels.grafana_dashboard, '1');
    assert.deepEqual(JSON.parse(Object.values(map.data)[0]), JSON.parse(readFileSync(join(repository, 'deploy/grafana', file), 'utf8')));
  }
  const { groups } = find(objects, 'PrometheusRule').spec;
  assert.deepEqual(groups.map(({ name }) => name), ruleFiles().map(({ name }) => name));
  assert.deepEqual(groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)), ruleFiles().flatMap(({ rules }) => rules.map(({ expr }) => expr)));
});

function ruleFiles(folder = join(repository, 'deploy/prometheus')) {
  const files = readdirSync(folder);
  return ['rules.yaml', 'alerts.yaml'].filter((file) => files.includes(file)).flatMap((file) => parse(readFileSync(join(folder, file), 'utf8')).groups);
}

// A copy of the chart, into which a test puts files of its own.
function copied(name) {
  const copy = join(scratch, name);
  cpSync(chart, copy, { recursive: true, dereference: true });
  return copy;
}

test('values change single alerts: off, how long, how severe, when', () => {
  const copy = copied('alerts');
  writeFileSync(join(copy, 'files/prometheus/rules.yaml'), 'groups: [{ name: kpi, rules: [{ record: "a:b", expr: sum(x) }] }]\n');
  writeFileSync(join(copy, 'files/prometheus/alerts.yaml'), `groups:
  - name: trunks
    interval: 1m
    rules:
      - { alert: TrunkDown, expr: up == 0, for: 2m, labels: { severity: warning, team: voice }, annotations: { summary: "{{ $labels.trunk }} is down" } }
      - { alert: Quiet, expr: vector(1) }
  - { name: single, rules: [{ alert: Only, expr: vector(2) }] }
`);
  const alerts = { TrunkDown: { for: '5m', severity: 'critical', expr: 'up < 1' }, Only: { enabled: false } };
  const { groups } = find(render({ metrics: { prometheusRule: { enabled: true, runbookBase: 'https://a.test/#', alerts } } }, { from: copy }), 'PrometheusRule').spec;
  assert.deepEqual(groups.map(({ name }) => name), ['kpi', 'trunks']);
  assert.equal(groups[1].interval, '1m');
  assert.deepEqual(groups[1].rules, [
    { alert: 'TrunkDown', expr: 'up < 1', for: '5m', labels: { severity: 'critical', team: 'voice' }, annotations: { summary: '{{ $labels.trunk }} is down', runbook_url: 'https://a.test/#TrunkDown' } },
    { alert: 'Quiet', expr: 'vector(1)', annotations: { runbook_url: 'https://a.test/#Quiet' } },
  ]);
});

test('the notes tell the URL, the firewall and the next step', () => {
  const copy = copied('notes');
  writeFileSync(join(copy, 'templates/shown.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: notes }\ndata: { text: {{ include "trunkline.notes" . | quote }} }\n');
  const notes = (values) => find(render(values, { from: copy }), 'ConfigMap', 'notes').data.text;
  for (const { name, values } of scenarios) {
    const text = notes(values);
    assert.match(text, /Open in the firewall:\n {2}(TCP|UDP) /, name);
    assert.match(text, /UDP \d+ +browsers: media/, name);
    assert.match(text, /kubectl -n telephony rollout status (deployment|statefulset|daemonset)\/edge-trunkline/, name);
    assert.match(text, /helm -n telephony test edge/, name);
    assert.doesNotMatch(text, /<no value>|%!|nil/, name);
    assert.equal(text.split('\n').filter((line) => /^ {2}wss?:\/\//.test(line)).length > 0, true, `${name}: ${text}`);
  }
  assert.match(notes(scenario('clusterip')), /wss:\/\/phone\.example\.test\/\n/);
  assert.match(notes(scenario('hostnetwork')), /networkPolicy has no effect/);
  assert.match(notes(scenario('hostnetwork')), /UDP 20000-20999 +192\.0\.2\.0\/24: media/);
  assert.match(notes([]), /config\.trunks is empty/);
  assert.match(notes({ exposure: { mode: 'hostPort' } }), /symmetric RTP/);
  assert.match(notes([]), /The console[^\n]*\n {2}http:\/\/NODE:9090\//);
  assert.match(notes({ exposure: { mode: 'hostPort' } }), /The console[^\n]*there is none yet[^\n]*\n {2}kubectl -n telephony port-forward \S+ 9090, then http:\/\/127\.0\.0\.1:9090\//);
});
