// What a SIP response becomes: the status of the waiting RPC, the end in the event, and the row of DescribeStatus are one.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Code, details } from '../peers/call_control.mjs';
import { ringAndAnswer, Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

let stage;
let api;
let carrier;
let events;
let mappings;

before(async () => {
  stage = await Stage.open({ rtpPorts: 1000, trunkExtra: '    username: gw\n    password: secret-t\n    max_redirects: 3\n    capacity_phrase: "(?i)cps limit"\n' });
  ({ api, carrier } = stage);
  events = api.watchCalls();
  await events.snapshotEnd();
  ({ mappings } = await api.must('describeStatus', {}));
});

afterEach(() => stage.clear());

after(async () => {
  events?.cancel();
  await stage?.close();
});

const row = (code) => mappings.find((one) => one.sip_code === code);

// A call that the trunk's peer refuses: its error, its last event, and the row of its code.
async function refused(status, reason = 'Refused', headers = [], prepare = () => {}) {
  let invites = 0;
  const calls = new Set();
  const refuse = (call) => {
    calls.add(call.callId);
    invites += 1;
    prepare(call);
    call.reject(status, reason, headers);
    // A second try, with credentials or another session interval, is refused as well.
    const request = call.request.bind(call);
    call.request = (message, from) => {
      if (message.method !== 'INVITE') return request(message, from);
      if (message.headers.cseq[0] === call.invite.headers.cseq[0]) return undefined;
      call.invite = message;
      invites += 1;
      return call.reject(status, reason, headers);
    };
  };
  carrier.onCall = refuse;
  const { error, trailers } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
  assert.ok(error, 'the call was refused');
  assert.notEqual(error.details.SipStatus?.call_id ?? '', '', JSON.stringify(error));
  const { call } = await events.event('ended', error.details.SipStatus.call_id);
  return { error, call, end: call.end, trailers, invites: () => invites, calls };
}

// The waiting RPC and the event say the same.
function agree({ error, end }) {
  assert.deepEqual(details(end.status), { code: error.code, message: error.message, details: error.details });
  assert.equal(end.reason, error.reason);
  assert.equal(end.sip_code, error.details.SipStatus.code);
}

describe('each row of the table', () => {
  it('is what the peer\'s response becomes, for the RPC and in the event', async (t) => {
    const rows = mappings.filter((one) => one.sip_code >= 300);
    assert.ok(rows.length > 60, `${rows.length} rows`);
    for (const { sip_code, grpc_code, reason, fault } of rows) {
      await t.test(`${sip_code}`, async () => {
        const { error, end, calls, invites } = await refused(sip_code);
        // Nobody has cancelled this call, so its 487 is the peer's own doing.
        const [code, why] = sip_code === 487 ? ['ABORTED', 'CALL_ABANDONED_BY_PEER'] : [grpc_code, reason];
        assert.equal(Code[error.code], code);
        assert.equal(error.reason, why);
        assert.equal(error.details.ErrorInfo.domain, 'trunkline');
        assert.equal(error.pushback, '-1');
        const sip = error.details.SipStatus;
        assert.deepEqual([sip.code, sip.reason_phrase, sip.origin, sip.trunk, sip.leg_id], [sip_code, 'Refused', 'ORIGIN_REMOTE', 'carrier', 'to']);
        assert.ok(calls.has(sip.sip_call_id));
        if (sip_code !== 487) assert.equal(end.fault, fault);
        assert.equal(calls.size, 1, 'one call on the wire');
        assert.ok(invites() <= 2, `${invites()} INVITEs`);
        agree({ error, end });
      });
    }
  });

  it('stands for its class if the code is not in the table', async () => {
    for (const code of [399, 499, 599, 699]) {
      const { mappings: [mapping] } = await api.must('describeStatus', { sip_code: code });
      const { error, end } = await refused(code);
      assert.equal(mapping.reason, `SIP_${code}`);
      assert.equal(Code[error.code], mapping.grpc_code);
      assert.equal(error.reason, mapping.reason);
      agree({ error, end });
    }
  });

  it('is given one by one, and provisional responses are no status', async () => {
    assert.deepEqual((await api.must('describeStatus', { sip_code: 486 })).mappings, [row(486)]);
    for (const code of [100, 180, 181, 182, 183, 199]) assert.equal(row(code).provisional, true);
    for (const code of [200, 202, 204]) assert.equal(row(code).grpc_code, 'OK');
    for (const code of [99, 700, -1]) assert.equal((await api.describeStatus({ sip_code: code })).error.code, Code.INVALID_ARGUMENT);
    assert.deepEqual(mappings.map((one) => one.sip_code), mappings.map((one) => one.sip_code).sort((a, b) => a - b));
  });
});

describe('Retry-After', () => {
  it('becomes RetryInfo where the table says so', async () => {
    for (const code of [404, 413, 480, 486, 500, 503, 600, 603]) {
      const { error, end } = await refused(code, 'Refused', [['Retry-After', '17 (in a while);duration=60']]);
      assert.equal(error.details.RetryInfo?.retry_delay.seconds, 17, String(code));
      assert.equal(error.details.SipStatus.retry_after.seconds, 17);
      agree({ error, end });
    }
  });

  it('that is none is ignored', async () => {
    for (const value of ['soon', '-1', '99999999999999999999']) {
      const { error } = await refused(486, 'Busy Here', [['Retry-After', value]]);
      assert.equal(error.reason, 'CALLEE_BUSY', value);
    }
  });
});

describe('Reason: Q.850', () => {
  for (const cause of [34, 42, 44, 47]) {
    it(`cause ${cause} is the trunk's capacity`, async () => {
      const { error, end } = await refused(503, 'Service Unavailable', [['Reason', `Q.850 ;cause=${cause} ;text="No circuit"`]]);
      assert.equal(error.code, Code.RESOURCE_EXHAUSTED);
      assert.equal(error.reason, 'TRUNK_CAPACITY');
      assert.ok(error.details.QuotaFailure.violations.length > 0);
      assert.equal(error.details.SipStatus.q850_cause, cause);
      assert.equal(error.details.SipStatus.q850_text, 'No circuit');
      agree({ error, end });
    });
  }

  it('need not be said where the trunk has a phrase for it', async () => {
    const { error, end } = await refused(503, 'CPS limit exceeded', [['Retry-After', '3']]);
    assert.equal(error.reason, 'TRUNK_CAPACITY');
    assert.equal(error.details.QuotaFailure.violations[0].subject, 'trunk:carrier');
    assert.equal(error.details.RetryInfo.retry_delay.seconds, 3);
    agree({ error, end });
  });

  for (const [code, cause] of [[503, 38], [480, 41], [486, 17], [404, 1], [480, 19], [480, 18]]) {
    it(`cause ${cause} of a ${code} is told and changes nothing`, async () => {
      const { error, end } = await refused(code, 'Refused', [['Reason', `Q.850;cause=${cause}`]]);
      assert.equal(Code[error.code], row(code).grpc_code);
      assert.equal(error.reason, row(code).reason);
      assert.equal(error.details.SipStatus.q850_cause, cause);
      agree({ error, end });
    });
  }
});

describe('a call that the network blocks', () => {
  for (const [what, phrase, headers] of [
    ['the phrase', 'Network Blocked', []],
    ['the Reason text', 'Decline', [['Reason', 'SIP;cause=603;text="v=analytics1;url=https://redress.example.test/x"']]],
  ]) {
    it(`is known by ${what}`, async () => {
      const { error, end } = await refused(603, phrase, headers);
      assert.equal(error.code, Code.PERMISSION_DENIED);
      assert.equal(error.reason, 'CALL_BLOCKED_BY_NETWORK');
      if (headers.length > 0) assert.equal(error.details.Help.links[0].url, 'https://redress.example.test/x');
      agree({ error, end });
    });
  }
});

describe('what else a response says', () => {
  it('Warnings and the phrase are told', async () => {
    const { error } = await refused(488, 'No codec', [['Warning', '305 sbc.example.test "Incompatible media format"']]);
    assert.deepEqual(error.details.SipStatus.warnings, ['Incompatible media format']);
    assert.equal(error.details.SipStatus.reason_phrase, 'No codec');
  });

  it('a phrase that is no UTF-8 does not break the answer', async () => {
    const { error } = await refused(486, 'B\xe4h \xff\xfe');
    assert.equal(error.reason, 'CALLEE_BUSY');
  });

  it('the phase tells how far the call had come', async () => {
    for (const [phase, prepare] of [['PHASE_TRYING', () => {}], ['PHASE_RINGING', (call) => call.ring()], ['PHASE_EARLY_MEDIA', (call) => call.early()]]) {
      const { error } = await refused(480, 'Gone', [], prepare);
      assert.equal(error.details.SipStatus.phase, phase);
    }
  });
});

describe('a redirection', () => {
  it('that is not followed tells the contacts', async () => {
    const contacts = [['Contact', '"A" <sip:a@192.0.2.1>;q=0.5'], ['Contact', '<sip:b@192.0.2.2:5070;transport=tcp>, <sip:c@192.0.2.3>']];
    for (const code of [300, 301, 302, 305, 380]) {
      const { error, end, invites } = await refused(code, 'Elsewhere', contacts);
      assert.deepEqual(error.details.SipStatus.contacts, ['sip:a@192.0.2.1', 'sip:b@192.0.2.2:5070;transport=tcp', 'sip:c@192.0.2.3']);
      assert.equal(error.reason, row(code).reason);
      assert.equal(invites(), 1);
      agree({ error, end });
    }
  });

  // The trunk's peer does this with each INVITE of one call: (call, how many came before) => void.
  const withEach = (behaviour) => {
    const invites = [];
    carrier.onCall = (call) => {
      const request = call.request.bind(call);
      const take = () => {
        invites.push(call.invite);
        return behaviour(call, invites.length - 1);
      };
      call.request = (message, from) => {
        if (message.method !== 'INVITE' || message.headers.cseq[0] === call.invite.headers.cseq[0]) return request(message, from);
        call.invite = message;
        call.rejected = false;
        return take();
      };
      return take();
    };
    return invites;
  };
  const number = (digits) => `sip:${digits}@127.0.0.1:${carrier.port}`;
  const moved = (call, ...digits) => call.reject(302, 'Moved Temporarily', digits.map((one, index) => ['Contact', `<${number(one)}>;q=0.${9 - index}`]));

  it('to another number of the trunk is followed', async () => {
    const invites = withEach((call, before) => (before === 0 ? moved(call, '5552000') : ringAndAnswer(call)));
    const { call } = await api.must('createCall', { from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.deepEqual(invites.map((one) => one.uri), [number('5551000'), number('5552000')]);
    await api.must('hangupCall', { call_id: call.call_id });
    assert.equal((await events.event('ended', call.call_id)).call.end.fault, 'FAULT_SUCCESS');
  });

  it('goes through its contacts, and the best refusal counts', async () => {
    const invites = withEach((call, before) => (before === 0 ? moved(call, '5552000', '5553000') : call.reject(before === 1 ? 486 : 500)));
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.deepEqual(invites.map((one) => one.uri), [number('5551000'), number('5552000'), number('5553000')]);
    assert.equal(error.reason, 'CALLEE_BUSY');
  });

  it('that has no end is told after the limit', async () => {
    const invites = withEach((call, before) => moved(call, `555${before}`));
    const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    assert.equal(invites.length, 4);
    assert.equal(error.code, Code.FAILED_PRECONDITION);
    assert.equal(error.reason, 'REDIRECTED');
  });

  it('of an ambiguous number tells the choices', async () => {
    const { error } = await refused(485, 'Ambiguous', [['Contact', '<sip:miller.j@192.0.2.1>']]);
    assert.deepEqual(error.details.SipStatus.contacts, ['sip:miller.j@192.0.2.1']);
  });
});

describe('487', () => {
  it('after HangupCall is a cancelled call', async () => {
    let ringing;
    carrier.onCall = (call) => {
      ringing = call;
      call.ring();
    };
    const creating = api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
    const call = await stage.only();
    await events.event('ringing', call.call_id);
    await api.must('hangupCall', { call_id: call.call_id });
    const { error } = await creating;
    assert.equal(error.code, Code.CANCELLED);
    assert.equal(error.reason, 'CALL_CANCELLED');
    await until(() => ringing.cancelled, 'CANCEL at the trunk');
    agree({ error, end: (await events.event('ended', call.call_id)).call.end });
  });

  it('after the caller hung up is its doing', async () => {
    carrier.onCall = (call) => call.ring();
    const number = stage.alice.call('5551000');
    const call = await stage.only();
    await events.event('ringing', call.call_id);
    stage.alice.hangup(number);
    const { end } = (await events.event('ended', call.call_id)).call;
    assert.equal(end.status.code, Code.CANCELLED);
    assert.equal(end.reason, 'CALLER_HUNG_UP');
    assert.equal(end.ended_by, 'ENDED_BY_CALLER');
  });
});

describe('a browser\'s refusal', () => {
  for (const code of [480, 486, 600, 603]) {
    it(`${code} is what the peer's would be`, async (t) => {
      const bob = await SyntheticBrowser.open(stage.gateway, 'bob');
      t.after(() => bob.close());
      const creating = api.createCall({ from: 'service:echo', to: 'user:bob', wait_until: 'WAIT_UNTIL_ANSWERED' });
      bob.reject((await bob.event('incoming')).call, code);
      const { error } = await creating;
      assert.equal(Code[error.code], row(code).grpc_code);
      assert.equal(error.reason, row(code).reason);
    });
  }
});

describe('a trunk that is not there', () => {
  it('is unavailable or does not answer', async () => {
    const silent = carrier.loses;
    carrier.loses = (start) => start.startsWith('INVITE');
    try {
      const { error } = await api.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });
      assert.equal(error.code, Code.DEADLINE_EXCEEDED);
      assert.equal(error.reason, 'TRUNK_NO_RESPONSE');
      assert.equal(error.details.SipStatus.phase, 'PHASE_NO_RESPONSE');
      assert.equal(error.details.SipStatus.origin, 'ORIGIN_LOCAL');
    } finally {
      carrier.loses = silent;
    }
  });
});
