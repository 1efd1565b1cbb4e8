"""Finds the addresses that the gateway tells its peers, and writes them down as variables of its configuration.

    discover.py RESULT

DISCOVER is JSON: for each variable of the configuration, how to find its value. Where one can't be found nothing is
written and the last line says why: an address of the cluster must never be told to a carrier by mistake.
"""
import ipaddress
import json
import os
import secrets
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.request

ACCOUNT = os.environ.get("SERVICE_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount")
MAX_ANSWER = 4 << 20  # octets of any HTTP answer
METADATA = os.environ.get("METADATA_URL", "http://169.254.169.254")
STUN_MAGIC = 0x2112A442
STUN_RTO = 0.5  # seconds, RFC 8489 §6.2.1
STUN_REQUESTS = 5


class NotFound(Exception):
    """Why a source gives no address."""


class NotYet(NotFound):
    """What may come: asked again until the time is over."""


def fetch(url, headers=None, method="GET", context=None, timeout=3):
    request = urllib.request.Request(url, headers=headers or {}, method=method)
    # Metadata services and the API are asked directly, whatever proxy the environment names.
    openers = [urllib.request.ProxyHandler({})]
    if context:
        openers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*openers).open(request, timeout=timeout) as answer:
            return answer.read(MAX_ANSWER).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        raise NotFound(f"{url} answered {error.code}") from error
    except (OSError, ValueError) as error:
        raise NotFound(f"{url}: {getattr(error, 'reason', None) or error}") from error


def kubernetes(path):
    """An object of the Kubernetes API."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise NotFound("there is no Kubernetes API here")
    if ":" in host:
        host = f"[{host}]"
    try:
        with open(os.path.join(ACCOUNT, "token"), encoding="ascii") as file:
            token = file.read().strip()
        context = ssl.create_default_context(cafile=os.path.join(ACCOUNT, "ca.crt"))
    except OSError as error:
        raise NotFound(f"the service account: {error}") from error
    return json.loads(fetch(f"https://{host}:{port}{path}", {"Authorization": f"Bearer {token}"}, context=context, timeout=10))


def of_family(addresses, family):
    version = 6 if family == "IPv6" else 4
    for text in addresses:
        try:
            if ipaddress.ip_address(text).version == version:
                return text
        except ValueError:
            continue
    return None


def ordinal():
    """Of this pod in its StatefulSet."""
    number = os.environ["POD_NAME"].rpartition("-")[2]
    if not number.isdigit():
        raise NotFound(f"pod {os.environ['POD_NAME']} is not of a StatefulSet")
    return int(number)


def static(wanted):
    mine = ordinal()
    if mine >= len(wanted["perPod"]):
        raise NotFound(f"perPod has no address for pod {mine}")
    return wanted["perPod"][mine]


def node_external_ip(wanted):
    node = kubernetes(f"/api/v1/nodes/{os.environ['NODE_NAME']}")
    addresses = [entry["address"] for entry in node["status"].get("addresses", []) if entry["type"] == "ExternalIP"]
    found = of_family(addresses, wanted["family"])
    if not found:
        raise NotFound(f"node {os.environ['NODE_NAME']} has no ExternalIP of {wanted['family']}")
    return found


def node_label(wanted):
    metadata = kubernetes(f"/api/v1/nodes/{os.environ['NODE_NAME']}")["metadata"]
    for kind in ("labels", "annotations"):
        if wanted["label"] in (metadata.get(kind) or {}):
            return metadata[kind][wanted["label"]]
    raise NotFound(f"node {os.environ['NODE_NAME']} has neither a label nor an annotation {wanted['label']}")


def service(wanted):
    name = f"{wanted['service']}-{ordinal()}" if wanted["perPod"] else wanted["service"]
    status = kubernetes(f"/api/v1/namespaces/{os.environ['POD_NAMESPACE']}/services/{name}").get("status", {})
    entries = status.get("loadBalancer", {}).get("ingress") or []
    if not entries:
        raise NotYet(f"Service {name} has no address yet: does this cluster give addresses to type LoadBalancer?")
    found = of_family([entry["ip"] for entry in entries if "ip" in entry], wanted["family"])
    return found or resolve([entry["hostname"] for entry in entries if "hostname" in entry], wanted["family"], name)


def resolve(names, family, name):
    """Some load balancers have a name only. It must lead to one address: SIP and SDP tell one."""
    addresses = set()
    for host in names:
        try:
            wanted = socket.AF_INET6 if family == "IPv6" else socket.AF_INET
            addresses |= {entry[4][0] for entry in socket.getaddrinfo(host, None, wanted, socket.SOCK_DGRAM)}
        except OSError as error:
            raise NotYet(f"Service {name}: {host}: {error}") from error
    if len(addresses) != 1:
        raise NotFound(f"Service {name} leads to {len(addresses)} addresses of {family} ({', '.join(sorted(addresses))}); one is needed")
    return addresses.pop()


def aws(family):
    token = fetch(f"{METADATA}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")
    key = "ipv6" if family == "IPv6" else "public-ipv4"
    return fetch(f"{METADATA}/latest/meta-data/{key}", {"X-aws-ec2-metadata-token": token})


def gcp(family):
    interface = f"{METADATA}/computeMetadata/v1/instance/network-interfaces/0"
    path = "ipv6s" if family == "IPv6" else "access-configs/0/external-ip"
    return fetch(f"{interface}/{path}", {"Metadata-Flavor": "Google"})


def azure(family):
    if family == "IPv6":
        raise NotFound("Azure's metadata service tells no public IPv6 address")
    path = "network/interface/0/ipv4/ipAddress/0/publicIpAddress"
    return fetch(f"{METADATA}/metadata/instance/{path}?api-version=2021-02-01&format=text", {"Metadata": "true"})


def hetzner(family):
    if family == "IPv6":
        raise NotFound("Hetzner's metadata service tells no IPv6 address")
    return fetch(f"{METADATA}/hetzner/v1/metadata/public-ipv4")


def digitalocean(family):
    return fetch(f"{METADATA}/metadata/v1/interfaces/public/0/{family.lower()}/address")


PROVIDERS = {"aws": aws, "gcp": gcp, "azure": azure, "hetzner": hetzner, "digitalocean": digitalocean}


def cloud(wanted):
    names = list(PROVIDERS) if wanted["provider"] == "auto" else [wanted["provider"]]
    reasons = []
    for name in names:
        try:
            found = PROVIDERS[name](wanted["family"]).strip()
            if of_family([found], wanted["family"]):
                return found
            reasons.append(f"{name}: no address")
        except NotFound as reason:
            reasons.append(f"{name}: {reason}")
    hint = " (AWS answers pods off the node's network only with a hop limit of 2)" if "aws" in names else ""
    raise NotYet("; ".join(reasons) + hint)


def stun_mapped(answer, transaction):
    """XOR-MAPPED-ADDRESS of a success response (RFC 8489 §14.2); None if it isn't one to this request."""
    if len(answer) < 20:
        return None
    kind, length, magic, identifier = struct.unpack("!HHI12s", answer[:20])
    if kind != 0x0101 or magic != STUN_MAGIC or identifier != transaction or length != len(answer) - 20:
        return None
    at = 20
    while at + 4 <= len(answer):
        attribute, size = struct.unpack("!HH", answer[at:at + 4])
        value = answer[at + 4:at + 4 + size]
        if attribute == 0x0020 and size in (8, 20) and len(value) == size:
            mask = struct.pack("!I", STUN_MAGIC) + transaction
            return str(ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask))))
        at += 4 + (size + 3) // 4 * 4
    return None


