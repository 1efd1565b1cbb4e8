// The console on the admin listener, in Chromium, with real calls: a page with JsSIP on one side, a SIP trunk with RTP on
// the other.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import { Gateway } from '../peers/gateway.mjs';
import { ringAndAnswer } from '../peers/stage.mjs';
import { until } from '../peers/until.mjs';
import { PageStage } from './browser.mjs';

const TOKENS = ', tokens: [{ name: desk, token: "reads-all-calls", roles: [read] }, { name: dialler, token: "may-only-call", roles: [call] }]';
const EVIL = '<img src=x onerror="window.hacked=1"><svg onload="window.hacked=1">';

let stage;
let gateway;
let guarded;
let carrier;
let browser;

before(async () => {
  stage = await PageStage.open();
  ({ gateway, carrier, browser } = stage);
  guarded = await Gateway.start({ grpc: TOKENS });
});

after(async () => {
  await stage?.close();
  assert.equal((await guarded?.stop())?.code, 0);
});

afterEach(() => stage.idle());

// The console in a context of its own. Whatever it asks of another place, is not allowed to do, or throws, is kept.
class Console {
  static async open(path = '/', at = gateway) {
    const opened = new Console();
    opened.origin = `http://127.0.0.1:${at.adminPort}`;
    opened.faults = [];
    opened.context = await browser.program.newContext({ acceptDownloads: true });
    const page = await opened.context.newPage();
    opened.page = page;
    page.on('request', (asked) => {
      if (!asked.url().startsWith(`${opened.origin}/`) && !asked.url().startsWith('blob:')) opened.faults.push(`asks ${asked.url()}`);
    });
    page.on('pageerror', (error) => opened.faults.push(String(error)));
    page.on('console', (message) => {
      // A refusal by the API is an answer, whatever Chromium thinks of its status.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) opened.faults.push(message.text());
    });
    page.on('dialog', (dialog) => opened.faults.push(`dialog ${dialog.message()}`));
    await page.goto(`${opened.origin}/#${path}`);
    return opened;
  }

  shows(text, within = 'main') {
    return until(async () => (await this.text(within)).includes(text), async () => `the console to show ${text}`).catch(async (error) => {
      throw new Error(`${error.message}; it shows:\n${await this.text(within)}\n${this.faults.join('\n')}`);
    });
  }

  text(within = 'main') {
    return this.page.locator(within).first().innerText({ timeout: 30_000 });
  }

  async clean() {
    assert.deepEqual(this.faults, []);
    assert.equal(await this.page.evaluate(() => window.hacked), undefined);
    assert.equal(await this.page.locator('main img, main script, main iframe').count(), 0);
  }
}

const registered = (settings) => browser.signedIn('jssip', gateway, settings);

async function dialled(page, behaviour, number = '5551000') {
  const arrived = carrier.arrival(number);
  carrier.onCall = behaviour;
  const session = await page.do('call', number);
  return [session, await arrived];
}

// The one row of a list that names the number.
const rowOf = (shown, number) => shown.page.locator('tbody tr', { hasText: number }).first();

