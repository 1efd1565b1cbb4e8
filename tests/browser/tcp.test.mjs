// Chromium that is told of TCP candidates alone: what is left of the gateway where a network blocks UDP.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { until } from '../peers/until.mjs';
import { Browser } from './browser.mjs';

const MICROPHONE = 1000;
const TRUNK = 440;

// Runs in the page.
function blockUdp() {
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function setRemoteDescription({ type, sdp }) {
    window.connection = this;
    return set.call(this, { type, sdp: sdp.replace(/a=candidate:\S+ 1 UDP .*\r\n/g, '') });
  };
}

async function pairOf() {
  const reports = [...(await window.connection.getStats()).values()];
  const pair = reports.find((report) => report.type === 'candidate-pair' && report.nominated);
  return reports.find((report) => report.id === pair?.localCandidateId)?.protocol;
}

describe('a browser whose network blocks UDP', () => {
  let gateway;
  let carrier;
  let browser;

  before(async () => {
    gateway = await Gateway.start();
    carrier = await Carrier.open(gateway);
    browser = await Browser.open(MICROPHONE);
  });

  afterEach(async () => {
    await browser.closePages();
    carrier.endCalls();
  });

  after(async () => {
    await browser?.close();
    carrier?.close();
    assert.equal((await gateway?.stop())?.code, 0);
  });

  // RFC 6544 §10: a real browser takes the passive candidate [ice-tcp]
  it('and the trunk hear each other, and nothing is left', async () => {
    const page = await browser.page('jssip');
    await page.page.evaluate(blockUdp);
    await page.do('start', { url: gateway.url, user: 'alice', password: 'secret-a' });
    await page.event('registered');
    carrier.onCall = (call) => call.answer(TRUNK);
    const arrived = carrier.arrival();
    const number = await page.do('call', '5551000');
    const call = await arrived;
    await page.event('confirmed', { number });
    await page.hears(TRUNK);
    await until(() => call.rtp.hears(MICROPHONE) > 0.8, 'the trunk to hear the microphone');
    assert.equal(await page.page.evaluate(pairOf), 'tcp');
    await page.do('hangup', number);
    await until(() => call.ended, 'BYE at the trunk');
    await until(async () => (await gateway.metric('trunkline_ice_tcp_connections')) === 0, 'the connection to be closed');
  });
});