def stun_ask(address, family):
    transaction = secrets.token_bytes(12)
    request = struct.pack("!HHI12s", 0x0001, 0, STUN_MAGIC, transaction)
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        for number in range(STUN_REQUESTS):
            until = time.monotonic() + STUN_RTO * 2 ** number
            channel.send(request)
            while (left := until - time.monotonic()) > 0:
                channel.settimeout(left)
                try:
                    found = stun_mapped(channel.recv(2048), transaction)
                except socket.timeout:
                    break
                if found:
                    return found
    raise NotFound("no answer")


def stun(wanted):
    family = socket.AF_INET6 if wanted["family"] == "IPv6" else socket.AF_INET
    reasons = []
    for server in wanted["servers"]:
        host, _, port = server.rpartition(":")
        try:
            address = socket.getaddrinfo(host.strip("[]"), port, family, socket.SOCK_DGRAM)[0][4]
            return stun_ask(address, family)
        except (OSError, NotFound) as reason:
            reasons.append(f"{server}: {reason}")
    raise NotYet("; ".join(reasons))


SOURCES = {"static": static, "nodeExternalIP": node_external_ip, "nodeLabel": node_label, "service": service,
           "cloud": cloud, "stun": stun}


def checked(text, wanted):
    """The address, if peers can be told it."""
    if not of_family([text], wanted["family"]):
        raise NotFound(f"{text!r} is not an {wanted['family']} address")
    address = ipaddress.ip_address(text)
    if address.is_unspecified or address.is_loopback or address.is_link_local or address.is_multicast:
        raise NotFound(f"{text} can't be reached by anyone else")
    pod, host = os.environ.get("POD_IP"), os.environ.get("HOST_IP")
    if text == pod and pod != host:
        raise NotFound(f"{text} is the pod's own address, which is of the cluster alone")
    if wanted.get("public") and not address.is_global:
        raise NotFound(f"{text} is a private address; allow it with address.discovery.allowPrivate")
    return text


def find(name, wanted, deadline):
    while True:
        try:
            return checked(SOURCES[wanted["source"]](wanted), wanted)
        except NotYet as reason:
            if time.monotonic() >= deadline:
                raise
            print(f"{name}: {reason}; asking again", flush=True)
            time.sleep(min(2, max(0, deadline - time.monotonic())))


def main(result):
    deadline = time.monotonic() + float(os.environ.get("TIMEOUT_SECONDS", "180"))
    lines = []
    found = {}
    for name, wanted in json.loads(os.environ["DISCOVER"]).items():
        try:
            # Both are often the same: asked once, told twice.
            key = json.dumps(wanted, sort_keys=True)
            found.setdefault(key, None)
            found[key] = found[key] or find(name, wanted, deadline)
        except NotFound as reason:
            sys.exit(f"{name}: no address from source {wanted['source']}: {reason}")
        print(f"{name} is {found[key]}, from source {wanted['source']}", flush=True)
        lines.append(f"{name}={found[key]}\n")
    with open(result, "w", encoding="utf-8") as file:
        file.writelines(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
