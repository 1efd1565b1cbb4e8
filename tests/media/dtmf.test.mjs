// Digits between a browser and a trunk that has no telephone events: as tones in the sound, and by INFO.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { keysIn } from '../peers/audio.mjs';
import { answerAtOnce, Stage } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';

for (const [codec, browser] of [['PCMU', true], ['Opus', { options: ['--opus'] }]]) {
  describe(`a trunk without events and INFO, and a browser of ${codec}`, () => {
    let stage;
    let gateway;
    let alice;
    let api;
    let call;
    let peer;

    before(async () => {
      stage = await Stage.open({ onCall: answerAtOnce, browser });
      ({ gateway, alice, api } = stage);
      stage.carrier.takesEvents = false;
      stage.carrier.allow = 'INVITE, ACK, BYE, CANCEL';
      [call, peer] = await stage.dials();
      await alice.talks(call, peer);
    });

    after(async () => {
      if (peer) await alice.hangsUp(call, peer);
      await stage?.close();
    });

    const digits = (leg, method) => gateway.metric('trunkline_dtmf_digits_total', { leg, method });
    const heard = async (keys, act) => {
      peer.rtp.samples = [];
      await act();
      await until(() => keysIn(peer.rtp.samples) === keys, `${keys} in the sound at the trunk`);
    };

    // RFC 4733 §1.2: from the trunk [digits-in-band]
    it('the trunk\'s tones reach the page by INFO, each once', async () => {
      peer.rtp.dial('19#4455');
      for (const digit of '19#4455') {
        const { digit: body } = await alice.event('digit', { call });
        assert.ok(body.startsWith(`Signal=${digit}\r\n`), body);
      }
      await alice.talks(call, peer);
      assert.equal(alice.has('digit'), false);
      assert.equal(await digits('sip', 'inband'), 7);
      assert.equal(await gateway.metric('trunkline_dtmf_events_total', { leg: 'sip', direction: 'in', method: 'inband' }), 7);
      assert.equal(await gateway.metric('trunkline_dtmf_listeners'), 1);
    });

    // RFC 4733 §1.2: to the trunk [digits-in-band]
    it('a digit of the page is a tone at the trunk, whether it comes by RTP or INFO', async () => {
      await heard('5', () => alice.do('digit', { call, digit: '5', by: 'rtp' }));
      await heard('9', () => alice.do('digit', { call, digit: '9', by: 'info' }));
      await alice.talks(call, peer);
      assert.deepEqual([...peer.rtp.payloadTypes], [0]);
      assert.deepEqual(peer.rtp.digits, []);
    });

    it('the API dials by tones, and the sound comes back behind them', async () => {
      const [{ call_id: id }] = (await api.must('listCalls', {})).calls;
      await heard('42#', () => api.must('sendDtmf', { call_id: id, digits: '42#' }));
      await alice.talks(call, peer);
      assert.equal(peer.rtp.ssrcs.size, 1);
      assert.deepEqual(peer.rtp.jumps, []);
    });
  });
}

describe('a trunk without events that takes INFO', () => {
  let stage;

  before(async () => {
    stage = await Stage.open({ onCall: answerAtOnce });
    stage.carrier.takesEvents = false;
  });
  afterEach(() => stage.idle());
  after(() => stage?.close());

  it('is believed by its INFO, and counted once where its tone comes too', async () => {
    const { alice } = stage;
    const [call, peer] = await stage.dials();
    await alice.talks(call, peer);
    for (const digit of ['3', '8']) {
      peer.rtp.dial(digit);
      peer.info(digit);
      assert.match((await alice.event('digit', { call })).digit, new RegExp(`^Signal=${digit}`));
    }
    alice.do('digit', { call, digit: '7', by: 'rtp' });
    await until(() => peer.infos.some((body) => body.startsWith('Signal=7')), '7 by INFO at the trunk');
    await alice.talks(call, peer);
    assert.equal(alice.has('digit'), false);
    await alice.hangsUp(call, peer);
  });
});

describe('dtmf: inband', () => {
  let stage;

  before(async () => (stage = await Stage.open({ codecs: '[PCMU]', trunkExtra: '    dtmf: inband\n' })));
  after(() => stage?.close());

  it('agrees to no events with a trunk that would have them', async () => {
    const { alice } = stage;
    const [call, peer] = await stage.received();
    assert.doesNotMatch(peer.answerSdp, /telephone-event/);
    await alice.talks(call, peer);
    peer.rtp.dial('6');
    assert.match((await alice.event('digit', { call })).digit, /^Signal=6/);
    peer.rtp.samples = [];
    alice.do('digit', { call, digit: '2', by: 'rtp' });
    await until(() => keysIn(peer.rtp.samples) === '2', '2 in the sound at the trunk');
    peer.bye();
    await alice.event('ended', { call });
  });
});
