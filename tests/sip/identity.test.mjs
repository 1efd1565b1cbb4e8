// Who calls, who may know it, and what else crosses: identity, privacy, numbers, diversions and header fields of trunks.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { OFFER, RawBrowser, textOf } from '../peers/raw_browser.mjs';
import { acknowledge, invite, UdpPeer } from '../peers/raw_sip.mjs';
import { header } from '../peers/sip_message.mjs';
import { TrunkServer } from '../peers/trunk_server.mjs';
import { until } from '../peers/until.mjs';

const NUMBER = '+4930123456';

let gateway;
let alice;
const servers = {};
const callers = {};

// Each trunk has its server, and calls from an address of its own.
const ADDRESSES = { open: '127.0.0.2', trusted: '127.0.0.3', rules: '127.0.0.4' };

before(async () => {
  for (const name of Object.keys(ADDRESSES)) servers[name] = await TrunkServer.open({ answer: () => 486 });
  const trunk = (name, more) => `
  - name: ${name}
    uri: "sip:127.0.0.1:${servers[name].port}"
    allow: ["${ADDRESSES[name]}/32", "127.0.0.1:${servers[name].port}"]
    codecs: [PCMU]
    options_interval: 0s
    max_calls_per_second: 1000
${more}`;
  gateway = await Gateway.start({
    users: `  - { name: alice, password: secret-a, numbers: ["${NUMBER}", "+4930123457"] }`,
    trunks:
      trunk('open', '    headers: { to_trunk: [X-Account, Subject, "X-Fuzz*"], from_trunk: [X-Answer, Alert-Info] }\n    max_redirects: 1') +
      trunk('trusted', '    identity: trusted\n    diversion: both\n    max_redirects: 1') +
      trunk('rules', `    number_form: phone
    rewrite:
      to_trunk: { called: [{ match: "^00", replace: "+" }], calling: [{ match: "^\\\\+49([0-9]+)$", replace: "0\\\\1" }] }
      from_trunk: { called: [{ match: "^\\\\+4930(1[0-9]{3})$", replace: "\\\\1" }], calling: [{ match: "^0([1-9])", replace: "+49\\\\1" }] }`),
    routes: `
  - { from: user, match: "^1", target: "trunk:open" }
  - { from: user, match: "^2", target: "trunk:trusted" }
  - { from: user, match: "^00", target: "trunk:rules" }
  - { from: any, match: "^1001$", target: "user:alice" }`,
  });
  alice = await RawBrowser.open(gateway);
  for (const [name, address] of Object.entries(ADDRESSES)) callers[name] = await UdpPeer.open(gateway, { address });
});

afterEach(async () => {
  for (const server of Object.values(servers)) {
    server.answer = () => 486;
    server.requests.length = 0;
  }
  alice.socket.messages.length = 0;
  await gateway.idle();
});

after(async () => {
  alice?.close();
  for (const peer of [...Object.values(servers), ...Object.values(callers)]) peer.close();
  assert.equal((await gateway?.stop())?.code, 0);
});

// Alice calls by a trunk, which refuses: the INVITE that it got, and the refusal that she gets.
async function dial(name, headers = {}, number = { open: '1555', trusted: '2555', rules: '0033555' }[name]) {
  const sent = await alice.call(number, headers);
  const response = await alice.socket.final(sent.callId);
  acknowledge(alice.socket, sent, response);
  return { invite: await servers[name].nth('INVITE'), response };
}

// A trunk calls alice, who refuses: the INVITE that she got.
async function ring(name, options = {}, answer = []) {
  const sent = invite(callers[name], { to: '1001', ...options });
  callers[name].send(sent.text);
  const incoming = await alice.called();
  alice.respond(incoming, 486, answer);
  const response = await callers[name].final(sent.callId);
  acknowledge(callers[name], sent, response);
  return { invite: incoming, response };
}

describe('an identity', () => {
  for (const name of ['open', 'trusted']) {
    // RFC 3325 §5: what a browser asserts of itself never reaches a trunk [asserted-identity]
    it(`that a page makes up never reaches the trunk that is ${name}`, async () => {
      const { invite: got } = await dial(name, {
        'P-Asserted-Identity': '<sip:+15559999@example.test>, <tel:+15559999>',
        'p-asserted-identity': '"x" <sip:+15559999@example.test>',
        'P-Preferred-Identity': '<sip:+15559999@example.test>',
        'Remote-Party-ID': '<sip:+15559999@example.test>;party=calling',
        Diversion: '<sip:+15559999@example.test>;reason=unconditional',
        'History-Info': '<sip:+15559999@example.test>;index=1',
      });
      assert.doesNotMatch(textOf(got), /5559999/);
      assert.match(header(got, 'from'), /<sip:\+4930123456@example\.test>/);
      assert.equal(header(got, 'p-asserted-identity'), name === 'open' ? undefined : `<sip:${NUMBER}@example.test>`);
    });
  }

  it('of a number of her own may be preferred', async () => {
    const { invite: got } = await dial('trusted', { 'P-Preferred-Identity': '<sip:+4930123457@example.test>' });
    assert.equal(header(got, 'p-asserted-identity'), '<sip:+4930123457@example.test>');
  });

  for (const [name, number] of [['open', 'raw'], ['trusted', '+15550002']]) {
    // RFC 3325 §5: of a trunk it counts only where that is trusted [asserted-identity]
    it(`that the trunk asserts which is ${name} shows ${number}`, async () => {
      const { invite: got } = await ring(name, { headers: { 'P-Asserted-Identity': '<sip:+15550002@carrier.test>' } });
      assert.match(header(got, 'from'), new RegExp(`<sip:${number.replace('+', '\\+')}@example\\.test>`));
      assert.equal(header(got, 'p-asserted-identity'), undefined);
    });
  }
});

