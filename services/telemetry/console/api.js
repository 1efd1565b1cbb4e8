// The listener's own endpoints, all read-only. The token of one who signed in lives as long as this tab.
const TOKEN = 'trunkline-token';

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const signedIn = () => sessionStorage.getItem(TOKEN) !== null;
export const signIn = (token) => sessionStorage.setItem(TOKEN, token);
export const signOut = () => sessionStorage.removeItem(TOKEN);

async function ask(path, signal) {
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch(path, { signal, cache: 'no-store', headers: token ? { Authorization: `Bearer ${token}` } : {} });
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new Refused(response.status, told?.error?.message ?? response.statusText);
}

// Between the gateway's clock and this one, in milliseconds.
let skew = 0;
export const now = () => Date.now() + skew;

export async function get(path, signal) {
  const document = await (await ask(path, signal)).json();
  if (document.now) skew = document.now - Date.now();
  return document;
}

// Why calls are not accepted; empty: they are.
export async function readiness(signal) {
  const response = await fetch('/readyz', { signal, cache: 'no-store' });
  return response.ok ? '' : (await response.text()).trim();
}

export async function download(path, name) {
  const address = URL.createObjectURL(await (await ask(path)).blob());
  const link = Object.assign(document.createElement('a'), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
