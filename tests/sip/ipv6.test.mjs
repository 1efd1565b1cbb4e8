// IPv6 on every listener: the messages of RFC 5118 sent to the program, SIPp as the trunk's peer, the API and the metrics.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { build, Gateway, repository } from '../peers/gateway.mjs';
import { freePort } from '../peers/ports.mjs';
import { hangUp, invite, request, TcpPeer, UdpPeer } from '../peers/raw_sip.mjs';
import { header, parse } from '../peers/sip_message.mjs';
import { Sipp } from '../peers/sipp.mjs';
import { Stage } from '../peers/stage.mjs';

const SIX = '::1';
const corpus = join(repository, 'tests/corpus/rfc5118');
const rows = readFileSync(join(corpus, 'expected.tsv'), 'utf8').split('\n')
  .filter((line) => line.includes('.dat\t'))
  .map((line) => line.split('\t'))
  .map(([file, section, status, why]) => ({ file, section, status: Number(status), why }));

const routes = `
  - { from: user, match: "^[0-9]{3,15}$", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^1001$", target: "user:alice" }
  - { from: any, match: "^(echo|user)$", target: "service:echo" }`;

describe('the messages of RFC 5118', () => {
  let gateway;
  let exchanges = 0;

  before(async () => (gateway = await Gateway.start({ addresses: [SIX, '127.0.0.1'], routes })));
  after(async () => assert.equal((await gateway?.stop())?.code, 0));

  // The answer to a message of the corpus, and what the peer and the message were. By UDP the peer wants it back where it
  // is (RFC 3581), for it is not at the address that the message names.
  const exchange = async (transport, file) => {
    let text = readFileSync(join(corpus, file), 'latin1');
    if (transport === 'UDP') text = text.replaceAll('SIP/2.0/TCP', 'SIP/2.0/UDP').replace(/^Via: .*$/m, '$&;rport');
    exchanges += 1; // each is a transaction of its own
    text = text.replace('Call-ID: ', `$&${exchanges}-`).replace('branch=z9hG4bK', `$&${exchanges}`);
    const peer = await (transport === 'UDP' ? UdpPeer : TcpPeer).open(gateway, { address: SIX });
    peer.send(text);
    const { headers } = parse(text);
    const answer = await peer.final(headers['call-id'][0]);
    return { peer, text, headers, answer };
  };

  for (const transport of ['UDP', 'TCP']) {
    for (const { file, section, status, why } of rows) {
      // RFC 5118 §4: each message gets the answer that it describes [ipv6-messages]
      it(`§${section} ${file} over ${transport} gets ${status}: ${why}`, async () => {
        const { peer, text, headers, answer } = await exchange(transport, file);
        assert.equal(answer.status, status);
        assert.equal(answer.headers.via.length, headers.via.length);
        assert.deepEqual(answer.headers.via.slice(1), headers.via.slice(1), 'the other hops come back as they were');
        assert.match(answer.headers.via[0], /;received=::1(;|$)/, 'where it came from stands without brackets');
        if (headers.cseq[0].endsWith('INVITE')) {
          const sent = { callId: headers['call-id'][0], text };
          assert.equal((await hangUp(peer, sent, answer)).status, 200);
        }
        peer.close();
      });
    }
  }

  const described = async (file) => {
    const { peer, text, headers, answer } = await exchange('TCP', file);
    await hangUp(peer, { callId: headers['call-id'][0], text }, answer);
    peer.close();
    return answer.body;
  };

  // RFC 5118 §4.6: an offer in IPv6 is answered in IPv6 [ipv6-messages]
  it('§4.6 is answered with an address of its family', async () => {
    const body = await described('sdp.dat');
    assert.match(body, /^c=IN IP6 ::1\r$/m);
    assert.match(body, /^m=audio [1-9]\d* RTP\/AVP 0\r$/m);
    assert.match(body, /^m=video 0 /m);
  });

  // RFC 5118 §4.8: the stream that is taken decides about the family [ipv6-messages]
  it('§4.8 is answered with an address of the family of its audio', async () => {
    const body = await described('families-in-sdp.dat');
    assert.match(body, /^c=IN IP4 127\.0\.0\.1\r$/m);
    assert.match(body, /^m=video 0 /m);
  });

  // RFC 5118 §4.9: a mapped address is answered as one of IPv4 [ipv6-messages]
  it('§4.9 is answered with an address of IPv4', async () => {
    assert.match(await described('mapped.dat'), /^c=IN IP4 127\.0\.0\.1\r$/m);
  });
});

