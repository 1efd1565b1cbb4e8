// Another configuration while the gateway runs: by the API, by SIGHUP, and with calls that go on.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl, Code, grpc, services } from '../peers/call_control.mjs';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { freePort } from '../peers/ports.mjs';
import { header } from '../peers/sip_message.mjs';
import { Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { makeCertificate } from '../peers/tls_front.mjs';
import { TrunkServer } from '../peers/trunk_server.mjs';
import { until } from '../peers/until.mjs';

let stage;
let api;
let first; // the configuration that the gateway was started with

before(async () => {
  stage = await Stage.open({ extra: 'reload: { watch: false }' });
  ({ api } = stage);
  first = stage.gateway.configuration;
});
// Each test begins with the first configuration in force.
afterEach(async () => {
  stage.gateway.rewrite(() => first);
  await api.must('reloadConfig', {});
  await stage.clear();
});
after(() => stage?.close());

const reload = async (change) => {
  stage.gateway.rewrite(change);
  return api.must('reloadConfig', {});
};
// Lines into a section of the configuration, which stands at the left.
const into = (section, lines) => (text) => text.replace(new RegExp(`^${section}:\n`, 'm'), (found) => `${found}${lines}\n`);
const without = (...parts) => (text) => parts.reduce((left, part) => left.replace(part, ''), text);
const trunk = (name, port, more = '') => `  - { name: ${name}, uri: "sip:127.0.0.1:${port}", allow: ["127.0.0.1:${port}"], options_interval: 1s${more} }`;
const carrier = /^ {2}- name: carrier\n(?: {4}.*\n)*/m;

describe('reading the configuration again', () => {
  it('takes users, routes and limits under a call that goes on', async (t) => {
    const { id, number, peer } = await stage.connected();
    const done = await reload((text) => into('users', '  - { name: carol, password: secret-c }')(text)
      .replace('routes:', 'limits: { max_calls: 1 }\nroutes:\n  - { from: any, match: "^77$", target: "service:echo" }'));
    assert.deepEqual(done.needs_restart, []);
    assert.deepEqual(done.applied.sort(), ['limits.max_calls', 'routes', 'users[carol]']);
    await stage.talk(number, peer);
    const carol = await SyntheticBrowser.open(stage.gateway, 'carol', { password: 'secret-c' });
    t.after(() => carol.close());
    assert.equal((await api.must('explainRoute', { from: 'alice', to: '77', source: 'user:alice' })).target, 'service:echo');
    const { error } = await api.createCall({ from: 'user:alice', to: '5551000' });
    assert.equal(error.code, Code.RESOURCE_EXHAUSTED);
    assert.equal(await stage.gateway.metric('trunkline_calls_limit', { scope: 'node' }), 1);
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
  });

  it('is what SIGHUP asks for', async () => {
    const { id, number, peer } = await stage.connected();
    const hash = /trunkline_config_hash_info\{hash="(\w+)"\}/.exec(await (await stage.gateway.get('/metrics')).text())[1];
    stage.gateway.rewrite((text) => text.replace('routes:', 'limits: { max_calls: 77 }\nroutes:'));
    stage.gateway.process.kill('SIGHUP');
    await until(async () => (await api.must('getNode', {})).node.max_calls === 77, 'the new limit');
    await until(async () => (await stage.gateway.metric('trunkline_config_hash_info', { hash })) === 0, 'another hash');
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
  });

  it('leaves all as it was when the file is of no use, and says what is wrong with it', async () => {
    const successful = () => stage.gateway.metric('trunkline_config_last_reload_successful');
    const { id, number, peer } = await stage.connected();
    const loaded = await stage.gateway.metric('trunkline_config_last_reload_success_timestamp_seconds');
    stage.gateway.rewrite((text) => text.replace('routes:', 'limits: { max_calls: many }\nroutes:\n  - { from: any, match: "^1$", target: "trunk:nowhere" }'));
    const line = stage.gateway.configuration.split('\n').findIndex((one) => one.startsWith('limits')) + 1;
    const { error } = await api.reloadConfig({});
    assert.deepEqual([error.code, error.reason], [Code.INVALID_ARGUMENT, 'CONFIG_INVALID']);
    const [violation] = error.details.BadRequest.field_violations;
    assert.equal(violation.field, 'limits.max_calls');
    assert.match(violation.description, new RegExp(`gateway\\.yaml:${line}: limits\\.max_calls: .*many`));
    assert.equal(await successful(), 0);
    stage.gateway.process.kill('SIGHUP');
    await until(() => stage.gateway.logLines().filter((one) => one.level === 'error' && one.why?.includes(`gateway.yaml:${line}: limits.max_calls`)).length === 2, 'both in the log');
    assert.ok((await api.must('getNode', {})).node.max_calls > 1);
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
    await reload(() => first);
    assert.equal(await successful(), 1);
    assert.ok((await stage.gateway.metric('trunkline_config_last_reload_success_timestamp_seconds')) >= loaded);
  });

  it('names what waits for a restart, and takes the rest', async () => {
    const done = await reload((text) => text
      .replace(/^media:\n/m, 'media:\n  consent_timeout: 40s\n')
      .replace(/udp, bind: "127.0.0.1:\d+"/, 'udp, bind: "127.0.0.1:9"')
      .replace('routes:', 'limits: { max_calls: 50, max_transactions: 200 }\nroutes:'));
    assert.deepEqual(done.applied, ['limits.max_calls']);
    assert.deepEqual(done.needs_restart.sort(), ['limits.max_transactions', 'listen.sip', 'media.consent_timeout']);
    assert.equal(await stage.gateway.metric('trunkline_config_needs_restart'), 1);
    await until(() => stage.gateway.logLines().some((one) => one.needs_restart?.includes('media.consent_timeout')), 'the keys in the log');
    assert.deepEqual((await reload(() => first)).needs_restart, []);
    assert.equal(await stage.gateway.metric('trunkline_config_needs_restart'), 0);
  });

  it('takes nothing of what would need a key that waits', async () => {
    const made = makeCertificate(stage.gateway.folder);
    stage.gateway.rewrite((text) => into('trunks', trunk('secure', 9).replace(':9"', ':9;transport=tls"'))(text)
      .replace(/^ {2}sip:\n/m, `  sip:\n    - { transport: tls, bind: "127.0.0.1:${stage.gateway.tlsPort}", tls: { certificate: "${made.certificate}", key: "${made.key}" } }\n`));
    const { error } = await api.reloadConfig({});
    assert.deepEqual([error.code, error.reason], [Code.FAILED_PRECONDITION, 'CONFIG_NOT_APPLICABLE']);
    assert.equal(error.details.PreconditionFailure.violations[0].subject, 'trunks[0].uri');
    assert.deepEqual((await api.must('listTrunks', {})).trunks.map((one) => one.trunk), ['carrier']);
  });

  it('takes the level of the log, unless the API has said another since', async () => {
    const lines = () => stage.gateway.logLines().filter((one) => one.level === 'debug').length;
    assert.deepEqual((await reload((text) => text.replace('level: debug', 'level: warn'))).applied, ['log.level']);
    await until(async () => {
      const before = lines();
      await (await SyntheticBrowser.open(stage.gateway, 'bob')).close();
      return lines() === before;
    }, 'no more lines of level debug');
    await api.must('setLogLevel', { level: 'LOG_LEVEL_DEBUG' });
    await reload((text) => text.replace('routes:', 'limits: { max_calls: 70 }\nroutes:'));
    const before = lines();
    await (await SyntheticBrowser.open(stage.gateway, 'bob')).close();
    await until(() => lines() > before, 'lines of level debug');
  });

  it('takes tokens, from the next request on', async (t) => {
    const tokens = (token) => (text) => text.replace(/(grpc: \{ bind: "[^"]+")/, `$1, tokens: [{ name: desk, token: "${token}", roles: [admin, read] }]`);
    const desk = (token) => {
      const client = new CallControl(stage.gateway.grpcAddress, { token });
      t.after(() => client.close());
      return client;
    };
    assert.deepEqual((await reload(tokens('one-token'))).applied, ['listen.grpc.tokens[desk]']);
    assert.equal((await api.getNode({})).error.code, Code.UNAUTHENTICATED);
    const one = desk('one-token');
    await one.must('getNode', {});
    stage.gateway.rewrite(() => tokens('two-tokens')(first));
    assert.deepEqual((await one.must('reloadConfig', {})).applied, ['listen.grpc.tokens[desk].token']);
    assert.equal((await one.getNode({})).error.code, Code.UNAUTHENTICATED);
    stage.gateway.rewrite(() => first);
    await desk('two-tokens').must('reloadConfig', {});
  });

  it('takes a policy service with the routes that ask it, and another one in its place', async (t) => {
    const asked = [];
    const policy = async (name) => {
      const server = new grpc.Server();
      server.addService(services.CallPolicyService.service, {
        RouteCall: ({ request }, done) => (asked.push(`${name} ${request.to}`), done(null, { reject: { sip_code: 486 } })),
        AuthenticateUser: (_, done) => done(null, { reject: {} }),
      });
      const port = await new Promise((bound, failed) => server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, at) => (error ? failed(error) : bound(at))));
      t.after(() => server.forceShutdown());
      return `policy: { endpoint: "127.0.0.1:${port}", timeout: 10s }\nroutes:\n  - { from: any, match: "^88$", target: "service:policy" }`;
    };
    const calls = async () => assert.equal(await (await stage.carrier.call('88')).final(), 486);
    for (const name of ['one', 'two']) {
      const section = await policy(name);
      await reload(() => first.replace('routes:', section));
      await calls();
    }
    assert.deepEqual(asked, ['one 88', 'two 88']);
    assert.deepEqual((await reload(() => first)).applied.sort(), ['policy.endpoint', 'policy.timeout', 'routes']);
    assert.equal(await (await stage.carrier.call('88')).final(), 404);
  });

  it('ends the registration of a user that is gone, but not its call', async () => {
    const { id, number, peer } = await stage.connected();
    assert.deepEqual((await reload(without('  - { name: alice, password: secret-a }\n'))).applied, ['users[alice]']);
    assert.deepEqual((await api.must('listRegistrations', {})).registrations, []);
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
    await reload(() => first);
    await stage.alice.register();
  });
});

describe('trunks', () => {
  it('that are new are asked and called at once, and have their metrics', async (t) => {
    const server = await TrunkServer.open();
    t.after(() => server.close());
    const { id, number, peer } = await stage.connected();
    assert.equal((await (await stage.gateway.get('/metrics')).text()).includes('trunk="second"'), false);
    const done = await reload(into('trunks', trunk('second', server.port)));
    assert.deepEqual(done.applied, ['trunks[second]']);
    const text = await (await stage.gateway.get('/metrics')).text();
    const named = (name) => [...text.matchAll(/^(trunkline_\w+?)(?:_bucket|_sum|_count)?\{[^}]*trunk="(\w+)"/gm)].filter((found) => found[2] === name).map((found) => found[1]);
    assert.deepEqual(new Set(named('second')), new Set(named('carrier')));
    await server.nth('OPTIONS', 2);
    await until(async () => (await api.must('getTrunk', { trunk: 'second' })).trunk.state === 'TRUNK_STATE_UP', 'the new trunk to be up');
    await api.createCall({ from: 'service:echo', to: '5551000', trunk: 'second' });
    await server.nth('INVITE');
    await stage.talk(number, peer);
    await stage.hangUp(id, peer);
  });

  it('that are gone keep their calls to the end, and get no others', async () => {
    const { number, peer } = await stage.connected();
    const done = await reload((text) => text.replace(carrier, '').replace(/^.*trunk:carrier.*\n/gm, '').replace('trunks:\n', 'trunks: []\n'));
    assert.deepEqual(done.applied.sort(), ['routes', 'trunks[carrier]']);
    assert.deepEqual((await api.must('listTrunks', {})).trunks, []);
    await stage.talk(number, peer);
    assert.equal(await peer.reinvite('sendonly'), 200);
    assert.equal(await peer.reinvite('sendrecv'), 200);
    await stage.talk(number, peer);
    const refused = await stage.carrier.call('1001');
    assert.equal(await refused.final(), 403);
    assert.equal((await api.createCall({ from: 'service:echo', to: '5551000' })).error.code, Code.NOT_FOUND);
    stage.alice.hangup(number);
    await until(() => peer.ended, 'BYE at the trunk');
    await until(async () => (await stage.gateway.metric('trunkline_calls_active')) === 0, 'no call');
    const { applied } = await reload((text) => `${text}limits: { max_calls: 60 }\n`);
    assert.deepEqual(applied, ['limits.max_calls']);
    assert.equal((await (await stage.gateway.get('/metrics')).text()).includes('trunk="carrier"'), false, 'its metrics go when it has no call');
  });

  it('take their registration along when they go', async (t) => {
    const server = await TrunkServer.open();
    t.after(() => server.close());
    await reload(into('trunks', trunk('second', server.port, ', username: gw, password: pw, register: true')));
    await until(async () => (await stage.gateway.metric('trunkline_trunk_registration_state', { trunk: 'second', state: 'registered' })) === 1, 'the registration');
    await reload(() => first);
    const gone = await server.nth('REGISTER', 2);
    assert.equal(header(gone, 'expires'), '0');
    const asked = server.count('OPTIONS');
    // By then the trunk would have been asked again: another one, with the same interval, is for the second time.
    const other = await TrunkServer.open();
    t.after(() => other.close());
    await reload(into('trunks', trunk('third', other.port)));
    await other.nth('OPTIONS', 2);
    assert.equal(server.count('OPTIONS'), asked);
    assert.equal(server.count('REGISTER'), 2);
  });

  it('that change keep calls and counters, and the new ones follow', async () => {
    const { id, number, peer } = await stage.connected();
    const attempts = await stage.gateway.metric('trunkline_call_attempts_total', { trunk: 'carrier' });
    assert.ok(attempts > 0);
    const port = await freePort();
    const done = await reload((text) => text.replace(`uri: "sip:127.0.0.1:${stage.gateway.carrierPort}"`, `uri: "sip:127.0.0.1:${port}"`).replace('max_calls: 2000', 'max_calls: 3'));
    assert.deepEqual(done.applied.sort(), ['trunks[carrier].max_calls', 'trunks[carrier].uri']);
    const { trunk: now } = await api.must('getTrunk', { trunk: 'carrier' });
    assert.deepEqual([now.calls, now.max_calls], [1, 3]);
    assert.ok((await stage.gateway.metric('trunkline_call_attempts_total', { trunk: 'carrier' })) >= attempts);
    const moved = await Carrier.open(stage.gateway, { port });
    const arrival = moved.arrival();
    const { call } = await api.must('createCall', { from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    await arrival;
    await stage.talk(number, peer);
    await api.must('hangupCall', { call_id: call.call_id });
    await stage.hangUp(id, peer);
    moved.close();
  });
});

describe('a file that changes', () => {
  it('is read by itself, also when it is mounted as a ConfigMap, and a bad one is reported once', async (t) => {
    const gateway = await Gateway.start();
    t.after(() => gateway.stop());
    const limit = (calls) => (text) => text.replace(/limits:.*\n|$/, `limits: { max_calls: ${calls} }\n`);
    const limited = (calls) => until(async () => (await gateway.metric('trunkline_calls_limit', { scope: 'node' })) === calls, `the limit ${calls}`);
    gateway.rewrite(limit(41));
    await limited(41);
    // As the kubelet does it: a file is a link to ..data/FILE, and ..data one to a folder that another takes the place of.
    const at = (...parts) => join(gateway.folder, ...parts);
    const publish = (version, text) => {
      mkdirSync(at(`..${version}`));
      writeFileSync(at(`..${version}`, 'gateway.yaml'), text);
      symlinkSync(`..${version}`, at('..data_tmp'));
      renameSync(at('..data_tmp'), at('..data'));
    };
    publish(1, limit(42)(gateway.configuration));
    symlinkSync('..data/gateway.yaml', at('linked'));
    renameSync(at('linked'), at('gateway.yaml'));
    await limited(42);
    publish(2, limit(43)(gateway.configuration));
    rmSync(at('..1'), { recursive: true });
    await limited(43);
    publish(3, limit('many')(gateway.configuration));
    await until(async () => (await gateway.metric('trunkline_config_last_reload_successful')) === 0, 'the refusal');
    publish(4, limit(44)(gateway.configuration));
    await limited(44);
    assert.equal(await gateway.metric('trunkline_config_last_reload_successful'), 1);
    assert.equal(gateway.logLines().filter((line) => line.why?.includes('max_calls')).length, 1);
  });

  it('is another one when a secret that it names changes', async (t) => {
    const secret = (gateway) => join(gateway.folder, 'password');
    const gateway = await Gateway.start({ users: '  - { name: alice, password_file: password }', prepare: (made) => writeFileSync(secret(made), 'secret-a\n') });
    t.after(() => gateway.stop());
    await (await SyntheticBrowser.open(gateway)).close();
    writeFileSync(secret(gateway), 'secret-z\n');
    await until(() => gateway.logLines().some((line) => line.applied === 'users[alice].password'), 'the new password');
    await (await SyntheticBrowser.open(gateway, 'alice', { password: 'secret-z' })).close();
    assert.equal(gateway.output.includes('secret-z'), false);
  });
});
