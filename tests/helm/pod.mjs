// Plays the part of Kubernetes for one rendered pod: mounts and variables as the pod's spec says, then the real programs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Certificates } from '../peers/certificates.mjs';
import { until } from '../peers/until.mjs';
import { all, gateway, pod, repository, scratch } from './helm.mjs';

export const program = join(repository, process.env.TRUNKLINE_BUILD ?? 'build/release', 'trunkline');
export const certificates = new Certificates().authority('ca').issue('pod', 'DNS:localhost,IP:127.0.0.1,IP:::1');

// What the environment gives: `fields` of the downward API, and `env` beside it (a proxy of the Kubernetes API, for example).
export class Pod {
  constructor(objects, { fields = {}, env = {} } = {}) {
    this.objects = objects;
    this.folder = mkdtempSync(join(scratch, 'pod-'));
    this.fields = {
      'metadata.name': 'edge-trunkline-0', 'metadata.namespace': 'telephony', 'spec.nodeName': 'node-7',
      'status.podIP': '127.0.0.1', 'status.hostIP': '192.0.2.10', ...fields,
    };
    this.given = env;
    for (const volume of pod(objects).volumes) this.mount(volume);
  }

  // Paths in the pod become those in the folder.
  path(inPod) {
    return join(this.folder, inPod);
  }

  translated(text) {
    return text.replace(/\/(etc\/trunkline|run\/trunkline|var\/lib\/trunkline|scripts|var\/run\/secrets)(?=[/"\s]|$)/g, (path) => this.path(path));
  }

  write(inPod, text) {
    mkdirSync(dirname(this.path(inPod)), { recursive: true });
    writeFileSync(this.path(inPod), text);
  }

  mounts(volume) {
    const containers = [...pod(this.objects).containers, ...(pod(this.objects).initContainers ?? [])];
    return [...new Set(containers.flatMap(({ volumeMounts }) => volumeMounts ?? []).filter(({ name }) => name === volume).map(({ mountPath }) => mountPath))];
  }

  mount(volume) {
    for (const path of this.mounts(volume.name)) {
      mkdirSync(this.path(path), { recursive: true });
      const data = volume.configMap && all(this.objects, 'ConfigMap').find(({ metadata }) => metadata.name === volume.configMap.name)?.data;
      for (const [file, text] of Object.entries(data ?? {})) this.write(join(path, file), this.translated(text));
      if (volume.name.startsWith('tls-')) {
        for (const [from, to] of [['pod.pem', 'tls.crt'], ['pod.key', 'tls.key'], ['ca.pem', 'ca.crt']]) copyFileSync(certificates.path(from), this.path(join(path, to)));
      }
    }
    if (volume.name.startsWith('secret-')) {
      const text = all(this.objects, 'ConfigMap')[0].data['trunkline.yaml'];
      const [path] = this.mounts(volume.name);
      for (const [, key] of text.matchAll(new RegExp(`${path}/(\\S+)`, 'g'))) this.write(join(path, key), 'a-secret-of-24-characters\n');
    }
  }

  environment(container) {
    const env = { PATH: process.env.PATH, ...this.given };
    for (const { name, value, valueFrom } of container.env) env[name] = value ?? this.fields[valueFrom.fieldRef.fieldPath];
    // What an existingSecret would hold.
    for (const [, name] of this.text().matchAll(/\$\{([A-Z_]+)\}/g)) if (container.envFrom && !(name in env)) env[name] = 'a-secret-of-24-characters';
    return env;
  }

  text() {
    return all(this.objects, 'ConfigMap').find(({ data }) => data['trunkline.yaml']).data['trunkline.yaml'];
  }

  // The init containers, one after the other, as Kubernetes does.
  initialise() {
    for (const container of pod(this.objects).initContainers ?? []) {
      const [command, ...args] = container.command.map((word) => this.translated(word));
      const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: this.environment(container), timeout: 120_000 });
      if (status !== 0) return { status, said: stdout + stderr };
    }
    return { status: 0 };
  }

  args() {
    return gateway(this.objects).args.map((word) => this.translated(word));
  }

  check() {
    const { status, stdout, stderr } = spawnSync(program, [...this.args(), '--check-config'], { encoding: 'utf8', env: this.environment(gateway(this.objects)) });
    return { status, said: stdout + stderr };
  }

  // The configuration with the addresses that an init container has found.
  configuration() {
    const [, file, , variables] = this.args();
    const found = variables ? readFileSync(variables, 'utf8').trim().split('\n').map((line) => line.split('=')) : [];
    return found.reduce((text, [name, value]) => text.replaceAll(`\${${name}}`, value), readFileSync(file, 'utf8'));
  }

  async start() {
    this.output = '';
    this.process = spawn(program, this.args(), { env: this.environment(gateway(this.objects)), stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (text) => (this.output += text));
    for (const handle of [this.process, this.process.stdout, this.process.stderr]) handle.unref();
    process.once('exit', () => this.process.kill('SIGKILL'));
    this.exited = new Promise((done) => this.process.once('exit', (code, signal) => done({ code, signal })));
    await until(async () => {
      assert.equal(this.process.exitCode, null, this.output);
      return (await this.probe('readinessProbe').catch(() => ({}))).ok;
    }, `the gateway to be ready: ${this.output}`);
  }

  // As the kubelet asks.
  probe(name) {
    const container = gateway(this.objects);
    const { path, port } = container[name].httpGet;
    const { containerPort } = container.ports.find((one) => one.name === port);
    return fetch(`http://${this.fields['status.podIP']}:${containerPort}${path}`);
  }

  // Of the pod's end.
  terminate() {
    this.process.ref();
    this.process.kill('SIGTERM');
    return this.exited;
  }
}
