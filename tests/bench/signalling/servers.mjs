// What the signalling bench compares: the gateway, and Debian's Kamailio as WebSocket registrar and proxy. Both know the
// same users, ask for their passwords alike, and send what is dialled to the same trunk.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build, Gateway, repository } from '../../peers/gateway.mjs';
import { Kamailio } from '../../peers/kamailio.mjs';
import { freePort } from '../../peers/ports.mjs';

const TICKS_PER_SECOND = 100; // of /proc, on Linux
const OFFER = join(repository, 'tests/corpus/sdp/chromium_audio.sdp');

const registrarAndProxy = ({ port, websocketPort, calleePort }) => `
#!KAMAILIO
debug=0
log_stderror=yes
children=2
tcp_children=2
tcp_max_connections=20000
tcp_connection_lifetime=3600
tcp_accept_no_cl=yes
tcp_rd_buf_size=16384
auto_aliases=no
alias="127.0.0.1:${port}"
alias="example.test"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${websocketPort}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 12)
modparam("registrar", "max_expires", 3600)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
modparam("auth", "nonce_count", 1)
modparam("auth", "nc_array_size", 1048576)
modparam("auth", "qop", "auth")
modparam("rr", "enable_full_lr", 1)
request_route {
  if (!mf_process_maxfwd_header("70")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("example.test", "secret", "0")) { www_challenge("example.test", "1"); exit; }
    fix_nated_register();
    save("location");
    exit;
  }
  if (is_method("INVITE")) {
    if (proto == WS) {
      if (!pv_proxy_authenticate("example.test", "secret", "0")) { proxy_challenge("example.test", "1"); exit; }
      consume_credentials();
      add_contact_alias();
    }
    record_route();
    $du = "sip:127.0.0.1:${calleePort}";
    t_relay();
    exit;
  }
  sl_send_reply("200", "OK");
}
event_route[xhttp:request] {
  if ($hdr(Upgrade) =~ "websocket") { ws_handle_handshake(); exit; }
  xhttp_reply("404", "Not Found", "", "");
}
`;

const users = (count) => Array.from({ length: count }, (_, at) => `  - { name: user${at}, password: secret }`).join('\n');

const trunk = (name, port) => `  - name: ${name}
    uri: "sip:127.0.0.1:${port}"
    allow: ["127.0.0.1:${port}"]
    codecs: [PCMU, PCMA]
    options_interval: 0s
    max_calls: 100000
    max_calls_per_second: 100000`;

const startGateway = ({ callerPort, calleePort }, settings) => Gateway.start({
  rtpPorts: settings.rtpPorts,
  rtpFirst: settings.rtpFirst,
  users: users(settings.users),
  trunks: [trunk('caller', callerPort), trunk('callee', calleePort)].join('\n'),
  routes: '  - { from: any, match: "^2[0-9]{3}$", target: "trunk:callee" }',
  // As Kamailio, whose one challenge is of MD5.
  extra: 'digest: { algorithms: [MD5] }\nlimits: { max_calls: 100000, max_ended_calls: 200000, max_transactions: 1000000 }',
  log: '{ level: warn, format: json }',
});

const startKamailio = async ({ calleePort }) => {
  const websocketPort = await freePort();
  const configuration = ({ port }) => registrarAndProxy({ port, websocketPort, calleePort });
  const kamailio = await Kamailio.start({ configuration, sharedMemory: 1024, ownMemory: 32 });
  return Object.assign(kamailio, { websocketPort });
};

// A server with its load: browsers and trunks of its own, in one process.
export class Server {
  static async start(name, settings) {
    const server = new Server();
    server.name = name;
    const trunks = { callerPort: await freePort(), calleePort: await freePort() };
    server.program = await (name === 'gateway' ? startGateway : startKamailio)(trunks, settings);
    const ports = [server.program.wsPort ?? server.program.websocketPort, server.program.sipPort ?? server.program.port, trunks.callerPort, trunks.calleePort];
    server.load = spawn(join(build, 'tests/signalling_load'), [...ports.map(String), OFFER], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.once('exit', () => server.load.kill('SIGKILL'));
    server.lines = createInterface({ input: server.load.stdout })[Symbol.asyncIterator]();
    return server;
  }

  // What the load says after it did that.
  async ask(...words) {
    this.load.stdin.write(`${words.join(' ')}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the load of ${this.name} ended at: ${words.join(' ')}`);
    return JSON.parse(value);
  }

  async open(count, rate) {
    await this.ask('connect', count);
    const outcome = await this.ask('register', rate);
    if (outcome.failed > 0) throw new Error(`${this.name}: ${JSON.stringify(outcome)}`);
  }

  // The program's processes: Kamailio forks.
  processes() {
    const first = this.program.process.pid;
    const forked = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/stat`)).map(Number);
    return [first, ...forked.filter((pid) => pid !== first && Number(fields(pid)?.[1]) === first)];
  }

  // Milliseconds of processor time that they have used.
  processorTime() {
    const ticks = (pid) => {
      const [user, system] = fields(pid).slice(11, 13);
      return Number(user) + Number(system);
    };
    return this.processes().reduce((sum, pid) => sum + ticks(pid), 0) * (1000 / TICKS_PER_SECOND);
  }

  // Octets in memory; what they share is counted once.
  memory() {
    const proportional = (pid) => 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]);
    return this.processes().reduce((sum, pid) => sum + proportional(pid), 0);
  }

  async close() {
    this.load.stdin.end();
    if (this.load.exitCode === null) await new Promise((done) => this.load.once('exit', done));
    await (this.program.stop?.('SIGKILL') ?? this.program.close());
  }
}

// Of /proc/PID/stat, from the state on.
function fields(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1).split(' ');
  } catch {
    return undefined; // gone meanwhile
  }
}
