// PCMU tones: made, sent by RTP, and recognised by their frequency (Goertzel).
import dgram from 'node:dgram';

export const BROWSER = 1000; // Hz that a browser says, where a test doesn't say otherwise
export const TRUNK = 440; // Hz that the trunk's peer says

const BIAS = 0x84;

export function encodeUlaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  let magnitude = Math.min(Math.abs(sample), 32635) + BIAS;
  let exponent = 7;
  for (let mask = 0x4000; (magnitude & mask) === 0 && exponent > 0; mask >>= 1) exponent -= 1;
  const mantissa = (magnitude >> (exponent + 3)) & 0x0f;
  return ~(sign | (exponent << 4) | mantissa) & 0xff;
}

export function decodeUlaw(byte) {
  const value = ~byte & 0xff;
  const magnitude = ((((value & 0x0f) << 3) + BIAS) << ((value >> 4) & 7)) - BIAS;
  return value & 0x80 ? -magnitude : magnitude;
}

// The share of a signal's power that lies at one frequency: 1 for a pure tone, near 0 for others or silence.
export function toneShare(samples, frequency, rate = 8000) {
  const step = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  let before = 0;
  let last = 0;
  let power = 0;
  for (const sample of samples) {
    [before, last] = [last, sample + step * last - before];
    power += sample * sample;
  }
  if (power < samples.length * 100) return 0;
  const tone = last * last + before * before - step * last * before;
  return (2 * tone) / (samples.length * power);
}

const ROWS = [697, 770, 852, 941]; // Hz, ITU-T Q.23
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = '123A456B789C*0#D';

export function toneOfKey(key) {
  const at = KEYS.indexOf(key);
  return [ROWS[at >> 2], COLUMNS[at & 3]];
}

// The keys whose tones are in the samples, each once, however long it sounds.
export function keysIn(samples) {
  const window = 160;
  let keys = '';
  let last = '';
  let times = 0;
  for (let at = 0; at + window <= samples.length; at += window) {
    const piece = samples.slice(at, at + window);
    const strongest = (frequencies) => frequencies.map((frequency) => toneShare(piece, frequency))
      .reduce(([share, index], one, other) => (one > share ? [one, other] : [share, index]), [0, 0]);
    const [row, line] = strongest(ROWS);
    const [column, place] = strongest(COLUMNS);
    const key = row > 0.25 && column > 0.25 && row + column > 0.8 ? KEYS[4 * line + place] : '';
    times = key === last ? times + 1 : 1;
    last = key;
    if (key !== '' && times === 2) keys += key;
  }
  return keys;
}

