// Each fault that operators know turns on the metric and the alert that the manual names, and both go when it is mended:
// real peers make it, a real Prometheus sees it through the rules that are delivered. Their ranges and waiting times are
// shortened, nothing else of them.
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { RtpPeer } from '../peers/audio.mjs';
import { CallControl } from '../peers/call_control.mjs';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { MediaRelay } from '../peers/media_relay.mjs';
import { freePort } from '../peers/ports.mjs';
import { Prometheus } from '../peers/prometheus.mjs';
import { RawBrowser } from '../peers/raw_browser.mjs';
import { acknowledge, invite, UdpPeer } from '../peers/raw_sip.mjs';
import { RawWebSocket } from '../peers/raw_websocket.mjs';
import { Redis } from '../peers/redis.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { makeCertificate } from '../peers/tls_front.mjs';
import { until } from '../peers/until.mjs';

const BROWSER = 1000;
const TRUNK = 440;
const RELAY = '127.0.0.2';
// 15 minutes are 15 seconds, an alert that is to last for 10 minutes lasts for 5 seconds.
const HASTE = { ranges: 60, waits: 120 };
// Of one-way audio are told answered calls of five seconds and more: so many packets of 20 ms.
const FIVE_SECONDS = 260;
// Alerts of ratios want 50 calls in 15 minutes.
const CALLS_A_SECOND = 6;

const TRUNKS = ['dead', 'quiet', 'mute', 'elsewhere', 'sealed'];
const USERS = ['alice', 'bob', 'carol', 'dave'];

const gateways = {};
const carriers = {};
let relay;
let redis;
let prometheus;
const opened = []; // what is closed in the end

const job = (name) => `trunkline-${name}`;
const instance = (name) => `${gateways[name].host}:${gateways[name].adminPort}`;
const keep = (one) => {
  opened.push(one);
  return one;
};

before(async () => {
  const ports = {};
  for (const trunk of TRUNKS) ports[trunk] = await freePort();
  const users = USERS.map((name) => `  - { name: ${name}, password: ${name === 'alice' ? 'secret-a' : 'secret-b'} }`).join('\n');
  // Where calls are made, and parties are not heard.
  gateways.calls = await Gateway.start({
    users,
    log: '{ level: info, format: json }',
    rtpPorts: 800, // each attempt has a pair, which rests for ten seconds
    trunks: TRUNKS.map((trunk) => `
  - name: ${trunk}
    uri: "sip:127.0.0.1:${ports[trunk]}"
    allow: ["127.0.0.1:${ports[trunk]}"]
    codecs: [PCMU]
    srtp: ${trunk === 'sealed' ? 'sdes' : 'none'}
    options_interval: ${trunk === 'dead' ? '1s' : '0s'}
    target_timeout: 500ms
    max_calls_per_second: 1000`).join(''),
    routes: TRUNKS.map((trunk, digit) => `
  - { from: user, match: "^${digit}[0-9]+$", target: "trunk:${trunk}" }
  - { from: "trunk:${trunk}", match: "^nobody$", target: "user:nobody" }`).join(''),
  });
  for (const trunk of TRUNKS) carriers[trunk] = keep(await Carrier.open(gateways.calls, { port: ports[trunk] }));
  // Whose browsers reach it through a network that loses what it is told to.
  gateways.network = await Gateway.start({ media: `advertise: "${RELAY}"` });
  relay = keep(await MediaRelay.open(gateways.network, RELAY));
  // Where four calls fill a trunk and the ports, and six all of it.
  gateways.small = await Gateway.start({
    extra: 'limits: { max_calls: 6 }',
    rtpPorts: 8,
    trunks: (gateway) => ['carrier', 'spare'].map((trunk) => `
  - { name: ${trunk}, uri: "sip:127.0.0.1:${gateway.carrierPort}", allow: ["127.0.0.1:${gateway.carrierPort + (trunk === 'spare' ? 1 : 0)}"], codecs: [PCMU], options_interval: 0s, max_calls: 4 }`).join(''),
    routes: `
  - { from: user, match: "^9[0-9]+$", target: "trunk:spare" }
  - { from: user, match: "^[0-9]+$", target: "trunk:carrier" }
  - { from: any, match: "^echo$", target: "service:echo" }`,
  });
  carriers.small = keep(await Carrier.open(gateways.small));
  // Which is told to go, and whose certificate has two days left.
  gateways.leaving = await Gateway.start({ tls: true });
  carriers.leaving = keep(await Carrier.open(gateways.leaving));
  // Which gets no processor time.
  gateways.starved = await Gateway.start();
  // Which shares its registrations with others, by a store.
  redis = await Redis.start();
  gateways.stored = await Gateway.start({ extra: `
credentials: { secret: a secret of all nodes }
store: { type: redis, url: "${redis.url}" }` });
  carriers.stored = keep(await Carrier.open(gateways.stored));
  const jobs = Object.entries(gateways).map(([name, gateway]) => [job(name), gateway]);
  prometheus = await Prometheus.start(Object.fromEntries(jobs), { evaluation: '1s', haste: HASTE });
});

