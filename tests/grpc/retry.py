#!/usr/bin/env python3
"""Calls numbers through a channel with a service configuration, and prints the status code of each.

retry.py ENDPOINT SERVICE_CONFIG REQUEST_ID NUMBER...: an empty REQUEST_ID is none.
"""

import sys

import grpc
from trunkline.v1 import call_service_pb2 as calls, call_service_pb2_grpc

PATIENCE = 60


def main(endpoint, service_config, request_id, *numbers):
    options = [("grpc.service_config", service_config), ("grpc.enable_retries", 1), ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(endpoint, options=options) as channel:
        stub = call_service_pb2_grpc.CallServiceStub(channel)
        for number in numbers:
            request = calls.CreateCallRequest(to=number, wait_until=calls.WAIT_UNTIL_ANSWERED,
                                              request_id=request_id and f"{request_id}-{number}",
                                              **{"from": "service:echo"})
            try:
                stub.CreateCall(request, timeout=PATIENCE)
                print(0)
            except grpc.RpcError as error:
                print(error.code().value[0])


main(*sys.argv[1:])
