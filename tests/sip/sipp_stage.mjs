// What a suite of tests with SIPp stands on: a gateway whose trunk speaks one transport, and browsers.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { CallControl } from '../peers/call_control.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { Sipp } from '../peers/sipp.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';

export const TRANSPORTS = ['udp', 'tcp', 'tls'];

const trunk = (gateway, transport, more) => `
  - name: carrier
    uri: "sip:127.0.0.1:${gateway.carrierPort};transport=${transport}"
    allow: ["127.0.0.1/32"]
    username: gw
    password: secret-t
    options_interval: 0s
    max_calls: 100
    max_calls_per_second: 100
${more}`;

// For the suite in which it is called. `trunkKeys` is more YAML for the trunk. `sideBySide`: its tests are no others' end.
export function sippStage(transport, { users = ['alice'], trunkKeys = '    codecs: [PCMU]\n', sideBySide = false } = {}) {
  const stage = { transport };
  const running = [];

  before(async () => {
    stage.gateway = await Gateway.start({ tls: transport === 'tls', trunks: (gateway) => trunk(gateway, transport, trunkKeys) });
    stage.api = new CallControl(stage.gateway.grpcAddress);
    for (const user of users) stage[user] = await SyntheticBrowser.open(stage.gateway, user);
  });

  // Whatever a test leaves, failed or not, must not reach the next one.
  const clear = async () => {
    for (const sipp of running.splice(0)) await sipp.close();
    for (const { call_id: id } of (await stage.api.must('listCalls', {})).calls) await stage.api.hangupCall({ call_id: id });
    for (const user of users) stage[user].events.length = 0;
    await stage.gateway.idle();
  };
  if (!sideBySide) afterEach(clear);

  after(async () => {
    if (sideBySide) await clear();
    for (const user of users) await stage[user]?.close();
    stage.api?.close();
    assert.equal((await stage.gateway?.stop())?.code, 0);
  });

  stage.caller = async (scenario, options) => {
    running.push(await Sipp.caller(stage.gateway, scenario, { transport, ...options }));
    return running.at(-1);
  };
  stage.callee = async (scenario, options) => {
    running.push(await Sipp.callee(stage.gateway, scenario, { transport, ...options }));
    return running.at(-1);
  };
  return stage;
}
