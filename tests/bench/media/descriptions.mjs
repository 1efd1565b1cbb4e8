// Session descriptions of the media bench's two ends, and what it reads of a server's.

const split = (address) => ({ host: address.slice(0, address.lastIndexOf(':')), port: Number(address.slice(address.lastIndexOf(':') + 1)) });

function description(address, profile, lines) {
  const { host, port } = split(address);
  return [
    'v=0', `o=- 4711 1 IN IP4 ${host}`, 's=-', `c=IN IP4 ${host}`, 't=0 0', `m=audio ${port} ${profile} 0`, ...lines,
    'a=rtpmap:0 PCMU/8000', 'a=ptime:20', 'a=sendrecv', '',
  ].join('\r\n');
}

// A browser's, with its one candidate.
export const browser = (call) => description(call.encrypted_side, 'UDP/TLS/RTP/SAVPF', [
  'a=group:BUNDLE 0', 'a=mid:0', `a=ice-ufrag:${call.ufrag}`, `a=ice-pwd:${call.pwd}`, `a=fingerprint:sha-256 ${call.fingerprint}`,
  'a=setup:actpass', 'a=rtcp-mux', `a=ssrc:${call.ssrc} cname:bench`,
  `a=candidate:1 1 udp 2122260223 ${split(call.encrypted_side).host} ${split(call.encrypted_side).port} typ host`, 'a=end-of-candidates',
]);

export const sdes = (call, suite, key) => description(call.encrypted_side, 'RTP/SAVP', [`a=crypto:1 ${suite} inline:${key}`]);

export const plain = (call) => description(call.plain_side, 'RTP/AVP', []);

const attribute = (text, name) => new RegExp(`^a=${name}:(\\S+)`, 'm').exec(text)?.[1];

// Where its audio is.
export function audioAddress(text) {
  const host = /^c=IN IP4 (\S+)/m.exec(text)[1];
  return `${host}:${/^m=audio (\d+)/m.exec(text)[1]}`;
}

// What a browser needs of a server's description.
export function iceAndDtls(text) {
  const candidate = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host/im.exec(text);
  return {
    encrypted_side: candidate ? `${candidate[1]}:${candidate[2]}` : audioAddress(text),
    ufrag: attribute(text, 'ice-ufrag'),
    pwd: attribute(text, 'ice-pwd'),
    fingerprint: /^a=fingerprint:sha-256 (\S+)/im.exec(text)?.[1],
  };
}
