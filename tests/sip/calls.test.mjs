// Calls between a browser and a trunk whose peer does what real ones do at bad moments.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { header, tagOf } from '../peers/sip_message.mjs';
import { ringAndAnswer, Stage, TRUNK } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

let stage;
let gateway;
let carrier;
let alice;

before(async () => {
  stage = await Stage.open({ routes: null, trunkExtra: '    username: gw\n    password: secret-t\n' });
  ({ gateway, carrier, alice } = stage);
});

afterEach(async () => {
  carrier.loses = () => false;
  await stage.idle();
});
after(() => stage?.close());

async function dialled(behaviour, number = '5551000') {
  const arrived = stage.arrival(behaviour);
  const call = alice.call(number);
  return [call, await arrived];
}

async function talking() {
  const [call, peer] = await stage.dials();
  await alice.talks(call, peer);
  return [call, peer];
}

// A call from the trunk that the browser answers.
async function received() {
  const [call, peer] = await stage.received();
  await alice.talks(call, peer);
  return [call, peer];
}

describe('an answered call', () => {
  it('is ended by the browser', async () => {
    const [call, peer] = await talking();
    await alice.hangsUp(call, peer);
  });

  it('is ended by the trunk', async () => {
    const [call, peer] = await received();
    peer.bye();
    await alice.event('ended', { call });
    await until(() => peer.replies.some(({ method, status }) => method === 'BYE' && status === 200), '200 to the BYE');
  });

  it('is ended by both at once', async () => {
    const [call, peer] = await talking();
    peer.bye();
    alice.hangup(call);
    await alice.event('ended', { call });
    await until(() => peer.replies.length > 0, 'an answer to the BYE');
    assert.ok([200, 481].includes(peer.replies[0].status), `BYE answered with ${peer.replies[0].status}`);
  });

  it('survives a trunk that doubles every message', async () => {
    const [call, peer] = await dialled(async (ringing) => {
      ringing.ring();
      ringing.ring();
      ringing.sendAnswer();
      await ringing.answer(TRUNK);
    });
    await alice.event('answered', { call });
    await alice.talks(call, peer);
    assert.equal(alice.has('answered', { call }), false, 'answered once');
    await alice.hangsUp(call, peer);
  });

  // RFC 7092 §3.2: a trunk sees nothing of the browser [own-dialogs]
  // RFC 3261 §8.1.1.7: and one Via [one-via-per-leg]
  it('shows the trunk nothing of the browser', async () => {
    const [call, peer] = await talking();
    const text = JSON.stringify(peer.invite);
    assert.doesNotMatch(text, /\.invalid|candidate|fingerprint|ice-|SAVP|transport=ws/i);
    assert.equal(peer.invite.headers.via.length, 1);
    await alice.hangsUp(call, peer);
  });
});

describe('the ACK of a 200', () => {
  // RFC 3261 §13.2.2.4: five copies of a 2xx get five ACKs [race-ack-per-copy]
  it('is sent for each copy of it', async () => {
    const [call, peer] = await dialled(async (ringing) => {
      ringing.answered = true;
      ringing.sendAnswer();
      for (let copies = 1; copies <= 5; copies += 1) {
        await until(() => ringing.acks.length === copies, `${copies} ACKs`);
        if (copies < 5) ringing.sendAnswer();
      }
    });
    await alice.event('answered', { call });
    await until(() => peer.acks.length === 5, '5 ACKs');
    assert.equal(new Set(peer.acks.map((ack) => header(ack, 'cseq'))).size, 1);
    await alice.hangsUp(call, peer);
    assert.equal(peer.acks.length, 5);
  });

  // RFC 3261 §13.2.2.4: each fork gets its ACK, the second a BYE [forked-2xx]
  // RFC 3261 §13.2.2.4: two answers: ACK both, end one [race-two-answers]
  it('goes to each fork, and the second one is ended', async () => {
    const byes = [];
    const [call, peer] = await dialled(ringAndAnswer);
    await alice.event('answered', { call });
    const original = peer.request.bind(peer);
    peer.request = (message, from) => {
      if (message.method === 'BYE' && tagOf(header(message, 'to')) === 'other-fork') {
        byes.push(message);
        return carrier.reply(message, from, 200, 'OK');
      }
      return original(message, from);
    };
    peer.sendAnswer('other-fork');
    await until(() => peer.acks.some((ack) => tagOf(header(ack, 'to')) === 'other-fork'), 'ACK to the second fork');
    await until(() => byes.length > 0, 'BYE to the second fork');
    await alice.talks(call, peer);
    assert.equal(peer.ended, undefined);
    alice.hangup(call);
    await until(() => peer.ended, 'BYE to the first fork');
  });
});

