// Click-to-call: rings FROM, and once it has answered, TO; then says how the call went.
import { randomUUID } from 'node:crypto';
import { ask, callService, commandLine, failure, grpc, metadata } from './trunkline.mjs';

const ATTEMPTS = 3;

// If the connection breaks, nobody knows whether the request has arrived: the request_id makes it safe to ask again, for
// the gateway dials nobody twice for the same id.
async function place(calls, request) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await ask(calls, 'CreateCall', request)).call;
    } catch (error) {
      const broken = error.code === grpc.status.UNAVAILABLE && failure(error).reason === '';
      if (!broken || attempt === ATTEMPTS) throw error; // an error with a reason is the gateway's own answer, and final
    }
  }
}

// Says what happens to the call until it ends; resolves to how.
function follow(calls, callId) {
  return new Promise((resolve, reject) => {
    const stream = calls.WatchCalls({}, metadata());
    const done = (end) => {
      stream.on('error', () => {}); // of our own cancelling
      stream.cancel();
      resolve(end);
    };
    stream.on('error', reject);
    stream.on('data', async (message) => {
      if (message.snapshot_end) {
        // It may have ended before the stream began.
        const { call } = await ask(calls, 'GetCall', { call_id: callId });
        if (call.state === 'CALL_STATE_ENDED') done(call.end);
        return;
      }
      const call = message.snapshot?.call ?? message.event?.call;
      if (call?.call_id !== callId) return;
      console.log(`${callId} is ${call.state.replace('CALL_STATE_', '').toLowerCase()}`);
      if (call.state === 'CALL_STATE_ENDED') done(call.end);
    });
  });
}

const { options, positionals: [from, to] } = commandLine(['FROM', 'TO']);
const calls = callService(options);
try {
  const call = await place(calls, { request_id: randomUUID(), from, to, wait_until: 'WAIT_UNTIL_ANSWERED' });
  console.log(`${call.call_id} is up: ${call.from} talks to ${call.to}`);
  const end = await follow(calls, call.call_id);
  console.log(`${call.call_id} was ended by the ${end.ended_by.replace('ENDED_BY_', '').toLowerCase()}`);
} catch (error) {
  console.error(failure(error).text);
  process.exitCode = error.code;
} finally {
  calls.close();
}
