// A TCP balancer: each connection goes to the next target that is in use and takes it.
import { connect, createServer } from 'node:net';

export class Balancer {
  // `targets`: ports at 127.0.0.1.
  static async open(targets) {
    const balancer = new Balancer();
    balancer.targets = targets;
    balancer.out = new Set(); // of use: no new connections go there
    balancer.next = 0;
    balancer.server = createServer((client) => balancer.take(client));
    balancer.server.unref();
    await new Promise((ready) => balancer.server.listen(0, '127.0.0.1', ready));
    balancer.port = balancer.server.address().port;
    return balancer;
  }

  // As a gateway is to a browser.
  get addresses() {
    return ['127.0.0.1'];
  }

  urlAt() {
    return `ws://127.0.0.1:${this.port}`;
  }

  use(port, wanted = true) {
    if (wanted) this.out.delete(port);
    else this.out.add(port);
  }

  // The next connections go to this one alone; without one to each in turn.
  only(port) {
    this.out = new Set(port === undefined ? [] : this.targets.filter((target) => target !== port));
  }

  take(client, tried = 0) {
    client.on('error', () => {});
    if (tried >= this.targets.length) return void client.destroy();
    const port = this.targets[this.next++ % this.targets.length];
    if (this.out.has(port)) return this.take(client, tried + 1);
    const server = connect(port, '127.0.0.1');
    let open = false;
    server.once('connect', () => {
      open = true;
      client.pipe(server).pipe(client);
    });
    server.on('error', () => (open ? client.destroy() : this.take(client, tried + 1)));
    server.on('close', () => open && client.destroy());
    client.on('close', () => server.destroy());
  }

  close() {
    this.server.close();
  }
}
