// A scripted SIP trunk peer over UDP with real RTP, written apart from the gateway so that it shares none of its mistakes.
import dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import { randomBytes } from 'node:crypto';
import { format, header, parse, tagOf, uriOf } from './sip_message.mjs';
import { RtpPeer } from './audio.mjs';
import { uriHost } from './gateway.mjs';
import { network } from './raw_sip.mjs';
import { cryptoLines, newKey, SrtpContext } from './srtp.mjs';
import { until } from './until.mjs';

const token = () => randomBytes(8).toString('hex');

export class Carrier extends EventEmitter {
  // Signalling is at `address`, sound at `mediaAddress`; the gateway is at an address of the same family.
  static async open(gateway, { port = gateway.carrierPort ?? 0, address = gateway.addresses?.[0] ?? '127.0.0.1', mediaAddress = address } = {}) {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise((resolve) => socket.bind(port, address, resolve));
    return new Carrier(socket, gateway, mediaAddress);
  }

  constructor(socket, gateway, mediaAddress) {
    super();
    this.socket = socket;
    this.address = socket.address().address;
    this.mediaAddress = mediaAddress;
    socket.unref(); // a test that failed must not keep its process alive
    this.port = socket.address().port;
    this.gateway = gateway;
    this.calls = new Map();
    this.log = [];
    // What to do with a call that comes in: (call) => void. By default it rings and answers with a tone.
    this.onCall = async (call) => {
      call.ring();
      await call.answer();
    };
    // What calls to one number get instead: number -> (call) => void.
    this.behaviours = new Map();
    // The suites of SRTP that it takes and offers with a=crypto, best first; none: RTP is plain.
    this.suites = [];
    // Its methods, as it tells them; null: it tells nothing of them.
    this.allow = 'INVITE, ACK, BYE, CANCEL, INFO, UPDATE';
    // Whether its descriptions have telephone-event.
    this.takesEvents = true;
    // Whether the network loses this message: (start line, 'in' or 'out') => boolean.
    this.loses = () => false;
    socket.on('message', (bytes, from) => this.receive(bytes.toString('latin1'), from));
  }

  send(text, to) {
    const start = text.split('\r\n')[0];
    if (this.loses(start, 'out')) return;
    this.log.push(`-> ${start}`);
    this.socket.send(Buffer.from(text, 'latin1'), to.port, to.address);
  }

  receive(text, from) {
    if (text.trim() === '') return;
    const message = parse(text);
    if (this.loses(message.start, 'in')) return;
    this.log.push(`<- ${message.start}`);
    const call = this.calls.get(header(message, 'call-id'));
    if (message.status) return void call?.response(message);
    if (call) return void call.request(message, from);
    if (message.method === 'INVITE') return void this.incoming(message, from);
    if (message.method === 'ACK') return;
    this.reply(message, from, message.method === 'OPTIONS' ? 200 : 481, 'Answer');
  }

  reply(request, from, status, reason, extra = [], body = '', tag = token()) {
    const to = header(request, 'to');
    this.send(
      format(`SIP/2.0 ${status} ${reason}`, [
        ['Via', request.headers.via],
        ['Record-Route', request.headers['record-route']],
        ['From', header(request, 'from')],
        ['To', status > 100 && !tagOf(to) ? `${to};tag=${tag}` : to],
        ['Call-ID', header(request, 'call-id')],
        ['CSeq', header(request, 'cseq')],
        ...extra,
      ], body),
      from,
    );
  }

  async incoming(message, from) {
    const call = new CarrierCall(this, header(message, 'call-id'));
    this.calls.set(call.callId, call);
    await call.accept(message, from);
    this.emit('call', call);
    await (this.behaviours.get(call.dialled) ?? this.onCall)(call);
  }

  // The next call that comes in, to that number if one is given.
  arrival(number) {
    let arrived;
    const take = (call) => {
      if (number !== undefined && call.dialled !== number) return;
      this.off('call', take);
      arrived = call;
    };
    this.on('call', take);
    const found = until(() => arrived, `a call at the trunk to ${number ?? 'any number'}`);
    found.catch(() => {}); // whoever awaits it is told
    return found;
  }

  // Calls a number at the gateway; resolves to the call, whose final status is awaited with `call.final()`.
  async call(number, { from = '+4930123456', sdp = true } = {}) {
    const call = new CarrierCall(this, `${token()}@carrier`);
    this.calls.set(call.callId, call);
    await call.start(number, from, sdp);
    return call;
  }

