// One call: what became of it and why, its legs, its media over time, its SIP.
import { download, get, now } from './api.js';
import { length, lossNow, mosNow, statePill, title, verdicts } from './calls.js';
import { chart } from './chart.js';
import { el, table } from './dom.js';
import { duration, lossText, millisecondsText, moment, mosBadge, mosText, NONE, party } from './format.js';
import { elapsed, ladder } from './ladder.js';
import { explain, STATES } from './words.js';

// While a call lives its trace is fetched this often, and the rest with every refresh.
const TRACE_INTERVAL = 5000;

const fact = (name, ...value) => [el('dt', {}, name), el('dd', {}, value)];
const facts = (...pairs) => el('dl', {}, pairs.filter(Boolean));

function nameOf(leg) {
  const { name, place } = party(leg.party, '');
  return place || name;
}

// Names of legs, told apart where two parties have one.
function names(legs) {
  const all = legs.map(nameOf);
  return new Map(legs.map((leg, at) => [leg.leg_id, all.indexOf(all[at]) === all.lastIndexOf(all[at]) ? all[at] : `${all[at]} (${leg.leg_id})`]));
}

function explanation(call) {
  if (!call.end) return null;
  const told = explain(call.end);
  const parts = [
    el('h2', {}, told.title),
    el('p', {}, told.sentence),
    facts(
      fact('SIP code', told.code),
      told.q850 && fact('Q.850 cause', told.q850),
      fact('Released by', told.by),
      told.failed && fact('When', told.phase),
      fact('Whose fault', told.fault),
      call.end.reason && fact('API reason', call.end.reason),
      told.warnings.length > 0 && fact('Warnings', told.warnings.join('; ')),
      told.retryAfter !== null && fact('Try again after', `${told.retryAfter} s`),
      call.end.reason_header && fact('Reason header', call.end.reason_header),
    ),
  ];
  return el('div', { class: `card explained ${told.failed ? 'bad' : ''}` }, parts);
}

function soundNotes(call) {
  const found = verdicts(call);
  if (found.length === 0) return null;
  return el('div', { class: 'card explained fair' }, el('h2', {}, 'Sound'), el('ul', {}, found.map(({ leg, now: still, title: name, seen, look }) =>
    el('li', {}, el('b', {}, `${nameOf(leg)}: ${name}`), still ? '' : ' (over)', el('br'), seen, look ? ` Look at ${look}.` : ''))));
}

function legCard(call, leg) {
  const { kind } = party(leg.party, '');
  const { media } = leg;
  const number = leg.side === 'from' ? call.from_number : call.to_number;
  const there = media?.at_peer ?? null;
  const rows = [
    ['MOS', mosBadge(mosNow(media)), mosBadge(there?.mos)],
    ['Loss', lossText(lossNow(media)), lossText(there?.loss)],
    ['Jitter', millisecondsText(media?.now.jitter_ms), millisecondsText(there?.jitter_ms)],
    ['Packets', media?.packets_received.toLocaleString() ?? NONE, media?.packets_sent.toLocaleString() ?? NONE],
  ];
  return el('div', { class: 'card leg-card' },
    el('div', { class: 'heading' }, el('h2', {}, nameOf(leg)), el('span', { class: 'soft' }, [kind, number && number !== nameOf(leg) ? ` ${number}` : '']),
      el('span', { class: 'grow' }), el('span', { class: 'pill soft' }, STATES[leg.state] ?? leg.state)),
    media ? el('table', { class: 'small' },
      el('caption', { class: 'hidden' }, `Media of ${nameOf(leg)}`),
      el('thead', {}, el('tr', {}, el('td'), el('th', { scope: 'col' }, 'sends'), el('th', { scope: 'col' }, 'gets'))),
      el('tbody', {}, rows.map(([name, sends, gets]) => el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, sends), el('td', {}, gets))))) : null,
    facts(
      media && fact('Codec', media.codec ?? NONE, media.srtp_profile ? `, ${media.srtp_profile}` : kind === 'trunk' ? ', not encrypted' : ''),
      media?.round_trip_ms && fact('Round trip', millisecondsText(media.round_trip_ms)),
      media && (media.packets_lost > 0 || media.packets_dropped > 0) && fact('Lost, dropped', `${media.packets_lost} of ${media.packets_expected}, ${media.packets_dropped}`),
      media?.srtp_failures > 0 && fact('SRTP failures', String(media.srtp_failures)),
      leg.held && fact('Held', 'by the API'),
      (leg.muted_from_leg || leg.muted_to_leg) && fact('Muted', [leg.muted_from_leg && 'it is not heard', leg.muted_to_leg && 'it hears nothing'].filter(Boolean).join(', ')),
      leg.end && fact('Ended', explain(leg.end).title),
      fact('Leg', leg.leg_id),
      leg.sip_call_id && fact('Call-ID', leg.sip_call_id),
    ));
}

