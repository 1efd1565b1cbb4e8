// Calls made and steered by the API between a browser and a trunk's peer.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Code } from '../peers/call_control.mjs';
import { header } from '../peers/sip_message.mjs';
import { BROWSER, ringAndAnswer, Stage, TRUNK } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

let stage;
let api;
let alice;
let carrier;
let events;

before(async () => {
  stage = await Stage.open({ rtpPorts: 1000 }); // a port rests for a while after each call
  ({ api, alice, carrier } = stage);
  events = api.watchCalls();
  await events.snapshotEnd();
});

afterEach(() => stage.clear());

after(async () => {
  events?.cancel();
  await stage?.close();
});

const ringing = (call) => call.ring();
const rejecting = (status, reason, headers) => (call) => call.reject(status, reason, headers);
const get = async (id) => (await api.must('getCall', { call_id: id })).call;
const leg = (call, name) => call.legs.find((one) => one.leg_id === name);

describe('CreateCall', () => {
  // RFC 7092 §3.2: each leg has a Call-ID of its own [own-dialogs]
  it('connects a browser with a number', async () => {
    const { id, call, number, peer } = await stage.connected();
    assert.equal(call.state, 'CALL_STATE_ANSWERED');
    assert.equal(call.from, 'user:alice');
    assert.equal(call.to, '5551000');
    assert.equal(call.trunk, 'carrier');
    assert.ok(call.answer_time);
    assert.deepEqual(call.legs.map((one) => one.leg_id), ['from', 'to']);
    assert.equal(leg(call, 'to').sip_call_id, peer.callId);
    assert.notEqual(leg(call, 'from').sip_call_id, peer.callId);
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
    await alice.event('ended', { call: number });
    const event = await events.event('ended', id);
    assert.equal(event.call.end.sip_code, 200);
    assert.equal(event.call.end.ended_by, 'ENDED_BY_API');
    assert.equal(event.call.end.fault, 'FAULT_SUCCESS');
    assert.equal(event.call.end.status.code, 0);
  });

  it('connects a number with a browser', async () => {
    const arrival = stage.arrival(ringAndAnswer);
    const creating = api.must('createCall', { from: '5551000', to: 'user:alice', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const peer = await arrival;
    const { call: number } = await alice.event('incoming');
    alice.answer(number);
    const { call } = await creating;
    await stage.talk(number, peer);
    alice.hangup(number);
    await until(() => peer.ended, 'BYE at the trunk');
    const { call: ended } = await events.event('ended', call.call_id);
    assert.equal(ended.end.ended_by, 'ENDED_BY_CALLEE');
  });

  it('connects two numbers', async () => {
    const first = carrier.arrival('5551111');
    const second = carrier.arrival('5552222');
    carrier.behaviours.set('5551111', (call) => call.answer(TRUNK));
    carrier.behaviours.set('5552222', (call) => call.answer(880));
    const { call } = await api.must('createCall', { from: '5551111', to: '5552222', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const [one, other] = [await first, await second];
    await until(() => one.rtp.hears(880) > 0.8 && other.rtp.hears(TRUNK) > 0.8, 'each other');
    await stage.hangUp(call.call_id, one);
    await until(() => other.ended, 'BYE to the second number');
  });

  it('connects a number with a service', async () => {
    const arrival = stage.arrival(ringAndAnswer);
    const { call } = await api.must('createCall', { from: '5551000', to: 'service:echo', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.deepEqual(call.legs.map((one) => [one.leg_id, one.party]), [['from', 'trunk:carrier'], ['to', 'service:echo']]);
    const peer = await arrival;
    await until(() => peer.rtp.hears(TRUNK) > 0.8, 'the echo');
    peer.bye();
    const { call: ended } = await events.event('ended', call.call_id);
    assert.equal(ended.end.ended_by, 'ENDED_BY_CALLER');
  });

  it('comes back at once, when it rings, or when it is answered, as asked', async () => {
    for (const [wait_until, state] of [['WAIT_UNTIL_UNSPECIFIED', 'CALL_STATE_CREATED'], ['WAIT_UNTIL_CREATED', 'CALL_STATE_CREATED']]) {
      const { call } = await api.must('createCall', { from: 'user:alice', to: '5551000', wait_until });
      assert.equal(call.state, state);
      await stage.hangUp(call.call_id);
    }
    const arrival = stage.arrival(ringing);
    const { call } = await api.must('createCall', { from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_RINGING' });
    assert.equal(call.state, 'CALL_STATE_RINGING');
    assert.ok(call.ring_time);
    const peer = await arrival;
    await api.must('hangupCall', { call_id: call.call_id });
    await until(() => peer.cancelled, 'CANCEL at the trunk');
  });

  it('takes early media for ringing', async () => {
    const arrival = stage.arrival((call) => call.early());
    const { call } = await api.must('createCall', { from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_RINGING' });
    assert.equal(call.state, 'CALL_STATE_EARLY_MEDIA');
    await api.must('hangupCall', { call_id: call.call_id });
    const peer = await arrival;
    await until(() => peer.cancelled, 'CANCEL at the trunk');
  });

  it('ends a call that rings too long', async () => {
    const arrival = stage.arrival(ringing);
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED', ring_timeout: { seconds: 1 } });
    assert.equal(error.code, Code.DEADLINE_EXCEEDED);
    assert.equal(error.reason, 'NO_ANSWER');
    assert.equal(error.pushback, '-1');
    assert.equal(error.details.SipStatus.origin, 'ORIGIN_LOCAL');
    assert.equal(error.details.SipStatus.phase, 'PHASE_RINGING');
    const peer = await arrival;
    await until(() => peer.cancelled, 'CANCEL at the trunk');
  });

  it('ends a call that lasts too long', async () => {
    const { id, peer } = await stage.connected({ max_duration: { seconds: 1 } });
    await until(() => peer.ended, 'BYE at the trunk');
    const { call } = await events.event('ended', id);
    assert.equal(call.end.ended_by, 'ENDED_BY_GATEWAY');
    assert.ok(call.end_time.seconds + call.end_time.nanos / 1e9 - call.answer_time.seconds - call.answer_time.nanos / 1e9 >= 0.9);
  });

  it('shows the callee the caller ID, headers and nothing else of the request', async () => {
    const arrival = stage.arrival(rejecting(486));
    await api.createCall({
      from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED',
      caller_id: { number: '+4930999', name: 'Büro "Süd" \\' },
      headers: [{ name: 'X-Order', value: '17; a=b, c' }, { name: 'Subject', value: 'Grüße' }, { name: 'x-order', value: '18' }],
      metadata: { secret: 'not for the wire' },
    });
    const { invite } = await arrival;
    const from = Buffer.from(header(invite, 'from'), 'latin1').toString();
    assert.match(from, /^"Büro \\"Süd\\" \\\\" ?<sip:\+4930999@/);
    assert.deepEqual(invite.headers['x-order'], ['17; a=b, c', '18']);
    assert.equal(Buffer.from(header(invite, 'subject'), 'latin1').toString(), 'Grüße');
    assert.doesNotMatch(JSON.stringify(invite), /not for the wire/);
  });

  it('gives metadata back in the call', async () => {
    const metadata = { order: '17', empty: '', über: 'ja' };
    const { call } = await api.must('createCall', { from: 'user:alice', to: '5551000', metadata });
    assert.deepEqual(call.metadata, metadata);
    assert.deepEqual((await get(call.call_id)).metadata, metadata);
    await stage.hangUp(call.call_id);
    assert.deepEqual((await events.event('ended', call.call_id)).call.metadata, metadata);
  });

  it('tells that the first leg failed, and calls nobody then', async () => {
    const before = carrier.log.length;
    const creating = api.createCall({ from: 'user:alice', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const { call: number } = await alice.event('incoming');
    alice.reject(number, 486);
    const { error } = await creating;
    assert.equal(error.code, Code.FAILED_PRECONDITION);
    assert.equal(error.reason, 'CALLEE_BUSY');
    assert.equal(error.details.ErrorInfo.metadata.leg, 'from');
    assert.equal(error.details.SipStatus.leg_id, 'from');
    assert.equal(carrier.log.length, before);
  });

  it('knows users who are not there', async () => {
    const { error } = await api.createCall({ from: 'service:echo', to: 'user:bob', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.equal(error.code, Code.NOT_FOUND);
    assert.equal(error.reason, 'USER_NOT_REGISTERED');
    assert.equal(error.details.SipStatus.code, 480);
  });

  for (const [what, request, field] of [
    ['no caller', { to: '5551000' }, 'from'],
    ['no callee', { from: 'service:echo' }, 'to'],
    ['a callee of a strange form', { from: 'service:echo', to: 'mailto:x@example.test' }, 'to'],
    ['a forged number', { from: 'service:echo', to: '555>\r\nX-Forged: 1' }, 'to'],
    ['a header that is the gateway\'s own', { headers: [{ name: 'Via', value: 'x' }] }, 'headers[0].name'],
    ['a header with a line break', { headers: [{ name: 'X-A', value: 'x' }, { name: 'X-B', value: 'a\r\nX-C: b' }] }, 'headers[1].value'],
    ['a header with a NUL', { headers: [{ name: 'X-A', value: 'a\0b' }] }, 'headers[0].value'],
    ['a caller\'s name with a line break', { caller_id: { name: 'a\nb' } }, 'caller_id.name'],
    ['a ring time-out that is too short', { ring_timeout: { nanos: 5 } }, 'ring_timeout'],
    ['a duration that is too long', { max_duration: { seconds: 1e9 } }, 'max_duration'],
    ['a request id with a space', { request_id: 'a\tb' }, 'request_id'],
  ]) {
    it(`refuses ${what}`, async () => {
      const { error } = await api.createCall(request.to || request.from ? request : { from: 'service:echo', to: '5551000', ...request });
      assert.equal(error.code, Code.INVALID_ARGUMENT);
      const violations = error.details.BadRequest.field_violations.map((one) => one.field);
      assert.ok(violations.includes(field), `${violations} includes ${field}`);
      assert.equal(error.pushback, '-1');
    });
  }

  it('goes on when the RPC is cancelled or out of time', async () => {
    const arrival = stage.arrival(ringing);
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' }, {
      started: (rpc) => void arrival.then(() => rpc.cancel()),
    });
    assert.equal(error.code, Code.CANCELLED);
    const peer = await arrival;
    await peer.answer(TRUNK);
    const call = await stage.only();
    await events.event('answered', call.call_id);
    await stage.hangUp(call.call_id, peer);
  });

  it('ends when the RPC is cancelled, if asked', async () => {
    const arrival = stage.arrival(ringing);
    await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED', end_call_on_cancel: true }, {
      started: (rpc) => void arrival.then(() => rpc.cancel()),
    });
    const peer = await arrival;
    await until(() => peer.cancelled, 'CANCEL at the trunk');
  });
});

describe('a request_id', () => {
  const request = (id) => ({ request_id: id, from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_RINGING' });

  it('sent five times in parallel makes one INVITE', async () => {
    let invites = 0;
    carrier.onCall = (call) => {
      invites += 1;
      call.ring();
    };
    const all = await Promise.all(Array.from({ length: 5 }, () => api.createCall(request('parallel'))));
    const ids = new Set(all.map(({ response, error }) => response?.call.call_id ?? JSON.stringify(error)));
    assert.equal(ids.size, 1, [...ids].join(' '));
    assert.equal(all.filter(({ headers }) => headers.get('x-idempotent-replay')[0] === 'true').length, 4);
    assert.equal(invites, 1);
    await api.must('hangupCall', { call_id: [...ids][0] });
    // Still known when the call is over.
    await events.event('ended', [...ids][0]);
    const again = await api.createCall({ ...request('parallel') });
    assert.equal(again.headers.get('x-idempotent-replay')[0], 'true');
    assert.equal(invites, 1);
  });

  it('of another request is refused', async () => {
    const arrival = stage.arrival(ringing);
    const { call } = await api.must('createCall', request('reused'));
    const { error } = await api.createCall({ ...request('reused'), to: '5551001' });
    assert.equal(error.code, Code.ALREADY_EXISTS);
    assert.equal(error.reason, 'REQUEST_ID_REUSED');
    assert.equal(error.pushback, '-1');
    await api.must('hangupCall', { call_id: call.call_id });
    await until(async () => (await arrival).cancelled, 'CANCEL at the trunk');
  });

  it('stands in the error', async () => {
    stage.arrival(rejecting(486));
    const { error } = await api.createCall({ ...request('with an error'.replaceAll(' ', '-')), wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.equal(error.details.RequestInfo.request_id, 'with-an-error');
  });
});

describe('HangupCall and RejectCall', () => {
  it('give a ringing caller the code and the reason', async () => {
    const peer = await carrier.call('1001');
    const { call: number } = await alice.event('incoming');
    const call = await stage.only();
    await api.must('hangupCall', { call_id: call.call_id, sip_code: 480, reason: 'Out to lunch' });
    assert.equal(await peer.final(), 480);
    assert.equal(peer.finalResponse.reason, 'Out to lunch');
    await alice.event('ended', { call: number });
    const { call: ended } = await events.event('ended', call.call_id);
    assert.equal(ended.end.ended_by, 'ENDED_BY_API');
  });

  it('reject a ringing call with 603 unless told otherwise', async () => {
    const peer = await carrier.call('1001');
    await alice.event('incoming');
    const call = await stage.only();
    await api.must('rejectCall', { call_id: call.call_id });
    assert.equal(await peer.final(), 603);
  });

  it('put the reason into the BYE of an answered call', async () => {
    const { id, peer } = await stage.connected();
    await api.must('hangupCall', { call_id: id, sip_code: 480, reason: 'End of "shift"' });
    await until(() => peer.ended, 'BYE at the trunk');
    assert.match(header(peer.ended, 'reason'), /SIP ?;.*cause=480/);
    assert.match(header(peer.ended, 'reason'), /text="End of \\"shift\\""/);
  });

  it('of a call that nobody knows, or that is over', async () => {
    const nobody = await api.hangupCall({ call_id: 'nobody' });
    assert.equal(nobody.error.code, Code.NOT_FOUND);
    assert.equal(nobody.error.reason, 'CALL_NOT_FOUND');
    const { id, peer } = await stage.connected();
    await stage.hangUp(id, peer);
    await events.event('ended', id);
    assert.equal((await api.rejectCall({ call_id: id })).error.code, Code.FAILED_PRECONDITION);
  });
});

describe('HoldCall and ResumeCall', () => {
  it('hold and resume the party at the trunk', async () => {
    const { id, number, peer } = await stage.connected();
    const { call: held } = await api.must('holdCall', { call_id: id });
    assert.equal(held.state, 'CALL_STATE_HELD');
    assert.equal(leg(held, 'to').held, true);
    assert.equal(peer.reinvites.length, 1);
    assert.match(peer.reinvites[0].body, /a=(sendonly|inactive)/);
    const event = await events.event('held', id);
    assert.deepEqual(event.held, { leg_id: 'to', by_api: true });
    const { call: resumed } = await api.must('resumeCall', { call_id: id });
    assert.equal(resumed.state, 'CALL_STATE_ANSWERED');
    assert.deepEqual((await events.event('resumed', id)).resumed, { leg_id: 'to', by_api: true });
    assert.match(peer.reinvites.at(-1).body, /a=sendrecv/);
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
  });

  it('hold and resume the party at the browser', async () => {
    const { id, number, peer } = await stage.connected();
    await api.must('holdCall', { call_id: id, leg_id: 'from' });
    await alice.event('held', { call: number });
    await api.must('resumeCall', { call_id: id, leg_id: 'from' });
    await alice.event('resumed', { call: number });
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
  });

  it('need an answered call and a leg', async () => {
    const arrival = stage.arrival(ringing);
    const { call } = await api.must('createCall', { from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_RINGING' });
    const early = await api.holdCall({ call_id: call.call_id });
    assert.equal(early.error.code, Code.FAILED_PRECONDITION);
    assert.equal(early.error.reason, 'WRONG_CALL_STATE');
    await (await arrival).answer(TRUNK);
    await events.event('answered', call.call_id);
    const nowhere = await api.holdCall({ call_id: call.call_id, leg_id: 'third' });
    assert.equal(nowhere.error.code, Code.NOT_FOUND);
    assert.equal((await api.resumeCall({ call_id: call.call_id })).error?.reason, 'WRONG_CALL_STATE');
    await stage.hangUp(call.call_id, await arrival);
  });
});

describe('MuteCall and UnmuteCall', () => {
  it('stop one direction alone', async () => {
    const { id, number, peer } = await stage.connected();
    await stage.talk(number, peer);
    const { call } = await api.must('muteCall', { call_id: id, leg_id: 'from', direction: 'MUTE_DIRECTION_FROM_LEG' });
    assert.equal(leg(call, 'from').muted_from_leg, true);
    assert.equal(leg(call, 'from').muted_to_leg, false);
    await until(() => {
      peer.rtp.forget();
      return until(() => peer.rtp.hears(BROWSER) < 0.1, 'silence at the trunk');
    }, 'silence at the trunk');
    await alice.hears(number);
    await api.must('unmuteCall', { call_id: id, leg_id: 'from' });
    await stage.talk(number, peer);
    assert.equal(peer.reinvites.length, 0);
    await stage.hangUp(id, peer);
  });
});

describe('SendDtmf', () => {
  it('sends keys to the trunk and to the browser', async () => {
    const { id, number, peer } = await stage.connected();
    await api.must('sendDtmf', { call_id: id, digits: '159#D', tone_duration: { nanos: 60e6 } });
    await until(() => peer.rtp.digits.join('') === '159#D', `159#D at the trunk`);
    await api.must('sendDtmf', { call_id: id, leg_id: 'from', digits: '*' });
    assert.match((await alice.event('digit', { call: number })).digit, /\*/);
    await stage.hangUp(id, peer);
  });

  it('tells what the parties press', async () => {
    const { id, number, peer } = await stage.connected();
    await stage.talk(number, peer); // before her media is up nothing of it goes out
    alice.do('digit', { call: number, digit: '7', by: 'rtp' });
    const rtp = await events.event('dtmf', id);
    assert.equal(rtp.dtmf.digit, '7');
    assert.equal(rtp.dtmf.leg_id, 'from');
    assert.equal(rtp.dtmf.method, 'rfc4733');
    peer.info('8');
    const info = await events.event('dtmf', id);
    assert.deepEqual([info.dtmf.digit, info.dtmf.leg_id, info.dtmf.method], ['8', 'to', 'info']);
    await stage.hangUp(id, peer);
  });

  it('refuses what is no key', async () => {
    const { id, peer } = await stage.connected();
    for (const digits of ['', '12E', '1\r\n', '1'.repeat(65)]) {
      assert.equal((await api.sendDtmf({ call_id: id, digits })).error.code, Code.INVALID_ARGUMENT, JSON.stringify(digits));
    }
    await stage.hangUp(id, peer);
  });
});

describe('GetCallStats', () => {
  it('counts what passes on both legs', async () => {
    const { id, number, peer } = await stage.connected();
    await stage.talk(number, peer);
    const { call_id, legs } = await api.must('getCallStats', { call_id: id });
    assert.equal(call_id, id);
    assert.deepEqual(legs.map((one) => one.leg_id).sort(), ['from', 'to']);
    for (const one of legs) {
      assert.ok(one.packets_received > 0 && one.packets_sent > 0 && one.bytes_received > one.packets_received, JSON.stringify(one));
      assert.equal(one.codec, 'PCMU');
      assert.equal(one.srtp_profile === '', one.leg_id === 'to', one.srtp_profile);
    }
    await stage.hangUp(id, peer);
    await events.event('ended', id);
    assert.equal((await api.getCallStats({ call_id: id })).error.reason, 'WRONG_CALL_STATE');
  });
});

describe('GetCallTrace', () => {
  it('shows the SIP of both legs as text, JSON and pcapng, live and afterwards', async () => {
    const { id, call, peer } = await stage.connected();
    for (const live of [true, false]) {
      const { text } = await api.must('getCallTrace', { call_id: id });
      for (const part of [peer.callId, leg(call, 'from').sip_call_id, 'INVITE', '200', 'ACK']) assert.ok(text.includes(part), `${part} in the ladder`);
      const json = JSON.stringify(JSON.parse((await api.must('getCallTrace', { call_id: id, format: 'TRACE_FORMAT_JSON' })).json));
      assert.ok(json.includes(peer.callId));
      const { pcapng } = await api.must('getCallTrace', { call_id: id, format: 'TRACE_FORMAT_PCAPNG' });
      assert.equal(pcapng.readUInt32LE(0), 0x0a0d0d0a);
      assert.ok(pcapng.includes(`Call-ID: ${peer.callId}`));
      assert.doesNotMatch(text + json + pcapng.toString('latin1'), /response="[0-9a-f]{32}"/);
      if (live) await stage.hangUp(id, peer);
    }
    assert.ok((await api.must('getCallTrace', { call_id: id })).text.includes('BYE'));
  });
});

describe('ListCalls', () => {
  it('gives pages, the oldest call first, and ended calls if asked', async () => {
    const made = [];
    for (let at = 0; at < 5; at += 1) made.push((await api.must('createCall', { from: 'user:alice', to: '5551000' })).call.call_id);
    const listed = [];
    let page_token = '';
    do {
      const page = await api.must('listCalls', { page_size: 2, page_token });
      assert.ok(page.calls.length <= 2);
      listed.push(...page.calls.map((call) => call.call_id));
      page_token = page.next_page_token;
    } while (page_token);
    assert.deepEqual(listed, made);
    assert.deepEqual((await api.must('listCalls', { states: ['CALL_STATE_HELD'] })).calls, []);
    assert.deepEqual((await api.must('listCalls', { trunk: 'nothing' })).calls, []);
    for (const id of made) await api.must('hangupCall', { call_id: id });
    for (const id of made) await events.event('ended', id);
    assert.deepEqual((await api.must('listCalls', {})).calls, []);
    const ended = (await api.must('listCalls', { show_ended: true, page_size: 1000 })).calls.map((call) => call.call_id);
    for (const id of made) assert.ok(ended.includes(id));
    const { error } = await api.listCalls({ page_token: 'garbage' });
    assert.equal(error.code, Code.INVALID_ARGUMENT);
  });
});