after(async () => {
  for (const one of opened.reverse()) await one.close();
  await prometheus?.stop();
  for (const gateway of Object.values(gateways)) assert.equal((await gateway.stop()).code, 0);
  await redis?.stop();
});

const selector = (labels) => Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(',');
const alert = (name, labels) => `ALERTS{${selector({ alertname: name, alertstate: 'firing', ...labels })}}`;
// What Prometheus has of the expression becomes true.
const holds = (expression) => until(async () => (await prometheus.value(expression)) !== undefined, `${expression} to hold`);
// Also of an alert that was over before anybody looked.
const fires = (name, labels) => until(async () => (await prometheus.value(`count_over_time(${alert(name, labels)}[1h])`)) > 0, `${name} to fire`);
const ceases = (name, labels) => until(async () => (await prometheus.value(alert(name, labels))) === undefined, `${name} to cease`);

// Round after round, until it is stopped.
function repeat(round) {
  let wanted = true;
  const over = (async () => {
    while (wanted) await round();
  })();
  over.catch(() => {}); // whoever stops it is told
  return {
    stop: () => {
      wanted = false;
      return over;
    },
  };
}

// While `round` is repeated, the metric moves and the alert fires; while `mended` is, the alert ceases.
async function comesAndGoes({ metric, name, labels }, round, mended) {
  const fault = repeat(round);
  await holds(metric).then(() => fires(name, labels)).finally(fault.stop);
  const health = repeat(mended);
  await ceases(name, labels).finally(health.stop);
}

async function dialled(browser, carrier, number, tone = BROWSER) {
  const [call, peer] = await browser.dials(carrier, number, { tone, listen: TRUNK });
  return { call, peer };
}

async function hangUp(browser, { call, peer }) {
  await browser.hangsUp(call, peer);
  peer.close();
}

// A call from the trunk to somebody who is not signed in: enough to be counted.
function attempt(trunk) {
  const carrier = carriers[trunk];
  const peer = { gateway: gateways.calls, address: carrier.address, port: carrier.port, transport: 'UDP', send: (text) => carrier.send(text, { address: carrier.address, port: gateways.calls.sipPort }) };
  const sent = invite(peer, { to: 'nobody' });
  carrier.calls.set(sent.callId, {
    response: (message) => {
      if (message.status < 200) return;
      acknowledge(peer, sent, message);
      carrier.calls.delete(sent.callId);
    },
    close: () => {},
  });
  peer.send(sent.text);
}