describe('lost messages', () => {
  const losing = (way, pattern, times) => {
    let left = times;
    carrier.loses = (start, direction) => direction === way && pattern.test(start) && left-- > 0;
  };

  for (const [what, way, pattern] of [
    ['the INVITE, twice', 'in', /^INVITE/],
    ['the 200, twice', 'out', /^SIP\/2\.0 200/],
    ['the ACK, twice', 'in', /^ACK/],
  ]) {
    // RFC 3261 §17.1.1.2: lost messages are sent again [invite-retransmission]
    it(`a call out outlives the loss of ${what}`, async () => {
      losing(way, pattern, 2);
      const [call, peer] = await dialled(ringAndAnswer);
      await alice.event('answered', { call });
      await alice.talks(call, peer);
      await alice.hangsUp(call, peer);
    });
  }

  it('a BYE that is lost twice still comes', async () => {
    const [call, peer] = await talking();
    losing('in', /^BYE/, 2);
    await alice.hangsUp(call, peer);
  });

  it('a CANCEL that is lost twice still comes', async () => {
    const [call, peer] = await dialled((ringing) => ringing.ring());
    await alice.event('ringing', { call });
    losing('in', /^CANCEL/, 2);
    alice.hangup(call);
    await until(() => peer.cancelled, 'CANCEL at the trunk');
  });
});

describe('CANCEL', () => {
  it('reaches a trunk that has said 100 and no more', async () => {
    const [call, peer] = await dialled(() => {});
    alice.hangup(call);
    await until(() => peer.cancelled, 'CANCEL at the trunk');
    assert.equal((await alice.event('failed', { call })).status, 487);
  });

  // RFC 3261 §9.1: CANCEL waits, the caller does not [race-cancel-before-1xx]
  it('is held back until the trunk has said anything', async () => {
    let trunkSilent = true;
    carrier.loses = (start, way) => trunkSilent && way === 'out';
    const [call, peer] = await dialled(() => {});
    alice.hangup(call);
    await alice.event('failed', { call });
    assert.equal(peer.cancelled, undefined);
    trunkSilent = false;
    peer.ring();
    await until(() => peer.cancelled, 'CANCEL at the trunk');
  });

  // RFC 3261 §9.1: CANCEL reaches who rings [race-cancel-while-ringing]
  it('reaches a ringing trunk', async () => {
    const [call, peer] = await dialled((ringing) => ringing.ring());
    await alice.event('ringing', { call, status: 180 });
    alice.hangup(call);
    await until(() => peer.cancelled, 'CANCEL at the trunk');
    assert.equal((await alice.event('failed', { call })).status, 487);
  });

  // RFC 3261 §9.1: a 200 that crosses our CANCEL gets ACK and BYE [race-cancel-crosses-200]
  it('that crosses the answer ends the call on both sides', async () => {
    const [call, peer] = await dialled((ringing) => ringing.ring());
    await alice.event('ringing', { call });
    peer.answered = true; // a CANCEL that comes now is too late
    alice.hangup(call);
    await until(() => peer.cancelled, 'CANCEL at the trunk');
    peer.sendAnswer();
    await until(() => peer.acks.length > 0, 'ACK of the late answer');
    await until(() => peer.ended, 'BYE after the late answer');
  });

  // RFC 3261 §9.2: CANCEL gets 200, its INVITE 487 [cancel-answered]
  it('from the trunk stops the browser ringing', async () => {
    const peer = await carrier.call('1001');
    const { call } = await alice.event('incoming');
    await until(() => peer.provisionals.includes(180), '180 at the trunk');
    peer.cancel();
    assert.equal(await peer.final(), 487);
    await alice.event('ended', { call });
    await until(() => peer.replies.some(({ method, status }) => method === 'CANCEL' && status === 200), '200 to the CANCEL');
  });

  it('from the trunk may come right behind the INVITE', async () => {
    const peer = await carrier.call('1001');
    peer.cancel();
    assert.equal(await peer.final(), 487);
    const { call } = await alice.event('incoming');
    await alice.event('ended', { call });
  });

  // RFC 3261 §9.2: a CANCEL of nothing gets 481 [cancel-unknown]
  it('of a call that nobody knows is answered with 481', async () => {
    const peer = await carrier.call('1001');
    const { call } = await alice.event('incoming');
    alice.reject(call, 486);
    assert.equal(await peer.final(), 486);
    peer.inviteVia = peer.inviteVia.replace('z9hG4bK', 'z9hG4bKother');
    peer.cancel();
    await until(() => peer.replies.some(({ method, status }) => method === 'CANCEL' && status === 481), '481 to the CANCEL');
  });
});

