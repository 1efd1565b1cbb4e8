// Octets of SIP over UDP and TCP exactly as a test writes them, and the messages that come back.
import dgram from 'node:dgram';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { randomBytes } from 'node:crypto';
import { uriHost } from './gateway.mjs';
import { format, parse } from './sip_message.mjs';
import { PATIENCE, until } from './until.mjs';

export const token = () => randomBytes(8).toString('hex');

export const network = (address) => `IN ${address.includes(':') ? 'IP6' : 'IP4'} ${address}`;

export const SDP = (port, address = '127.0.0.1') => [
  'v=0', `o=raw 1 1 ${network(address)}`, 's=-', `c=${network(address)}`, 't=0 0', `m=audio ${port} RTP/AVP 0`,
  'a=rtpmap:0 PCMU/8000', 'a=sendrecv', '',
].join('\r\n');

// Where the gateway is for a peer at this address.
const gatewayFor = (address) => (address.includes(':') ? '::1' : '127.0.0.1');

class Inbox {
  constructor() {
    this.messages = [];
    this.read = 0;
  }

  // The next message not yet awaited that fits; messages before it that don't fit are passed over.
  async next(fits = () => true, what = 'a SIP message', milliseconds = PATIENCE) {
    let at;
    try {
      await until(() => {
        at = this.messages.findIndex((message, index) => index >= this.read && fits(message));
        return at >= 0;
      }, what, milliseconds);
    } catch (error) {
      throw new Error(`${error.message}; came: ${this.messages.map((message) => message.start).join(' | ')}`);
    }
    this.read = at + 1;
    return this.messages[at];
  }

  // The final response to the request with this Call-ID.
  final(callId, milliseconds) {
    return this.next((message) => message.status >= 200 && message.headers['call-id']?.[0] === callId, `final response ${callId}`, milliseconds);
  }
}

export class UdpPeer extends Inbox {
  static async open(gateway, { address = '127.0.0.1', port = 0 } = {}) {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, resolve);
    });
    return new UdpPeer(socket, gateway);
  }

  constructor(socket, gateway) {
    super();
    Object.assign(this, { socket, gateway, transport: 'UDP' });
    socket.unref(); // a test that failed must not keep its process alive
    ({ address: this.address, port: this.port } = socket.address());
    socket.on('message', (bytes) => bytes.length > 4 && this.messages.push({ ...parse(bytes.toString('latin1')), raw: bytes }));
  }

  send(octets) {
    this.socket.send(Buffer.isBuffer(octets) ? octets : Buffer.from(octets, 'latin1'), this.gateway.sipPort, gatewayFor(this.address));
  }

  close() {
    this.socket.close();
  }
}

export class TcpPeer extends Inbox {
  static async open(gateway, { address = '127.0.0.1' } = {}) {
    const socket = connect({ host: gatewayFor(address), port: gateway.sipPort, localAddress: address });
    socket.setNoDelay(true);
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new TcpPeer(socket, gateway);
  }

  constructor(socket, gateway) {
    super();
    Object.assign(this, { socket, gateway, transport: 'TCP', closed: false, pongs: 0 });
    this.address = socket.localAddress;
    this.port = socket.localPort;
    this.rest = Buffer.alloc(0);
    socket.unref();
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
    socket.on('end', () => socket.end());
  }

  take(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      while (this.rest.length >= 2 && this.rest[0] === 13 && this.rest[1] === 10) {
        this.pongs += 1;
        this.rest = this.rest.subarray(2);
      }
      const end = this.rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const message = parse(this.rest.subarray(0, end + 4).toString('latin1'));
      const size = end + 4 + Number(message.headers['content-length']?.[0] ?? 0);
      if (this.rest.length < size) return;
      this.messages.push(parse(this.rest.subarray(0, size).toString('latin1')));
      this.rest = this.rest.subarray(size);
    }
  }

  send(octets) {
    this.socket.write(Buffer.isBuffer(octets) ? octets : Buffer.from(octets, 'latin1'));
  }

  close() {
    this.socket.destroy();
  }
}

// As TcpPeer, with node's TLS options: ca, cert, key, servername, minVersion …
export class TlsPeer extends TcpPeer {
  static async open(gateway, { port = gateway.tlsPort, address = '127.0.0.1', ...options } = {}) {
    const socket = connectTls({ host: '127.0.0.1', port, localAddress: address, ...options });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    const peer = new TlsPeer(socket, gateway);
    peer.transport = 'TLS';
    return peer;
  }
}

// A complete, correct request of `peer`; `change` may replace header values or leave them out (undefined).
export function request(peer, method, { to = 'echo', callId = `${token()}@raw`, cseq = 1, headers = {}, body = '', uri } = {}) {
  const host = uriHost(peer.address ?? '127.0.0.1');
  const target = uri ?? `sip:${to}@${uriHost(gatewayFor(host))}:${peer.gateway.sipPort}`;
  const all = {
    Via: `SIP/2.0/${peer.transport} ${host}:${peer.port};branch=z9hG4bK${token()};rport`,
    'Max-Forwards': '70',
    From: `<sip:raw@carrier.test>;tag=${token()}`,
    To: `<${target}>`,
    'Call-ID': callId,
    CSeq: `${cseq} ${method}`,
    Contact: `<sip:raw@${host}:${peer.port}>`,
    ...(body === '' ? {} : { 'Content-Type': 'application/sdp' }),
    ...headers,
  };
  return { callId, text: format(`${method} ${target} SIP/2.0`, Object.entries(all), body) };
}

export function invite(peer, options = {}) {
  return request(peer, 'INVITE', { body: SDP(options.rtpPort ?? 40000, peer.address?.includes(':') ? '::1' : undefined), ...options });
}

// The ACK of a final response other than 2xx: everything but the method as in the request.
export function acknowledge(peer, sent, response) {
  const message = parse(sent.text);
  peer.send(format(`ACK ${message.uri} SIP/2.0`, [
    ['Via', message.headers.via], ['Max-Forwards', '70'], ['From', message.headers.from], ['To', response.headers.to],
    ['Call-ID', message.headers['call-id']], ['CSeq', message.headers.cseq[0].replace(/\S+$/, 'ACK')],
  ]));
}

// ACK of a 2xx, then BYE; resolves to the answer to BYE.
export function hangUp(peer, sent, response) {
  const headers = { From: parse(sent.text).headers.from, To: response.headers.to };
  const uri = /<([^>]+)>/.exec(response.headers.contact[0])[1];
  const cseq = Number.parseInt(response.headers.cseq[0], 10);
  peer.send(request(peer, 'ACK', { callId: sent.callId, cseq, headers, uri }).text);
  peer.send(request(peer, 'BYE', { callId: sent.callId, cseq: cseq + 1, headers, uri }).text);
  return peer.next((message) => message.headers.cseq?.[0] === `${cseq + 1} BYE` && message.headers['call-id'][0] === sent.callId, 'the answer to BYE');
}
