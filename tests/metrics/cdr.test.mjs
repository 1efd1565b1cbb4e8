// Call records: of each call and leg one, valid by the schema that is published, whatever became of the call.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { build, repository } from '../peers/gateway.mjs';
import { ringAndAnswer, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

let stage;
let gateway;
let alice;
const path = () => join(gateway.folder, 'calls.jsonl');
const records = (file = path()) => (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').filter(Boolean).map((line) => JSON.parse(line));

before(async () => {
  stage = await Stage.open({
    extra: 'cdr: { path: calls.jsonl }',
    onCall: (call) => (call.dialled.endsWith('6') ? call.reject(486) : ringAndAnswer(call)),
  });
  ({ gateway, alice } = stage);
});
after(() => stage?.close());

const VALIDATE = `
import json, sys
from jsonschema import Draft7Validator
schema = json.load(open(sys.argv[1]))
Draft7Validator.check_schema(schema)
for line in sys.stdin:
    for error in Draft7Validator(schema).iter_errors(json.loads(line)):
        print(line.strip(), error.message)
`;
const validate = (text) => execFileSync('python3', ['-c', VALIDATE, join(repository, 'docs/cdr.schema.json')], { input: text, encoding: 'utf8' });

// The records of the call that was made last, once all of them are there.
async function recordsOf(dialled) {
  let call;
  await until(() => (call = records().find((record) => record.type === 'call' && record.dialled === dialled)), `a record of the call to ${dialled}`);
  return { call, legs: records().filter((record) => record.type === 'leg' && record.call_id === call.call_id) };
}

describe('call records', () => {
  it('tell of an answered call what it was like on both legs', async () => {
    const call = alice.call('5551001');
    await alice.event('answered', { call });
    await alice.hears(call);
    alice.hangup(call);
    await alice.event('ended', { call });
    const told = await recordsOf('5551001');
    assert.equal(told.call.answered, true);
    assert.equal(told.call.direction, 'out');
    assert.equal(told.call.trunk, 'carrier');
    assert.equal(told.call.reason, 'hangup');
    assert.equal(told.call.ended_by, 'caller');
    assert.ok(told.call.ringing_time <= told.call.answer_time && told.call.answer_time <= told.call.end_time);
    assert.deepEqual(told.legs.map(({ leg_id: id, party }) => [id, party]), [['from', 'user:alice'], ['to', 'trunk:carrier']]);
    for (const { joined, media } of told.legs) {
      assert.equal(joined, true);
      assert.ok(media.packets_received > 0 && media.packets_sent > 0 && media.mos > 1, JSON.stringify(media));
    }
    assert.match(told.legs[0].media.srtp_profile, /GCM|AES/);
  });

  it('tell of a refused call with which code', async () => {
    const call = alice.call('5551006');
    await alice.event('failed', { call });
    const told = await recordsOf('5551006');
    assert.equal(told.call.answered, false);
    assert.equal(told.call.sip_code, 486);
    assert.equal(told.call.fault, 'user_error');
    assert.equal(told.call.duration_ms, 0);
    assert.equal(told.legs.length, 2);
  });

  it('go on in a new file when somebody has moved the old one away', async () => {
    renameSync(path(), `${path()}.kept`);
    const call = alice.call('5551016');
    await alice.event('failed', { call });
    await recordsOf('5551016');
    assert.equal(records(`${path()}.kept`).some(({ dialled }) => dialled === '5551016'), false);
  });

  it('are all there when the gateway has been stopped at once, and are what the schema says', async () => {
    const call = alice.call('5551021');
    await alice.event('answered', { call });
    const written = [];
    gateway.process.ref();
    gateway.process.kill('SIGINT');
    await gateway.exited;
    for (const file of [`${path()}.kept`, path()]) written.push(readFileSync(file, 'utf8'));
    const last = records().filter(({ type }) => type === 'call').at(-1);
    assert.equal(last.dialled, '5551021');
    assert.equal(last.answered, true);
    const count = (type) => written.join('').split('\n').filter((line) => line.includes(`"type":"${type}"`)).length;
    assert.equal(count('call'), 4);
    assert.equal(count('leg'), 8);
    assert.equal(validate(written.join('')), '');
  });
});

describe('a gateway whose file of records is of no use', () => {
  it('does not start, and says why', () => {
    const file = join(gateway.folder, 'wrong.yaml');
    const check = (cdr) => {
      writeFileSync(file, `cdr: ${cdr}\n`);
      try {
        return execFileSync(join(build, 'trunkline'), ['--check-config', '--config', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
      } catch ({ status, stderr }) {
        return `${status} ${stderr}`;
      }
    };
    assert.match(check('{ path: "/no/such/folder/calls.jsonl" }'), /^78 .*cdr\.path.*no folder that exists/s);
    assert.match(check('{ max_size: 1MiB }'), /^78 .*cdr\.path/s);
    assert.match(check('{ path: "/tmp/x", max_size: 1B }'), /^78 .*cdr\.max_size/s);
  });
});
