// A network between browsers and the gateway's media port, which loses what a test says. The gateway advertises `address`.
import dgram from 'node:dgram';

// What a datagram is, by its first octet (RFC 7983).
const kind = (octet) => (octet < 4 ? 'stun' : octet >= 20 && octet < 64 ? 'dtls' : octet >= 128 && octet < 192 ? 'rtp' : 'other');

export class MediaRelay {
  static async open(gateway, address) {
    const relay = new MediaRelay();
    relay.outside = await bound(gateway.webrtcPort, address);
    relay.outside.on('message', (bytes, browser) => void relay.carry(bytes, browser, gateway));
    return relay;
  }

  constructor() {
    this.flows = new Map(); // "ADDRESS:PORT" of a browser -> the socket that the gateway takes for it
    // Which datagrams are lost: (kind, 'in' or 'out' of the gateway) => boolean.
    this.loses = () => false;
  }

  async carry(bytes, browser, gateway) {
    if (this.loses(kind(bytes[0]), 'in')) return;
    const name = `${browser.address}:${browser.port}`;
    if (!this.flows.has(name)) this.flows.set(name, this.flow(browser));
    (await this.flows.get(name)).send(bytes, gateway.webrtcPort, gateway.addresses[0]);
  }

  async flow(browser) {
    const inside = await bound(0, '127.0.0.1');
    inside.on('message', (bytes) => {
      if (!this.loses(kind(bytes[0]), 'out')) this.outside.send(bytes, browser.port, browser.address);
    });
    return inside;
  }

  async close() {
    this.outside.close();
    for (const socket of await Promise.all(this.flows.values())) socket.close();
  }
}

async function bound(port, address) {
  const socket = dgram.createSocket('udp4');
  await new Promise((resolve, reject) => socket.once('error', reject).bind(port, address, resolve));
  socket.unref(); // a test that failed must not keep its process alive
  return socket;
}
