// Two replicas: who is signed in at one is called from the other, with sound, and nobody else is believed.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl } from '../peers/call_control.mjs';
import { RawBrowser } from '../peers/raw_browser.mjs';
import { acknowledge, invite, request, UdpPeer } from '../peers/raw_sip.mjs';
import { RawWebSocket } from '../peers/raw_websocket.mjs';
import { format, header, uriOf } from '../peers/sip_message.mjs';
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

describe('outside of a call a user at another replica', () => {
  const LATER = { 'Content-Type': 'text/plain', Contact: undefined };
  let bob; // at the second, where his browser shows what comes
  let trunk; // of the first

  before(async () => {
    for (const other of cluster.browsers.filter(({ user }) => user === 'bob')) await other.close();
    await cluster.written();
    bob = await RawBrowser.open(two, 'bob', 'secret-b');
    trunk = await UdpPeer.open(one);
    await until(async () => (await api.must('listRegistrations', { user: 'bob' })).registrations.some(({ node }) => node === 'edge-2'), 'bob in the store');
  });

  after(() => {
    trunk.close();
    bob.close();
  });

  const byTrunk = (method, options) => {
    const sent = request(trunk, method, { to: '1002', ...options });
    trunk.send(sent.text);
    return sent;
  };

  it('is written to by a trunk; his answer comes back', async () => {
    for (const status of [200, 415]) {
      const sent = byTrunk('MESSAGE', { headers: LATER, body: 'good morning' });
      const got = await bob.arrives('MESSAGE');
      assert.equal(got.body, 'good morning');
      assert.equal(header(got, 'content-type'), 'text/plain');
      assert.match(header(got, 'from'), /<sip:raw@/);
      assert.equal(header(got, 'authorization'), undefined);
      bob.respond(got, status);
      assert.equal((await trunk.final(sent.callId)).status, status);
    }
  });

  it('is written to by a user here', async () => {
    const sender = new RawBrowser(await RawWebSocket.open(one), 'alice', 'secret-a');
    const signed = await sender.sign('MESSAGE', { uri: 'sip:bob@example.test', headers: LATER, body: 'x'.repeat(5000) });
    sender.send(signed);
    const got = await bob.arrives('MESSAGE');
    assert.equal(got.body.length, 5000);
    assert.match(header(got, 'from'), /<sip:alice@example.test>/);
    bob.respond(got, 202);
    assert.equal((await sender.socket.final(signed.callId)).status, 202);
    sender.close();
  });

  it('is subscribed to by a trunk, and tells it', async () => {
    const sent = byTrunk('SUBSCRIBE', { headers: { Event: 'presence', Expires: '600' } });
    const asked = await bob.arrives('SUBSCRIBE');
    assert.equal(header(asked, 'event'), 'presence');
    const contact = ['Contact', `<sip:bob@${bob.socket.address};transport=ws>`];
    bob.respond(asked, 200, [contact, ['Expires', '600']]);
    const granted = await trunk.final(sent.callId);
    assert.equal(granted.status, 200);
    assert.equal(header(granted, 'expires'), '600');
    const notify = request(bob.socket, 'NOTIFY', {
      uri: uriOf(header(asked, 'contact')),
      callId: header(asked, 'call-id'),
      headers: {
        From: `${header(asked, 'to')};tag=page`,
        To: header(asked, 'from'),
        Contact: contact[1],
        Event: 'presence',
        'Subscription-State': 'terminated;reason=noresource',
        'Content-Type': 'application/pidf+xml',
      },
      body: '<presence/>',
    });
    bob.send(notify);
    const told = await trunk.next(({ method }) => method === 'NOTIFY', 'NOTIFY');
    assert.equal(header(told, 'call-id'), sent.callId);
    assert.equal(header(told, 'subscription-state'), 'terminated;reason=noresource');
    assert.equal(told.body, '<presence/>');
    trunk.send(format('SIP/2.0 200 OK', ['via', 'from', 'to', 'call-id', 'cseq'].map((name) => [name, told.headers[name]])));
    assert.equal((await bob.socket.final(notify.callId)).status, 200);
  });

  it('is there for OPTIONS, until he leaves', async () => {
    const there = byTrunk('OPTIONS', {});
    assert.equal((await trunk.final(there.callId)).status, 200);
    const left = await bob.ask('REGISTER', { uri: 'sip:example.test', headers: { To: bob.address, Contact: '*', Expires: '0' } });
    assert.equal(left.status, 200);
    await cluster.written();
    for (const method of ['OPTIONS', 'MESSAGE', 'SUBSCRIBE']) {
      const gone = byTrunk(method, { headers: { Event: 'presence' } });
      assert.equal((await trunk.final(gone.callId)).status, 480, method);
    }
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