function quality() {
  const cursor = { time: null, listeners: [] };
  const percent = (value) => `${Number((value * 100).toFixed(1))} %`;
  const whole = (value) => `${Number(value.toFixed(value < 10 ? 1 : 0))} ms`;
  const charts = {
    mos: chart({ name: 'MOS', text: (value) => value.toFixed(1), low: 1, high: 4.5, mark: 3.6, cursor }),
    loss: chart({ name: 'Loss', text: percent, least: 0.02, cursor }),
    jitter_ms: chart({ name: 'Jitter', text: whole, least: 20, cursor }),
    round_trip_ms: chart({ name: 'Round trip', text: whole, least: 50, cursor }),
  };
  const figures = el('details', {}, el('summary', {}, 'The same as a table'));
  const inside = el('div');
  figures.append(inside);
  let open = null;
  figures.addEventListener('toggle', () => open?.());
  const legend = el('p', { class: 'legend' });
  const element = el('section', { class: 'card quality', 'aria-labelledby': 'quality' }, el('h2', { id: 'quality' }, 'Media quality'), legend,
    el('div', { class: 'charts' }, Object.values(charts).map((one) => one.element)), figures);

  const update = (call) => {
    const legs = call.legs.filter(({ history }) => history?.at.length > 0);
    element.hidden = legs.length === 0 && call.end !== null;
    const called = names(call.legs);
    const seconds = Math.max(...legs.flatMap(({ history }) => history.at), 0);
    const line = (leg, at, way, values) => ({
      name: `${way} ${called.get(leg.leg_id)}`, style: `line-${at % 4} ${way}`, points: leg.history.at.map((time, index) => [time, values[index]]),
    });
    const both = (what) => legs.flatMap((leg, at) => [line(leg, at, 'from', leg.history.sent[what]), line(leg, at, 'to', leg.history.at_peer[what])]);
    for (const what of ['mos', 'loss', 'jitter_ms']) charts[what].update(both(what), seconds);
    charts.round_trip_ms.update(legs.map((leg, at) => ({ ...line(leg, at, 'from', leg.history.round_trip_ms), name: called.get(leg.leg_id) })), seconds);
    legend.replaceChildren(...(legs.length === 0 ? ['Measured from one second after the answer, every five seconds.'] : [
      ...both('mos').map(({ name, style }) => el('span', { class: 'value' }, el('i', { class: style, 'aria-hidden': 'true' }), name)),
      el('span', { class: 'soft' }, '“from” is what the gateway gets, “to” what the party gets by its own reports'),
    ]));
    open = () => {
      if (!figures.open) return;
      const rows = legs.flatMap((leg) => leg.history.at.map((time, at) => ({
        key: `${leg.leg_id} ${time}`, leg: called.get(leg.leg_id), time,
        cells: [['sent', 'mos', mosText], ['sent', 'loss', lossText], ['sent', 'jitter_ms', millisecondsText],
          ['at_peer', 'mos', mosText], ['at_peer', 'loss', lossText], ['at_peer', 'jitter_ms', millisecondsText]].map(([way, what, text]) => text(leg.history[way][what][at])),
        trip: millisecondsText(leg.history.round_trip_ms[at]),
      }))).sort((a, b) => a.time - b.time);
      const columns = [
        { label: 'After', name: 'number', cell: ({ time }) => duration(time * 1000) }, { label: 'Leg', name: 'legs', cell: ({ leg }) => leg },
        ...['MOS from', 'Loss from', 'Jitter from', 'MOS to', 'Loss to', 'Jitter to'].map((label, at) => ({ label, name: 'number', cell: ({ cells }) => cells[at] })),
        { label: 'Round trip', name: 'number', cell: ({ trip }) => trip },
      ];
      const grid = table({ caption: 'Media quality over time', columns, key: ({ key }) => key, empty: 'Nothing was measured.' });
      grid.update(rows);
      inside.replaceChildren(grid.element);
    };
    open();
  };
  return { element, update, close: () => Object.values(charts).forEach((one) => one.close()) };
}

