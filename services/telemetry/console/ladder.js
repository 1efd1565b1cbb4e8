// A call's SIP as a ladder: a lane for each party, the gateway between callers and called, an arrow a message.
import { el, svg } from './dom.js';
import { party } from './format.js';

const TIME = 66;
const [NARROW, WIDE] = [112, 218]; // a lane
const CHARACTER = 7; // of a label, about
const ROW = 36;
const HEAD = 46;

const kind = (message) => (message.status === undefined ? 'request' : message.status < 200 ? 'provisional' : message.status < 300 ? 'success' : 'failure');

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

// In so many characters; what tells messages of one name apart goes last.
function label(message, room = 200) {
  const name = message.status === undefined ? message.method : `${message.status} ${message.reason}`;
  const tail = [
    message.status === undefined ? null : `(${message.method})`,
    /\r\n(content-type|c)\s*:\s*application\/sdp/i.test(message.message) ? 'SDP' : null,
    message.copies > 1 ? `×${message.copies}` : null,
  ].filter(Boolean).join(' ');
  const short = message.copies > 1 ? ` ×${message.copies}` : '';
  const whole = `${cut(name, 40)}${tail ? ` ${tail}` : ''}`;
  return whole.length <= room ? whole : `${cut(name, room - short.length)}${short}`;
}

export const elapsed = (milliseconds) => (milliseconds < 1000 ? `${milliseconds.toFixed(milliseconds < 100 ? 1 : 0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`);