describe('refusals', () => {
  for (const [sent, relayed] of [[486, 486], [404, 404], [480, 480], [603, 603], [503, 500], [500, 500], [488, 488], [302, 480], [407, 403]]) {
    it(`${sent} of the trunk is ${relayed} for the browser`, async () => {
      const [call] = await dialled((ringing) => ringing.reject(sent));
      assert.equal((await alice.event('failed', { call })).status, relayed);
    });
  }

  for (const status of [486, 404, 603, 480]) {
    it(`${status} of the browser is ${status} for the trunk`, async () => {
      const peer = await carrier.call('1001');
      alice.reject((await alice.event('incoming')).call, status);
      assert.equal(await peer.final(), status);
    });
  }

  it('a user without a browser is 480, an unknown number 404', async () => {
    const bob = await carrier.call('1002');
    assert.equal(await bob.final(), 480);
    const nobody = await carrier.call('999');
    assert.equal(await nobody.final(), 404);
  });
});

describe('a challenge of the trunk', () => {
  const md5 = (text) => createHash('md5').update(text).digest('hex');

  for (const status of [401, 407]) {
    // RFC 3261 §22.2: the next CSeq, the same From tag, a new branch [challenge-retry]
    // RFC 3261 §8.1.1.7: what is sent again has a new branch [branch-unique]
    it(`(${status}) is answered with right credentials`, async () => {
      let first;
      const [call, peer] = await dialled(async (ringing) => {
        first = ringing.invite;
        await ringing.challenge(status, 'Digest realm="carrier.test", nonce="5a17", qop="auth", algorithm=MD5');
        await ringAndAnswer(ringing);
      });
      await alice.event('answered', { call });
      const credentials = header(peer.invite, status === 401 ? 'authorization' : 'proxy-authorization');
      const field = (name) => new RegExp(`\\b${name}="?([^",]+)"?`).exec(credentials)?.[1];
      const ha1 = md5('gw:carrier.test:secret-t');
      const ha2 = md5(`INVITE:${field('uri')}`);
      assert.equal(field('username'), 'gw');
      assert.equal(field('uri'), peer.invite.uri);
      assert.equal(field('response'), md5(`${ha1}:5a17:${field('nc')}:${field('cnonce')}:auth:${ha2}`));
      assert.equal(parseInt(header(peer.invite, 'cseq'), 10), parseInt(header(first, 'cseq'), 10) + 1);
      assert.equal(tagOf(header(peer.invite, 'from')), tagOf(header(first, 'from')));
      assert.notEqual(header(peer.invite, 'via'), header(first, 'via'));
      await alice.hangsUp(call, peer);
    });
  }
});

