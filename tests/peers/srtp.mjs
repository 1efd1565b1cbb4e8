// SRTP with keys from a=crypto (RFC 3711, RFC 7714, RFC 4568) over Node's own crypto: written apart from the gateway so
// that it shares none of its mistakes.
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

export const SUITES = {
  AES_CM_128_HMAC_SHA1_80: { key: 16, salt: 14, tag: 10, rtcpTag: 10 },
  AES_CM_128_HMAC_SHA1_32: { key: 16, salt: 14, tag: 4, rtcpTag: 10 },
  AEAD_AES_128_GCM: { key: 16, salt: 12, tag: 16, rtcpTag: 16, aead: true },
  AEAD_AES_256_GCM: { key: 32, salt: 12, tag: 16, rtcpTag: 16, aead: true },
};

// The lines of a description: [{ tag, suite, key }], key as written.
export function cryptoLines(sdp) {
  return [...sdp.matchAll(/^a=crypto:(\d+) (\S+) inline:([^\s|]+)/gm)].map(([, tag, suite, key]) => ({ tag: Number(tag), suite, key }));
}

export function newKey(suite) {
  return randomBytes(SUITES[suite].key + SUITES[suite].salt).toString('base64');
}

// One direction: `seal` and `open` RTP, `openRtcp`. What is not authentic opens to null.
export class SrtpContext {
  constructor(suite, inline) {
    Object.assign(this, SUITES[suite], { suite, inline });
    const secret = Buffer.from(inline, 'base64');
    this.master = secret.subarray(0, this.key);
    this.masterSalt = secret.subarray(this.key);
    this.rtp = this.sessionKeys(0);
    this.rtcp = this.sessionKeys(3);
    this.highest = null; // sequence number
    this.rollOver = 0;
  }

  sessionKeys(label) {
    return { cipher: this.derive(label, this.key), auth: this.derive(label + 1, 20), salt: this.derive(label + 2, this.salt) };
  }

  derive(label, size) {
    const counter = Buffer.alloc(16);
    this.masterSalt.copy(counter);
    counter[7] ^= label;
    return createCipheriv(`aes-${8 * this.key}-ctr`, this.master, counter).update(Buffer.alloc(size));
  }

  guess(sequence) {
    if (this.highest === null) return this.rollOver;
    if (this.highest < 0x8000) return sequence - this.highest > 0x8000 ? this.rollOver - 1 : this.rollOver;
    return this.highest - 0x8000 > sequence ? this.rollOver + 1 : this.rollOver;
  }

  follow(sequence, rollOver) {
    if (this.highest !== null && rollOver * 65536 + sequence <= this.rollOver * 65536 + this.highest) return;
    this.highest = sequence;
    this.rollOver = rollOver;
  }

  seal(packet) {
    const sequence = packet.readUInt16BE(2);
    const rollOver = this.guess(sequence);
    this.follow(sequence, rollOver);
    const [head, body] = [packet.subarray(0, 12), packet.subarray(12)];
    if (this.aead) {
      const cipher = createCipheriv(`aes-${8 * this.key}-gcm`, this.rtp.cipher, this.nonce(packet.readUInt32BE(8), rollOver, sequence), { authTagLength: 16 });
      cipher.setAAD(head);
      return Buffer.concat([head, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
    }
    const sealed = Buffer.concat([head, this.counterMode(this.rtp, packet.readUInt32BE(8), rollOver * 65536 + sequence, body)]);
    return Buffer.concat([sealed, this.rtpTag(sealed, rollOver)]);
  }

  open(packet) {
    if (packet.length < 12 + this.tag) return null;
    const sequence = packet.readUInt16BE(2);
    const rollOver = this.guess(sequence);
    const clear = this.openAt(packet, sequence, rollOver);
    if (clear) this.follow(sequence, rollOver);
    return clear;
  }

  openAt(packet, sequence, rollOver) {
    const ssrc = packet.readUInt32BE(8);
    const at = packet.length - this.tag;
    const [head, body, tag] = [packet.subarray(0, 12), packet.subarray(12, at), packet.subarray(at)];
    if (this.aead) return this.aeadOpen(this.rtp, this.nonce(ssrc, rollOver, sequence), head, head, body, tag);
    if (!timingSafeEqual(this.rtpTag(packet.subarray(0, at), rollOver), tag)) return null;
    return Buffer.concat([head, this.counterMode(this.rtp, ssrc, rollOver * 65536 + sequence, body)]);
  }

  openRtcp(packet) {
    if (packet.length < 12 + this.rtcpTag) return null;
    const wordAt = packet.length - 4 - (this.aead ? 0 : this.rtcpTag);
    const word = packet.readUInt32BE(wordAt);
    if (word < 0x80000000) return null;
    const index = word - 0x80000000;
    const ssrc = packet.readUInt32BE(4);
    const head = packet.subarray(0, 8);
    if (this.aead) {
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32BE(ssrc, 2);
      nonce.writeUInt32BE(index, 8);
      const associated = Buffer.concat([head, packet.subarray(wordAt)]);
      return this.aeadOpen(this.rtcp, this.salted(this.rtcp, nonce), associated, head, packet.subarray(8, wordAt - 16), packet.subarray(wordAt - 16, wordAt));
    }
    const tag = createHmac('sha1', this.rtcp.auth).update(packet.subarray(0, wordAt + 4)).digest().subarray(0, this.rtcpTag);
    if (!timingSafeEqual(tag, packet.subarray(wordAt + 4))) return null;
    return Buffer.concat([head, this.counterMode(this.rtcp, ssrc, index, packet.subarray(8, wordAt))]);
  }

  rtpTag(authenticated, rollOver) {
    const word = Buffer.alloc(4);
    word.writeUInt32BE(rollOver);
    return createHmac('sha1', this.rtp.auth).update(authenticated).update(word).digest().subarray(0, this.tag);
  }

  counterMode(keys, ssrc, index, data) {
    const counter = Buffer.alloc(16);
    counter.writeUInt32BE(ssrc, 4);
    counter.writeUIntBE(index, 8, 6);
    for (let at = 0; at < this.salt; at += 1) counter[at] ^= keys.salt[at];
    return createCipheriv('aes-128-ctr', keys.cipher, counter).update(data);
  }

  nonce(ssrc, rollOver, sequence) {
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(ssrc, 2);
    nonce.writeUInt32BE(rollOver, 6);
    nonce.writeUInt16BE(sequence, 10);
    return this.salted(this.rtp, nonce);
  }

  salted(keys, nonce) {
    return nonce.map((octet, at) => octet ^ keys.salt[at]);
  }

  aeadOpen(keys, nonce, associated, head, body, tag) {
    const decipher = createDecipheriv(`aes-${8 * this.key}-gcm`, keys.cipher, nonce, { authTagLength: 16 });
    decipher.setAAD(associated);
    decipher.setAuthTag(tag);
    try {
      return Buffer.concat([head, decipher.update(body), decipher.final()]);
    } catch {
      return null;
    }
  }
}
