"""A browser's part played by another WebRTC stack: Debian's aiortc behind a small SIP user agent over WebSocket.

JSON lines in and out, the same as the synthetic browser's (tests/synthetic_browser): connect, register, call, answer, hangup,
stats; registered, incoming, ringing, answered, media, ended, failed, stats.
"""

import argparse
import asyncio
import fractions
import hashlib
import json
import re
import secrets
import sys

import av
import numpy
import websockets
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

RATE = 48000
FRAME = RATE // 50


class Tone(MediaStreamTrack):
    """A sine, in frames of 20 ms."""

    kind = "audio"

    def __init__(self, frequency):
        super().__init__()
        self.frequency = frequency
        self.at = 0
        self.began = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0, self.began + self.at / RATE - loop.time()))
        times = (self.at + numpy.arange(FRAME)) / RATE
        samples = (8000 * numpy.sin(2 * numpy.pi * self.frequency * times)).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.at, fractions.Fraction(1, RATE)
        self.at += FRAME
        return frame


class Listener:
    """Counts the windows of 100 ms of a track in which one frequency has most of the power."""

    def __init__(self, frequency):
        self.frequency = frequency
        self.heard = 0
        self.windows = 0
        self.kept = numpy.zeros(0)

    async def follow(self, track):
        while True:
            frame = await track.recv()
            samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(float)
            self.kept = numpy.concatenate([self.kept, samples])
            size = frame.sample_rate // 10
            while len(self.kept) >= size:
                self.judge(self.kept[:size], frame.sample_rate)
                self.kept = self.kept[size:]

    def judge(self, samples, rate):
        self.windows += 1
        power = numpy.sum(samples**2)
        if power < len(samples) * 100:
            return
        wave = numpy.exp(-2j * numpy.pi * self.frequency * numpy.arange(len(samples)) / rate)
        share = 2 * abs(numpy.dot(samples, wave)) ** 2 / (len(samples) * power)
        self.heard += share > 0.8


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *lines = head.split("\r\n")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        self.status = int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0
        self.method = self["CSeq"].split()[1] if self.status else self.start.split()[0]

    def __getitem__(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name):
        return [(key, value) for key, value in self.headers if key.lower() == name.lower()]


def compose(start, headers, body=""):
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body.encode())}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def uri_of(value):
    return re.search(r"<([^>]+)>", value).group(1)


class Call:
    """One call: its dialog and its peer connection."""

    def __init__(self, phone, number, tone, listen):
        self.phone = phone
        self.number = number
        self.listener = Listener(listen)
        self.connection = RTCPeerConnection()
        self.connection.addTrack(Tone(tone))
        self.tasks = []
        self.cseq = 1
        self.target = self.local = self.remote = ""
        self.invite = None
        self.over = False

        @self.connection.on("track")
        def on_track(track):
            self.tasks.append(asyncio.ensure_future(self.listener.follow(track)))

        @self.connection.on("connectionstatechange")
        def on_state():
            if self.connection.connectionState == "connected":
                phone.tell("media", call=number)

    async def end(self, event, **details):
        if self.over:
            return
        self.over = True
        for task in self.tasks:
            task.cancel()
        await self.connection.close()
        self.phone.tell(event, call=self.number, **details)


