// A policy service that routes by caller: the rules are in a JSON file, which is read again for each call.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { api, grpc } from './trunkline.mjs';

const { values: { listen }, positionals: [file] } = parseArgs({
  options: { listen: { type: 'string', default: '127.0.0.1:50061' } }, // as in the gateway's policy.endpoint
  allowPositionals: true,
});
if (!file) {
  console.error(`usage: ${process.argv[1]} [--listen HOST:PORT] FILE   (see ../routes.json)`);
  process.exit(64);
}
try {
  JSON.parse(readFileSync(file, 'utf8'));
} catch (error) {
  console.error(`${file} holds no rules: ${error.message}`);
  process.exit(1);
}

function decide(rule) {
  if (rule.route) return { route: { targets: rule.route, ...(rule.name ? { caller_id: { name: rule.name } } : {}) } };
  if (rule.park) return { park: { timeout: { seconds: rule.park } } };
  return { reject: { sip_code: rule.reject, reason: rule.reason ?? '' } };
}

const server = new grpc.Server();
server.addService(api.CallPolicyService.service, {
  RouteCall({ request }, answer) {
    try {
      const rules = JSON.parse(readFileSync(file, 'utf8'));
      const rule = rules.callers[request.from] ?? rules.default;
      console.log(`${request.call_id}: ${request.from} calls ${request.to}: ${JSON.stringify(rule)}`);
      answer(null, decide(rule));
    } catch (error) {
      answer({ code: grpc.status.INTERNAL, details: error.message });
    }
  },
  AuthenticateUser(_, answer) {
    answer({ code: grpc.status.UNIMPLEMENTED, details: 'this service routes calls only' });
  },
});
server.bindAsync(listen, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on port ${port}`);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.tryShutdown(() => process.exit(0)));
