// What the gateway's short names mean, and where to look. The names are those of metrics, log, records and API.

// Why a call ended.
export const ENDS = {
  hangup: ['Hung up', 'A party hung up.'],
  transferred: ['Transferred', 'The party talks to somebody else now.'],
  cancelled: ['Given up', 'The caller gave up before anybody answered.'],
  rejected: ['Refused', 'The far end refused the call.'],
  ring_timeout: ['Not answered', 'It rang, and nobody answered in time.'],
  no_response: ['No response', 'The far end said nothing at all to the INVITE.'],
  trunk_unreachable: ['Trunk not reached', 'No server of the trunk could be reached: its address, DNS, the firewall.'],
  trunk_tls: ['TLS to the trunk failed', 'A certificate was refused, or both sides share no version of TLS.'],
  not_registered: ['Not signed in', 'The user who was called is not registered.'],
  no_route: ['No route', 'No route matches what was dialled: trunkline explain FROM TO shows every rule that was tried.'],
  no_codec: ['No common codec', 'The two sides share no codec: codecs of the trunk, and transcoding.'],
  no_ports: ['No media port', 'All ports of media.rtp_ports are in use.'],
  bad_offer: ['Description not usable', 'The session description can’t be used: see the ladder.'],
  limit: ['Limit reached', 'A limit of calls was reached, of the node or of the trunk.'],
  draining: ['Draining', 'The node takes no new calls: it is being stopped or moved.'],
  media_timeout: ['Media lost', 'Nothing has come from the party for too long, or its connection closed.'],
  ice_failed: ['No way to the browser', 'No ICE check of the browser was valid: UDP to media.webrtc_port, and the address that browsers are told.'],
  dtls_failed: ['DTLS failed', 'The browser’s DTLS handshake failed or took too long.'],
  browser_lost: ['Browser gone', 'The page’s connection was lost and did not come back in time.'],
  ack_missing: ['ACK missing', 'The answer was never acknowledged.'],
  dialog_lost: ['Dialog lost', 'The peer did not answer in the dialog, or knows it no longer.'],
  session_expired: ['Session expired', 'The session timer ran out without a refresh.'],
  max_duration: ['Time over', 'The time that the call was given is over.'],
  trunk_disabled: ['Trunk disabled', 'The trunk was switched off by the API.'],
  policy_failed: ['No decision', 'The policy service gave no answer that can be used.'],
  internal: ['Fault of the gateway', 'A fault of the gateway itself: its log says more.'],
};

// Why nothing is heard: what was seen, and where to look.
export const SILENCES = {
  BROWSER_SENT_NO_ICE_CHECKS: ['No STUN came from the browser.', 'UDP to media.webrtc_port, and the address that browsers are told (media.advertise)'],
  ICE_CHECKS_REFUSED: ['STUN came with the wrong user or password.', 'a page that answers with an old description'],
  BROWSER_NEVER_STARTED_DTLS: ['ICE is connected, and no DTLS came.', 'a page that closed its connection, or lets DTLS wait'],
  DTLS_NOT_FINISHED: ['DTLS began and was not finished.', 'large packets that are lost (MTU)'],
  TRANSPORT_FAILED: ['ICE or DTLS has given the leg up.', 'the log of this call'],
  BROWSER_SENDS_NOTHING: ['All is connected, and no RTP comes from the browser.', 'a microphone that is not there, or was refused'],
  TRUNK_SENDS_NOTHING: ['Nothing comes from the trunk to the port.', 'media.rtp_ports in the firewall; media.advertise'],
  PEER_ADDRESS_UNKNOWN: ['The trunk has described no place for its media.', 'its session description, in the ladder'],
  WRONG_SOURCE_ADDRESS: ['RTP comes from another address or port than described.', 'media_source of the trunk'],
  SRTP_AUTH_FAILING: ['Packets come that the agreed keys don’t open.', 'a trunk that changes keys, or sends without encryption'],
  UNKNOWN_PAYLOAD_TYPE: ['RTP comes in a codec that was not agreed.', 'codecs of the trunk; its session description'],
  MALFORMED_MEDIA: ['What comes is no RTP.', 'what else sends to that port'],
  ONE_WAY_TO_BROWSER: ['The browser’s RTCP says that nothing of ours arrives.', 'the way to the browser: its firewall, its address'],
  ONE_WAY_TO_TRUNK: ['The trunk’s RTCP says that nothing of ours arrives.', 'the way to the trunk: its firewall, its address'],
};

