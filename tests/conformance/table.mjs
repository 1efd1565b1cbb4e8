// What is required of the gateway, what the tests claim to prove of it, and the table that is made of both.
//
// A claim is a comment directly above a test, in the form
//   // RFC 3261 §9.1: CANCEL waits for a provisional response [cancel-waits]
// and names in brackets the requirement of requirements.json that the test proves. One without brackets is a claim too,
// of something that is on no list. It may cite more than one section: "RFC 4028 §8.1, §9, RFC 3261 §14.2: …". Several
// claims may follow each other; a comment line after one of them continues it.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repository } from '../peers/gateway.mjs';

export const DOCUMENT = join(repository, 'docs/conformance.md');
export const COMMAND = 'node tests/conformance/write.mjs';
const REQUIREMENTS = join(repository, 'tests/conformance/requirements.json');

const LEVELS = { must: 'MUST', should: 'SHOULD', may: 'MAY', ours: 'ours' };
const FIELDS = new Set(['key', 'rfc', 'section', 'level', 'behaviour', 'note', 'not_applicable', 'open']);
// 17.1.1.2, 4.4.1.1.1, or an appendix: B.2.
const SECTION = /^(?:\d+|[A-Z])(?:\.\d+)*$/;
const KEY = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const CLAIM = /^\/\/ RFC (.*)$/;
const CLAIM_PARTS = /^(\d+)(?: §([^\s,:]+))?((?:, (?:RFC \d+ )?§[^\s,:]+)*): (.*?)(?: \[([^\]]*)\])?$/;
// RFCs whose sections have no numbers.
const UNNUMBERED = new Set(['2782']);

export const readRequirements = () => JSON.parse(readFileSync(REQUIREMENTS, 'utf8'));

// What is wrong with the list itself.
export function faultsOfRequirements(requirements) {
  const faults = [];
  const seen = new Set();
  for (const one of requirements) {
    const fault = (what) => faults.push(`requirements.json: ${one.key}: ${what}`);
    if (!KEY.test(one.key ?? '')) fault('a key is made of small letters, digits and hyphens');
    if (seen.has(one.key)) fault('stands there twice');
    seen.add(one.key);
    for (const field of Object.keys(one)) if (!FIELDS.has(field)) fault(`unknown field ${field}`);
    if (!Number.isInteger(one.rfc)) fault('the RFC is a number');
    if (!SECTION.test(one.section ?? '')) fault(`${one.section} is no section`);
    if (!(one.level in LEVELS)) fault(`the level is one of ${Object.keys(LEVELS).join(', ')}`);
    for (const field of ['behaviour', 'note', 'not_applicable', 'open']) {
      if (field in one && !/^\S.*[^\s.]$/.test(one[field])) fault(`${field} is one line without a full stop`);
    }
    if (!one.behaviour) fault('says nothing');
    if (one.not_applicable && one.open) fault('either it does not apply, or it is open');
  }
  return faults;
}

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesUnder(join(folder, entry.name));
    return /\.cpp$|\.test\.mjs$/.test(entry.name) ? [join(folder, entry.name)] : [];
  }).sort();
}

// The name of the GoogleTest test that begins here.
function unitTest(lines, index) {
  const [, suite, name] = /^\s*TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)/.exec(lines.slice(index, index + 3).join(' ')) ?? [];
  return name && `${suite}.${name}`;
}

const readable = (title) => title.replace(/\$\{[^}]*\}/g, '…').replace(/\\(.)/g, '$1');

