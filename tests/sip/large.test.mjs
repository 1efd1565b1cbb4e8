// Requests that are too large for UDP, and responses whose connection has gone.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { freePort } from '../peers/ports.mjs';
import { acknowledge, hangUp, invite, request, TcpPeer, UdpPeer } from '../peers/raw_sip.mjs';
import { cutMessages, header, parse } from '../peers/sip_message.mjs';
import { StreamTrunkServer } from '../peers/stream_trunk_server.mjs';
import { TrunkServer } from '../peers/trunk_server.mjs';
import { until } from '../peers/until.mjs';

const CALLER = '127.0.0.2';
let gateway;
let peer;
const servers = [];

afterEach(async () => {
  peer?.close();
  peer = undefined;
  const result = await gateway?.stop();
  gateway = undefined;
  for (const server of servers.splice(0)) server.close();
  if (result) assert.equal(result.code, 0);
});

const start = async (port) => {
  gateway = await Gateway.start({
    trunks: `
  - { name: caller, uri: "sip:${CALLER}:9", allow: ["${CALLER}/32"], options_interval: 0s, codecs: [PCMU] }
  - { name: carrier, uri: "sip:127.0.0.1:${port}", options_interval: 0s, codecs: [PCMU] }`,
    routes: `
  - { from: "trunk:caller", match: "^555", target: "trunk:carrier" }
  - { from: any, match: "^echo$", target: "service:echo" }`,
  });
  peer = await UdpPeer.open(gateway, { address: CALLER });
};
// A call with a From that is carried on, as long as `length`.
const dial = async (length) => {
  const sent = invite(peer, { to: '5551000', headers: { From: `"${'x'.repeat(length)}" <sip:raw@carrier.test>;tag=raw${length}` } });
  peer.send(sent.text);
  const response = await peer.final(sent.callId);
  if (response.status >= 300) acknowledge(peer, sent, response);
  else await hangUp(peer, sent, response);
  return response.status;
};
const large = (sent) => gateway.metric('trunkline_sip_large_requests_total', { sent });

describe('a large INVITE to a trunk over UDP', () => {
  // RFC 3261 §18.1.1: over 1,300 octets go by TCP [udp-congestion]
  it('goes by TCP where the trunk has it, and the call as a whole', async () => {
    const tcp = await StreamTrunkServer.open();
    const udp = await TrunkServer.open({ port: tcp.port });
    servers.push(tcp, udp);
    await start(tcp.port);
    assert.equal(await dial(10), 200);
    assert.equal(udp.count('INVITE'), 1, 'one that fits stays on UDP');
    assert.equal(await dial(1400), 200);
    assert.equal(udp.count('INVITE'), 1);
    const got = await tcp.nth('INVITE');
    assert.match(header(got, 'via'), new RegExp(`^SIP/2\\.0/TCP 127\\.0\\.0\\.1:${gateway.sipPort};`));
    assert.equal(await large('tcp'), 1);
    await gateway.idle();
  });

  // RFC 3261 §18.1.1: refused there, it goes by UDP after all [udp-congestion]
  it('goes by UDP when TCP is refused, and the next one at once', async () => {
    const udp = await TrunkServer.open();
    servers.push(udp);
    await start(udp.port);
    assert.equal(await dial(1400), 200);
    const got = await udp.nth('INVITE');
    assert.match(header(got, 'via'), /^SIP\/2\.0\/UDP /);
    assert.equal(await large('udp_after_tcp'), 1);
    assert.equal(await dial(1401), 200);
    assert.equal(udp.count('INVITE'), 2);
    assert.ok((await large('udp')) > 0);
    assert.equal(await large('tcp'), 1, 'only the first has tried');
    assert.equal(await large('udp_after_tcp'), 1);
  });
});

describe('a large request from a trunk', () => {
  // RFC 3261 §18.1.1: datagrams up to the largest are taken [datagram-size]
  it('of 20 kB is taken', async () => {
    await start(await freePort());
    const sent = request(peer, 'OPTIONS', { headers: { Subject: 'x'.repeat(6000), 'X-More': 'y'.repeat(7000), 'X-Yet': 'z'.repeat(7000) } });
    assert.ok(sent.text.length > 20_000);
    peer.send(sent.text);
    assert.equal((await peer.final(sent.callId)).status, 200);
  });
});

describe('a response', () => {
  // RFC 3261 §18.2.2: to the source address and the port of sent-by, over a new connection [reply-reconnect]
  it('whose connection has closed goes over a new one', async () => {
    const callee = await TrunkServer.open({ answer: (asked) => (asked.method === 'INVITE' ? 180 : 200) });
    const back = [];
    const listening = createServer((socket) => {
      let rest = Buffer.alloc(0);
      socket.unref();
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        const { messages, left } = cutMessages(Buffer.concat([rest, bytes]));
        rest = left;
        for (const message of messages) back.push({ ...parse(message.toString('latin1')), socket });
      });
    });
    await new Promise((resolve) => listening.listen(0, CALLER, resolve));
    servers.push(callee, listening);
    await start(callee.port);
    const tcp = await TcpPeer.open(gateway, { address: CALLER });
    tcp.port = listening.address().port; // in Via and Contact
    const sent = invite(tcp, { to: '5551000' });
    tcp.send(sent.text);
    await tcp.next((message) => message.status === 180, '180');
    tcp.close();
    await until(async () => (await gateway.metric('trunkline_sip_connections', { transport: 'tcp' })) === 0, 'the connection to be gone');
    callee.respond(await callee.nth('INVITE'), 200);
    await until(() => back.some((message) => message.status === 200), 'the 200 over a new connection');
    const answer = back.find((message) => message.status === 200);
    assert.equal(header(answer, 'call-id'), sent.callId);
    const over = { ...tcp, transport: 'TCP', address: CALLER, gateway, send: (text) => answer.socket.write(text) };
    over.next = async (fits, what) => {
      await until(() => back.some(fits), what);
      return back.find(fits);
    };
    assert.equal((await hangUp(over, sent, answer)).status, 200);
    await gateway.idle();
  });
});