describe('re-INVITE', () => {
  it('from the trunk holds and resumes', async () => {
    const [call, peer] = await received();
    assert.equal(await peer.reinvite('sendonly'), 200);
    assert.match(peer.answerSdp, /a=(recvonly|inactive)/);
    await alice.event('held', { call });
    assert.equal(await peer.reinvite('sendrecv'), 200);
    assert.match(peer.answerSdp, /a=sendrecv/);
    await alice.event('resumed', { call });
    await alice.talks(call, peer);
    peer.bye();
    await alice.event('ended', { call });
  });

  // RFC 3261 §14.2: a re-INVITE without an offer gets one [offerless-reinvite]
  it('without an offer gets one', async () => {
    const [call, peer] = await received();
    peer.acknowledges = false;
    peer.sendRequest('INVITE');
    await until(() => peer.reinviteStatus, 'answer to the re-INVITE');
    assert.equal(peer.reinviteStatus, 200);
    assert.match(peer.answerSdp, /m=audio/);
    peer.acknowledges = true;
    peer.acknowledge(peer.finalResponse, peer.sdp());
    await alice.talks(call, peer);
    peer.bye();
    await alice.event('ended', { call });
  });

  // RFC 3261 §14.1: a refused re-INVITE hangs up no call [race-refused-reinvite]
  // RFC 3261 §14.1: the session is as before [reinvite-refused]
  it('refused by the browser leaves the call as it was', async () => {
    const [call, peer] = await talking();
    peer.direction = 'sendrecv';
    peer.version += 1;
    peer.sendRequest('INVITE', [...peer.contact(), ['Content-Type', 'application/sdp']], peer.sdp().replace(/RTP\/AVP 0 \d+/, 'RTP/AVP 18').replace(/a=rtpmap.*\r\n/g, ''));
    await until(() => peer.reinviteStatus, 'answer to the re-INVITE');
    assert.equal(peer.reinviteStatus, 488);
    await alice.talks(call, peer);
    await alice.hangsUp(call, peer);
  });

  it('glare: both sides offer at once', async () => {
    const [call, peer] = await talking();
    alice.do('hold', { call });
    const status = await peer.reinvite('sendrecv');
    assert.ok([200, 491, 500].includes(status), `re-INVITE answered with ${status}`);
    await alice.hangsUp(call, peer);
  });
});

describe('registration', () => {
  it('with a wrong password is refused', async () => {
    const mallory = await SyntheticBrowser.open(gateway, 'bob', { password: 'wrong', register: false });
    mallory.do('register');
    assert.equal((await mallory.event('register_failed')).status, 401);
    await mallory.close();
  });

  // RFC 5626 §5.3: a flow that is gone makes the user unavailable [flow-only]
  it('is lost with the connection, and the caller is told 480', async () => {
    const bob = await SyntheticBrowser.open(gateway, 'bob');
    bob.do('drop');
    await bob.event('disconnected');
    await until(async () => (await gateway.metric('trunkline_registrations')) === 1, 'only alice registered');
    const peer = await carrier.call('1002');
    assert.equal(await peer.final(), 480);
    await bob.close();
  });

  // RFC 3261 §13.2.2.4: one answer ends the ringing of others
  it('two devices ring, the second is told that the call is taken', async () => {
    const other = await SyntheticBrowser.open(gateway);
    const peer = await carrier.call('1001');
    const { call } = await alice.event('incoming');
    const there = await other.event('incoming');
    peer.rtp.play(TRUNK);
    alice.answer(call);
    await other.event('ended', { call: there.call });
    await alice.talks(call, peer);
    peer.bye();
    await alice.event('ended', { call });
    await other.close();
  });
});

describe('digits', () => {
  // RFC 4733 §2.2: events cross both ways [events-mapped]
  it('cross in both directions, as events and as INFO', async () => {
    const [call, peer] = await talking();
    alice.do('digit', { call, digit: '5', by: 'rtp' });
    await until(() => peer.rtp.digits.join('') === '5', '5 at the trunk');
    alice.do('digit', { call, digit: '9', by: 'info' });
    await until(() => peer.rtp.digits.join('') === '59', '9 at the trunk');
    peer.info('7');
    const { digit } = await alice.event('digit', { call });
    assert.match(digit, /^(Signal=)?7/);
    await alice.hangsUp(call, peer);
  });

  // RFC 4733 §2.5.1.2: what an event is says its timestamp, also where the marker bit never came
  it('come from a trunk with and without the marker bit, each once', async () => {
    const [call, peer] = await talking();
    for (const [digit, marker] of [['1', true], ['2', false], ['2', false], ['#', false]]) {
      peer.rtp.sendDigit(digit, { marker });
      await alice.event('digit', { call, digit });
    }
    await alice.talks(call, peer);
    assert.ok(!alice.has('digit', { call }));
    await alice.hangsUp(call, peer);
  });
});
