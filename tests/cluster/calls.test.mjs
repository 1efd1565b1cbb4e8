// Two replicas: who is signed in at one is called from the other, with sound, and nobody else is believed.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl } from '../peers/call_control.mjs';
import { acknowledge, invite, UdpPeer } from '../peers/raw_sip.mjs';
import { until } from '../peers/until.mjs';
import { Cluster } from './stage.mjs';

const BROWSER = 1000;
const TRUNK = 440;

let cluster;
let one;
let two;
let alice;
let carrier;
let api;

before(async () => {
  cluster = await Cluster.start(2);
  [one, two] = cluster.gateways;
  [carrier] = cluster.carriers;
  api = new CallControl(one.grpcAddress);
  alice = await cluster.browser('alice', two);
  await cluster.written();
});

afterEach(async () => {
  for (const browser of cluster.browsers) browser.events.length = 0;
  carrier.endCalls();
  await cluster.idle();
});

after(async () => {
  api?.close();
  for (const end of await cluster.close()) assert.equal(end.code, 0);
});

describe('a user at another replica', () => {
  it('is called by a trunk, with sound both ways', async () => {
    const peer = await carrier.call('1001');
    const { call } = await alice.event('incoming');
    await until(() => peer.provisionals.includes(180), '180 at the trunk');
    alice.answer(call, { tone: BROWSER, listen: TRUNK });
    assert.equal(await peer.final(), 200);
    peer.rtp.play(TRUNK);
    await alice.talks(call, peer, BROWSER);
    alice.hangup(call);
    await until(() => peer.ended, 'BYE at the trunk');
  });

  it('is rung no longer when the trunk gives up', async () => {
    const peer = await carrier.call('1001');
    const { call } = await alice.event('incoming');
    peer.cancel();
    assert.equal(await peer.final(), 487);
    await alice.event('ended', { call });
  });

  it('says no in its own words', async () => {
    const peer = await carrier.call('1001');
    const { call } = await alice.event('incoming');
    alice.reject(call, 486);
    assert.equal(await peer.final(), 486);
  });

  it('is called by a user here', async () => {
    const bob = await cluster.browser('bob', one);
    await cluster.written();
    const call = bob.call('alice', { tone: TRUNK, listen: BROWSER });
    const { call: theirs } = await alice.event('incoming');
    alice.answer(theirs, { tone: BROWSER, listen: TRUNK });
    await bob.event('answered', { call });
    await bob.hears(call);
    await alice.hears(theirs);
    bob.hangup(call);
    await alice.event('ended', { call: theirs });
  });

  it('rings together with devices here; who answers has the call', async () => {
    const here = await cluster.browser('alice', one);
    await cluster.written();
    const peer = await carrier.call('1001');
    const { call } = await here.event('incoming');
    const there = await alice.event('incoming');
    alice.answer(there.call, { tone: BROWSER, listen: TRUNK });
    assert.equal(await peer.final(), 200);
    await here.event('ended', { call });
    peer.rtp.play(TRUNK);
    await alice.talks(there.call, peer, BROWSER);
    peer.bye();
    await alice.event('ended', { call: there.call });
    await here.close();
    await cluster.written();
  });

  it('is called by the API, which knows where he is', async () => {
    const { registrations } = await api.must('listRegistrations', { user: 'alice' });
    assert.deepEqual(registrations.map(({ user, node }) => [user, node]), [['alice', 'edge-2']]);
    const { registration } = await api.must('getRegistration', { user: 'alice' });
    assert.equal(registration.node, 'edge-2');
    const explained = await api.must('explainRoute', { from: '+4930123456', to: '1001', source: 'trunk:carrier' });
    assert.match(JSON.stringify(explained), /on node edge-2/);
    const { call } = await api.must('createCall', { from: 'user:alice', to: 'service:echo' });
    const incoming = await alice.event('incoming');
    alice.answer(incoming.call, { tone: BROWSER, listen: BROWSER });
    await alice.hears(incoming.call);
    await api.must('hangupCall', { call_id: call.call_id });
    await alice.event('ended', { call: incoming.call });
  });

  it('is called by a user here though no list has her name; a name that nobody has is 404', async () => {
    const bob = cluster.browsers.find(({ user }) => user === 'bob');
    const { username, password } = await api.must('createCredential', { user: 'carol' });
    const carol = await cluster.browser('carol', two, { username, password });
    await cluster.written();
    const call = bob.call('carol', { tone: TRUNK, listen: BROWSER });
    const { call: theirs } = await carol.event('incoming');
    carol.answer(theirs, { tone: BROWSER, listen: TRUNK });
    await bob.event('answered', { call });
    await bob.hears(call);
    bob.hangup(call);
    await carol.event('ended', { call: theirs });
    const nobody = bob.call('dave');
    assert.equal((await bob.event('failed', { call: nobody })).status, 404);
  });

  it('is where he registered last', async () => {
    cluster.balancer.only(one.wsPort);
    alice.do('drop');
    await alice.event('disconnected');
    alice.do('connect');
    await alice.event('connected');
    await alice.register();
    cluster.balancer.only();
    await cluster.written();
    const { registrations } = await api.must('listRegistrations', { user: 'alice' });
    assert.deepEqual(registrations.map(({ node }) => node), ['']);
    const peer = await cluster.carriers[1].call('1001');
    const { call } = await alice.event('incoming');
    alice.answer(call, { tone: BROWSER, listen: TRUNK });
    assert.equal(await peer.final(), 200);
    peer.bye();
    await alice.event('ended', { call });
  });
});

describe('an INVITE that says it is from another replica', () => {
  it('and can\'t prove it is refused with 403, and counted', async () => {
    const before = await one.metric('trunkline_call_rejections_total', { reason: 'replica' });
    const stranger = await UdpPeer.open(one);
    const sent = invite(stranger, {
      to: 'alice',
      headers: { Authorization: `Trunkline-HMAC-SHA-256 from="edge-2", to="edge-1", time=${Math.floor(Date.now() / 1000)}, mac="${'A'.repeat(43)}"` },
    });
    stranger.send(sent.text);
    const response = await stranger.final(sent.callId);
    assert.equal(response.status, 403);
    acknowledge(stranger, sent, response);
    assert.equal(await one.metric('trunkline_call_rejections_total', { reason: 'replica' }), before + 1);
    stranger.close();
  });
});
