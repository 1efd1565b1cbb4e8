// Debian's baresip as the trunk's peer: it plays 440 Hz, writes down what it hears, and is driven over its control port.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toneShare } from './audio.mjs';
import { freePort, freePorts } from './ports.mjs';
import { PATIENCE, until } from './until.mjs';

const HEAD = 44; // octets of a WAV file before its samples

export class Baresip {
  // At `port` of a pair: the next one is that of TLS, always. `codec` is all that it speaks. It answers by itself ("auto") or when it is told to ("manual").
  static async start(gateway, { port, transport = 'udp', number = '5551000', answers = 'auto', codec = 'PCMU' } = {}) {
    const baresip = new Baresip();
    const address = `127.0.0.1:${port + (transport === 'tls' ? 1 : 0)}`;
    Object.assign(baresip, { gateway, uri: `sip:${number}@${address}`, transport, events: [], asked: 0, answers: new Map(), said: '' });
    baresip.controlPort = await freePort();
    const rtp = await freePorts(40);
    baresip.folder = mkdtempSync(join(tmpdir(), 'trunkline-baresip-'));
    const secure = transport === 'tls' ? baresip.credentials() : [];
    writeFileSync(join(baresip.folder, 'config'), [
      'poll_method epoll', `sip_listen 127.0.0.1:${port}`, ...secure, 'net_interface 127.0.0.1', 'call_max_calls 8',
      'audio_source ausine,440', 'audio_player aubridge,nobody', `snd_path ${baresip.folder}`,
      'ausrc_srate 48000', 'auplay_srate 8000', 'ausrc_channels 2', 'auplay_channels 1', `rtp_ports ${rtp}-${rtp + 39}`,
      'module_path /usr/lib/baresip/modules', 'module g711.so', 'module g722.so', 'module opus.so', 'module ausine.so', 'module aubridge.so', 'module sndfile.so',
      'module_tmp account.so', 'module_app menu.so', 'module_app ctrl_tcp.so', `ctrl_tcp_listen 127.0.0.1:${baresip.controlPort}`, '',
    ].join('\n'));
    writeFileSync(join(baresip.folder, 'accounts'),
      `<${baresip.uri};transport=${transport}>;regint=0;answermode=${answers};audio_codecs=${codec};dtmfmode=rtp\n`);
    await baresip.launch();
    return baresip;
  }

  credentials() {
    const { certificate, key } = this.gateway.tls;
    const both = join(this.folder, 'both.pem');
    writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
    return [`sip_certificate ${both}`, `sip_cafile ${certificate}`];
  }

  async launch() {
    this.process = spawn('baresip', ['-f', this.folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    let over = false;
    this.exited = new Promise((done) => this.process.once('exit', () => done((over = true))));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (text) => (this.said += text));
      stream.unref();
    }
    this.process.unref();
    process.once('exit', () => this.process.kill('SIGKILL'));
    await until(() => {
      if (over) throw new Error(`baresip ended: ${this.said}`);
      return this.said.includes('baresip is ready');
    }, 'baresip to be ready');
    this.control = connect(this.controlPort, '127.0.0.1');
    await new Promise((done, failed) => this.control.once('connect', done).once('error', failed));
    this.control.unref(); // a test that failed must not keep its process alive
    this.control.on('error', () => {});
    let rest = Buffer.alloc(0);
    this.control.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (;;) { // netstrings: LENGTH:JSON,
        const colon = rest.indexOf(':');
        const size = Number(rest.subarray(0, colon));
        if (colon < 0 || rest.length < colon + size + 2) return;
        this.take(JSON.parse(rest.subarray(colon + 1, colon + 1 + size)));
        rest = rest.subarray(colon + size + 2);
      }
    });
  }

  take(message) {
    if (message.event) this.events.push(message);
    else this.answers.set(message.token, message);
  }

  async do(command, params = '') {
    this.asked += 1;
    const token = String(this.asked);
    const text = JSON.stringify({ command, params, token });
    this.control.write(`${Buffer.byteLength(text)}:${text},`);
    const { ok, data } = await until(() => this.answers.get(token), `baresip's answer to ${command} ${params}`);
    if (!ok) throw new Error(`baresip: ${command} ${params}: ${data}`);
    return data;
  }

  // The first event of that type that nobody has awaited yet.
  async event(type, details = {}, milliseconds = PATIENCE) {
    let at;
    try {
      await until(() => {
        at = this.events.findIndex((event) => event.type === type && Object.entries(details).every(([key, value]) => event[key] === value));
        return at >= 0;
      }, type, milliseconds);
    } catch {
      throw new Error(`baresip: no ${type} ${JSON.stringify(details)} in ${JSON.stringify(this.events)}\n${this.said.slice(-3000)}`);
    }
    return this.events.splice(at, 1)[0];
  }

  dial(number) {
    const port = this.transport === 'tls' ? this.gateway.tlsPort : this.gateway.sipPort;
    return this.do('dial', `sip:${number}@127.0.0.1:${port}`);
  }

  // Resolves when of what it hears from now on half a second is that tone.
  async hears(frequency) {
    const before = this.heard();
    let share = 0;
    await until(() => Object.entries(this.heard()).some(([name, bytes]) => {
      const fresh = bytes.subarray(before[name]?.length ?? HEAD);
      const channels = bytes.readUInt16LE(22);
      const rate = bytes.readUInt32LE(24);
      if (fresh.length < 2 * channels * rate) return false; // a second: what was on its way before is over
      const first = Math.floor(bytes.length / (2 * channels)) - rate / 2;
      const samples = Array.from({ length: rate / 2 }, (_, at) => bytes.readInt16LE((first + at) * 2 * channels));
      share = toneShare(samples, frequency, rate);
      return share > 0.8;
    }), `baresip to hear ${frequency} Hz`).catch((error) => {
      throw new Error(`${error.message}; of the last half second ${share} is`);
    });
  }

  // Resolves when packets come and go by its own account. What it writes down ends where it has held a call.
  async flows() {
    const from = this.said.length;
    await until(() => /audio=[1-9]\d*\/[1-9]\d* /.test(this.said.slice(from)), 'packets at baresip');
  }

  // The sound of its calls so far, file by file.
  heard() {
    const files = readdirSync(this.folder).filter((name) => name.endsWith('-dec.wav'));
    return Object.fromEntries(files.map((name) => [name, readFileSync(join(this.folder, name))]));
  }

  async close() {
    this.process.ref();
    this.control?.destroy();
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
