// What most tests need: a gateway, a trunk's peer, a browser, and a client of the API, which connects only when it is used.
import assert from 'node:assert/strict';
import { BROWSER, TRUNK } from './audio.mjs';
import { CallControl } from './call_control.mjs';
import { Carrier } from './carrier.mjs';
import { Gateway } from './gateway.mjs';
import { SyntheticBrowser } from './synthetic_browser.mjs';
import { until } from './until.mjs';

export { BROWSER, TRUNK };

// Numbers go to the trunk whoever calls them.
export const ROUTES = `
  - { from: "trunk:carrier", match: "^1001$", target: "user:alice" }
  - { from: "trunk:carrier", match: "^1002$", target: "user:bob" }
  - { from: any, match: "^echo$", target: "service:echo" }
  - { from: any, match: "^[+]?[0-9]{3,15}$", target: "trunk:carrier" }`;

// What a trunk's peer does with a call.
export const answerAtOnce = (call) => call.answer(TRUNK);
export const answering = (frequency) => async (call) => {
  call.ring();
  await call.answer(frequency);
};
export const ringAndAnswer = answering(TRUNK);

export class Stage {
  browsers = [];
  carriers = [];

  // `browser` and `carrier`: whether alice's browser and a peer of the trunk "carrier" are wanted, or options of theirs.
  // `onCall`: what that peer does with a call unless a test says otherwise. The rest is the gateway's; with null as `routes`
  // it has those that it has by itself.
  static async open({ browser = true, carrier = true, onCall = ringAndAnswer, token, ...settings } = {}) {
    const stage = new this();
    try {
      stage.onCall = onCall;
      stage.gateway = await Gateway.start({ routes: ROUTES, ...settings });
      stage.api = new CallControl(stage.gateway.grpcAddress, { token });
      if (carrier) stage.carrier = await stage.addCarrier(carrier === true ? {} : carrier);
      if (browser) stage.alice = await stage.addBrowser('alice', browser === true ? {} : browser);
    } catch (error) {
      await stage.close().catch(() => {});
      throw error;
    }
    return stage;
  }

  // One more of them, which ends with the stage at the latest.
  async addBrowser(user, options) {
    const browser = await SyntheticBrowser.open(this.gateway, user, options);
    this.browsers.push(browser);
    return browser;
  }

  async addCarrier(options) {
    const carrier = await Carrier.open(this.gateway, options);
    carrier.onCall = this.onCall;
    this.carriers.push(carrier);
    return carrier;
  }

  async close() {
    this.api?.close();
    for (const browser of this.browsers) await browser.close();
    for (const carrier of this.carriers) carrier.close();
    if (this.gateway) assert.deepEqual(await this.gateway.stop(), { code: 0, signal: null });
  }

  // After a test: nothing of it is left, also if it failed in the middle of a call.
  async clear() {
    for (const call of (await this.api.must('listCalls', {})).calls) await this.api.hangupCall({ call_id: call.call_id });
    await this.idle();
  }

  // After a test that ends its calls itself: they are over, what browsers have told of them is forgotten, and the trunks'
  // peers do again what they did at first.
  async idle() {
    for (const carrier of this.carriers) {
      carrier.onCall = this.onCall;
      carrier.behaviours.clear();
    }
    for (const browser of this.browsers) browser.events.length = 0;
    await this.gateway.idle();
  }

  // The trunk's peer does this with the next call: resolves to the call.
  arrival(behaviour) {
    this.carrier.onCall = behaviour;
    return this.carrier.arrival();
  }

  // A call that a browser makes to the trunk's peer, once it is answered: its number at the browser, and the peer's side.
  dials(browser = this.alice, number = '5551000') {
    return browser.dials(this.carrier, number);
  }

  // A call that the trunk's peer makes to a browser, once it is answered: as above.
  async received(number = '1001', { browser = this.alice, carrier = this.carrier } = {}) {
    const peer = await carrier.call(number);
    const { call } = await browser.event('incoming');
    browser.answer(call);
    assert.equal(await peer.final(), 200);
    peer.rtp.play(TRUNK);
    return [call, peer];
  }

  // A call between alice's browser (from) and the trunk's peer (to) by the API, up on both sides.
  async connected(request = {}, to = '5551000') {
    const arrival = this.arrival(ringAndAnswer);
    const creating = this.api.must('createCall', { from: 'user:alice', to, wait_until: 'WAIT_UNTIL_ANSWERED', ...request });
    const { call: number } = await this.alice.event('incoming');
    this.alice.answer(number);
    const peer = await arrival;
    const { call } = await creating;
    return { call, id: call.call_id, number, peer };
  }

  // The one call that lives, once there is one.
  async only() {
    const calls = await until(async () => {
      const listed = (await this.api.must('listCalls', {})).calls;
      return listed.length > 0 && listed;
    }, 'a call');
    assert.equal(calls.length, 1);
    return calls[0];
  }

  // Both hear the other.
  talk(call, peer, browser = this.alice) {
    return browser.talks(call, peer);
  }

  // Hung up by the API, and gone at the trunk.
  async hangUp(id, peer) {
    await this.api.must('hangupCall', { call_id: id });
    if (peer) await until(() => peer.ended, 'BYE at the trunk');
  }
}

// Ends a gateway at once, so that it can be launched again.
export function end(gateway) {
  gateway.process.ref();
  gateway.process.kill('SIGINT');
  return gateway.exited;
}
