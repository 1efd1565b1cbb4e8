// A TCP connection's way to the gateway that can be cut, so that nothing comes through until it is mended.
import { connect, createServer } from 'node:net';

export class CuttableRelay {
  static async open(port) {
    const relay = new CuttableRelay();
    relay.sockets = new Set();
    relay.server = createServer((socket) => relay.join(socket, port));
    await new Promise((done, failed) => relay.server.once('error', failed).listen(0, '127.0.0.1', done));
    relay.server.unref(); // a test that failed must not keep its process alive
    return relay;
  }

  get url() {
    return `ws://127.0.0.1:${this.server.address().port}`;
  }

  join(near, port) {
    if (this.isCut) return near.destroy();
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      this.sockets.add(from);
      from.unref();
      from.on('error', () => {});
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    return undefined;
  }

  cut() {
    this.isCut = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  mend() {
    this.isCut = false;
  }

  close() {
    this.cut();
    this.server.close();
  }
}
