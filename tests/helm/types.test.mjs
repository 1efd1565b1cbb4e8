import assert from 'node:assert/strict';
import test from 'node:test';
import { helm, chart, render, scenarios } from './helm.mjs';
import { schemaErrors, typeErrors } from './kubernetes_types.mjs';

const rendered = scenarios.flatMap(({ name, values }) => ['1.27.0', '1.34.0'].flatMap((kubernetes) => render(values, { kubernetes })
  .map((object) => ({ title: `${name}, ${kubernetes}: ${object.kind} ${object.metadata.name}`, object }))));

test('helm lint finds nothing, whatever the values', () => {
  for (const { name, values } of scenarios) {
    const { status, stdout, stderr } = helm('lint', '--strict', chart, ...values.flatMap((file) => ['--values', file]));
    assert.equal(status, 0, `${name}: ${stdout}${stderr}`);
    assert.doesNotMatch(stdout, /WARNING|ERROR/, name);
  }
});

test('every object has the keys and types of the Kubernetes API, and no others', async () => {
  assert.ok(new Set(rendered.map(({ object }) => object.kind)).size > 20);
  assert.deepEqual(typeErrors(rendered), []);
  assert.deepEqual(await schemaErrors(rendered), []);
});

test('the check of types sees an unknown key, a wrong type and a null', async () => {
  const { title, object } = rendered.find((one) => one.object.kind === 'DaemonSet');
  const broken = (change) => {
    const copy = structuredClone(object);
    change(copy.spec.template.spec.containers[0]);
    return { title, object: copy };
  };
  const changes = [
    (container) => { container.ports[0].hostPrt = 1; },
    (container) => { container.ports[0].containerPort = '8080'; },
    (container) => { container.args = null; },
  ];
  const errors = typeErrors(changes.map(broken));
  for (const said of [`'"hostPrt"' does not exist`, "Type 'string' is not assignable to type 'number'", "Type 'null' is not assignable"])
    assert.equal(errors.filter((error) => error.includes(said)).length, 1, `${said}: ${errors.join('\n')}`);
  assert.equal((await schemaErrors([broken(changes[1])])).length, 1);
});

test('no two objects of a release have the same kind and name', () => {
  for (const { name, values } of scenarios) {
    const names = render(values).map((object) => `${object.kind} ${object.metadata.namespace ?? ''} ${object.metadata.name}`);
    assert.equal(new Set(names).size, names.length, `${name}: ${names.join(', ')}`);
  }
});

test('an upgrade changes nothing that Kubernetes forbids to change', () => {
  const fixed = (objects) => objects.map(({ kind, metadata, spec }) => [kind, metadata.name, spec?.selector, spec?.serviceName]);
  for (const { name, values } of scenarios) {
    const next = render([...values, { image: { tag: 'next' }, commonLabels: { team: 'voice' }, podLabels: { colour: 'blue' }, drain: { timeoutSeconds: 60 } }]);
    assert.deepEqual(fixed(next), fixed(render(values)), name);
  }
});

test('long names stay within what Kubernetes takes', () => {
  for (const object of render({ kind: 'StatefulSet' }, { release: 'a'.repeat(53) })) {
    assert.ok(object.metadata.name.length <= 63, object.metadata.name);
  }
});
