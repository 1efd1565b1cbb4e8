// A real Prometheus scrapes the gateway, with fifty trunks and calls under way, and whatever strangers send makes no series.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { Prometheus } from '../peers/prometheus.mjs';
import { Sipp } from '../peers/sipp.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const TRUNKS = 50;
const CALLS = 100;
const MOST_SERIES = 12500;
const MOST_OCTETS = 1024 * 1024;

let gateway;
let prometheus;

// The first is the one that calls come from; the others are there.
const trunks = ({ carrierPort }) => Array.from({ length: TRUNKS }, (_, index) => `
  - name: carrier${index === 0 ? '' : index}
    uri: "sip:127.0.0.1:${index === 0 ? carrierPort : 1024 + index}"
    allow: ["127.0.0.${index + 1}"]
    options_interval: 0s
    max_calls: 2000
    max_calls_per_second: 1000`).join('');

const page = async () => (await gateway.get('/metrics')).text();
const series = async () => (await page()).split('\n').filter((line) => line && !line.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' '))).sort();

before(async () => {
  gateway = await Gateway.start({ trunks, rtpPorts: 400, log: '{ level: error, format: json }' });
  prometheus = await Prometheus.start(gateway);
});

after(async () => {
  await prometheus?.stop();
  assert.equal((await gateway?.stop())?.code, 0);
});

describe('a Prometheus', () => {
  it('scrapes the gateway under load, and counts what the callers count', async () => {
    const alice = await SyntheticBrowser.open(gateway);
    const talk = alice.call('echo', { tone: 440 });
    await alice.event('answered', { call: talk });
    const sipp = await Sipp.caller(gateway, 'uac', { calls: CALLS, rate: 20, args: ['-d', '500'] });
    await sipp.succeeds();
    await sipp.close();
    const shows = (expression, wanted) => until(async () => (await prometheus.value(expression)) === wanted, `${expression} to be ${wanted}`);
    await shows('trunkline_call_attempts_total{direction="in",trunk="carrier"}', CALLS);
    await shows('trunkline_calls_answered_total{direction="in",trunk="carrier"}', CALLS);
    await shows('trunkline_call_duration_seconds_count{direction="in",trunk="carrier"}', CALLS);
    await shows('count(trunkline_trunk_up)', TRUNKS);
    assert.equal(await prometheus.value('min_over_time(up[10m])'), 1, 'no scrape has failed');
    assert.ok((await prometheus.value('rate(trunkline_rtp_packets_total{leg="webrtc",direction="in"}[1m])')) > 0);
    alice.hangup(talk);
    await alice.event('ended', { call: talk });
    await alice.close();
  });

  it('has of fifty trunks not too much to take', async () => {
    const found = (await series()).length;
    assert.ok(found <= MOST_SERIES, `${found} series`);
    const octets = Buffer.byteLength(await page());
    assert.ok(octets <= MOST_OCTETS, `${octets} octets`);
  });

  it('evaluates all rules and alerts without a fault', async () => {
    const rules = async () => (await prometheus.ask('rules')).groups.flatMap((group) => group.rules);
    await until(async () => (await rules()).every(({ health }) => health !== 'unknown'), 'all rules to be evaluated');
    assert.deepEqual((await rules()).filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`), []);
    await until(async () => (await prometheus.value('trunkline:asr:ratio15m{direction="in",trunk="carrier"}')) > 0.9, 'an answer-seizure ratio');
  });
});

describe('100,000 invented', () => {
  const MESSAGES = 25000;
  const AT_ONCE = 100;

  // Four inventions in each: method or user, domain, codec, and header field.
  const message = (number, port) => {
    const name = `x${number.toString(36)}`;
    const method = number % 2 ? 'INVITE' : name.toUpperCase();
    const body = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96\r\na=rtpmap:96 ${name}/8000\r\n`;
    const lines = (kind, cseq, tag, text) => [
      `${kind} sip:${name}@${name}.test SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${name};rport`, 'Max-Forwards: 70',
      `From: <sip:${name}@${name}.test>;tag=${name}`, `To: <sip:${name}@${name}.test>${tag}`, `Call-ID: ${name}`, `CSeq: 1 ${cseq}`,
      `Contact: <sip:${name}@127.0.0.1:${port}>`, `X-${name}: ${name}`, 'Content-Type: application/sdp', `Content-Length: ${text.length}`, '', text,
    ].join('\r\n');
    return { first: lines(method, method, '', body), ack: (to) => lines('ACK', 'ACK', `;tag=${to}`, '') };
  };

  it('methods, users, domains and codecs make no series', async () => {
    const before = await series();
    const socket = dgram.createSocket('udp4');
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    const send = (text) => socket.send(text, gateway.sipPort, '127.0.0.1');
    const open = new Map();
    let next = 0;
    let answered = 0;
    const more = () => {
      while (open.size < AT_ONCE && next < MESSAGES) {
        const made = message(next, port);
        open.set(`x${next.toString(36)}`, { ...made, sent: Date.now() });
        next += 1;
        send(made.first);
      }
    };
    socket.on('message', (bytes) => {
      const text = bytes.toString('latin1');
      const status = Number(/^SIP\/2\.0 (\d+)/.exec(text)?.[1]);
      const id = /^Call-ID: (\S+)/m.exec(text)?.[1];
      if (!(status >= 200) || !open.has(id)) return;
      if (/^CSeq: 1 INVITE/m.test(text)) send(open.get(id).ack(/^To:.*;tag=([^;\s]+)/m.exec(text)?.[1]));
      open.delete(id);
      answered += 1;
      more();
    });
    more();
    await until(() => {
      // UDP may lose what a busy machine can't take in.
      for (const one of open.values()) {
        if (Date.now() - one.sent < 1000) continue;
        one.sent = Date.now();
        send(one.first);
      }
      return answered === MESSAGES;
    }, 'an answer to each', 300000);
    socket.close();
    assert.deepEqual(await series(), before);
    assert.ok((await gateway.metric('trunkline_sip_requests_total', { direction: 'in', method: 'other' })) >= MESSAGES / 2);
  });

  it('names of users at the door of browsers make none either', async () => {
    const before = await series();
    for (let number = 0; number < 20; number += 1) {
      const stranger = await SyntheticBrowser.open(gateway, `u${number}`, { register: false });
      await stranger.close();
    }
    assert.deepEqual(await series(), before);
  });
});
