// SIPp as a trunk that sends REFER, with and without Replaces, and INVITE with Replaces.
import { before, describe, it } from 'node:test';
import { until } from '../peers/until.mjs';
import { sippStage, TRANSPORTS } from './sipp_stage.mjs';

const ALICE = { tone: 1000, listen: 1500 };
const BOB = { tone: 1500, listen: 1000 };

function suite(transport) {
  describe(`over ${transport.toUpperCase()}`, { concurrency: 1 }, () => {
    const stage = sippStage(transport, { users: ['alice', 'bob'] });
    const { caller } = stage;
    let gateway;
    let alice;
    let bob;
    before(() => ({ gateway, alice, bob } = stage));

    const answers = async (browser, tones) => {
      const { call } = await browser.event('incoming');
      browser.answer(call, tones);
      return call;
    };
    // A call of the trunk's to alice, and how another dialog names it (RFC 3891: to-tag is the gateway's).
    const named = async () => {
      const sipp = await caller('uac_named', { dial: '1001', args: ['-trace_logs', '-log_file', 'dialog.log'] });
      const call = await answers(alice, ALICE);
      const dialog = () => /Call-ID: (\S+) To: .*;tag=(\S+)/.exec(sipp.read('dialog.log'));
      await until(() => sipp.over || dialog(), 'the dialog to be named');
      const [, callId, toTag] = dialog();
      return { sipp, call, callId, toTag, fromTag: `${sipp.process.pid}-1` };
    };

    // RFC 5589 §6.1: the BYE comes after the answer to the last NOTIFY [refer-notify-first]
    // RFC 5589 §6.1: and the referrer stays until then [race-notify-before-bye]
    it('sends a browser on by REFER', async () => {
      const sipp = await caller('uac_refer', { dial: '1001', keys: { refer_to: `sip:echo@127.0.0.1:${gateway.sipPort}`, outcome: '200 OK' } });
      const call = await answers(alice, { tone: 1000, listen: 1000 });
      await sipp.succeeds();
      await alice.hears(call);
      alice.hangup(call);
      await alice.event('ended', { call });
    });

    it('hears that nobody is reached, and goes on', async () => {
      const sipp = await caller('uac_refer_fails', { dial: '1001', keys: { refer_to: `sip:nobody@127.0.0.1:${gateway.sipPort}`, outcome: '404 Not Found' } });
      const call = await answers(alice, ALICE);
      await sipp.succeeds();
      await alice.event('ended', { call });
    });

    it('joins two browsers by REFER with Replaces', async () => {
      const first = await named();
      const replaces = `${first.callId.replace('@', '%40')}%3Bto-tag%3D${first.toTag}%3Bfrom-tag%3D${first.fromTag}`;
      const sipp = await caller('uac_refer', { dial: '1002', keys: { refer_to: `sip:1001@127.0.0.1:${gateway.sipPort}?Replaces=${replaces}`, outcome: '200 OK' } });
      const call = await answers(bob, BOB);
      await sipp.succeeds();
      await first.sipp.succeeds();
      await alice.hears(first.call);
      await bob.hears(call);
      bob.hangup(call);
      await alice.event('ended', { call: first.call });
    });

    it('does not join what is not its own', async () => {
      const sipp = await caller('uac_refer_fails', { dial: '1002', keys: { refer_to: `sip:1001@127.0.0.1:${gateway.sipPort}?Replaces=foreign%3Bto-tag%3Da%3Bfrom-tag%3Db`, outcome: '481' } });
      const call = await answers(bob, BOB);
      await sipp.succeeds();
      await bob.event('ended', { call });
    });

    it('replaces its own call by INVITE', async () => {
      const first = await named();
      const sipp = await caller('uac_replaces', { dial: '1001', keys: { replaces: `${first.callId};to-tag=${first.toTag};from-tag=${first.fromTag}` } });
      await first.sipp.succeeds();
      await sipp.succeeds();
      await alice.event('ended', { call: first.call });
    });
  });
}

describe('SIPp', { concurrency: TRANSPORTS.length }, () => TRANSPORTS.forEach(suite));
