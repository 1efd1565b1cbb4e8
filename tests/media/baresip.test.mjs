// baresip, a phone that isn't ours, as the trunk's peer: calls both ways with sound both ways, over every transport.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Baresip } from '../peers/baresip.mjs';
import { CallControl } from '../peers/call_control.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { freePorts } from '../peers/ports.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';

const BROWSER = 1000;
const BARESIP = 440;

function suite(transport) {
  let gateway;
  let baresip;
  let alice;
  let api;

  before(async () => {
    const port = await freePorts(2);
    gateway = await Gateway.start({
      tls: transport === 'tls',
      trunks: `
  - name: carrier
    uri: "sip:127.0.0.1:${port + (transport === 'tls' ? 1 : 0)};transport=${transport}"
    allow: ["127.0.0.1/32"]
    codecs: [PCMU]
    options_interval: 0s`,
    });
    baresip = await Baresip.start(gateway, { port, transport });
    alice = await SyntheticBrowser.open(gateway);
    api = new CallControl(gateway.grpcAddress);
  });

  // Whatever a test leaves, failed or not, must not reach the next one.
  afterEach(async () => {
    for (const { call_id: id } of (await api.must('listCalls', {})).calls) await api.hangupCall({ call_id: id });
    await gateway.idle();
    alice.events.length = 0;
    baresip.events.length = 0;
  });

  after(async () => {
    await alice?.close();
    await baresip?.close();
    api?.close();
    assert.equal((await gateway?.stop())?.code, 0);
  });

  const talk = async (call) => {
    await alice.hears(call);
    await baresip.hears(BROWSER);
  };
  const dialled = async () => {
    const call = alice.call('5551000', { tone: BROWSER, listen: BARESIP });
    await alice.event('answered', { call });
    await talk(call);
    return call;
  };
  const dials = async () => {
    await baresip.dial('1001');
    const { call } = await alice.event('incoming');
    alice.answer(call, { tone: BROWSER, listen: BARESIP });
    await baresip.event('CALL_ESTABLISHED');
    await talk(call);
    return call;
  };

  it('is called, and hung up on', async () => {
    const call = await dialled();
    alice.hangup(call);
    await baresip.event('CALL_CLOSED');
  });

  it('calls, and hangs up', async () => {
    const call = await dials();
    await baresip.do('hangup');
    await alice.event('ended', { call });
  });

  it('gives a ringing browser up', async () => {
    await baresip.dial('1001');
    const { call } = await alice.event('incoming');
    await baresip.event('CALL_RINGING');
    await baresip.do('hangup');
    await alice.event('ended', { call });
  });

  for (const [who, begin] of [['is called', dialled], ['calls', dials]]) {
    it(`${who}, and holds and resumes`, async () => {
      const call = await begin();
      await baresip.do('hold');
      await alice.event('held', { call });
      await baresip.do('resume');
      await alice.event('resumed', { call });
      await alice.hears(call);
      await baresip.flows();
      alice.hangup(call);
      await baresip.event('CALL_CLOSED');
    });

    it(`${who}, and is held and resumed`, async () => {
      const call = await begin();
      baresip.events.length = 0;
      for (const verb of ['hold', 'resume']) {
        alice.do(verb, { call });
        await baresip.event('CALL_REMOTE_SDP', { param: 'offer' });
      }
      await alice.hears(call);
      await baresip.flows();
      alice.hangup(call);
      await baresip.event('CALL_CLOSED');
    });
  }

  it('sends digits and gets them', async () => {
    const call = await dialled();
    for (const digit of ['5', '#']) {
      await baresip.do('sndcode', digit);
      await alice.event('digit', { call, digit });
    }
    for (const digit of ['7', '*']) {
      alice.do('digit', { call, digit });
      await baresip.event('CALL_DTMF_START', { param: digit });
      await baresip.event('CALL_DTMF_END');
    }
    alice.hangup(call);
    await baresip.event('CALL_CLOSED');
  });

  // RFC 3515 §2.4.5: baresip tells by NOTIFY how its call, which is to itself, went
  it('is sent on by REFER, and calls the target', async () => {
    const call = await dialled();
    const [{ call_id: id }] = (await api.must('listCalls', {})).calls;
    await api.must('transferCall', { call_id: id, target: '5551000', mode: 'TRANSFER_MODE_REFER' });
    await alice.event('ended', { call });
    const target = transport === 'udp' ? baresip.uri : `${baresip.uri};transport=${transport}`;
    await baresip.event('CALL_ESTABLISHED', { direction: 'outgoing', peeruri: target });
    await baresip.event('CALL_ESTABLISHED', { direction: 'incoming', peeruri: baresip.uri });
    await baresip.do('hangup');
  });

  it('sends a browser on by REFER', async () => {
    const call = alice.call('5551000', { tone: BROWSER, listen: BROWSER });
    await baresip.event('CALL_ESTABLISHED');
    await baresip.do('transfer', `sip:echo@127.0.0.1:${gateway.sipPort}`);
    await baresip.event('CALL_CLOSED');
    await alice.hears(call);
    alice.hangup(call);
    await alice.event('ended', { call });
  });
}

describe('baresip', { concurrency: 3 }, () => {
  for (const transport of ['udp', 'tcp', 'tls']) {
    describe(`over ${transport.toUpperCase()}`, { concurrency: 1 }, () => suite(transport));
  }
});