export function ladder() {
  const drawing = svg('svg', { class: 'ladder', role: 'group', 'aria-label': 'SIP ladder' });
  const scroll = el('div', { class: 'scroll', tabindex: -1 }, drawing);
  const text = el('pre', { tabindex: 0 });
  const facts = el('p', { class: 'facts' });
  const shown = el('div', { class: 'message', 'aria-live': 'polite' }, el('p', { class: 'facts' }, 'Choose a message to read it; secrets in it are masked.'));
  const element = el('div', { class: 'ladder-and-message' }, scroll, shown);
  let chosen = null;
  let signature = '';
  let trace = null;
  let lane = WIDE;

  // The callers left of the gateway, the called right of it, as in `trunkline trace`.
  const lanes = () => {
    const callers = trace.legs.filter(({ side }) => side === 'from').length;
    let [left, right] = [callers, callers];
    const places = new Map();
    for (const leg of trace.legs) places.set(leg.leg_id, leg.side === 'from' ? (left -= 1) : (right += 1));
    return { gateway: callers, places };
  };

  const name = (legId) => {
    const leg = trace.legs.find(({ leg_id: id }) => id === legId);
    const { name: who, place } = party(leg?.party ?? legId, '');
    return place || who;
  };
  const ways = (message) => (message.direction === 'sent' ? ['gateway', name(message.leg_id)] : [name(message.leg_id), 'gateway']);

  const choose = (index, focus = true) => {
    chosen = index;
    const message = trace.messages[index];
    for (const arrow of drawing.querySelectorAll('.arrow')) {
      const is = Number(arrow.dataset.index) === index;
      arrow.setAttribute('aria-pressed', String(is));
      arrow.setAttribute('tabindex', is ? '0' : '-1');
      if (is && focus) arrow.focus();
    }
    const [from, to] = ways(message);
    facts.replaceChildren(el('b', {}, label(message)), ` ${from} → ${to}, ${elapsed(message.offset_ms)}, ${message.transport} ${message.remote}`
      + `${message.copies > 1 ? `, ${message.copies} times until ${elapsed(message.last_offset_ms)}` : ''}`
      + `${new TextEncoder().encode(message.message).length < message.size ? `, the first part of ${message.size} octets` : ''}`);
    text.textContent = message.message.replaceAll('\r\n', '\n');
    shown.replaceChildren(facts, text);
  };

  const key = (event) => {
    const index = Number(event.currentTarget.dataset.index);
    const next = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: trace.messages.length - 1, Enter: index, ' ': index }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(Math.min(trace.messages.length - 1, Math.max(0, next)));
  };

  function arrow(message, index, y, { gateway, places }) {
    const place = places.get(message.leg_id) ?? gateway;
    const x = (at) => TIME + lane / 2 + at * lane;
    const [from, to] = message.direction === 'sent' ? [x(gateway), x(place)] : [x(place), x(gateway)];
    const head = to > from ? -7 : 7;
    const [sender, receiver] = ways(message);
    // The words stand in the lane beside the gateway, which every arrow crosses.
    const middle = (x(gateway) + x(gateway + Math.sign(place - gateway))) / 2;
    return svg('g', {
      class: `arrow ${kind(message)}`, role: 'button', tabindex: index === (chosen ?? 0) ? 0 : -1, 'data-index': index, 'aria-pressed': String(index === chosen),
      'aria-label': `${index + 1}: ${label(message)}, ${sender} to ${receiver}, after ${elapsed(message.offset_ms)}`,
      onclick: () => choose(index), onkeydown: key,
    },
    svg('rect', { x: 0, y: y - ROW / 2 - 4, width: TIME + lane * (trace.legs.length + 1), height: ROW }),
    svg('text', { class: 'time', x: TIME - 10, y: y + 4, 'text-anchor': 'end' }, elapsed(message.offset_ms)),
    svg('line', { x1: from, x2: to, y1: y, y2: y }),
    svg('polygon', { points: `${to},${y} ${to + head},${y - 4} ${to + head},${y + 4}` }),
    svg('text', { class: 'label', x: middle, y: y - 6, 'text-anchor': 'middle' }, label(message, Math.floor((lane - 8) / CHARACTER))));
  }

  function heading(at, words, more) {
    const x = TIME + lane / 2 + at * lane;
    const room = Math.floor((lane - 4) / CHARACTER);
    return [svg('text', { class: 'who', x, y: 16, 'text-anchor': 'middle' }, cut(words, room)), svg('text', { class: 'where', x, y: 33, 'text-anchor': 'middle' }, cut(more, room + 4))];
  }

  const draw = () => {
    lane = Math.max(NARROW, Math.min(WIDE, (scroll.clientWidth - TIME) / (trace.legs.length + 1)));
    const order = lanes();
    const parts = [];
    let y = HEAD + ROW / 2 + 8;
    trace.messages.forEach((message, index) => {
      if (message.left_out_before) {
        parts.push(svg('text', { class: 'gap', x: TIME, y: y + 2 }, `… ${message.left_out_before} messages left out`));
        y += ROW;
      }
      parts.push(arrow(message, index, y, order));
      y += ROW;
    });
    const [width, height] = [TIME + lane * (trace.legs.length + 1), y];
    const rails = Array.from({ length: trace.legs.length + 1 }, (_, at) => svg('line', { class: 'rail', x1: TIME + lane / 2 + at * lane, x2: TIME + lane / 2 + at * lane, y1: HEAD, y2: height - 8 }));
    const heads = trace.legs.flatMap((leg) => {
      const first = trace.messages.find(({ leg_id: id }) => id === leg.leg_id);
      const { kind: what, name: who, place } = party(leg.party, '');
      return heading(order.places.get(leg.leg_id), `${place || who}${what ? ` (${what})` : ''}`, first ? `${first.transport} ${first.remote}` : leg.leg_id);
    });
    drawing.setAttribute('width', width);
    drawing.setAttribute('height', height);
    drawing.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const focused = drawing.contains(document.activeElement);
    drawing.replaceChildren(...rails, ...heads, ...heading(order.gateway, 'Trunkline', ''), ...parts);
    if (focused && chosen !== null) drawing.querySelector(`[data-index="${chosen}"]`)?.focus();
  };

  const update = (document) => {
    const now = document.messages.map(({ time, copies }) => `${time}${copies}`).join();
    trace = document;
    if (now === signature) return;
    signature = now;
    draw();
  };
  const watcher = new ResizeObserver(() => trace && draw());
  watcher.observe(scroll);
  return { element, update, close: () => watcher.disconnect() };
}
