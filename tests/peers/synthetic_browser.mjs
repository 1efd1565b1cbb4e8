// Drives the synthetic browser program: JSON lines in, JSON lines out.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { BROWSER, TRUNK } from './audio.mjs';
import { build } from './gateway.mjs';
import { PATIENCE, until } from './until.mjs';

const HEARD_WINDOWS = 5; // of 100 ms each: half a second of the tone

export class SyntheticBrowser {
  // Connected and, unless told otherwise, registered.
  // `command`: another program that is driven alike. `options`: more of its command line, as --opus. `tcp`: in a network that blocks UDP.
  static async open(gateway, user = 'alice', { password = user === 'alice' ? 'secret-a' : 'secret-b', username, register = true, address = gateway.addresses[0], command, options, tcp = false } = {}) {
    const browser = new SyntheticBrowser(gateway, user, password, username, address, command, [...(options ?? []), ...(tcp ? ['--tcp'] : [])]);
    browser.do('connect');
    await browser.event('connected');
    if (register) await browser.register();
    return browser;
  }

  constructor(gateway, user, password, username = user, address = gateway.addresses[0], command = [join(build, 'tests/synthetic_browser/synthetic_browser')], options = []) {
    this.user = user;
    this.events = [];
    this.nextCall = 1;
    const [program, ...first] = command;
    this.process = spawn(program,
      [...first, 'control', '--url', gateway.urlAt(address), '--user', user, '--username', username, '--password', password, '--domain', 'example.test', ...options],
      { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.stdin.on('error', () => {});
    this.exited = new Promise((done) => this.process.once('exit', (code, signal) => done({ code, signal })));
    this.process.once('close', () => (this.silent = true)); // all that it said has been read
    for (const handle of [this.process, this.process.stdin, this.process.stdout]) handle.unref(); // it ends with its input
    createInterface({ input: this.process.stdout }).on('line', (line) => {
      const event = JSON.parse(line);
      if (event.event === 'incoming') this.nextCall = event.call + 1;
      this.events.push(event);
    });
  }

  do(verb, details = {}) {
    this.process.stdin.write(`${JSON.stringify({ do: verb, ...details })}\n`);
  }

  // The first event of that name with these details that nobody has awaited yet.
  async event(name, details = {}, milliseconds = PATIENCE) {
    const matches = (event) => event.event === name &&
      Object.entries(details).every(([key, value]) => event[key] === value);
    let found;
    try {
      await until(() => {
        found = this.events.findIndex(matches);
        if (found < 0 && this.silent) throw new Error('the synthetic browser has ended');
        return found >= 0;
      }, name, milliseconds);
    } catch (error) {
      throw new Error(`${this.user}: no event ${name} ${JSON.stringify(details)} in ${JSON.stringify(this.events)}: ${error.message}`);
    }
    return this.events.splice(found, 1)[0];
  }

  has(name, details = {}) {
    return this.events.some((event) => event.event === name &&
      Object.entries(details).every(([key, value]) => event[key] === value));
  }

  async register() {
    this.do('register');
    await this.event('registered');
  }

  // The program numbers calls in both directions from 1; its number is known before its first event.
  call(to, { tone = BROWSER, listen = TRUNK } = {}) {
    this.do('call', { to, tone, listen });
    this.nextCall += 1;
    return this.nextCall - 1;
  }

  // Calls a number of the carrier's: the call and the carrier's side of it, once it is answered.
  async dials(carrier, number, options) {
    const arrived = carrier.arrival(number);
    const call = this.call(number, options);
    await this.event('answered', { call });
    return [call, await arrived];
  }

  // Is called by the carrier at that number, and answers: the call and the carrier's side of it, with sound both ways.
  async talksWhenDialled(carrier, number, { tone = BROWSER, listen = TRUNK } = {}) {
    const peer = await carrier.call(number);
    const { call } = await this.event('incoming');
    this.answer(call, { tone, listen });
    const status = await peer.final();
    if (status !== 200) throw new Error(`${number} answered with ${status}`);
    peer.rtp.play(listen);
    await this.talks(call, peer, tone);
    return [call, peer];
  }

  answer(call, { tone = BROWSER, listen = TRUNK } = {}) {
    this.do('answer', { call, tone, listen });
  }

  reject(call, status) {
    this.do('reject', { call, status });
  }

  async stats(call) {
    this.do('stats', { call });
    return this.event('stats', { call });
  }

  // Resolves when the tone that the call listens to has been heard for half a second from now on.
  async hears(call, milliseconds = PATIENCE) {
    const { heard } = await this.stats(call);
    let last;
    try {
      await until(async () => {
        last = await this.stats(call);
        return last.heard >= heard + HEARD_WINDOWS;
      }, 'tone', milliseconds);
    } catch {
      throw new Error(`${this.user}: call ${call} doesn't hear its tone: ${JSON.stringify(last)}`);
    }
  }

  // Both ways: it hears what it listens for, and `peer`, the trunk's side of the call, its tone of `frequency`.
  async talks(call, peer, frequency = BROWSER) {
    peer.rtp.forget();
    await this.hears(call);
    await until(() => peer.rtp.hears(frequency) > 0.8, 'the trunk to hear the browser');
  }

  async hangsUp(call, peer) {
    this.hangup(call);
    await until(() => peer.ended, 'BYE at the trunk');
  }

  hangup(call) {
    this.do('hangup', { call });
  }

  // Dies as a crashed tab does: nothing is said to anybody.
  async kill() {
    this.process.ref();
    this.process.kill('SIGKILL');
    await this.exited;
  }

  async close() {
    this.process.ref();
    if (this.process.exitCode === null && this.process.signalCode === null) this.do('quit');
    return this.exited;
  }
}
