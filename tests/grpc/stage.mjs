// A gateway with a trunk, a browser and a client of its API, as most tests here need them.
import assert from 'node:assert/strict';
import { CallControl } from '../peers/call_control.mjs';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

export const BROWSER = 1000; // Hz that a browser says
export const TRUNK = 440; // Hz that the trunk's peer says

// Numbers go to the trunk whoever calls them.
export const ROUTES = `
  - { from: "trunk:carrier", match: "^1001$", target: "user:alice" }
  - { from: "trunk:carrier", match: "^1002$", target: "user:bob" }
  - { from: any, match: "^echo$", target: "service:echo" }
  - { from: any, match: "^[+]?[0-9]{3,15}$", target: "trunk:carrier" }`;

export class Stage {
  static async open({ browser = true, carrier = true, token, ...options } = {}) {
    const stage = new Stage();
    try {
      stage.gateway = await Gateway.start({ routes: ROUTES, ...options });
      if (carrier) stage.carrier = await Carrier.open(stage.gateway);
      if (browser) stage.alice = await SyntheticBrowser.open(stage.gateway);
      stage.api = new CallControl(stage.gateway.grpcAddress, { token });
    } catch (error) {
      await stage.close().catch(() => {});
      throw error;
    }
    return stage;
  }

  async close() {
    this.api?.close();
    await this.alice?.close();
    this.carrier?.close();
    assert.equal((await this.gateway?.stop())?.code ?? 0, 0);
  }

  // After a test: nothing of it is left, also if it failed in the middle of a call.
  async clear() {
    for (const call of (await this.api.must('listCalls', {})).calls) await this.api.hangupCall({ call_id: call.call_id });
    if (this.carrier) {
      this.carrier.onCall = ringAndAnswer;
      this.carrier.behaviours.clear();
    }
    if (this.alice) this.alice.events.length = 0;
    await this.gateway.idle();
  }

  // The trunk's peer does this with the next call: resolves to the call.
  arrival(behaviour) {
    this.carrier.onCall = behaviour;
    return this.carrier.arrival();
  }

  // A call between alice's browser (from) and the trunk's peer (to), up on both sides.
  async connected(request = {}, to = '5551000') {
    const arrival = this.arrival(ringAndAnswer);
    const creating = this.api.must('createCall', { from: 'user:alice', to, wait_until: 'WAIT_UNTIL_ANSWERED', ...request });
    const { call: number } = await this.alice.event('incoming');
    this.alice.answer(number, { tone: BROWSER, listen: TRUNK });
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
  async talk(number, peer) {
    peer.rtp.forget();
    await this.alice.hears(number);
    await until(() => peer.rtp.hears(BROWSER) > 0.8, 'the trunk to hear the browser');
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

export const ringAndAnswer = async (call) => {
  call.ring();
  await call.answer(TRUNK);
};
