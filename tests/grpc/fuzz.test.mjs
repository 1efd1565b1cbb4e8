// Whatever stands in a request's strings: the number of header lines on the wire is that of a harmless request.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Code } from '../peers/call_control.mjs';
import { random } from '../peers/random.mjs';
import { Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

const REQUESTS = 400;

const NASTY = [
  '\r\n', '\n', '\r', '\0', '\t', ' ', '"', '\\', '<', '>', ';', ',', ':', '@', '%0d%0a', '%00', '\u0085', '\u2028', '\u2029', '\ufeff', '\u{1f4de}', 'é', '\u007f',
  'X-Forged: 1', '\r\nX-Forged: 1', '\r\n\r\n', 'sip:', ';tag=1', '>;tag=2', 'SIP/2.0', '{', '}', '$', '\ud7ff', '\ue000', '\u{10ffff}', 'a', '1', '+',
];

const dice = random(20240229);
const pick = (list) => list[dice(list.length)];

function nasty() {
  let text = '';
  for (let left = dice(6) + 1; left > 0; left -= 1) {
    const point = dice(0x110000);
    text += dice(3) > 0 ? pick(NASTY) : String.fromCodePoint(point >= 0xd800 && point < 0xe000 ? 0x41 : point);
  }
  return text;
}

const mixed = (good) => (dice(2) ? good + nasty() : nasty() + good);

let stage;
let api;
let carrier;

before(async () => {
  stage = await Stage.open({ rtpPorts: 1000 }); // a port rests for a while after each call
  ({ api, carrier } = stage);
});
afterEach(() => stage.clear());
after(() => stage?.close());

const count = (message) => Object.values(message.headers).reduce((sum, values) => sum + values.length, 0);
const names = (message) => Object.keys(message.headers).sort().join();

describe('a fuzzed request', () => {
  it('of CreateCall changes nothing but its own values', async () => {
    const invites = [];
    carrier.onCall = (call) => {
      invites.push(call.invite);
      call.reject(486, 'Busy Here');
    };
    const harmless = { from: 'service:echo', to: '5551000', trunk: 'carrier', wait_until: 'WAIT_UNTIL_ANSWERED', caller_id: { number: '+4930', name: 'Name' }, headers: [{ name: 'X-A', value: 'b' }], metadata: { a: 'b' } };
    await api.createCall(harmless);
    const plain = invites.pop();
    const changes = [
      () => ({ from: mixed('service:echo') }), () => ({ to: mixed('5551000') }), () => ({ to: mixed('sip:5551000@127.0.0.1') }), () => ({ trunk: mixed('carrier') }),
      () => ({ caller_id: { number: mixed('+4930') } }), () => ({ caller_id: { name: mixed('Name') } }), () => ({ caller_id: { number: '+4930', name: nasty() } }),
      () => ({ headers: [{ name: mixed('X-A'), value: 'b' }] }), () => ({ headers: [{ name: 'X-A', value: mixed('b') }] }), () => ({ headers: [{ name: 'Subject', value: nasty() }] }),
      () => ({ metadata: { [nasty()]: nasty() } }), () => ({ request_id: nasty() }),
    ];
    let refused = 0;
    for (let at = 0; at < REQUESTS; at += 1) {
      const change = pick(changes)();
      const request = { ...harmless, ...change };
      const { error } = await api.createCall(request);
      const what = JSON.stringify(change);
      assert.ok(error, what);
      assert.notEqual(error.code, Code.INTERNAL, what);
      const invite = invites.pop();
      if (!invite) {
        refused += 1;
        continue;
      }
      assert.equal(invites.length, 0);
      assert.equal(count(invite), count(plain), `${what}\n${JSON.stringify(invite.headers)}`);
      if (!change.headers) assert.equal(names(invite), names(plain), what);
      assert.equal(invite.headers['x-forged'], undefined);
      assert.equal(invite.method, 'INVITE');
      if (change.headers) {
        const [{ name, value }] = change.headers;
        assert.equal(Buffer.from(invite.headers[name.toLowerCase()][0], 'latin1').toString(), value.trim(), what);
      }
    }
    assert.ok(refused > REQUESTS / 10 && refused < REQUESTS * 0.95, `${refused} refused`);
  });

  it('of RejectCall, HangupCall and TransferCall neither', async () => {
    const clean = (message, what) => {
      assert.equal(message.headers['x-forged'], undefined, what);
      return count(message);
    };
    const finals = new Set();
    for (let at = 0; at < 40; at += 1) {
      const peer = await carrier.call('1001');
      const { call: number } = await stage.alice.event('incoming');
      let calls;
      await until(async () => ({ calls } = await api.must('listCalls', {})).calls.length === 1, 'the call to be listed');
      const [{ call_id }] = calls;
      const reason = nasty();
      const method = pick(['rejectCall', 'hangupCall']);
      const { error } = await api[method]({ call_id, sip_code: 486, reason });
      if (error) {
        assert.equal(error.code, Code.INVALID_ARGUMENT);
        await api.must(method, { call_id, sip_code: 486, reason: 'plain' });
      }
      assert.equal(await peer.final(), 486, JSON.stringify(reason));
      finals.add(clean(peer.finalResponse, JSON.stringify(reason)));
      await stage.alice.event('ended', { call: number });
      peer.close();
    }
    assert.equal(finals.size, 1, [...finals].join());

    const byes = new Set();
    for (let at = 0; at < 15; at += 1) {
      const { id, peer } = await stage.connected();
      const target = mixed('5559999');
      const transfer = await api.transferCall({ call_id: id, target: `${target}\r\n`, mode: 'TRANSFER_MODE_REFER' });
      assert.equal(transfer.error.code, Code.INVALID_ARGUMENT);
      const reason = nasty();
      const { error } = await api.hangupCall({ call_id: id, sip_code: 480, reason });
      if (error) await api.must('hangupCall', { call_id: id, sip_code: 480, reason: 'plain' });
      await until(() => peer.ended, 'BYE at the trunk');
      byes.add(clean(peer.ended, JSON.stringify(reason)));
      assert.equal(peer.ended.body, '');
    }
    assert.equal(byes.size, 1, [...byes].join());
  });
});
