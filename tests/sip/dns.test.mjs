// How a trunk's name is followed when DNS is not at its best, and when some of its addresses are dead (RFC 3263 §4.3).
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { NameServer } from '../peers/name_server.mjs';
import { freePort } from '../peers/ports.mjs';
import { acknowledge, hangUp, invite, UdpPeer } from '../peers/raw_sip.mjs';
import { header } from '../peers/sip_message.mjs';
import { TrunkServer } from '../peers/trunk_server.mjs';
import { until } from '../peers/until.mjs';

const CALLER = '127.0.0.2';
const MANY = Array.from({ length: 16 }, (_, index) => `a-server-with-quite-a-long-name-${index}.many.test`);

let port;
let four;
let six;
let names;
let gateway;
let peer;

before(async () => {
  port = await freePort();
  four = await TrunkServer.open({ port });
  six = await TrunkServer.open({ port, address: '::1' });
  names = await NameServer.start([
    'host-record=four.test,127.0.0.1',
    'host-record=six.test,::1',
    'host-record=both.test,127.0.0.1,::1',
    // Nothing answers at the others.
    'host-record=several.test,127.0.0.1', 'host-record=several.test,127.0.0.8', 'host-record=several.test,127.0.0.9',
    `srv-host=_sip._udp.six-first.test,six.test,${port},10,0`,
    `srv-host=_sip._udp.six-first.test,four.test,${port},20,0`,
    `srv-host=_sip._udp.weighted.test,four.test,${port},10,90`,
    `srv-host=_sip._udp.weighted.test,six.test,${port},10,10`,
    ...MANY.flatMap((name, index) => [
      `host-record=${name},127.0.0.1`,
      `srv-host=_sip._udp.many.test,${name},${port},${index},0`,
    ]),
  ]);
});

afterEach(async () => {
  peer?.close();
  peer = undefined;
  const result = await gateway?.stop();
  gateway = undefined;
  for (const server of [four, six]) {
    server.answer = () => 200;
    server.requests.length = 0;
  }
  names.mode = 'pass';
  if (result) assert.equal(result.code, 0);
});

after(() => {
  four?.close();
  six?.close();
  names?.close();
});

async function start(uri, more = 'options_interval: 0s', addresses = ['127.0.0.1', '::1']) {
  gateway = await Gateway.start({
    addresses,
    rtpPorts: 1000, // those of a call rest for a while
    trunks: `
  - { name: caller, uri: "sip:${CALLER}:9", allow: ["${CALLER}/32"], options_interval: 0s, codecs: [PCMU], max_calls_per_second: 1000 }
  - { name: carrier, uri: "${uri}", codecs: [PCMU], max_calls_per_second: 1000, ${more} }`,
    routes: `
  - { from: "trunk:caller", match: "^555", target: "trunk:carrier" }`,
    extra: `dns: { servers: ["${names.address}"] }`,
  });
  peer = await UdpPeer.open(gateway, { address: CALLER });
}

// Dials, hangs up what is answered; the final status.
async function call() {
  const sent = invite(peer, { to: '5551000' });
  peer.send(sent.text);
  const response = await peer.final(sent.callId);
  if (response.status < 300) await hangUp(peer, sent, response);
  else acknowledge(peer, sent, response);
  return response.status;
}

const located = () => until(async () => (await call()) === 200, 'a call that is answered');

