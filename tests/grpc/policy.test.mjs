// The user's policy service, played by this test: what it answers is done, and what it doesn't answer does no harm.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { Code, grpc, services, types } from '../peers/call_control.mjs';
import { freePort } from '../peers/ports.mjs';
import { header } from '../peers/sip_message.mjs';
import { ringAndAnswer, Stage, TRUNK } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

class PolicyServer {
  static async open(port) {
    const policy = new PolicyServer();
    policy.questions = [];
    policy.route = () => ({ reject: { sip_code: 404 } });
    policy.authenticate = () => ({ reject: {} });
    policy.server = new grpc.Server();
    const ask = (kind) => ({ request }, answer) => {
      policy.questions.push(request);
      const decision = policy[kind](request);
      if (decision instanceof Error) answer(decision);
      else if (decision) answer(null, decision); // none: silence
    };
    policy.server.addService(services.CallPolicyService.service, { RouteCall: ask('route'), AuthenticateUser: ask('authenticate') });
    await new Promise((done, fail) => policy.server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => (error ? fail(error) : done())));
    return policy;
  }

  close() {
    this.server.forceShutdown();
  }
}

const status = (code, message, ...details) => {
  const metadata = new grpc.Metadata();
  if (details.length > 0) {
    const packed = details.map(([type, value]) => ({ type_url: `type.googleapis.com/${type}`, value: types[type].serialize(value) }));
    metadata.set('grpc-status-details-bin', types['google.rpc.Status'].serialize({ code, message, details: packed }));
  }
  return Object.assign(new Error(message), { code, details: message, metadata });
};

let port;
let policy;
let stage;
let api;
let alice;
let carrier;
let events;

const open = async () => {
  policy = await PolicyServer.open(port);
};

before(async () => {
  port = await freePort();
  await open();
  stage = await Stage.open({
    routes: `
  - { from: any, match: "^2[0-9]{3}$", target: "service:policy" }
  - { from: any, match: "^[+]?[0-9]{3,15}$", target: "trunk:carrier" }`,
    extra: `policy: { endpoint: "127.0.0.1:${port}", timeout: 500ms, fallback: { reject: 503 }, authenticate_users: true }`,
  });
  ({ api, alice, carrier } = stage);
  events = api.watchCalls();
  await events.snapshotEnd();
});

afterEach(async () => {
  policy.questions.length = 0;
  await stage.clear();
});

after(async () => {
  events?.cancel();
  policy?.close();
  await stage?.close();
});

