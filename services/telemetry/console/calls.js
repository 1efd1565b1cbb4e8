// The lists of calls: those that live, and those that have ended.
import { get, now } from './api.js';
import { el, table } from './dom.js';
import { clock, duration, lossText, millisecondsText, mosBadge, mosText, NONE, party, partyText, pill, span } from './format.js';
import { explain, silence, STATES } from './words.js';

const PAGE = 100;

export const callLink = (call, ...content) => el('a', { href: `#/calls/${encodeURIComponent(call.call_id)}` }, content);

// Who spoke with whom, as its ends are known from outside.
export function ends(call) {
  return [partyText(call.from, call.from_number), partyText(call.to, call.to_number)];
}

export const title = (call) => ends(call).join(' → ');

const talks = (call) => !['created', 'parked', 'ringing', 'early_media'].includes(call.state);
export const length = (call) => (call.answer_time === null ? 0 : (call.end_time ?? now()) - call.answer_time);

export function statePill(call) {
  if (call.end) {
    const { failed } = explain(call.end);
    return pill(failed ? 'failed' : call.answer_time === null ? 'not answered' : 'ended', failed ? 'bad' : 'soft');
  }
  return pill(STATES[call.state] ?? call.state, talks(call) ? (call.state === 'held' ? 'fair' : 'good') : 'info');
}

// The legs that matter in a list: the two that talk, or those that are there.
export function pair(call) {
  const joined = call.legs.filter((leg) => leg.media?.joined);
  if (joined.length > 0) return joined;
  const live = call.legs.filter((leg) => leg.state !== 'ended');
  return (live.length > 0 ? live : call.legs).slice(0, 2);
}

const stack = (call, show) => pair(call).map((leg) => el('span', { class: 'leg' }, show(leg)));
const stackSign = (call, show) => pair(call).map(show).join('\n');

export const mosNow = (media) => media?.now.mos ?? media?.mos ?? null;
export const lossNow = (media) => media?.now.loss ?? null;

function legName(leg) {
  const { kind, name, place } = party(leg.party, '');
  return [el('b', {}, place || name), kind ? ` ${kind}` : ''];
}

// The verdicts on a call's legs, one of now before one of the past.
export function verdicts(call) {
  return call.legs.filter((leg) => leg.media?.verdict)
    .map((leg) => ({ leg, ...silence(leg.media.verdict) }))
    .sort((a, b) => Number(b.now) - Number(a.now));
}

export function verdictText(call) {
  const [worst] = verdicts(call);
  if (worst) return `${worst.now ? '' : 'was: '}${worst.title}`;
  const talking = call.answer_time === null ? [] : pair(call);
  return talking.length > 0 && talking.every(({ media }) => media?.packets_received > 0) ? 'heard' : NONE;
}

function verdictCell(call) {
  const [worst] = verdicts(call);
  const text = verdictText(call);
  if (!worst) return text;
  return el('span', { class: `verdict ${worst.now ? 'bad' : 'fair'}`, title: worst.seen }, text);
}

const legColumn = (label, name, text, cell = text) => ({
  label, name, cell: (call) => stack(call, cell), sign: (call) => stackSign(call, text),
});

const LIVE = [
  { label: 'Call', name: 'who', cell: (call) => callLink(call, title(call)), sign: title },
  { label: 'State', name: 'state', cell: statePill, sign: (call) => call.state },
  { label: 'Time', name: 'number', cell: (call) => (call.answer_time === null ? `${span(now() - call.create_time)} ago` : duration(length(call))) },
  { label: 'Trunk', name: 'trunk', cell: (call) => call.trunk ?? NONE },
  legColumn('Leg', 'legs', (leg) => leg.party, legName),
  legColumn('Codec', 'codec', (leg) => leg.media?.codec ?? NONE),
  legColumn('MOS', 'number', (leg) => mosText(mosNow(leg.media)), (leg) => mosBadge(mosNow(leg.media))),
  legColumn('Loss', 'number', (leg) => lossText(lossNow(leg.media))),
  legColumn('RTT', 'number', (leg) => millisecondsText(leg.media?.round_trip_ms ?? null)),
  { label: 'Sound', name: 'sound', cell: verdictCell, sign: verdictText },
];