describe('a gateway on ::1 alone', () => {
  let gateway;
  let alice;
  let stage;
  const running = [];

  before(async () => {
    stage = await Stage.open({ carrier: false, addresses: [SIX], routes });
    ({ gateway, alice } = stage);
  });

  afterEach(async () => {
    for (const sipp of running.splice(0)) await sipp.close();
    await stage.idle();
  });

  after(() => stage?.close());

  for (const transport of ['udp', 'tcp']) {
    it(`is called by SIPp over ${transport.toUpperCase()}`, async () => {
      running.push(await Sipp.caller(gateway, 'uac', { transport, calls: 5, rate: 10, args: ['-d', '200'] }));
      await running[0].succeeds();
    });
  }

  it('gives SIPp its RTP back', async () => {
    const packets = (direction) => gateway.metric('trunkline_rtp_packets_total', { leg: 'sip', direction });
    const before = [await packets('in'), await packets('out')];
    running.push(await Sipp.caller(gateway, 'uac_rtp', { args: ['-d', '3000'] }));
    await running[0].succeeds();
    const received = (await packets('in')) - before[0];
    assert.ok(received >= 40, `a second of packets came, not ${received}`);
    assert.ok((await packets('out')) - before[1] >= 0.9 * received);
  });

  it('calls SIPp for a browser', async () => {
    running.push(await Sipp.callee(gateway, 'uas', { calls: 1 }));
    const call = alice.call('5551000');
    await alice.event('answered', { call });
    await alice.event('media', { call });
    alice.hangup(call);
    await running[0].succeeds();
  });

  it('writes its address in brackets into Contact, without them into the description', async () => {
    const peer = await UdpPeer.open(gateway, { address: SIX });
    const sent = invite(peer);
    peer.send(sent.text);
    const answer = await peer.final(sent.callId);
    assert.match(header(answer, 'contact'), new RegExp(`@\\[::1\\]:${gateway.sipPort};`));
    assert.match(answer.body, /^o=.* IN IP6 ::1\r$/m);
    assert.match(answer.body, /^c=IN IP6 ::1\r$/m);
    await hangUp(peer, sent, answer);
    peer.close();
  });

  it('answers its API, and says in the metrics how it is', async () => {
    const child = spawn(join(build, 'trunkline'), ['trunks', '--endpoint', gateway.grpcAddress], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    assert.equal(await new Promise((done) => child.once('exit', done)), 0);
    assert.match(said, /carrier/);
    assert.match(gateway.grpcAddress, /^\[::1\]:/);
    assert.equal((await gateway.get('/healthz')).status, 200);
  });
});

describe('allow', () => {
  it('takes a source of IPv6 by its range, or by address and port', async () => {
    const [ours, theirs] = [await freePort(), await freePort()];
    const gateway = await Gateway.start({
      addresses: [SIX],
      trunks: `
  - { name: carrier, uri: "sip:[2001:db8::9]", allow: ["[::1]:${ours}", "2001:db8::/32"], options_interval: 0s }`,
      routes,
    });
    for (const [port, status] of [[ours, 200], [theirs, 403]]) {
      const peer = await UdpPeer.open(gateway, { address: SIX, port });
      const sent = request(peer, 'OPTIONS');
      peer.send(sent.text);
      assert.equal((await peer.final(sent.callId)).status, status);
      peer.close();
    }
    assert.equal((await gateway.stop()).code, 0);
  });
});