describe('RouteCall', () => {
  it('is asked with all that is known of the call', async () => {
    const peer = await carrier.call('2000', { from: '+49301' });
    assert.equal(await peer.final(), 404);
    const [question] = policy.questions;
    assert.equal(policy.questions.length, 1);
    assert.deepEqual([question.from, question.to, question.source], ['+49301', '2000', 'trunk:carrier']);
    const names = question.headers.map((one) => one.name.toLowerCase());
    assert.ok(names.includes('from') && names.includes('to'), names.join());
    const { call } = await events.event('ended', question.call_id);
    assert.equal(call.end.sip_code, 404);
  });

  it('routes to a browser, with another caller ID and headers', async () => {
    policy.route = () => ({ route: { targets: ['user:alice'], caller_id: { number: '+49777', name: 'Kunde Süd' }, headers: [{ name: 'X-Queue', value: 'gold' }] } });
    const peer = await carrier.call('2000');
    const { call: number, from } = await alice.event('incoming');
    assert.match(from, /\+49777/);
    peer.rtp.play(TRUNK);
    alice.answer(number);
    assert.equal(await peer.final(), 200);
    await stage.talk(number, peer);
    peer.bye();
    await alice.event('ended', { call: number });
  });

  it('routes a browser\'s call to the trunk with headers', async () => {
    policy.route = () => ({ route: { targets: ['5551000'], headers: [{ name: 'X-Queue', value: 'gold' }], caller_id: { number: '+49888' } } });
    const arrival = stage.arrival(ringAndAnswer);
    const number = alice.call('2001');
    const peer = await arrival;
    await alice.event('answered', { call: number });
    assert.equal(peer.dialled, '5551000');
    assert.equal(header(peer.invite, 'x-queue'), 'gold');
    assert.match(header(peer.invite, 'from'), /sip:\+49888@/);
    assert.equal(policy.questions[0].source, 'user:alice');
    alice.hangup(number);
    await until(() => peer.ended, 'BYE at the trunk');
  });

  it('gives targets that are tried in order', async () => {
    policy.route = () => ({ route: { targets: ['user:bob', '5551000', 'user:alice'] } });
    const dialled = carrier.arrival('5551000');
    carrier.behaviours.set('5551000', (call) => call.reject(503));
    const peer = await carrier.call('2000');
    const { call: number } = await alice.event('incoming');
    await dialled;
    alice.answer(number);
    assert.equal(await peer.final(), 200);
    peer.bye();
    await alice.event('ended', { call: number });
    const { call } = await events.event('ended', policy.questions[0].call_id);
    assert.equal(call.to, 'user:alice');
  });

  it('refuses with a code and a reason', async () => {
    policy.route = () => ({ reject: { sip_code: 488, reason: 'Büro zu' } });
    const peer = await carrier.call('2000');
    assert.equal(await peer.final(), 488);
    assert.equal(Buffer.from(peer.finalResponse.reason, 'latin1').toString(), 'Büro zu');
    policy.route = () => ({ reject: {} });
    assert.equal(await (await carrier.call('2000')).final(), 403);
  });

  for (const [code, sip] of [
    ['INVALID_ARGUMENT', 484], ['UNAUTHENTICATED', 403], ['PERMISSION_DENIED', 403], ['NOT_FOUND', 404], ['ALREADY_EXISTS', 482],
    ['FAILED_PRECONDITION', 480], ['ABORTED', 480], ['RESOURCE_EXHAUSTED', 503], ['CANCELLED', 487], ['UNIMPLEMENTED', 501],
    ['INTERNAL', 500], ['UNKNOWN', 500], ['DATA_LOSS', 500], ['UNAVAILABLE', 503], ['DEADLINE_EXCEEDED', 503],
  ]) {
    it(`may end with ${code}: ${sip}`, async () => {
      policy.route = () => status(Code[code], 'no');
      const peer = await carrier.call('2000');
      assert.equal(await peer.final(), sip);
      assert.equal(header(peer.finalResponse, 'retry-after') !== undefined, sip === 503);
    });
  }

  it('may end with INVALID_ARGUMENT about something else than the number: 400', async () => {
    policy.route = () => status(Code.INVALID_ARGUMENT, 'no', ['google.rpc.BadRequest', { field_violations: [{ field: 'headers', description: 'no account' }] }]);
    assert.equal(await (await carrier.call('2000')).final(), 400);
  });

  it('may say when to come back', async () => {
    policy.route = () => status(Code.RESOURCE_EXHAUSTED, 'full', ['google.rpc.RetryInfo', { retry_delay: { seconds: 77 } }]);
    const peer = await carrier.call('2000');
    assert.equal(await peer.final(), 503);
    assert.equal(header(peer.finalResponse, 'retry-after'), '77');
  });

  it('may say the SIP code itself in the details', async () => {
    policy.route = () => status(Code.NOT_FOUND, 'gone', ['trunkline.v1.SipStatus', { code: 410, reason_phrase: 'Gone for good' }]);
    assert.equal(await (await carrier.call('2000')).final(), 410);
  });
});