  // OPTIONS about the gateway itself; its answer is in the log.
  options() {
    const host = uriHost(this.address);
    const target = `sip:${host}:${this.gateway.sipPort}`;
    this.send(format(`OPTIONS ${target} SIP/2.0`, [
      ['Via', `SIP/2.0/UDP ${host}:${this.port};branch=z9hG4bK${token()};rport`],
      ['Max-Forwards', '70'],
      ['From', `<sip:carrier.test>;tag=${token()}`],
      ['To', `<${target}>`],
      ['Call-ID', token()],
      ['CSeq', '1 OPTIONS'],
    ]), { address: this.address, port: this.gateway.sipPort });
  }

  // Hangs up what is still up and forgets all calls.
  endCalls() {
    for (const call of this.calls.values()) {
      const up = call.answered || (call.finalStatus >= 200 && call.finalStatus < 300);
      if (up && !call.ended) call.bye();
      call.close();
    }
    this.calls.clear();
  }

  close() {
    this.endCalls();
    this.socket.close();
  }
}

class CarrierCall extends EventEmitter {
  constructor(carrier, callId) {
    super();
    this.carrier = carrier;
    this.callId = callId;
    this.localTag = token();
    this.cseq = 100;
    this.version = 1;
    this.provisionals = [];
    this.reinvites = [];
    this.infos = [];
    this.refers = []; // REFERs and their copies
    // What a REFER gets: (reply, message) => void, with reply(status, reason, headers).
    this.onRefer = (reply) => reply(405, 'Method Not Allowed');
    this.acks = [];
    this.copies = 0; // of our INVITE's final response
    this.replies = []; // to our requests other than INVITE
    this.acknowledges = true;
    this.direction = 'sendrecv';
    this.answerReinvite = (offered) => ({ sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' })[offered] ?? 'sendrecv';
  }

  // ---- a call that comes in
  async accept(invite, from) {
    this.incoming = true;
    this.invite = invite;
    this.dialled = /^sip:([^@;]*)@/.exec(invite.uri)?.[1];
    this.from = from;
    this.localUri = header(invite, 'to');
    this.remoteUri = header(invite, 'from');
    this.remoteTarget = uriOf(header(invite, 'contact'));
    this.rtp = await RtpPeer.open(this.carrier.mediaAddress);
    this.take(invite.body);
    this.answer100();
  }

  answer100() {
    this.carrier.reply(this.invite, this.from, 100, 'Trying');
  }

  ring() {
    this.carrier.reply(this.invite, this.from, 180, 'Ringing', this.contact(), '', this.localTag);
  }

  early(frequency) {
    this.carrier.reply(this.invite, this.from, 183, 'Session Progress', this.sdpHeaders(), this.sdp(), this.localTag);
    if (frequency) this.rtp.play(frequency);
  }

  sendAnswer(tag = this.localTag) {
    this.carrier.reply(this.invite, this.from, 200, 'OK', this.sdpHeaders(), this.sdp(), tag);
  }

  async answer(frequency = 0) {
    this.sendAnswer();
    this.answered = true;
    this.retransmit = setInterval(() => this.sendAnswer(), 500);
    this.retransmit.unref();
    if (frequency) this.rtp.play(frequency);
    await until(() => this.acknowledged, 'ACK of the answer');
  }

  reject(status, reason = 'Refused', extra = []) {
    this.rejected = true;
    this.carrier.reply(this.invite, this.from, status, reason, extra, '', this.localTag);
  }

  // Refuses with a challenge; resolves to the INVITE that comes next in this call.
  challenge(status, parameters) {
    const refused = this.invite;
    this.carrier.reply(refused, this.from, status, 'Credentials', [[status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate', parameters]], '', this.localTag);
    return until(() => this.invite !== refused && this.invite, 'an INVITE with credentials');
  }

  // ---- a call that we make
  async start(number, from, sdp) {
    this.rtp = await RtpPeer.open(this.carrier.mediaAddress);
    this.remoteTarget = `sip:${number}@${uriHost(this.carrier.address)}:${this.carrier.gateway.sipPort}`;
    this.localUri = `<sip:${from}@carrier.test>`;
    this.remoteUri = `<${this.remoteTarget}>`;
    this.from = { address: this.carrier.address, port: this.carrier.gateway.sipPort };
    this.sendRequest('INVITE', this.sdpHeaders(), sdp ? this.sdp() : '');
  }

  async final() {
    await until(() => this.finalStatus, 'final response');
    return this.finalStatus;
  }

  cancel() {
    this.carrier.send(
      format(`CANCEL ${this.inviteTarget} SIP/2.0`, [
        ['Via', this.inviteVia],
        ['From', `${this.localUri};tag=${this.localTag}`],
        ['To', this.remoteUri],
        ['Call-ID', this.callId],
        ['CSeq', `${this.inviteSequence} CANCEL`],
        ['Max-Forwards', '70'],
      ]),
      this.from,
    );
  }

  // ---- within the dialog
  bye() {
    this.sendRequest('BYE');
    this.rtp.stopTone();
  }

  reinvite(direction) {
    this.direction = direction;
    this.version += 1;
    this.reinviteStatus = undefined;
    this.sendRequest('INVITE', this.sdpHeaders(), this.sdp());
    return until(() => this.reinviteStatus, 'answer to the re-INVITE');
  }

  info(digit) {
    this.sendRequest('INFO', [['Content-Type', 'application/dtmf-relay']], `Signal=${digit}\r\nDuration=160\r\n`);
  }

  // Tells of the REFER: the status line of the call to its target, and the state of the subscription.
  notify(line, state = 'active;expires=60') {
    this.sendRequest('NOTIFY', [
      ['Event', 'refer'], ['Subscription-State', state], ['Content-Type', 'message/sipfrag;version=2.0'],
    ], `${line}\r\n`);
  }

  sendRequest(method, extra = [], body = '') {
    this.cseq += 1;
    const via = `SIP/2.0/UDP ${uriHost(this.carrier.address)}:${this.carrier.port};branch=z9hG4bK${token()};rport`;
    if (method === 'INVITE') {
      this.inviteVia = via;
      this.inviteSequence = this.cseq;
      this.firstSequence ??= this.cseq;
      this.inviteTarget = this.remoteTarget;
    }
    const [local, remote] = this.parties();
    this.carrier.send(
      format(`${method} ${this.remoteTarget} SIP/2.0`, [
        ['Via', via],
        ['Max-Forwards', '70'],
        ['From', local],
        ['To', remote],
        ['Call-ID', this.callId],
        ['CSeq', `${this.cseq} ${method}`],
        ...(extra.some(([name]) => name === 'Contact') ? extra : [...this.contact(), ...extra]),
      ], body),
      this.from,
    );
  }

  parties() {
    if (!this.incoming) return [`${this.localUri};tag=${this.localTag}`, this.remoteTag ? `${this.remoteUri};tag=${this.remoteTag}` : this.remoteUri];
    return [`${this.localUri};tag=${this.localTag}`, this.remoteUri];
  }

  request(message, from) {
    const reply = (status, reason, extra = [], body = '') => this.carrier.reply(message, from, status, reason, extra, body, this.localTag);
    switch (message.method) {
      case 'INVITE':
        if (tagOf(header(message, 'to'))) return this.reoffered(message, reply);
        if (header(message, 'cseq') !== header(this.invite, 'cseq')) this.invite = message;
        if (!this.answered && !this.rejected) return this.answer100();
        return undefined;
      case 'ACK':
        this.acks.push(message);
        if (!this.answered) return undefined;
        this.acknowledged = true;
        clearInterval(this.retransmit);
        return this.emit('ack');
      case 'CANCEL':
        reply(200, 'OK');
        this.cancelled = message;
        if (!this.answered && !this.rejected) this.reject(487, 'Request Terminated');
        return this.emit('cancel');
      case 'BYE':
        reply(200, 'OK');
        this.ended = message;
        this.rtp.stopTone();
        return this.emit('bye');
      case 'INFO':
        this.infos.push(message.body);
        return reply(200, 'OK');
      case 'REFER':
        this.refers.push(message);
        return this.onRefer((status, reason, extra = []) => reply(status, reason, [...this.contact(), ...extra]), message);
      default:
        return reply(200, 'OK');
    }
  }

  reoffered(message, reply) {
    this.reinvites.push(message);
    const offered = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(message.body)?.[1] ?? 'sendrecv';
    this.direction = this.answerReinvite(offered);
    this.version += 1;
    this.take(message.body);
    reply(200, 'OK', this.sdpHeaders(), this.sdp());
  }

  response(message) {
    const [, method] = header(message, 'cseq').split(' ');
    if (method !== 'INVITE') return void this.replies.push({ method, status: message.status });
    if (message.status < 200) {
      this.provisionals.push(message.status);
      return;
    }
    this.remoteTag = tagOf(header(message, 'to')) ?? this.remoteTag;
    const contact = header(message, 'contact');
    if (message.status < 300 && contact) this.remoteTarget = uriOf(contact);
    this.finalResponse = message;
    this.copies += 1;
    if (this.acknowledges) this.acknowledge(message);
    if (message.body) this.take(message.body);
    this.answerSdp = message.body;
    if (this.incoming || Number(header(message, 'cseq').split(' ')[0]) !== this.firstSequence) this.reinviteStatus = message.status;
    else this.finalStatus = message.status;
  }

  acknowledge(response, body = '') {
    const success = response.status < 300;
    const via = success ? `SIP/2.0/UDP ${uriHost(this.carrier.address)}:${this.carrier.port};branch=z9hG4bK${token()};rport` : this.inviteVia;
    this.carrier.send(
      format(`ACK ${success ? this.remoteTarget : this.inviteTarget} SIP/2.0`, [
        ['Via', via],
        ['Max-Forwards', '70'],
        ['From', `${this.localUri};tag=${this.localTag}`],
        ['To', header(response, 'to')],
        ['Call-ID', this.callId],
        ['CSeq', `${header(response, 'cseq').split(' ')[0]} ACK`],
        ...(body === '' ? [] : [['Content-Type', 'application/sdp']]),
      ], body),
      this.from,
    );
  }

  // ---- media
  take(sdp) {
    const port = /^m=audio (\d+)/m.exec(sdp)?.[1];
    const address = /^c=IN IP[46] (\S+)/m.exec(sdp)?.[1];
    if (!port || !address) return;
    this.remoteSdp = sdp;
    this.rtp.remote = { port: Number(port), address };
    this.takeCrypto(sdp);
    const event = /^a=rtpmap:(\d+) telephone-event\/8000/m.exec(sdp)?.[1];
    if (event) this.rtp.eventPayloadType = Number(event);
  }

  // What the other side wrote, by offer or answer, decides: `crypto` is the line that counts for both.
  takeCrypto(sdp) {
    const theirs = cryptoLines(sdp).find(({ suite }) => this.carrier.suites.includes(suite));
    this.crypto = theirs ?? null;
    this.protocol = /^m=audio \d+ (\S+)/m.exec(sdp)[1];
    if (!theirs) {
      this.rtp.seals = this.rtp.opens = null;
      return;
    }
    const { suite, key } = theirs;
    const kept = (context, inline) => (context?.suite === suite && context.inline === inline ? context : new SrtpContext(suite, inline));
    this.rtp.seals = kept(this.rtp.seals, this.keyOf(suite));
    this.rtp.opens = kept(this.rtp.opens, key);
  }

  keyOf(suite) {
    this.keys ??= {};
    return (this.keys[suite] ??= newKey(suite));
  }

  cryptoAttributes() {
    const lines = this.crypto === undefined ? this.carrier.suites.map((suite, at) => ({ tag: at + 1, suite })) : [this.crypto].filter(Boolean);
    return lines.map(({ tag, suite }) => `a=crypto:${tag} ${suite} inline:${this.keyOf(suite)}`);
  }

  eventAttributes() {
    const type = this.rtp.eventPayloadType;
    return this.carrier.takesEvents ? [`a=rtpmap:${type} telephone-event/8000`, `a=fmtp:${type} 0-16`] : [];
  }

  contact() {
    return [['Contact', `<sip:carrier@${uriHost(this.carrier.address)}:${this.carrier.port}>`]];
  }

  sdpHeaders() {
    return [...this.contact(), ...(this.carrier.allow === null ? [] : [['Allow', this.carrier.allow]]), ['Content-Type', 'application/sdp']];
  }

  sdp() {
    return [
      'v=0', `o=carrier 1 ${this.version} ${network(this.rtp.address)}`, 's=call', `c=${network(this.rtp.address)}`, 't=0 0',
      `m=audio ${this.rtp.port} ${this.protocol ?? (this.carrier.suites.length > 0 ? 'RTP/SAVP' : 'RTP/AVP')} 0${this.carrier.takesEvents ? ` ${this.rtp.eventPayloadType}` : ''}`,
      'a=rtpmap:0 PCMU/8000', ...this.eventAttributes(),
      'a=ptime:20', `a=${this.direction}`, ...this.cryptoAttributes(), '',
    ].join('\r\n');
  }

  close() {
    clearInterval(this.retransmit);
    this.rtp?.close();
  }
}
