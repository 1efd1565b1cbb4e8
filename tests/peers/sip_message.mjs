// A SIP message as plain data: just enough for a scripted peer, and independent of the gateway's own parser.
const COMPACT = { v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', l: 'content-length', c: 'content-type', k: 'supported' };

export function parse(text) {
  const split = text.indexOf('\r\n\r\n');
  const head = text.slice(0, split).split('\r\n');
  const body = text.slice(split + 4);
  const start = head.shift();
  const headers = {};
  for (const line of head) {
    const colon = line.indexOf(':');
    let name = line.slice(0, colon).trim().toLowerCase();
    name = COMPACT[name] ?? name;
    (headers[name] ??= []).push(line.slice(colon + 1).trim());
  }
  const message = { start, headers, body };
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(start);
  if (response) return { ...message, status: Number(response[1]), reason: response[2] };
  const [method, uri] = start.split(' ');
  return { ...message, method, uri };
}

// The whole messages at the begin of a stream, as octets, and what is left of it. Line ends between them go.
export function cutMessages(bytes) {
  const messages = [];
  let left = bytes;
  for (;;) {
    while (left.length >= 2 && left[0] === 13 && left[1] === 10) left = left.subarray(2);
    const end = left.indexOf('\r\n\r\n');
    if (end < 0) return { messages, left };
    const { headers } = parse(left.subarray(0, end + 4).toString('latin1'));
    const size = end + 4 + Number(headers['content-length']?.[0] ?? 0);
    if (left.length < size) return { messages, left };
    messages.push(left.subarray(0, size));
    left = left.subarray(size);
  }
}

export function header(message, name) {
  return message.headers[name.toLowerCase()]?.[0];
}

export function tagOf(value) {
  return /;tag=([^;>\s]+)/.exec(value ?? '')?.[1];
}

export function uriOf(value) {
  return /<([^>]+)>/.exec(value)?.[1] ?? value.split(';')[0];
}

export function format(start, headers, body = '') {
  const lines = [start];
  for (const [name, value] of headers) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) lines.push(`${name}: ${one}`);
  }
  lines.push(`Content-Length: ${Buffer.byteLength(body)}`, '', body);
  return lines.join('\r\n');
}
