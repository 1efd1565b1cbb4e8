// TLS before a peer that speaks only TCP: what the gateway sends by TLS comes to the peer by TCP, and the other way round.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';

// A certificate for 127.0.0.1 which is its own authority: cert.pem and key.pem in that folder.
export function makeCertificate(folder, days = 2) {
  const [certificate, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name));
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', String(days),
    '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate,
  ], { stdio: 'pipe' });
  return { certificate, key };
}

export class TlsFront {
  // The gateway reaches the peer, who listens on `peerPort`, at `port`; the peer reaches the gateway at `gatewayPort`.
  static async open(gateway, { peerPort, port = 0 }) {
    const front = new TlsFront();
    const [cert, key] = [gateway.tls.certificate, gateway.tls.key].map((file) => readFileSync(file));
    const outside = tls.createServer({ cert, key }, (socket) => front.join(socket, connect(peerPort, '127.0.0.1')));
    const inside = createServer((socket) => front.join(socket, tls.connect({ host: '127.0.0.1', port: gateway.tlsPort, ca: cert })));
    front.servers = [outside, inside];
    front.port = await listening(outside, port);
    front.gatewayPort = await listening(inside, 0);
    return front;
  }

  constructor() {
    this.sockets = new Set();
  }

  join(one, other) {
    for (const [from, to] of [[one, other], [other, one]]) {
      this.sockets.add(from);
      from.unref?.();
      from.on('error', () => {});
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  close() {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

async function listening(server, port) {
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  server.unref(); // a test that failed must not keep its process alive
  return server.address().port;
}
