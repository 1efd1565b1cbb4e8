// What deploy/prometheus and deploy/grafana hold, and which metrics it is made of.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../peers/gateway.mjs';

const read = (...path) => readFileSync(join(repository, 'deploy', ...path), 'utf8');

export const tests = () => readdirSync(join(repository, 'deploy/prometheus/tests')).map((file) => read('prometheus/tests', file)).join('\n');

// Name and YAML of each alert.
export const alerts = () => read('prometheus/alerts.yaml').split(/^ {6}- alert: /m).slice(1).map((text) => ({ name: text.slice(0, text.indexOf('\n')), text }));

export const dashboards = () => Object.fromEntries(readdirSync(join(repository, 'deploy/grafana')).filter((file) => file.endsWith('.json')).map((file) => [file.replace('.json', ''), JSON.parse(read('grafana', file))]));

// Metrics by the places that use them. What a histogram is made of counts as the histogram.
export function usedMetrics() {
  const used = new Map();
  const take = (place, text) => {
    for (const [name] of text.matchAll(/\b(?:trunkline|process)_[a-z0-9_]+/g)) {
      if (!used.has(name)) used.set(name, new Set());
      used.get(name).add(place);
    }
  };
  for (const file of ['rules.yaml', 'alerts.yaml']) take(file, read('prometheus', file));
  for (const [name, { panels, templating, annotations }] of Object.entries(dashboards()))
    take(`${name}.json`, JSON.stringify([panels.map(({ targets }) => targets), templating.list.map(({ query }) => query), annotations]));
  return used;
}

// Recorded series by the places that use them, and those that rules.yaml records.
export function recordedSeries() {
  const recorded = new Set([...read('prometheus/rules.yaml').matchAll(/record: (\S+)/g)].map(([, name]) => name));
  const used = new Set();
  for (const text of [read('prometheus/alerts.yaml'), JSON.stringify(dashboards())])
    for (const [name] of text.matchAll(/\btrunkline:[a-z0-9_]+:[a-z0-9_]+/g)) used.add(name);
  return { recorded, used };
}
