// Figures and names as people read them.
import { el, hidden } from './dom.js';

export const NONE = '–';

const two = (number) => String(number).padStart(2, '0');

export function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// For long times: "3 d 4 h", "2 h 5 min", "7 min", "12 s".
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });
export const moment = (time) => `${new Date(time).toLocaleDateString()} ${clock(time)}`;

const known = (value) => value !== null && value !== undefined;
export const mosText = (mos) => (known(mos) ? mos.toFixed(1) : NONE);
export const lossText = (loss) => (known(loss) ? `${(loss * 100).toFixed(loss > 0 && loss < 0.1 ? 1 : 0)} %` : NONE);
export const millisecondsText = (value) => (known(value) ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : NONE);

// How people find such a call (ITU-T G.107 annex B), as the metrics grade it.
export const grade = (mos) => (mos >= 4.03 ? 'good' : mos >= 3.6 ? 'fair' : mos >= 3.1 ? 'poor' : 'bad');

export const mosBadge = (mos) =>
  known(mos) ? el('span', { class: `mos ${grade(mos)}` }, mosText(mos), hidden(` ${grade(mos)}`)) : NONE;

// "user:alice" is the user alice; behind a trunk the number tells who.
export function party(name, number) {
  const [, kind, rest] = /^(user|trunk|service):(.*)$/s.exec(name) ?? [null, '', name];
  return { kind, name: kind === 'trunk' && number ? number : rest || number || name, place: kind === 'trunk' ? rest : '' };
}

export const partyText = (name, number) => party(name, number).name;

export const pill = (text, kind) => el('span', { class: `pill ${kind}` }, text);