describe('an anonymous call', () => {
  const wishes = {
    'by Privacy: id': { Privacy: 'ID' },
    'by Privacy: user;critical': { Privacy: 'user;header;session;critical' },
    'as JsSIP makes it': {
      From: '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=j', 'P-Preferred-Identity': '<sip:alice@example.test>', Privacy: 'id',
    },
  };

  for (const [what, wish] of Object.entries(wishes)) {
    // RFC 3323 §4.2: nothing of an anonymous caller reaches a peer that is not trusted [privacy]
    // RFC 3323 §4.2: nor does its number in From [race-privacy-from]
    it(`${what} leaks nothing`, async () => {
      const { invite: got } = await dial('open', { ...wish, Subject: 'of alice', 'X-Account': `account of ${NUMBER}`, 'User-Agent': 'page of alice' });
      assert.match(header(got, 'from'), /^"Anonymous" <sip:anonymous@anonymous\.invalid>;tag=/);
      const text = textOf(got);
      assert.doesNotMatch(text, /alice/i);
      assert.doesNotMatch(text, /4930123|30123456/);
      assert.doesNotMatch(text, new RegExp(alice.socket.address));
      assert.equal(header(got, 'privacy'), undefined);
    });

    it(`${what} tells a trusted trunk who calls`, async () => {
      const { invite: got } = await dial('trusted', wish);
      assert.match(header(got, 'from'), /anonymous\.invalid/);
      assert.equal(header(got, 'p-asserted-identity'), `<sip:${NUMBER}@example.test>`);
      assert.match(header(got, 'privacy'), /^id(;|$)/);
    });
  }

  it('of a trunk shows the page nothing', async () => {
    const { invite: got } = await ring('trusted', {
      headers: { From: '"Caller" <sip:+15550001@carrier.test>;tag=c', Privacy: 'id', 'P-Asserted-Identity': '"Caller" <sip:+15550001@carrier.test>' },
    });
    assert.match(header(got, 'from'), /^"Anonymous" <sip:anonymous@anonymous\.invalid>/);
    assert.doesNotMatch(textOf(got), /15550001|Caller/);
  });

  // RFC 3323 §5: privacy that is critical and can't be given is refused with 500 [privacy]
  it('that asks for more than there is is refused with 500', async () => {
    const sent = await alice.call('1555', { Privacy: 'id;shield;critical' });
    const response = await alice.socket.final(sent.callId);
    acknowledge(alice.socket, sent, response);
    assert.equal(response.status, 500);
    assert.match(response.reason, /shield/);
    assert.equal(servers.open.count('INVITE'), 0);
  });
});

describe('numbers', () => {
  it('towards a trunk follow its rules and its form', async () => {
    const { invite: got } = await dial('rules');
    assert.equal(got.uri, `sip:+33555@127.0.0.1:${servers.rules.port};user=phone`);
    assert.match(header(got, 'from'), /<sip:030123456@example\.test;user=phone>/);
  });

  it('from a trunk follow its rules before the routes', async () => {
    const { invite: got } = await ring('rules', {
      uri: `sip:+49-30-1001@127.0.0.1:${gateway.sipPort};user=phone`, headers: { From: '<sip:030-99@carrier.test;user=phone>;tag=c' },
    });
    assert.match(header(got, 'from'), /<sip:\+493099@example\.test>/);
  });

  it('may be telephone URIs', async () => {
    await ring('rules', { uri: 'tel:+49-30-1001' });
  });
});

describe('a call that is sent on by 302', () => {
  const redirected = async (name) => {
    let times = 0;
    servers[name].answer = () => (times++ === 0 ? 302 : 486);
    await dial(name);
    return servers[name].nth('INVITE', 2);
  };

  // RFC 5806 §5: tells who has sent it on [history-info]
  // RFC 7044 §5: and where it was [history-info]
  it('tells a trunk that wants to know', async () => {
    const got = await redirected('trusted');
    assert.deepEqual(got.headers.diversion, ['<sip:2555@example.test>;reason=unconditional']);
    assert.deepEqual(got.headers['history-info'], [
      '<sip:2555@example.test>;index=1',
      '<sip:2555@example.test?Reason=SIP%3Bcause%3D302>;index=1.1;np=1',
      `<sip:carrier@127.0.0.1:${servers.trusted.port};cause=302>;index=1.2;mp=1.1`,
    ]);
  });

  it('tells no other', async () => {
    const got = await redirected('open');
    assert.equal(got.headers.diversion, undefined);
    assert.equal(got.headers['history-info'], undefined);
  });
});

