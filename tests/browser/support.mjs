// What the tests have in common: the browser, a page that is watched, and the shop asked directly.
//
// They run on a running new shop, of whose stock they take some:
//
//     ./install && npm ci
//     BASE_URL=http://127.0.0.1:3000 OPERATOR_TOKEN=please-let-me-in npm test
//
// BASE_URL_SHORT names a second server, whose payment window is 3 seconds; STOREFRONT the origin that the first one has
// as `allowed_origins`, like http://127.0.0.1:8000, where the tests serve a page; SCREENSHOTS a folder for pictures.
// PROVIDER_URL and PROVIDER_KEY are the address and the key of a stand-in for Stripe, BASE_URL_PROVIDER a server that is paid
// through it, and BASE_URL_PROVIDER_SHORT another one, whose payment window is a few seconds. BASE_URL_DAMAGED and
// DAMAGED_ORDER are a server and one of its orders whose record cannot be read. What is not named is skipped; `cargo test -p
// checks browser` names all of it.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { chromium } from 'playwright-core';

const required = (name) => {
  assert.ok(process.env[name], `${name} is not set`);
  return process.env[name].replace(/\/$/, '');
};

/**
 * The server under test, its operator's token, a server whose payment window is 3 seconds, one that has an order whose record is
 * damaged, and the origin that the server under test has as `allowed_origins`: an address of this machine where nothing is
 * served yet.
 */
export const BASE = required('BASE_URL');
export const TOKEN = required('OPERATOR_TOKEN');
const address = (name) => process.env[name]?.replace(/\/$/, '');
export const [SHORT, DAMAGED, STOREFRONT] = ['BASE_URL_SHORT', 'BASE_URL_DAMAGED', 'STOREFRONT'].map(address);
export const DAMAGED_ORDER = process.env.DAMAGED_ORDER;
const PICTURES = process.env.SCREENSHOTS;

/**
 * A shop whose payment provider is a stand-in, one whose payment window is a few seconds as well, and the stand-in itself
 * with its key.
 */
export const [PAID_SHOP, BRIEF_SHOP, PROVIDER] = ['BASE_URL_PROVIDER', 'BASE_URL_PROVIDER_SHORT', 'PROVIDER_URL'].map(address);
const KEY = process.env.PROVIDER_KEY;
/** Why what needs the provider is skipped, or false. */
export const NO_PROVIDER = PAID_SHOP && PROVIDER && KEY ? false : 'BASE_URL_PROVIDER, PROVIDER_URL or PROVIDER_KEY is not set';

/** How the ids of items begin of which the server under test cuts the first return off, as a crash would. */
export const CUT_OFF = process.env.CUT_OFF;

/** How long a page may take for anything. */
const PATIENCE_MS = 30_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  // Chromium's own sandbox does not run as root. What is shown here is ours.
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
after(() => browser.close());

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };

/**
 * A test. `run` is given `open`, which opens the console in a browser of its own; in the end nothing may have gone wrong in any
 * of its pages: no error on the console, no uncaught exception, no violation of the content security policy, no dialog, no
 * request to anybody but the shop, and to the addresses that a test calls `friends`. What a test does on purpose it says:
 * `expected` are texts of such errors.
 */