const outcome = (call) => explain(call.end);
const ENDED = [
  { label: 'Ended', name: 'when', cell: (call) => clock(call.end_time) },
  { label: 'Call', name: 'who', cell: (call) => callLink(call, title(call)), sign: title },
  { label: 'Outcome', name: 'outcome',
    cell: (call) => {
      const { failed, title: what, sentence } = outcome(call);
      return [el('span', { class: failed ? 'what bad' : 'what' }, what), failed ? el('span', { class: 'why' }, sentence) : null];
    },
    sign: (call) => outcome(call).title },
  { label: 'SIP', name: 'number', cell: (call) => String(call.end.sip_code) },
  { label: 'Q.850', name: 'number', cell: (call) => (call.end.q850_cause === null ? NONE : String(call.end.q850_cause)) },
  { label: 'Released by', name: 'by', cell: (call) => outcome(call).by },
  { label: 'Talked', name: 'number', cell: (call) => (call.answer_time === null ? NONE : duration(length(call))) },
  { label: 'Trunk', name: 'trunk', cell: (call) => call.trunk ?? NONE },
  legColumn('MOS', 'number', (leg) => mosText(leg.media?.mos), (leg) => mosBadge(leg.media?.mos)),
  { label: 'Sound', name: 'sound', cell: verdictCell, sign: verdictText },
];

// What a row can be found by.
const words = (call) => [call.call_id, call.from, call.to, call.from_number, call.to_number, call.caller, call.dialled, call.trunk,
  call.end && outcome(call).title, ...call.legs.map((leg) => leg.sip_call_id)].join('\n').toLowerCase();

// A list with a field that narrows it, more pages on demand, and what stands above it.
export function callList({ heading, state, columns, empty, above = null, extra = [], failed = () => false }) {
  const rows = table({ caption: heading, columns, key: (call) => call.call_id, empty });
  const filter = el('input', { type: 'search', id: 'filter', placeholder: 'Name, number, trunk, Call-ID …', autocomplete: 'off', spellcheck: 'false' });
  const more = el('button', { type: 'button', class: 'quiet', hidden: true }, 'Show more');
  const count = el('span', { class: 'count', role: 'status' });
  let pages = 1;
  let calls = [];

  const draw = () => {
    const wanted = filter.value.trim().toLowerCase();
    const shown = wanted ? calls.filter((call) => words(call).includes(wanted)) : calls;
    rows.update(shown);
    const text = wanted ? `${shown.length} of ${calls.length}` : String(calls.length);
    if (count.textContent !== text) count.textContent = text;
  };
  filter.addEventListener('input', draw);

  const refresh = async (signal) => {
    const found = [];
    let token = null;
    for (let page = 0; page < pages; page += 1) {
      const answer = await get(`/api/calls?state=${state}&page_size=${PAGE}${failed() ? '&failed=true' : ''}${token ? `&page_token=${token}` : ''}`, signal);
      found.push(...answer.calls);
      token = answer.next_page_token;
      if (token === null) break;
    }
    calls = found;
    more.hidden = token === null;
    draw();
    return calls;
  };
  more.addEventListener('click', () => {
    pages += 1;
    void refresh();
  });

  const element = el('section', { 'aria-labelledby': 'heading' }, above,
    el('div', { class: 'heading' }, el('h1', { id: 'heading' }, heading), count, el('span', { class: 'grow' }), extra,
      el('label', { class: 'filter', for: 'filter' }, el('span', { class: 'hidden' }, 'Filter'), filter)),
    rows.element, el('div', { class: 'more' }, more));
  return { element, refresh, tick: draw };
}

export function live(above) {
  return callList({ heading: 'Live calls', state: 'live', columns: LIVE, above, empty: 'No call is up.' });
}

export function ended(view) {
  const failed = el('input', { type: 'checkbox', id: 'failed' });
  const list = callList({
    heading: 'Ended calls', state: 'ended', columns: ENDED, failed: () => failed.checked,
    empty: 'None ended in the last ten minutes.',
    extra: [el('label', { class: 'check', for: 'failed' }, failed, ' Failed only')],
  });
  failed.addEventListener('change', () => view.again());
  return list;
}
