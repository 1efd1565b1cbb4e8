// RTP that overtakes the answer (RFC 3264 §5.1): the port of an offer is open when the offer leaves.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { after, afterEach, before, describe, it } from 'node:test';
import { RtpPeer } from '../peers/audio.mjs';
import { BROWSER, Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const STRANGER = 700;

let stage;
let gateway;
let carrier;
let alice;
let api;

before(async () => {
  stage = await Stage.open();
  ({ gateway, carrier, alice, api } = stage);
});
afterEach(() => stage.idle());
after(() => stage?.close());

const received = () => gateway.metric('trunkline_rtp_packets_total', { leg: 'sip', direction: 'in' });
const strange = () => gateway.metric('trunkline_rtp_packets_dropped_total', { leg: 'sip', reason: 'unknown_source' });

// Whether something is bound to a UDP port: the kernel says so to a connected socket.
async function isOpen({ port, address }) {
  const socket = dgram.createSocket('udp4');
  let refused = false;
  socket.on('error', () => (refused = true));
  await new Promise((resolve) => socket.connect(port, address, resolve));
  for (let count = 0; count < 3; count += 1) await new Promise((resolve) => socket.send(Buffer.alloc(1), resolve));
  socket.close();
  return !refused;
}

// A call of alice's by the API: she is connected, the trunk has the INVITE and says nothing.
async function pending() {
  carrier.onCall = () => {};
  const arrived = carrier.arrival();
  const { call } = await api.must('createCall', { from: 'user:alice', to: '5551000' });
  const incoming = await alice.event('incoming');
  alice.answer(incoming.call);
  await alice.event('media', { call: incoming.call });
  return [call, incoming.call, await arrived];
}

describe('RTP before the answer', () => {
  // RFC 3264 §5.1: media are received from the moment that the offer leaves [receive-early]
  it('comes to an open port, is counted, and the sound after the answer is whole', async () => {
    let opened;
    carrier.onCall = async (call) => {
      opened = await isOpen(call.rtp.remote);
      call.rtp.play(TRUNK);
    };
    const before = await received();
    const arrived = carrier.arrival();
    const call = alice.call('5551000');
    const peer = await arrived;
    await until(() => opened !== undefined, 'the port to be tried');
    assert.equal(opened, true);
    await until(async () => (await received()) >= before + 25, 'half a second of early sound to be received');
    await peer.answer();
    await alice.event('answered', { call });
    await alice.hears(call);
    await alice.hangsUp(call, peer);
  });

  // RFC 3264 §5.1: whoever listens already hears them [receive-early]
  it('is heard by a party that was called first', async () => {
    const [, call, peer] = await pending();
    peer.rtp.play(TRUNK);
    await alice.hears(call);
    await peer.answer();
    await until(() => peer.rtp.hears(BROWSER) > 0.8, 'the trunk to hear the browser');
    await alice.hears(call);
    await alice.hangsUp(call, peer);
  });

  it('of a stranger is heard by nobody', async () => {
    const [, call, peer] = await pending();
    const stranger = await RtpPeer.open('127.0.0.7');
    stranger.remote = peer.rtp.remote;
    const before = [await strange(), (await alice.stats(call)).rtp];
    stranger.play(STRANGER);
    await until(async () => (await strange()) >= before[0] + 25, 'half a second of it to be dropped');
    assert.equal((await alice.stats(call)).rtp, before[1]);
    stranger.close();
    await peer.answer(TRUNK);
    await alice.hears(call);
    await alice.hangsUp(call, peer);
  });
});
