// TLS as carriers run it: certificates that prove a name or don't, that are asked for, that expire and are replaced.
import assert from 'node:assert/strict';
import { symlinkSync, renameSync, mkdirSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Certificates } from '../peers/certificates.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { NameServer } from '../peers/name_server.mjs';
import { acknowledge, hangUp, invite, request, TlsPeer, UdpPeer } from '../peers/raw_sip.mjs';
import { header } from '../peers/sip_message.mjs';
import { StreamTrunkServer } from '../peers/stream_trunk_server.mjs';
import { until } from '../peers/until.mjs';

// Whoever calls comes from an address of its own.
const CALLER = '127.0.0.2';
const NAME = 'sip.carrier.test';

let certificates;

before(() => {
  certificates = new Certificates().authority('ca').authority('other');
  certificates.issue('gateway', 'DNS:gw.example.test,IP:127.0.0.1').issue('renewed', 'DNS:renewed.example.test,IP:127.0.0.1', { end: 9 });
  certificates.issue('carrier', `DNS:${NAME}`).issue('uri', `URI:sip:${NAME}`).issue('wildcard', 'DNS:*.carrier.test');
  certificates.issue('wrong', 'DNS:elsewhere.test').issue('stranger', `DNS:${NAME}`, { by: 'other' });
  certificates.issue('expired', `DNS:${NAME}`, { begin: -3, end: -1 }).issue('us', 'DNS:us.example.test');
});

after(() => certificates.remove());

const shown = (name, more = {}) => ({ cert: certificates.read(`${name}.pem`), key: certificates.read(`${name}.key`), ...more });
const pair = (name) => `certificate: "${certificates.path(`${name}.pem`)}", key: "${certificates.path(`${name}.key`)}"`;
const ca = () => `ca: "${certificates.path('ca.pem')}"`;
const listener = (files, more = '') => (gateway) => `    - { transport: tls, bind: "127.0.0.1:${gateway.tlsPort}", tls: { ${files}${more} } }`;

const trunks = (uri, tls) => `
  - { name: caller, uri: "sip:${CALLER}:9", allow: ["${CALLER}/32"], options_interval: 0s, codecs: [PCMU], max_calls_per_second: 1000 }
  - { name: carrier, uri: "${uri}", options_interval: 0s, codecs: [PCMU], max_calls_per_second: 1000, tls: { ${tls} } }`;
const routes = `
  - { from: "trunk:caller", match: "^555", target: "trunk:carrier" }
  - { from: any, match: "^echo$", target: "service:echo" }`;

