// A SIP server of a carrier's over UDP, which answers what the test says, or nothing.
import dgram from 'node:dgram';
import { uriHost } from './gateway.mjs';
import { SDP, token } from './raw_sip.mjs';
import { format, header, parse } from './sip_message.mjs';
import { until } from './until.mjs';

export class TrunkServer {
  // `answer` is asked once for each request but ACK: a status, several in order, or nothing for silence.
  static async open({ port = 0, address = '127.0.0.1', answer = () => 200 } = {}) {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, address, resolve);
    });
    return new TrunkServer(socket, answer);
  }

  constructor(socket, answer) {
    Object.assign(this, { socket, answer, requests: [], tag: token(), sent: new Map(), contactParameters: '' });
    socket.unref(); // a test that failed must not keep its process alive
    ({ address: this.address, port: this.port } = socket.address());
    socket.on('message', (bytes, source) => this.receive(bytes, source));
  }

  transmit(text, source) {
    this.socket.send(text, source.port, source.address);
  }

  receive(bytes, source) {
    if (bytes.length <= 4) return;
    const message = parse(bytes.toString('latin1'));
    if (!message.method) return;
    const key = `${/branch=([^;,\s]+)/.exec(header(message, 'via'))?.[1]} ${message.method}`;
    const known = this.sent.get(key);
    if (known) {
      for (const text of known) this.transmit(text, source);
      return;
    }
    const request = { ...message, source, key };
    this.sent.set(key, []);
    this.requests.push(request);
    if (message.method === 'ACK') return;
    const statuses = message.method === 'CANCEL' ? 200 : this.answer(request);
    for (const status of [statuses ?? []].flat()) this.respond(request, status);
  }

  respond(request, status, { headers = [] } = {}) {
    const answered = status >= 200 && status < 300 && request.method === 'INVITE';
    const to = header(request, 'to');
    const text = Buffer.from(format(`SIP/2.0 ${status} Said`, [
      ...request.headers.via.map((value) => ['Via', value]),
      ['From', header(request, 'from')],
      ['To', /;tag=/.test(to) || status === 100 ? to : `${to};tag=${this.tag}`],
      ['Call-ID', header(request, 'call-id')],
      ['CSeq', header(request, 'cseq')],
      ['Contact', `<sip:carrier@${uriHost(this.address)}:${this.port}${this.contactParameters}>`],
      ...headers,
      ...(answered ? [['Content-Type', 'application/sdp']] : []),
    ], answered ? SDP(40000, this.address) : ''), 'latin1');
    this.sent.get(request.key).push(text);
    this.transmit(text, request.source);
  }

  count(method) {
    return this.requests.filter((request) => request.method === method).length;
  }

  // The last request of the method, once there have been `count`.
  async nth(method, count = 1) {
    await until(() => this.count(method) >= count, `${count} ${method} at port ${this.port}`);
    return this.requests.filter((request) => request.method === method)[count - 1];
  }

  close() {
    this.socket.close();
  }
}
