// A SIP server of a carrier's over TCP, or over TLS with what node's tls takes, which answers what the test says.
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { cutMessages } from './sip_message.mjs';
import { TrunkServer } from './trunk_server.mjs';

export class StreamTrunkServer extends TrunkServer {
  static async open({ port = 0, address = '127.0.0.1', answer = () => 200, tls } = {}) {
    const server = tls ? createTlsServer(tls) : createServer();
    const trunk = await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, () => resolve(new StreamTrunkServer(server, answer)));
    });
    trunk.contactParameters = tls ? ';transport=tls' : ';transport=tcp';
    trunk.connections = [];
    trunk.refusals = []; // what TLS said of clients
    server.on('tlsClientError', (error) => trunk.refusals.push(error));
    server.on(tls ? 'secureConnection' : 'connection', (socket) => trunk.accept(socket));
    return trunk;
  }

  accept(socket) {
    this.connections.push(socket);
    socket.unref();
    socket.on('error', () => {});
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      const { messages, left } = cutMessages(Buffer.concat([rest, bytes]));
      rest = left;
      for (const message of messages) this.receive(message, socket);
    });
  }

  transmit(text, socket) {
    socket.write(text);
  }

  hangUp() {
    for (const socket of this.connections) socket.destroy();
  }

  close() {
    this.hangUp();
    this.socket.close();
  }
}
