// What SIPp does at bad moments, step by step. Callees are called by a browser, callers call one.
import { Callee, Caller, description } from '../peers/sipp_scenario.mjs';

const callee = (name) => new Callee(name);
const caller = (name) => new Caller(name);
const OFFER = { body: description() };
const RELIABLE = ['Require: 100rel', 'RSeq: 4711'];
const challenge = (nonce, more = '') => `Digest realm="carrier", nonce="${nonce}", algorithm=MD5, qop="auth"${more}`;
// The gateway's offer in the call, which SIPp knows as "reinvite".
const reoffered = { as: 'reinvite', checks: [['body', 'm=audio [1-9]']] };
const recvonly = (version) => ({ body: description({ direction: 'recvonly', version }) });

export const callees = {
  crossing_answer: callee('answers what was cancelled, by way of a proxy')
    .receives('INVITE').answers(180).receives('CANCEL').answers(200)
    .answers(200, { to: 'invite', ...OFFER, headers: ['Record-Route: <sip:[local_ip]:[local_port];transport=[transport];lr;hop=one>'] })
    .receives('ACK', { checks: [['Route', 'hop=one']] })
    .receives('BYE', { checks: [['Route', 'hop=one']] }).answers(200),

  mute_at_first: callee('says nothing until it is given up')
    .receives('INVITE').quiet(800).answers(180).receives('CANCEL').answers(200)
    .answers(487, { to: 'invite' }).receives('ACK'),

  cancelled: callee('stops ringing')
    .receives('INVITE').answers(180).receives('CANCEL').answers(200)
    .answers(487, { to: 'invite' }).receives('ACK'),

  rings_reliably_too_late: callee('rings reliably when it was cancelled')
    .receives('INVITE').answers(180).receives('CANCEL').answers(200)
    .answers(183, { to: 'invite', headers: RELIABLE, ...OFFER }).quiet(700)
    .answers(487, { to: 'invite' }).receives('ACK'),

  other_tag: callee('rings on one fork and answers on another')
    .receives('INVITE').answers(180, { tag: 'fork-a' }).answers(200, { tag: 'fork-b', ...OFFER })
    .receives('ACK', { checks: [['To', 'fork-b']] })
    .receives('BYE', { checks: [['To', 'fork-b']] }).answers(200),

  losing_fork: callee('answers on one fork, then refuses on the other')
    .receives('INVITE').answers(180, { tag: 'fork-a' }).answers(180, { tag: 'fork-b' }).answers(200, { tag: 'fork-a', ...OFFER })
    .receives('ACK', { checks: [['To', 'fork-a']] })
    .answers(486, { tag: 'fork-b' }).receives('ACK', { checks: [['To', 'fork-b']] })
    .receives('BYE', { checks: [['To', 'fork-a']] }).answers(200),

  stale_nonce: callee('asks for credentials, and again with another nonce')
    .receives('INVITE').answers(401, { headers: [`WWW-Authenticate: ${challenge('first')}`] }).receives('ACK')
    .receives('INVITE').answers(401, { headers: [`WWW-Authenticate: ${challenge('second', ', stale=true')}`] }).receives('ACK')
    .receives('INVITE', { checks: [['Authorization', 'nonce="second"']] }).verified('gw', 'secret-t')
    .answers(200, OFFER).receives('ACK').isHungUpOn(),

  challenges_without_end: callee('finds every password wrong')
    .receives('INVITE').answers(401, { headers: [`WWW-Authenticate: ${challenge('first')}`] }).receives('ACK')
    .receives('INVITE').answers(401, { headers: [`WWW-Authenticate: ${challenge('second')}`] }).receives('ACK'),

  challenges_and_rings_reliably: callee('rings reliably after its challenge')
    .receives('INVITE').answers(401, { headers: [`WWW-Authenticate: ${challenge('first')}`] }).receives('ACK')
    .receives('INVITE', { captures: [['CSeq', 'invite_whole,invite_number', '([0-9]+) INVITE']] })
    .answers(183, { headers: RELIABLE, ...OFFER })
    .receives('PRACK', { captures: [['RAck', 'rack_whole,rack_number', '4711 ([0-9]+) INVITE']] }).same('rack_number', 'invite_number')
    .answers(200).answers(200, { to: 'invite' }).receives('ACK').isHungUpOn(),

  challenges_bye: callee('asks for credentials to hang up')
    .connects().receives('BYE').answers(401, { headers: [`WWW-Authenticate: ${challenge('bye')}`] })
    .receives('BYE').verified('gw', 'secret-t').answers(200),

  hung_up_on_while_offered: callee('answers an offer after the call has ended')
    .connects().receives('INVITE', reoffered).receives('BYE').answers(200)
    .answers(200, { to: 'reinvite', ...recvonly(2) }).receives('ACK'),

  hangs_up_on_offer: callee('hangs up instead of answering an offer')
    .connects().receives('INVITE', reoffered).sends('BYE').gets(200)
    .answers(487, { to: 'reinvite' }).receives('ACK'),

  refuses_offer: callee('refuses an offer and takes the next')
    .connects().receives('INVITE', reoffered).answers(488).receives('ACK')
    .receives('INVITE', reoffered).answers(200, recvonly(2)).receives('ACK').isHungUpOn(),

  collides: callee('meets an offer with 491 and takes it when it comes again')
    .connects().receives('INVITE', reoffered).answers(491).receives('ACK')
    .receives('INVITE', reoffered).answers(200, recvonly(2)).receives('ACK').isHungUpOn(),

  updates_into_offer: callee('offers by UPDATE while an offer waits for its answer')
    .connects().receives('INVITE', reoffered)
    .sends('UPDATE', { body: description({ direction: 'sendonly', version: 2 }) }).gets(491)
    .answers(200, { to: 'reinvite', ...recvonly(3) }).receives('ACK').isHungUpOn(),

  answers_otherwise: callee('answers otherwise than it rang')
    .receives('INVITE').answers(183, OFFER)
    .answers(200, { body: description({ version: 2, port: '[media_port+2]' }) }).receives('ACK').isHungUpOn(),

  answers_again: callee('answers twice')
    .receives('INVITE').answers(200, OFFER).receives('ACK').answers(200, { to: 'invite', ...OFFER }).receives('ACK').isHungUpOn(),

  names_itself_securely: callee('is told a SIP URI with TLS as the contact')
    .connects({ checks: [['Contact', '<sip:[^>]*;transport=tls']] }).isHungUpOn(),

  redirects: callee('sends the call on to another of its numbers')
    .receives('INVITE').answers(302, { headers: ['Contact: <sip:next@[local_ip]:[local_port];transport=[transport]>'] }).receives('ACK')
    .receives('INVITE', { checks: [['msg', '^INVITE sip:next@']] }).answers(200, OFFER).receives('ACK').isHungUpOn(),

  redirects_in_a_circle: callee('sends the call on to where it was')
    .receives('INVITE').answers(302, { headers: ['Contact: <sip:next@[local_ip]:[local_port];transport=[transport]>'] }).receives('ACK')
    .receives('INVITE', { checks: [['msg', '^INVITE sip:next@']] })
    .answers(302, { headers: ['Contact: <sip:next@[local_ip]:[local_port];transport=[transport]>'] }).receives('ACK'),

  silent_after_cancel: callee('answers CANCEL and never the INVITE')
    .receives('INVITE').answers(180).receives('CANCEL').answers(200).quiet(33000),

  wants_longer_interval: callee('finds the session interval too short')
    .receives('INVITE').answers(422, { headers: ['Min-SE: 7200'] }).receives('ACK')
    .receives('INVITE', { checks: [['Session-Expires', '7200'], ['Min-SE', '7200']] })
    .answers(200, { ...OFFER, headers: ['Require: timer', 'Session-Expires: 7200;refresher=uac'] }).receives('ACK').isHungUpOn(),
};