describe('the console', () => {
  it('shows a call while it lives, with both legs, and its end', async () => {
    const shown = await Console.open();
    await shown.shows('No call is up.');
    const page = await registered();
    const [session, call] = await dialled(page, ringAndAnswer, '5551001');
    await page.event('confirmed', { number: session });
    await shown.shows('alice → 5551001');
    await shown.shows('answered');
    // Both legs are measured within the first seconds.
    await until(async () => (await rowOf(shown, '5551001').locator('.mos').count()) === 2, 'MOS of both legs');
    const row = await rowOf(shown, '5551001').innerText();
    for (const text of ['alice', 'carrier', 'PCMU', '0 %']) assert.ok(row.includes(text), `${text} in ${row}`);
    assert.match(row, /0:\d\d/);
    await until(async () => (await rowOf(shown, '5551001').locator('.sound').innerText()) === 'heard', 'both to be heard');
    assert.match(await shown.text('.figures'), /Live calls\s+1\s/);
    await page.do('hangup', session);
    await until(() => call.ended, 'BYE at the trunk');
    await shown.shows('No call is up.');
    await shown.page.getByRole('link', { name: 'Ended calls' }).first().click();
    await shown.shows('alice → 5551001');
    assert.match(await rowOf(shown, '5551001').innerText(), /Hung up[\s\S]*200[\s\S]*the caller/);
    await shown.clean();
  });

  it('draws the messages of a call in order, and shows each', async () => {
    const page = await registered();
    const [session] = await dialled(page, ringAndAnswer, '5551002');
    await page.event('confirmed', { number: session });
    const shown = await Console.open();
    await shown.page.getByRole('link', { name: 'alice → 5551002' }).click();
    await shown.page.locator('.arrow').first().waitFor({ timeout: 30_000 });
    const arrows = await until(async () => {
      const labels = await shown.page.locator('.arrow .label').allTextContents();
      return labels.includes('ACK') && labels.filter((label) => label === 'ACK').length >= 2 && labels;
    }, 'the ladder to have both ACKs');
    const at = (label, from = 0) => arrows.findIndex((one, index) => index >= from && one.startsWith(label));
    const order = [at('INVITE'), at('401'), at('INVITE', at('401')), at('INVITE', at('INVITE', at('401')) + 1)];
    order.push(at('180', order.at(-1)), at('200', order.at(-1)), at('ACK', at('200')));
    assert.ok(order.every((index) => index >= 0), `${order} in ${arrows}`);
    assert.deepEqual([...order].sort((a, b) => a - b), order, arrows.join(', '));
    const heads = await shown.page.locator('.ladder .who').allTextContents();
    for (const name of ['alice (user)', 'Trunkline', 'carrier (trunk)']) assert.ok(heads.includes(name), heads.join());
    // By pointer, and on by keyboard; credentials are masked.
    await shown.page.locator('.arrow').nth(order[2]).click();
    await shown.shows('INVITE sip:5551002@example.test', '.message');
    const text = await shown.text('.message pre');
    assert.match(text, /Authorization: Digest/);
    assert.ok(!/response="?[0-9a-f]{32}/.test(text), text);
    await shown.page.keyboard.press('ArrowDown');
    await until(async () => (await shown.page.locator('.arrow[aria-pressed="true"]').getAttribute('data-index')) === String(order[2] + 1), 'the next message to be chosen');
    assert.equal(await shown.page.evaluate(() => document.activeElement.dataset.index), String(order[2] + 1));
    const [file] = await Promise.all([shown.page.waitForEvent('download'), shown.page.getByRole('button', { name: 'pcapng' }).click()]);
    assert.match(file.suggestedFilename(), /^call-\w+\.pcapng$/);
    await page.do('hangup', session);
    await shown.clean();
  });

  it('draws loss as it is heard, for each leg and direction', async () => {
    const page = await registered();
    let count = 0;
    const [session, call] = await dialled(page, async (ringing) => {
      const send = ringing.rtp.rtp.send.bind(ringing.rtp.rtp);
      // A network that loses every fifth packet of the trunk's.
      ringing.rtp.rtp.send = (...packet) => {
        count += 1;
        return count % 5 === 0 ? undefined : send(...packet);
      };
      await ringAndAnswer(ringing);
    }, '5551003');
    await page.event('confirmed', { number: session });
    const shown = await Console.open();
    await shown.page.getByRole('link', { name: 'alice → 5551003' }).click();
    const points = (chart, line) => shown.page.locator(`[data-chart="${chart}"] g.line.${line}`).first().getAttribute('data-points', { timeout: 30_000 });
    await until(async () => Number(await points('loss', 'line-1.from')) >= 2 && Number(await points('mos', 'line-0.from')) >= 2, 'two points of both legs');
    await shown.shows('from carrier 20 %', '[data-chart="loss"]');
    await shown.shows('from alice 0 %', '[data-chart="loss"]');
    await until(async () => Number(await points('round trip', 'line-0')) >= 1, 'the round trip to the browser');
    // What the browser gets, by its own reports.
    await until(async () => Number(await points('loss', 'line-0.to')) >= 1, 'the browser to report');
    assert.match(await shown.text('.legend'), /from alice[\s\S]*to alice[\s\S]*from carrier[\s\S]*to carrier/);
    // The cursor goes by keyboard, too, in all charts at once.
    await shown.page.locator('[data-chart="mos"] svg').focus();
    await shown.page.keyboard.press('Home');
    await until(async () => /^MOS\s*0:0\d: /.test(await shown.text('[data-chart="mos"] figcaption')), 'the figures of the first moment');
    assert.match(await shown.text('[data-chart="loss"] figcaption'), /0:0\d: /);
    await shown.page.getByText('The same as a table').click();
    await shown.shows('Jitter from', 'details');
    await page.do('hangup', session);
    await until(() => call.ended, 'BYE at the trunk');
    await shown.shows('Hung up');
    await shown.clean();
  });

  it('explains why a call failed, and what was heard', async () => {
    const page = await registered();
    const [session] = await dialled(page, (call) => {
      call.ring();
      call.reject(486, 'Busy Here', [['Reason', 'Q.850;cause=17;text="User busy"']]);
    }, '5551004');
    await page.event('failed', { number: session });
    const [silent] = await dialled(page, async (call) => {
      call.ring();
      await call.answer(); // and sends nothing
    }, '5551005');
    await page.event('confirmed', { number: silent });
    const shown = await Console.open('/ended');
    await shown.shows('Refused: 486 Busy Here');
    assert.match(await rowOf(shown, '5551004').innerText(), /486[\s\S]*17[\s\S]*the callee/);
    await shown.page.getByRole('link', { name: 'alice → 5551004' }).click();
    await shown.shows('17: User busy');
    for (const text of ['Released by', 'the callee', 'while it rang', 'a person’s choice or absence', 'CALLEE_BUSY']) await shown.shows(text);
    await shown.page.getByRole('link', { name: 'Live calls' }).first().click();
    await shown.shows('TRUNK_SENDS_NOTHING');
    await shown.page.getByRole('link', { name: 'alice → 5551005' }).click();
    await shown.shows('Nothing comes from the trunk to the port. Look at media.rtp_ports in the firewall');
    await page.do('hangup', silent);
    await shown.page.getByRole('link', { name: 'Ended calls' }).first().click();
    await shown.shows('TRUNK_SENDS_NOTHING');
    // Those that ended in order make way.
    await shown.page.getByLabel('Failed only').check();
    await until(async () => !(await shown.text()).includes('5551005'), 'the call that was hung up to go');
    await shown.shows('5551004');
    await shown.page.getByLabel('Filter').fill('no such number');
    await shown.shows('0 of');
    await shown.clean();
  });

  it('shows trunks and registrations', async () => {
    await registered({ user_agent: 'Softphone 1.0' });
    const shown = await Console.open('/registrations');
    await shown.shows('Softphone 1.0');
    await shown.shows('alice');
    await shown.page.getByRole('link', { name: 'Trunks' }).first().click();
    await shown.shows(`sip:127.0.0.1:${gateway.carrierPort}`);
    await shown.shows('does not register');
    await shown.clean();
  });

  it('takes whatever peers send for text', async () => {
    const page = await registered({ display_name: EVIL, user_agent: EVIL });
    const [session] = await dialled(page, (call) => {
      call.reject(480, EVIL, [['Reason', `Q.850;cause=19;text="${EVIL.replaceAll('"', "'")}"`], ['Warning', `399 trunk "${EVIL.replaceAll('"', "'")}"`], ['X-Evil', EVIL]]);
    }, '5551006');
    await page.event('failed', { number: session });
    const shown = await Console.open('/registrations');
    await shown.shows(EVIL);
    await shown.page.getByRole('link', { name: 'Ended calls' }).first().click();
    await shown.shows(EVIL.slice(0, 20));
    await shown.page.getByRole('link', { name: 'alice → 5551006' }).click();
    await shown.page.locator('.arrow.failure').last().waitFor({ timeout: 30_000 });
    await shown.page.locator('.arrow').last().click();
    for (const arrow of await shown.page.locator('.arrow.failure').all()) {
      await arrow.click();
      await shown.shows('SIP/2.0', '.message pre');
    }
    const refused = shown.page.locator('.arrow', { hasText: '480' }).first();
    await refused.click();
    await shown.shows(`X-Evil: ${EVIL}`, '.message pre');
    await shown.page.locator('.arrow', { hasText: 'INVITE' }).first().click();
    await shown.shows('onerror=', '.message pre');
    // Nor does the address make anything but text.
    await shown.page.evaluate((evil) => (location.hash = `#/calls/${encodeURIComponent(evil)}`), EVIL);
    await shown.shows('Call not found');
    await shown.clean();
  });

  it('says when the gateway does not answer, and goes on when it does', async () => {
    const shown = await Console.open();
    await shown.shows('accepts calls', 'header');
    await shown.context.setOffline(true);
    await shown.shows('The gateway does not answer', '.trouble');
    await shown.context.setOffline(false);
    await until(async () => !(await shown.page.locator('#trouble').isVisible()), 'the trouble to be over');
    await shown.clean();
  });
});

describe('with tokens, the console', () => {
  it('shows nothing before one with the role read is given, and forgets it with the tab', async () => {
    const shown = await Console.open('/', guarded);
    await shown.shows('Sign in');
    await shown.page.getByLabel('Token').fill('wrong');
    await shown.page.keyboard.press('Enter');
    await shown.shows('the bearer token is not known');
    await shown.page.getByLabel('Token').fill('may-only-call');
    await shown.page.keyboard.press('Enter');
    await shown.shows('needs the role read');
    await shown.page.evaluate(() => sessionStorage.clear());
    await shown.page.reload();
    await shown.page.getByLabel('Token').fill('reads-all-calls');
    await shown.page.keyboard.press('Enter');
    await shown.shows('No call is up.');
    assert.equal(await shown.page.evaluate(() => document.cookie + localStorage.length), '0');
    await shown.page.getByRole('button', { name: 'Sign out' }).click();
    await shown.shows('Sign in');
    await shown.clean();
    const other = await Console.open('/', guarded);
    await other.shows('Sign in');
  });
});

// One request with fields of its own; resolves to status, header and body.
function ask(path, { at = gateway, method = 'GET', ...headers } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: at.adminPort, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (text) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('the admin listener', () => {
  it('serves the console once, and then says that nothing has changed', async () => {
    const page = await ask('/');
    assert.equal(page.status, 200);
    assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    assert.equal(page.headers['cache-control'], 'no-cache');
    const policy = page.headers['content-security-policy'];
    for (const directive of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "form-action 'none'"]) {
      assert.ok(policy.split('; ').includes(directive), policy);
    }
    const again = await ask('/', { 'If-None-Match': page.headers.etag });
    assert.deepEqual([again.status, again.body, again.headers.etag], [304, '', page.headers.etag]);
    assert.equal((await ask('/', { 'If-None-Match': '"another"' })).status, 200);
    const script = await ask('/main.js');
    assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
    assert.notEqual(script.headers.etag, page.headers.etag);
  });

  it('answers what is wrong with the code for it', async () => {
    for (const path of ['/nothing', '/api/nothing', '/api/calls/nothing', '/api/calls/nothing/trace', '/..%2f..%2fetc/passwd', '/telemetry/console/main.js']) {
      assert.equal((await ask(path)).status, 404, path);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const refused = await ask('/api/calls', { method });
      assert.deepEqual([refused.status, refused.headers.allow], [405, 'GET, HEAD'], method);
    }
    assert.equal((await ask('/api/calls?page_size=many')).status, 400);
    const head = await ask('/api/calls', { method: 'HEAD' });
    assert.deepEqual([head.status, head.body], [200, '']);
  });

  it('lets nobody keep, frame or read by another site what the API tells', async () => {
    const { status, headers, body } = await ask('/api/node');
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).domain, 'example.test');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  it('is led to by no foreign name', async () => {
    for (const name of ['evil.example', `evil.example:${gateway.adminPort}`, '127.0.0.1.evil.example']) {
      assert.equal((await ask('/api/calls', { Host: name })).status, 421, name);
    }
    for (const name of ['localhost', `LOCALHOST:${gateway.adminPort}`, '127.0.0.1', '[::1]:9090']) {
      assert.equal((await ask('/api/calls', { Host: name })).status, 200, name);
    }
    for (const path of ['/metrics', '/healthz', '/readyz']) assert.equal((await ask(path, { Host: 'prometheus.example' })).status, 200, path);
  });

  it('wants a token where the API does, but not for metrics and health', async () => {
    const at = guarded;
    const refused = await ask('/api/calls', { at });
    assert.equal(refused.status, 401);
    assert.match(refused.headers['www-authenticate'], /^Bearer /);
    assert.equal((await ask('/api/calls', { at, Authorization: 'Bearer wrong' })).status, 401);
    assert.equal((await ask('/api/calls', { at, Authorization: 'Bearer may-only-call' })).status, 403);
    assert.equal((await ask('/api/calls', { at, Authorization: 'Bearer reads-all-calls' })).status, 200);
    for (const path of ['/metrics', '/healthz', '/readyz', '/']) assert.equal((await ask(path, { at })).status, 200, path);
  });

  it('shows the console to nobody where it is open to the network and has no token', async () => {
    const open = await Gateway.start({ admin: '0.0.0.0' });
    try {
      const refused = await ask('/api/calls', { at: open });
      assert.equal(refused.status, 403);
      assert.match(refused.body, /listen\.grpc\.tokens/);
      for (const path of ['/metrics', '/healthz', '/readyz']) assert.equal((await ask(path, { at: open })).status, 200, path);
      const shown = await Console.open('/', open);
      await shown.shows('The console is closed');
      await shown.clean();
    } finally {
      await open.stop();
    }
  });
});
