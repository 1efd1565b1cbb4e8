// Bad input of every kind: each gets the protocol's own answer, a counter and a log line, and a call beside it goes on.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { freePort } from '../peers/ports.mjs';
import { acknowledge, invite, request, TcpPeer, UdpPeer } from '../peers/raw_sip.mjs';
import { handshake, OPCODE, RawWebSocket } from '../peers/raw_websocket.mjs';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const WARNINGS = new Set(['warn', 'error', 'info']);

let stage;
let gateway;
let carrier;
let alice;
let call;
let peer;

before(async () => {
  stage = await Stage.open({
    onCall: answerAtOnce,
    routes: (ports) => `
  - { from: user, match: "^9", target: "trunk:dead" }
  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^1002$", target: "user:bob" }
  - { from: any, match: "^echo$", target: "service:echo" }`,
    trunks: (ports) => `
  - { name: carrier, uri: "sip:127.0.0.1:${ports.carrierPort}", allow: ["127.0.0.1/32"], codecs: [PCMU], options_interval: 0s, max_calls_per_second: 1000 }
  - { name: dead, uri: "sip:127.0.0.1:9", allow: ["127.0.0.9/32"], codecs: [PCMU], options_interval: 0s }`,
  });
  ({ gateway, carrier, alice } = stage);
  [call, peer] = await stage.dials();
  await talk();
});
after(() => stage?.close());

const talk = () => alice.talks(call, peer);

afterEach(async () => {
  assert.equal(peer.ended, undefined, 'the call beside it is up');
  assert.equal(alice.has('ended', { call }), false, 'the call beside it is up');
  await talk();
});

// Does `act`, and expects the counter to rise and at least one log line, and not a flood of them.
async function shows({ metric, labels = {}, line }, act) {
  const before = await gateway.metric(metric, labels);
  const lines = gateway.logLines().length;
  await act();
  await until(async () => (await gateway.metric(metric, labels)) > before, `${metric} ${JSON.stringify(labels)} to rise`);
  const fitting = () => gateway.logLines().slice(lines).filter((one) => WARNINGS.has(one.level) && line.test(JSON.stringify(one)));
  await until(() => fitting().length > 0, `a log line like ${line}; new lines: ${JSON.stringify(gateway.logLines().slice(lines))}`);
  assert.ok(fitting().length <= 2, `one line, not ${JSON.stringify(fitting())}`);
}

const still = async (sender) => {
  const sent = request(sender, 'OPTIONS');
  sender.send(sent.text);
  assert.ok((await sender.final(sent.callId)).status >= 200);
};

describe('malformed SIP', () => {
  const malformed = (sender) => request(sender, 'INVITE', { headers: { CSeq: 'one INVITE' } });

  it('over UDP gets 400', async () => {
    const udp = await UdpPeer.open(gateway);
    await shows({ metric: 'trunkline_sip_parse_errors_total', labels: { transport: 'udp' }, line: new RegExp(String(udp.port)) }, async () => {
      const sent = malformed(udp);
      udp.send(sent.text);
      assert.equal((await udp.final(sent.callId)).status, 400);
    });
    await still(udp);
    udp.close();
  });

  it('over UDP, if it is no SIP at all, gets nothing', async () => {
    const udp = await UdpPeer.open(gateway);
    await shows({ metric: 'trunkline_sip_parse_errors_total', labels: { transport: 'udp' }, line: new RegExp(String(udp.port)) },
      async () => udp.send(Buffer.from('\x16\x03\x01 this is no SIP \x00\xff')));
    await still(udp);
    assert.equal(udp.messages.length, 1);
    udp.close();
  });

  it('over TCP gets 400', async () => {
    const tcp = await TcpPeer.open(gateway);
    await shows({ metric: 'trunkline_sip_parse_errors_total', labels: { transport: 'tcp' }, line: new RegExp(String(tcp.port)) }, async () => {
      const sent = malformed(tcp);
      tcp.send(sent.text);
      assert.equal((await tcp.final(sent.callId)).status, 400);
    });
    tcp.close();
  });

  it('over TCP, if it is no SIP at all, closes the connection', async () => {
    const tcp = await TcpPeer.open(gateway);
    await shows({ metric: 'trunkline_sip_parse_errors_total', labels: { transport: 'tcp' }, line: new RegExp(String(tcp.port)) }, async () => {
      tcp.send('GET / HTTP/1.1\r\nHost: gateway\r\n\r\n');
      await until(() => tcp.closed, 'the connection to be closed');
    });
  });

  it('over a WebSocket gets 400', async () => {
    const socket = await RawWebSocket.open(gateway);
    await shows({ metric: 'trunkline_sip_parse_errors_total', labels: { transport: 'ws' }, line: new RegExp(String(socket.socket.localPort)) }, async () => {
      const sent = malformed(socket);
      socket.send(sent.text);
      assert.equal((await socket.final(sent.callId)).status, 400);
    });
    socket.close();
  });
});

