// Registrations, credentials, trunks, routes and the node itself.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl, Code, grpc } from '../peers/call_control.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { BROWSER, ringAndAnswer, ROUTES, Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

const SECRET = 'credentials: { secret: "shared-by-replicas-0123456789", max_ttl: 1h }';

let stage;
let api;

before(async () => {
  stage = await Stage.open({ extra: SECRET });
  ({ api } = stage);
});
afterEach(() => stage.clear());
after(() => stage?.close());

describe('registrations', () => {
  it('are listed, read and ended', async (t) => {
    const bob = await SyntheticBrowser.open(stage.gateway, 'bob');
    t.after(() => bob.close());
    const { registrations } = await api.must('listRegistrations', {});
    assert.deepEqual(registrations.map((one) => one.user), ['alice', 'bob']);
    for (const one of registrations) {
      assert.equal(one.transport, 'ws');
      assert.match(one.source, /^127\.0\.0\.1:\d+$/);
      assert.ok(one.expire_time.seconds > one.register_time.seconds);
      assert.ok(one.contact.includes('.invalid') && one.registration_id);
    }
    const [only] = (await api.must('listRegistrations', { user: 'bob' })).registrations;
    assert.deepEqual((await api.must('getRegistration', { user: 'bob' })).registration, only);
    const page = await api.must('listRegistrations', { page_size: 1 });
    assert.equal(page.registrations[0].user, 'alice');
    assert.equal((await api.must('listRegistrations', { page_size: 1, page_token: page.next_page_token })).registrations[0].user, 'bob');

    assert.deepEqual((await api.must('deleteRegistration', { user: 'bob', registration_id: only.registration_id })).registrations.map((one) => one.registration_id), [only.registration_id]);
    assert.equal((await api.getRegistration({ user: 'bob' })).error.code, Code.NOT_FOUND);
    assert.equal((await api.deleteRegistration({ user: 'bob' })).error?.code, Code.NOT_FOUND);
    await bob.register();
    assert.equal((await api.must('listRegistrations', { user: 'bob' })).registrations.length, 1);
  });
});

describe('CreateCredential', () => {
  it('makes a user that is configured nowhere, on every replica with the secret', async (t) => {
    const { username, password, expire_time } = await api.must('createCredential', { user: 'carol', ttl: { seconds: 600 } });
    assert.ok(Math.abs(expire_time.seconds - Date.now() / 1000 - 600) < 60);
    const replica = await Gateway.start({ routes: ROUTES, extra: SECRET });
    for (const gateway of [stage.gateway, replica]) {
      const carol = await SyntheticBrowser.open(gateway, 'carol', { username, password });
      t.after(() => carol.close());
      const number = carol.call('echo', { tone: BROWSER, listen: BROWSER });
      await carol.event('answered', { call: number });
      await carol.hears(number);
      carol.hangup(number);
    }
    await replica.stop();
    assert.equal((await api.must('listRegistrations', {})).registrations.some((one) => one.user === username), false);
  });

  it('can be called by its user', async (t) => {
    const { username, password } = await api.must('createCredential', { user: 'carol' });
    const carol = await SyntheticBrowser.open(stage.gateway, 'carol', { username, password });
    t.after(() => carol.close());
    const arrival = stage.arrival(ringAndAnswer);
    const creating = api.must('createCall', { from: 'user:carol', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const { call: number } = await carol.event('incoming');
    carol.answer(number);
    const { call } = await creating;
    assert.equal(call.from, 'user:carol');
    await stage.hangUp(call.call_id, await arrival);
  });

  it('is refused as another user, with another password, or changed', async (t) => {
    const { username, password } = await api.must('createCredential', { user: 'carol' });
    const refused = async (user, options) => {
      const browser = await SyntheticBrowser.open(stage.gateway, user, { register: false, ...options });
      t.after(() => browser.close());
      browser.do('register');
      assert.ok([401, 403].includes((await browser.event('register_failed')).status));
    };
    await refused('alice', { username, password });
    await refused('carol', { username, password: `${password}x` });
    await refused('carol', { username: username.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10)), password });
    await refused('carol', { username: 'carol', password });
  });

  it('is refused after its time, and by a gateway with another secret', async (t) => {
    const { username, password, expire_time } = await api.must('createCredential', { user: 'carol', ttl: { seconds: 1 } });
    const stranger = await Gateway.start({ routes: ROUTES, extra: SECRET.replace('shared', 'other') });
    await until(() => Date.now() / 1000 > expire_time.seconds + expire_time.nanos / 1e9 + 1, 'the credential to expire');
    for (const gateway of [stage.gateway, stranger]) {
      const carol = await SyntheticBrowser.open(gateway, 'carol', { username, password, register: false });
      t.after(() => carol.close());
      carol.do('register');
      assert.ok([401, 403].includes((await carol.event('register_failed')).status));
    }
    await stranger.stop();
  });

  it('lives no longer than configured', async () => {
    for (const request of [{ user: 'carol' }, { user: 'carol', ttl: { seconds: 1e6 } }]) {
      const { expire_time } = await api.must('createCredential', request);
      assert.ok(expire_time.seconds - Date.now() / 1000 <= 3601);
    }
    for (const user of ['', 'a b', 'a@b', 'x\r\n', 'a'.repeat(65)]) assert.equal((await api.createCredential({ user })).error.code, Code.INVALID_ARGUMENT);
    assert.equal((await api.createCredential({ user: 'carol', ttl: { seconds: 0 } })).error.code, Code.INVALID_ARGUMENT);
  });
});

