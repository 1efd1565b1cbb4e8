#!/usr/bin/env python3
"""Click-to-call: rings FROM, and once it has answered, TO; then says how the call went."""

import argparse
import sys
import uuid

import trunkline_api
import grpc
from trunkline.v1 import call_pb2, call_service_pb2, call_service_pb2_grpc

ATTEMPTS = 3


def place(calls, request):
    """Places the call. If the connection breaks, nobody knows whether the request has arrived: the request_id makes it
    safe to ask again, for the gateway dials nobody twice for the same id."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return calls.CreateCall(request, metadata=trunkline_api.call_metadata()).call
        except grpc.RpcError as error:
            failure = trunkline_api.Failure(error)
            # An error with a reason is the gateway's own answer, and final.
            if failure.code != grpc.StatusCode.UNAVAILABLE or failure.reason or attempt == ATTEMPTS:
                raise


def follow(calls, call_id):
    """Prints what happens to the call until it ends."""
    for message in calls.WatchCalls(call_service_pb2.WatchCallsRequest(), metadata=trunkline_api.call_metadata()):
        call = None
        if message.HasField("snapshot"):
            call = message.snapshot.call
        elif message.HasField("event"):
            call = message.event.call
        if call is not None and call.call_id == call_id:
            print(f"{call_id} is {call_pb2.CallState.Name(call.state).removeprefix('CALL_STATE_').lower()}", flush=True)
            if call.state == call_pb2.CALL_STATE_ENDED:
                return call.end
        elif message.HasField("snapshot_end"):
            # It may have ended before the stream began.
            call = calls.GetCall(call_service_pb2.GetCallRequest(call_id=call_id), metadata=trunkline_api.call_metadata()).call
            if call.state == call_pb2.CALL_STATE_ENDED:
                return call.end
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    trunkline_api.add_endpoint(parser)
    parser.add_argument("from_", metavar="FROM", help="user:NAME or a number: rings first")
    parser.add_argument("to", metavar="TO", help="user:NAME or a number: rings then")
    arguments = parser.parse_args()

    with trunkline_api.open_channel(arguments) as channel:
        calls = call_service_pb2_grpc.CallServiceStub(channel)
        request = call_service_pb2.CreateCallRequest(
            request_id=str(uuid.uuid4()), **{"from": arguments.from_}, to=arguments.to,
            wait_until=call_service_pb2.WAIT_UNTIL_ANSWERED)
        try:
            call = place(calls, request)
            print(f"{call.call_id} is up: {getattr(call, 'from')} talks to {call.to}", flush=True)
            end = follow(calls, call.call_id)
        except grpc.RpcError as error:
            print(trunkline_api.Failure(error), file=sys.stderr)
            return error.code().value[0]
    if end is not None:
        print(f"{call.call_id} was ended by the {call_pb2.EndedBy.Name(end.ended_by).removeprefix('ENDED_BY_').lower()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
