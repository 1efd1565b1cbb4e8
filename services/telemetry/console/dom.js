// Elements without markup: whatever a peer has sent becomes text, never anything else.
const SVG = 'http://www.w3.org/2000/svg';

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const el = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

export const hidden = (text) => el('span', { class: 'hidden' }, text);

// A table whose cells change only where their content does, so that focus and selection stay where they are. `columns`
// are { label, name, cell(row), sign(row) }: a cell is text or nodes; for nodes `sign` is what they show, as text.
export function table({ caption, columns, key, empty }) {
  const body = el('tbody');
  const nothing = el('p', { class: 'empty' }, empty);
  const grid = el('table', {},
    el('caption', { class: 'hidden' }, caption),
    el('thead', {}, el('tr', {}, columns.map(({ label, name }) => el('th', { scope: 'col', class: name }, label)))),
    body);
  const element = el('div', { class: 'table' }, grid, nothing);
  const known = new Map();

  const make = (id) => {
    const cells = columns.map(({ label, name }) => el('td', { class: name, 'data-label': label }));
    const row = { element: el('tr', { 'data-key': id }, cells), cells, shown: columns.map(() => null) };
    known.set(id, row);
    return row;
  };

  const update = (rows) => {
    const left = new Set(known.keys());
    rows.forEach((data, at) => {
      const id = key(data);
      left.delete(id);
      const row = known.get(id) ?? make(id);
      columns.forEach(({ cell, sign }, index) => {
        const content = sign ? null : cell(data);
        const now = sign ? sign(data) : content;
        if (row.shown[index] === now) return;
        row.shown[index] = now;
        row.cells[index].replaceChildren(...[sign ? cell(data) : content].flat(Infinity).filter((one) => one !== null));
      });
      if (body.children[at] !== row.element) body.insertBefore(row.element, body.children[at] ?? null);
    });
    for (const id of left) {
      known.get(id).element.remove();
      known.delete(id);
    }
    nothing.hidden = rows.length > 0;
    grid.hidden = rows.length === 0;
  };
  return { element, update };
}
