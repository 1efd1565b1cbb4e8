// Ten thousand forged packets of every kind at every port of a call: they change nothing, and are counted.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { after, before, describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const COUNT = 10000;
const BURST = 200;
const STRANGER = '127.0.0.9';

let stage;
let gateway;
let carrier;
let alice;
let api;
let call;
let peer;
let socket;
let answers = 0; // that the stranger got

before(async () => {
  stage = await Stage.open({ onCall: answerAtOnce, trunkExtra: '    srtp: sdes\n' });
  ({ gateway, carrier, alice, api } = stage);
  socket = dgram.createSocket('udp4');
  await new Promise((bound) => socket.bind(0, STRANGER, bound));
  socket.unref();
  socket.on('message', () => (answers += 1));
});

after(async () => {
  socket?.close();
  await stage?.close();
});

const dialled = async () => {
  [call, peer] = await stage.dials();
  await alice.talks(call, peer);
};

const drops = (leg, reason) => gateway.metric('trunkline_rtp_packets_dropped_total', { leg, ...(reason && { reason }) });

// Sends what `forge` makes, a burst at a time, until so many more have been counted by `counted`.
async function forged(counted, forge, send) {
  const before = await counted();
  let at = 0;
  await until(async () => {
    for (let burst = 0; burst < BURST; burst += 1) send(forge(at++));
    return (await counted()) >= before + COUNT;
  }, `${COUNT} forged packets to be counted`);
}

// What was said on before is said on after, over the same lines.
async function untouched(attack) {
  const before = await alice.stats(call);
  const ended = await gateway.metric('trunkline_calls_ended_total');
  const received = peer.rtp.received;
  await attack();
  await alice.talks(call, peer);
  const later = await alice.stats(call);
  assert.equal(later.ssrc_changes, before.ssrc_changes);
  assert.equal(later.srtp_errors, before.srtp_errors);
  assert.ok(later.heard > before.heard && received > 0);
  assert.equal(peer.rtp.ssrcs.size, 1);
  assert.ok(peer.rtp.jumps.every(([last, next]) => (next.timestamp - last.timestamp) >>> 0 < 0x80000000), 'its time never goes back');
  assert.equal(peer.ended, undefined);
  assert.equal(await gateway.metric('trunkline_calls_ended_total'), ended);
}

const rtp = (ssrc, sequence, size = 160, type = 0) => {
  const packet = Buffer.alloc(12 + size, 0x2a);
  packet[0] = 0x80;
  packet[1] = type;
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE((sequence * 160) >>> 0, 4);
  packet.writeUInt32BE(ssrc, 8);
  return packet;
};
const bye = (ssrc) => {
  const packet = Buffer.from([0x81, 203, 0, 1, 0, 0, 0, 0]);
  packet.writeUInt32BE(ssrc, 4);
  return packet;
};

// A check with USE-CANDIDATE, as ICE has it, whose MESSAGE-INTEGRITY is made with this password.
function check(username, password) {
  const attribute = (type, value) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(type, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
  };
  const message = (attributes, room) => {
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x0001, 0);
    head.writeUInt16BE(attributes.length + room, 2);
    head.writeUInt32BE(0x2112a442, 4);
    return Buffer.concat([head, transaction, attributes]);
  };
  const transaction = randomBytes(12);
  let attributes = Buffer.concat([
    attribute(0x0006, Buffer.from(username)), attribute(0x0024, Buffer.from([0x6e, 0x7f, 0x1e, 0xff])),
    attribute(0x802a, randomBytes(8)), attribute(0x0025, Buffer.alloc(0)),
  ]);
  attributes = Buffer.concat([attributes, attribute(0x0008, createHmac('sha1', password).update(message(attributes, 24)).digest())]);
  const print = Buffer.alloc(4);
  print.writeUInt32BE((crc32(message(attributes, 8)) ^ 0x5354554e) >>> 0);
  return message(Buffer.concat([attributes, attribute(0x8028, print)]), 0);
}
// A record of a handshake, with a ClientHello or an alert in it that is none.
const record = (type, size) => Buffer.concat([Buffer.from([type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, size >> 8, size & 0xff]), randomBytes(size)]);