describe('header fields', () => {
  it('cross towards the trunk if it lists them', async () => {
    const { invite: got } = await dial('open', { 'X-Account': '7', Subject: 'hello', 'X-Other': '8', 'Alert-Info': '<http://a.test>', 'X-Answer': '9' });
    assert.equal(header(got, 'x-account'), '7');
    assert.equal(header(got, 'subject'), 'hello');
    for (const name of ['x-other', 'alert-info', 'x-answer']) assert.equal(header(got, name), undefined, name);
  });

  it('cross from the trunk if it lists them', async () => {
    const { invite: got } = await ring('open', { headers: { 'X-Answer': '1', 'Alert-Info': '<http://a.test>', 'X-Account': '7', 'X-Other': '8' } });
    assert.equal(header(got, 'x-answer'), '1');
    assert.equal(header(got, 'alert-info'), '<http://a.test>');
    for (const name of ['x-account', 'x-other']) assert.equal(header(got, name), undefined, name);
  });

  it('cross back with the answer by the same lists', async () => {
    const { response } = await ring('open', {}, [['X-Account', '7'], ['X-Other', '8']]);
    assert.equal(response.status, 486);
    assert.equal(header(response, 'x-account'), '7');
    assert.equal(header(response, 'x-other'), undefined);
  });

  it('that are too long stay, and are counted', async () => {
    const left = () => gateway.metric('trunkline_header_fields_left_out_total');
    const before = await left();
    const { invite: got } = await dial('open', { 'X-Account': 'a'.repeat(1025) });
    assert.equal(header(got, 'x-account'), undefined);
    assert.equal((await left()) - before, 1);
  });

  // Values that try to become header fields, messages or bodies of their own.
  it('are never more than one field, whatever is in them', async () => {
    const nasty = [
      'a\r\n X-Injected: 1', 'a\r\n\tX-Injected: 1', 'a\rX-Injected: 1', 'a\nX-Injected: 1', '"a\\\r\n X-Injected: 1"', 'a\0b', '\xff\xfe',
      'a%0d%0aX-Injected: 1', 'ä\u2028X-Injected: 1', '<>;,"', '"'.repeat(99), '\\'.repeat(99), ';'.repeat(1000), ' ', '\t',
      ...Array.from({ length: 25 }, () => randomBytes(40).toString('latin1').replace(/\r\n(?![ \t])/g, '')),
    ];
    let answered = 0;
    for (const value of nasty) {
      const sent = await alice.sign('INVITE', { uri: 'sip:1555@example.test', headers: { 'X-Fuzz-Value': value, Subject: value }, body: OFFER });
      alice.send(sent);
      const response = await alice.socket.final(sent.callId);
      acknowledge(alice.socket, sent, response);
      assert.ok([400, 486].includes(response.status), `${JSON.stringify(value)} got ${response.status}`);
      if (response.status === 486) answered += 1;
      for (const got of servers.open.requests) {
        assert.equal(got.headers['x-injected'], undefined, JSON.stringify(value));
        assert.ok((got.headers['x-fuzz-value'] ?? []).length <= 1);
        assert.doesNotMatch(textOf(got).replaceAll('\n', ''), /[\0\x01-\x08\x0e-\x1f\x7f]/, JSON.stringify(value));
      }
      servers.open.requests.length = 0;
    }
    assert.ok(answered > 5, 'most are harmless');
  });
});

describe('Session-ID', () => {
  const uuid = () => {
    const digits = randomBytes(16).toString('hex');
    return `${digits.slice(0, 12)}4${digits.slice(13)}`;
  };

  // RFC 7989 §6: crosses with the sides exchanged, and stands in the log [session-id]
  it('crosses the call and stands in the log', async () => {
    const mine = uuid();
    const theirs = uuid();
    servers.open.answer = () => [];
    const sent = await alice.call('1555', { 'Session-ID': `${mine};remote=${'0'.repeat(32)}` });
    const got = await servers.open.nth('INVITE');
    assert.equal(header(got, 'session-id'), `${mine};remote=${'0'.repeat(32)}`);
    servers.open.respond(got, 486, { headers: [['Session-ID', `${theirs};remote=${mine}`]] });
    const response = await alice.socket.final(sent.callId);
    acknowledge(alice.socket, sent, response);
    assert.equal(header(response, 'session-id'), `${theirs};remote=${mine}`);
    await until(() => gateway.logLines().some(({ session_id: id }) => id === `${mine};remote=${theirs}`), 'a log line with the Session-ID');
  });
});
