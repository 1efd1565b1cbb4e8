// Several replicas that share a store, a balancer before them, and a carrier that calls any of them.
import { rmSync } from 'node:fs';
import { Balancer } from '../peers/balancer.mjs';
import { Carrier } from '../peers/carrier.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { Redis } from '../peers/redis.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

export const SECRET = 'a secret that all replicas share';

export class Cluster {
  static async start(count, { redis = true, extra = '' } = {}) {
    const cluster = new Cluster();
    cluster.redis = redis ? await Redis.start() : null;
    cluster.extra = extra;
    cluster.gateways = [];
    for (let i = 0; i < count; i += 1) cluster.gateways.push(await cluster.launch(`edge-${i + 1}`));
    cluster.balancer = await Balancer.open(cluster.gateways.map((gateway) => gateway.wsPort));
    cluster.carriers = [];
    for (const gateway of cluster.gateways) cluster.carriers.push(await Carrier.open(gateway));
    cluster.browsers = [];
    return cluster;
  }

  launch(node) {
    return Gateway.start({ extra: `
node: ${node}
credentials: { secret: "${SECRET}" }
store: { type: redis, url: "${this.redis.url}" }
${this.extra}` });
  }

  // A browser that comes by the balancer, to this gateway if one is named.
  async browser(user, gateway, options) {
    this.balancer.only(gateway?.wsPort);
    const browser = await SyntheticBrowser.open(this.balancer, user, options);
    this.balancer.only();
    this.browsers.push(browser);
    return browser;
  }

  // Resolves when the store has what all gateways have to tell, and each of them takes it.
  async written(gateways = this.gateways) {
    for (const gateway of gateways) {
      await until(async () => (await gateway.metric('trunkline_store_up')) === 1, `the store at ${gateway.sipPort}`);
      await until(async () => (await gateway.metric('trunkline_store_waiting')) === 0, 'all bindings to be written');
    }
  }

  async idle(gateways = this.gateways) {
    for (const gateway of gateways) await gateway.idle();
  }

  async close() {
    for (const browser of this.browsers) await browser.close();
    for (const carrier of this.carriers) carrier.close();
    this.balancer?.close();
    const ends = [];
    for (const gateway of this.gateways) {
      if (gateway.process.signalCode === 'SIGKILL') rmSync(gateway.folder, { recursive: true, force: true });
      else ends.push(await gateway.stop());
    }
    await this.redis?.stop();
    return ends;
  }
}
