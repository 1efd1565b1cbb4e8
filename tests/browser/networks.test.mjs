// Chromium whose network goes away in the middle of a call, as when somebody leaves the Wi-Fi. The networks are made for it, in
// a namespace in which this file runs again.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { answerAtOnce } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { PageStage } from './browser.mjs';

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
  const stage = await PageStage.open({ loopback: false, onCall: answerAtOnce });
  const page = await stage.browser.signedIn('jssip', stage.gateway);
  const [number, call] = await page.dials(stage.carrier);
  const address = async () => (await page.do('statistics', number)).local?.address;

  await page.talks(call);
  const left = await address();
  const [name] = Object.entries(NETWORKS).find(([, its]) => its === left);
  const other = Object.values(NETWORKS).find((its) => its !== left);
  ip(`link delete ${name}`);
  await until(async () => (await address()) === other, `media by ${other}`);
  await page.talks(call);
  await page.do('restartIce', number);
  await page.talks(call);
  assert.equal(await address(), other);
  assert.deepEqual([call.reinvites.length, call.ended, call.rtp.ssrcs.size], [0, undefined, 1]);
  await page.hangsUp(number, call);
  await stage.idle();
  await stage.close();
}