describe('a name', () => {
  for (const [family, uri] of [['A', 'four.test'], ['AAAA', 'six.test']]) {
    it(`with ${family} alone is called there, and told of an address of that family`, async () => {
      await start(`sip:${uri}:${port}`);
      await located();
      const server = family === 'A' ? four : six;
      const asked = await server.nth('INVITE');
      const host = family === 'A' ? '127.0.0.1' : '[::1]';
      assert.ok(header(asked, 'via').startsWith(`SIP/2.0/UDP ${host}:${gateway.sipPort}`));
      assert.ok(header(asked, 'contact').includes(`@${host}:${gateway.sipPort}`));
      assert.match(asked.body, family === 'A' ? /^c=IN IP4 127\.0\.0\.1\r$/m : /^c=IN IP6 ::1\r$/m);
      assert.equal((family === 'A' ? six : four).count('INVITE'), 0);
    });
  }

  it('with both is called by IPv6 first', async () => {
    await start(`sip:both.test:${port}`);
    await located();
    assert.equal(six.count('INVITE'), 1);
    assert.equal(four.count('INVITE'), 0);
  });

  // RFC 3263 §4.3: the next address, of the other family, in the same call [race-failover-shared]
  it('with both is called by IPv4 when IPv6 is dead, and later calls go there at once', async () => {
    six.answer = () => undefined;
    await start(`sip:both.test:${port}`, 'options_interval: 0s, target_timeout: 500ms');
    await located();
    const [silent, answered] = [await six.nth('INVITE'), await four.nth('INVITE')];
    assert.equal(header(answered, 'call-id'), header(silent, 'call-id'));
    assert.match(silent.body, /^c=IN IP6 ::1\r$/m);
    assert.match(answered.body, /^c=IN IP4 127\.0\.0\.1\r$/m);
    assert.ok(header(answered, 'contact').includes('@127.0.0.1:'));
    for (let count = 0; count < 5; count += 1) assert.equal(await call(), 200);
    assert.equal(four.count('INVITE'), 6);
    assert.equal(new Set(six.requests.filter(({ method }) => method === 'INVITE').map((one) => header(one, 'call-id'))).size, 1);
  });

  it('with both is called by IPv6 when IPv4 is dead', async () => {
    four.answer = () => undefined;
    await start(`sip:both.test:${port}`, 'options_interval: 0s, target_timeout: 500ms');
    await located();
    assert.equal(six.count('INVITE'), 1);
  });

  it('with both is called by the family that the gateway has', async () => {
    await start(`sip:both.test:${port}`, 'options_interval: 0s', ['127.0.0.1']);
    await located();
    assert.equal(four.count('INVITE'), 1);
    assert.equal(six.count('INVITE'), 0);
  });

  // RFC 3263 §4.3: every address of a host is tried, and none is lost to the calls of others [race-failover-shared]
  it('with addresses of which most are dead is called at the one that lives', async () => {
    await start(`sip:several.test:${port}`, 'options_interval: 0s, target_timeout: 500ms');
    await located();
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => {
      const caller = await UdpPeer.open(gateway, { address: CALLER });
      const sent = invite(caller, { to: '5551000' });
      caller.send(sent.text);
      const response = await caller.final(sent.callId);
      if (response.status < 300) await hangUp(caller, sent, response);
      caller.close();
      return response.status;
    }));
    assert.deepEqual(new Set(statuses), new Set([200]));
    // Where everything has failed, everything is tried again.
    four.answer = () => 503;
    assert.ok((await call()) >= 500);
    four.answer = () => 200;
    assert.equal(await call(), 200);
  });
});

describe('servers', () => {
  it('of several families are called in the order of their records', async () => {
    await start('sip:six-first.test;transport=udp');
    await located();
    assert.equal(six.count('INVITE'), 1);
    six.answer = () => 503;
    assert.equal(await call(), 200);
    assert.equal(four.count('INVITE'), 1);
  });

  it('are called by their weights, whatever their family', async () => {
    await start('sip:weighted.test;transport=udp');
    await located();
    for (let count = 0; count < 60; count += 1) assert.equal(await call(), 200);
    assert.ok(four.count('INVITE') > six.count('INVITE'), `${four.count('INVITE')} to ${six.count('INVITE')}`);
    assert.equal(four.count('INVITE') + six.count('INVITE'), 61);
  });

  it('too many for a datagram are found by TCP', async () => {
    await start('sip:many.test;transport=udp');
    const before = names.overTcp;
    await located();
    assert.ok(names.overTcp >= before);
    assert.equal(four.count('INVITE'), 1);
  });

  it('of which the name server says that the answer is cut off are found by TCP', async () => {
    names.mode = 'truncated';
    const before = names.overTcp;
    await start('sip:six-first.test;transport=udp');
    await located();
    assert.ok(names.overTcp > before);
    assert.equal(six.count('INVITE'), 1);
  });
});

describe('a name server', () => {
  for (const mode of ['silent', 'broken', 'garbage', 4000]) {
    // RFC 3263 §4.3: what is known is used, though the rest is not there yet [dns-failures]
    it(`that is ${mode} about AAAA does not keep the gateway from A`, async () => {
      names.mode = (type) => (type === 'AAAA' ? mode : 'pass');
      await start(`sip:four.test:${port}`);
      await located();
      assert.equal(four.count('INVITE'), 1);
    });

    it(`that becomes ${mode} takes nothing away`, async () => {
      await start(`sip:both.test:${port}`);
      await located();
      names.mode = mode;
      const before = names.queries;
      await until(() => names.queries > before, 'a question while it is so');
      for (let count = 0; count < 3; count += 1) assert.equal(await call(), 200);
      assert.equal(six.count('INVITE'), 4);
    });
  }

  // RFC 3263 §4.3: a call does not wait for DNS [dns-failures]
  it('that says nothing holds no call up: it is refused at once, or goes to another trunk', async () => {
    names.mode = 'silent';
    await start('sip:ordered.test');
    assert.equal(await call(), 500);
    assert.ok(names.queries > 0);
  });
});
