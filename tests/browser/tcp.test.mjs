// Chromium that is told of TCP candidates alone: what is left of the gateway where a network blocks UDP.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { answerAtOnce } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { PageStage } from './browser.mjs';

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
  let stage;

  before(async () => (stage = await PageStage.open({ onCall: answerAtOnce })));
  afterEach(() => stage.idle());
  after(() => stage?.close());

  // RFC 6544 §10: a real browser takes the passive candidate [ice-tcp]
  it('and the trunk hear each other, and nothing is left', async () => {
    const page = await stage.browser.page('jssip');
    await page.page.evaluate(blockUdp);
    await page.do('start', { url: stage.gateway.url, user: 'alice', password: 'secret-a' });
    await page.event('registered');
    const [number, call] = await page.dials(stage.carrier);
    await page.talks(call);
    assert.equal(await page.page.evaluate(pairOf), 'tcp');
    await page.hangsUp(number, call);
    await until(async () => (await stage.gateway.metric('trunkline_ice_tcp_connections')) === 0, 'the connection to be closed');
  });
});
