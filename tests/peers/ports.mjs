// Ports for programs that bind them a little later. The system gives none of this range away by itself to sockets that
// ask for any port, so what is free when it is chosen is still free when it is bound.
import dgram from 'node:dgram';
import { createServer } from 'node:net';

const FIRST = 10000;
const END = 30000;

// Tests that run at the same time, whose process ids are near each other, begin far from each other.
let next = FIRST + ((7400 * process.pid) % (END - FIRST));

const bound = (socket, begin) => new Promise((done) => {
  socket.once('error', () => done(false));
  begin(() => done(true));
});
const closed = (socket) => new Promise((done) => socket.close(done));

async function isFreeAt(address, port) {
  const udp = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const tcp = createServer();
  const free = [
    await bound(udp, (ready) => udp.bind(port, address, ready)),
    await bound(tcp, (ready) => tcp.listen(port, address, ready)),
  ];
  await closed(udp);
  await closed(tcp);
  return free.every(Boolean);
}

const isFree = async (port) => (await isFreeAt('127.0.0.1', port)) && isFreeAt('::1', port);

// The first, an even one, of `count` consecutive ports that nothing is bound to, neither by UDP nor by TCP, and that
// this process wasn't given just before.
export function freePorts(count) {
  const found = turn.then(() => search(count));
  turn = found.catch(() => {});
  return found;
}

// Whoever asks waits until all before have theirs: what one is looking at is not free for another.
let turn = Promise.resolve();

async function search(count) {
  for (let passed = 0; passed < END - FIRST;) {
    if (next + count > END) next = FIRST;
    const first = next;
    let free = 0;
    while (free < count && (await isFree(first + free))) free += 1;
    const step = 2 * Math.ceil(Math.min(free + 1, count) / 2);
    next += step;
    passed += step;
    if (free === count) return first;
  }
  throw new Error(`no ${count} free ports between ${FIRST} and ${END}`);
}

export const freePort = () => freePorts(1);