describe('a trunk over TLS', () => {
  let server;
  let names;
  let gateway;
  let peer;

  before(async () => {
    names = await NameServer.start([`host-record=${NAME},127.0.0.1`]);
  });

  afterEach(async () => {
    peer?.close();
    peer = undefined;
    const result = await gateway?.stop();
    gateway = undefined;
    server?.close();
    server = undefined;
    if (result) assert.equal(result.code, 0);
  });

  after(() => names?.close());

  // `host` as in the URI; the trunk's `tls` section.
  const start = async ({ tls, host = '127.0.0.1', section = `${ca()}, server_name: ${NAME}`, answer }) => {
    server = await StreamTrunkServer.open({ tls, answer });
    gateway = await Gateway.start({
      sip: listener(pair('gateway')),
      trunks: trunks(`sip:${host}:${server.port};transport=tls`, section),
      routes,
      extra: `dns: { servers: ["${names.address}"] }`,
    });
    peer = await UdpPeer.open(gateway, { address: CALLER });
  };
  const dial = async () => {
    const sent = invite(peer, { to: '5551000' });
    peer.send(sent.text);
    const response = await peer.final(sent.callId);
    if (response.status >= 300) acknowledge(peer, sent, response);
    return { sent, response };
  };

  // RFC 6066 §3: SNI has the name that the trunk's URI has [tls-sni]
  // RFC 3261 §26.2.2: a sip URI with its transport, and no sips, stands in Contact [sip-over-tls]
  // RFC 5922 §7.4: the trunk's own authority vouches for it [tls-client-certificate]
  it('is called by the name in its URI, which it proves and which SNI tells', async () => {
    await start({ tls: shown('carrier'), host: NAME, section: ca() });
    await until(async () => {
      const { sent, response } = await dial();
      if (response.status === 200) await hangUp(peer, sent, response);
      return response.status === 200;
    }, 'a call that is answered');
    const got = await server.nth('INVITE');
    assert.equal(server.connections[0].servername, NAME);
    assert.match(header(got, 'via'), /^SIP\/2\.0\/TLS 127\.0\.0\.1:/);
    assert.match(header(got, 'contact'), new RegExp(`^<sip:trunkline@127\\.0\\.0\\.1:${gateway.tlsPort};transport=tls>$`));
    assert.equal(server.connections[0].getProtocol(), 'TLSv1.3');
    await server.nth('BYE');
    assert.equal(server.connections.length, 1, 'one connection for all');
  });

  for (const [name, section, what] of [['uri', '', 'a sip URI'], ['wildcard', ', wildcards: true', 'a wildcard, where that is allowed']]) {
    it(`may prove its name by ${what}`, async () => {
      await start({ tls: shown(name), section: `${ca()}, server_name: ${NAME}${section}` });
      const { sent, response } = await dial();
      assert.equal(response.status, 200);
      await hangUp(peer, sent, response);
    });
  }

  for (const [name, reason, what] of [
    ['wrong', 'name', 'another name'], ['wildcard', 'name', 'a wildcard'], ['expired', 'expired', 'an expired certificate'],
    ['stranger', 'untrusted', 'an unknown authority'],
  ]) {
    // RFC 5922 §7.3: a server that does not prove its name is not spoken to [tls-name]
    it(`with ${what} is refused, and the log and a counter say why`, async () => {
      await start({ tls: shown(name) });
      const { response } = await dial();
      assert.equal(response.status, 500, 'a 503 is about one hop (RFC 3261 §16.7)');
      assert.equal(server.requests.length, 0);
      assert.equal(await gateway.metric('trunkline_trunk_tls_failures_total', { trunk: 'carrier', reason }), 1);
      assert.equal(await gateway.metric('trunkline_calls_ended_total', { reason: 'trunk_tls' }), 1);
      const line = gateway.logLines().find((one) => one.msg === 'TLS failed');
      assert.equal(line?.trunk, 'carrier');
      assert.equal(line?.reason, reason);
    });
  }

  // RFC 5922 §7.4: mutual TLS [tls-client-certificate]
  it('that asks for a certificate is shown the one of its section', async () => {
    await start({
      tls: shown('carrier', { ca: certificates.read('ca.pem'), requestCert: true, rejectUnauthorized: true }),
      section: `${ca()}, server_name: ${NAME}, ${pair('us')}`,
    });
    const { sent, response } = await dial();
    assert.equal(response.status, 200);
    assert.equal(server.connections[0].getPeerCertificate().subject.CN, 'us');
    await hangUp(peer, sent, response);
  });

  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    it(`that asks for a certificate and gets none fails the call at once, in ${maxVersion}`, async () => {
      await start({ tls: shown('carrier', { ca: certificates.read('ca.pem'), requestCert: true, rejectUnauthorized: true, maxVersion }) });
      const { response } = await dial();
      assert.equal(response.status, 500);
      await until(async () => (await gateway.metric('trunkline_trunk_tls_failures_total', { trunk: 'carrier', reason: 'refused' })) === 1, 'the refusal to be counted');
      assert.equal(await gateway.metric('trunkline_calls_ended_total', { reason: 'trunk_tls' }), 1);
    });
  }

  // RFC 8996 §4: an older version is not spoken [tls-12]
  it('that speaks no TLS 1.2 is refused', async () => {
    await start({ tls: shown('carrier', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }) });
    const { response } = await dial();
    assert.equal(response.status, 500);
    assert.equal(await gateway.metric('trunkline_trunk_tls_failures_total', { trunk: 'carrier', reason: 'protocol' }), 1);
  });

  it('whose connection is lost during a call gets the BYE over a new one, by the same name', async () => {
    await start({ tls: shown('carrier') });
    const { sent, response } = await dial();
    assert.equal(response.status, 200);
    await server.nth('ACK');
    server.hangUp();
    await until(async () => (await gateway.metric('trunkline_sip_connections', { transport: 'tls' })) === 0, 'the connection to be gone');
    await hangUp(peer, sent, response);
    await server.nth('BYE');
    assert.equal(server.connections.length, 2);
    assert.equal(server.connections[1].servername, NAME);
    await gateway.idle();
  });
});