describe('a fault turns on its metric and its alert, and heals:', { concurrency: true }, () => {
  before(() => {
    const began = Date.now();
    let made = 0;
    const timer = setInterval(() => {
      for (; (made * 1000) / CALLS_A_SECOND <= Date.now() - began; made += 1) ['quiet', 'mute', 'elsewhere'].forEach(attempt);
    }, 1000 / CALLS_A_SECOND);
    opened.push({ close: () => clearInterval(timer) });
  });

  it('a trunk is down', async () => {
    carriers.dead.loses = () => true;
    await holds('trunkline_trunk_up{trunk="dead"} == 0');
    await fires('TrunklineTrunkDown', { trunk: 'dead' });
    carriers.dead.loses = () => false;
    await holds('trunkline_trunk_up{trunk="dead"} == 1');
    await ceases('TrunklineTrunkDown', { trunk: 'dead' });
  });

  it('DTLS is blocked', async () => {
    const alice = keep(await SyntheticBrowser.open(gateways.network));
    relay.loses = (kind) => kind === 'dtls';
    await comesAndGoes({
      metric: 'trunkline_dtls_handshakes_total{result="failed",reason="timeout"} > 0 and on (job) sum by (job) (trunkline_call_silences_total{leg="webrtc",cause="BROWSER_NEVER_STARTED_DTLS"} > 0)',
      name: 'TrunklineDTLSFailures',
      labels: { job: job('network') },
    }, async () => {
      const call = alice.call('echo', { tone: BROWSER });
      await alice.event('answered', { call });
      await alice.event('ended', { call });
    }, async () => {
      relay.loses = () => false;
      const call = alice.call('echo', { tone: BROWSER, listen: BROWSER });
      await alice.event('answered', { call });
      await alice.hears(call);
      alice.hangup(call);
      await alice.event('ended', { call });
    });
  });

  // Calls by a trunk in which one party is not heard, because of `hinder`: (peer) => what undoes it.
  const oneWay = (trunk, { leg, cause, dropped, tone = BROWSER, answers = TRUNK, hinder = () => () => {} }) => async () => {
    const browser = keep(await SyntheticBrowser.open(gateways.calls, USERS[TRUNKS.indexOf(trunk) - 1]));
    const carrier = carriers[trunk];
    const number = `${TRUNKS.indexOf(trunk)}000`;
    const silence = `trunkline_call_silences_total{leg="${leg}",cause="${cause}"} > 0`;
    const one = `trunkline_one_way_audio_calls_total{trunk="${trunk}",leg="${leg}"} > 0 and on (instance) (${silence})`;
    await comesAndGoes({
      metric: dropped ? `${one} and on (instance) (trunkline_rtp_packets_dropped_total{${selector(dropped)}} > 0)` : one,
      name: 'TrunklineOneWayAudio',
      labels: { trunk },
    }, async () => {
      carrier.onCall = (call) => call.answer(answers);
      const talk = await dialled(browser, carrier, number, tone);
      const undo = await hinder(talk.peer);
      const heard = async () => (leg === 'sip' ? talk.peer.rtp.received : (await browser.stats(talk.call)).rtp);
      await until(async () => (await heard()) >= FIVE_SECONDS, 'five seconds of the other party');
      await undo();
      await hangUp(browser, talk);
    }, async () => {
      carrier.onCall = (call) => call.answer(TRUNK);
      const talk = await dialled(browser, carrier, number);
      await browser.hears(talk.call);
      await hangUp(browser, talk);
    });
  };

  it('nothing comes from a trunk', oneWay('quiet', { leg: 'sip', cause: 'TRUNK_SENDS_NOTHING', answers: 0 }));

  it('nothing comes from a browser', oneWay('mute', { leg: 'webrtc', cause: 'BROWSER_SENDS_NOTHING', tone: 0 }));

  it('a trunk sends from another address than it has described', oneWay('elsewhere', {
    leg: 'sip',
    cause: 'WRONG_SOURCE_ADDRESS',
    dropped: { leg: 'sip', reason: 'unknown_source' },
    answers: 0,
    hinder: async (peer) => {
      const elsewhere = await RtpPeer.open();
      elsewhere.remote = peer.rtp.remote;
      elsewhere.play(TRUNK);
      return () => elsewhere.close();
    },
  }));

  it('SRTP can not be opened', async () => {
    const dave = keep(await SyntheticBrowser.open(gateways.calls, 'dave'));
    const number = `${TRUNKS.indexOf('sealed')}000`;
    carriers.sealed.suites = ['AES_CM_128_HMAC_SHA1_80'];
    carriers.sealed.onCall = (call) => call.answer(TRUNK);
    const talk = await dialled(dave, carriers.sealed, number);
    await dave.hears(talk.call);
    const { rtp } = talk.peer;
    const { seals } = rtp;
    rtp.seals = null; // what it sends is not sealed, though it has agreed to
    await holds('trunkline_srtp_errors_total{leg="sip",kind="auth"} > 0 and on (instance) (trunkline_call_silences_total{leg="sip",cause="SRTP_AUTH_FAILING"} > 0)');
    await fires('TrunklineSrtpFailures', { leg: 'sip', kind: 'auth' });
    rtp.seals = seals;
    await dave.hears(talk.call);
    await ceases('TrunklineSrtpFailures', { leg: 'sip', kind: 'auth' });
    await hangUp(dave, talk);
  });

  it('somebody guesses passwords', async () => {
    const socket = keep(await RawWebSocket.open(gateways.calls));
    const guesser = new RawBrowser(socket, 'alice', 'guessed');
    const guess = async () => {
      const answer = await guesser.ask('REGISTER', { uri: 'sip:example.test', headers: { To: guesser.address } });
      assert.ok([401, 403].includes(answer.status), `${answer.status}`);
      socket.messages.length = 0;
    };
    const guesses = repeat(guess);
    await holds('trunkline_sip_auth_total{result="bad"} > 0').then(() => fires('TrunklineAuthFailureBurst', { instance: instance('calls') })).finally(guesses.stop);
    await ceases('TrunklineAuthFailureBurst', {});
  });

  it('strangers call', async () => {
    const stranger = keep(await UdpPeer.open(gateways.calls));
    const calls = repeat(async () => {
      const sent = invite(stranger);
      stranger.send(sent.text);
      const refusal = await stranger.final(sent.callId);
      assert.equal(refusal.status, 403);
      acknowledge(stranger, sent, refusal);
    });
    await holds('trunkline_call_rejections_total{reason="acl"} > 0').then(() => fires('TrunklineStrangers', {})).finally(calls.stop);
    await ceases('TrunklineStrangers', {});
  });

  it('browsers lose their connections', async () => {
    const here = { job: job('small') };
    const sockets = await Promise.all(Array.from({ length: 24 }, async () => keep(await RawWebSocket.open(gateways.small))));
    await holds(`trunkline_ws_connections{transport="ws",job="${here.job}"} offset 5s >= 24`); // what is far enough back to compare with
    for (const socket of sockets.slice(12)) socket.close();
    await holds(`sum by (job) (trunkline_ws_disconnects_total{job="${here.job}"}) == 12`);
    await fires('TrunklineWSMassDisconnect', here);
    await ceases('TrunklineWSMassDisconnect', here);
  });

  it('the ports are lent, a trunk is full, and then all of the gateway', async () => {
    const alice = keep(await SyntheticBrowser.open(gateways.small));
    const here = { instance: instance('small') };
    carriers.small.onCall = (call) => call.answer(TRUNK);
    const talks = [];
    for (let number = 1; number <= 4; number += 1) talks.push(await dialled(alice, carriers.small, `100${number}`));
    await holds('trunkline_media_ports_used == trunkline_media_ports_limit');
    await fires('TrunklinePortsNearLimit', here);
    await fires('TrunklineTrunkNearLimit', { ...here, trunk: 'carrier' });
    const refused = async (number) => {
      const call = alice.call(number);
      return (await alice.event('failed', { call })).status;
    };
    assert.equal(await refused('9001'), 503);
    await holds('trunkline_calls_ended_total{trunk="spare",reason="no_ports"} == 1');
    for (let number = 0; number < 2; number += 1) {
      const call = alice.call('echo', { tone: BROWSER });
      await alice.event('answered', { call });
      talks.push({ call });
    }
    assert.equal(await refused('echo'), 503);
    await holds('trunkline_call_rejections_total{reason="limit"} == 1');
    await holds('trunkline_node_state{state="overloaded"} == 1 and on (instance) (trunkline_overload_level == 1)');
    await fires('TrunklineOverloaded', here);
    await fires('TrunklineCallsNearLimit', here);
    for (const { call } of talks) alice.hangup(call);
    for (const name of ['TrunklineOverloaded', 'TrunklineCallsNearLimit', 'TrunklineTrunkNearLimit', 'TrunklinePortsNearLimit']) await ceases(name, here);
    await holds(`trunkline_node_state{state="ready",instance="${here.instance}"} == 1`);
  });

  it('a drain goes past its deadline', async () => {
    const api = keep(new CallControl(gateways.leaving.grpcAddress));
    const alice = keep(await SyntheticBrowser.open(gateways.leaving));
    carriers.leaving.onCall = (call) => call.answer(TRUNK);
    const { call } = await dialled(alice, carriers.leaving, '5551000');
    await alice.hears(call);
    carriers.leaving.loses = (start) => start.startsWith('BYE'); // so that the call can't be over
    await api.must('drain', { timeout: { seconds: 1 } });
    await alice.event('ended', { call });
    await holds('trunkline_node_state{state="draining"} == 1 and on (instance) (trunkline_drain_remaining_calls > 0 and trunkline_drain_deadline_timestamp_seconds < time())');
    await holds('trunkline_calls_ended_total{reason="draining"} == 1');
    await fires('TrunklineDrainStuck', { job: job('leaving') });
    carriers.leaving.loses = () => false;
    await holds(`trunkline_drain_remaining_calls{job="${job('leaving')}"} == 0`);
    await ceases('TrunklineDrainStuck', {});
    await api.must('undrain', {});
    await holds(`trunkline_node_state{state="ready",job="${job('leaving')}"} == 1`);
  });

  it('a certificate expires', async () => {
    const { certificate, key } = gateways.leaving.tls;
    await holds('trunkline_certificate_expiry_timestamp_seconds - time() < 3 * 86400');
    await fires('TrunklineCertificateExpires', { job: job('leaving') });
    await fires('TrunklineCertificateExpiresSoon', { job: job('leaving') });
    const renewed = makeCertificate(gateways.small.folder, 90);
    copyFileSync(renewed.key, key);
    copyFileSync(renewed.certificate, certificate);
    gateways.leaving.process.kill('SIGHUP');
    await holds('trunkline_certificate_reloads_total{result="loaded"} > 0');
    await ceases('TrunklineCertificateExpires', {});
    await ceases('TrunklineCertificateExpiresSoon', {});
  });

  it('Redis is down', async () => {
    const alice = keep(await SyntheticBrowser.open(gateways.stored));
    const here = { instance: instance('stored') };
    const of = (labels) => `{${selector({ ...here, ...labels })}}`;
    const isStored = async () => (await redis.do('EXISTS', 'trunkline:example.test:user:alice')) === '1';
    await until(isStored, 'alice in the store');
    await holds(`trunkline_store_up${of({})} == 1`);
    await redis.stop();
    await holds(`trunkline_store_up${of({})} == 0 and on (instance) trunkline_store_operations_total${of({ op: 'connect', result: 'failed' })} > 0`);
    // A call to a user here goes on; of one who could be elsewhere nothing is known.
    const [call, peer] = await alice.talksWhenDialled(carriers.stored, '1001', { tone: BROWSER, listen: TRUNK });
    const lost = await carriers.stored.call('1002');
    assert.equal(await lost.final(), 480);
    await holds(`trunkline_replica_lookups_total${of({ result: 'failed' })} > 0`);
    await fires('TrunklineStoreDown', here);
    await redis.launch();
    await holds(`trunkline_store_up${of({})} == 1 and on (instance) trunkline_store_waiting == 0`);
    await ceases('TrunklineStoreDown', here);
    await until(isStored, 'alice in a store that knew nothing');
    await alice.talks(call, peer, BROWSER);
    await hangUp(alice, { call, peer });
  });

  it('the event loop gets no turn', async () => {
    const up = `up{job="${job('starved')}"}`;
    const stops = repeat(async () => {
      gateways.starved.process.kill('SIGSTOP');
      await holds(`${up} == 0`);
      gateways.starved.process.kill('SIGCONT');
      await holds(`${up} == 1`);
    });
    const here = { instance: instance('starved'), thread: 'signalling' };
    await holds(`trunkline:eventloop_lag:seconds5m_p99{${selector(here)}} > 0.02`)
      .then(() => fires('TrunklineEventLoopLag', here)).finally(stops.stop);
    await ceases('TrunklineEventLoopLag', here);
  });
});
