// A page's user agent whose messages a test writes itself: signs its requests by digest, registers, and answers calls.
import { createHash } from 'node:crypto';
import { acknowledge, request, token } from './raw_sip.mjs';
import { RawWebSocket } from './raw_websocket.mjs';
import { format, header } from './sip_message.mjs';
import { until } from './until.mjs';

const md5 = (text) => createHash('md5').update(text).digest('hex');

export const OFFER = [
  'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', 'm=audio 9 UDP/TLS/RTP/SAVPF 0 8',
  'c=IN IP4 0.0.0.0', 'a=rtcp:9 IN IP4 0.0.0.0', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx',
  `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=setup:actpass', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux',
  'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000', '',
].join('\r\n');

export class RawBrowser {
  static async open(gateway, user = 'alice', password = 'secret-a') {
    const browser = new RawBrowser(await RawWebSocket.open(gateway), user, password);
    const contact = `<sip:${user}@${browser.socket.address};transport=ws>;expires=600`;
    const answer = await browser.ask('REGISTER', { uri: 'sip:example.test', headers: { To: browser.address, Contact: contact } });
    if (answer.status !== 200) throw new Error(`REGISTER was answered with ${answer.status}`);
    return browser;
  }

  constructor(socket, user, password) {
    Object.assign(this, { socket, user, password, address: `<sip:${user}@example.test>` });
  }

  // RFC 7118 §5: a text frame is UTF-8.
  send(message) {
    this.socket.send(Buffer.from(message.text));
  }

  // The same request again with credentials; what is sent is not awaited.
  async sign(method, { uri, headers = {}, body = '' }) {
    const all = { From: `${this.address};tag=${token()}`, Contact: `<sip:${this.user}@${this.socket.address};transport=ws>`, ...headers };
    const plain = request(this.socket, method, { uri, headers: all, body });
    this.send(plain);
    const refusal = await this.socket.final(plain.callId);
    if (method === 'INVITE') acknowledge(this.socket, plain, refusal);
    const challenge = header(refusal, 'www-authenticate');
    const field = (name) => new RegExp(`\\b${name}="?([^",]+)"?`).exec(challenge)?.[1];
    const response = md5(`${md5(`${this.user}:${field('realm')}:${this.password}`)}:${field('nonce')}:00000001:c:auth:${md5(`${method}:${uri}`)}`);
    const authorization = `Digest username="${this.user}", realm="${field('realm')}", nonce="${field('nonce')}", uri="${uri}", ` +
      `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"` + (field('opaque') ? `, opaque="${field('opaque')}"` : '');
    return request(this.socket, method, { uri, body, cseq: 2, headers: { ...all, Authorization: authorization } });
  }

  async ask(method, options) {
    const signed = await this.sign(method, options);
    this.send(signed);
    return this.socket.final(signed.callId);
  }

  // An INVITE; resolves once it has left.
  async call(number, headers = {}) {
    const signed = await this.sign('INVITE', { uri: `sip:${number}@example.test`, headers, body: OFFER });
    this.send(signed);
    return signed;
  }

  // The next request of this method that comes.
  async arrives(method) {
    const found = await until(() => this.socket.messages.find((message) => message.method === method && !message.seen), method);
    found.seen = true;
    return found;
  }

  // The next call that comes.
  called() {
    return this.arrives('INVITE');
  }

  respond(asked, status, headers = []) {
    this.socket.send(format(`SIP/2.0 ${status} Said`, [
      ...asked.headers.via.map((value) => ['Via', value]), ['From', header(asked, 'from')], ['To', `${header(asked, 'to')};tag=page`],
      ['Call-ID', header(asked, 'call-id')], ['CSeq', header(asked, 'cseq')], ...headers,
    ]));
  }

  close() {
    this.socket.close();
  }
}

export const textOf = (message) => [message.start, ...Object.entries(message.headers).flatMap(([name, values]) => values.map((value) => `${name}: ${value}`)), message.body].join('\n');