describe('trunks', () => {
  it('are listed and read', async () => {
    const { trunks } = await api.must('listTrunks', {});
    assert.deepEqual(trunks.map((one) => one.trunk), ['carrier']);
    assert.equal(trunks[0].max_calls, 2000);
    assert.equal(trunks[0].enabled, true);
    assert.deepEqual((await api.must('getTrunk', { trunk: 'carrier' })).trunk.uri, trunks[0].uri);
    const { error } = await api.getTrunk({ trunk: 'other' });
    assert.deepEqual([error.code, error.reason], [Code.NOT_FOUND, 'TRUNK_NOT_FOUND']);
  });

  it('that are disabled carry no new call, and those that live go on', async () => {
    const { id, number, peer } = await stage.connected();
    const { trunk } = await api.must('disableTrunk', { trunk: 'carrier' });
    assert.deepEqual([trunk.enabled, trunk.state, trunk.calls], [false, 'TRUNK_STATE_DISABLED', 1]);
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.equal(error.code, Code.UNAVAILABLE);
    assert.equal(error.reason, 'NO_TRUNK');
    const refused = await stage.carrier.call('1001');
    assert.ok((await refused.final()) >= 400);
    await stage.talk(number, peer);
    assert.equal((await api.must('enableTrunk', { trunk: 'carrier' })).trunk.enabled, true);
    await stage.hangUp(id, peer);
    const again = await stage.connected();
    await stage.hangUp(again.id, again.peer);
  });

  it('are pinged', async () => {
    const { answered, sip_code, round_trip } = await api.must('pingTrunk', { trunk: 'carrier' });
    assert.deepEqual([answered, sip_code], [true, 200]);
    assert.ok(round_trip);
    const lost = stage.carrier.loses;
    stage.carrier.loses = (start) => start.startsWith('OPTIONS');
    try {
      const silent = await api.must('pingTrunk', { trunk: 'carrier' });
      assert.equal(silent.answered, false);
      assert.notEqual(silent.reason, '');
    } finally {
      stage.carrier.loses = lost;
    }
    assert.equal((await api.pingTrunk({ trunk: 'other' })).error.reason, 'TRUNK_NOT_FOUND');
  });
});

describe('ExplainRoute', () => {
  it('says which rules were tried, and what would be sent', async () => {
    const route = await api.must('explainRoute', { from: 'alice', to: '5551000', source: 'user:alice' });
    assert.equal(route.target, 'trunk:carrier');
    assert.match(route.request_uri, /^sip:5551000@127\.0\.0\.1/);
    assert.ok(route.next_hop.includes(`127.0.0.1:${stage.gateway.carrierPort}`));
    assert.equal(route.sip_code, 0);
    assert.equal(route.steps.at(-1).matched, true);
    assert.ok(route.steps.slice(0, -1).every((step) => !step.matched && step.why !== ''));
    assert.notEqual(route.text, '');
  });

  it('knows trunks by name and by address, users, and what nobody routes', async () => {
    for (const source of ['trunk:carrier', `127.0.0.1:${stage.gateway.carrierPort}`]) {
      assert.equal((await api.must('explainRoute', { from: '+49301', to: '1001', source })).target, 'user:alice');
    }
    const stranger = await api.must('explainRoute', { from: '+49301', to: '1001', source: '192.0.2.1:5060' });
    assert.deepEqual([stranger.target, stranger.sip_code], ['', 403]);
    const nobody = await api.must('explainRoute', { from: 'alice', to: 'nowhere', source: 'user:alice' });
    assert.deepEqual([nobody.target, nobody.sip_code], ['', 404]);
    assert.equal((await api.must('explainRoute', { from: 'alice', to: 'bob', source: 'user:alice' })).target, 'user:bob');
    assert.equal((await api.explainRoute({ from: 'alice' })).error.code, Code.INVALID_ARGUMENT);
  });

  it('says what the log says of a refused call', async () => {
    const { text } = await api.must('explainRoute', { from: '+4930123456', to: '99', source: 'trunk:carrier' });
    const peer = await stage.carrier.call('99');
    assert.equal(await peer.final(), 404);
    await until(() => stage.gateway.logLines().some((line) => Object.values(line).some((value) => String(value).includes(text))), 'the text in the log');
  });

  it('places nothing', async () => {
    const before = stage.carrier.log.length;
    await api.must('explainRoute', { from: 'alice', to: '5551000' });
    assert.equal(stage.carrier.log.length, before);
    assert.deepEqual((await api.must('listCalls', {})).calls, []);
  });
});

