"""Tells Kubernetes how many calls this pod has, so that scaling in takes the pod that has the fewest.

Writes the annotation controller.kubernetes.io/pod-deletion-cost of its own pod whenever the number has changed. A failure is
said and tried again: calls never depend on it.
"""
import json
import os
import signal
import ssl
import sys
import threading
import urllib.request

ACCOUNT = os.environ.get("SERVICE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount")
METRIC = "trunkline_calls_active"
MAX_ANSWER = 8 << 20


def active_calls(text):
    total = 0.0
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name == METRIC or name.startswith(METRIC + "{"):
            total += float(value)
    return int(total)


def opener(*handlers):
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)


def read_calls():
    with opener().open(os.environ["METRICS_URL"], timeout=5) as answer:
        return active_calls(answer.read(MAX_ANSWER).decode())


def tell(cost):
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    # Read each time: Kubernetes renews it.
    with open(os.path.join(ACCOUNT, "token"), encoding="ascii") as file:
        token = file.read().strip()
    body = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": str(cost)}}}
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/namespaces/{os.environ['POD_NAMESPACE']}/pods/{os.environ['POD_NAME']}",
        data=json.dumps(body).encode(), method="PATCH",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"})
    context = ssl.create_default_context(cafile=os.path.join(ACCOUNT, "ca.crt"))
    opener(urllib.request.HTTPSHandler(context=context)).open(request, timeout=10).close()


def main():
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    told = None
    while not over.is_set():
        try:
            calls = read_calls()
            if calls != told:
                tell(calls)
                told = calls
        except (OSError, ValueError) as error:
            print(f"not told: {error}", file=sys.stderr, flush=True)
        over.wait(float(os.environ["PERIOD_SECONDS"]))


if __name__ == "__main__":
    main()
