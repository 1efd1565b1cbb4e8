import JsSIP from 'jssip';

import { Meter, Ringer, wake } from './sound.js';
import { callEnd, callFailure, microphoneFailure, registrationFailure } from './words.js';

const KEYS = [['1', ''], ['2', 'ABC'], ['3', 'DEF'], ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'], ['*', ''], ['0', '+'], ['#', '']];
const GATHERING = 500; // ms after the last ICE candidate: the gateway learns the rest from the checks
const NO_CANDIDATE = 8000; // ms without any candidate: the browser has no network to offer
const REMEMBERED = 'trunkline-phone';

const $ = (id) => document.getElementById(id);
const ringer = new Ringer();

let ua = null;
let call = null; // { session, stream, meters, timer, answered, held, muted, iceFailed }
let registered = false;

function say(text, kind = 'info') {
  const status = $('status');
  status.textContent = text;
  status.dataset.kind = kind;
}

/** signed-out, connecting, offline, ready, calling, incoming, in-call */
function setState(state) {
  document.body.dataset.state = state;
  const inCall = ['calling', 'incoming', 'in-call'].includes(state);
  const signedIn = !['signed-out', 'connecting'].includes(state);
  $('sign-in-form').hidden = signedIn;
  $('sign-in').disabled = state === 'connecting';
  $('account').hidden = !signedIn;
  $('dialler').hidden = !signedIn;
  $('in-call').hidden = !inCall;
  $('call').hidden = inCall;
  $('call').disabled = state !== 'ready';
  $('accept').hidden = $('reject').hidden = state !== 'incoming';
  $('hang-up').hidden = state !== 'calling' && state !== 'in-call';
  $('mute').hidden = $('hold').hidden = $('timer').hidden = $('meters').hidden = state !== 'in-call';
  document.title = state === 'incoming' ? 'Incoming call – Trunkline phone' : 'Trunkline phone';
  if (state === 'incoming') ringer.start();
  else ringer.stop();
}

function idle() {
  if (!ua) setState('signed-out');
  else setState(registered ? 'ready' : 'offline');
}

// ---------------------------------------------------------------- signing in

function signIn(event) {
  event.preventDefault();
  wake();
  const [user, domainOfUser] = $('user').value.trim().replace(/^sip:/, '').split('@');
  const domain = domainOfUser || $('domain').value.trim();
  const url = $('url').value.trim();
  let socket;
  try {
    socket = new JsSIP.WebSocketInterface(url);
    ua = new JsSIP.UA({
      sockets: [socket],
      uri: `sip:${encodeURIComponent(user)}@${domain}`,
      password: $('password').value,
      user_agent: 'Trunkline web phone',
    });
  } catch (error) {
    ua = null;
    say(socket ? `This user or domain can't be used: ${error.message}`
      : 'This is not a WebSocket address: it looks like ws://HOST:PORT or wss://HOST:PORT', 'error');
    return;
  }
  sessionStorage.setItem(REMEMBERED, JSON.stringify({ user, domain, url }));
  $('account-name').textContent = `${user}@${domain}`;
  say(`Connecting to ${url} …`);
  setState('connecting');
  listen(ua, url);
  ua.start();
}

function listen(agent, url) {
  let connected = false;
  const current = (handler) => (event) => { if (ua === agent) handler(event); };
  agent.on('connected', current(() => { connected = true; say('Connected. Signing in …'); }));
  agent.on('disconnected', current((event) => {
    registered = false;
    const why = event && event.code && event.code !== 1006 ? ` (${event.code}${event.reason ? ` ${event.reason}` : ''})` : '';
    say(connected ? `The connection to the gateway was lost${why}. Trying again …`
      : `The gateway can't be reached at ${url}${why}. Trying again …`, 'error');
    if (!call && document.body.dataset.state !== 'connecting') setState('offline');
    if (!connected) giveUp(agent);
  }));
  agent.on('registered', current(() => {
    registered = true;
    if (call) return;
    say('Ready for calls', 'good');
    setState('ready');
  }));
  agent.on('unregistered', current(() => {
    registered = false;
    if (call) return;
    say('Not registered: calls can\'t be made or taken', 'error');
    idle();
  }));
  agent.on('registrationFailed', current((event) => {
    registered = false;
    const words = registrationFailure(event.cause, event.response);
    if (event.response && [401, 403, 404, 407].includes(event.response.status_code)) giveUp(agent);
    else if (!call) idle();
    say(words, 'error');
  }));
  agent.on('newRTCSession', current((event) => {
    if (event.originator === 'remote') ringIn(event.session);
  }));
}

/** Back to the form: trying again with the same words would not help. */
function giveUp(agent) {
  const text = $('status').textContent.replace(' Trying again …', '');
  ua = null;
  registered = false;
  agent.stop();
  say(text, 'error');
  setState('signed-out');
}

function signOut() {
  const agent = ua;
  if (call) call.session.terminate();
  ua = null;
  registered = false;
  if (agent) agent.stop();
  $('password').value = '';
  say('Signed out');
  setState('signed-out');
}

// ---------------------------------------------------------------- microphone

async function openMicrophone() {
  if (!navigator.mediaDevices) {
    say('This page is not secure, so the browser gives it no microphone. Open it by https:// or on localhost.', 'error');
    return null;
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    say(microphoneFailure(error), 'error');
    return null;
  }
}

function release(stream) {
  if (stream) for (const track of stream.getTracks()) track.stop();
}

// ---------------------------------------------------------------- calls

function begin(session, peer, state) {
  call = { session, stream: null, meters: [], timer: null, answered: false, held: false, muted: false, iceFailed: false };
  $('peer').textContent = peer;
  $('call-state').textContent = state;
  $('digits').textContent = '';
  $('timer').textContent = '0:00';
  press('mute', false, 'Mute');
  press('hold', false, 'Hold');
  follow(call);
}

async function dial(event) {
  event.preventDefault();
  const target = $('target').value.trim();
  if (!target) {
    say('Enter a number or a name first');
    $('target').focus();
    return;
  }
  if (!ua || call) return;
  wake();
  $('call').disabled = true;
  const stream = await openMicrophone();
  if (!stream || !ua || call) {
    release(stream);
    $('call').disabled = !registered;
    return;
  }
  let session;
  try {
    session = ua.call(dialled(target), { mediaStream: stream, pcConfig: { iceServers: [] } });
  } catch (error) {
    release(stream);
    say(`"${target}" can't be called: ${error.message}`, 'error');
    idle();
    return;
  }
  begin(session, target, 'Calling');
  call.stream = stream;
  watchGathering(call);
  say(`Calling ${target} …`);
  setState('calling');
  $('hang-up').focus();
}

/** Numbers are dialled without the signs that people write into them. */
function dialled(target) {
  return /^\+?[0-9 ().\/-]+$/.test(target) ? target.replace(/[^+0-9]/g, '') : target;
}

function ringIn(session) {
  if (call) {
    session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
    return;
  }
  const { display_name: name, uri } = session.remote_identity;
  begin(session, name || decodeURIComponent(uri.user || uri.host), 'Incoming call');
  say('Incoming call', 'good');
  setState('incoming');
  $('accept').focus();
}

async function accept() {
  const mine = call;
  wake();
  ringer.stop();
  $('accept').disabled = true;
  const stream = await openMicrophone();
  $('accept').disabled = false;
  if (call !== mine || !stream) {
    release(stream);
    return;
  }
  mine.stream = stream;
  mine.session.answer({ mediaStream: stream, pcConfig: { iceServers: [] } });
}

function follow(mine) {
  const { session } = mine;
  if (session.connection) hear(mine, session.connection);
  else session.on('peerconnection', ({ peerconnection }) => hear(mine, peerconnection));
  let gathering;
  session.on('icecandidate', ({ ready }) => {
    mine.candidate = true;
    clearTimeout(gathering);
    gathering = setTimeout(ready, GATHERING);
  });
  session.on('progress', ({ originator }) => {
    if (originator !== 'remote' || call !== mine) return;
    $('call-state').textContent = 'Ringing';
    say('It rings at the far end');
  });
  session.on('accepted', () => answered(mine));
  session.on('failed', ({ originator, cause, message }) => {
    const cancelled = originator === 'local' && cause === 'Canceled';
    const rejected = originator === 'local' && cause === 'Rejected';
    let words = callFailure(cause, message);
    if (cancelled) words = 'You cancelled the call';
    if (rejected) words = 'You rejected the call';
    if (mine.iceFailed) words = 'No audio path to the gateway was found (ICE failed): a firewall may block UDP';
    finish(mine, words, cancelled || rejected ? 'info' : 'error');
  });
  session.on('ended', ({ originator, cause, message }) => {
    const words = mine.iceFailed ? 'The audio path to the gateway was lost (ICE failed)' : callEnd(originator, cause, message);
    finish(mine, words, mine.iceFailed ? 'error' : 'info');
  });
  session.on('hold', ({ originator }) => showHold(mine, originator, true));
  session.on('unhold', ({ originator }) => showHold(mine, originator, false));
}

function watchGathering(mine) {
  setTimeout(() => {
    if (call !== mine || mine.answered || mine.candidate) return;
    mine.session.terminate();
    say('The browser has no network to offer for audio (no ICE candidate)', 'error');
  }, NO_CANDIDATE);
}

function hear(mine, connection) {
  connection.addEventListener('track', ({ track, streams }) => {
    const stream = streams[0] || new MediaStream([track]);
    $('remote-audio').srcObject = stream;
    $('remote-audio').play().catch(() => {});
    mine.remote = stream;
    if (mine.answered) startMeters(mine);
  });
  connection.addEventListener('iceconnectionstatechange', () => {
    if (call !== mine) return;
    if (connection.iceConnectionState === 'disconnected') say('The audio path is interrupted …', 'error');
    if (connection.iceConnectionState === 'connected' && mine.answered) say('In a call', 'good');
    if (connection.iceConnectionState === 'failed') {
      mine.iceFailed = true;
      say('No audio path to the gateway (ICE failed): a firewall may block UDP', 'error');
    }
  });
}

function answered(mine) {
  if (call !== mine || mine.answered) return;
  mine.answered = true;
  mine.since = Date.now();
  mine.timer = setInterval(() => { $('timer').textContent = clock(Date.now() - mine.since); }, 250);
  $('call-state').textContent = 'In a call';
  say('In a call', 'good');
  setState('in-call');
  startMeters(mine);
}

function clock(elapsed) {
  const whole = Math.floor(elapsed / 1000);
  const two = (number) => String(number).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function startMeters(mine) {
  for (const meter of mine.meters) meter.stop();
  mine.meters = [];
  try {
    if (mine.stream) mine.meters.push(new Meter($('mic-level'), mine.stream));
    if (mine.remote) mine.meters.push(new Meter($('remote-level'), mine.remote));
  } catch {
    mine.meters = []; // the call goes on without meters
  }
}

function finish(mine, words, kind) {
  clearInterval(mine.timer);
  for (const meter of mine.meters) meter.stop();
  release(mine.stream);
  if (call !== mine) return;
  call = null;
  $('remote-audio').srcObject = null;
  say(words, kind);
  idle();
  if (ua) $('target').focus({ preventScroll: true });
}

// ---------------------------------------------------------------- in a call

function press(id, pressed, label) {
  $(id).setAttribute('aria-pressed', String(pressed));
  $(id).textContent = label;
}

function toggleMute() {
  if (!call) return;
  call.muted = !call.muted;
  if (call.muted) call.session.mute({ audio: true });
  else call.session.unmute({ audio: true });
  press('mute', call.muted, call.muted ? 'Unmute' : 'Mute');
  say(call.muted ? 'The microphone is muted' : 'The microphone is on');
}

function toggleHold() {
  if (!call) return;
  const began = call.held ? call.session.unhold() : call.session.hold();
  if (!began) say('The call is busy changing; try again in a moment');
}

function showHold(mine, originator, held) {
  if (call !== mine) return;
  if (originator === 'local') {
    mine.held = held;
    press('hold', held, held ? 'Resume' : 'Hold');
  }
  const who = originator === 'local' ? 'The call is on hold' : 'The far end put the call on hold';
  $('call-state').textContent = held ? 'On hold' : 'In a call';
  say(held ? who : 'In a call', held ? 'info' : 'good');
}

function key(digit) {
  if (!call || !call.answered) {
    $('target').value += digit;
    return;
  }
  const way = document.querySelector('input[name="dtmf"]:checked').value;
  try {
    call.session.sendDTMF(digit, { transportType: JsSIP.C.DTMF_TRANSPORT[way], duration: 160, interToneGap: 100 });
    $('digits').textContent += digit;
  } catch (error) {
    say(`The digit could not be sent: ${error.message}`, 'error');
  }
}

function hangUp() {
  if (call) call.session.terminate();
}

// ---------------------------------------------------------------- the page

function buildPad() {
  for (const [digit, letters] of KEYS) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.digit = digit;
    const names = { '*': 'star', '#': 'hash' };
    button.setAttribute('aria-label', names[digit] || digit);
    button.textContent = digit;
    const small = document.createElement('small');
    small.textContent = letters;
    button.append(small);
    button.addEventListener('click', () => key(digit));
    $('pad').append(button);
  }
}

function fillForm() {
  const remembered = JSON.parse(sessionStorage.getItem(REMEMBERED) || '{}');
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
  const standard = {
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`,
    domain: local ? 'example.test' : location.hostname,
  };
  for (const id of ['user', 'domain', 'url']) $(id).value = given[id] || remembered[id] || standard[id] || '';
  $('target').value = given.target || '';
  $($('user').value ? 'password' : 'user').focus();
}

function connectControls() {
  $('sign-in-form').addEventListener('submit', signIn);
  $('sign-out').addEventListener('click', signOut);
  $('dial-form').addEventListener('submit', dial);
  $('erase').addEventListener('click', () => { $('target').value = $('target').value.slice(0, -1); });
  $('accept').addEventListener('click', accept);
  $('reject').addEventListener('click', () => { if (call) call.session.terminate({ status_code: 603, reason_phrase: 'Decline' }); });
  $('hang-up').addEventListener('click', hangUp);
  $('mute').addEventListener('click', toggleMute);
  $('hold').addEventListener('click', toggleHold);
  document.addEventListener('keydown', (event) => {
    if (!call || !call.answered || event.ctrlKey || event.metaKey || event.altKey || event.target.id === 'target') return;
    if (/^[0-9*#]$/.test(event.key)) key(event.key);
  });
  addEventListener('pagehide', () => {
    if (call) call.session.terminate();
    if (ua) ua.stop();
  });
}

JsSIP.debug.disable();
buildPad();
fillForm();
connectControls();
setState('signed-out');
if (navigator.mediaDevices) say('Sign in to make and take calls');
else say('This page is not secure, so the browser gives it no microphone. Open it by https:// or on localhost.', 'error');
