// The unmodified SIP.js behind the same verbs.
import { Inviter, Registerer, SessionState, UserAgent } from 'sip.js';
import { describe, Ear, statistics } from './page_audio.js';

const events = [];
const note = (name, detail = {}) => events.push({ name, ...detail });
const ear = new Ear(note);
const sessions = [];
let agent;
let registerer;

function follow(session, direction) {
  const number = sessions.push(session) - 1;
  note('session', { number, direction });
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) {
      note('accepted', { number });
      note('confirmed', { number });
    }
    if (state === SessionState.Terminated) note('ended', { number });
  });
  const hear = () => {
    const connection = session.sessionDescriptionHandler?.peerConnection;
    if (!connection) return;
    connection.addEventListener('track', (event) => ear.listen(event.track));
    for (const receiver of connection.getReceivers()) if (receiver.track) ear.listen(receiver.track);
  };
  session.stateChange.addListener((state) => state === SessionState.Established && hear());
  session.delegate = {
    onInfo: (info) => {
      const digit = /Signal=\s*(.)/.exec(info.request.body)?.[1];
      note('dtmf', { number, digit });
      void info.accept();
    },
  };
  return number;
}

const offersAudio = { sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } };
const hold = (number, held) =>
  new Promise((resolve, reject) => {
    const session = sessions[number];
    session.sessionDescriptionHandlerOptionsReInvite = { hold: held };
    void session.invite({
      requestDelegate: { onAccept: () => resolve(), onReject: (response) => reject(new Error(`refused ${response.message.statusCode}`)) },
      sessionDescriptionHandlerOptions: { hold: held },
    });
  });

window.phone = {
  events,
  async start({ url, user, password, username = user }) {
    agent = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@example.test`),
      transportOptions: { server: url },
      authorizationUsername: username,
      authorizationPassword: password,
      logLevel: 'error',
      delegate: {
        onConnect: () => note('connected'),
        onDisconnect: () => note('disconnected'),
        onInvite: (invitation) => follow(invitation, 'incoming'),
      },
    });
    await agent.start();
    registerer = new Registerer(agent, { expires: 600 });
    registerer.stateChange.addListener((state) => note(state === 'Registered' ? 'registered' : 'unregistered'));
    await window.phone.register();
  },
  register: () =>
    registerer.register({
      requestDelegate: {
        onAccept: () => note('registerAccepted'),
        onReject: (response) => note('registrationFailed', { status: response.message.statusCode }),
      },
    }),
  call(target) {
    const inviter = new Inviter(agent, UserAgent.makeURI(`sip:${target}@example.test`), offersAudio);
    const number = follow(inviter, 'outgoing');
    const sent = inviter.invite({
      requestDelegate: {
        onProgress: (response) => note('progress', { number, status: response.message.statusCode, sdp: Boolean(response.message.body) }),
        onReject: (response) => note('failed', { number, status: response.message.statusCode }),
      },
    });
    sent.catch((error) => note('failed', { number, cause: error.name }));
    return number;
  },
  answer: (number) => sessions[number].accept(offersAudio).catch((error) => note('failed', { number, cause: error.name })),
  reject: (number, status) => sessions[number].reject({ statusCode: status }),
  hangup(number) {
    const session = sessions[number];
    if (session.state === SessionState.Established) return session.bye();
    return session.cancel ? session.cancel() : session.reject();
  },
  hold: (number) => hold(number, true),
  resume: (number) => hold(number, false),
  // New ICE credentials for the connection as it is.
  restartIce(number) {
    const session = sessions[number];
    session.sessionDescriptionHandler.peerConnection.restartIce();
    return new Promise((resolve, reject) => {
      const onReject = (response) => reject(new Error(String(response.message.statusCode)));
      void session.invite({ requestDelegate: { onAccept: () => resolve(), onReject } });
    });
  },
  connection: (number) => describe(sessions[number].sessionDescriptionHandler.peerConnection),
  statistics: (number) => statistics(sessions[number].sessionDescriptionHandler.peerConnection),
  dtmf(number, digit, how) {
    const session = sessions[number];
    if (how !== 'info') return session.sessionDescriptionHandler.sendDtmf(digit, { duration: 160 });
    return session.info({
      requestOptions: {
        body: { contentDisposition: 'render', contentType: 'application/dtmf-relay', content: `Signal=${digit}\r\nDuration=160` },
      },
    });
  },
  // Blind, or with `other` attended; what the library is told of it becomes events.
  async refer(number, target, other) {
    const answered = (response) => note('referAnswered', { number, status: response.message.statusCode });
    await sessions[number].refer(sessions[other] ?? UserAgent.makeURI(`sip:${target}@example.test`), {
      requestDelegate: { onAccept: answered, onReject: answered },
      onNotify: (notification) => {
        note('referred', { number, status: Number(/^SIP\/2\.0 (\d+)/.exec(notification.request.body)?.[1]) });
        void notification.accept();
      },
    });
  },
  hears: (frequency) => ear.hears(frequency),
  dropSocket: () => agent.transport._ws.close(),
  // SIP.js leaves reconnecting to the page.
  async reconnect() {
    await agent.reconnect();
    await window.phone.register();
  },
};
