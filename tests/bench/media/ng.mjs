// rtpengine's control protocol: bencoded dictionaries over UDP, each with a cookie that the answer repeats.
import dgram from 'node:dgram';
import { randomBytes } from 'node:crypto';

const AGAIN = 500; // ms until a request is sent once more, with the same cookie
const TRIES = 120; // valgrind starts slowly

const bytes = (text) => `${Buffer.byteLength(text, 'latin1')}:${text}`;

export function bencode(value) {
  if (Array.isArray(value)) return `l${value.map(bencode).join('')}e`;
  if (typeof value === 'object') return `d${Object.entries(value).map(([name, one]) => bytes(name) + bencode(one)).join('')}e`;
  return typeof value === 'number' ? `i${value}e` : bytes(value);
}

export function bdecode(text) {
  let at = 0;
  const until = (end) => {
    const from = at;
    at = text.indexOf(end, at) + 1;
    return text.slice(from, at - 1);
  };
  const list = () => {
    const values = [];
    for (at += 1; text[at] !== 'e';) values.push(value());
    at += 1;
    return values;
  };
  const value = () => {
    if (text[at] === 'l') return list();
    if (text[at] === 'd') {
      const flat = list();
      return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, pair) => [flat[2 * pair], flat[2 * pair + 1]]));
    }
    if (text[at] === 'i') {
      at += 1;
      return Number(until('e'));
    }
    const size = Number(until(':'));
    at += size;
    return text.slice(at - size, at);
  };
  return value();
}

export class NgClient {
  constructor(port) {
    this.port = port;
    this.waiting = new Map();
    this.socket = dgram.createSocket('udp4');
    this.socket.unref();
    this.socket.on('message', (message) => {
      const text = message.toString('latin1');
      const cookie = text.slice(0, text.indexOf(' '));
      this.waiting.get(cookie)?.(bdecode(text.slice(cookie.length + 1)));
      this.waiting.delete(cookie);
    });
  }

  async ask(command, values = {}) {
    const cookie = randomBytes(6).toString('hex');
    const text = Buffer.from(`${cookie} ${bencode({ command, ...values })}`, 'latin1');
    const answer = await new Promise((done, fail) => {
      let left = TRIES;
      const send = () => {
        if (left === 0) return fail(new Error(`rtpengine does not answer to ${command}`));
        left -= 1;
        return this.socket.send(text, this.port, '127.0.0.1');
      };
      const timer = setInterval(send, AGAIN);
      this.waiting.set(cookie, (message) => {
        clearInterval(timer);
        done(message);
      });
      send();
    });
    if (answer.result !== 'ok' && answer.result !== 'pong') throw new Error(`rtpengine: ${JSON.stringify(answer)}`);
    return answer;
  }

  close() {
    this.socket.close();
  }
}