// 16-bit mono WAV of a sine; its length is a whole number of periods, so that it can be played in a loop without a click.
export function wav(frequency, seconds = 10, rate = 48000) {
  const samples = Buffer.alloc(seconds * rate * 2);
  for (let at = 0; at < seconds * rate; at += 1) {
    samples.writeInt16LE(Math.round(9000 * Math.sin((2 * Math.PI * frequency * at) / rate)), at * 2);
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

// One RTP and one RTCP socket of a peer: plain RTP, or SRTP once `seals` and `opens` are set (srtp.mjs).
export class RtpPeer {
  static async open(address = '127.0.0.1') {
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const port = 30000 + 2 * Math.floor(Math.random() * 4000);
      const family = address.includes(':') ? 'udp6' : 'udp4';
      const rtp = dgram.createSocket(family);
      const rtcp = dgram.createSocket(family);
      try {
        await bind(rtp, port, address);
        await bind(rtcp, port + 1, address);
        return new RtpPeer(rtp, rtcp, port, address);
      } catch {
        rtp.close();
        rtcp.close();
      }
    }
    throw new Error('no free RTP port pair');
  }

  constructor(rtp, rtcp, port, address) {
    Object.assign(this, { rtp, rtcp, port, address });
    this.remote = null;
    this.seals = null;
    this.opens = null;
    this.unauthentic = 0;
    this.samples = [];
    this.received = 0;
    this.sent = 0;
    this.digits = [];
    this.begun = []; // events, once for each packet that has the marker
    this.payloadTypes = new Set();
    this.ssrcs = new Set();
    this.eventPayloadType = 101;
    this.sequence = Math.floor(Math.random() * 65536);
    this.timestamp = Math.floor(Math.random() * 2 ** 32);
    this.ssrc = Math.floor(Math.random() * 2 ** 32);
    this.said = 0; // samples
    this.frames = []; // that go before what is played: the frequencies in each
    this.events = new Set();
    this.reports = 0;
    this.jumps = []; // where a sequence number didn't follow the one before, or a timestamp went back
    for (const socket of [rtp, rtcp]) socket.unref(); // a test that failed must not keep its process alive
    rtp.on('message', (packet) => this.receive(packet));
    rtcp.on('message', (packet) => {
      if (this.opens && !this.opens.openRtcp(packet)) this.unauthentic += 1;
      else this.reports += 1;
    });
  }

  receive(packet) {
    if (packet.length < 12 || packet[0] >> 6 !== 2) return;
    if (this.opens) {
      const clear = this.opens.open(packet);
      if (!clear) {
        this.unauthentic += 1;
        return;
      }
      packet = clear;
    }
    this.received += 1;
    const payloadType = packet[1] & 0x7f;
    this.payloadTypes.add(payloadType);
    this.ssrcs.add(packet.readUInt32BE(8));
    this.follow(packet.readUInt16BE(2), packet.readUInt32BE(4));
    const payload = packet.subarray(12);
    if (payloadType === this.eventPayloadType) {
      const key = `${packet.readUInt32BE(4)}:${payload[0]}`;
      if (packet[1] & 0x80) this.begun.push('0123456789*#ABCD'[payload[0]]);
      if (payload[1] & 0x80 && !this.events.has(key)) {
        this.events.add(key);
        this.digits.push('0123456789*#ABCD'[payload[0]]);
      }
      return;
    }
    for (const byte of payload) this.samples.push(decodeUlaw(byte));
    if (this.samples.length > 8000) this.samples.splice(0, this.samples.length - 8000);
  }

  follow(sequence, timestamp) {
    const last = this.last;
    this.last = { sequence, timestamp };
    if (!last) return;
    const forward = (timestamp - last.timestamp) >>> 0 < 0x80000000;
    if (((sequence - last.sequence) & 0xffff) !== 1 || !forward) this.jumps.push([last, this.last]);
  }

  // Sends a PCMU tone to `remote` until stop(); frames are counted by the clock, so late timers lose nothing.
  play(frequency) {
    this.stopTone();
    const began = Date.now();
    let frames = 0;
    this.timer = setInterval(() => {
      for (; frames * 20 <= Date.now() - began; frames += 1) this.sendFrame(frequency);
    }, 20);
    this.timer.unref();
  }

  sendFrame(frequency) {
    if (!this.remote) return;
    const frequencies = this.frames.shift() ?? (frequency ? [frequency] : []);
    const packet = Buffer.alloc(172);
    packet[0] = 0x80;
    packet.writeUInt16BE(this.sequence, 2);
    packet.writeUInt32BE(this.timestamp, 4);
    packet.writeUInt32BE(this.ssrc, 8);
    for (let at = 0; at < 160; at += 1) {
      const sines = frequencies.map((one) => Math.sin((2 * Math.PI * one * this.said) / 8000));
      packet[12 + at] = encodeUlaw(Math.round((8000 * sines.reduce((sum, sine) => sum + sine, 0)) / Math.max(1, sines.length)));
      this.said += 1;
    }
    this.sequence = (this.sequence + 1) & 0xffff;
    this.timestamp = (this.timestamp + 160) >>> 0;
    this.sent += 1;
    this.rtp.send(this.seals ? this.seals.seal(packet) : packet, this.remote.port, this.remote.address);
  }

  // Digits as they sound, 100 ms each and 80 ms apart, in what is being played.
  dial(digits) {
    for (const digit of digits) {
      this.frames.push(...Array(5).fill(toneOfKey(digit)), ...Array(4).fill([]));
    }
  }

  // A digit as RFC 4733 events, the last of them three times. The marker bit, which some never set, begins it.
  sendDigit(digit, { marker = true, milliseconds = 100 } = {}) {
    const event = '0123456789*#ABCD'.indexOf(digit);
    const length = milliseconds * 8;
    const durations = [...Array.from({ length: milliseconds / 20 }, (_, index) => 160 * (index + 1)), length, length];
    durations.forEach((duration, index) => {
      const packet = Buffer.alloc(16);
      packet[0] = 0x80;
      packet[1] = this.eventPayloadType | (marker && index === 0 ? 0x80 : 0);
      packet.writeUInt16BE(this.sequence, 2);
      packet.writeUInt32BE(this.timestamp, 4);
      packet.writeUInt32BE(this.ssrc, 8);
      packet[12] = event;
      packet[13] = (duration === length ? 0x80 : 0) | 10;
      packet.writeUInt16BE(duration, 14);
      this.sequence = (this.sequence + 1) & 0xffff;
      this.rtp.send(packet, this.remote.port, this.remote.address);
    });
    this.timestamp = (this.timestamp + length) >>> 0;
  }

  stopTone() {
    clearInterval(this.timer);
  }

  // How much of the last second's sound is this tone.
  hears(frequency) {
    return this.samples.length < 4000 ? 0 : toneShare(this.samples.slice(-4000), frequency);
  }

  forget() {
    this.samples = [];
    this.received = 0;
  }

  close() {
    this.stopTone();
    if (this.closed) return;
    this.closed = true;
    this.rtp.close();
    this.rtcp.close();
  }
}

function bind(socket, port, address) {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {});
      resolve();
    });
  });
}
