// Headless Chromium or Firefox whose microphone plays a tone, with pages that run an unmodified SIP library.
import { createServer } from 'node:http';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import playwright from 'playwright-core';
import { wav } from '../peers/audio.mjs';
import { repository } from '../peers/gateway.mjs';
import { BROWSER, Stage, TRUNK } from '../peers/stage.mjs';
import { PATIENCE, until } from '../peers/until.mjs';

// How each is started, its microphone playing `frequency` or, without `microphone`, refused. With `loopback` media may use the
// loopback interface. Files may be left in `folder`.
const ENGINES = {
  chromium({ frequency, microphone, loopback, folder }) {
    const tone = join(folder, 'tone.wav');
    writeFileSync(tone, wav(frequency));
    return playwright.chromium.launch({
      executablePath: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync),
      headless: true,
      args: [
        '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
        ...(loopback ? ['--allow-loopback-in-peer-connection'] : []),
        ...(microphone ? ['--use-fake-ui-for-media-stream'] : []),
        '--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${tone}`,
      ],
    });
  },
  // Firefox as it is, by WebDriver BiDi; Playwright's own `firefox` is one that it has changed.
  firefox({ frequency, microphone, loopback }) {
    return playwright._bidiFirefox.launch({
      executablePath: ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync),
      headless: true,
      firefoxUserPrefs: {
        'media.navigator.streams.fake': true,
        'media.navigator.audio.fake_frequency': frequency,
        'media.navigator.permission.disabled': microphone,
        'permissions.default.microphone': microphone ? 1 : 2,
        'media.cubeb.force_mock_context': true, // without a sound device WebAudio stands still
        'media.peerconnection.ice.loopback': loopback,
        'media.peerconnection.ice.obfuscate_host_addresses': false,
        'media.autoplay.default': 0,
        'media.autoplay.blocking_policy': 0,
      },
    });
  },
};

export class Browser {
  // Its microphone plays `frequency`.
  static async open({ frequency = BROWSER, microphone = true, loopback = true, engine = 'chromium' } = {}) {
    const browser = new Browser();
    browser.folder = mkdtempSync(join(tmpdir(), 'trunkline-browser-'));
    browser.program = await ENGINES[engine]({ frequency, microphone, loopback, folder: browser.folder });
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
    const context = await this.program.newContext();
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${this.server.address().port}/${library}`);
    return new Page(page, errors);
  }

  // A page that has registered at the gateway; `settings` are more for the library.
  async signedIn(library, gateway, { user = 'alice', password = `secret-${user[0]}`, url = gateway.url, ...settings } = {}) {
    const page = await this.page(library);
    await page.do('start', { url, user, password, ...settings });
    await page.event('registered');
    return page;
  }

  async closePages() {
    for (const context of this.program.contexts()) await context.close();
  }

  async close() {
    await this.program.close();
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

  // Calls a number of the carrier's: the call and the carrier's side of it, once it is answered.
  async dials(carrier, dialled = '5551000', options = undefined) {
    const arrived = carrier.arrival(dialled);
    const number = await this.do('call', dialled, options);
    await this.event('confirmed', { number });
    return [number, await arrived];
  }

  // Both ways: the page hears `frequency`, and `call`, the trunk's side, the microphone.
  async talks(call, frequency = TRUNK) {
    call.rtp.forget();
    await this.hears(frequency);
    await until(() => call.rtp.hears(BROWSER) > 0.8, 'the trunk to hear the microphone');
  }

  async hangsUp(number, call) {
    await this.do('hangup', number);
    await until(() => call.ended, 'BYE at the trunk');
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

// A stage on which this browser is in the synthetic one's place.
export class PageStage extends Stage {
  static async open({ loopback, ...settings } = {}) {
    const stage = await super.open({ ...settings, browser: false });
    try {
      stage.browser = await Browser.open({ loopback });
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  async close() {
    await this.browser?.close();
    await super.close();
  }

  // Whatever a test leaves, failed or not, must not reach the next one.
  async idle() {
    await this.browser.closePages();
    for (const carrier of this.carriers) carrier.endCalls();
    await super.idle();
  }
}
