// Kamailio as a carrier: the gateway registers with it, and calls both ways go through it, by TCP on one side and by UDP on
// the other, to a phone of another make (baresip).
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Baresip } from '../peers/baresip.mjs';
import { carrier, Kamailio } from '../peers/kamailio.mjs';
import { freePorts } from '../peers/ports.mjs';
import { BROWSER, Stage } from '../peers/stage.mjs';
import { TrunkServer } from '../peers/trunk_server.mjs';
import { until } from '../peers/until.mjs';

function suite(near, far) {
  let kamailio;
  let stage;
  let phone;
  let other;
  let alice;

  before(async () => {
    const port = await freePorts(2);
    other = await TrunkServer.open({ answer: () => [180, 486] });
    const behind = { next: `127.0.0.1:${port};transport=${far}`, first: `127.0.0.1:${other.port}` };
    kamailio = await Kamailio.start({ configuration: carrier(behind) });
    stage = await Stage.open({
      carrier: false,
      trunks: () => `
  - name: carrier
    uri: "sip:127.0.0.1:${kamailio.port};transport=${near}"
    username: gw
    password: secret-t
    register: true
    register_expires: 60s
    options_interval: 0s
    max_redirects: 1
    codecs: [PCMU]`,
      routes: `
  - { from: user, match: "^555", target: "trunk:carrier" }
  - { from: "trunk:carrier", match: "^gw$", target: "user:alice" }`,
    });
    ({ alice } = stage);
    phone = await Baresip.start({ sipPort: kamailio.port }, { port, transport: far });
    await until(async () => (await stage.gateway.metric('trunkline_trunk_registration_state', { trunk: 'carrier', state: 'registered' })) === 1, 'the registration');
  });

  afterEach(async () => {
    await stage.idle();
    phone.events.length = 0;
    other.requests.length = 0;
    other.answer = () => [180, 486];
  });

  after(async () => {
    await phone?.close();
    await stage?.close();
    await kamailio?.close();
    other?.close();
  });

  const talk = async (call) => {
    await alice.hears(call);
    await phone.hears(BROWSER);
  };
  const call = async (number) => {
    const dialled = alice.call(number);
    await alice.event('answered', { call: dialled });
    await talk(dialled);
    return dialled;
  };

  // RFC 3261 §22.3: 407 of a proxy
  // RFC 3261 §12.1.2: a route set of two Record-Routes [route-set]
  it('takes a call after a 407, and hold, resume and BYE of both sides on its way', async () => {
    const dialled = await call('5551000');
    await phone.do('hold');
    await alice.event('held', { call: dialled });
    await phone.do('resume');
    await alice.event('resumed', { call: dialled });
    alice.do('hold', { call: dialled });
    alice.do('resume', { call: dialled });
    await alice.hears(dialled);
    await phone.flows();
    alice.hangup(dialled);
    await phone.event('CALL_CLOSED');
  });

  it('is hung up on by the phone behind', async () => {
    const dialled = await call('5551000');
    await phone.do('hangup');
    await alice.event('ended', { call: dialled });
  });

  it('sends on what the phone calls, to where the gateway has registered', async () => {
    await phone.dial('gw');
    const { call: incoming } = await alice.event('incoming');
    alice.answer(incoming);
    await talk(incoming);
    await phone.do('hold');
    await alice.event('held', { call: incoming });
    await phone.do('resume');
    await alice.event('resumed', { call: incoming });
    await alice.hears(incoming);
    await phone.flows();
    alice.hangup(incoming);
    await phone.event('CALL_CLOSED');
  });

  it('tries the next where the first refuses', async () => {
    const dialled = await call('5552000');
    assert.equal(other.count('INVITE'), 1);
    alice.hangup(dialled);
    await phone.event('CALL_CLOSED');
  });

  it('rings at two, of whom one answers', async () => {
    other.answer = () => 180;
    const dialled = await call('5553000');
    await until(() => other.count('CANCEL') === 1, 'the other to be cancelled');
    other.respond(await other.nth('INVITE'), 487);
    alice.hangup(dialled);
    await phone.event('CALL_CLOSED');
  });

  it('sends a call on by 302', async () => {
    const dialled = await call('5554000');
    alice.hangup(dialled);
    await phone.event('CALL_CLOSED');
  });
}

describe('Kamailio', { concurrency: 2 }, () => {
  for (const [near, far] of [['udp', 'tcp'], ['tcp', 'udp']]) {
    describe(`by ${near.toUpperCase()} to the gateway and by ${far.toUpperCase()} to the phone`, { concurrency: 1 }, () => suite(near, far));
  }
});
