#!/usr/bin/env python3
"""Writes every event of every call into a file, one JSON document a line, each exactly once.

The place to continue at is the resume_token in the last line of the file itself: whether this program, the gateway's
connection or the machine breaks, nothing is lost and nothing is written twice. If the gateway no longer knows the token,
a line {"gap": true} says so, and a snapshot of all calls follows.
"""

import argparse
import json
import os
import sys
import time

import trunkline_api
import grpc
from google.protobuf import json_format
from trunkline.v1 import call_service_pb2, call_service_pb2_grpc

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
# These won't be better next time.
FINAL = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INVALID_ARGUMENT,
}


class Log:
    """The file. A line that was cut short by a crash is cut off: its event comes again."""

    def __init__(self, name):
        self.file = open(name, "a+b")
        self.file.seek(0)
        content = self.file.read()
        end = content.rfind(b"\n") + 1
        self.file.truncate(end)
        self.file.seek(0, os.SEEK_END)
        self.token = ""
        for line in reversed(content[:end].splitlines()):
            entry = json.loads(line)
            if entry.get("gap"):
                break
            if entry.get("resume_token"):
                self.token = entry["resume_token"]
                break

    def write(self, entry):
        self.file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self.file.flush()
        self.token = entry.get("resume_token") or self.token

    def gap(self):
        self.write({"gap": True})
        self.token = ""


def follow(calls, log):
    """One connection: until it breaks."""
    request = call_service_pb2.WatchCallsRequest(resume_token=log.token)
    for message in calls.WatchCalls(request, metadata=trunkline_api.call_metadata()):
        if message.HasField("bookmark"):
            continue  # a sign of life, no event
        log.write(json_format.MessageToDict(message, preserving_proto_field_name=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    trunkline_api.add_endpoint(parser)
    parser.add_argument("file", metavar="FILE", help="the log; made if it does not exist")
    arguments = parser.parse_args()

    log = Log(arguments.file)
    pause = FIRST_PAUSE
    while True:
        written = log.file.tell()
        reason = "the stream ended"
        # A new channel each time: it connects at once, whatever the one before has met.
        with trunkline_api.open_channel(arguments) as channel:
            try:
                follow(call_service_pb2_grpc.CallServiceStub(channel), log)
            except grpc.RpcError as error:
                if error.code() in FINAL:
                    print(trunkline_api.Failure(error), file=sys.stderr)
                    return error.code().value[0]
                if error.code() == grpc.StatusCode.OUT_OF_RANGE:
                    log.gap()
                reason = trunkline_api.Failure(error)
        print(f"{reason}; connecting again", file=sys.stderr, flush=True)
        pause = FIRST_PAUSE if log.file.tell() != written else min(pause * 2, LONGEST_PAUSE)
        time.sleep(pause)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
