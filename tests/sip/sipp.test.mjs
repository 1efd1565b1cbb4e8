// SIPp, a SIP implementation that isn't ours, as the trunk's peer in both directions, over UDP, TCP and TLS.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { Sipp } from '../peers/sipp.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';
import { sippStage, TRANSPORTS } from './sipp_stage.mjs';

function suite(transport) {
  describe(`over ${transport.toUpperCase()}`, { concurrency: 1 }, () => {
    const stage = sippStage(transport);
    const { caller, callee } = stage;
    let gateway;
    let alice;
    before(() => ({ gateway, alice } = stage));

    const answerAll = async (count) => {
      for (let answered = 0; answered < count; answered += 1) alice.answer((await alice.event('incoming')).call);
    };

    // RFC 3261 §13.2.1: our 2xx has Allow and Supported [allow-supported]
    it('calls the echo service', async () => {
      await (await caller('uac', { calls: 20, rate: 20, args: ['-d', '200'] })).succeeds();
    });

    it('sends RTP and gets as much back', async () => {
      const packets = (direction) => gateway.metric('trunkline_rtp_packets_total', { leg: 'sip', direction });
      const before = [await packets('in'), await packets('out')];
      await (await caller('uac_rtp', { args: ['-d', '3000'] })).succeeds();
      const received = (await packets('in')) - before[0];
      const echoed = (await packets('out')) - before[1];
      assert.ok(received >= 40, `a second of packets came, not ${received}`);
      assert.ok(echoed >= 0.9 * received, `as much went back, not ${echoed} for ${received}`);
    });

    it('calls a browser', async () => {
      const sipp = await caller('uac', { calls: 5, rate: 5, dial: '1001', args: ['-d', '300'] });
      await answerAll(5);
      await sipp.succeeds();
    });

    // RFC 5923 §5: BYE leaves by the connection that the caller made [race-dialog-keeps-transport]
    it('is hung up on by a browser', async () => {
      const sipp = await caller('uac_ended_by_peer', { dial: '1001' });
      const { call } = await alice.event('incoming');
      alice.answer(call);
      await alice.event('media', { call });
      alice.hangup(call);
      await sipp.succeeds();
    });

    it('holds and resumes a call to a browser', async () => {
      const sipp = await caller('uac_hold', { dial: '1001' });
      const { call } = await alice.event('incoming');
      alice.answer(call);
      await alice.event('held', { call });
      await alice.event('resumed', { call });
      await sipp.succeeds();
      await alice.event('ended', { call });
    });

    it('gives a ringing browser up', async () => {
      const sipp = await caller('uac_cancel', { dial: '1001' });
      const { call } = await alice.event('incoming');
      await alice.event('ended', { call });
      await sipp.succeeds();
    });

    // RFC 3261 §13.2.1: so has our INVITE [allow-supported]
    it('is called by a browser, which hears itself in the echo', async () => {
      const sipp = await callee('uas', { args: ['-rtp_echo'] });
      const call = alice.call('5551000', { tone: 1000, listen: 1000 });
      await alice.event('ringing', { call, status: 180 });
      await alice.event('answered', { call });
      await alice.hears(call);
      alice.hangup(call);
      await sipp.succeeds();
    });

    it('hangs up on a browser', async () => {
      const sipp = await callee('uas_ends', { args: ['-d', '300'] });
      const call = alice.call('5551001');
      await alice.event('answered', { call });
      await alice.event('ended', { call });
      await sipp.succeeds();
    });

    it('challenges and finds the credentials right', async () => {
      const sipp = await callee('uas_challenge');
      const call = alice.call('5551002');
      await alice.event('answered', { call });
      alice.hangup(call);
      await sipp.succeeds();
    });

    for (const [sent, relayed] of [[486, 486], [404, 404], [603, 603], [503, 500], [401, 403]]) {
      it(`refuses with ${sent}, which a browser sees as ${relayed}`, async () => {
        const sipp = await callee('uas_reject', { keys: { status: sent } });
        const call = alice.call('5551003');
        const failed = await alice.event('failed', { call });
        assert.equal(failed.status, relayed);
        await sipp.succeeds();
      });
    }

    const pracks = (direction) => gateway.metric('trunkline_sip_requests_total', { direction, transport, method: 'PRACK' });
    const byesAnswered = () => gateway.metric('trunkline_sip_responses_total', { direction: 'in', transport, method: 'BYE' });

    it('requires reliable ringing and acknowledges it', async () => {
      const before = await pracks('in');
      const sipp = await caller('uac_prack', { dial: '1001', args: ['-d', '300'] });
      const { call } = await alice.event('incoming');
      await until(async () => (await pracks('in')) > before, 'PRACK');
      alice.answer(call);
      await sipp.succeeds();
    });

    it('answers reliably before its 200, which bears no description', async () => {
      const sipp = await callee('uas_reliable', { args: ['-rtp_echo'] });
      const call = alice.call('5551010', { tone: 1000, listen: 1000 });
      await alice.event('answered', { call });
      await alice.hears(call);
      alice.hangup(call);
      await sipp.succeeds();
    });

    // [scenario, what it does]: each is over when the browser has hung up.
    for (const [scenario, what] of [
      ['uas_reliable_forks', 'rings reliably on two forks with the same RSeq, and answers on one'],
      ['uas_forks', 'answers on two forks, of which one is ended'],
      ['uas_bye_crossing', 'hangs up in the moment in which it is hung up on'],
    ]) {
      it(what, async () => {
        const before = await byesAnswered();
        const sipp = await callee(scenario);
        const call = alice.call('5551011');
        await alice.event('answered', { call });
        if (scenario === 'uas_forks') await until(async () => (await byesAnswered()) > before, 'the end of the second fork');
        alice.hangup(call);
        await sipp.succeeds();
      });
    }

    it('answers although it was cancelled', async () => {
      const sipp = await callee('uas_late_answer');
      const call = alice.call('5551012');
      await alice.event('ringing', { call });
      alice.hangup(call);
      await sipp.succeeds();
    });

    it('offers while our own offer waits for its answer', async () => {
      const sipp = await callee('uas_glare');
      const call = alice.call('5551013');
      await alice.event('answered', { call });
      const [{ call_id: id }] = (await stage.api.must('listCalls', {})).calls;
      await stage.api.must('holdCall', { call_id: id });
      alice.hangup(call);
      await sipp.succeeds();
    });

    it('calls without an offer, and asks for another one later', async () => {
      const sipp = await caller('uac_delayed', { dial: '1001' });
      alice.answer((await alice.event('incoming')).call);
      await sipp.succeeds();
    });

    it('never answers our offer', async () => {
      const sipp = await caller('uac_ack_without_answer', { dial: '1001' });
      const { call } = await alice.event('incoming');
      alice.answer(call);
      await alice.event('ended', { call });
      await sipp.succeeds();
    });

    // RFC 4028 §9: a 2xx that makes the caller the refresher requires timer [refresher-required]
    it('changes the refresher of the session with each refresh', async () => {
      await (await caller('uac_refresher_changes')).succeeds();
    });

    if (transport !== 'udp') return;

    // Of each of these messages a second copy must have come, in every call.
    const cameAgain = (relay, calls) => {
      for (const [method, status] of [['INVITE'], ['INVITE', 200], ['ACK'], ['BYE'], ['BYE', 200]]) {
        assert.equal(relay.carried(method, status), calls, `${method} ${status ?? ''} in each call`);
      }
    };

    // RFC 3261 §13.3.1.4: a 2xx that is lost is sent again [race-2xx-lost]
    it('calls over a network that loses the first copy of every message', async () => {
      const calls = 20;
      const retransmissions = await gateway.metric('trunkline_sip_retransmissions_total');
      const sipp = await caller('uac_stays', { calls, rate: 20, lossy: true });
      await until(() => sipp.over || sipp.between.carried('ACK') === calls, 'every ACK');
      sipp.between.goOn();
      await sipp.succeeds();
      cameAgain(sipp.between, calls);
      assert.ok((await gateway.metric('trunkline_sip_retransmissions_total')) >= retransmissions + calls, 'copies are counted');
    });

    it('rings reliably over a network that loses the first copy of every message', async () => {
      const sipp = await caller('uac_prack', { dial: '1001', lossy: true, args: ['-d', '3000'] });
      const { call } = await alice.event('incoming');
      await until(() => sipp.over || sipp.between.carried('PRACK', 200) === 1, 'the answer to PRACK');
      alice.answer(call);
      await sipp.succeeds();
      assert.equal(sipp.between.carried('INVITE', 180), 1, 'the 180 came again');
      assert.equal(sipp.between.carried('PRACK'), 1, 'and so did its PRACK');
    });

    it('is called over a network that loses the first copy of every message', async () => {
      const calls = 5;
      const sipp = await callee('uas_stays', { calls, lossy: true });
      const numbers = Array.from({ length: calls }, (_, index) => alice.call(`555200${index}`));
      for (const call of numbers) await alice.event('answered', { call });
      await until(() => sipp.over || sipp.between.carried('ACK') === calls, 'every ACK');
      for (const call of numbers) alice.hangup(call);
      await until(() => sipp.over || sipp.between.carried('BYE', 200) === calls, 'every answer to BYE');
      sipp.between.goOn();
      await sipp.succeeds();
      cameAgain(sipp.between, calls);
    });
  });
}

describe('SIPp', { concurrency: TRANSPORTS.length }, () => TRANSPORTS.forEach(suite));

describe('a browser that is gone', () => {
  it('is unavailable to SIPp', async () => {
    const gateway = await Gateway.start();
    const alice = await SyntheticBrowser.open(gateway);
    await alice.kill();
    await until(async () => (await gateway.metric('trunkline_registrations')) === 0, 'no registration');
    const sipp = await Sipp.caller(gateway, 'uac_unavailable', { dial: '1001' });
    try {
      await sipp.succeeds();
    } finally {
      await sipp.close();
      await gateway.stop();
    }
  });
});