export const callers = {
  cancels_too_late: caller('cancels when it was answered')
    .isAnswered().cancels().gets(200, { checks: [['CSeq', 'CANCEL']] }).acks().hangsUp(),

  cancels_from_elsewhere: caller('cancels behind a NAT that has moved, and requires what nobody knows')
    .invites().gets(180).cancels({ via: '192.0.2.77:4242', headers: ['Require: teleport'] }).gets(200).gets(487)
    .acks('invite', { refused: true, headers: ['Require: teleport'] }),

  acknowledges_late: caller('has the answer twice before it acknowledges it')
    .isAnswered().gets(200).acks().quiet(2500).hangsUp(),

  // Over UDP SIPp takes the copies of the 200 for the network's.
  hung_up_on_before_ack_udp: caller('is hung up on before it has acknowledged')
    .isAnswered().quiet(700).acks().isHungUpOn(),

  hung_up_on_before_ack: caller('is hung up on before it has acknowledged')
    .isAnswered().gets(200).acks().isHungUpOn(),

  acknowledges_after_bye: caller('hangs up, and answers the offer after that')
    .isAnswered({ body: [] }).hangsUp().acks('invite', OFFER),

  reoffers_before_ack: caller('offers anew before it has acknowledged')
    .isAnswered().sends('INVITE', { as: 'reinvite', body: description({ direction: 'sendonly', version: 2 }) })
    .gets(500, { checks: [['Retry-After', '[0-9]']] }).acks('reinvite', { refused: true }).acks().hangsUp(),

  updates_before_answer: caller('offers by UPDATE before its own offer was answered')
    .invites().gets(180).sends('UPDATE', { body: description({ direction: 'inactive', version: 2 }) })
    .gets(500, { checks: [['CSeq', 'UPDATE'], ['Retry-After', '[0-9]']] })
    .gets(200, { checks: [['CSeq', 'INVITE']] }).acks().hangsUp(),

  holds_by_address: caller('holds as it was done long ago, by the address 0.0.0.0')
    .connects()
    .sends('INVITE', { as: 'hold', body: description({ version: 2, connection: '0.0.0.0' }) })
    .gets(100, { optional: true }).gets(200, { checks: [['body', 'a=(recvonly|inactive)']] }).acks('hold')
    .sends('INVITE', { as: 'resume', body: description({ version: 3 }) })
    .gets(100, { optional: true }).gets(200, { checks: [['body', 'a=(recvonly|inactive)', 'not']] }).acks('resume').hangsUp(),

  offers_video_first: caller('offers video before the audio')
    .connects({
      body: description({ before: ['m=video 49170 RTP/AVP 97', 'a=rtpmap:97 H264/90000', 'm=text 0 RTP/AVP 98'] }),
      checks: [['body', 'm=video 0 .*m=text 0 .*m=audio [1-9]']],
    }).hangsUp(),

  offers_what_nobody_speaks: caller('offers a codec later that nobody speaks')
    .connects()
    .sends('INVITE', { as: 'reinvite', body: description({ version: 2, codecs: '18' }) })
    .gets(100, { optional: true }).gets(488).acks('reinvite', { refused: true })
    .sends('INVITE', { as: 'again', body: description({ version: 3 }) })
    .gets(100, { optional: true }).gets(200).acks('again').hangsUp(),

  short_interval: caller('asks for a session interval that is too short')
    .invites({ headers: ['Supported: timer', 'Session-Expires: 60'] })
    .gets(422, { checks: [['Min-SE', '90']] }).acks('invite', { refused: true }),

  early_bye: caller('hangs up while it rings')
    .invites().gets(180).sends('BYE').gets(200).gets(487).acks('invite', { refused: true }),

  asks_options: caller('asks for the options in the call')
    .connects().sends('OPTIONS').gets(200, { checks: [['Allow', 'INVITE']] }).hangsUp(),

  // The copies of the 200 that SIPp does not take for the network's.
  never_acknowledges: (() => {
    const scenario = caller('never acknowledges the answer').isAnswered();
    for (let copy = 0; copy < 11; copy += 1) scenario.gets(200, { optional: true });
    return scenario.isHungUpOn();
  })(),

  never_pracks: (() => {
    const scenario = caller('never acknowledges the ringing').invites({ headers: ['Require: 100rel'] })
      .gets(180, { checks: [['Require', '100rel'], ['RSeq', '[1-9]']] });
    for (let copy = 0; copy < 8; copy += 1) scenario.gets(180, { optional: true });
    return scenario.gets(504).acks('invite', { refused: true });
  })(),

  unknown_number: caller('calls nobody, and has no answer to its ACK')
    .invites().gets(404).acks('invite', { refused: true }).quiet(500),
};

const notified = (scenario, status, event) => scenario
  .receives('NOTIFY', { checks: [['body', `SIP/2.0 ${status}`], ['Event', event]] }).answers(200);

// REFERs; [refer_to] is where to.
const refer = (scenario, as = 'refer') => scenario.sends('REFER', { as, headers: ['Refer-To: <[refer_to]>'] });

export const referrers = {
  leaves: notified(notified(refer(caller('hangs up while the target rings').connects()).gets(202), 100, 'refer'), 180, 'refer').hangsUp(),

  refers_twice: (() => {
    const scenario = caller('sends on a call twice, and both times in vain').connects();
    for (const as of ['first', 'second']) {
      refer(scenario, as).gets(202);
      // RFC 3515 §2.4.6: the first may go without an id.
      const event = as === 'first' ? 'refer' : `refer;id=${scenario.sent[as].number}`;
      notified(notified(scenario, 100, event), 404, event);
    }
    return scenario.hangsUp();
  })(),

  refers_service: refer(caller('sends a service on').connects()).gets(603).hangsUp(),
};
