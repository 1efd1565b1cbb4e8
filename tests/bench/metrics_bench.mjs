// How long a scrape of a gateway with fifty trunks takes, while it carries calls; and that media does not wait for it.
import { Gateway } from '../peers/gateway.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';

const TRUNKS = 50;
const SCRAPES = 50;
const LIMIT_MS = 100;
const FORWARD_LIMIT = 0.005; // seconds in a media worker, 99 of 100 packets

const trunks = () => Array.from({ length: TRUNKS }, (_, index) => `
  - { name: carrier${index}, uri: "sip:127.0.0.1:${1024 + index}", options_interval: 0s }`).join('');

const gateway = await Gateway.start({ trunks, routes: () => '\n  - { from: any, match: "^echo$", target: "service:echo" }', log: '{ level: error, format: json }' });
const alice = await SyntheticBrowser.open(gateway);
const talk = alice.call('echo', { tone: 440 });
await alice.event('answered', { call: talk });
const times = [];
let series = 0;
for (let scrape = 0; scrape < SCRAPES; scrape += 1) {
  const begin = performance.now();
  const text = await (await gateway.get('/metrics')).text();
  times.push(performance.now() - begin);
  series = text.split('\n').filter((line) => line && !line.startsWith('#')).length;
}
times.sort((a, b) => a - b);
const total = await gateway.metric('trunkline_media_forward_latency_seconds_count');
const quick = await gateway.metric('trunkline_media_forward_latency_seconds_bucket', { le: String(FORWARD_LIMIT) });
alice.hangup(talk);
await alice.close();
await gateway.stop();
const median = times[SCRAPES / 2];
console.log(`${series} series of ${TRUNKS} trunks: a scrape takes ${median.toFixed(1)} ms (median of ${SCRAPES}), at most ${times.at(-1).toFixed(1)} ms`);
console.log(`${quick} of ${total} sampled turns of the media worker took at most ${FORWARD_LIMIT * 1000} ms meanwhile`);
process.exitCode = median < LIMIT_MS && quick >= 0.99 * total ? 0 : 1;
