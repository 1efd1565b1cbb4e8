// Holds objects against the types of the Kubernetes API: TypeScript refuses keys that a type doesn't have, wrong types and
// null, and the models' own schemas the rest (patterns, required keys).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const PACKAGES = {
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator/',
  'keda.sh': '@kubernetes-models/keda/',
  'cert-manager.io': '@kubernetes-models/cert-manager/',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api/',
};

function moduleOf({ apiVersion, kind }) {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  return `${PACKAGES[group] ?? 'kubernetes-models/'}${apiVersion}/${kind}`;
}

// Complaints about the objects, each { title, object }; one run of the compiler for all of them.
export function typeErrors(objects) {
  const folder = join(here, 'node_modules/.chart');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `objects-${process.pid}.ts`);
  const kinds = [...new Map(objects.map(({ object }) => [moduleOf(object), object.kind]))];
  const alias = new Map(kinds.map(([path], index) => [path, `Kind${index}`]));
  const lines = kinds.map(([path, kind]) => `import type { I${kind} as ${alias.get(path)} } from '${path}';`);
  const at = new Map();
  for (const [index, { title, object }] of objects.entries()) {
    at.set(lines.length + 1, title);
    lines.push(...`export const object${index}: ${alias.get(moduleOf(object))} = ${JSON.stringify(object, null, 1)};`.split('\n'));
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2022'];
  const result = spawnSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), ...options, file], { encoding: 'utf8', cwd: here, maxBuffer: 64 << 20 });
  rmSync(file);
  const found = result.stdout.includes('): error ');
  assert.ok(result.status === 0 || found, `the compiler failed: ${result.stdout}${result.stderr}`);
  return result.stdout.split('\n').filter((line) => line.includes(': error ')).map((line) => {
    const row = Number(/\((\d+),/.exec(line)?.[1]);
    const start = [...at.keys()].filter((first) => first <= row).at(-1);
    return `${at.get(start)}: ${line}`;
  });
}

export async function schemaErrors(objects) {
  const errors = [];
  for (const { title, object } of objects) {
    const model = (await import(moduleOf(object)))[object.kind];
    try {
      new model(object).validate();
    } catch (error) {
      errors.push(`${title}: ${error.message}`);
    }
  }
  return errors;
}