describe('WebSocket', () => {
  for (const protocol of [null, 'chat', 'xmpp, chat']) {
    it(`without the subprotocol sip (${protocol}) is no WebSocket`, async () => {
      await shows({ metric: 'trunkline_ws_handshake_failures_total', labels: { reason: 'subprotocol' }, line: /subprotocol/ }, async () => {
        const answer = await handshake(gateway, { protocol });
        assert.ok(answer.status >= 400 && answer.status < 500, `answered with ${answer.status}`);
      });
    });
  }

  it('agrees on sip among others', async () => {
    const answer = await handshake(gateway, { protocol: 'chat, sip' });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-protocol'], 'sip');
    answer.socket.destroy();
  });

  it('with a message that is too big is closed with 1009', async () => {
    const socket = await RawWebSocket.open(gateway);
    await shows({ metric: 'trunkline_ws_disconnects_total', labels: { reason: 'too_big' }, line: /too.?big|large|1009/ }, async () => {
      socket.sendFrame(OPCODE.text, Buffer.alloc(70000, 'a'));
      await socket.ended();
      assert.equal(socket.closeCode, 1009);
    });
    socket.close();
  });

  it('with fragments that together are too big is closed with 1009', async () => {
    const socket = await RawWebSocket.open(gateway);
    await shows({ metric: 'trunkline_ws_disconnects_total', labels: { reason: 'too_big' }, line: /too.?big|large|1009/ }, async () => {
      socket.sendFrame(OPCODE.text, Buffer.alloc(40000, 'a'), { final: false });
      socket.sendFrame(OPCODE.continuation, Buffer.alloc(40000, 'a'));
      await socket.ended();
      assert.equal(socket.closeCode, 1009);
    });
    socket.close();
  });

  for (const [what, act] of [
    ['an unmasked frame', (socket) => socket.sendFrame(OPCODE.text, Buffer.from('hello'), { masked: false })],
    ['an unknown opcode', (socket) => socket.sendFrame(5, Buffer.from('hello'))],
  ]) {
    // RFC 6455 §5.1: frames that are none are closed with 1002 [ws-frames]
    it(`with ${what} is closed with 1002`, async () => {
      const socket = await RawWebSocket.open(gateway);
      await shows({ metric: 'trunkline_ws_disconnects_total', labels: { reason: 'protocol' }, line: /protocol|1002/ }, async () => {
        act(socket);
        await socket.ended();
        if (socket.closeCode !== undefined) assert.equal(socket.closeCode, 1002);
      });
      socket.close();
    });
  }
});

