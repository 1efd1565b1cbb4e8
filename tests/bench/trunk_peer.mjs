// A trunk's peer for many calls: SIP over UDP, by default without media, and one small object for a call. It answers every call at
// once, or refuses it, and makes calls.
import dgram from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { format, header, parse, tagOf, uriOf } from '../peers/sip_message.mjs';
import { PATIENCE } from '../peers/until.mjs';

const BUSY = 'busy'; // the user part of a number that is; all others answer
const RTP_PORT = 40000; // where nobody listens: no call here has media

const token = () => randomBytes(6).toString('hex');

const SDP = [
  'v=0', 'o=bench 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', `m=audio ${RTP_PORT} RTP/AVP 0`,
  'a=rtpmap:0 PCMU/8000', 'a=sendrecv', '',
].join('\r\n');

export class TrunkPeer {
  // `describe` is given an INVITE, and returns the description in the answer.
  static async open(port, gatewayPort, describe = () => SDP) {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    await new Promise((done) => socket.bind(port, '127.0.0.1', done));
    return new TrunkPeer(socket, gatewayPort, describe);
  }

  constructor(socket, gatewayPort, describe) {
    this.socket = socket;
    this.describe = describe;
    this.port = socket.address().port;
    this.gatewayPort = gatewayPort;
    this.tag = token(); // of all our dialogs: their Call-IDs tell them apart
    this.waiting = new Map(); // Call-ID and method of a request -> who waits for its final response
    this.contact = ['Contact', `<sip:bench@127.0.0.1:${this.port}>`];
    socket.on('message', (bytes) => this.receive(parse(bytes.toString('latin1'))));
  }

  send(text) {
    this.socket.send(Buffer.from(text, 'latin1'), this.gatewayPort, '127.0.0.1');
  }

  receive(message) {
    if (message.status >= 200) return this.response(message);
    switch (message.method) {
      case 'INVITE':
        if (message.uri.startsWith(`sip:${BUSY}`)) return this.reply(message, '486 Busy Here');
        this.reply(message, '180 Ringing', [this.contact]);
        return this.reply(message, '200 OK', [this.contact, ['Content-Type', 'application/sdp']], this.describe(message));
      case 'ACK':
      case undefined:
        return undefined;
      default:
        return this.reply(message, '200 OK');
    }
  }

  reply(request, status, extra = [], body = '') {
    const to = header(request, 'to');
    this.send(format(`SIP/2.0 ${status}`, [
      ['Via', request.headers.via],
      ['Record-Route', request.headers['record-route']],
      ['From', header(request, 'from')],
      ['To', tagOf(to) ? to : `${to};tag=${this.tag}`],
      ['Call-ID', header(request, 'call-id')],
      ['CSeq', header(request, 'cseq')],
      ...extra,
    ], body));
  }

  response(message) {
    const key = `${header(message, 'call-id')} ${header(message, 'cseq').split(' ')[1]}`;
    this.waiting.get(key)?.(message);
    this.waiting.delete(key);
  }

  request(method, call, extra = [], body = '') {
    this.send(format(`${method} ${call.target} SIP/2.0`, [
      ['Via', `SIP/2.0/UDP 127.0.0.1:${this.port};branch=z9hG4bK${token()};rport`],
      ['Max-Forwards', '70'],
      ['From', `<sip:+4930123456@carrier.test>;tag=${this.tag}`],
      ['To', call.to],
      ['Call-ID', call.id],
      ['CSeq', `${call.sequence} ${method}`],
      this.contact,
      ...extra,
    ], body));
  }

  // Resolves to the final response.
  ask(method, call, extra, body) {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`no answer to ${method} of ${call.id}`)), PATIENCE);
      this.waiting.set(`${call.id} ${method}`, (message) => {
        clearTimeout(timer);
        done(message);
      });
      this.request(method, call, extra, body);
    });
  }

  // Calls a number at the gateway; resolves to the call, with the gateway's description, once it is answered.
  async call(number, offer = SDP) {
    const target = `sip:${number}@127.0.0.1:${this.gatewayPort}`;
    const call = { id: `${token()}@bench`, target, to: `<${target}>`, sequence: 1 };
    const answer = await this.ask('INVITE', call, [['Content-Type', 'application/sdp']], offer);
    if (answer.status !== 200) throw new Error(`${answer.start} to a call to ${number}`);
    call.to = header(answer, 'to');
    call.target = uriOf(header(answer, 'contact'));
    call.description = answer.body;
    this.request('ACK', call);
    return call;
  }

  // Resolves when BYE is answered.
  async hangUp(call) {
    call.sequence += 1;
    const answer = await this.ask('BYE', call);
    if (answer.status !== 200) throw new Error(`${answer.start} to BYE`);
  }

  close() {
    this.socket.close();
  }
}

// Peers that only answer, in a thread of their own: one at each of the ports.
export async function answeringPeers(ports, gatewayPort) {
  const worker = new Worker(new URL(import.meta.url), { workerData: { ports, gatewayPort } });
  await new Promise((done, fail) => {
    worker.once('message', done);
    worker.once('error', fail);
  });
  return { close: () => worker.terminate() };
}

if (!isMainThread && workerData?.ports) {
  for (const port of workerData.ports) await TrunkPeer.open(port, workerData.gatewayPort);
  parentPort.postMessage('open');
}
