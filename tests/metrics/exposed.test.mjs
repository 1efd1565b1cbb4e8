// What the program exposes: valid, documented, and all that rules and dashboards are made of.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Gateway, repository } from '../peers/gateway.mjs';
import { recordedSeries, usedMetrics } from './delivered.mjs';

let gateway;
let page;
let names;

before(async () => {
  // With a listener that shows a certificate, a trunk that registers, call records and a store (which need not answer), so
  // that their metrics are there too.
  gateway = await Gateway.start({
    tls: true,
    extra: 'cdr: { path: calls.jsonl }\ncredentials: { secret: "a secret of replicas" }\nstore: { type: redis, url: "redis://127.0.0.1:1" }',
    trunks: ({ host, carrierPort }) => `
  - name: carrier
    uri: "sip:${host}:${carrierPort}"
    allow: ["127.0.0.1"]
    username: gw
    password: secret-t
    register: true`,
  });
  page = await (await gateway.get('/metrics')).text();
  names = new Map([...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
});

after(async () => {
  assert.equal((await gateway?.stop())?.code, 0);
});

describe('the metrics page', () => {
  it('is clean for promtool check metrics', () => {
    const found = execFileSync('promtool', ['check', 'metrics'], { input: page, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
    assert.equal(found.trim(), '');
  });

  it('has all that rules, alerts and dashboards use', () => {
    const isThere = (name) => names.has(name) || names.get(name.replace(/_(bucket|sum|count)$/, '')) === 'histogram';
    const missing = [...usedMetrics()].filter(([name]) => !isThere(name)).map(([name, places]) => `${name} (${[...places].join(', ')})`);
    assert.deepEqual(missing, []);
  });

  it('is described in docs/metrics.md, metric by metric, and nothing else is', () => {
    const manual = readFileSync(join(repository, 'docs/metrics.md'), 'utf8');
    const described = new Map([...manual.matchAll(/^\| `((?:trunkline|process)_[a-z0-9_]+)` \| (\w+)/gm)].map(([, name, type]) => [name, type]));
    const text = (map) => [...map].map(([name, type]) => `${name} ${type}`).sort();
    assert.deepEqual(text(described), text(names));
  });

  it('keeps to seconds, bytes and ratios, and to names that PromQL does not take for parts of others', () => {
    for (const [name, type] of names) {
      assert.equal(name.endsWith('_total'), type === 'counter', name);
      assert.doesNotMatch(name, /_(count|sum|bucket|ms|millis|milliseconds|kb|percent)$/, name);
    }
  });
});

describe('recorded series', () => {
  it('that alerts and dashboards use are those that rules.yaml records', () => {
    const { recorded, used } = recordedSeries();
    assert.deepEqual([...used].filter((name) => !recorded.has(name)), []);
  });
});
