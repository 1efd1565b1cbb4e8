// WatchCalls and WatchRegistrations: everything, in order, once.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { CallControl, Code } from '../peers/call_control.mjs';
import { Gateway } from '../peers/gateway.mjs';
import { random } from '../peers/random.mjs';
import { end, ROUTES, Stage } from '../peers/stage.mjs';
import { SyntheticBrowser } from '../peers/synthetic_browser.mjs';
import { until } from '../peers/until.mjs';

// A reader that is more events behind than this is cut off …
const LAG = 16384;
// … not counting those in the buffers of its connection.
const BUFFERED = 1000;

let stage;
let api;

before(async () => {
  stage = await Stage.open({ rtpPorts: 1000 }); // a port rests for a while after each call
  ({ api } = stage);
});
afterEach(() => stage.clear());
after(() => stage?.close());

async function opened(token) {
  const watch = api.watchCalls({ resume_token: token ?? '' });
  if (token === undefined) await watch.snapshotEnd();
  return watch;
}

// One call that the trunk's peer refuses: a handful of events.
const short = (client = api) => client.createCall({ from: 'service:echo', to: '5551000', wait_until: 'WAIT_UNTIL_ANSWERED' });

const kinds = (events) => events.map((event) => event.kind);

describe('WatchCalls', () => {
  it('begins with the calls that live', async () => {
    const ids = [];
    for (let at = 0; at < 3; at += 1) ids.push((await api.must('createCall', { from: 'user:alice', to: '5551000' })).call.call_id);
    const watch = api.watchCalls();
    const last = await watch.snapshotEnd();
    const snapshots = watch.messages.filter((message) => message.snapshot);
    assert.deepEqual(snapshots.map((message) => message.snapshot.call.call_id).sort(), [...ids].sort());
    assert.equal(last.snapshot_end.count, 3);
    for (const message of snapshots) {
      assert.equal(message.resume_token, '');
      assert.equal(message.sequence, last.sequence);
      assert.ok(message.snapshot.call_sequence >= 1);
    }
    assert.notEqual(last.resume_token, '');
    for (const id of ids) await api.must('hangupCall', { call_id: id });
    for (const id of ids) {
      const event = await watch.until((message) => message.event?.ended && message.event.call.call_id === id);
      const first = watch.eventsOf(id)[0];
      const { call_sequence } = snapshots.find((message) => message.snapshot.call.call_id === id).snapshot;
      assert.equal(first.call_sequence, call_sequence + 1);
      assert.ok(event.event.call.end);
    }
    watch.cancel();
  });

  it('tells the life of a call in order', async () => {
    const watch = await opened();
    const { id, number, peer } = await stage.connected();
    await api.must('holdCall', { call_id: id });
    await api.must('resumeCall', { call_id: id });
    stage.alice.hangup(number);
    await until(() => peer.ended, 'BYE at the trunk');
    await watch.event('ended', id);
    const events = watch.eventsOf(id);
    const told = kinds(events);
    assert.equal(told[0], 'created');
    assert.equal(told.at(-1), 'ended');
    assert.deepEqual(told.filter((kind) => !['media', 'leg_ended'].includes(kind)), ['created', 'ringing', 'answered', 'held', 'resumed', 'ended']);
    assert.deepEqual(events.map((event) => event.call_sequence), events.map((_, at) => at + 1));
    assert.deepEqual(events.filter((event) => event.leg_ended).map((event) => event.leg_ended.leg_id).sort(), ['from', 'to']);
    assert.deepEqual(events.at(-1).ended.end, events.at(-1).call.end);
    const sequences = watch.messages.filter((message) => message.event).map((message) => message.sequence);
    assert.deepEqual(sequences, sequences.map((_, at) => sequences[0] + at));
    watch.cancel();
  });

  it('says nothing after the end, whoever ended the call', async () => {
    const watch = await opened();
    stage.carrier.onCall = (call) => call.reject(486);
    for (let at = 0; at < 5; at += 1) await short();
    for (let at = 0; at < 5; at += 1) {
      const { call } = await watch.event('ended');
      const events = watch.eventsOf(call.call_id);
      const told = kinds(events);
      assert.equal(told.filter((kind) => kind === 'ended').length, 1);
      assert.equal(told.at(-1), 'ended');
      assert.deepEqual(events.filter((event) => event.leg_ended).map((event) => event.leg_ended.leg_id).sort(), call.legs.map((leg) => leg.leg_id).sort());
      assert.ok(call.legs.length >= 1 && call.legs.every((leg) => leg.end && leg.state === 'CALL_STATE_ENDED'));
    }
    watch.cancel();
  });

  it('continues where it was', async () => {
    const watch = await opened();
    stage.carrier.onCall = (call) => call.reject(486);
    await short();
    await watch.event('ended');
    const token = watch.resumeToken;
    const { sequence } = watch.messages.at(-1);
    watch.cancel();
    await short(); // nobody watches
    const again = await opened(token);
    const first = await again.until(() => true);
    assert.equal(first.sequence, sequence + 1);
    assert.equal(first.event.kind, 'created');
    await again.event('ended');
    again.cancel();
  });

  it('sends bookmarks while nothing happens', async () => {
    const watch = await opened();
    const { bookmark, resume_token, sequence } = await watch.until((message) => message.bookmark);
    assert.ok(bookmark.create_time.seconds > 1.6e9);
    assert.notEqual(resume_token, '');
    assert.equal(sequence, watch.messages[0].sequence);
    watch.cancel();
  });

  it('cut a hundred times at random moments and resumed, tells each event once', async () => {
    const dice = random(4711);
    stage.carrier.onCall = (call) => call.reject(486);
    const witness = await opened();
    const from = witness.messages.at(-1).sequence;
    let working = true;
    const work = async () => {
      while (working) await short();
    };
    const workers = [work(), work()];
    let token = witness.messages.at(-1).resume_token;
    const seen = [];
    for (let cut = 0; cut < 100; cut += 1) {
      const watch = api.watchCalls({ resume_token: token });
      const wanted = dice(12);
      await until(() => watch.messages.length >= wanted || watch.ended, 'messages');
      for (let turn = dice(4); turn > 0; turn -= 1) await new Promise(setImmediate);
      // What has come by now counts; what is on its way is lost with the stream.
      const taken = watch.messages.slice();
      watch.cancel();
      assert.equal(watch.ended?.code ?? Code.CANCELLED, Code.CANCELLED, JSON.stringify(watch.ended));
      for (const message of taken) {
        assert.equal(message.snapshot, undefined);
        if (message.event) seen.push(message.sequence);
        token = message.resume_token;
      }
    }
    working = false;
    await Promise.all(workers);
    const last = await opened();
    const upTo = last.messages.at(-1).sequence;
    last.cancel();
    const rest = await opened(token);
    await until(() => rest.messages.some((message) => message.sequence >= upTo) || seen.at(-1) === upTo, 'the last event');
    seen.push(...rest.messages.filter((message) => message.event).map((message) => message.sequence));
    rest.cancel();
    assert.deepEqual(seen, Array.from({ length: upTo - from }, (_, at) => from + 1 + at));
    await witness.until((message) => message.sequence === upTo);
    assert.deepEqual(witness.messages.filter((message) => message.event).map((message) => message.sequence), seen);
    witness.cancel();
  });

  it('tells the same to many at a time', async () => {
    stage.carrier.onCall = (call) => call.reject(486);
    const watches = await Promise.all(Array.from({ length: 50 }, () => opened()));
    for (let at = 0; at < 10; at += 1) await short();
    const told = [];
    for (const watch of watches) {
      for (let at = 0; at < 10; at += 1) await watch.event('ended');
      told.push(watch.messages.filter((message) => message.event).map((message) => `${message.sequence} ${message.event.kind}`).join());
      watch.cancel();
    }
    assert.equal(new Set(told).size, 1);
  });

  it('does not know a token that is none', async () => {
    for (const token of ['garbage', '\u{1f9ff}', 'A'.repeat(2000)]) {
      const { code } = await api.watchCalls({ resume_token: token }).end();
      assert.ok([Code.OUT_OF_RANGE, Code.INVALID_ARGUMENT].includes(code), Code[code]);
    }
  });
});