describe('the node', () => {
  it('says what it is', async () => {
    const node = await until(async () => {
      const now = (await api.must('getNode', {})).node;
      return now.registrations === 1 && now;
    }, 'alice alone registered');
    assert.equal(node.domain, 'example.test');
    assert.equal(node.draining, false);
    assert.match(node.version, /^\d+\.\d+\.\d+/);
    assert.ok(node.start_time.seconds > 1.6e9 && node.node !== '' && node.max_calls > 0);
  });

  it('takes no calls while it drains, and takes them again', async () => {
    const { id, number, peer } = await stage.connected();
    assert.equal((await api.must('drain', {})).node.draining, true);
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.deepEqual([error.code, error.reason], [Code.UNAVAILABLE, 'DRAINING']);
    assert.ok(error.details.RetryInfo);
    assert.equal((await stage.gateway.get('/readyz')).status, 503);
    await stage.talk(number, peer);
    assert.equal((await api.must('undrain', {})).node.draining, false);
    assert.equal((await stage.gateway.get('/readyz')).status, 200);
    await stage.hangUp(id, peer);
    const again = await stage.connected();
    await stage.hangUp(again.id, again.peer);
  });

  it('ends what lives longer than a drain may', async () => {
    const { peer } = await stage.connected();
    await api.must('drain', { timeout: { seconds: 0 } });
    await until(() => peer.ended, 'BYE at the trunk');
    await api.must('undrain', {});
  });

  it('changes how much it logs', async () => {
    assert.equal((await api.must('setLogLevel', { level: 'LOG_LEVEL_WARN' })).level, 'LOG_LEVEL_WARN');
    assert.equal((await api.must('setLogLevel', { level: 'LOG_LEVEL_DEBUG' })).level, 'LOG_LEVEL_DEBUG');
    assert.equal((await api.setLogLevel({})).error.code, Code.INVALID_ARGUMENT);
  });
});

describe('the server', () => {
  it('answers health checks', async () => {
    const check = { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false };
    const client = new grpc.Client(stage.gateway.grpcAddress, grpc.credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
    const answer = await new Promise((done, fail) => client.makeUnaryRequest(check.path, (bytes) => bytes, (bytes) => bytes, Buffer.alloc(0), (error, bytes) => (error ? fail(error) : done(bytes))));
    assert.deepEqual([...answer], [8, 1]); // status: SERVING
    client.close();
  });

  it('takes no request that is too large', async () => {
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', metadata: { a: 'x'.repeat(200000) } });
    assert.equal(error.code, Code.RESOURCE_EXHAUSTED);
    const large = new CallControl(stage.gateway.grpcAddress);
    const outcome = await large.listCalls({}, { metadata: { 'x-large': 'x'.repeat(60000) } });
    assert.notEqual(outcome.error, null);
    large.close();
    assert.equal((await api.listCalls({})).error, null);
  });

  it('outlives connections that break and octets that are no HTTP/2', async () => {
    const { connect } = await import('node:net');
    for (const octets of ['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff', '\0'.repeat(1000)]) {
      const socket = connect(stage.gateway.grpcPort, '127.0.0.1');
      await new Promise((done) => {
        socket.on('error', done);
        socket.on('close', done);
        socket.on('data', () => {});
        socket.write(Buffer.from(octets, 'latin1'), () => socket.end());
      });
      socket.destroy();
    }
    assert.equal((await api.listCalls({})).error, null);
  });
});
