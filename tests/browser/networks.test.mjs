// Chromium whose network goes away in the middle of a call, as when somebody leaves the Wi-Fi. The networks are made for it, in
// a namespace in which this file runs again.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const MICROPHONE = 1000;
const TRUNK = 440;
const NAMESPACE = [...(process.getuid() === 0 ? [] : ['--user', '--map-root-user']), '--net'];
const NETWORKS = { wifi: '10.9.0.1', lte: '10.9.1.1' };

if (process.env.TRUNKLINE_OWN_NETWORK === '1') {
  await changesNetworks();
  process.exit(0);
}

// RFC 8445 §7.3.1.5: the browser's checks from its other network are enough [ice-new-address]
it('Chromium goes to another network by itself, then with an ICE restart, and the call goes on', { skip: refusal() }, () => {
  const env = { ...process.env, TRUNKLINE_OWN_NETWORK: '1' };
  delete env.NODE_TEST_CONTEXT;
  const { status, stdout, stderr } = spawnSync('unshare', [...NAMESPACE, process.execPath, fileURLToPath(import.meta.url)], { env, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});

function refusal() {
  return spawnSync('unshare', [...NAMESPACE, 'true']).status !== 0 && 'this machine gives no network namespaces';
}

function ip(command) {
  execFileSync('ip', command.split(' '));
}

async function changesNetworks() {
  ip('link set lo up');
  Object.entries(NETWORKS).forEach(([name, address]) => {
    ip(`link add ${name} type veth peer name ${name}-far`);
    ip(`addr add ${address}/24 dev ${name}`);
    for (const end of [name, `${name}-far`]) ip(`link set ${end} up`);
    ip(`route add default via ${address.replace(/1$/, '2')} dev ${name} metric ${name === 'wifi' ? 10 : 20}`);
  });
  const gateway = await Gateway.start();
  const carrier = await Carrier.open(gateway);
  const browser = await Browser.open(MICROPHONE, { loopback: false });
  const page = await browser.page('jssip');
  await page.do('start', { url: gateway.url, user: 'alice', password: 'secret-a' });
  await page.event('registered');
  carrier.onCall = (call) => call.answer(TRUNK);
  const arrived = carrier.arrival();
  const number = await page.do('call', '5551000');
  await page.event('confirmed', { number });
  const call = await arrived;
  const talk = async () => {
    call.rtp.forget();
    await page.hears(TRUNK);
    await until(() => call.rtp.hears(MICROPHONE) > 0.8, 'the trunk to hear the microphone');
  };
  const address = async () => (await page.do('statistics', number)).local?.address;

  await talk();
  const left = await address();
  const [name] = Object.entries(NETWORKS).find(([, its]) => its === left);
  const other = Object.values(NETWORKS).find((its) => its !== left);
  ip(`link delete ${name}`);
  await until(async () => (await address()) === other, `media by ${other}`);
  await talk();
  await page.do('restartIce', number);
  await talk();
  assert.equal(await address(), other);
  assert.deepEqual([call.reinvites.length, call.ended, call.rtp.ssrcs.size], [0, undefined, 1]);
  await page.do('hangup', number);
  await until(() => call.ended, 'BYE at the trunk');
  await browser.close();
  await gateway.idle();
  carrier.close();
  assert.equal((await gateway.stop()).code, 0);
}
