// Trunks and registrations, and the figures above the live calls.
import { get, now } from './api.js';
import { el, hidden, table } from './dom.js';
import { moment, NONE, pill, span } from './format.js';

const TRUNK_STATES = { up: 'good', degraded: 'fair', down: 'bad', disabled: 'soft', unknown: 'soft' };
const TARGET_STATES = { up: 'good', late: 'fair', refusing: 'bad', down: 'bad' };
const probed = (state) => ({ unknown: 'not probed' })[state] ?? state;

async function pages(path, name, signal) {
  const found = [];
  let token = null;
  do {
    const answer = await get(`${path}?page_size=200${token ? `&page_token=${token}` : ''}`, signal);
    found.push(...answer[name]);
    token = answer.next_page_token;
  } while (token !== null && found.length < 2000);
  return found;
}

const targetText = (target) => `${target.transport} ${target.address} ${probed(target.state)}${target.rests_for === null ? '' : `, rests for ${target.rests_for} s`}`;

function registered({ registration }) {
  if (registration === null) return 'does not register';
  const until = registration.expires_in === null ? '' : ` for ${span(registration.expires_in * 1000)}`;
  return `${registration.state}${registration.state === 'registered' ? until : ''}${registration.failure ? `: ${registration.failure}` : ''}`;
}

// A limit without a value is none.
const used = ({ calls, max_calls: most }) => (most > 0 ? `${calls} of ${most}` : String(calls));

const TRUNKS = [
  { label: 'Trunk', name: 'who', cell: (trunk) => [el('b', {}, trunk.trunk), el('span', { class: 'why' }, trunk.uri)], sign: (trunk) => `${trunk.trunk} ${trunk.uri}` },
  { label: 'State', name: 'state', cell: (trunk) => pill(probed(trunk.state), TRUNK_STATES[trunk.state] ?? 'soft'), sign: (trunk) => trunk.state },
  { label: 'Calls', name: 'number',
    cell: (trunk) => [used(trunk), trunk.max_calls > 0 ? el('meter', { min: 0, max: trunk.max_calls, high: trunk.max_calls * 0.8, value: trunk.calls, 'aria-hidden': 'true' }) : null],
    sign: used },
  { label: 'Servers, as last probed', name: 'targets',
    cell: (trunk) => trunk.targets.map((target) => el('span', { class: 'target' },
      el('span', { class: `dot ${TARGET_STATES[target.state] ?? 'soft'}`, 'aria-hidden': 'true' }), targetText(target))),
    sign: (trunk) => trunk.targets.map(targetText).join('\n') },
  { label: 'Registration', name: 'registration', cell: registered },
];

export function trunks() {
  const rows = table({ caption: 'Trunks', columns: TRUNKS, key: (trunk) => trunk.trunk, empty: 'No trunk is configured.' });
  const element = el('section', { 'aria-labelledby': 'heading' }, el('div', { class: 'heading' }, el('h1', { id: 'heading' }, 'Trunks')), rows.element);
  return { element, refresh: async (signal) => rows.update(await pages('/api/trunks', 'trunks', signal)) };
}

const REGISTRATIONS = [
  { label: 'User', name: 'who', cell: (one) => el('b', {}, one.user), sign: (one) => one.user },
  { label: 'From', name: 'source', cell: (one) => `${one.source} ${one.transport}` },
  { label: 'Program', name: 'agent', cell: (one) => one.user_agent ?? NONE },
  { label: 'Contact', name: 'contact', cell: (one) => one.contact },
  { label: 'Since', name: 'when', cell: (one) => moment(one.register_time) },
  { label: 'Expires in', name: 'number', cell: (one) => span(one.expire_time - now()) },
];

export function registrations() {
  const rows = table({ caption: 'Registrations', columns: REGISTRATIONS, key: (one) => one.registration_id, empty: 'Nobody is registered.' });
  const filter = el('input', { type: 'search', id: 'filter', placeholder: 'User, address, program …', autocomplete: 'off', spellcheck: 'false' });
  const count = el('span', { class: 'count', role: 'status' });
  let all = [];
  const draw = () => {
    const wanted = filter.value.trim().toLowerCase();
    const shown = all.filter((one) => Object.values(one).join('\n').toLowerCase().includes(wanted));
    rows.update(shown);
    count.textContent = wanted ? `${shown.length} of ${all.length}` : String(all.length);
  };
  filter.addEventListener('input', draw);
  const element = el('section', { 'aria-labelledby': 'heading' },
    el('div', { class: 'heading' }, el('h1', { id: 'heading' }, 'Registrations'), count, el('span', { class: 'grow' }),
      el('label', { class: 'filter', for: 'filter' }, hidden('Filter'), filter)),
    rows.element);
  const refresh = async (signal) => {
    all = await pages('/api/registrations', 'registrations', signal);
    draw();
  };
  return { element, refresh, tick: draw };
}

// What stands above the live calls. The lists that it counts are fetched less often than what it stands above.
const COUNT_INTERVAL = 8000;

export function overview() {
  let counted = 0;
  const figure = (label, href) => {
    const value = el('b', {}, NONE);
    const more = el('span', {});
    return { value, more, element: el('a', { class: 'figure', href }, el('span', {}, label), value, more) };
  };
  const calls = figure('Live calls', '#/');
  const failed = figure('Failed lately', '#/ended');
  const trunk = figure('Trunks', '#/trunks');
  const users = figure('Registrations', '#/registrations');
  const set = (one, value, more, kind = '') => {
    one.value.textContent = value;
    one.more.textContent = more;
    one.element.dataset.kind = kind;
  };
  const refresh = async (node, signal) => {
    set(calls, String(node.calls), node.max_calls > 0 ? `of ${node.max_calls} at most` : '', node.max_calls > 0 && node.calls >= node.max_calls ? 'bad' : '');
    set(users, String(node.registrations), node.domain);
    if (now() - counted < COUNT_INTERVAL) return;
    counted = now();
    const [list, ended] = await Promise.all([pages('/api/trunks', 'trunks', signal), get('/api/calls?state=ended&page_size=200', signal)]);
    const down = list.filter(({ state }) => state === 'down').length;
    const degraded = list.filter(({ state }) => state === 'degraded').length;
    set(trunk, String(list.length), down > 0 ? `${down} down` : degraded > 0 ? `${degraded} degraded` : list.length > 0 ? 'none down' : 'none configured', down > 0 ? 'bad' : degraded > 0 ? 'fair' : '');
    const lost = ended.calls.filter(({ end }) => end.fault !== 'success').length;
    const more = ended.next_page_token === null ? '' : 'the last ';
    set(failed, String(lost), ended.calls.length > 0 ? `of ${more}${ended.calls.length} that ended` : 'none ended lately');
  };
  return { element: el('div', { class: 'figures' }, calls.element, failed.element, trunk.element, users.element), refresh };
}