describe('forged packets', () => {
  before(dialled);
  after(async () => {
    await alice.hangsUp(call, peer);
    await gateway.idle();
  });

  // RFC 7362 §5: 10,000 packets of strangers to each port of a trunk move nothing [media-not-bled]
  it('of strangers at the ports of a trunk', async () => {
    const { port } = peer.rtp.remote;
    const kinds = [
      (at) => rtp(peer.rtp.ssrc, peer.rtp.sequence + 1 + (at & 15)), // as the trunk's next ones
      (at) => rtp(at, at), (at) => rtp(peer.rtp.ssrc, at, 4, 101), // another source, and a digit
      () => bye(peer.rtp.ssrc), () => bye(peer.rtp.ssrc).subarray(0, 4), () => Buffer.alloc(2000, 0x80), () => Buffer.alloc(0),
      () => check('abcd:efgh', 'wrong'), () => record(22, 120),
    ];
    const before = { size: await drops('sip', 'size'), stranger: await drops('sip', 'unknown_source'), protocol: await drops('sip', 'unknown_protocol') };
    await untouched(async () => {
      for (const to of [port, port + 1]) {
        await forged(() => drops('sip'), (at) => kinds[at % kinds.length](at), (packet) => socket.send(packet, to, '127.0.0.1'));
      }
    });
    assert.ok((await drops('sip', 'size')) > before.size);
    assert.ok((await drops('sip', 'unknown_source')) > before.stranger);
    assert.ok((await drops('sip', 'unknown_protocol')) > before.protocol);
    assert.equal(answers, 0, 'a stranger hears nothing');
    assert.equal(alice.has('digit'), false);
  });

  // RFC 8489 §9.1.3: a check that is not authentic is dropped in silence [stun-silent]
  it('of strangers at the port of the browsers', async () => {
    const [{ call_id: id }] = (await api.must('listCalls', {})).calls;
    const { text } = await api.must('getCallTrace', { call_id: id });
    const names = [...text.matchAll(/a=ice-ufrag:(\S+)/g)].map(([, name]) => name);
    assert.ok(names.length >= 2, text);
    const [theirs, ours] = names;
    const kinds = [
      () => check(`${ours}:${theirs}`, 'the wrong password of all'), () => check(`${theirs}:${ours}`, 'x'),
      () => check('unknown:unknown', 'x'), () => check(`${ours}:${theirs}`, 'x').subarray(0, 40),
      () => record(22, 300), () => record(21, 2), () => record(20, 1), // ClientHello, alert, change of cipher
      (at) => rtp(peer.rtp.ssrc, at), () => bye(peer.rtp.ssrc), () => rtp(1, 1, 1900), () => Buffer.alloc(0),
      () => Buffer.from([0x40, 0, 0, 4, 1, 2, 3, 4]), () => Buffer.from([0x10, 0, 0, 0]), () => randomBytes(64),
    ];
    const before = { stun: await drops('webrtc', 'stun'), stranger: await drops('webrtc', 'unknown_source') };
    await untouched(() => forged(() => drops('webrtc'), (at) => kinds[at % kinds.length](at),
      (packet) => socket.send(packet, gateway.webrtcPort, '127.0.0.1')));
    assert.ok((await drops('webrtc', 'stun')) > before.stun);
    assert.ok((await drops('webrtc', 'unknown_source')) > before.stranger);
    assert.equal(answers, 0, 'a stranger gets no answer');
  });
});

describe('an encrypted trunk', () => {
  before(async () => {
    carrier.suites = ['AES_CM_128_HMAC_SHA1_80'];
    await dialled();
  });
  after(async () => {
    await alice.hangsUp(call, peer);
    await gateway.idle();
  });

  // RFC 3711 §3.3: 10,000 packets with a wrong tag, or replayed, from the right address end nothing [srtp-authentic]
  it('that is copied, cut and forged from its own address goes on', async () => {
    const sealed = [];
    const { seals } = peer.rtp;
    const seal = seals.seal.bind(seals);
    seals.seal = (packet) => {
      const made = seal(packet);
      if (sealed.length < 64) sealed.push(Buffer.from(made));
      return made;
    };
    await until(() => sealed.length === 64, 'packets to be copied');
    const changed = (packet, at) => {
      const copy = Buffer.from(packet);
      copy[12 + (at % (copy.length - 12))] ^= 1 << (at & 7);
      return copy;
    };
    const kinds = [
      (at) => sealed[at % 64], (at) => changed(sealed[at % 64], at), (at) => sealed[at % 64].subarray(0, 12 + (at % 20)),
      (at) => rtp(peer.rtp.ssrc, peer.rtp.sequence + (at & 7)), (at) => changed(rtp(at, at), at),
    ];
    const errors = (kind) => gateway.metric('trunkline_srtp_errors_total', { leg: 'sip', ...(kind && { kind }) });
    const before = { auth: await errors('auth'), replay: await errors('replay') };
    await untouched(() => forged(() => errors(), (at) => kinds[at % kinds.length](at),
      (packet) => peer.rtp.rtp.send(packet, peer.rtp.remote.port, peer.rtp.remote.address)));
    assert.ok((await errors('auth')) > before.auth);
    assert.ok((await errors('replay')) > before.replay);
  });
});