describe('a reader that is too slow', () => {
  it('is cut off with its token, and harms nobody', async () => {
    stage.carrier.onCall = (call) => call.reject(486);
    const witness = await opened();
    const slow = new CallControl(stage.gateway.grpcAddress);
    const stalled = slow.watchCalls();
    await stalled.snapshotEnd();
    stalled.call.pause();
    const from = witness.messages.at(-1).sequence;
    const work = async () => {
      while (witness.messages.at(-1).sequence < from + LAG + BUFFERED) await api.createCall({ from: 'service:echo', to: 'user:bob' });
    };
    await Promise.all(Array.from({ length: 16 }, work));
    stalled.call.resume();
    const { code, reason, resumeToken } = await stalled.end();
    assert.equal(code, Code.RESOURCE_EXHAUSTED);
    assert.equal(reason, 'SLOW_CONSUMER');
    assert.ok(resumeToken || stalled.resumeToken);
    slow.close();
    const last = await opened();
    const upTo = last.messages.at(-1).sequence;
    last.cancel();
    await witness.until((message) => message.sequence >= upTo);
    const sequences = witness.messages.filter((message) => message.event).map((message) => message.sequence);
    assert.deepEqual([sequences[0], sequences.at(-1), sequences.length], [from + 1, upTo, upTo - from]);
    witness.cancel();
  });
});

describe('a gateway that was started again', () => {
  it('knows no token of its last run', async () => {
    const gateway = await Gateway.start({ routes: ROUTES });
    const first = new CallControl(gateway.grpcAddress);
    const watch = first.watchCalls();
    await watch.snapshotEnd();
    const token = watch.resumeToken;
    await end(gateway);
    assert.equal((await watch.end()).code, Code.UNAVAILABLE);
    first.close();
    await gateway.launch();
    const second = new CallControl(gateway.grpcAddress);
    const { code, reason } = await second.watchCalls({ resume_token: token }).end();
    assert.equal(code, Code.OUT_OF_RANGE);
    assert.equal(reason, 'EVENTS_TRUNCATED');
    second.close();
    await gateway.stop();
  });
});

describe('WatchRegistrations', () => {
  it('tells who comes and goes', async (t) => {
    const watch = api.watchRegistrations();
    const { snapshot_end } = await watch.snapshotEnd();
    assert.equal(snapshot_end.count, 1);
    assert.equal(watch.messages[0].snapshot.registration.user, 'alice');
    const change = (name) => watch.until((message) => message.event?.change === name && message.event.registration.user === 'bob', name);
    const bob = await SyntheticBrowser.open(stage.gateway, 'bob');
    t.after(() => bob.close());
    const added = await change('REGISTRATION_CHANGE_ADDED');
    assert.ok(added.event.registration.expire_time);
    await bob.register();
    await change('REGISTRATION_CHANGE_REFRESHED');
    watch.cancel();
    const again = api.watchRegistrations({ resume_token: added.resume_token });
    await again.until((message) => message.event?.change === 'REGISTRATION_CHANGE_REFRESHED');
    await api.must('deleteRegistration', { user: 'bob' });
    await again.until((message) => message.event?.change === 'REGISTRATION_CHANGE_REMOVED' && message.event.registration.user === 'bob');
    again.cancel();
  });
});