describe('calls that cannot be', () => {
  it('from an unknown source get 403', async () => {
    const stranger = await UdpPeer.open(gateway, { address: '127.0.0.2' });
    await shows({ metric: 'trunkline_call_rejections_total', labels: { reason: 'acl' }, line: /127\.0\.0\.2/ }, async () => {
      const sent = invite(stranger);
      stranger.send(sent.text);
      const response = await stranger.final(sent.callId);
      assert.equal(response.status, 403);
      acknowledge(stranger, sent, response);
    });
    stranger.close();
  });

  // RFC 3261 §13.3.1.3: no common codec is 488 [offer-488]
  it('without a common codec get 488', async () => {
    const udp = await UdpPeer.open(gateway);
    await shows({ metric: 'trunkline_calls_ended_total', labels: { reason: 'no_codec' }, line: /no_codec/ }, async () => {
      const sent = invite(udp, {
        body: 'v=0\r\no=raw 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n',
      });
      udp.send(sent.text);
      const response = await udp.final(sent.callId);
      assert.equal(response.status, 488);
      acknowledge(udp, sent, response);
    });
    udp.close();
  });

  it('with a malformed description get 400', async () => {
    const udp = await UdpPeer.open(gateway);
    await shows({ metric: 'trunkline_calls_ended_total', labels: { reason: 'bad_offer' }, line: /bad_offer/ }, async () => {
      const sent = invite(udp, { body: 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio x RTP/AVP 0\r\n' });
      udp.send(sent.text);
      const response = await udp.final(sent.callId);
      assert.equal(response.status, 400);
      acknowledge(udp, sent, response);
    });
    udp.close();
  });

  // RFC 3261 §8.1.3.1: ICMP fails the call at once [transport-failure]
  it('to a trunk whose port is closed get 500', async () => {
    await shows({ metric: 'trunkline_calls_ended_total', labels: { reason: 'trunk_unreachable' }, line: /trunk_unreachable/ }, async () => {
      const timeouts = await gateway.metric('trunkline_sip_transaction_timeouts_total');
      const dead = alice.call('900');
      assert.equal((await alice.event('failed', { call: dead })).status, 500);
      assert.equal(await gateway.metric('trunkline_sip_transaction_timeouts_total'), timeouts, 'nobody waited for an answer');
    });
  });

  it('to a silent trunk get 408 after 32 seconds', async () => {
    carrier.loses = (start) => start.startsWith('INVITE sip:5559999@');
    await shows({ metric: 'trunkline_calls_ended_total', labels: { reason: 'no_response' }, line: /no_response/ }, async () => {
      const silent = alice.call('5559999');
      assert.equal((await alice.event('failed', { call: silent })).status, 408);
    });
    carrier.loses = () => false;
  });

  it('to a trunk whose media port is closed stay up', async () => {
    const closed = await freePort();
    carrier.behaviours.set('5558888', async (silent) => {
      silent.rtp.close();
      silent.rtp.port = closed;
      await silent.answer();
    });
    const arrived = carrier.arrival('5558888');
    const deaf = alice.call('5558888');
    await alice.event('answered', { call: deaf });
    const other = await arrived;
    await alice.event('media', { call: deaf });
    await shows({ metric: 'trunkline_call_silences_total', labels: { leg: 'sip', cause: 'TRUNK_SENDS_NOTHING' }, line: /no sound comes from a party.*trunk:carrier.*TRUNK_SENDS_NOTHING/ }, talk);
    assert.equal(other.ended, undefined);
    alice.hangup(deaf);
    await until(() => other.ended, 'BYE at the trunk');
  });
});

// Pseudo-random numbers (xorshift), the same ones in each run.
function numbers() {
  let state = 0x2545f491;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 1;
  };
}

describe('random octets', () => {
  it('on the SIP ports change nothing', async () => {
    const udp = await UdpPeer.open(gateway);
    const random = numbers();
    for (let count = 0; count < 200; count += 1) {
      const text = Buffer.from(invite(udp, { to: 'nobody' }).text, 'latin1');
      for (let hits = 0; hits < 8; hits += 1) text[random() % text.length] = random() & 0xff;
      udp.send(text);
    }
    await still(udp);
    udp.close();
    await until(async () => (await gateway.metric('trunkline_sip_parse_errors_total')) > 0, 'some to be refused');
  });

  it('on the media ports change nothing', async () => {
    const udp = await UdpPeer.open({ sipPort: gateway.webrtcPort });
    const before = await gateway.metric('trunkline_rtp_packets_dropped_total');
    const random = numbers();
    for (let count = 0; count < 200; count += 1) udp.send(Buffer.from(Array.from({ length: 16 }, () => random() & 0xff)));
    await until(async () => (await gateway.metric('trunkline_rtp_packets_dropped_total')) > before, 'drops to be counted');
    udp.close();
  });
});
