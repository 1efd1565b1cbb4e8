// Charts as SVG: lines over a common axis, side by side.
const WIDTH = 420;
const HEIGHT = 300;
const MARGIN = { left: 62, right: 16, top: 34, bottom: 46 };
const COLOURS = ['#1b6ca8', '#c8553d', '#6b6b6b', '#3a7d44'];
const STEPS = [1, 2, 2.5, 5, 10];

const escape = (text) => text.replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);
const text = (x, y, words, more = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(words)}</text>`;
const line = (x1, y1, x2, y2, colour) => `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`;

function linearTicks(top) {
  const power = 10 ** Math.floor(Math.log10(top / 4));
  const step = power * STEPS.find((one) => one * power * 5 >= top);
  return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, at) => at * step);
}

function logarithmicTicks(low, top) {
  const first = Math.floor(Math.log10(low));
  return Array.from({ length: Math.ceil(Math.log10(top)) - first + 1 }, (_, at) => 10 ** (first + at));
}

// { title, x, y, logarithmic (of x), lines: [{ name, points: [[x, y] …] }] }
function chart({ title, x, y, logarithmic, lines }, left) {
  const points = lines.flatMap((one) => one.points);
  const xs = points.map((point) => point[0]);
  const xTicks = logarithmic ? logarithmicTicks(Math.min(...xs), Math.max(...xs)) : linearTicks(Math.max(...xs));
  const yTicks = linearTicks(Math.max(...points.map((point) => point[1])));
  const scale = logarithmic ? Math.log10 : (value) => value;
  const [low, high] = [scale(xTicks[0]), scale(xTicks.at(-1))];
  const atX = (value) => left + MARGIN.left + ((scale(value) - low) / (high - low)) * (WIDTH - MARGIN.left - MARGIN.right);
  const atY = (value) => HEIGHT - MARGIN.bottom - (value / yTicks.at(-1)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const middle = (atX(xTicks[0]) + atX(xTicks.at(-1))) / 2;
  const out = [text(middle, 20, title, 'text-anchor="middle" font-weight="bold"'), text(middle, HEIGHT - 10, x, 'text-anchor="middle"')];
  out.push(text(left + 14, HEIGHT / 2, y, `text-anchor="middle" transform="rotate(-90 ${left + 14} ${HEIGHT / 2})"`));
  for (const tick of yTicks) {
    out.push(line(atX(xTicks[0]), atY(tick), atX(xTicks.at(-1)), atY(tick), '#ddd'));
    out.push(text(atX(xTicks[0]) - 6, atY(tick) + 4, String(Number(tick.toPrecision(3))), 'text-anchor="end"'));
  }
  for (const tick of xTicks) out.push(text(atX(tick), HEIGHT - MARGIN.bottom + 16, String(tick), 'text-anchor="middle"'));
  for (const [at, { name, points: all }] of lines.entries()) {
    const colour = COLOURS[at % COLOURS.length];
    out.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${all.map(([one, value]) => `${atX(one).toFixed(1)},${atY(value).toFixed(1)}`).join(' ')}"/>`);
    if (!logarithmic) for (const [one, value] of all) out.push(`<circle cx="${atX(one).toFixed(1)}" cy="${atY(value).toFixed(1)}" r="3" fill="${colour}"/>`);
    out.push(text(left + MARGIN.left + 8, MARGIN.top + 14 + 15 * at, name, `fill="${colour}"`));
  }
  return out.join('\n');
}

export function plot(charts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH * charts.length}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...charts.map((one, at) => chart(one, WIDTH * at)),
    '</svg>', '',
  ].join('\n');
}
