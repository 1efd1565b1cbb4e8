"""What the examples share: the way to the gateway, and errors with their details."""

import os
import pathlib
import sys

# Where ./generate put the modules of the API.
sys.path.insert(0, os.environ.get("TRUNKLINE_STUBS", str(pathlib.Path(__file__).parent / "generated")))

import grpc  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from trunkline.v1 import status_pb2 as sip_pb2  # noqa: E402


def add_endpoint(parser):
    parser.add_argument("--endpoint", default="127.0.0.1:50051", help="HOST:PORT of the gateway's gRPC listener")
    parser.add_argument("--ca", help="use TLS; certificate authorities of the server (PEM)")
    parser.add_argument("--cert", help="certificate of this client (PEM)")
    parser.add_argument("--key", help="key of that certificate (PEM)")
    # The token comes from the environment, where no list of processes shows it.


def open_channel(arguments):
    # A proxy for web pages is not for this.
    options = [("grpc.enable_http_proxy", 0)]
    if not arguments.ca:
        return grpc.insecure_channel(arguments.endpoint, options)

    def read(name):
        return pathlib.Path(name).read_bytes() if name else None

    credentials = grpc.ssl_channel_credentials(read(arguments.ca), read(arguments.key), read(arguments.cert))
    return grpc.secure_channel(arguments.endpoint, credentials, options)


def call_metadata():
    token = os.environ.get("TRUNKLINE_TOKEN")
    return [("authorization", f"Bearer {token}")] if token else []


class Failure:
    """The details of an error: `reason` is stable, `message` is for people, `sip` is the SIP response behind it."""

    def __init__(self, error):
        self.code = error.code()
        self.message = error.details()
        self.reason = ""
        self.sip = None
        self.retry_after = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                self._read(status_pb2.Status.FromString(value))

    def _read(self, status):
        for detail in status.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo()
                detail.Unpack(info)
                self.reason = info.reason
            elif detail.Is(sip_pb2.SipStatus.DESCRIPTOR):
                self.sip = sip_pb2.SipStatus()
                detail.Unpack(self.sip)
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                info = error_details_pb2.RetryInfo()
                detail.Unpack(info)
                self.retry_after = info.retry_delay.ToTimedelta().total_seconds()

    def __str__(self):
        text = f"{self.code.name} {self.reason}: {self.message}"
        if self.sip:
            text += f" (SIP {self.sip.code} {self.sip.reason_phrase})"
        if self.retry_after is not None:
            text += f"; try again in {self.retry_after:g} s"
        return text
