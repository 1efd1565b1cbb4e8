#!/usr/bin/env python3
"""A policy service that routes by caller: the rules are in a JSON file, which is read again for each call."""

import argparse
import json
import pathlib
import signal
import sys
from concurrent import futures

import trunkline_api  # noqa: F401  (finds the modules of the API)
import grpc
from google.protobuf import duration_pb2
from trunkline.v1 import call_pb2, call_policy_service_pb2, call_policy_service_pb2_grpc


class CallPolicy(call_policy_service_pb2_grpc.CallPolicyServiceServicer):
    def __init__(self, file):
        self.file = pathlib.Path(file)

    def RouteCall(self, request, context):
        rules = json.loads(self.file.read_text())
        rule = rules["callers"].get(getattr(request, "from"), rules["default"])
        print(f"{request.call_id}: {getattr(request, 'from')} calls {request.to}: {rule}", flush=True)
        response = call_policy_service_pb2.RouteCallResponse()
        if "route" in rule:
            response.route.targets.extend(rule["route"])
            if "name" in rule:
                response.route.caller_id.CopyFrom(call_pb2.CallerId(name=rule["name"]))
        elif "park" in rule:
            response.park.timeout.CopyFrom(duration_pb2.Duration(seconds=rule["park"]))
        else:
            response.reject.sip_code = rule["reject"]
            response.reject.reason = rule.get("reason", "")
        return response


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:50061", help="HOST:PORT, as in the gateway's policy.endpoint")
    parser.add_argument("rules", metavar="FILE", help="the rules; see ../routes.json")
    arguments = parser.parse_args()

    try:
        json.loads(pathlib.Path(arguments.rules).read_text())
    except (OSError, ValueError) as error:
        sys.exit(f"{arguments.rules} holds no rules: {error}")
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    call_policy_service_pb2_grpc.add_CallPolicyServiceServicer_to_server(CallPolicy(arguments.rules), server)
    port = server.add_insecure_port(arguments.listen)
    server.start()
    print(f"listening on port {port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: server.stop(grace=1))
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=1).wait()


if __name__ == "__main__":
    sys.exit(main())
