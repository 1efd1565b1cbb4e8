// Trunks as carriers run them: located by DNS, with several servers of which some fail, watched by OPTIONS, and with a
// registration where they want one.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { Kamailio } from '../peers/kamailio.mjs';
import { NameServer } from '../peers/name_server.mjs';
import { acknowledge, hangUp, invite, request, UdpPeer } from '../peers/raw_sip.mjs';
import { header, parse } from '../peers/sip_message.mjs';
import { TrunkServer } from '../peers/trunk_server.mjs';
import { until } from '../peers/until.mjs';

// Whoever calls comes from an address of its own: that of the carrier belongs to the carrier.
const CALLER = '127.0.0.2';

const caller = `
  - { name: caller, uri: "sip:${CALLER}:9", allow: ["${CALLER}/32"], options_interval: 0s, codecs: [PCMU], max_calls_per_second: 1000 }`;

const trunk = (uri, more = 'options_interval: 0s') => `${caller}
  - { name: carrier, uri: "${uri}", codecs: [PCMU], max_calls_per_second: 1000, ${more} }`;

const routes = `
  - { from: "trunk:caller", match: "^555", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^gw$", target: "service:echo" }`;

// Dials until it is answered, and hangs up; the answer.
async function call(peer) {
  const sent = invite(peer, { to: '5551000' });
  peer.send(sent.text);
  const response = await peer.final(sent.callId);
  if (response.status < 300) await hangUp(peer, sent, response);
  else acknowledge(peer, sent, response);
  return response.status;
}

describe('a trunk of several servers', () => {
  let one;
  let two;
  let names;
  let gateway;
  let peer;

  before(async () => {
    one = await TrunkServer.open();
    two = await TrunkServer.open();
    names = await NameServer.start([
      'host-record=one.test,127.0.0.1',
      'host-record=two.test,127.0.0.1',
      `srv-host=_sip._udp.ordered.test,one.test,${one.port},10,0`,
      `srv-host=_sip._udp.ordered.test,two.test,${two.port},20,0`,
      `srv-host=_sip._udp.even.test,one.test,${one.port},10,50`,
      `srv-host=_sip._udp.even.test,two.test,${two.port},10,50`,
      'naptr-record=named.test,10,10,s,SIP+D2U,,_sip._udp.elsewhere.test',
      `srv-host=_sip._udp.elsewhere.test,two.test,${two.port},10,0`,
    ]);
  });

  afterEach(async () => {
    peer?.close();
    peer = undefined;
    const result = await gateway?.stop();
    gateway = undefined;
    for (const server of [one, two]) {
      server.answer = () => 200;
      server.requests.length = 0;
    }
    names.mode = 'pass';
    if (result) assert.equal(result.code, 0);
  });

  after(() => {
    one?.close();
    two?.close();
    names?.close();
  });

  const start = async (uri, more) => {
    gateway = await Gateway.start({ trunks: trunk(uri, more), routes, extra: `dns: { servers: ["${names.address}"] }` });
    peer = await UdpPeer.open(gateway, { address: CALLER });
  };
  const located = () => until(async () => (await call(peer)) === 200, 'a call that is answered');

  it('is called at the server that stands first', async () => {
    await start('sip:ordered.test;transport=udp');
    await located();
    assert.equal(one.count('INVITE'), 1);
    assert.equal(two.count('INVITE'), 0);
  });

  it('is located by NAPTR', async () => {
    await start('sip:named.test');
    await located();
    assert.equal(two.count('INVITE'), 1);
  });

  it('is called at each server by its weight', async () => {
    await start('sip:even.test');
    await located();
    for (let count = 0; count < 40; count += 1) assert.equal(await call(peer), 200);
    assert.equal(one.count('INVITE') + two.count('INVITE'), 41);
    assert.ok(one.count('INVITE') > 0 && two.count('INVITE') > 0);
  });

  it('is called at the next server after a 503, which is acknowledged', async () => {
    one.answer = () => 503;
    await start('sip:ordered.test');
    await located();
    const refused = await one.nth('INVITE');
    const ack = await one.nth('ACK');
    const answered = await two.nth('INVITE');
    assert.equal(header(ack, 'cseq'), header(refused, 'cseq').replace('INVITE', 'ACK'));
    assert.equal(header(answered, 'call-id'), header(refused, 'call-id'));
    assert.notEqual(header(answered, 'via'), header(refused, 'via'));
    await two.nth('BYE');
  });

  it('is called at the next server after silence, and a late answer is ended', async () => {
    one.answer = (request) => (request.method === 'BYE' ? 200 : undefined);
    await start('sip:ordered.test', 'options_interval: 0s, target_timeout: 500ms');
    await located();
    const silent = await one.nth('INVITE');
    one.respond(silent, 200);
    await one.nth('ACK');
    const bye = await one.nth('BYE');
    assert.equal(header(bye, 'call-id'), header(silent, 'call-id'));
    await gateway.idle();
  });

  it('is not called elsewhere once it has rung', async () => {
    one.answer = (request) => (request.method === 'INVITE' ? [180, 503] : 200);
    await start('sip:ordered.test');
    await until(async () => {
      await call(peer);
      return one.count('INVITE') > 0;
    }, 'a call');
    assert.equal(two.count('INVITE'), 0);
  });

  // RFC 3261 §16.7: what a person refused is not offered elsewhere
  it('is not called elsewhere when a person has refused', async () => {
    await start('sip:ordered.test');
    await located();
    const calls = one.count('INVITE');
    const refusals = [486, 600, 603];
    for (const status of refusals) {
      one.answer = (request) => (request.method === 'INVITE' ? status : 200);
      assert.equal(await call(peer), status);
    }
    assert.equal(one.count('INVITE'), calls + refusals.length);
    assert.equal(two.count('INVITE'), 0);
  });

  it('stays reachable while its name server is mute or broken', async () => {
    await start('sip:ordered.test;transport=udp');
    await located();
    for (const mode of ['broken', 'silent']) {
      names.mode = mode;
      const before = names.queries;
      await until(() => names.queries > before, `a question while it is ${mode}`);
      assert.equal(await call(peer), 200, mode);
    }
  });

  it('is found by a name server that is slow', async () => {
    names.mode = 1200;
    await start('sip:ordered.test;transport=udp');
    await located();
  });
});

