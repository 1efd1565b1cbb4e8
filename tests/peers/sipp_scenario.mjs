// Scenarios for SIPp written as steps. Each request that is received is remembered by a name (its method, or `as`), so that
// it may be answered at any later step, in another order than it came.
const CONTACT = 'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>';
const TAG = '[pid]-[call_number]';

const attribute = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

// A description as a trunk's peer makes it. `before`: lines of other media that stand before the audio.
export const description = ({ direction = 'sendrecv', version = 1, codecs = '0', connection = '[media_ip]', port = '[media_port]', before = [] } = {}) => [
  'v=0', `o=sipp 1 ${version} IN IP4 [local_ip]`, 's=-', `c=IN IP4 ${connection}`, 't=0 0', ...before,
  `m=audio ${port} RTP/AVP ${codecs} 101`, 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-16',
  `a=${direction}`,
];

class Scenario {
  constructor(name) {
    this.name = name;
    this.steps = [];
    this.variables = new Set();
    this.sequence = 0;
    this.sent = {}; // requests of ours: name -> { number, at }
    this.latest = 'invite';
  }

  toString() {
    const unused = this.variables.size > 0 ? `<Reference variables="${[...this.variables].join(',')}"/>` : '';
    return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${this.name}">\n${this.steps.map(({ xml }) => xml).join('\n')}\n${unused}\n</scenario>\n`;
  }

  // Steps are counted as SIPp counts them, which gives [branch-N] its meaning.
  step(xml, counts = true) {
    this.steps.push({ xml, counts });
    return this;
  }

  get at() {
    return this.steps.filter(({ counts }) => counts).length;
  }

  message(lines, { body = [], retransmitted = false } = {}) {
    const typed = body.length > 0 ? ['Content-Type: application/sdp'] : [];
    const text = [...lines, ...typed, 'Content-Length: [len]', '', ...body].map((line) => `      ${line}`.trimEnd()).join('\n');
    return this.step(`<send${retransmitted ? ' retrans="500"' : ''}><![CDATA[\n\n${text}\n\n    ]]></send>`);
  }

  // `checks`: [where, regular expression, and 'not' where it mustn't fit]; where: a header, 'body' or 'msg'.
  actions(captures, checks) {
    const actions = captures.map(([header, variable, expression = '.*']) => {
      for (const name of variable.split(',')) this.variables.add(name);
      return `<ereg regexp="${attribute(expression)}" search_in="hdr" header="${header}:" check_it="true" assign_to="${variable}"/>`;
    });
    checks.forEach(([where, expression, not]) => {
      const variable = `check${this.variables.size}`;
      this.variables.add(variable);
      const place = where === 'body' || where === 'msg' ? `search_in="${where}"` : `search_in="hdr" header="${where}:"`;
      actions.push(`<ereg regexp="${attribute(expression)}" ${place} check_it${not ? '_inverse' : ''}="true" assign_to="${variable}"/>`);
    });
    return actions.length > 0 ? `<action>${actions.join('')}</action>` : '';
  }

  // ---- what comes
  receives(method, { as = method.toLowerCase(), checks = [], captures = [] } = {}) {
    const kept = method === 'ACK' ? []
      : ['Via', 'From', 'To', 'CSeq'].map((header) => [header, `${as}_${header.toLowerCase()}`]);
    if (method === 'INVITE') kept.push(['Contact', 'target', 'sip:[^>]*']);
    if (method !== 'ACK') this.latest = as;
    return this.step(`<recv request="${method}">${this.actions([...kept, ...captures], checks)}</recv>`);
  }

  gets(status, { checks = [], optional = false } = {}) {
    const routed = status > 100 && status < 300 ? ' rrs="true"' : '';
    return this.step(`<recv response="${status}"${routed}${optional ? ' optional="true"' : ''}>${this.actions([], checks)}</recv>`);
  }

  // For so long nothing comes.
  quiet(milliseconds) {
    return this.step(`<pause milliseconds="${milliseconds}"/>`);
  }

  // The last request bears the right credentials of this user.
  verified(username, password) {
    const variable = `right${this.variables.size}`;
    this.variables.add(variable);
    const { xml, counts } = this.steps.pop();
    const check = `<verifyauth assign_to="${variable}" username="${username}" password="${password}"/></action>`;
    this.step(xml.replace('</action>', check), counts);
    return this.step(`<nop condexec="${variable}" condexec_inverse="true"><action><error message="wrong credentials in [last_message]"/></action></nop>`);
  }

