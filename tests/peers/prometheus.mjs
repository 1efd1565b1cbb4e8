// Debian's Prometheus, scraping gateways with the rules and alerts of deploy/prometheus.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository, uriHost } from './gateway.mjs';
import { freePort } from './ports.mjs';
import { until } from './until.mjs';

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const divided = (divisor) => (whole, before, number, unit, after = '') => `${before}${Math.ceil((number * UNITS[unit]) / divisor)}ms${after}`;

// The same rules, made for a test's time: what they look back on is so many times shorter, and so is what they wait for
// (`for`). Nothing else of them changes.
const hastened = (rules, { ranges, waits }) => rules
  .replace(/(\[)(\d+)(ms|[smhdw])(\])/g, divided(ranges))
  .replace(/(\boffset )(\d+)(ms|[smhdw])\b/g, (...found) => divided(ranges)(...found.slice(0, 4)))
  .replace(/^( +for: )(\d+)(ms|[smhdw])$/gm, (...found) => divided(waits)(...found.slice(0, 4)));

export class Prometheus {
  // Scrapes one gateway as the job `trunkline`, or `{ job: gateway, ... }`. `haste`: { ranges, waits }, see above.
  static async start(gateways, { interval = '1s', evaluation = '5s', haste } = {}) {
    const jobs = gateways.adminPort === undefined ? gateways : { trunkline: gateways };
    const prometheus = new Prometheus();
    prometheus.port = await freePort();
    prometheus.folder = mkdtempSync(join(tmpdir(), 'trunkline-prometheus-'));
    const file = join(prometheus.folder, 'prometheus.yml');
    const rules = ['rules.yaml', 'alerts.yaml'].map((name) => {
      const shipped = join(repository, 'deploy/prometheus', name);
      if (!haste) return shipped;
      const copy = join(prometheus.folder, name);
      writeFileSync(copy, hastened(readFileSync(shipped, 'utf8'), haste));
      return copy;
    });
    writeFileSync(file, `
global: { scrape_interval: ${interval}, scrape_timeout: ${interval}, evaluation_interval: ${evaluation} }
rule_files: ${JSON.stringify(rules)}
scrape_configs:
${Object.entries(jobs).map(([job, gateway]) => `  - { job_name: ${job}, static_configs: [{ targets: ["${uriHost(gateway.host)}:${gateway.adminPort}"] }] }`).join('\n')}
`);
    prometheus.output = '';
    prometheus.process = spawn('prometheus', [`--config.file=${file}`, `--storage.tsdb.path=${join(prometheus.folder, 'data')}`, `--web.listen-address=127.0.0.1:${prometheus.port}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    prometheus.process.stderr.on('data', (text) => (prometheus.output += text));
    prometheus.exited = new Promise((done) => prometheus.process.once('exit', done));
    for (const handle of [prometheus.process, prometheus.process.stderr]) handle.unref();
    process.once('exit', () => prometheus.process.kill('SIGKILL'));
    await until(async () => (await fetch(`http://127.0.0.1:${prometheus.port}/-/ready`).catch(() => ({ ok: false }))).ok, 'Prometheus to be ready').catch((error) => {
      throw new Error(`${error.message}\n${prometheus.output}`);
    });
    // What is counted before the first scrape has no rate.
    await until(async () => (await prometheus.value('sum(up)')) === Object.keys(jobs).length, 'a first scrape');
    return prometheus;
  }

  async ask(path) {
    const answer = await (await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}`)).json();
    if (answer.status !== 'success') throw new Error(JSON.stringify(answer));
    return answer.data;
  }

  // The value of an expression that has one; undefined while it has none.
  async value(expression) {
    const { result } = await this.ask(`query?query=${encodeURIComponent(expression)}`);
    return result.length === 0 ? undefined : Number(result[0].value[1]);
  }

  async stop() {
    this.process.ref();
    this.process.kill('SIGTERM');
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
