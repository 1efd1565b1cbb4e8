// Lines over a call's time: SVG without a library. A cursor, by pointer or arrow keys, tells the figures of a moment.
import { el, svg } from './dom.js';
import { duration } from './format.js';

const HEIGHT = 132;
const LEFT = 40;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 22;

// Round steps for at most `most` lines across a range.
function ticks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const all = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1000; at += step) all.push(Number(at.toFixed(6)));
  return all;
}

function timeTicks(end) {
  const step = [5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600].find((one) => end / one <= 6) ?? 86400;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step);
}

// Lines that end where nothing is known, and dots for what stands alone.
function shapes(points, x, y) {
  const lines = [];
  let line = [];
  for (const [time, value] of [...points, [0, null]]) {
    if (value !== null) line.push(`${x(time).toFixed(1)},${y(value).toFixed(1)}`);
    else if (line.length > 0) {
      lines.push(line);
      line = [];
    }
  }
  return lines.map((one) => (one.length > 1 ? svg('polyline', { points: one.join(' ') })
    : svg('circle', { cx: one[0].split(',')[0], cy: one[0].split(',')[1], r: 2.5 })));
}

// `series` are { name, style, points: [[seconds, value or null]] }; `text` writes a value. All charts of a page share
// one `cursor`: { time, listeners }.
export function chart({ name, text, low = 0, high, least, mark, cursor }) {
  const drawing = svg('svg', { class: 'chart', role: 'img', tabindex: 0, height: HEIGHT });
  const told = el('span', { class: 'told' });
  const element = el('figure', { 'data-chart': name.toLowerCase() }, el('figcaption', {}, el('b', {}, name), told), drawing);
  let series = [];
  let end = 1;
  let scale = null;

  const nearest = (points, time) => points.reduce((best, one) => (one[1] !== null && (best === null || Math.abs(one[0] - time) < Math.abs(best[0] - time)) ? one : best), null);

  const tell = () => {
    const time = cursor.time;
    drawing.querySelector('.cursor')?.remove();
    const at = (points) => (time === null ? [...points].reverse().find(([, value]) => value !== null) ?? null : nearest(points, time));
    const figures = series.map((one) => [one, at(one.points)]).filter(([, point]) => point !== null);
    told.replaceChildren(...(figures.length === 0 ? ['nothing measured yet'] : [
      time === null ? 'last: ' : `${duration(time * 1000)}: `,
      ...figures.map(([one, point]) => el('span', { class: 'value' }, el('i', { class: one.style, 'aria-hidden': 'true' }), `${one.name} ${text(point[1])}`)),
    ]));
    drawing.setAttribute('aria-label', `${name}: ${told.textContent}`);
    if (time === null || !scale) return;
    const x = scale.x(Math.min(time, end));
    drawing.append(svg('g', { class: 'cursor' }, svg('line', { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      figures.map(([one, [, value]]) => svg('circle', { class: one.style, cx: x, cy: scale.y(value), r: 3 }))));
  };

  const draw = () => {
    const width = drawing.clientWidth || 600;
    const values = series.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value !== null);
    const top = high ?? Math.max(least, ...values) * 1.1;
    const x = (time) => LEFT + (time / end) * (width - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - ((Math.min(value, top) - low) / (top - low)) * (HEIGHT - TOP - BOTTOM);
    scale = { x, y, time: (at) => Math.min(end, Math.max(0, ((at - LEFT) / (width - LEFT - RIGHT)) * end)) };
    drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    drawing.replaceChildren(
      ...ticks(low, top, 4).map((value) => svg('g', { class: 'grid' },
        svg('line', { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
        svg('text', { x: LEFT - 6, y: y(value) + 4, 'text-anchor': 'end' }, text(value, true)))),
      ...timeTicks(end).map((time) => svg('text', { class: 'time', x: x(time), y: HEIGHT - 5, 'text-anchor': time === 0 ? 'start' : 'middle' }, duration(time * 1000))),
      ...(mark ? [svg('line', { class: 'mark', x1: LEFT, x2: width - RIGHT, y1: y(mark), y2: y(mark) })] : []),
      ...series.map((one) => svg('g', { class: `line ${one.style}`, 'data-points': one.points.filter(([, value]) => value !== null).length }, shapes(one.points, x, y))));
    tell();
  };

  const move = (time) => {
    cursor.time = time;
    for (const listener of cursor.listeners) listener();
  };
  cursor.listeners.push(tell);
  drawing.addEventListener('pointermove', (event) => move(scale.time(((event.clientX - drawing.getBoundingClientRect().left) / drawing.clientWidth) * (drawing.clientWidth || 600))));
  drawing.addEventListener('pointerleave', () => move(null));
  drawing.addEventListener('blur', () => move(null));
  drawing.addEventListener('keydown', (event) => {
    const times = [...new Set(series.flatMap(({ points }) => points.map(([time]) => time)))].sort((a, b) => a - b);
    const here = cursor.time === null ? times.length : times.findIndex((time) => time >= cursor.time);
    const next = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: times.length - 1 }[event.key];
    if (event.key === 'Escape') return move(null);
    if (next === undefined || times.length === 0) return undefined;
    event.preventDefault();
    return move(times[Math.min(times.length - 1, Math.max(0, next))]);
  });
  const watcher = new ResizeObserver(() => draw());
  watcher.observe(drawing);

  const update = (lines, seconds) => {
    series = lines;
    end = Math.max(10, seconds);
    draw();
  };
  return { element, update, close: () => watcher.disconnect() };
}
