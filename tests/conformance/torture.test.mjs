// The torture messages of RFC 4475 on the wire, from an address that is trusted, so that only the message decides.
// What each may lead to stands in corpus/rfc4475/expected.tsv, with the meaning of its words.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Gateway, repository } from '../peers/gateway.mjs';
import { request, TcpPeer, UdpPeer } from '../peers/raw_sip.mjs';
import { RawWebSocket } from '../peers/raw_websocket.mjs';
import { header, parse } from '../peers/sip_message.mjs';
import { until } from '../peers/until.mjs';

const FOLDER = join(repository, 'tests/corpus/rfc4475');
const TRUSTED = '127.0.0.40';
// What the gateway's own policy may answer to a request that it has understood.
const UNDERSTOOD = new Set([200, 202, 401, 403, 404, 405, 407, 480, 481, 486, 488, 603]);
// A stream can't tell where these end: it waits for the rest.
const ENDLESS_IN_STREAM = new Set(['clerr.dat', 'baddn.dat']);
// After these a stream has lost its framing.
const CLOSES_STREAM = new Set(['ncl.dat', 'mcl01.dat']);

const CASES = readFileSync(join(FOLDER, 'expected.tsv'), 'utf8').split('\n')
  .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('file\t'))
  .map((line) => {
    const [file, section, validity, kind, expect, forbid] = line.split('\t');
    return { file, section, validity, kind, expect: expect.split('|'), forbid: forbid.split(',').map((one) => one.trim()),
      octets: readFileSync(join(FOLDER, file)) };
  });

const unfolded = (octets) => octets.toString('latin1').replace(/\r\n[ \t]+/g, ' ');
const callIdOf = (octets) => /^(?:call-id|i)\s*:\s*(.*?)\s*$/im.exec(unfolded(octets))?.[1];
// Answers to older messages may still be repeated.
const finals = (messages, one) => messages.filter((message) => message.status >= 200 && header(message, 'call-id') === callIdOf(one.octets));

// The port to which a reply by UDP goes: that of the topmost Via, 5060 without one (RFC 3261 §18.2.2).
function replyPort(octets) {
  const via = /^v(?:ia)?\s*:\s*SIP\s*\/\s*[\d.]+\s*\/\s*\w+\s+[^;,\s:]+(?:\s*:\s*(\d+))?/im.exec(unfolded(octets));
  return Number(via?.[1] ?? 5060);
}

function judge(one, messages, extra = []) {
  const statuses = messages.map(({ status }) => status);
  const allowed = (status) => one.expect.includes(String(status)) || extra.includes(status) ||
    (one.expect.includes('ACCEPT') && UNDERSTOOD.has(status));
  if (statuses.length === 0) assert.ok(one.expect.includes('DROP'), `no answer, not ${one.expect.join(' or ')}`);
  for (const status of statuses) assert.ok(allowed(status), `${status}, not ${one.expect.join(' or ')}`);
  for (const status of statuses) assert.ok(!one.forbid.includes(String(status)) || extra.includes(status), `${status} is forbidden`);
  for (const message of messages) assert.match(message.start, /^SIP\/2\.0 /);
}

// REGISTER is refused to trunks, whatever it says.
const policy = (one) => (one.kind === 'REGISTER' ? [403] : []);

let gateway;

// A gateway for each transport: to one of them the same message by another way would be a copy of the first.
const start = async () => {
  gateway = await Gateway.start({
    trunks: (ports) => `
  - { name: carrier, uri: "sip:127.0.0.1:${ports.carrierPort}", allow: ["${TRUSTED}/32"], options_interval: 0s, max_calls_per_second: 1000 }`,
    routes: () => `
  - { from: any, match: "^echo$", target: "service:echo" }`,
  });
};
const stop = async () => assert.equal((await gateway?.stop())?.code, 0);

async function noEffect() {
  assert.equal(await gateway.metric('trunkline_calls_active'), 0, 'no call was set up');
  assert.equal(await gateway.metric('trunkline_registrations'), 0, 'nothing was registered');
}

