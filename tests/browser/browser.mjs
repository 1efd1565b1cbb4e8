// Headless Chromium whose microphone plays a tone, with pages that run an unmodified SIP library.
import { createServer } from 'node:http';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { repository } from '../peers/gateway.mjs';
import { PATIENCE, until } from '../peers/until.mjs';

// 16-bit mono WAV of a sine; its length is a whole number of periods, so that Chromium's loop doesn't click.
export function wav(frequency, seconds = 10, rate = 48000) {
  const samples = Buffer.alloc(seconds * rate * 2);
  for (let at = 0; at < seconds * rate; at += 1) {
    samples.writeInt16LE(Math.round(9000 * Math.sin((2 * Math.PI * frequency * at) / rate)), at * 2);
  }
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

export class Browser {
  static async open(frequency, { microphone = true } = {}) {
    const browser = new Browser();
    browser.folder = mkdtempSync(join(tmpdir(), 'trunkline-browser-'));
    const tone = join(browser.folder, 'tone.wav');
    writeFileSync(tone, wav(frequency));
    const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
    browser.chromium = await chromium.launch({
      executablePath,
      headless: true,
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
        '--allow-loopback-in-peer-connection',
        ...(microphone ? ['--use-fake-ui-for-media-stream'] : []),
        '--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${tone}`,
      ],
    });
    await browser.serve();
    return browser;
  }

  async serve() {
    this.bundles = {};
    for (const library of ['jssip', 'sipjs']) {
      const result = await build({
        entryPoints: [join(repository, 'tests/browser', `page_${library}.js`)],
        bundle: true, write: false, format: 'iife', platform: 'browser', logLevel: 'silent',
      });
      this.bundles[`/${library}.js`] = result.outputFiles[0].text;
    }
    this.server = createServer((request, response) => {
      const script = this.bundles[request.url];
      if (script) {
        response.setHeader('Content-Type', 'text/javascript');
        return response.end(script);
      }
      response.setHeader('Content-Type', 'text/html');
      return response.end(`<!doctype html><meta charset="utf-8"><title>test</title><script src="${request.url}.js"></script>`);
    });
    await new Promise((done) => this.server.listen(0, '127.0.0.1', done));
  }

  // A page of its own context running `library` ("jssip" or "sipjs").
  async page(library) {
    const context = await this.chromium.newContext();
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${this.server.address().port}/${library}`);
    return new Page(page, errors);
  }

  async closePages() {
    for (const context of this.chromium.contexts()) await context.close();
  }

  async close() {
    await this.chromium.close();
    this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class Page {
  constructor(page, errors) {
    this.page = page;
    this.errors = errors;
    this.read = 0;
  }

  do(verb, ...args) {
    return this.page.evaluate(([name, values]) => window.phone[name](...values), [verb, args]);
  }

  events() {
    return this.page.evaluate(() => window.phone.events);
  }

  // The first event of that name (and these details) after those already awaited.
  async event(name, details = {}, milliseconds = PATIENCE) {
    let seen = [];
    const index = await until(
      async () => {
        seen = await this.events();
        const at = seen.findIndex((event, position) => position >= this.read && event.name === name &&
          Object.entries(details).every(([key, value]) => event[key] === value));
        return at < 0 ? null : at + 1;
      },
      () => `event ${name}`,
      milliseconds,
    ).catch(() => {
      throw new Error(`no event ${name} ${JSON.stringify(details)} in ${JSON.stringify(seen)} ${this.errors.join(' ')}`);
    });
    this.read = index;
    return seen[index - 1];
  }

  hears(frequency) {
    return until(async () => (await this.do('hears', frequency)) > 15, `the page to hear ${frequency} Hz`);
  }

  // The page begins anew, and so do its events.
  async reload() {
    await this.page.reload();
    this.read = 0;
  }

  close() {
    return this.page.context().close();
  }
}
