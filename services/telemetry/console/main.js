// The console: which page is shown, and when it is read anew. It only reads.
import { get, now, readiness, signedIn, signIn, signOut } from './api.js';
import { callPage } from './call.js';
import { ended, live } from './calls.js';
import { el } from './dom.js';
import { span } from './format.js';
import { overview, registrations, trunks } from './lists.js';

const REFRESH = 2000;
const RETRY = 5000;

const place = (id) => document.getElementById(id);
const content = place('content');

let view = null; // { element, refresh(signal), tick(), close() }
let figures = null;
let node = null;
let running = null; // of the refresh that is under way
let timer = null;

function trouble(error) {
  const text = error ? `${error instanceof TypeError ? 'The gateway does not answer' : error.message}. Trying again …` : '';
  place('trouble').hidden = text === '';
  if (place('trouble').textContent !== text) place('trouble').textContent = text;
}

const NOT_READY = { draining: 'draining', starting: 'starting', overloaded: 'overloaded', stopped: 'stopped' };

function drawNode(why) {
  place('node').textContent = node.node;
  const state = place('state');
  const text = why === '' ? 'accepts calls' : NOT_READY[why] ?? why;
  if (state.textContent !== text) state.textContent = text;
  state.className = `pill ${why === '' ? 'good' : why === 'draining' ? 'fair' : 'bad'}`;
  place('sign-out').hidden = !signedIn();
  drawAbout();
}

function drawAbout() {
  if (node) place('about').textContent = `${node.version} · up ${span(now() - node.start_time)}`;
}

// Asks for a token; nothing is shown without.
function askForToken(message) {
  close();
  const input = el('input', { id: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false', required: true });
  const form = el('form', { class: 'card sign-in' },
    el('h1', {}, 'Sign in'),
    el('p', {}, 'Calls and their signalling are shown to holders of an API token with the role ', el('code', {}, 'read'), ' (', el('code', {}, 'listen.grpc.tokens'), '). It is kept until this tab closes.'),
    signedIn() ? el('p', { class: 'refused', role: 'alert' }, message) : null,
    el('label', { for: 'token' }, 'Token'), input,
    el('button', { type: 'submit', class: 'primary' }, 'Sign in'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    signIn(input.value.trim());
    show();
  });
  signOut();
  place('sign-out').hidden = true;
  content.replaceChildren(form);
  document.title = 'Sign in – Trunkline';
  input.focus();
}

function closed(message) {
  close();
  content.replaceChildren(el('section', { class: 'card sign-in' }, el('h1', {}, 'The console is closed'), el('p', {}, `${message[0].toUpperCase()}${message.slice(1)}.`),
    el('p', {}, 'Calls and their signalling are not shown to whoever reaches this address. Metrics and health are served as ever.')));
  document.title = 'Trunkline';
}

async function refresh() {
  clearTimeout(timer);
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const shown = view;
  let again = REFRESH;
  try {
    const [found, why] = await Promise.all([get('/api/node', mine.signal), readiness(mine.signal)]);
    node = found;
    drawNode(why);
    await Promise.all([shown.refresh(mine.signal), figures?.refresh(node, mine.signal)]);
    trouble(null);
  } catch (error) {
    if (mine.signal.aborted) return;
    if (error.status === 401) return askForToken(error.message);
    if (error.status === 403 || error.status === 421) return closed(error.message);
    trouble(error);
    again = RETRY;
  }
  if (running === mine && view) timer = setTimeout(refresh, again);
}

function close() {
  clearTimeout(timer);
  running?.abort();
  view?.close?.();
  view = figures = null;
  trouble(null);
}

const pages = {
  '': () => {
    figures = overview();
    return live(figures.element);
  },
  ended: () => ended({ again: refresh }),
  trunks,
  registrations,
  calls: (id) => callPage(id, { trouble }),
};

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function show() {
  close();
  const [name, id = ''] = location.hash.replace(/^#\/?/, '').split('/');
  const known = Object.hasOwn(pages, name) && (name === 'calls') === (id !== '');
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const heading = [...document.querySelectorAll('nav a')].find((link) => link.hasAttribute('aria-current'))?.textContent;
  document.title = heading ? `${heading} – Trunkline` : 'Trunkline';
  if (!known) {
    content.replaceChildren(el('h1', {}, 'There is nothing here'));
    return;
  }
  view = pages[name](decoded(id));
  content.replaceChildren(view.element);
  void refresh();
}

place('sign-out').addEventListener('click', () => {
  signOut();
  show();
});
// The part of the address after # names the page, so this can't be left to the browser.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  content.focus();
});
window.addEventListener('hashchange', () => {
  show();
  content.focus();
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else if (view) void refresh();
});
setInterval(() => {
  if (document.hidden) return;
  drawAbout();
  view?.tick?.();
}, 1000);
show();