  // Two captured texts are the same.
  same(one, other) {
    this.variables.add('order').add('equal');
    return this.step(`<nop><action><strcmp assign_to="order" variable="${one}" variable2="${other}"/><test assign_to="equal" variable="order" compare="equal" value="0"/></action></nop>`)
      .step(`<nop condexec="equal" condexec_inverse="true"><action><error message="${one} [$${one}] is not ${other} [$${other}]"/></action></nop>`);
  }

  // ---- what is said
  // Answers a request that has come, the latest one unless `to` names another. `tag`: ours, where it isn't the usual one.
  answers(status, { to = this.latest, tag = TAG, headers = [], body = [], initial = to === 'invite' || to === 'cancel' } = {}) {
    const first = initial && status > 100 ? `;tag=${tag}` : '';
    return this.message([
      `SIP/2.0 ${status} Said`, `Via: [$${to}_via]`, `From: [$${to}_from]`, `To: [$${to}_to]${first}`, 'Call-ID: [call_id]',
      `CSeq: [$${to}_cseq]`, ...(status < 300 ? [CONTACT] : []), ...headers,
    ], { body, retransmitted: status >= 200 && /invite/.test(to) });
  }

  // `once`: SIPp sends the next step behind it, which it would not do while it may have to repeat this one.
  request(method, as, { headers = [], body = [], once = false } = {}) {
    this.sequence += 1;
    this.sent[as] = { number: this.sequence, at: this.at };
    return this.message([
      ...this.start(method, as === 'invite'), 'Max-Forwards: 70', ...this.parties(as === 'invite'), 'Call-ID: [call_id]',
      `CSeq: ${this.sequence} ${method}`, CONTACT, ...headers,
    ], { body, retransmitted: !once });
  }

  sends(method, { as = method.toLowerCase(), ...rest } = {}) {
    return this.request(method, as, rest);
  }

  // Acknowledges the final response to a request of ours; a refusal is acknowledged in the transaction of the request.
  acks(as = 'invite', { refused = false, body = [], headers = [] } = {}) {
    const initial = refused && as === 'invite';
    const branch = refused ? `[branch-${this.at - this.sent[as].at}]` : '[branch]';
    return this.message([
      ...this.start('ACK', initial, branch), 'Max-Forwards: 70', ...this.parties(false), 'Call-ID: [call_id]',
      `CSeq: ${this.sent[as].number} ACK`, ...headers,
    ], { body });
  }
}

// SIPp is called by the gateway.
export class Callee extends Scenario {
  start(method, initial, branch = '[branch]') {
    return [`${method} [$target] SIP/2.0`, `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}`];
  }

  parties() {
    return [`From: [$invite_to];tag=${TAG}`, 'To: [$invite_from]'];
  }

  // Rings, answers and has the ACK.
  connects({ checks = [] } = {}) {
    return this.receives('INVITE', { checks }).answers(180).answers(200, { body: description() }).receives('ACK');
  }

  isHungUpOn() {
    return this.receives('BYE').answers(200);
  }
}

// SIPp calls the gateway.
export class Caller extends Scenario {
  start(method, initial, branch = '[branch]') {
    const via = `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}`;
    return initial ? [`${method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0`, via] : [`${method} [next_url] SIP/2.0`, via, '[routes]'];
  }

  parties(initial) {
    const to = 'To: <sip:[service]@[remote_ip]:[remote_port]>';
    return [`From: "SIPp" <sip:+49301[call_number]@carrier.test>;tag=${TAG}`, initial ? to : `${to}[peer_tag_param]`];
  }

  invites({ body = description(), headers = [] } = {}) {
    return this.sends('INVITE', { body, headers }).gets(100, { optional: true });
  }

  // Calls, and has the answer but has not acknowledged it.
  isAnswered({ checks = [], ringing = true, ...invite } = {}) {
    this.invites(invite);
    if (ringing) this.gets(180, { optional: true });
    return this.gets(200, { checks });
  }

  connects(options) {
    return this.isAnswered(options).acks();
  }

  // The INVITE that is not answered yet, to be cancelled.
  cancels({ via = '', headers = [] } = {}) {
    const { number, at } = this.sent.invite;
    return this.message([
      'CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0',
      `Via: SIP/2.0/[transport] ${via || '[local_ip]:[local_port]'};branch=[branch-${this.at - at}];rport`,
      'Max-Forwards: 70', ...this.parties(true), 'Call-ID: [call_id]', `CSeq: ${number} CANCEL`, ...headers,
    ], { retransmitted: true });
  }

  hangsUp() {
    return this.sends('BYE').gets(200);
  }

  isHungUpOn() {
    return this.receives('BYE').answers(200);
  }
}
