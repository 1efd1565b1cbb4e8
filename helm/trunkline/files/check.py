"""Asks a gateway whether it serves: check.py URL...

    http://HOST:PORT/readyz   must answer 200
    ws://HOST:PORT/           must take the WebSocket subprotocol sip (RFC 7118), also wss
    sip-udp://HOST:PORT       must answer OPTIONS with any SIP response (403 too: it doesn't know who asks); sip-tcp, sip-tls
    grpcs://HOST:PORT         must agree on HTTP/2 in a TLS handshake

WebSockets are opened as a page of the origin in ORIGIN would, if it is set.

Certificates are not verified: they are for the names that peers use, not for those of the cluster.
"""
import base64
import hashlib
import os
import secrets
import socket
import ssl
import sys
import urllib.parse
import urllib.request

TIMEOUT = 5
TRIES = 5


class Failed(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


def tls(connection, host, protocols=()):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(connection, server_hostname=host)


def read_until(connection, end):
    data = b""
    while end not in data and len(data) < 65536:
        part = connection.recv(4096)
        if not part:
            break
        data += part
    return data.decode("utf-8", "replace")


def http(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url.geturl(), timeout=TIMEOUT) as answer:
        expect(answer.status == 200, f"answered {answer.status}")
        return answer.read(200).decode("utf-8", "replace").strip()


def websocket(url):
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    origin = f"Origin: {os.environ['ORIGIN']}\r\n" if os.environ.get("ORIGIN") else ""
    with socket.create_connection((url.hostname, url.port), TIMEOUT) as plain:
        connection = tls(plain, url.hostname) if url.scheme == "wss" else plain
        connection.sendall((f"GET / HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{origin}"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n").encode())
        head = read_until(connection, b"\r\n\r\n").lower()
    expect(head.startswith("http/1.1 101 "), f"answered {head.splitlines()[0] if head else 'nothing'}")
    expect(f"sec-websocket-accept: {accept.lower()}" in head, "a wrong Sec-WebSocket-Accept")
    expect("sec-websocket-protocol: sip" in head, "subprotocol sip was not taken")
    return "101, subprotocol sip"


def options(url, transport, own):
    host = f"[{own[0]}]" if ":" in own[0] else own[0]
    token = secrets.token_hex(8)
    return (f"OPTIONS sip:{url.netloc} SIP/2.0\r\nVia: SIP/2.0/{transport} {host}:{own[1]};branch=z9hG4bK{token};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:check@{host}>;tag={token}\r\nTo: <sip:{url.netloc}>\r\n"
            f"Call-ID: {token}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:check@{host}:{own[1]}>\r\n"
            f"Accept: application/sdp\r\nContent-Length: 0\r\n\r\n").encode()


def sip_response(text):
    line = text.splitlines()[0] if text else "nothing"
    expect(line.startswith("SIP/2.0 "), f"answered {line}")
    return line


def sip_datagram(url):
    family, kind, _, _, address = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as channel:
        channel.connect(address)
        channel.settimeout(1)
        request = options(url, "UDP", channel.getsockname())
        for _ in range(TRIES):
            channel.send(request)
            try:
                return sip_response(channel.recv(65535).decode("utf-8", "replace"))
            except socket.timeout:
                continue
    raise Failed("no answer")


def sip_stream(url):
    secure = url.scheme == "sip-tls"
    with socket.create_connection((url.hostname, url.port), TIMEOUT) as plain:
        connection = tls(plain, url.hostname) if secure else plain
        connection.sendall(options(url, "TLS" if secure else "TCP", connection.getsockname()))
        return sip_response(read_until(connection, b"\r\n\r\n"))


def grpc(url):
    with socket.create_connection((url.hostname, url.port), TIMEOUT) as plain:
        with tls(plain, url.hostname, ["h2"]) as connection:
            expect(connection.selected_alpn_protocol() == "h2", "HTTP/2 was not taken")
    return "TLS, HTTP/2"


CHECKS = {"http": http, "ws": websocket, "wss": websocket, "sip-udp": sip_datagram, "sip-tcp": sip_stream, "sip-tls": sip_stream,
          "grpcs": grpc}


def main(urls):
    failed = 0
    for text in urls:
        url = urllib.parse.urlsplit(text)
        try:
            print(f"ok      {text}: {CHECKS[url.scheme](url)}", flush=True)
        except (Failed, OSError) as error:
            failed += 1
            print(f"FAILED  {text}: {error}", flush=True)
    return 1 if failed or not urls else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
