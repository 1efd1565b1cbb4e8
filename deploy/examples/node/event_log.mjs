// Writes every event of every call into a file, one JSON document a line, each exactly once.
//
// The place to continue at is the resume_token in the last line of the file itself: whether this program, the gateway's
// connection or the machine breaks, nothing is lost and nothing is written twice. If the gateway no longer knows the token,
// a line {"gap":true} says so, and a snapshot of all calls follows.
import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { callService, commandLine, failure, grpc, metadata } from './trunkline.mjs';

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5000;
// These won't be better next time.
const FINAL = [grpc.status.UNAUTHENTICATED, grpc.status.PERMISSION_DENIED, grpc.status.UNIMPLEMENTED, grpc.status.INVALID_ARGUMENT];

// A line that was cut short by a crash is cut off: its event comes again.
class Log {
  constructor(name) {
    const content = existsSync(name) ? readFileSync(name) : Buffer.alloc(0);
    const end = content.lastIndexOf('\n') + 1;
    if (end < content.length) truncateSync(name, end);
    this.token = '';
    for (const line of content.subarray(0, end).toString().split('\n').filter(Boolean).reverse()) {
      const entry = JSON.parse(line);
      if (entry.resume_token) this.token = entry.resume_token;
      if (entry.resume_token || entry.gap) break;
    }
    this.file = openSync(name, 'a');
    this.lines = 0;
  }

  write(entry) {
    writeSync(this.file, `${JSON.stringify(entry)}\n`);
    this.lines += 1;
    if (entry.resume_token) this.token = entry.resume_token;
    if (entry.gap) this.token = '';
  }

  close() {
    closeSync(this.file);
  }
}

// One connection; resolves to the error that it ended with.
function follow(calls, log) {
  return new Promise((resolve) => {
    const stream = calls.WatchCalls({ resume_token: log.token }, metadata());
    stream.on('data', (message) => {
      if (!message.bookmark) log.write(message); // a bookmark is a sign of life, no event
    });
    stream.on('error', resolve);
    stream.on('end', () => resolve({ code: grpc.status.OK, details: 'the stream ended' }));
  });
}

const { options, positionals: [file] } = commandLine(['FILE']);
const log = new Log(file);
let pause = FIRST_PAUSE;
for (;;) {
  const { lines } = log;
  // A new channel each time: it connects at once, whatever the one before has met.
  const calls = callService(options);
  const error = await follow(calls, log);
  calls.close();
  if (FINAL.includes(error.code)) {
    console.error(failure(error).text);
    log.close();
    process.exit(error.code);
  }
  if (error.code === grpc.status.OUT_OF_RANGE) log.write({ gap: true });
  console.error(`${failure(error).text}; connecting again`);
  pause = log.lines > lines ? FIRST_PAUSE : Math.min(pause * 2, LONGEST_PAUSE);
  await pass(pause);
}
