// What went wrong, in plain words.

const CALL_FAILURES = new Map([
  [400, 'The call could not be understood'],
  [401, 'The gateway does not know who you are: sign in again'],
  [403, 'This call is not allowed'],
  [404, 'Nobody can be reached under this number or name'],
  [405, 'The far end does not take calls'],
  [407, 'The gateway does not know who you are: sign in again'],
  [408, 'There was no answer in time'],
  [410, 'This number is no longer in use'],
  [415, 'The far end does not understand this kind of call'],
  [480, 'The person called is not available right now'],
  [481, 'The call no longer exists'],
  [482, 'The call went in a circle'],
  [483, 'The call went in a circle'],
  [484, 'The number is not complete'],
  [486, 'The line is busy'],
  [487, 'The call was cancelled'],
  [488, 'The two ends have no audio format in common'],
  [500, 'The call could not be connected'],
  [501, 'The far end does not take calls'],
  [502, 'The call could not be connected'],
  [503, 'The gateway takes no more calls right now'],
  [504, 'The far end did not answer in time'],
  [600, 'The line is busy'],
  [603, 'The call was declined'],
  [604, 'Nobody can be reached under this number or name'],
  [606, 'The two ends have no audio format in common'],
  [607, 'The call was declined as unwanted'],
]);

const CLASSES = new Map([
  [3, 'The call was sent elsewhere, which this phone does not follow'],
  [4, 'The call was refused'],
  [5, 'The call could not be connected'],
  [6, 'The call was declined'],
]);

const CAUSES = new Map([
  ['User Denied Media Access', 'The microphone could not be used'],
  ['WebRTC Error', 'The browser could not set up the audio'],
  ['Bad Media Description', 'The two ends have no audio format in common'],
  ['Missing SDP', 'The far end sent no audio description'],
  ['Incompatible SDP', 'The two ends have no audio format in common'],
  ['Connection Error', 'The connection to the gateway was lost'],
  ['Request Timeout', 'The gateway did not answer'],
  ['SIP Failure Code', 'The call was refused'],
  ['RTP Timeout', 'No audio got through (ICE failed): a firewall may block UDP'],
  ['No Answer', 'There was no answer in time'],
  ['Expires', 'There was no answer in time'],
  ['No ACK', 'The far end did not confirm the call'],
  ['Canceled', 'The caller gave up'],
  ['Dialog Error', 'The call no longer exists'],
]);

// What the Reason field of a response tells (Q.850) of those codes that many things end in.
const NETWORK_CAUSES = new Map([
  [20, 'The person called is not available right now'],
  [34, 'All lines of the telephone network are busy right now'],
  [38, 'The telephone network can\'t be reached right now'],
  [42, 'All lines are busy right now'],
  [102, 'The telephone network did not respond'],
]);

function networkCause(message) {
  const reason = [408, 480, 500, 503].includes(message.status_code) && message.getHeader && message.getHeader('Reason');
  const cause = reason && /Q\.850\s*;\s*cause=(\d+)/i.exec(reason);
  return cause && NETWORK_CAUSES.get(Number(cause[1]));
}

function withCode(words, response) {
  const phrase = response.reason_phrase ? ` ${response.reason_phrase}` : '';
  return `${words} (${response.status_code}${phrase})`;
}

/** Why a call failed: `message` is the SIP response if there was one. */
export function callFailure(cause, message) {
  const code = message && message.status_code;
  if (!code) return CAUSES.get(cause) || `The call failed: ${cause}`;
  return withCode(networkCause(message) || CALL_FAILURES.get(code) || CLASSES.get(Math.floor(code / 100)) || 'The call failed', message);
}

/** Why a call ended: the Reason field of the BYE tells what `cause` does not. */
export function callEnd(originator, cause, message) {
  if (cause === 'RTP Timeout') return CAUSES.get(cause);
  const reason = message && message.getHeader && message.getHeader('Reason');
  const text = reason && /text="([^"]*)"/i.exec(reason);
  if (originator === 'local') return 'You hung up';
  if (originator === 'system') return CAUSES.get(cause) || 'The call ended';
  return text ? `The call ended: ${text[1]}` : 'The far end hung up';
}

/** Why signing in failed. */
export function registrationFailure(cause, response) {
  if (!response) {
    return cause === 'Connection Error' ? 'Not registered: the connection to the gateway was lost'
      : 'Not registered: the gateway did not answer';
  }
  switch (response.status_code) {
    case 401:
    case 407:
      return withCode('Wrong user name or password', response);
    case 403:
      return withCode('Not registered: wrong password, not the gateway\'s domain, or this user may not register here', response);
    case 404:
      return withCode('Not registered: the gateway does not serve this domain', response);
    case 503:
      return withCode('Not registered: the gateway takes no more registrations right now', response);
    default:
      return withCode('Not registered', response);
  }
}

/** Why the microphone can't be had: what getUserMedia threw. */
export function microphoneFailure(error) {
  switch (error.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'The microphone was refused. Allow it for this page in the browser and call again.';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'No microphone was found. Connect one and call again.';
    case 'NotReadableError':
    case 'AbortError':
      return 'The microphone is in use by another program, or broken.';
    default:
      return `The microphone can't be used: ${error.message || error.name}`;
  }
}