export function silence({ cause, silent, unheard }) {
  const [seen, look] = SILENCES[cause] ?? [unheard && !silent ? 'Nothing that is sent to it arrives.' : 'Nothing comes from it; why is not known.', null];
  return { now: silent || unheard, title: cause ?? (unheard ? 'NOT_HEARD' : 'SILENT'), seen, look };
}

export const ENDED_BY = { caller: 'the caller', callee: 'the callee', gateway: 'the gateway', api: 'the API' };
export const FAULTS = {
  success: 'nobody’s: it ended in order', user_error: 'a person’s choice or absence', client_error: 'the caller’s, or its program’s',
  server_error: 'the gateway’s', upstream_error: 'the trunk’s, or the network’s behind it', indeterminate: 'not to be told',
};
export const PHASES = {
  no_response: 'before any response', trying: 'before it rang', ringing: 'while it rang', early_media: 'while early media played',
  answered: 'after the answer',
};
export const STATES = {
  created: 'calling', parked: 'parked', calling: 'calling', ringing: 'ringing', early_media: 'early media', answered: 'answered',
  held: 'on hold', ended: 'ended',
};

// ITU-T Q.850.
export const Q850 = {
  1: 'unallocated number', 2: 'no route to transit network', 3: 'no route to destination', 6: 'channel unacceptable',
  16: 'normal call clearing', 17: 'user busy', 18: 'no user responding', 19: 'no answer from user', 20: 'subscriber absent',
  21: 'call rejected', 22: 'number changed', 23: 'redirection to new destination', 25: 'exchange routing error',
  26: 'non-selected user clearing', 27: 'destination out of order', 28: 'invalid number format', 29: 'facility rejected',
  30: 'response to status enquiry', 31: 'normal, unspecified', 34: 'no circuit or channel available', 38: 'network out of order',
  41: 'temporary failure', 42: 'switching equipment congestion', 43: 'access information discarded',
  44: 'requested circuit or channel not available', 46: 'precedence call blocked', 47: 'resource unavailable', 49: 'quality of service not available',
  50: 'facility not subscribed', 52: 'outgoing calls barred', 54: 'incoming calls barred', 55: 'incoming calls barred within the group',
  57: 'bearer capability not authorized', 58: 'bearer capability not available now', 63: 'service or option not available',
  65: 'bearer capability not implemented', 66: 'channel type not implemented', 69: 'facility not implemented', 79: 'service or option not implemented',
  81: 'invalid call reference', 87: 'user not member of the group', 88: 'incompatible destination', 95: 'invalid message',
  96: 'mandatory information missing', 97: 'message type not known', 99: 'information element not known', 100: 'invalid information element',
  101: 'message not compatible with the state', 102: 'recovery on timer expiry', 111: 'protocol error', 127: 'interworking, unspecified',
};

// A call, or a leg, that has ended: what happened in one line, and the facts behind it.
export function explain(end) {
  const [title, sentence] = ENDS[end.cause] ?? [end.cause, ''];
  const code = `${end.sip_code} ${end.phrase ?? end.sip_name ?? ''}`.trim();
  const q850 = end.q850_cause === null ? null : `${end.q850_cause}: ${end.q850_text ?? Q850[end.q850_cause] ?? 'not named'}`;
  return {
    failed: end.fault !== 'success',
    title: end.cause === 'rejected' ? `${title}: ${code}` : title,
    sentence,
    code,
    q850,
    by: ENDED_BY[end.ended_by] ?? end.ended_by,
    phase: PHASES[end.phase] ?? end.phase,
    fault: FAULTS[end.fault] ?? end.fault,
    warnings: end.warnings,
    retryAfter: end.retry_after,
  };
}