describe('a listener over TLS', () => {
  let gateway;

  afterEach(async () => {
    const result = await gateway?.stop();
    gateway = undefined;
    if (result) assert.equal(result.code, 0);
  });

  const trusting = () => ({ ca: certificates.read('ca.pem') });

  // RFC 8996 §4: an older version is not spoken [tls-12]
  it('speaks no TLS below 1.2', async () => {
    gateway = await Gateway.start({ sip: listener(pair('gateway')) });
    const old = { ...trusting(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(TlsPeer.open(gateway, old));
    await until(async () => (await gateway.metric('trunkline_sip_tls_failures_total', { reason: 'protocol' })) === 1, 'it to be counted');
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const peer = await TlsPeer.open(gateway, { ...trusting(), minVersion: version, maxVersion: version });
      assert.equal(peer.socket.getProtocol(), version);
      peer.close();
    }
  });

  // RFC 5922 §7.4: a client that proves to be the trunk is the trunk [tls-client-certificate]
  it('knows a trunk by its certificate, from whatever address', async () => {
    gateway = await Gateway.start({
      sip: listener(pair('gateway'), `, client_ca: "${certificates.path('ca.pem')}"`),
      trunks: trunks('sip:192.0.2.1:5061;transport=tls', `subject: ${NAME}`),
      routes,
    });
    const known = await TlsPeer.open(gateway, { ...trusting(), ...shown('carrier'), address: '127.0.0.7' });
    const options = request(known, 'OPTIONS');
    known.send(options.text);
    assert.equal((await known.final(options.callId)).status, 200);
    const sent = invite(known, { to: 'echo' });
    known.send(sent.text);
    const response = await known.final(sent.callId);
    assert.equal(response.status, 200);
    assert.equal((await hangUp(known, sent, response)).status, 200);
    known.close();

    const another = await TlsPeer.open(gateway, { ...trusting(), ...shown('us'), address: '127.0.0.7' });
    const refused = request(another, 'OPTIONS');
    another.send(refused.text);
    assert.equal((await another.final(refused.callId)).status, 403);
    another.close();

    for (const certificate of [{}, shown('stranger')]) {
      // In TLS 1.3 the client learns of it after its handshake.
      const stranger = await TlsPeer.open(gateway, { ...trusting(), ...certificate }).catch(() => null);
      if (stranger) await until(() => stranger.closed, 'the connection to end');
    }
    await until(async () => (await gateway.metric('trunkline_sip_tls_failures_total', { reason: 'untrusted' })) === 2, 'both to be counted');
  });

  // RFC 5922 §7.4: new files are used, and what is connected stays [tls-reload]
  it('takes a new certificate while a call is up, and keeps the old one while the new is of no use', async () => {
    const folder = certificates.path('volume');
    mkdirSync(folder);
    // As Kubernetes puts a Secret: the names are links into a folder that is swapped as a whole.
    const put = (version, certificate, key) => {
      mkdirSync(join(folder, version));
      copyFileSync(certificates.path(`${certificate}.pem`), join(folder, version, 'tls.crt'));
      copyFileSync(certificates.path(`${key}.key`), join(folder, version, 'tls.key'));
      symlinkSync(version, join(folder, '..next'));
      renameSync(join(folder, '..next'), join(folder, '..data'));
    };
    put('one', 'gateway', 'gateway');
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(folder, name));
    const files = `certificate: "${join(folder, 'tls.crt')}", key: "${join(folder, 'tls.key')}"`;
    gateway = await Gateway.start({
      sip: listener(files),
      websocket: ({ wssPort }) => `, { bind: "127.0.0.1:${wssPort}", tls: { ${files} } }`,
      grpc: `, tls: { ${files} }`,
      trunks: trunks('sip:192.0.2.1:5061;transport=tls', ca()).replace(`allow: ["${CALLER}/32"]`, 'allow: ["127.0.0.1/32"]'),
      routes,
    });
    const presented = (port) => new Promise((done, failed) => {
      const socket = connectTls({ host: '127.0.0.1', port, ALPNProtocols: ['h2'], ...trusting() }, () => {
        done(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
      socket.once('error', failed);
    });
    const ports = [gateway.tlsPort, gateway.wssPort, gateway.grpcPort];
    const all = async () => Promise.all(ports.map(presented));
    const reloads = (result) => gateway.metric('trunkline_certificate_reloads_total', { result });
    const expiry = () => gateway.metric('trunkline_certificate_expiry_timestamp_seconds', { listener: `tls 127.0.0.1:${gateway.tlsPort}` });
    const within = (days, seconds) => Math.abs(seconds - (Date.now() / 1000 + days * 86_400)) < 3600;
    assert.deepEqual(await all(), ['gateway', 'gateway', 'gateway']);
    assert.ok(within(2, await expiry()));

    const peer = await TlsPeer.open(gateway, trusting());
    const sent = invite(peer, { to: 'echo' });
    peer.send(sent.text);
    const response = await peer.final(sent.callId);
    assert.equal(response.status, 200);

    put('torn', 'renewed', 'gateway');
    gateway.process.kill('SIGHUP');
    await until(async () => {
      assert.deepEqual(await all(), ['gateway', 'gateway', 'gateway']);
      return (await reloads('refused')) === 3;
    }, 'three refusals');
    assert.ok(gateway.logLines().some((line) => /of no use/.test(line.msg) && /is not the key of/.test(line.why)));

    put('two', 'renewed', 'renewed');
    gateway.process.kill('SIGHUP');
    await until(async () => (await all()).every((name) => name === 'renewed'), 'the new certificate');
    assert.equal(await reloads('loaded'), 3);
    assert.ok(within(9, await expiry()));
    assert.equal(peer.closed, false);
    assert.equal((await hangUp(peer, sent, response)).status, 200, 'on the connection of the old one');
    peer.close();
  });

  it('takes a new certificate without being told', async () => {
    for (const kind of ['pem', 'key']) certificates.copy(`gateway.${kind}`, `mine.${kind}`);
    gateway = await Gateway.start({ sip: listener(pair('mine')) });
    for (const kind of ['key', 'pem']) certificates.copy(`renewed.${kind}`, `mine.${kind}`);
    await until(async () => {
      const peer = await TlsPeer.open(gateway, trusting());
      const { CN } = peer.socket.getPeerCertificate().subject;
      peer.close();
      return CN === 'renewed';
    }, 'the new certificate', 60_000);
  });
});
