// A network between the gateway and a peer that loses the first copy of every SIP message, in both directions: whatever
// matters must be sent again, and then it comes through. No luck is involved.
import dgram from 'node:dgram';
import { format, header, parse } from './sip_message.mjs';

// Copies of one message share these, even where its sender writes the rest anew.
const identity = ({ start, ...message }) => [start, header(message, 'call-id'), header(message, 'cseq')].join('\n');

export class LossyRelay {
  // `peerPort` is where the peer itself listens. The gateway knows it by `port`, the peer knows the gateway by `gatewayPort`.
  static async open(gateway, { peerPort, port = 0 }) {
    const relay = new LossyRelay();
    const outside = await bound(port);
    const inside = await bound(0);
    Object.assign(relay, { outside, inside, peerPort, port: outside.address().port, gatewayPort: inside.address().port });
    inside.on('message', (bytes) => relay.carry(bytes, outside, gateway.sipPort));
    outside.on('message', (bytes) => relay.carry(bytes, inside, peerPort));
    return relay;
  }

  constructor() {
    this.messages = new Map(); // identity -> { start, method, callId, copies }
  }

  carry(bytes, from, port) {
    const message = parse(bytes.toString('latin1'));
    const key = identity(message);
    const known = this.messages.get(key) ?? {
      start: message.start, method: header(message, 'cseq')?.split(' ')[1], callId: header(message, 'call-id'), copies: 0,
    };
    known.copies += 1;
    this.messages.set(key, known);
    if (known.copies > 1) from.send(bytes, port, '127.0.0.1');
  }

  // How many different messages came through, each after its first copy was lost: requests of a method or, with a status, responses to it.
  carried(method, status) {
    const start = status === undefined ? `${method} ` : `SIP/2.0 ${status} `;
    return [...this.messages.values()].filter((one) => one.method === method && one.start.startsWith(start) && one.copies > 1).length;
  }

  // Tells the peer, not the gateway, in each call to go on: an INFO that wants no answer.
  goOn() {
    const via = `SIP/2.0/UDP 127.0.0.1:${this.gatewayPort};branch=z9hG4bKrelay`;
    for (const callId of new Set([...this.messages.values()].map((one) => one.callId))) {
      const headers = [['Via', via], ['From', '<sip:relay@127.0.0.1>;tag=relay'], ['To', '<sip:peer@127.0.0.1>'], ['Call-ID', callId], ['CSeq', '1 INFO']];
      this.inside.send(format('INFO sip:peer@127.0.0.1 SIP/2.0', headers), this.peerPort, '127.0.0.1');
    }
  }

  close() {
    this.inside.close();
    this.outside.close();
  }
}

async function bound(port) {
  const socket = dgram.createSocket('udp4');
  await new Promise((resolve, reject) => socket.once('error', reject).bind(port, '127.0.0.1', resolve));
  socket.unref(); // a test that failed must not keep its process alive
  return socket;
}
