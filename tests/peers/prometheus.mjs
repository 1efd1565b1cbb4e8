// Debian's Prometheus, scraping the gateway with the rules and alerts of deploy/prometheus.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository, uriHost } from './gateway.mjs';
import { freePort } from './ports.mjs';
import { until } from './until.mjs';

export class Prometheus {
  static async start(gateway, { interval = '1s' } = {}) {
    const prometheus = new Prometheus();
    prometheus.port = await freePort();
    prometheus.folder = mkdtempSync(join(tmpdir(), 'trunkline-prometheus-'));
    const file = join(prometheus.folder, 'prometheus.yml');
    writeFileSync(file, `
global: { scrape_interval: ${interval}, scrape_timeout: ${interval}, evaluation_interval: 5s }
rule_files: ["${join(repository, 'deploy/prometheus/rules.yaml')}", "${join(repository, 'deploy/prometheus/alerts.yaml')}"]
scrape_configs:
  - { job_name: trunkline, static_configs: [{ targets: ["${uriHost(gateway.host)}:${gateway.adminPort}"] }] }
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
    await until(async () => (await prometheus.value('up')) === 1, 'a first scrape');
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