export function scenario(sentence, { expected = [], skip = false } = {}, run) {
  test(sentence, { skip, timeout: 120_000 }, async () => {
    const contexts = [];
    const trouble = [];
    const tell = (text) => expected.some((part) => text.includes(part)) || trouble.push(text);

    async function open({ base = BASE, friends = [], path = '/', context, script, before, ...options } = {}) {
      if (!context) {
        context = await browser.newContext({
          baseURL: base,
          locale: 'en-US',
          colorScheme: 'light',
          viewport: DESKTOP,
          ...options,
        });
        context.setDefaultTimeout(PATIENCE_MS);
        contexts.push(context);
        await context.addInitScript(() => {
          addEventListener('securitypolicyviolation', (event) => {
            console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI}`);
          });
        });
        if (script) await context.addInitScript(script);
      }
      const page = await context.newPage();
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) tell(`console: ${message.text()}`);
      });
      page.on('pageerror', (error) => tell(`exception: ${error.stack}`));
      page.on('dialog', (dialog) => {
        tell(`dialog: ${dialog.message()}`);
        dialog.dismiss();
      });
      page.on('request', (request) => {
        const url = request.url();
        const isKnown = [base, ...friends].some((known) => url.startsWith(`${known}/`));
        if (!isKnown && !url.startsWith('data:')) tell(`request to ${url}`);
      });
      if (before) await before(page);
      await page.goto(path);
      if (path.startsWith('/#') || path === '/') await page.locator('#stock-list li').first().waitFor({ state: 'attached' });
      return page;
    }

    try {
      await run(open);
      // What comes late.
      for (const context of contexts) for (const page of context.pages()) await page.waitForTimeout(50);
      assert.deepEqual(trouble, []);
    } finally {
      await Promise.all(contexts.map((context) => context.close()));
    }
  });
}

/** Asks the shop itself. */
export async function ask(method, path, body, { operator = false, base = BASE } = {}) {
  const headers = { 'content-type': 'application/json' };
  if (operator) headers.authorization = `Bearer ${TOKEN}`;
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const json = await answer.json();
  assert.ok(answer.ok, `${method} ${path}: ${JSON.stringify(json)}`);
  return json;
}

/** The stand-in, as a test in another process commands it. */
export async function provider(method, path, body) {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  const answer = await fetch(`${PROVIDER}/stand-in/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const json = await answer.json();
  assert.ok(answer.ok, `${path}: ${JSON.stringify(json)}`);
  return json;
}

export const stockOf = (item, options) => ask('GET', `/inventory/${item}`, undefined, options);

/** Adds an item that no other test knows. */
export async function newItem(on_hand, unit_price = 1000) {
  const id = fresh();
  await ask('PUT', `/inventory/${id}`, { unit_price, on_hand }, { operator: true });
  return id;
}

/** A name that no item has. */
export const fresh = () => `t-${Math.random().toString(36).slice(2, 10)}`;

/** Waits until something holds; fails with what was last found. */
export async function until(sentence, check, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await check();
    if (found === true) return;
    if (Date.now() > end) assert.fail(`${sentence}; found: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The option of `open` by which the time of a page is the test's: it goes on by itself, and faster where a test lets it. */
export const withClock = { before: (page) => page.clock.install() };

/** Lets time pass in a page that was opened `withClock`. */
export async function pass(page, milliseconds) {
  // In steps, so that answers come in between, as they would.
  for (let passed = 0; passed < milliseconds; passed += 500) await page.clock.runFor(500);
}

/** Lets time pass in it until something holds. */
export const passUntil = (page, sentence, check) =>
  until(sentence, async () => {
    const found = await check();
    if (found !== true) await page.clock.runFor(500);
    return found;
  });

/** Text as it is read: without the characters that only keep directions apart. */
export const plain = (text) => text.replace(/[\u2068\u2069]/g, '').replace(/\u00a0/g, ' ');

export const textOf = async (locator) => plain(await locator.innerText());

/** Waits until an element says what it should. */
export async function says(locator, expected) {
  await until(`says ${expected}`, async () => {
    const text = (await locator.count()) ? await textOf(locator.first()) : '';
    return (expected instanceof RegExp ? expected.test(text) : text.includes(expected)) || text;
  });
}

/** Waits until an element shows this number, and nothing else. */
export const shows = (locator, number) => says(locator, new RegExp(`^${figure(number)}$`));

/** A number as the page writes it in English. */
export const figure = (number) => new Intl.NumberFormat('en-US').format(number);

/** Where the page shows how many of an item can be had. */
export const available = (page, item) =>
  page.locator('#stock-list li', { has: page.getByText(item, { exact: true }) }).locator('dd.available');

/** Fills the order form: `{ item1: 2 }`. */
export async function fill(page, lines, customer) {
  const wanted = Object.entries(lines);
  for (const [index, [item, quantity]] of wanted.entries()) {
    if (index > 0) await page.locator('#add-line').click();
    const line = page.locator('#lines .line').nth(index);
    await line.locator('select').selectOption(item);
    await line.locator('input').fill(String(quantity));
  }
  if (customer !== undefined) await page.locator('#customer').fill(customer);
}

/** Places an order and answers it as the shop has it. */
export async function place(page, lines, customer) {
  const before = await page.locator('#orders-list > .order').count();
  await fill(page, lines, customer);
  await page.locator('#place').click();
  await until('one more order is listed', async () => (await page.locator('#orders-list > .order').count()) === before + 1);
  const id = await page.locator('#orders-list > .order').first().getAttribute('data-order');
  return { ...(await ask('GET', `/orders/${id}`, undefined, { base: new URL(page.url()).origin })), card: card(page, id) };
}

export const card = (page, id) => page.locator(`#orders-list > .order[data-order="${id}"]`);

/** Gives the token where the address is one of the operator's, or else at the first of the operator's pages. */
export async function signIn(page, token = TOKEN) {
  if (!page.url().includes('#operator')) await page.locator('#to-operator').click();
  await page.locator('#token').fill(token);
  await page.locator('#token').press('Enter');
}

/** Signs in, and goes to a page of the operator's: `packing`, `all`, `attention`, `goods` or `books`. */
export async function operate(page, at) {
  await signIn(page);
  await goTo(page, at);
}

export async function goTo(page, at) {
  await page.locator(`#desk-nav [data-page=${at}]`).click();
  await page.locator(`#${at}`).waitFor();
}

/** Adds an item at the operator's page of the stock. */
export async function enterItem(page, fields) {
  if (!(await page.locator('#new-form').isVisible())) await page.locator('#new-part summary').click();
  for (const [field, text] of Object.entries(fields)) await page.locator(`#new-${field}`).fill(text);
  await page.locator('#new-form button').click();
}

/** Opens the operator's page of an order by its address. */
export async function orderAt(open, id, options = {}) {
  const page = await open({ path: `/#operator/orders/${id}`, ...options });
  await signIn(page);
  await page.locator('#order-history li').first().waitFor();
  return page;
}

/** What the operator asks for in another window. */
export async function post(path, body, base = BASE) {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', 'idempotency-key': `${fresh()}${fresh()}` };
  const answer = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 201, await answer.text());
}

export const takeBack = (id, item_id, body = {}, base = BASE) => post(`/orders/${id}/returns`, { items: [{ item_id, quantity: 1 }], ...body }, base);

/** The row of an item in the operator's stock. */
export const goodsRow = (page, item) => page.locator('#goods-rows > tr', { has: page.getByText(item, { exact: true }) });

/** Finds an item in the operator's stock, and opens its forms. */
export async function unfold(page, item) {
  await page.locator('#goods-find').fill(item);
  await goodsRow(page, item).locator('button').click();
  return page.locator('#goods-rows > .unfolded');
}

/** The seconds that a countdown shows. */
export async function secondsLeft(card) {
  const text = await textOf(card.locator('.left'));
  const [, days = 0, hours = 0, minutes, seconds] = /^(?:(\d+)d )?(?:(\d+):)?(\d+):(\d\d)$/.exec(text) ?? [];
  assert.ok(minutes !== undefined, `a countdown: ${text}`);
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}

/** Whether the page is wider than its window. */
export async function fits(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `the page is ${wide} wide in a window of ${window}`);
}

/** Keeps a picture where SCREENSHOTS says. */
export async function picture(page, name) {
  if (!PICTURES) return;
  await mkdir(PICTURES, { recursive: true });
  // What sticks to the top of the window is then at the top of the picture.
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

const axe = createRequire(import.meta.url)('axe-core');

/** Fails with all that axe-core finds. */
export async function accessible(page, state) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${state}: ${id} at ${node.target}: ${node.failureSummary}`));
  assert.deepEqual(found, []);
  assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'contrast was looked at');
}