// The title of the test of Node's runner, or of the entry of a table of tests, that begins here, behind those of its suites.
function nodeTest(lines, index) {
  const line = lines[index];
  const [, , own] = /^\s*(?:it|test)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/.exec(line) ?? /^\s*[[{][^'"`]*(['"`])((?:\\.|(?!\1).)*)\1/.exec(line) ?? [];
  if (own === undefined) return undefined;
  const titles = [own];
  let indent = line.search(/\S/);
  for (let above = index - 1; above >= 0 && indent > 0; above -= 1) {
    const [, space, , title] = /^(\s*)describe\(\s*(['"`])((?:\\.|(?!\2).)*)\2/.exec(lines[above]) ?? [];
    if (title === undefined || space.length >= indent) continue;
    titles.unshift(title);
    indent = space.length;
  }
  return titles.map(readable).join(' › ');
}

// The claims of one file, and what is wrong with them.
export function claimsOf(path, text) {
  const lines = text.split('\n');
  const name = path.endsWith('.cpp') ? unitTest : nodeTest;
  const claims = [];
  const faults = [];
  let open = [];
  lines.forEach((whole, index) => {
    const line = whole.trim();
    const claim = CLAIM.exec(line);
    if (claim) return open.push({ line: index + 1, text: claim[1] });
    const comment = /^\/\/ (.*)$/.exec(line);
    if (comment && open.length > 0) {
      open.at(-1).text += ` ${comment[1].trim()}`;
      return undefined;
    }
    if (open.length === 0) return undefined;
    const above = open;
    open = [];
    const test = line === '' ? undefined : name(lines, index);
    for (const one of above) {
      const fault = (what) => faults.push(`${path}:${one.line}: ${what}`);
      const [, rfc, section = '', others = '', behaviour, key] = CLAIM_PARTS.exec(one.text) ?? [];
      const wellFormed = (section === '' ? UNNUMBERED.has(rfc) : SECTION.test(section)) &&
        [...others.matchAll(/§([^\s,]+)/g)].every(([, other]) => SECTION.test(other));
      if (test === undefined) {
        // An ordinary comment may cite an RFC, too.
        if (key !== undefined) fault('a claim stands directly above its test');
      } else if (rfc === undefined || !wellFormed || behaviour === '') {
        fault(`"RFC ${one.text}" is not in the form "RFC 3261 §9.1: what is claimed [key]"`);
      } else if (key !== undefined && !KEY.test(key)) {
        fault(`"${key}" is no key`);
      } else {
        claims.push({ rfc: Number(rfc), section, others, behaviour, key, path, test });
      }
    }
    return undefined;
  });
  return { claims, faults };
}

export function readClaims() {
  const claims = [];
  const faults = [];
  for (const file of filesUnder(join(repository, 'tests'))) {
    const found = claimsOf(relative(repository, file), readFileSync(file, 'utf8'));
    claims.push(...found.claims);
    faults.push(...found.faults);
  }
  return { claims, faults };
}

// What doesn't fit between the requirements and the claims.
export function faultsBetween(requirements, claims) {
  const faults = [];
  const known = new Map(requirements.map((one) => [one.key, one]));
  const proven = new Set(claims.map(({ key }) => key));
  for (const { key, path, test } of claims) {
    if (key !== undefined && !known.has(key)) faults.push(`${path}: ${test}: there is no requirement ${key}`);
  }
  for (const one of requirements) {
    if (one.open && proven.has(one.key)) faults.push(`${one.key} is called open, but a test proves it`);
    if (one.not_applicable && proven.has(one.key)) faults.push(`${one.key} is said not to apply, but a test proves it`);
    if (!one.open && !one.not_applicable && !proven.has(one.key)) faults.push(`no test proves ${one.key}`);
  }
  return faults;
}

function compareSections(one, other) {
  const [left, right] = [one, other].map((section) => section.split('.'));
  for (let part = 0; part < Math.max(left.length, right.length); part += 1) {
    const order = (left[part] ?? '').localeCompare(right[part] ?? '', 'en', { numeric: true });
    if (order !== 0) return order;
  }
  return 0;
}

const inOrder = (entries) => entries.map((entry, index) => ({ entry, index }))
  .sort((one, other) => one.entry.rfc - other.entry.rfc || compareSections(one.entry.section, other.entry.section) || one.index - other.index)
  .map(({ entry }) => entry);

const cell = (text = '') => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replace(/(?<!\S)\*|\*(?!\S)/g, '\\*');
const row = (...cells) => `| ${cells.join(' | ')} |`;
const table = (heads, rows) => [row(...heads), row(...heads.map(() => '---')), ...rows].join('\n');
const whole = (one) => `RFC ${one.rfc} §${one.section}`;
const isRace = ({ key }) => key.startsWith('race-');

// The tests of some claims, file by file.
function testsOf(claims) {
  const files = new Map();
  for (const { path, test } of claims) {
    const short = path.replace(/^tests\//, '');
    files.set(short, (files.get(short) ?? new Set()).add(test));
  }
  return [...files].map(([path, tests]) => `\`${path}\`: ${[...tests].map(cell).join(', ')}`).join('<br>');
}

export function render(requirements, claims) {
  const proofs = (key) => claims.filter((claim) => claim.key === key);
  const mustBeProven = (one) => !one.open && !one.not_applicable;
  const provenRow = (first, one) => row(first, LEVELS[one.level], cell(one.behaviour), testsOf(proofs(one.key)), cell(one.note));
  const further = claims.filter(({ key }) => key === undefined);
  const proven = inOrder(requirements.filter((one) => mustBeProven(one) && !isRace(one)));
  const count = (list, what) => `${list.length} ${what}`;
  const parts = [
    '# Conformance\n',
    `What the RFCs, and for some rows the product itself, require of the gateway, and the tests that prove it. Made by \`${COMMAND}\` out of \`tests/conformance/requirements.json\` and the claims above the tests; \`tests/run conformance\` fails when they differ. The level is that of the RFC; "ours" is a decision of the product where the RFC leaves one.\n`,
    `${count(requirements.filter(mustBeProven), 'requirements are proven')}, ${count(requirements.filter((one) => one.not_applicable), 'do not apply')}, ${count(requirements.filter((one) => one.open), 'are open')}.\n`,
    '## Proven\n',
  ];
  const rfcs = [...new Set([...proven, ...further].map(({ rfc }) => rfc))].sort((one, other) => one - other);
  for (const rfc of rfcs) {
    parts.push(`### RFC ${rfc}\n`);
    const rows = proven.filter((one) => one.rfc === rfc);
    if (rows.length > 0) {
      parts.push(`${table(['§', 'Level', 'Requirement', 'Tests', 'Note'], rows.map((one) => provenRow(one.section, one)))}\n`);
    }
    const others = inOrder(further.filter((claim) => claim.rfc === rfc));
    if (others.length === 0) continue;
    const claimed = [...new Map(others.map((claim) => [`${claim.section} ${claim.behaviour}`, claim])).values()];
    const claimants = ({ section, behaviour }) => others.filter((claim) => claim.section === section && claim.behaviour === behaviour);
    if (rows.length > 0) parts.push('Further claims:\n');
    parts.push(`${table(['§', 'Claim', 'Tests'], claimed.map((claim) => row(claim.section + claim.others, cell(claim.behaviour), testsOf(claimants(claim)))))}\n`);
  }
  const races = inOrder(requirements.filter((one) => mustBeProven(one) && isRace(one)));
  parts.push('## Races\n', 'What other implementations got wrong when messages crossed, came late or not at all.\n');
  parts.push(`${table(['RFC', 'Level', 'Outcome', 'Tests', 'Note'], races.map((one) => provenRow(whole(one), one)))}\n`);
  const listed = (field) => inOrder(requirements.filter((one) => one[field])).map((one) => {
    const notes = [one[field], one.note].filter(Boolean).map(cell).join('. ');
    return row(whole(one), LEVELS[one.level], cell(one.behaviour), notes);
  });
  parts.push('## Does not apply\n', `${table(['RFC', 'Level', 'Requirement', 'Why not'], listed('not_applicable'))}\n`);
  parts.push('## Open\n', `${table(['RFC', 'Level', 'Requirement', 'What is missing'], listed('open'))}\n`);
  return parts.join('\n');
}