describe('a trunk that is watched', () => {
  it('is up, degraded and down as its servers answer', async () => {
    const server = await TrunkServer.open({ answer: () => undefined });
    const gateway = await Gateway.start({
      trunks: trunk(`sip:127.0.0.1:${server.port}`, 'options_interval: 1s, target_timeout: 500ms'),
      routes,
    });
    const is = (name, value, what) => until(async () => (await gateway.metric(name, { trunk: 'carrier' })) === value, what);
    const down = () => gateway.logLines().some((line) => line.msg === 'trunk down' || line.message === 'trunk down');
    await until(down, 'the log to say that it is down');
    server.answer = () => 200;
    await is('trunkline_trunk_up', 1, 'it to be up');
    await is('trunkline_trunk_degraded', 0, 'it to be well');
    server.answer = () => 503;
    await is('trunkline_trunk_degraded', 1, 'it to be degraded');
    server.answer = () => undefined;
    await is('trunkline_trunk_up', 0, 'it to be down again');
    assert.equal((await gateway.stop()).code, 0);
    server.close();
  });
});

describe('a trunk with a registration', () => {
  let kamailio;
  let gateway;
  let peer;

  before(async () => {
    kamailio = await Kamailio.start();
    gateway = await Gateway.start({
      trunks: trunk(`sip:127.0.0.1:${kamailio.port}`, 'options_interval: 0s, register: true, username: gw, password: secret-t, register_expires: 60s'),
      routes,
    });
    peer = await UdpPeer.open({ sipPort: kamailio.port }, { address: '127.0.0.3' });
  });

  after(async () => {
    peer?.close();
    await kamailio?.close();
  });

  const dial = async () => {
    const sent = invite(peer, { to: 'gw' });
    peer.send(sent.text);
    const response = await peer.final(sent.callId);
    if (response.status >= 300) acknowledge(peer, sent, response);
    return { sent, response };
  };

  it('registers, and takes the calls that come for it', async () => {
    await until(async () => (await gateway.metric('trunkline_trunk_registration_state', { trunk: 'carrier', state: 'registered' })) === 1, 'the registration');
    const { sent, response } = await dial();
    assert.equal(response.status, 200);
    const route = response.headers['record-route'];
    const uri = /<([^>]+)>/.exec(header(response, 'contact'))[1];
    assert.ok(route, 'Kamailio stays in the way');
    assert.match(uri, new RegExp(`127.0.0.1:${gateway.sipPort}`));
    await endThroughRoute(peer, sent, response);
    await gateway.idle();
  });

  it('is unregistered when the gateway stops', async () => {
    assert.equal((await gateway.stop('SIGTERM')).code, 0);
    assert.equal((await dial()).response.status, 404);
  });
});

// ACK and BYE of a call with a proxy in the way.
async function endThroughRoute(peer, sent, response) {
  const headers = { From: parse(sent.text).headers.from, To: response.headers.to, Route: response.headers['record-route'].join(', ') };
  const uri = /<([^>]+)>/.exec(response.headers.contact[0])[1];
  peer.send(request(peer, 'ACK', { callId: sent.callId, headers, uri }).text);
  peer.send(request(peer, 'BYE', { callId: sent.callId, cseq: 2, headers, uri }).text);
  const bye = await peer.next((message) => message.headers.cseq?.[0] === '2 BYE', 'the answer to BYE');
  assert.equal(bye.status, 200);
}
