// Starts the real program with a configuration of the test's, on ports that are free, and reads its metrics and log.
import { spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, freePorts } from './ports.mjs';
import { makeCertificate } from './tls_front.mjs';
import { until } from './until.mjs';

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const build = resolve(repository, process.env.TRUNKLINE_BUILD ?? 'build/release');

// An address as it stands in URIs.
export const uriHost = (address) => (address.includes(':') ? `[${address}]` : address);

export class Gateway {
  // `extra` is put over the default configuration, section by section. `trunks` and `routes` are YAML, or functions that
  // are given the gateway, whose ports they may need. A call on a trunk takes two of the `rtpPorts`, which begin at
  // `rtpFirst` where so many are wanted that there is no choice. `grpc` is more YAML for listen.grpc: ", tokens: [...]";
  // `admin` the address of listen.admin;
  // `media` a line of the section of that name, `sip` lines of listen.sip, and `websocket` more elements of listen.websocket, text or functions. With `tls` it listens
  // for SIP over TLS too, and trusts its own certificate. It listens for calls, and has media, at each of `addresses`; the
  // API, the metrics and the carrier are at the first. `under` is a program, with its arguments, that runs it;
  // it may need more than the usual milliseconds of `patience` until it is ready. `prepare` puts files beside the configuration.
  static async start({ tls = false, trunks, routes, users, extra = '', codecs = '[PCMU, PCMA]', trunkExtra = '', grpc = '', admin, sip = '', media = '', websocket = '', rtpPorts = 200, rtpFirst, workers = 1, addresses = ['127.0.0.1'], log = '{ level: debug, format: json }', under = [], patience, prepare = () => {} } = {}) {
    const gateway = new Gateway();
    Object.assign(gateway, { under, patience });
    gateway.addresses = addresses;
    const hosts = addresses.map(uriHost);
    [gateway.host] = hosts;
    gateway.wsPort = await freePort();
    gateway.adminPort = await freePort();
    gateway.sipPort = await freePort();
    gateway.carrierPort = await freePort();
    gateway.grpcPort = await freePort();
    gateway.tlsPort = await freePort();
    gateway.wssPort = await freePort();
    gateway.webrtcPort = await freePorts(workers);
    gateway.rtpFirst = rtpFirst ?? (await freePorts(rtpPorts));
    gateway.folder = mkdtempSync(join(tmpdir(), 'trunkline-'));
    if (tls) gateway.tls = makeCertificate(gateway.folder);
    if (typeof trunks === 'function') trunks = trunks(gateway);
    if (typeof routes === 'function') routes = routes(gateway);
    gateway.configuration = `
domain: example.test
listen:
  websocket: [${hosts.map((host) => `{ bind: "${host}:${gateway.wsPort}" }`).join(', ')}${typeof websocket === 'function' ? websocket(gateway) : websocket}]
  sip:
${hosts.flatMap((host) => ['udp', 'tcp'].map((transport) => `    - { transport: ${transport}, bind: "${host}:${gateway.sipPort}" }`)).join('\n')}${tls ? `
    - { transport: tls, bind: "${gateway.host}:${gateway.tlsPort}", tls: { certificate: "${gateway.tls.certificate}", key: "${gateway.tls.key}" } }` : ''}
${typeof sip === 'function' ? sip(gateway) : sip}
  grpc: { bind: "${gateway.host}:${gateway.grpcPort}"${grpc} }
  admin: { bind: "${admin ?? gateway.host}:${gateway.adminPort}" }
media:
  bind: ${JSON.stringify(addresses)}
  workers: ${workers}
  webrtc_port: ${gateway.webrtcPort}
  rtp_ports: "${gateway.rtpFirst}-${gateway.rtpFirst + rtpPorts - 1}"
  ${media}
users:
${users ?? '  - { name: alice, password: secret-a }\n  - { name: bob, password: secret-b }'}
trunks:
${trunks ?? `  - name: carrier
    uri: "sip:${gateway.host}:${gateway.carrierPort}"
    allow: ["${addresses[0]}"]
    codecs: ${codecs}
    options_interval: 0s
    max_calls: 2000
    max_calls_per_second: 1000
${trunkExtra}`}
routes:
${routes ?? `  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^1001$", target: "user:alice" }
  - { from: "trunk:carrier", match: "^1002$", target: "user:bob" }
  - { from: any, match: "^echo$", target: "service:echo" }
  - { from: any, match: "^tone$", target: "service:tone" }`}
log: ${log}
${extra}
`;
    prepare(gateway);
    await gateway.launch();
    return gateway;
  }

  async launch() {
    const file = join(this.folder, 'gateway.yaml');
    writeFileSync(file, this.configuration);
    this.output = '';
    const [program, ...args] = [...this.under, join(build, 'trunkline'), '--config', file];
    this.process = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: this.tls ? { ...process.env, SSL_CERT_FILE: this.tls.certificate } : process.env,
    });
    this.exited = new Promise((done) => this.process.once('exit', (code, signal) => done({ code, signal })));
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on('data', (text) => (this.output += text));
    // A test that failed must neither keep its process alive nor leave a gateway behind.
    for (const handle of [this.process, this.process.stdout, this.process.stderr]) handle.unref();
    process.once('exit', () => this.process.kill('SIGKILL'));
    let over = null;
    void this.exited.then((result) => (over = result));
    await until(async () => {
      if (over) throw new Error(`the gateway ended: ${JSON.stringify(over)}\n${this.output}`);
      return (await this.get('/readyz').catch(() => ({ ok: false }))).ok;
    }, 'the gateway to be ready', this.patience);
  }

  // Another configuration, in the place of the one before at once: `change` is given the text of that.
  rewrite(change) {
    this.configuration = change(this.configuration);
    writeFileSync(join(this.folder, 'next.yaml'), this.configuration);
    renameSync(join(this.folder, 'next.yaml'), join(this.folder, 'gateway.yaml'));
  }

  get grpcAddress() {
    return `${this.host}:${this.grpcPort}`;
  }

  get url() {
    return this.urlAt(this.addresses[0]);
  }

  urlAt(address) {
    return `ws://${uriHost(address)}:${this.wsPort}`;
  }

  async get(path) {
    return fetch(`http://${this.host}:${this.adminPort}${path}`);
  }

  // Sum of a metric over all its series whose labels include `labels`.
  async metric(name, labels = {}) {
    const text = await (await this.get('/metrics')).text();
    let sum = 0;
    for (const line of text.split('\n')) {
      const match = /^(\w+)(?:\{([^}]*)\})? (\S+)$/.exec(line);
      if (!match || match[1] !== name) continue;
      const wanted = Object.entries(labels).every(([key, value]) => (match[2] ?? '').includes(`${key}="${value}"`));
      if (wanted) sum += Number(match[3]);
    }
    return sum;
  }

  // Resolves when no call is up and no media port is lent.
  async idle(milliseconds) {
    for (const name of ['trunkline_calls_active', 'trunkline_media_ports_used']) {
      await until(async () => (await this.metric(name)) === 0, `${name} to be 0`, milliseconds);
    }
  }

  logLines() {
    return this.output.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }

  async stop(signal = 'SIGINT') {
    this.process.ref();
    if (this.process.exitCode === null) this.process.kill(signal);
    const result = await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
    return result;
  }
}