export function callPage(id, view) {
  const heading = el('h1', { id: 'heading' }, 'Call');
  const state = el('span');
  const sub = el('p', { class: 'soft sub' });
  const told = el('div', { class: 'cards' });
  const legs = el('div', { class: 'cards' });
  const media = quality();
  const sip = ladder();
  const noTrace = el('p', { class: 'empty', hidden: true });
  const path = `/api/calls/${encodeURIComponent(id)}`;
  const save = (format, name) => el('button', { type: 'button', class: 'quiet', onclick: () => download(`${path}/trace?format=${format}`, `call-${id}.${name}`).catch((error) => view.trouble(error)) }, name);
  const tools = el('span', { class: 'tools' }, el('span', { class: 'soft' }, 'Save as '), save('pcapng', 'pcapng'), save('json', 'json'), save('text', 'txt'));
  const signalling = el('section', { class: 'card', 'aria-labelledby': 'sip' },
    el('div', { class: 'heading' }, el('h2', { id: 'sip' }, 'SIP'), el('span', { class: 'grow' }), tools), sip.element, noTrace);
  const element = el('section', { 'aria-labelledby': 'heading' },
    el('p', { class: 'back' }, el('a', { href: '#/' }, 'Live calls'), ' · ', el('a', { href: '#/ended' }, 'Ended calls')),
    el('div', { class: 'heading' }, heading, state), sub, told, legs, media.element, signalling);

  let call = null;
  let tracedAt = 0;
  let tracedEnd = false;
  let signature = '';

  const draw = () => {
    if (!call) return;
    const sets = call.answer_time === null ? null : `talked ${duration(length(call))}`;
    sub.textContent = [
      moment(call.create_time), sets, call.trunk && `trunk ${call.trunk}`, call.dialled && `dialled ${call.dialled}`,
      call.ring_time !== null && `rang after ${elapsed(call.ring_time - call.create_time)}`, `call ${call.call_id}`, call.session_id && `Session-ID ${call.session_id}`,
    ].filter(Boolean).join(' · ');
  };

  const drawAll = () => {
    draw();
    const { now: _, ...rest } = call;
    const next = JSON.stringify(rest);
    if (next === signature) return;
    signature = next;
    heading.textContent = title(call);
    document.title = `${title(call)} – Trunkline`;
    state.replaceChildren(statePill(call));
    told.replaceChildren(...[explanation(call), soundNotes(call)].filter(Boolean));
    legs.replaceChildren(...call.legs.map((leg) => legCard(call, leg)));
    media.update(call);
  };

  const trace = async (signal) => {
    const due = call.end ? !tracedEnd : now() - tracedAt >= TRACE_INTERVAL;
    if (!due) return;
    tracedAt = now();
    tracedEnd = call.end !== null;
    const found = await get(`${path}/trace`, signal).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    });
    const none = found === null || found.messages.length === 0;
    noTrace.hidden = !none;
    noTrace.textContent = 'No SIP is kept of this call: of ended calls it is for five minutes.';
    sip.element.hidden = tools.hidden = none;
    if (!none) sip.update(found);
  };

  const refresh = async (signal) => {
    call = await get(path, signal).catch((error) => {
      if (error.status !== 404) throw error;
      return null;
    });
    if (call === null) {
      element.replaceChildren(el('h1', { id: 'heading' }, 'Call not found'), el('p', {}, 'Ended calls are kept for ten minutes, the last 1,000 of them. Their records are in the CDR file.'));
      return;
    }
    drawAll();
    await trace(signal);
  };
  const close = () => {
    media.close();
    sip.close();
  };
  return { element, refresh, tick: draw, close };
}
