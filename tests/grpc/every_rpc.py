#!/usr/bin/env python3
"""Runs every RPC of the API once, with the modules that grpc_python_plugin makes.

every_rpc.py ENDPOINT POLICY_PORT: says on stdout what the browsers of the test are to do, and waits for "ok" on stdin.
"""

import hashlib
import sys
import uuid
from concurrent import futures

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from trunkline.v1 import (call_pb2, call_policy_service_pb2 as policy, call_policy_service_pb2_grpc as policy_grpc,
                          call_service_pb2 as calls, call_service_pb2_grpc, node_service_pb2 as nodes,
                          node_service_pb2_grpc, registration_service_pb2 as registrations,
                          registration_service_pb2_grpc, routing_service_pb2 as routing, routing_service_pb2_grpc,
                          trunk_service_pb2 as trunks, trunk_service_pb2_grpc)

PATIENCE = 60
SIPP = "5551000"


def say(*words):
    """Tells the test what to do, and waits until it is done."""
    print(*words, flush=True)
    if sys.stdin.readline() != "ok\n":
        sys.exit("the test gave up")


def done(name):
    say("done", name)


def seconds(count):
    return duration_pb2.Duration(seconds=count)


def reason_of(error):
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info.reason
    return None


def refused(call, code, reason):
    try:
        call()
    except grpc.RpcError as error:
        assert (error.code(), reason_of(error)) == (code, reason), f"{error.code()} {reason_of(error)}"
    else:
        raise AssertionError(f"no error where {reason} should be")


class Policy(policy_grpc.CallPolicyServiceServicer):
    """Parks calls; lets dora in."""

    def __init__(self):
        self.seen = set()

    def RouteCall(self, request, context):
        self.seen.add("RouteCall")
        return policy.RouteCallResponse(park=policy.PolicyPark(timeout=seconds(60)))

    def AuthenticateUser(self, request, context):
        self.seen.add("AuthenticateUser")
        if request.user != "dora":
            return policy.AuthenticateUserResponse(reject=policy.PolicyReject())
        ha1 = hashlib.md5(f"dora:{request.realm}:secret-d".encode()).hexdigest()
        return policy.AuthenticateUserResponse(ha1=ha1)