class Phone:
    def __init__(self, options):
        self.options = options
        self.host = secrets.token_hex(6) + ".invalid"
        self.contact = f"<sip:{options.user}@{self.host};transport=ws>"
        self.address = f"<sip:{options.user}@{options.domain}>"
        self.calls = {}
        self.dialogs = {}
        self.answers = {}
        self.last = 0
        self.socket = None

    def tell(self, event, **details):
        print(json.dumps({"event": event, **details}), flush=True)

    async def run(self):
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            if command["do"] == "quit":
                break
            asyncio.ensure_future(getattr(self, "do_" + command.pop("do"))(**command))
        await asyncio.gather(*(call.end("ended") for call in self.dialogs.values()))

    # ---- what is asked for
    async def do_connect(self):
        self.socket = await websockets.connect(self.options.url, subprotocols=["sip"])
        asyncio.ensure_future(self.read())
        self.tell("connected")

    async def do_register(self):
        target = f"sip:{self.options.domain}"
        answer = await self.request("REGISTER", target, self.address, secrets.token_hex(8),
                                    [("Contact", self.contact), ("Expires", "600")])
        self.tell("registered" if answer.status == 200 else "register_failed", status=answer.status)

    async def do_call(self, to, tone, listen):
        self.last += 1
        call = self.calls[self.last] = Call(self, self.last, tone, listen)
        await call.connection.setLocalDescription(await call.connection.createOffer())
        uri = f"sip:{to}@{self.options.domain}"
        call_id = secrets.token_hex(10)
        self.dialogs[call_id] = call
        answer = await self.request("INVITE", uri, f"<{uri}>", call_id,
                                    [("Contact", self.contact), ("Content-Type", "application/sdp")],
                                    call.connection.localDescription.sdp, call)
        if answer.status >= 300:
            return await call.end("failed", status=answer.status)
        await call.connection.setRemoteDescription(RTCSessionDescription(answer.body, "answer"))
        self.tell("answered", call=call.number)

    async def do_answer(self, call, tone, listen):
        number, invite = call, self.calls[call]
        call = self.calls[number] = Call(self, number, tone, listen)
        self.dialogs[invite["Call-ID"]] = call
        call.invite = invite
        await call.connection.setRemoteDescription(RTCSessionDescription(invite.body, "offer"))
        await call.connection.setLocalDescription(await call.connection.createAnswer())
        tag = ";tag=" + secrets.token_hex(4)
        call.local, call.remote, call.target = invite["To"] + tag, invite["From"], uri_of(invite["Contact"])
        await self.respond(invite, 200, tag, [("Contact", self.contact), ("Content-Type", "application/sdp")],
                           call.connection.localDescription.sdp)

    async def do_hangup(self, call):
        call = self.calls[call]
        call_id = next(key for key, value in self.dialogs.items() if value is call)
        call.cseq += 1
        await self.transact(compose(f"BYE {call.target} SIP/2.0", [
            *self.via(), ("Max-Forwards", "70"), ("From", call.local), ("To", call.remote), ("Call-ID", call_id),
            ("CSeq", f"{call.cseq} BYE")]))
        await call.end("ended")

    async def do_stats(self, call):
        listener = self.calls[call].listener
        self.tell("stats", call=call, heard=int(listener.heard), windows=listener.windows)

    # ---- SIP
    def via(self):
        return [("Via", f"SIP/2.0/WS {self.host};branch=z9hG4bK{secrets.token_hex(8)}")]

    async def request(self, method, uri, to, call_id, headers, body="", call=None):
        """Sends it, with credentials when they are asked for; the final response. An INVITE's ACK is sent as well."""
        sender = self.address + ";tag=" + secrets.token_hex(4)
        credentials = []
        for cseq in (1, 2):
            via = self.via()
            common = [("Max-Forwards", "70"), ("From", sender), ("Call-ID", call_id)]
            answer = await self.transact(compose(f"{method} {uri} SIP/2.0", [
                *via, *common, ("To", to), ("CSeq", f"{cseq} {method}"), *headers, *credentials], body), call)
            if method == "INVITE":
                accepted = answer.status < 300
                target = uri_of(answer["Contact"]) if accepted else uri
                call.local, call.remote, call.target, call.cseq = sender, answer["To"], target, cseq
                await self.socket.send(compose(f"ACK {target} SIP/2.0", [
                    *(self.via() if accepted else via), *common, ("To", answer["To"]), ("CSeq", f"{cseq} ACK")]))
            if answer.status not in (401, 407):
                break
            credentials = [self.authorize(method, uri, answer)]
        return answer

    def authorize(self, method, uri, challenge):
        proxy = challenge.status == 407
        asked = challenge["Proxy-Authenticate" if proxy else "WWW-Authenticate"]
        field = lambda name: re.search(rf'{name}="?([^",]+)', asked).group(1)
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()
        user, realm, nonce, cnonce = self.options.username, field("realm"), field("nonce"), secrets.token_hex(4)
        secret = md5(f"{user}:{realm}:{self.options.password}")
        response = md5(f"{secret}:{nonce}:00000001:{cnonce}:auth:{md5(f'{method}:{uri}')}")
        return ("Proxy-Authorization" if proxy else "Authorization",
                f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
                f'algorithm=MD5, cnonce="{cnonce}", qop=auth, nc=00000001')

    async def transact(self, text, call=None):
        message = Message(text)
        key = (message["Call-ID"], message["CSeq"])
        self.answers[key] = queue = asyncio.Queue()
        await self.socket.send(text)
        while (answer := await queue.get()).status < 200:
            if call and answer.status > 100:
                self.tell("ringing", call=call.number, status=answer.status)
        return answer

    async def respond(self, request, status, tag="", headers=(), body=""):
        to = request["To"] + tag
        await self.socket.send(compose(f"SIP/2.0 {status} Said", [
            *request.all("Via"), *request.all("Record-Route"), ("From", request["From"]), ("To", to),
            ("Call-ID", request["Call-ID"]), ("CSeq", request["CSeq"]), *headers], body))

    async def read(self):
        async for text in self.socket:
            if not text.strip():
                continue
            message = Message(text if isinstance(text, str) else text.decode())
            if message.status:
                if queue := self.answers.get((message["Call-ID"], message["CSeq"])):
                    queue.put_nowait(message)
            else:
                await self.take(message)

    async def take(self, request):
        call = self.dialogs.get(request["Call-ID"])
        if request.method == "INVITE" and call is None:
            self.last += 1
            self.calls[self.last] = request
            await self.respond(request, 180, headers=[("Contact", self.contact)])
            self.tell("incoming", call=self.last)
        elif request.method == "BYE" and call is not None:
            await self.respond(request, 200)
            await call.end("ended")
        elif request.method != "ACK":
            await self.respond(request, 200 if request.method == "OPTIONS" else 405)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("control")
    for name in ("url", "user", "username", "password", "domain"):
        parser.add_argument("--" + name, required=True)
    asyncio.run(Phone(parser.parse_args()).run())


main()
