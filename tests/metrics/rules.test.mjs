// The rules, alerts and dashboards that are delivered: Prometheus takes them, their own tests hold, and each alert is
// tested and explained.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { repository } from '../peers/gateway.mjs';
import { alerts, dashboards, tests } from './delivered.mjs';

const folder = join(repository, 'deploy/prometheus');
const promtool = (...args) => execFileSync('promtool', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const manual = readFileSync(join(repository, 'docs/metrics.md'), 'utf8');

describe('rules and alerts', () => {
  it('are what Prometheus takes', () => {
    promtool('check', 'rules', 'rules.yaml', 'alerts.yaml');
  });

  for (const file of readdirSync(join(folder, 'tests'))) {
    it(`do what tests/${file} says`, () => promtool('test', 'rules', join('tests', file)));
  }

  for (const alert of alerts()) {
    it(`${alert.name} has a severity, texts, tests and a place in the manual`, () => {
      assert.match(alert.text, /severity: (critical|warning|info)/);
      for (const text of ['summary', 'description', 'runbook']) assert.match(alert.text, new RegExp(`${text}: ".{20,}"`), text);
      assert.ok(tests().split(`alertname="${alert.name}"`).length > 2, 'fires in one test, and is silent in another');
      assert.match(manual, new RegExp(`^### ${alert.name}$`, 'm'));
    });
  }
});

describe('dashboards', () => {
  it('are the six that are promised', () => {
    assert.deepEqual(Object.keys(dashboards()).sort(), ['browsers', 'media', 'node', 'overview', 'rollout', 'trunks']);
  });

  for (const [name, dashboard] of Object.entries(dashboards())) {
    it(`${name} can be imported: one uid, panels that overlap nowhere, the data source left to choose`, () => {
      assert.equal(dashboard.uid, `trunkline-${name}`);
      assert.ok(dashboard.templating.list.some(({ type }) => type === 'datasource'));
      assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
      const taken = new Set();
      for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
        assert.ok(x + w <= 24, title);
        for (let at = 0; at < w * h; at += 1) {
          const place = `${x + (at % w)},${y + Math.floor(at / w)}`;
          assert.ok(!taken.has(place), `${title} at ${place}`);
          taken.add(place);
        }
      }
      for (const panel of dashboard.panels.filter(({ type }) => type !== 'row')) {
        assert.equal(panel.datasource.uid, '${datasource}', panel.title);
        assert.ok(panel.targets.length > 0 && panel.targets.every(({ expr }) => expr), panel.title);
      }
    });
  }
});