class Tour:
    def __init__(self, channel, policy_service):
        self.calls = call_service_pb2_grpc.CallServiceStub(channel)
        self.registrations = registration_service_pb2_grpc.RegistrationServiceStub(channel)
        self.trunks = trunk_service_pb2_grpc.TrunkServiceStub(channel)
        self.routing = routing_service_pb2_grpc.RoutingServiceStub(channel)
        self.nodes = node_service_pb2_grpc.NodeServiceStub(channel)
        self.policy = policy_service

    def create(self, user="alice", to=SIPP):
        """A call between a browser and SIPp, answered."""
        request = calls.CreateCallRequest(request_id=str(uuid.uuid4()), to=to, wait_until=calls.WAIT_UNTIL_ANSWERED,
                                          ring_timeout=seconds(PATIENCE), **{"from": f"user:{user}"})
        future = self.calls.CreateCall.future(request, timeout=PATIENCE)
        say("answer", user)
        call = future.result().call
        assert call.state == call_pb2.CALL_STATE_ANSWERED
        return call.call_id

    def hang_up(self, call_id, user="alice"):
        call = self.calls.HangupCall(calls.HangupCallRequest(call_id=call_id), timeout=PATIENCE).call
        assert call.state == call_pb2.CALL_STATE_ENDED, call.state
        say("ended", user)

    def watch(self):
        stream = self.calls.WatchCalls(calls.WatchCallsRequest())
        for message in stream:
            if message.HasField("snapshot_end"):
                return stream
        raise AssertionError("no end of the snapshot")

    def one_call(self):
        stream = self.watch()
        call_id = self.create()
        done("CreateCall")
        assert self.calls.GetCall(calls.GetCallRequest(call_id=call_id)).call.to == SIPP
        done("GetCall")
        assert [call.call_id for call in self.calls.ListCalls(calls.ListCallsRequest()).calls] == [call_id]
        done("ListCalls")
        say("hears", "alice")
        held = self.calls.HoldCall(calls.HoldCallRequest(call_id=call_id), timeout=PATIENCE).call
        assert held.state == call_pb2.CALL_STATE_HELD
        done("HoldCall")
        resumed = self.calls.ResumeCall(calls.ResumeCallRequest(call_id=call_id), timeout=PATIENCE).call
        assert resumed.state == call_pb2.CALL_STATE_ANSWERED
        done("ResumeCall")
        muted = self.calls.MuteCall(calls.MuteCallRequest(call_id=call_id, direction=calls.MUTE_DIRECTION_TO_LEG)).call
        assert [leg.muted_to_leg for leg in muted.legs if leg.leg_id == "to"] == [True]
        done("MuteCall")
        self.calls.UnmuteCall(calls.UnmuteCallRequest(call_id=call_id, direction=calls.MUTE_DIRECTION_TO_LEG))
        done("UnmuteCall")
        self.calls.SendDtmf(calls.SendDtmfRequest(call_id=call_id, digits="12#"), timeout=PATIENCE)
        done("SendDtmf")
        say("hears", "alice")
        stats = self.calls.GetCallStats(calls.GetCallStatsRequest(call_id=call_id))
        assert all(leg.packets_received > 0 for leg in stats.legs) and len(stats.legs) == 2
        done("GetCallStats")
        trace = self.calls.GetCallTrace(calls.GetCallTraceRequest(call_id=call_id))
        assert "INVITE" in trace.text
        done("GetCallTrace")
        self.hang_up(call_id)
        done("HangupCall")
        kinds = []
        for message in stream:
            if message.HasField("event") and message.event.call.call_id == call_id:
                kinds.append(message.event.WhichOneof("kind"))
                if kinds[-1] == "ended":
                    break
        stream.cancel()
        for kind in ("created", "answered", "held", "resumed", "leg_ended", "ended"):
            assert kind in kinds, f"{kind} in {kinds}"
        done("WatchCalls")

    def transfers(self):
        call_id = self.create()
        request = calls.TransferCallRequest(call_id=call_id, target="user:bob", mode=calls.TRANSFER_MODE_GATEWAY)
        future = self.calls.TransferCall.future(request, timeout=PATIENCE)
        say("answer", "bob")
        future.result()
        done("TransferCall")
        say("ended", "alice")
        self.hang_up(call_id, "bob")

        first, second = self.create("alice"), self.create("bob")
        self.calls.AttendedTransferCall(
            calls.AttendedTransferCallRequest(call_id=first, consult_call_id=second), timeout=PATIENCE)
        done("AttendedTransferCall")
        say("ended", "alice")
        say("ended", "bob")
        self.calls.HangupCall(calls.HangupCallRequest(call_id=first), timeout=PATIENCE)

    def parked(self):
        """Calls of alice that the policy service parks."""
        for answered in (True, False):
            stream = self.watch()
            say("call", "alice", "2000")
            for message in stream:
                if message.HasField("event") and message.event.HasField("parked"):
                    call_id = message.event.call.call_id
                    break
            stream.cancel()
            if answered:
                self.calls.AnswerCall(calls.AnswerCallRequest(call_id=call_id, target=SIPP), timeout=PATIENCE)
                done("AnswerCall")
                say("hears", "alice")
                self.hang_up(call_id)
            else:
                self.calls.RejectCall(calls.RejectCallRequest(call_id=call_id, sip_code=486), timeout=PATIENCE)
                done("RejectCall")
                say("failed", "alice")
        assert "RouteCall" in self.policy.seen
        done("RouteCall")

    def users(self):
        stream = self.registrations.WatchRegistrations(registrations.WatchRegistrationsRequest())
        for message in stream:
            if message.HasField("snapshot_end"):
                break
        say("register", "dora", "secret-d")
        assert "AuthenticateUser" in self.policy.seen
        done("AuthenticateUser")
        for message in stream:
            if message.HasField("event"):
                assert message.event.registration.user == "dora"
                break
        stream.cancel()
        done("WatchRegistrations")
        listed = self.registrations.ListRegistrations(registrations.ListRegistrationsRequest()).registrations
        assert {"alice", "bob"} <= {one.user for one in listed}
        done("ListRegistrations")
        one = self.registrations.GetRegistration(registrations.GetRegistrationRequest(user="alice")).registration
        assert one.user == "alice"
        done("GetRegistration")
        credential = self.registrations.CreateCredential(
            registrations.CreateCredentialRequest(user="carol", ttl=seconds(60)))
        say("register", "carol", credential.password, credential.username)
        done("CreateCredential")
        gone = self.registrations.DeleteRegistration(registrations.DeleteRegistrationRequest(user="bob")).registrations
        assert [one.user for one in gone] == ["bob"]
        refused(lambda: self.registrations.GetRegistration(registrations.GetRegistrationRequest(user="bob")),
                grpc.StatusCode.NOT_FOUND, "USER_NOT_REGISTERED")
        done("DeleteRegistration")

    def trunk(self):
        assert [one.trunk for one in self.trunks.ListTrunks(trunks.ListTrunksRequest()).trunks] == ["carrier"]
        done("ListTrunks")
        assert not self.trunks.DisableTrunk(trunks.DisableTrunkRequest(trunk="carrier")).trunk.enabled
        done("DisableTrunk")
        assert self.trunks.GetTrunk(trunks.GetTrunkRequest(trunk="carrier")).trunk.state == trunks.TRUNK_STATE_DISABLED
        done("GetTrunk")
        assert self.trunks.EnableTrunk(trunks.EnableTrunkRequest(trunk="carrier")).trunk.enabled
        done("EnableTrunk")
        assert self.trunks.PingTrunk(trunks.PingTrunkRequest(trunk="carrier"), timeout=PATIENCE).answered
        done("PingTrunk")

    def node(self):
        route = self.routing.ExplainRoute(routing.ExplainRouteRequest(to=SIPP, source="user:alice", **{"from": "alice"}))
        assert route.target == "trunk:carrier"
        done("ExplainRoute")
        row, = self.routing.DescribeStatus(routing.DescribeStatusRequest(sip_code=486)).mappings
        assert row.reason == "CALLEE_BUSY"
        done("DescribeStatus")
        assert not self.nodes.GetNode(nodes.GetNodeRequest()).node.draining
        done("GetNode")
        assert self.nodes.Drain(nodes.DrainRequest()).node.draining
        refused(lambda: self.calls.CreateCall(calls.CreateCallRequest(to=SIPP, **{"from": "service:echo"})),
                grpc.StatusCode.UNAVAILABLE, "DRAINING")
        done("Drain")
        assert not self.nodes.Undrain(nodes.UndrainRequest()).node.draining
        done("Undrain")
        level = self.nodes.SetLogLevel(nodes.SetLogLevelRequest(level=nodes.LOG_LEVEL_DEBUG)).level
        assert level == nodes.LOG_LEVEL_DEBUG
        done("SetLogLevel")
        reloaded = self.nodes.ReloadConfig(nodes.ReloadConfigRequest())
        assert not reloaded.applied and not reloaded.needs_restart, reloaded
        done("ReloadConfig")


def main():
    endpoint, policy_port = sys.argv[1:]
    service = Policy()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    policy_grpc.add_CallPolicyServiceServicer_to_server(service, server)
    server.add_insecure_port(f"127.0.0.1:{policy_port}")
    server.start()
    with grpc.insecure_channel(endpoint, [("grpc.enable_http_proxy", 0)]) as channel:
        tour = Tour(channel, service)
        tour.one_call()
        tour.parked()
        tour.trunk()
        tour.node()
        tour.transfers()
        tour.users()
    server.stop(None).wait()


if __name__ == "__main__":
    main()