describe('RouteCall for a call of the API', () => {
  it('decides about whom it begins with, too', async () => {
    policy.route = () => ({ route: { targets: ['5551000'] } });
    const arrival = stage.arrival(ringAndAnswer);
    const creating = api.must('createCall', { from: '2000', to: 'user:alice', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const peer = await arrival;
    const { call: number } = await alice.event('incoming');
    alice.answer(number);
    const { call } = await creating;
    assert.deepEqual([call.from, call.to, call.trunk], ['5551000', 'user:alice', 'carrier']);
    const [question] = policy.questions;
    assert.deepEqual([question.to, question.source], ['2000', 'api']);
    await stage.talk(number, peer);
    await stage.hangUp(call.call_id, peer);
  });

  it('that refuses it is told as of the from leg', async () => {
    policy.route = () => ({ reject: { sip_code: 480 } });
    const { error } = await api.createCall({ from: '2000', to: 'user:alice', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.equal(error.details.SipStatus.code, 480);
    assert.equal(error.details.ErrorInfo.metadata.leg, 'from');
  });
});

describe('a parked call', () => {
  const park = async (timeout) => {
    policy.route = () => ({ park: timeout ? { timeout } : {} });
    const peer = await carrier.call('2000');
    const { call_id } = await stage.only();
    const event = await events.event('parked', call_id);
    assert.equal(event.call.parked, true);
    return { peer, id: event.call.call_id, event };
  };

  it('is answered and goes to a browser', async () => {
    const { peer, id } = await park();
    await until(() => peer.provisionals.includes(180), '180 at the trunk');
    const answering = api.answerCall({ call_id: id, target: 'user:alice' });
    const { call: number } = await alice.event('incoming');
    peer.rtp.play(TRUNK);
    alice.answer(number);
    assert.equal((await answering).error, null);
    assert.equal(await peer.final(), 200);
    await stage.talk(number, peer);
    peer.bye();
    await alice.event('ended', { call: number });
  });

  it('is answered by the gateway and transferred later', async () => {
    const { peer, id } = await park();
    await api.must('answerCall', { call_id: id });
    assert.equal(await peer.final(), 200);
    const transferring = api.must('transferCall', { call_id: id, leg_id: 'from', target: 'user:alice', mode: 'TRANSFER_MODE_GATEWAY' });
    const { call: number } = await alice.event('incoming');
    peer.rtp.play(TRUNK);
    alice.answer(number);
    await transferring;
    await stage.talk(number, peer);
    peer.bye();
    await alice.event('ended', { call: number });
  });

  it('is refused', async () => {
    const { peer, id } = await park();
    await api.must('rejectCall', { call_id: id, sip_code: 486, reason: 'All agents busy' });
    assert.equal(await peer.final(), 486);
    assert.equal(peer.finalResponse.reason, 'All agents busy');
    const { call } = await events.event('ended', id);
    assert.equal(call.end.ended_by, 'ENDED_BY_API');
    assert.equal((await api.answerCall({ call_id: id })).error.reason, 'WRONG_CALL_STATE');
  });

  it('that nobody answers is refused with 480', async () => {
    const { peer, event } = await park({ seconds: 1 });
    assert.equal(event.parked.timeout.seconds, 1);
    assert.equal(await peer.final(), 480);
  });

  it('may be left by its caller', async () => {
    const { peer, id } = await park();
    peer.cancel();
    assert.equal(await peer.final(), 487);
    const { call } = await events.event('ended', id);
    assert.equal(call.end.reason, 'CALLER_HUNG_UP');
  });

  it('alone can be answered', async () => {
    const arrival = stage.arrival((call) => call.ring());
    const { call } = await api.must('createCall', { from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_RINGING' });
    const { error } = await api.answerCall({ call_id: call.call_id });
    assert.equal(error.code, Code.FAILED_PRECONDITION);
    await api.must('hangupCall', { call_id: call.call_id });
    await until(async () => (await arrival).cancelled, 'CANCEL at the trunk');
  });
});

describe('AuthenticateUser', () => {
  const ha1 = (user, password) => createHash('md5').update(`${user}:example.test:${password}`).digest('hex');

  it('lets users in that the gateway does not know', async (t) => {
    policy.authenticate = ({ user, realm }) => (user === 'dora' && realm === 'example.test' ? { ha1: ha1('dora', 'secret-d') } : { reject: {} });
    const dora = await SyntheticBrowser.open(stage.gateway, 'dora', { password: 'secret-d' });
    t.after(() => dora.close());
    const arrival = stage.arrival(ringAndAnswer);
    const number = dora.call('5551000');
    await dora.event('answered', { call: number });
    dora.hangup(number);
    const peer = await arrival;
    await until(() => peer.ended, 'BYE at the trunk');
  });

  for (const [what, decision] of [
    ['a wrong password', { ha1: ha1('erik', 'other') }], ['a refusal', { reject: { sip_code: 403 } }],
    ['no hash', { ha1: 'nonsense' }], ['silence', null],
  ]) {
    it(`keeps others out: ${what}`, async (t) => {
      policy.authenticate = () => decision;
      const erik = await SyntheticBrowser.open(stage.gateway, 'erik', { password: 'secret-e', register: false });
      t.after(() => erik.close());
      erik.do('register');
      const { status: code } = await erik.event('register_failed');
      assert.ok([401, 403, 480, 500, 503].includes(code), String(code));
    });
  }
});

describe('a policy service that is no help', () => {
  const fails = async (cause) => {
    const failures = await stage.gateway.metric('trunkline_policy_failures_total', { reason: cause });
    const peer = await carrier.call('2000');
    assert.equal(await peer.final(), 503);
    const event = await events.event('policy_failed', policy.questions.at(-1)?.call_id);
    assert.equal(event.policy_failed.cause, cause);
    assert.equal((await stage.gateway.metric('trunkline_policy_failures_total', { reason: cause })) - failures, 1);
  };

  it('because it is slow: the fallback, the event and the counter', async () => {
    policy.route = () => null;
    await fails('timeout');
  });

  for (const [what, decision] of [
    ['nothing', {}],
    ['no targets', { route: { targets: [] } }],
    ['a forged target', { route: { targets: ['user:alice\r\nX-Forged: 1'] } }],
    ['a forged header', { route: { targets: ['user:alice'], headers: [{ name: 'X-A', value: 'b\r\nX-Forged: 1' }] } }],
    ['a header that is not its own', { route: { targets: ['user:alice'], headers: [{ name: 'Route', value: '<sip:evil.test;lr>' }] } }],
    ['a forged reason', { reject: { sip_code: 486, reason: 'x\r\nX-Forged: 1' } }],
    ['a code that refuses nothing', { reject: { sip_code: 200 } }],
    ['too many targets', { route: { targets: Array(9).fill('user:alice') } }],
  ]) {
    it(`because it answers ${what}`, async () => {
      policy.route = () => decision;
      await fails('invalid');
    });
  }

  it('because it is down, and helps again when it is back', async () => {
    policy.close();
    await fails('unavailable');
    await open();
    policy.route = () => ({ reject: { sip_code: 486 } });
    await until(async () => {
      const code = await (await carrier.call('2000')).final();
      assert.ok([486, 503].includes(code), String(code));
      return code === 486;
    }, 'an answer of the policy service');
  });
});
