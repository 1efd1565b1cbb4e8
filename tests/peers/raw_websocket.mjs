// A WebSocket client (RFC 6455) that can also do what a correct one never would.
import { request } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { parse } from './sip_message.mjs';
import { PATIENCE, until } from './until.mjs';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

// The answer to a handshake: { status, headers, socket?, head? }.
export function handshake(gateway, { protocol = 'sip', headers = {} } = {}) {
  const key = randomBytes(16).toString('base64');
  return new Promise((resolve, reject) => {
    const sent = request({
      host: '127.0.0.1', port: gateway.wsPort, path: '/', agent: false,
      headers: {
        Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': key,
        ...(protocol === null ? {} : { 'Sec-WebSocket-Protocol': protocol }), ...headers,
      },
    });
    sent.on('upgrade', (response, socket, head) => {
      const expected = createHash('sha1').update(key + GUID).digest('base64');
      if (response.headers['sec-websocket-accept'] !== expected) return reject(new Error('wrong Sec-WebSocket-Accept'));
      return resolve({ status: response.statusCode, headers: response.headers, socket, head });
    });
    sent.on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode, headers: response.headers });
    });
    sent.on('error', reject);
    sent.end();
  });
}

export class RawWebSocket {
  static async open(gateway, options) {
    const answer = await handshake(gateway, options);
    if (answer.status !== 101) throw new Error(`the handshake was answered with ${answer.status}`);
    return new RawWebSocket(answer, gateway);
  }

  constructor({ socket, head }, gateway) {
    Object.assign(this, { socket, gateway, transport: 'WS', address: `${randomBytes(6).toString('hex')}.invalid`, port: 5060 });
    this.messages = [];
    this.closed = false;
    this.closeCode = undefined;
    this.rest = Buffer.alloc(0);
    socket.unref(); // a test that failed must not keep its process alive
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
    if (head.length > 0) this.take(head);
  }

  take(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      if (this.rest.length < 2) return;
      let size = this.rest[1] & 0x7f;
      let at = 2;
      if (size === 126) {
        if (this.rest.length < 4) return;
        size = this.rest.readUInt16BE(2);
        at = 4;
      } else if (size === 127) {
        if (this.rest.length < 10) return;
        size = Number(this.rest.readBigUInt64BE(2));
        at = 10;
      }
      if (this.rest.length < at + size) return;
      const payload = this.rest.subarray(at, at + size);
      const opcode = this.rest[0] & 0x0f;
      this.rest = this.rest.subarray(at + size);
      this.frame(opcode, payload);
    }
  }

  frame(opcode, payload) {
    if (opcode === OPCODE.close) {
      this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.socket.end();
    } else if (opcode === OPCODE.ping) {
      this.sendFrame(OPCODE.pong, payload);
    } else if (opcode === OPCODE.text || opcode === OPCODE.binary) {
      const text = payload.toString('latin1');
      if (text.trim() !== '') this.messages.push(parse(text));
    }
  }

  // One masked frame; `final` false begins or continues a fragmented message.
  sendFrame(opcode, payload, { final = true, masked = true } = {}) {
    const mask = masked ? randomBytes(4) : Buffer.alloc(0);
    const extended = payload.length < 126 ? 0 : payload.length <= 65535 ? 2 : 8;
    const head = Buffer.alloc(2 + extended);
    head[0] = (final ? 0x80 : 0) | opcode;
    head[1] = (masked ? 0x80 : 0) | { 0: payload.length, 2: 126, 8: 127 }[extended];
    if (extended === 2) head.writeUInt16BE(payload.length, 2);
    if (extended === 8) head.writeBigUInt64BE(BigInt(payload.length), 2);
    const body = Buffer.from(payload);
    if (masked) for (let at = 0; at < body.length; at += 1) body[at] ^= mask[at % 4];
    this.socket.write(Buffer.concat([head, mask, body]));
  }

  send(octets) {
    this.sendFrame(OPCODE.text, Buffer.isBuffer(octets) ? octets : Buffer.from(octets, 'latin1'));
  }

  final(callId, milliseconds = PATIENCE) {
    return until(() => this.messages.find((message) => message.status >= 200 && message.headers['call-id']?.[0] === callId),
      `final response ${callId}`, milliseconds);
  }

  ended(milliseconds) {
    return until(() => this.closed || this.closeCode !== undefined, 'the WebSocket to be closed', milliseconds);
  }

  close() {
    this.socket.destroy();
  }
}
