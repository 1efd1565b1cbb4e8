// dnsmasq as the authority of a zone of the test's, and a relay before it that can be told to be slow, mute or broken.
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { freePort } from './ports.mjs';
import { until } from './until.mjs';

const PROGRAM = ['/usr/sbin/dnsmasq', '/sbin/dnsmasq'].find((path) => existsSync(path)) ?? 'dnsmasq';

export class NameServer {
  // `records` are dnsmasq's own options: "srv-host=_sip._udp.carrier.test,one.test,5070,10,60".
  static async start(records, { ttl = 6 } = {}) {
    const server = new NameServer();
    const port = await freePort();
    server.process = spawn(PROGRAM, [
      '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--bind-interfaces', '--pid-file=',
      `--user=${userInfo().username}`, '--listen-address=127.0.0.1', `--port=${port}`, '--local=/test/', `--local-ttl=${ttl}`,
      ...records.map((record) => `--${record}`),
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.process.stderr.on('data', (text) => (said += text));
    server.process.stderr.unref();
    server.process.unref();
    process.once('exit', () => server.process.kill('SIGKILL'));
    let over = false;
    server.process.once('exit', () => (over = true));
    await server.listen(port);
    await until(async () => {
      if (over) throw new Error(`dnsmasq ended: ${said}`);
      return server.answers();
    }, 'dnsmasq to answer');
    return server;
  }

  // "pass", "silent", "broken", "garbage", "truncated" (the answer is to be had by TCP); or the milliseconds by which
  // answers are late. A function is given the type of the question: "A", "AAAA", "SRV", "NAPTR".
  mode = 'pass';
  queries = 0;
  overTcp = 0;

  async listen(port) {
    this.port = await freePort();
    this.socket = dgram.createSocket('udp4');
    await new Promise((resolve) => this.socket.bind(this.port, '127.0.0.1', resolve));
    this.socket.unref();
    this.socket.on('message', (query, source) => this.relay(query, source, port));
    this.stream = createServer((client) => {
      this.overTcp += 1;
      const upstream = connect({ host: '127.0.0.1', port });
      for (const end of [client, upstream]) end.on('error', () => {}).unref();
      client.pipe(upstream).pipe(client);
    });
    await new Promise((resolve) => this.stream.listen(this.port, '127.0.0.1', resolve));
    this.stream.unref();
  }

  relay(query, source, port) {
    this.queries += 1;
    const mode = typeof this.mode === 'function' ? this.mode(typeOf(query)) : this.mode;
    const reply = (answer) => this.socket.send(answer, source.port, source.address);
    const flagged = (first, second) => reply(Buffer.concat([query.subarray(0, 2), Buffer.from([first, second]), query.subarray(4)]));
    if (mode === 'silent') return;
    if (mode === 'broken') return flagged(0x81, 0x82);
    if (mode === 'truncated') return flagged(0x83, 0x80);
    if (mode === 'garbage') return reply(Buffer.concat([query.subarray(0, 2), Buffer.from('8180ffffffffffffffffc0c0c0c0', 'hex')]));
    const upstream = dgram.createSocket('udp4').unref();
    upstream.once('message', (answer) => {
      upstream.close();
      if (typeof mode === 'number') setTimeout(() => reply(answer), mode).unref();
      else reply(answer);
    });
    upstream.send(query, port, '127.0.0.1');
  }

  // Whether a question gets an answer.
  async answers() {
    const question = Buffer.from('123401000001000000000000' + '0474657374' + '00' + '0001' + '0001', 'hex');
    const asker = dgram.createSocket('udp4').unref();
    const heard = await new Promise((resolve) => {
      asker.once('message', () => resolve(true));
      setTimeout(() => resolve(false), 200);
      asker.send(question, this.port, '127.0.0.1');
    });
    asker.close();
    return heard;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  close() {
    this.socket.close();
    this.stream.close();
    this.process.kill('SIGKILL');
  }
}

function typeOf(query) {
  let at = 12;
  while (query[at] > 0) at += query[at] + 1;
  return { 1: 'A', 28: 'AAAA', 33: 'SRV', 35: 'NAPTR' }[query.readUInt16BE(at + 1)];
}
