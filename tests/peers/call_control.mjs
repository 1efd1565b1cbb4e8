// A thin client of the gRPC API on @grpc/grpc-js. It only turns calls into promises and streams into queues: messages are
// as in the .proto files, with names of enum values as strings, 64-bit integers as numbers, and Any decoded.
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import { repository } from './gateway.mjs';
import { PATIENCE, until } from './until.mjs';

export { grpc };
export const Code = grpc.status;

const files = ['call', 'node', 'registration', 'routing', 'trunk', 'call_policy'].map((name) => `trunkline/v1/${name}_service.proto`);

// All types of the API by their full names; a service's methods can be used for a server as well.
export const types = protoLoader.loadSync([...files, 'trunkline/v1/status.proto', 'google/rpc/error_details.proto', 'google/rpc/status.proto'], {
  includeDirs: [join(repository, 'proto')],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  oneofs: true,
  json: true, // decodes Any
});

export const services = grpc.loadPackageDefinition(types).trunkline.v1;

const SERVICES = ['CallService', 'RegistrationService', 'TrunkService', 'RoutingService', 'NodeService'];

// Every RPC of the API as [service, method name as in the .proto file, definition].
export const methods = SERVICES.flatMap((service) => Object.entries(types[`trunkline.v1.${service}`]).map(([name, definition]) => [service, name, definition]));

// A google.rpc.Status as { code, message, details: { ErrorInfo: {...}, SipStatus: {...} … } }, or null.
export function details(status) {
  if (!status) return null;
  const found = {};
  for (const { '@type': type, ...detail } of status.details) found[type.split('.').pop()] = detail;
  return { code: status.code, message: status.message, details: found };
}

// What grpc-js says of an error, with the details decoded: { code, message, reason, details, retryPushback }.
export function describeError(error, trailers) {
  const packed = trailers?.get('grpc-status-details-bin')[0];
  const status = packed ? types['google.rpc.Status'].deserialize(packed) : null;
  return {
    code: error.code,
    message: error.details,
    status,
    details: details(status)?.details ?? {},
    reason: details(status)?.details.ErrorInfo?.reason,
    pushback: trailers?.get('grpc-retry-pushback-ms')[0],
    resumeToken: trailers?.get('resume_token')[0],
  };
}

export class CallControl {
  // `tls`: { ca, cert, key, serverName } in PEM. `options`: of the grpc-js channel.
  constructor(address, { token, tls, options = {} } = {}) {
    this.token = token;
    const credentials = tls
      ? grpc.credentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null)
      : grpc.credentials.createInsecure();
    this.options = {
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1, // one client, one connection
      ...(tls?.serverName ? { 'grpc.ssl_target_name_override': tls.serverName } : {}),
      ...options,
    };
    this.clients = Object.fromEntries(SERVICES.map((name) => [name, new services[name](address, credentials, this.options)]));
    for (const [service, name] of methods) {
      const method = name[0].toLowerCase() + name.slice(1);
      this[method] = types[`trunkline.v1.${service}`][name].responseStream
        ? (request = {}, options = {}) => new Watch(this.clients[service][name](request, this.metadata(options.metadata)))
        : (request = {}, options = {}) => this.unary(service, name, request, options);
    }
  }

  metadata(entries = {}) {
    const metadata = new grpc.Metadata();
    if (this.token !== undefined) metadata.set('authorization', `Bearer ${this.token}`);
    for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
    return metadata;
  }

  // Resolves to { response, error, headers, trailers }; an error is a value. `call` has `cancel()` from the start.
  unary(service, name, request, { metadata, deadline = PATIENCE, started = () => {} } = {}) {
    return new Promise((done) => {
      const outcome = { response: null, error: null, headers: null, trailers: null };
      let failure;
      const call = this.clients[service][name](request, this.metadata(metadata), { deadline: Date.now() + deadline }, (error, response) => {
        failure = error;
        outcome.response = response ?? null;
      });
      call.on('metadata', (headers) => (outcome.headers = headers));
      call.on('status', ({ metadata: trailers }) => {
        outcome.trailers = trailers;
        // grpc-js gives the status right before or right after it calls back.
        setImmediate(() => {
          if (failure) outcome.error = describeError(failure, trailers);
          done(outcome);
        });
      });
      started(call);
    });
  }

  // As a method, but the response itself; throws if there is an error.
  async must(method, request, options) {
    const { response, error } = await this[method](request, options);
    if (error) throw new Error(`${method} ${JSON.stringify(request)}: ${Code[error.code]} ${error.reason ?? ''} ${error.message}`);
    return response;
  }

  close() {
    for (const client of Object.values(this.clients)) client.close();
  }
}

// A stream of the server: what has come so far, and how it ended.
export class Watch {
  constructor(call) {
    this.call = call;
    this.messages = [];
    this.read = 0;
    this.ended = null; // or the error, { code, reason … }; code 0 if the server closed in order
    call.on('data', (message) => this.messages.push(message));
    let failure = null;
    call.on('error', (error) => (failure = error));
    call.on('status', ({ code, details: message, metadata }) => {
      setImmediate(() => (this.ended = describeError(failure ?? { code, details: message }, metadata)));
    });
  }

  // The next message not yet awaited that fits; those before it that don't are passed over.
  async until(fits, what = 'a message of the stream', milliseconds = PATIENCE) {
    let at;
    try {
      await until(() => {
        at = this.messages.findIndex((message, index) => index >= this.read && fits(message));
        return at >= 0 || this.ended;
      }, what, milliseconds);
    } catch (error) {
      throw new Error(`${error.message}; came: ${this.summary()}`);
    }
    if (at < 0) throw new Error(`the stream ended without ${what}: ${JSON.stringify(this.ended)}; came: ${this.summary()}`);
    this.read = at + 1;
    return this.messages[at];
  }

  // The next event of that kind, of that call if one is given.
  async event(kind, callId) {
    const message = await this.until((one) => one.event?.kind === kind && (callId === undefined || one.event.call.call_id === callId), `event ${kind}`);
    return message.event;
  }

  snapshotEnd() {
    return this.until((message) => message.snapshot_end, 'the end of the snapshot');
  }

  // All events of a call that have come so far.
  eventsOf(callId) {
    return this.messages.filter((one) => one.event?.call.call_id === callId).map((one) => one.event);
  }

  get resumeToken() {
    return this.messages.findLast((message) => message.resume_token)?.resume_token ?? '';
  }

  // How the stream ended, once it has.
  async end() {
    await until(() => this.ended, 'the end of the stream');
    return this.ended;
  }

  cancel() {
    this.call.cancel();
  }

  summary() {
    return this.messages.map((one) => (one.event ? `${one.event.kind ?? one.event.change} ${one.event.call?.call_id ?? ''}` : one.message)).join(' | ');
  }
}
