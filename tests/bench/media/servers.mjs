// What the media bench compares: the gateway by its own front, Debian's rtpengine in user space by NG, and the bare relay,
// which is told its keys. Each with a load of its own, the same program.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build, Gateway } from '../../peers/gateway.mjs';
import { freePort, freePorts } from '../../peers/ports.mjs';
import { RawBrowser } from '../../peers/raw_browser.mjs';
import { acknowledge, request } from '../../peers/raw_sip.mjs';
import { header, parse, uriOf } from '../../peers/sip_message.mjs';
import { cryptoLines, newKey } from '../../peers/srtp.mjs';
import { TrunkPeer } from '../trunk_peer.mjs';
import * as describe from './descriptions.mjs';
import { NgClient } from './ng.mjs';

const TICK = 10; // ms of /proc, on Linux
const RTP_PORTS = 3000;
const RTP_PORTS_COUNTED = 200; // under valgrind, where opening them takes its time
const SLOW_START = 300000; // ms
const RTPENGINE_THREADS = 2;
const TOGETHER = 25; // calls that are set up at the same time
const FIRST_NUMBER = 20000;

// The cases: what the encrypted side is, and what it is sealed with.
export const CASES = {
  'dtls-gcm': { kind: 'dtls', suite: 'AEAD_AES_128_GCM', profiles: 'SRTP_AEAD_AES_128_GCM' },
  'dtls-cm': { kind: 'dtls', suite: 'AES_CM_128_HMAC_SHA1_80', profiles: 'SRTP_AES128_CM_SHA1_80' },
  'sdes-cm': { kind: 'sdes', suite: 'AES_CM_128_HMAC_SHA1_80' },
};

const hex = (base64) => Buffer.from(base64, 'base64').toString('hex');

const underCallgrind = (file) => (file ? ['valgrind', '--tool=callgrind', `--callgrind-out-file=${file}`] : []);

