// baresip, a phone that isn't ours, as the trunk's peer: calls both ways with sound both ways, over every transport.
import { after, afterEach, before, describe, it } from 'node:test';
import { Baresip } from '../peers/baresip.mjs';
import { freePorts } from '../peers/ports.mjs';
import { BROWSER, Stage } from '../peers/stage.mjs';

function suite(transport) {
  let stage;
  let baresip;
  let alice;
  let api;

  before(async () => {
    const port = await freePorts(2);
    stage = await Stage.open({
      carrier: false,
      tls: transport === 'tls',
      trunks: `
  - name: carrier
    uri: "sip:127.0.0.1:${port + (transport === 'tls' ? 1 : 0)};transport=${transport}"
    allow: ["127.0.0.1/32"]
    codecs: [PCMU]
    options_interval: 0s`,
    });
    ({ alice, api } = stage);
    baresip = await Baresip.start(stage.gateway, { port, transport });
  });

  // Whatever a test leaves, failed or not, must not reach the next one.
  afterEach(async () => {
    await stage.clear();
    baresip.events.length = 0;
  });

  after(async () => {
    await baresip?.close();
    await stage?.close();
  });

  const talk = async (call) => {
    await alice.hears(call);
    await baresip.hears(BROWSER);
  };
  const dialled = async () => {
    const call = alice.call('5551000');
    await alice.event('answered', { call });
    await talk(call);
    return call;
  };
  const dials = async () => {
    await baresip.dial('1001');
    const { call } = await alice.event('incoming');
    alice.answer(call);
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
    await baresip.do('transfer', `sip:echo@127.0.0.1:${stage.gateway.sipPort}`);
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
