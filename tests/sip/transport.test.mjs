// SIP as octets: who may send, how a stream is cut into messages, and what ends a request that goes round in circles.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { acknowledge, hangUp, invite, request, TcpPeer, UdpPeer } from '../peers/raw_sip.mjs';
import { RawWebSocket } from '../peers/raw_websocket.mjs';
import { header } from '../peers/sip_message.mjs';
import { until } from '../peers/until.mjs';

let gateway;
let udp;

before(async () => {
  gateway = await Gateway.start({
    trunks: (ports) => `
  - { name: carrier, uri: "sip:127.0.0.1:${ports.carrierPort}", allow: ["127.0.0.1/32"], options_interval: 0s, max_calls_per_second: 1000 }
  - { name: self, uri: "sip:127.0.0.1:${ports.sipPort}", allow: ["127.0.0.9/32"], options_interval: 0s, max_calls: 200, max_calls_per_second: 1000 }`,
    routes: () => `
  - { from: any, match: "^round$", target: "trunk:self" }
  - { from: any, match: "^echo$", target: "service:echo" }`,
  });
  udp = await UdpPeer.open(gateway);
});

after(async () => {
  udp?.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

async function answered(peer, sent) {
  peer.send(sent.text);
  return peer.final(sent.callId);
}

describe('who may send', () => {
  it('a trunk asks OPTIONS and gets 200 with what the gateway can do', async () => {
    const response = await answered(udp, request(udp, 'OPTIONS'));
    assert.equal(response.status, 200);
    assert.match(header(response, 'allow'), /INVITE.*BYE/);
    assert.match(header(response, 'accept'), /application\/sdp/);
  });

  it('a trunk may not register', async () => {
    assert.equal((await answered(udp, request(udp, 'REGISTER'))).status, 403);
  });

  for (const method of ['OPTIONS', 'INVITE']) {
    it(`an address of no trunk gets 403 to ${method}`, async () => {
      const stranger = await UdpPeer.open(gateway, { address: '127.0.0.2' });
      const before = await gateway.metric('trunkline_call_rejections_total', { reason: 'acl' });
      const sent = method === 'INVITE' ? invite(stranger) : request(stranger, method);
      const response = await answered(stranger, sent);
      assert.equal(response.status, 403);
      if (method === 'INVITE') acknowledge(stranger, sent, response);
      assert.equal(await gateway.metric('trunkline_call_rejections_total', { reason: 'acl' }), before + 1);
      stranger.close();
    });
  }

  it('a stranger on TCP gets 403 too', async () => {
    const stranger = await TcpPeer.open(gateway, { address: '127.0.0.3' });
    assert.equal((await answered(stranger, request(stranger, 'OPTIONS'))).status, 403);
    stranger.close();
  });
});

describe('requests that cannot be served', () => {
  const cases = [
    ['MESSAGE', { body: 'hello', headers: { 'Content-Type': 'text/plain' } }, 405],
    ['FLY', {}, 501],
    ['OPTIONS', { headers: { Require: 'teleport' } }, 420],
    ['OPTIONS', { uri: 'isbn:2983792873' }, 416],
    ['INVITE', { headers: { 'Max-Forwards': '0' } }, 483],
    ['INVITE', { to: 'nobody' }, 404],
    ['INVITE', { body: 'x', headers: { 'Content-Type': 'application/unknown' } }, 415],
    ['BYE', { headers: { To: '<sip:echo@127.0.0.1>;tag=nothing' } }, 481],
  ];
  for (const [method, options, status] of cases) {
    // RFC 3261 §8.2: 405, 501, 420, 416, 483, 404, 415 and 481 with what they owe [method-501]
    it(`${method} ${JSON.stringify(options)} gets ${status}`, async () => {
      const sent = method === 'INVITE' ? invite(udp, options) : request(udp, method, options);
      const response = await answered(udp, sent);
      assert.equal(response.status, status);
      if (status === 501 || status === 405) assert.match(header(response, 'allow'), /INVITE/);
      if (status === 420) assert.equal(header(response, 'unsupported'), 'teleport');
      if (status === 415) assert.match(header(response, 'accept'), /application\/sdp/);
      if (method === 'INVITE') acknowledge(udp, sent, response);
    });
  }

  // RFC 3261 §8.2.2.2: the same request by another path gets 482 [merged-request]
  it('the same request by another path is merged (482)', async () => {
    const sent = invite(udp, { to: 'echo' });
    udp.send(sent.text);
    const first = await udp.final(sent.callId);
    assert.equal(first.status, 200);
    udp.send(sent.text.replace(/branch=z9hG4bK/, 'branch=z9hG4bKsecond'));
    const second = await udp.next((message) => message.status >= 400 && header(message, 'call-id') === sent.callId, '482');
    assert.equal(second.status, 482);
    assert.equal((await hangUp(udp, sent, first)).status, 200);
  });
});

describe('a call that goes round through the gateway itself', () => {
  // RFC 3261 §16.3: a loop ends [max-forwards-483]
  it('ends with 483 or 482, and nothing is left of it', async () => {
    const sent = invite(udp, { to: 'round', headers: { 'Max-Forwards': '10' } });
    udp.send(sent.text);
    const response = await udp.final(sent.callId);
    assert.ok([482, 483].includes(response.status), `ended with ${response.status}`);
    acknowledge(udp, sent, response);
    await gateway.idle();
  });
});

describe('a TCP stream', () => {
  let tcp;
  before(async () => (tcp = await TcpPeer.open(gateway)));
  after(() => tcp.close());

  // RFC 3261 §18.3: a message may come in octets [stream-segments]
  it('may bring a message one octet at a time', async () => {
    const sent = request(tcp, 'OPTIONS');
    for (const octet of sent.text) await new Promise((done) => tcp.socket.write(octet, 'latin1', done));
    assert.equal((await tcp.final(sent.callId)).status, 200);
  });

  // RFC 3261 §18.3: several may come at once [stream-segments]
  it('may bring several messages in one segment, and the beginning of the next', async () => {
    const sent = [1, 2, 3, 4].map(() => request(tcp, 'OPTIONS'));
    const last = sent[3].text;
    tcp.send(sent.slice(0, 3).map(({ text }) => text).join('') + last.slice(0, 40));
    for (const { callId } of sent.slice(0, 3)) assert.equal((await tcp.final(callId)).status, 200);
    tcp.send(last.slice(40));
    assert.equal((await tcp.final(sent[3].callId)).status, 200);
  });

  it('may bring a body in pieces', async () => {
    const sent = invite(tcp, { to: 'nobody' });
    const cut = sent.text.indexOf('\r\n\r\n') + 20;
    tcp.send(sent.text.slice(0, cut));
    tcp.send(sent.text.slice(cut));
    const response = await tcp.final(sent.callId);
    assert.equal(response.status, 404);
    acknowledge(tcp, sent, response);
  });

  // RFC 5626 §4.4.1: a double line end gets one [flow-keepalive]
  it('answers the ping of two line ends with one', async () => {
    const pongs = tcp.pongs;
    tcp.send('\r\n\r\n');
    await until(() => tcp.pongs === pongs + 1, 'a pong');
  });

  // RFC 3261 §7.5: line ends before a message are passed over [line-ends-before-start]
  it('ignores line ends before a message', async () => {
    const sent = request(tcp, 'OPTIONS');
    tcp.send(`\r\n${sent.text}`);
    assert.equal((await tcp.final(sent.callId)).status, 200);
  });

  it('is closed when a message says no length', async () => {
    const other = await TcpPeer.open(gateway);
    const sent = request(other, 'OPTIONS');
    other.send(sent.text.replace(/Content-Length: 0\r\n/, ''));
    await until(() => other.closed || other.messages.length > 0, 'an end or an answer');
    if (other.messages.length > 0) assert.ok([200, 400].includes(other.messages[0].status));
    other.close();
    assert.equal((await answered(tcp, request(tcp, 'OPTIONS'))).status, 200);
  });

  it('carries a whole call', async () => {
    const sent = invite(tcp);
    tcp.send(sent.text);
    const response = await tcp.final(sent.callId);
    assert.equal(response.status, 200);
    assert.equal((await hangUp(tcp, sent, response)).status, 200);
    await gateway.idle();
  });
});

describe('a WebSocket', () => {
  it('challenges every request of somebody unknown', async () => {
    const socket = await RawWebSocket.open(gateway);
    const sent = request(socket, 'OPTIONS');
    socket.send(sent.text);
    const response = await socket.final(sent.callId);
    assert.ok([401, 407].includes(response.status));
    socket.close();
  });

  // RFC 7118 §4.2: fragments and binary frames are taken [ws-text-binary]
  it('takes a message in fragments and in binary frames', async () => {
    const socket = await RawWebSocket.open(gateway);
    const fragmented = request(socket, 'OPTIONS');
    const octets = Buffer.from(fragmented.text, 'latin1');
    socket.sendFrame(1, octets.subarray(0, 50), { final: false });
    socket.sendFrame(9, Buffer.from('between'));
    socket.sendFrame(0, octets.subarray(50, 90), { final: false });
    socket.sendFrame(0, octets.subarray(90));
    assert.ok((await socket.final(fragmented.callId)).status >= 400);
    const binary = request(socket, 'OPTIONS');
    socket.sendFrame(2, Buffer.from(binary.text, 'latin1'));
    assert.ok((await socket.final(binary.callId)).status >= 400);
    socket.close();
  });
});