// A program whose errors are kept, and which ends with us.
function start(words) {
  const child = spawn(words[0], words.slice(1).map(String), { stdio: ['pipe', 'pipe', 'pipe'] });
  child.said = '';
  child.stderr.on('data', (text) => (child.said += text));
  child.once('error', (error) => (child.said += error.message));
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

const children = new Set();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
process.setMaxListeners(100); // each gateway has one

async function ended(child) {
  if (child.exitCode === null && child.signalCode === null) await new Promise((done) => child.once('exit', done));
}

// A program that obeys lines of JSON.
class Commanded {
  constructor(program, args, callgrind) {
    this.program = program;
    this.process = start([...underCallgrind(callgrind), join(build, 'tests', program), ...args]);
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.turn = Promise.resolve();
  }

  // One after the other.
  ask(order) {
    const answer = this.turn.then(async () => {
      this.process.stdin.write(`${JSON.stringify(order)}\n`);
      const { value, done } = await this.lines.next();
      if (done) throw new Error(`${this.program} ended: ${this.process.said}`);
      return JSON.parse(value);
    });
    this.turn = answer.catch(() => {});
    return answer;
  }

  close() {
    this.process.stdin.end();
    return ended(this.process);
  }
}

export class Server {
  static async start(name, kase, { callgrind = false } = {}) {
    const server = new KINDS[name]();
    Object.assign(server, { name, kase: CASES[kase], folder: mkdtempSync(join(tmpdir(), `media-bench-${name}-`)) });
    const [encrypted, plain] = [await freePort(), await freePorts(2)];
    await server.open(callgrind ? join(server.folder, 'callgrind') : undefined);
    server.load = new Commanded('media_load', [encrypted, plain]);
    return server;
  }

  // So many calls more, whose descriptions are exchanged; none is connected.
  async add(count) {
    const { calls } = await this.load.ask({ do: 'add', kind: this.kase.kind === 'dtls' ? 'dtls' : 'keyed', profiles: this.kase.profiles ?? '', count });
    const remotes = [];
    for (let at = 0; at < calls.length; at += TOGETHER) {
      remotes.push(...await Promise.all(calls.slice(at, at + TOGETHER).map(async (call) => ({ id: call.id, ...await this.agree(call) }))));
    }
    await this.load.ask({ do: 'remote', calls: remotes });
  }

  connect(rate = 0) {
    return this.load.ask({ do: 'connect', rate });
  }

  talk(calls, seconds, connectRate = 0) {
    return this.load.ask({ do: 'talk', calls, seconds, connect_rate: connectRate });
  }

  // Of a keyed call: what both ends are told.
  keyed(call) {
    const ours = newKey(this.kase.suite);
    return { offer: describe.sdes(call, this.kase.suite, ours), keys: (theirs) => ({ profile: this.kase.suite, send: hex(ours), receive: hex(theirs) }) };
  }

  // What a server's answer to the encrypted side says.
  remote(answer, keys) {
    if (this.kase.kind === 'dtls') return describe.iceAndDtls(answer);
    return { encrypted_side: describe.audioAddress(answer), ...keys(cryptoLines(answer)[0].key) };
  }

  offer(call) {
    return this.kase.kind === 'dtls' ? { offer: describe.browser(call) } : this.keyed(call);
  }

  // Milliseconds of processor time: { user, system, total }; the total is exact, the parts are in ticks.
  processorTime() {
    const threads = readdirSync(`/proc/${this.pid}/task`);
    const total = threads.reduce((sum, thread) => sum + Number(readFileSync(`/proc/${this.pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]), 0) / 1e6;
    const [user, system] = readFileSync(`/proc/${this.pid}/stat`, 'latin1').split(') ').at(-1).split(' ').slice(11, 13).map((ticks) => Number(ticks) * TICK);
    return { user, system, total };
  }

  // KiB.
  memory() {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'))[1]);
  }

  // Instructions since the last time, from callgrind.
  instructions() {
    execFileSync('callgrind_control', ['--dump', String(this.pid)], { stdio: 'ignore' });
    const dumps = readdirSync(this.folder).filter((name) => /^callgrind\.\d+$/.test(name));
    const last = Math.max(...dumps.map((name) => Number(name.split('.')[1])));
    return Number(/^(?:totals|summary): (\d+)/m.exec(readFileSync(join(this.folder, `callgrind.${last}`), 'latin1'))[1]);
  }

  async close() {
    await this.load?.close();
    await this.shut();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const trunk = (name, port, srtp) => `  - name: ${name}
    uri: "sip:127.0.0.1:${port}"
    allow: ["127.0.0.1:${port}"]
    codecs: [PCMU]
    srtp: ${srtp}
    options_interval: 0s
    max_calls: 10000
    max_calls_per_second: 10000`;

class GatewayServer extends Server {
  async open(callgrind) {
    const [callerPort, calleePort] = [await freePort(), await freePort()];
    this.gateway = await Gateway.start({
      rtpPorts: callgrind ? RTP_PORTS_COUNTED : RTP_PORTS,
      patience: SLOW_START,
      trunks: [trunk('caller', callerPort, 'sdes'), trunk('callee', calleePort, 'none')].join('\n'),
      routes: '  - { from: any, match: "^2[0-9]{4}$", target: "trunk:callee" }',
      extra: 'limits: { max_calls: 10000 }',
      log: '{ level: info, format: json }',
      under: underCallgrind(callgrind),
    });
    this.pid = this.gateway.process.pid;
    this.offered = new Map(); // number -> what the gateway told the callee
    this.plain = new Map(); // number -> what the callee answers
    const answer = (invite) => {
      const number = /^sip:(\d+)@/.exec(invite.uri)[1];
      this.offered.set(number, invite.body);
      return this.plain.get(number);
    };
    this.caller = await TrunkPeer.open(callerPort, this.gateway.sipPort);
    this.callee = await TrunkPeer.open(calleePort, this.gateway.sipPort, answer);
    if (this.kase.kind === 'dtls') this.browser = await RawBrowser.open(this.gateway);
    this.engine = this.engineOf(this.kase.suite);
  }

  // What the gateway found to be the fastest here.
  engineOf(suite) {
    const line = this.gateway.logLines().find((one) => one.msg === 'srtp engines');
    return line[suite.replace('AES_CM_128_HMAC_SHA1_80', 'SRTP_AES128_CM_HMAC_SHA1_80')];
  }

  async agree(call) {
    const number = String(FIRST_NUMBER + call.id);
    this.plain.set(number, describe.plain(call));
    const { offer, keys } = this.offer(call);
    const answer = this.kase.kind === 'dtls' ? await this.invite(number, offer) : (await this.caller.call(number, offer)).description;
    return { ...this.remote(answer, keys), plain_side: describe.audioAddress(this.offered.get(number)) };
  }

  async invite(number, offer) {
    const { browser } = this;
    const signed = await browser.sign('INVITE', { uri: `sip:${number}@example.test`, body: offer });
    browser.send(signed);
    const answer = await browser.socket.final(signed.callId);
    if (answer.status !== 200) throw new Error(`${answer.start} to a call to ${number}`);
    const headers = { From: header(parse(signed.text), 'from'), To: header(answer, 'to') };
    const cseq = Number.parseInt(header(answer, 'cseq'), 10);
    browser.send(request(browser.socket, 'ACK', { callId: signed.callId, cseq, headers, uri: uriOf(header(answer, 'contact')) }));
    return answer.body;
  }

  async shut() {
    this.browser?.close();
    this.caller.close();
    this.callee.close();
    await this.gateway.stop('SIGKILL');
  }
}

class RtpengineServer extends Server {
  async open(callgrind) {
    const [ng, first] = [await freePort(), await freePorts(RTP_PORTS)];
    this.child = start([
      ...underCallgrind(callgrind), 'rtpengine', '--foreground', '--log-stderr', '--log-level=3', '--table=-1',
      '--interface=127.0.0.1', `--listen-ng=127.0.0.1:${ng}`, `--port-min=${first}`, `--port-max=${first + RTP_PORTS - 1}`,
      '--timeout=36000', '--silent-timeout=36000', `--num-threads=${RTPENGINE_THREADS}`,
    ]);
    this.pid = this.child.pid;
    this.ng = new NgClient(ng);
    await this.ng.ask('ping').catch((error) => {
      throw new Error(`${error.message}: ${this.child.said}`);
    });
    this.engine = 'OpenSSL';
  }

  async agree(call) {
    const common = { 'call-id': `call-${call.id}`, 'from-tag': 'encrypted', replace: ['origin', 'session-connection'], flags: ['trust-address'] };
    const { offer, keys } = this.offer(call);
    const offered = await this.ng.ask('offer', {
      ...common, sdp: offer, 'transport-protocol': 'RTP/AVP', ICE: 'remove', 'ICE-lite': 'backward', 'rtcp-mux': ['demux'], DTLS: 'passive',
    });
    const answered = await this.ng.ask('answer', { ...common, 'to-tag': 'plain', sdp: describe.plain(call), DTLS: 'passive' });
    return { ...this.remote(answered.sdp, keys), plain_side: describe.audioAddress(offered.sdp) };
  }

  async shut() {
    this.ng.close();
    this.child.kill('SIGTERM');
    await ended(this.child);
  }
}

class RelayServer extends Server {
  async open(callgrind) {
    this.port = await freePort();
    this.relay = new Commanded('media_relay', [this.port], callgrind);
    this.pid = this.relay.process.pid;
    this.kase = { ...this.kase, kind: 'keyed' };
    this.engine = 'the gateway\'s';
  }

  async agree(call) {
    const [toServer, toEnd] = [newKey(this.kase.suite), newKey(this.kase.suite)].map(hex);
    const { port } = await this.relay.ask({ encrypted_side: call.encrypted_side, plain_side: call.plain_side, ssrc: call.ssrc, profile: this.kase.suite, receive: toServer, send: toEnd });
    return { encrypted_side: `127.0.0.1:${this.port}`, plain_side: `127.0.0.1:${port}`, profile: this.kase.suite, send: toServer, receive: toEnd };
  }

  shut() {
    return this.relay.close();
  }
}

const KINDS = { gateway: GatewayServer, rtpengine: RtpengineServer, relay: RelayServer };
