// Debian's Kamailio: by default a carrier with which the gateway registers. It asks for a password, keeps the binding, and
// sends on there what is dialled. With a phone behind it, it also takes calls of who registered, asks for the password
// again, and stays in the way of all of them.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UdpPeer, request } from './raw_sip.mjs';
import { freePort } from './ports.mjs';
import { until } from './until.mjs';

const PROGRAM = ['/usr/sbin/kamailio', '/sbin/kamailio'].find((path) => existsSync(path)) ?? 'kamailio';

// Calls to numbers, to the phone behind. 5552000 is tried at `first` before, which refuses it; 5553000 rings at both at
// once; 5554000 has moved. What the phone calls goes to the binding of the gateway.
const outward = (port, { next, first }) => `
    if ($rU =~ "^555") {
      if (!pv_proxy_authenticate("carrier.test", "secret-t", "0")) { proxy_challenge("carrier.test", "1"); exit; }
      consume_credentials();
      if ($rU == "5554000") { append_to_reply("Contact: <sip:5551000@127.0.0.1:${port}>\\r\\n"); sl_send_reply("302", "Moved"); exit; }
      if ($rU == "5552000") { t_on_failure("NEXT"); $du = "sip:${first}"; t_relay(); exit; }
      if ($rU == "5553000") { append_branch("sip:5553000@${first}"); }
      $rU = "5551000";
      $du = "sip:${next}";
      t_relay();
      exit;
    }`;

// `behind`: { next, first }, as in a SIP URI behind its "sip:".
export const carrier = (behind) => ({ port }) => `
#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
alias="127.0.0.1:${port}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "corex.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 600)
modparam("registrar", "min_expires", 30)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    if (uri != myself) { t_relay(); exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("carrier.test", "secret-t", "0")) { www_challenge("carrier.test", "1"); exit; }
    consume_credentials();
    save("location");
    exit;
  }
  if (is_method("INVITE")) {
    record_route();${behind ? outward(port, behind) : ''}
    if (!lookup("location")) { sl_send_reply("404", "Not registered"); exit; }
    t_relay();
    exit;
  }
  sl_send_reply("200", "OK");
}
failure_route[NEXT] {
  if (t_is_canceled()) exit;
  $rU = "5551000";
  $du = "sip:${behind?.next ?? ''}";
  t_relay();
}
`;

export class Kamailio {
  // `configuration` is given the Kamailio, whose port it needs; memory is in MiB: of all processes together, of each.
  static async start({ configuration = carrier(), sharedMemory = 64, ownMemory = 8 } = {}) {
    const kamailio = new Kamailio();
    kamailio.port = await freePort();
    kamailio.folder = mkdtempSync(join(tmpdir(), 'kamailio-'));
    const file = join(kamailio.folder, 'kamailio.cfg');
    writeFileSync(file, configuration(kamailio).trimStart());
    kamailio.process = spawn(PROGRAM, ['-f', file, '-DD', '-E', '-m', String(sharedMemory), '-M', String(ownMemory), '-Y', kamailio.folder, '-P', join(kamailio.folder, 'pid')], { stdio: ['ignore', 'ignore', 'pipe'] });
    kamailio.said = '';
    kamailio.process.stderr.on('data', (text) => (kamailio.said += text));
    kamailio.process.stderr.unref();
    kamailio.process.unref();
    process.once('exit', () => kamailio.process.kill('SIGTERM'));
    let over = false;
    kamailio.exited = new Promise((done) => kamailio.process.once('exit', () => done((over = true))));
    const peer = await UdpPeer.open({ sipPort: kamailio.port }, { address: '127.0.0.4' });
    const asked = request(peer, 'OPTIONS');
    await until(() => {
      if (over) throw new Error(`Kamailio ended: ${kamailio.said}`);
      if (peer.messages.length === 0) peer.send(asked.text);
      return peer.messages.length > 0;
    }, 'Kamailio to answer');
    peer.close();
    return kamailio;
  }

  async close() {
    this.process.ref();
    this.process.kill('SIGTERM');
    await this.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
