// Many WatchCalls streams in one thread, cheaply: HTTP/2 with as much of gRPC and protobuf as they need, no copies and no
// objects for an event. Each stream knows whether the events that it got are complete.
import { connect, constants } from 'node:http2';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { details, types } from './call_control.mjs';
import { until } from './until.mjs';

const PATH = '/trunkline.v1.CallService/WatchCalls';
const FRAME_HEADER = 5; // gRPC: compressed or not, length
const SEQUENCE = 1; // fields of WatchCallsResponse
const RESUME_TOKEN = 2;
const SNAPSHOT_END = 4;
const EVENT = 5;
const NONE = -1;
const WINDOW = 1 << 20; // of a connection, whose streams have 64 KiB each

// The varint at `at`: [value, end].
function varint(bytes, at) {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const octet = bytes[at];
    at += 1;
    value += (octet & 0x7f) * factor;
    if (octet < 0x80) return [value, at];
  }
}

function request(token) {
  const text = Buffer.from(token, 'latin1');
  const body = text.length > 0 ? Buffer.concat([Buffer.from([0x0a, text.length]), text]) : text;
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUInt32BE(body.length, 1);
  return Buffer.concat([header, body]);
}

// How a stream ended: { code, reason, resumeToken }.
function outcome(trailers) {
  const packed = trailers['grpc-status-details-bin'];
  const status = packed && details(types['google.rpc.Status'].deserialize(Buffer.from(packed, 'base64')));
  const info = status?.details.ErrorInfo;
  return { code: Number(trailers['grpc-status'] ?? -1), reason: info?.reason, resumeToken: info?.metadata.resume_token ?? '' };
}

class Subscriber {
  // `progress[index]` is the number of the last event, or of the end of the snapshot, with nothing missed; NONE before, and
  // for good where an event did not follow the one before. With a token it begins with `last`, which the token stands for.
  constructor(session, { token, last, progress }, index) {
    Object.assign(this, { progress, index, missed: false, ended: null, rest: null });
    progress[index] = last;
    this.stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': 'application/grpc', te: 'trailers' }, { endStream: false });
    let trailers = {};
    this.stream.on('data', (bytes) => this.take(bytes));
    this.stream.on('response', (headers) => (trailers = headers));
    this.stream.on('trailers', (headers) => (trailers = headers));
    this.stream.on('error', () => {});
    this.stream.on('close', () => (this.ended = outcome(trailers)));
    this.stream.end(request(token));
  }

  // It has its snapshot, or with a token an event, and has missed nothing since.
  get begun() {
    return this.progress[this.index] !== NONE;
  }

  cancel() {
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  take(bytes) {
    if (this.rest) bytes = Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER) {
      const end = at + FRAME_HEADER + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) break;
      this.message(bytes, at + FRAME_HEADER, end);
      at = end;
    }
    this.rest = at < bytes.length ? bytes.subarray(at) : null;
  }

  // Fields come in the order of their numbers.
  message(bytes, at, end) {
    let sequence = 0;
    while (at < end) {
      const field = bytes[at] >> 3;
      if (field === EVENT) return this.event(sequence);
      if (field === SNAPSHOT_END) this.progress[this.index] = sequence;
      if (field !== SEQUENCE && field !== RESUME_TOKEN) return undefined;
      const [value, next] = varint(bytes, at + 1);
      if (field === SEQUENCE) sequence = value;
      at = field === SEQUENCE ? next : next + value;
    }
    return undefined;
  }

  event(sequence) {
    if (sequence !== this.progress[this.index] + 1) this.missed = true;
    this.progress[this.index] = this.missed ? NONE : sequence;
  }
}

export class Subscribers {
  // Opens that many streams, spread over the connections; resolves when each has its snapshot or has ended.
  static async open(port, { streams, connections = 4, token = '', last = NONE, progress = new Int32Array(streams) }) {
    const all = new Subscribers();
    all.progress = progress;
    for (let at = 0; at < connections; at += 1) {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      await new Promise((done) => session.once('connect', done));
      session.setLocalWindowSize(WINDOW);
      all.sessions.push(session);
    }
    for (let at = 0; at < streams; at += 1) all.list.push(new Subscriber(all.sessions[at % connections], { token, last, progress }, at));
    await until(() => all.list.every((one) => one.begun || one.ended), 'the snapshots');
    return all;
  }

  constructor() {
    this.sessions = [];
    this.list = [];
  }

  // One more stream, on the first connection.
  add() {
    const one = new Subscriber(this.sessions[0], { token: '', last: NONE, progress: new Int32Array(1) }, 0);
    this.list.push(one);
    return one;
  }

  // The streams that have everything up to this event.
  complete(sequence) {
    return this.progress.reduce((count, last) => count + (last >= sequence), 0);
  }

  async close() {
    for (const one of this.list) one.cancel();
    await Promise.all(this.sessions.map((session) => new Promise((done) => {
      session.once('close', done);
      session.destroy();
    })));
  }
}

// The same in a thread of their own, so that their work delays nothing that the caller measures.
export class SubscribersThread {
  // `stopped`: so many of the streams, the first ones, read nothing after their snapshot.
  static async open(port, { streams, connections, stopped = 0 }) {
    const progress = new Int32Array(new SharedArrayBuffer(4 * streams));
    const thread = new SubscribersThread();
    thread.progress = progress;
    thread.worker = new Worker(new URL(import.meta.url), { workerData: { port, streams, connections, stopped, progress } });
    await new Promise((done, fail) => {
      thread.worker.once('message', done);
      thread.worker.once('error', fail);
    });
    return thread;
  }

  complete(sequence) {
    return Subscribers.prototype.complete.call(this, sequence);
  }

  async close() {
    await this.worker.terminate();
  }
}

if (!isMainThread && workerData?.progress) {
  const { list } = await Subscribers.open(workerData.port, workerData);
  for (const { stream } of list.slice(0, workerData.stopped)) stream.pause();
  parentPort.postMessage('open');
}
