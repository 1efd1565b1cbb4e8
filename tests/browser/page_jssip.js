// The unmodified JsSIP behind the few verbs that the tests use.
import JsSIP from 'jssip';
import { describe, Ear, statistics } from './page_audio.js';

JsSIP.debug.disable();
const events = [];
const note = (name, detail = {}) => events.push({ name, ...detail });
const ear = new Ear(note);
let agent;
const sessions = [];

function follow(session) {
  const number = sessions.push(session) - 1;
  note('session', { number, direction: session.direction });
  const hear = (connection) => connection.addEventListener('track', (event) => ear.listen(event.track));
  if (session.connection) hear(session.connection);
  session.on('peerconnection', ({ peerconnection }) => hear(peerconnection));
  session.on('progress', (event) => note('progress', { number, status: event.response?.status_code, sdp: Boolean(event.response?.body) }));
  session.on('accepted', () => note('accepted', { number }));
  session.on('confirmed', () => note('confirmed', { number }));
  session.on('failed', (event) => note('failed', { number, cause: event.cause, status: event.message?.status_code }));
  session.on('ended', (event) => note('ended', { number, cause: event.cause, originator: event.originator }));
  session.on('hold', ({ originator }) => note('hold', { number, originator }));
  session.on('unhold', ({ originator }) => note('unhold', { number, originator }));
  session.on('newDTMF', ({ originator, dtmf }) => originator === 'remote' && note('dtmf', { number, digit: dtmf.tone }));
}

const settled = (act) => new Promise((resolve, reject) => (act(resolve) === false ? reject(new Error('not possible now')) : undefined));

window.phone = {
  events,
  start({ url, user, password, username = user, ...settings }) {
    agent = new JsSIP.UA({
      ...settings,
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri: `sip:${user}@example.test`,
      password,
      authorization_user: username,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 2,
    });
    for (const name of ['connected', 'disconnected', 'registered', 'unregistered']) agent.on(name, () => note(name));
    agent.on('registrationFailed', (event) => note('registrationFailed', { status: event.response?.status_code }));
    agent.on('newRTCSession', ({ session }) => follow(session));
    agent.start();
  },
  call(number, options = {}) {
    agent.call(`sip:${number}@example.test`, { mediaConstraints: { audio: true, video: false }, ...options });
    return sessions.length - 1;
  },
  answer: (number) => sessions[number].answer({ mediaConstraints: { audio: true, video: false } }),
  reject: (number, status, reason) => sessions[number].terminate({ status_code: status, reason_phrase: reason }),
  hangup: (number) => sessions[number].terminate(),
  hold: (number) => settled((done) => sessions[number].hold({}, done)),
  resume: (number) => settled((done) => sessions[number].unhold({}, done)),
  // New ICE credentials for the connection as it is.
  restartIce(number) {
    sessions[number].connection.restartIce();
    return settled((done) => sessions[number].renegotiate({}, done));
  },
  connection: (number) => describe(sessions[number].connection),
  statistics: (number) => statistics(sessions[number].connection),
  dtmf: (number, digit, how) => sessions[number].sendDTMF(digit, { transportType: how === 'info' ? 'INFO' : 'RFC2833' }),
  // Blind, or with `other` attended; what the library is told of it becomes events.
  refer(number, target, other) {
    const told = ({ status_line: line }) => note('referred', { number, status: Number(line.status_code) });
    sessions[number].refer(`sip:${target}@example.test`, {
      replaces: sessions[other],
      eventHandlers: {
        requestSucceeded: ({ response }) => note('referAnswered', { number, status: response.status_code }),
        requestFailed: ({ response }) => note('referAnswered', { number, status: response?.status_code }),
        trying: told, progress: told, accepted: told, failed: told,
      },
    });
  },
  hears: (frequency) => ear.hears(frequency),
  // The connection breaks under the library, which has to notice by itself.
  dropSocket: () => agent.transport.socket._ws.close(),
};
