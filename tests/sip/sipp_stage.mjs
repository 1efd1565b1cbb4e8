// What a suite of tests with SIPp stands on: a gateway whose trunk speaks one transport, and browsers.
import { after, afterEach, before } from 'node:test';
import { Sipp } from '../peers/sipp.mjs';
import { Stage } from '../peers/stage.mjs';

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
  let opened;

  before(async () => {
    opened = await Stage.open({
      browser: false, carrier: false, routes: null, tls: transport === 'tls', trunks: (gateway) => trunk(gateway, transport, trunkKeys),
    });
    Object.assign(stage, { gateway: opened.gateway, api: opened.api });
    for (const user of users) stage[user] = await opened.addBrowser(user);
  });

  // Whatever a test leaves, failed or not, must not reach the next one.
  const clear = async () => {
    for (const sipp of running.splice(0)) await sipp.close();
    await opened.clear();
  };
  if (!sideBySide) afterEach(clear);

  after(async () => {
    if (sideBySide) await clear();
    await opened?.close();
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