describe('RFC 4475 over UDP', () => {
  before(start);
  after(stop);

  // Some of the messages have the same transaction: one of them would be taken for a copy of the other.
  const seen = new Set();
  async function unseen({ octets }) {
    const transaction = /branch=[^;,\s]*/i.exec(unfolded(octets))?.[0];
    if (seen.has(transaction)) {
      await stop();
      await start();
      seen.clear();
    }
    seen.add(transaction);
  }

  // Sends the message and then OPTIONS; when that is answered all that the message led to has come.
  async function over(one) {
    await unseen(one);
    const peer = await UdpPeer.open(gateway, { address: TRUSTED, port: replyPort(one.octets) });
    const probe = request(peer, 'OPTIONS');
    peer.send(one.octets);
    peer.send(probe.text);
    try {
      assert.equal((await peer.final(probe.callId)).status, 200);
      return finals(peer.messages, one);
    } finally {
      peer.close();
    }
  }

  for (const one of CASES) {
    // RFC 4475 §3: each message gets its answer over UDP
    it(`${one.section} ${one.file}: ${one.expect.join(' or ')}`, async () => {
      judge(one, await over(one), policy(one));
      await noEffect();
    });
  }

  const named = (file) => CASES.find((one) => one.file === file);

  // RFC 3261 §8.2.6.2: all of Via comes back [response-fields]
  it('longreq: every Via comes back, in order', async () => {
    const [response] = await over(named('longreq.dat'));
    const vias = [...unfolded(named('longreq.dat').octets).split('\r\n\r\n')[0].matchAll(/^v(?:ia)?\s*:\s*(.*)$/gim)]
      .flatMap(([, value]) => value.split(',')).map((value) => /branch=([^;,\s]+)/i.exec(value)?.[1]);
    const echoed = response.headers.via.flatMap((value) => value.split(',')).map((value) => /branch=([^;,\s]+)/i.exec(value)?.[1]);
    assert.ok(vias.length > 10);
    assert.deepEqual(echoed, vias);
  });

  it('intmeth: From, To, Call-ID and CSeq come back octet by octet', async () => {
    const [response] = await over(named('intmeth.dat'));
    const sent = parse(unfolded(named('intmeth.dat').octets));
    for (const name of ['from', 'call-id', 'cseq']) assert.equal(header(response, name), header(sent, name));
    assert.ok(header(response, 'to').startsWith(header(sent, 'to')));
    assert.match(header(response, 'allow'), /INVITE/);
  });

  // RFC 3261 §8.2.2.3: unknown extensions are named [require-420]
  it('bext01: the unknown extensions are named', async () => {
    const [response] = await over(named('bext01.dat'));
    assert.match(response.headers.unsupported.join(','), /nothingSupportsThis/);
  });

  // RFC 3261 §8.2.3: what is accepted is named [body-415]
  it('invut: what is accepted is named', async () => {
    const [response] = await over(named('invut.dat'));
    assert.match(header(response, 'accept'), /application\/sdp/);
  });

  // RFC 3261 §18.3: one datagram is one message [length-datagram]
  it('dblreq: one datagram is one message', async () => {
    const responses = await over(named('dblreq.dat'));
    assert.equal(responses.length, 1);
    assert.match(header(responses[0], 'cseq'), /REGISTER/);
  });
});

describe('RFC 4475 over TCP', () => {
  before(start);
  after(stop);

  for (const one of CASES) {
    it(`${one.section} ${one.file}`, async () => {
      const peer = await TcpPeer.open(gateway, { address: TRUSTED });
      const probe = request(peer, 'OPTIONS');
      peer.send(one.octets);
      if (ENDLESS_IN_STREAM.has(one.file)) {
        const other = await TcpPeer.open(gateway, { address: TRUSTED });
        const beside = request(other, 'OPTIONS');
        other.send(beside.text);
        assert.equal((await other.final(beside.callId)).status, 200);
        assert.ok(finals(peer.messages, one).every(({ status }) => status === 400));
        other.close();
      } else {
        peer.send(probe.text);
        const probed = () => peer.messages.some((message) => message.status === 200 && header(message, 'call-id') === probe.callId);
        await until(() => probed() || peer.closed, 'an answer to OPTIONS, or the end of the connection');
        if (CLOSES_STREAM.has(one.file)) assert.ok(peer.closed, 'the connection is closed');
        // Without a Content-Length a stream has no end of message.
        const lengthless = !/^(content-length|l)\s*:/im.test(unfolded(one.octets));
        const responses = finals(peer.messages, one);
        if (responses.length > 0 || !peer.closed) judge(one, responses, lengthless ? [400, ...policy(one)] : policy(one));
      }
      peer.close();
      await noEffect();
    });
  }
});

describe('RFC 4475 over WebSocket', () => {
  before(start);
  after(stop);

  for (const one of CASES) {
    it(`${one.section} ${one.file}`, async () => {
      const peer = await RawWebSocket.open(gateway);
      const probe = request(peer, 'OPTIONS');
      peer.send(one.octets);
      peer.send(probe.text);
      const probed = () => peer.messages.some((message) => message.status && header(message, 'call-id') === probe.callId);
      await until(() => probed() || peer.closed || peer.closeCode !== undefined, 'an answer to OPTIONS, or the end of the connection');
      // Somebody unknown is challenged before anything that isn't syntax is looked at.
      const syntaxOnly = one.expect.length === 1 && ['400', '505'].includes(one.expect[0]);
      const responses = finals(peer.messages, one);
      const closed = peer.closed || peer.closeCode !== undefined;
      const response = one.kind === 'response';
      if (responses.length > 0 || !closed) judge(one, responses, syntaxOnly || response ? [] : [401, 407, ...(one.file === 'dblreq.dat' ? [400] : [])]);
      peer.close();
      await noEffect();
      const other = await RawWebSocket.open(gateway);
      const beside = request(other, 'OPTIONS');
      other.send(beside.text);
      assert.ok([401, 407].includes((await other.final(beside.callId)).status));
      other.close();
    });
  }
});
