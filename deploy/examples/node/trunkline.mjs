// What the examples share: the types of the API, the way to the gateway, and errors with their details.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const files = ['call_service', 'call_policy_service', 'status'].map((name) => `trunkline/v1/${name}.proto`);

const types = protoLoader.loadSync([...files, 'google/rpc/error_details.proto', 'google/rpc/status.proto'], {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
  json: true, // decodes Any, which the details of a status are
});

export const api = grpc.loadPackageDefinition(types).trunkline.v1;
export { grpc };

const endpoint = {
  endpoint: { type: 'string', default: '127.0.0.1:50051' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
};

// The command line: options of the connection and `more`, and as many other arguments as `names` says.
export function commandLine(names, more = {}) {
  try {
    const { values, positionals } = parseArgs({ options: { ...endpoint, ...more }, allowPositionals: true });
    if (positionals.length === names.length) return { options: values, positionals };
  } catch (error) {
    console.error(error.message);
  }
  const options = Object.keys({ ...endpoint, ...more }).map((name) => `[--${name} …]`).join(' ');
  console.error(`usage: ${process.argv[1]} ${options} ${names.join(' ')}`);
  return process.exit(64);
}

export function callService({ endpoint: address, ca, cert, key }) {
  const read = (file) => (file ? readFileSync(file) : null);
  const credentials = ca ? grpc.credentials.createSsl(read(ca), read(key), read(cert)) : grpc.credentials.createInsecure();
  // A proxy for web pages is not for this.
  return new api.CallService(address, credentials, { 'grpc.enable_http_proxy': 0 });
}

// The token comes from the environment, where no list of processes shows it.
export function metadata() {
  const metadata = new grpc.Metadata();
  if (process.env.TRUNKLINE_TOKEN) metadata.set('authorization', `Bearer ${process.env.TRUNKLINE_TOKEN}`);
  return metadata;
}

// The details of an error: `reason` is stable, `message` is for people, `sip` is the SIP response behind it.
export function failure(error) {
  const packed = error.metadata?.get('grpc-status-details-bin')[0];
  const details = packed ? types['google.rpc.Status'].deserialize(packed).details : [];
  const find = (type) => details.find((detail) => detail['@type'].endsWith(`/${type}`));
  const reason = find('google.rpc.ErrorInfo')?.reason ?? '';
  const sip = find('trunkline.v1.SipStatus');
  const text = `${grpc.status[error.code]} ${reason}: ${error.details}${sip ? ` (SIP ${sip.code} ${sip.reason_phrase})` : ''}`;
  return { code: error.code, message: error.details, reason, sip, text };
}

// One RPC as a promise.
export function ask(service, method, request) {
  return new Promise((resolve, reject) => {
    service[method](request, metadata(), (error, response) => (error ? reject(error) : resolve(response)));
  });
}
