// A real redis-server of Debian's, without files, on a port that is free.
import { spawn, execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort } from './ports.mjs';
import { until } from './until.mjs';

const run = promisify(execFile);

export class Redis {
  static async start({ port, password } = {}) {
    const redis = new Redis();
    redis.port = port ?? (await freePort());
    redis.password = password;
    await redis.launch();
    return redis;
  }

  get url() {
    return `redis://${this.password ? `:${this.password}@` : ''}127.0.0.1:${this.port}/0`;
  }

  async launch() {
    this.process = spawn('redis-server', ['--port', this.port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no',
      '--repl-diskless-load', 'swapdb', '--enable-debug-command', 'yes', ...(this.password ? ['--requirepass', this.password] : [])].map(String), { stdio: 'ignore' });
    this.exited = new Promise((done) => this.process.once('exit', done));
    this.process.unref();
    process.once('exit', () => this.process.kill('SIGKILL'));
    await until(async () => (await this.do('PING').catch(() => '')) === 'PONG', 'redis-server');
  }

  async do(...words) {
    const { stdout } = await run('redis-cli', ['-p', this.port, ...(this.password ? ['--no-auth-warning', '-a', this.password] : []), ...words].map(String), { timeout: 5000 });
    return stdout.trim();
  }

  // Stands still, its connections open.
  pause() {
    this.process.kill('SIGSTOP');
  }

  resume() {
    this.process.kill('SIGCONT');
  }

  async stop() {
    this.process.ref();
    this.resume();
    this.process.kill('SIGKILL');
    await this.exited;
  }
}
