// A NAT between browsers and the gateway's port for their media, which may forget its mappings at any moment: the gateway
// then sees each browser come from another address and port, and what it sends to the one before reaches nobody.
import dgram from 'node:dgram';

export class AddressTranslator {
  // Browsers find it at `address`, on the very port that the gateway at 127.0.0.1 has.
  static async open(port, address) {
    const translator = new AddressTranslator();
    translator.port = port;
    translator.outside = await bound(port, address);
    translator.outside.on('message', (bytes, from) => void translator.carry(bytes, from));
    return translator;
  }

  constructor() {
    this.host = '127.0.0.3';
    this.sees = () => {}; // what goes to a browser
    this.mappings = new Map(); // address and port of a browser -> the socket that stands for it, promised
  }

  async carry(bytes, from) {
    const key = `${from.address}:${from.port}`;
    if (!this.mappings.has(key)) this.mappings.set(key, this.mapping(from));
    const socket = await this.mappings.get(key);
    if (!this.closed && this.mappings.get(key) === socket.promised) socket.send(bytes, this.port, '127.0.0.1');
  }

  mapping(browser) {
    const promised = bound(0, this.host).then((socket) => {
      socket.promised = promised;
      socket.on('message', (bytes) => {
        if (this.closed) return;
        this.sees(bytes);
        this.outside.send(bytes, browser.port, browser.address);
      });
      return socket;
    });
    return promised;
  }

  // From now on browsers come from `host`.
  async move(host) {
    this.host = host;
    const before = [...this.mappings.values()];
    this.mappings.clear();
    for (const socket of await Promise.all(before)) socket.close();
  }

  async close() {
    await this.move(this.host);
    this.closed = true;
    this.outside.close();
  }
}

async function bound(port, address) {
  const socket = dgram.createSocket('udp4');
  await new Promise((resolve, reject) => socket.once('error', reject).bind(port, address, resolve));
  socket.unref(); // a test that failed must not keep its process alive
  return socket;
}
