// Runs SIPp with one of the scenarios beside tests/sip, or one made of steps (sipp_scenario.mjs). Debian's SIPp has no TLS:
// behind TlsFront it speaks TCP, and says TLS.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeUlaw } from './audio.mjs';
import { repository, uriHost } from './gateway.mjs';
import { LossyRelay } from './lossy_relay.mjs';
import { freePort, freePorts } from './ports.mjs';
import { TlsFront } from './tls_front.mjs';
import { until } from './until.mjs';

// Whether something of this machine is bound to the UDP port, or listens on the TCP port.
function bound(transport, port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const state = transport !== 'udp' ? '0A' : '07';
  const lines = ['', '6'].flatMap((family) => readFileSync(`/proc/net/${transport !== 'udp' ? 'tcp' : 'udp'}${family}`, 'latin1').split('\n'));
  return lines.some((line) => {
    const [, local, , at] = line.trim().split(/\s+/);
    return local?.endsWith(`:${hex}`) && at === state;
  });
}

function intermediary(gateway, transport, lossy, ports) {
  if (lossy) return LossyRelay.open(gateway, ports);
  return transport === 'tls' ? TlsFront.open(gateway, ports) : undefined;
}

function tone(frequency, seconds) {
  const samples = Buffer.alloc(8000 * seconds);
  for (let at = 0; at < samples.length; at += 1) samples[at] = encodeUlaw(Math.round(8000 * Math.sin((2 * Math.PI * frequency * at) / 8000)));
  return samples;
}

export class Sipp {
  // Calls the gateway, `calls` times; over UDP through a lossy relay if asked to.
  static async caller(gateway, scenario, { lossy = false, transport = 'udp', ...options } = {}) {
    const ports = { port: await freePort(), mediaPort: await freePorts(4) };
    const between = await intermediary(gateway, transport, lossy, { peerPort: ports.port });
    return new Sipp(gateway, scenario, { ...ports, between, transport, ...options });
  }

  // Waits for calls at the trunk's address, itself or behind an intermediary; resolves when it listens.
  static async callee(gateway, scenario, { lossy = false, transport = 'udp', ...options } = {}) {
    const apart = lossy || transport === 'tls';
    const ports = { port: apart ? await freePort() : gateway.carrierPort, mediaPort: await freePorts(4) };
    const between = await intermediary(gateway, transport, lossy, { peerPort: ports.port, port: gateway.carrierPort });
    const sipp = new Sipp(gateway, scenario, { ...ports, between, transport, waits: true, ...options });
    await until(() => sipp.over || bound(transport, sipp.port), 'SIPp to listen');
    return sipp;
  }

  constructor(gateway, scenario, { port, mediaPort, between, transport = 'udp', calls = 1, rate = 10, dial = 'echo', keys = {}, args = [], waits = false, seconds = 120 }) {
    Object.assign(this, { port, transport, between });
    const address = gateway.addresses?.[0] ?? '127.0.0.1';
    // Behind an intermediary it says in SIP the ports that each side knows of the other.
    if (between) keys = { local_port: between.port, remote_port: transport === 'tls' ? gateway.tlsPort : gateway.sipPort, ...keys };
    if (transport === 'tls') keys = { transport: 'TLS', ...keys };
    this.folder = mkdtempSync(join(tmpdir(), 'trunkline-sipp-'));
    // SIPp takes no key in a status line, so [name] is replaced here.
    let text = typeof scenario === 'string' ? readFileSync(join(repository, 'tests/sip/scenarios', `${scenario}.xml`), 'utf8') : String(scenario);
    for (const [name, value] of Object.entries(keys)) text = text.replaceAll(`[${name}]`, value);
    writeFileSync(join(this.folder, 'scenario.xml'), text);
    if (text.includes('tone.ulaw')) writeFileSync(join(this.folder, 'tone.ulaw'), tone(440, 1));
    const command = [
      ...(waits ? [] : [`${uriHost(address)}:${between?.gatewayPort ?? gateway.sipPort}`, '-r', String(rate), '-s', dial]),
      '-sf', 'scenario.xml', '-i', address, '-bind_local',
      '-p', String(port), '-mi', address, '-mp', String(mediaPort), '-t', transport === 'udp' ? 'u1' : 't1', '-m', String(calls),
      '-nostdin', '-trace_err', '-trace_msg', '-timeout', `${seconds}s`, '-timeout_error',
      '-error_file', 'errors.log', '-message_file', 'messages.log', ...args,
    ];
    this.process = spawn('sipp', command, { cwd: this.folder, stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, TERM: 'dumb' } });
    this.over = null;
    this.exited = new Promise((done) => this.process.once('exit', (code, signal) => {
      this.over = { code, signal };
      done(this.over);
    }));
  }

  read(name) {
    const file = join(this.folder, name);
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  // Resolves when every call of the scenario went as written, else rejects with what SIPp met.
  async succeeds() {
    const { code, signal } = await this.exited;
    const problem = code === 0 ? null
      : `SIPp ended with ${code ?? signal}\n${this.read('errors.log').slice(0, 4000)}\n${this.read('messages.log').slice(-6000)}`;
    if (problem) throw new Error(problem);
  }

  async close() {
    if (!this.over) this.process.kill('SIGKILL');
    await this.exited;
    this.between?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
