// Requests and answers that get lost, and how much is asked for.

import assert from 'node:assert/strict';

import { ask, available, fill, pass, place, says, scenario, shows, stockOf, until, withClock } from './support.mjs';

const LOST = { expected: ['net::ERR_FAILED'] };

/** Records the idempotency keys of the orders that are sent, and has `handle` deal with them. */
async function watchOrders(page, handle) {
  const keys = [];
  await page.route('**/orders', async (route) => {
    keys.push(route.request().headers()['idempotency-key']);
    await handle(route, keys.length);
  });
  return keys;
}

scenario('an order whose answer was lost is sent again under its key and placed once', LOST, async (open) => {
  const page = await open();
  const before = await stockOf('item1');
  const keys = await watchOrders(page, async (route, turn) => {
    if (turn > 2) return route.continue();
    // The shop places it, and the answer is lost.
    await route.fetch();
    return route.abort();
  });
  await place(page, { item1: 3 });
  assert.equal(keys.length, 3);
  assert.match(keys[0], /^[0-9a-f]{32}$/);
  assert.deepEqual([keys[1], keys[2]], [keys[0], keys[0]]);
  assert.equal((await stockOf('item1')).available, before.available - 3);
});

scenario('an order that was on its way when the page was reloaded is placed once', LOST, async (open) => {
  const page = await open();
  const before = await stockOf('item1');
  let lose = true;
  const keys = await watchOrders(page, async (route) => {
    if (!lose) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await fill(page, { item1: 2 });
  await page.locator('#place').click();
  await says(page.locator('#form-status'), 'has not been answered yet');
  await page.reload();
  lose = false;
  await says(page.locator('#outcome'), 'is placed');
  assert.equal(new Set(keys).size, 1);
  assert.equal(await page.locator('#orders-list > .order').count(), 1);
  assert.equal((await stockOf('item1')).available, before.available - 2);
});

scenario('each press is an order of its own', {}, async (open) => {
  const page = await open();
  const keys = await watchOrders(page, (route) => route.continue());
  await place(page, { item1: 1 });
  await place(page, { item1: 1 });
  assert.equal(new Set(keys).size, 2);
});

scenario('a press while an order is on its way does nothing', {}, async (open) => {
  const page = await open(withClock);
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  const keys = await watchOrders(page, async (route) => {
    await gate;
    await route.continue();
  });
  await fill(page, { item1: 1 });
  await page.locator('#place').click();
  await says(page.locator('#form-status'), 'Sending');
  await page.locator('#place').click({ force: true });
  await page.locator('#customer').press('Enter');
  go();
  await says(page.locator('#outcome'), 'is placed');
  await pass(page, 10_000);
  assert.equal(keys.length, 1);
});

scenario('a shop that is busy gets the order again', { expected: ['status of 503'] }, async (open) => {
  const page = await open();
  const keys = await watchOrders(page, (route, turn) =>
    turn > 1
      ? route.continue()
      : route.fulfill({
          status: 503,
          contentType: 'application/problem+json',
          headers: { 'retry-after': '1' },
          body: JSON.stringify({ code: 'busy', title: 'Busy', status: 503, detail: 'Busy.' }),
        }),
  );
  await fill(page, { item1: 1 });
  await page.locator('#place').click();
  await says(page.locator('#form-status'), 'The shop is busy');
  await says(page.locator('#outcome'), 'is placed');
  assert.equal(keys[0], keys[1]);
});

scenario('an order that failed in the shop keeps its key, and is not sent by itself', { expected: ['status of 500'] }, async (open) => {
  const page = await open(withClock);
  const before = await stockOf('item1');
  const keys = await watchOrders(page, async (route, turn) => {
    if (turn > 1) return route.continue();
    // It was placed all the same.
    await route.fetch();
    return route.fulfill({
      status: 500,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'unreadable_record', title: 'Unreadable record', status: 500, detail: 'Damaged.' }),
    });
  });
  await fill(page, { item1: 2 });
  await page.locator('#place').click();
  await says(page.locator('#form-error'), 'A record in the store is damaged.');
  await page.reload();
  await page.locator('#stock-list li').first().waitFor();
  await pass(page, 10_000);
  assert.equal(keys.length, 1);
  await place(page, { item1: 2 });
  assert.equal(keys[1], keys[0]);
  assert.equal((await stockOf('item1')).available, before.available - 2);
});

scenario('a payment whose answer was lost is made once', LOST, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  let turns = 0;
  await page.route('**/pay', async (route) => {
    turns += 1;
    if (turns > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await order.card.locator('.pay').click();
  await says(order.card.locator('.status'), 'Paid');
  assert.equal(turns, 2);
});

scenario('the server goes away and comes back, and nothing that was typed is lost', LOST, async (open) => {
  const page = await open();
  await fill(page, { item1: 7 }, 'anna');
  const away = (route) => route.abort();
  await page.route(/\/(inventory|orders)/, away);
  await says(page.locator('#connection'), 'The server cannot be reached; trying again');
  // Placed meanwhile: it waits.
  await page.locator('#place').click();
  await says(page.locator('#form-status'), 'has not been answered yet');
  await page.locator('#customer').fill('anna and bob');
  await page.unroute(/\/(inventory|orders)/, away);
  await says(page.locator('#connection'), 'The server is back.');
  await says(page.locator('#outcome'), 'is placed');
  assert.equal(await page.locator('.line-quantity').inputValue(), '7');
  assert.equal(await page.locator('#customer').inputValue(), 'anna and bob');
  await until('the message goes', async () => (await page.locator('#connection').innerText()) === '' || 'there');
  const item1 = await ask('POST', '/inventory/item1/adjustments', { delta: 1 }, { operator: true });
  await shows(available(page, 'item1'), item1.available);
});

scenario('a page that is opened before the server is there fills when it comes', LOST, async (open) => {
  let away = true;
  let asked = 0;
  const answer = (route) => {
    asked += 1;
    return away ? route.abort() : route.continue();
  };
  const opened = open({ before: (page) => page.route('**/inventory', answer) });
  await until('it was asked for again', () => asked > 1);
  away = false;
  const page = await opened;
  assert.ok((await page.locator('#stock-list li').count()) >= 3);
});

scenario('a gateway’s error counts as no server', { expected: ['status of 502'] }, async (open) => {
  for (const answer of [{ contentType: 'text/html', body: '<h1>Bad gateway</h1>' }, { json: { message: 'Bad gateway' } }]) {
    const page = await open();
    await page.route('**/inventory', (route) => route.fulfill({ status: 502, ...answer }));
    await says(page.locator('#connection'), 'cannot be reached');
  }
});

scenario('a shop that cannot work says why', { expected: ['status of 503'] }, async (open) => {
  const page = await open();
  await page.route('**/inventory', (route) =>
    route.fulfill({
      status: 503,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'store_unsuitable', title: 'Store unsuitable', status: 503, detail: 'The store cannot be used: it lies.' }),
    }),
  );
  await says(page.locator('#stock-error'), 'The shop’s store cannot be used.');
  await says(page.locator('#stock-error'), 'it lies');
  await page.unroute('**/inventory');
  await says(page.locator('#stock-error'), /^$/);
});

scenario('stock is asked for every second or two, and not sent when it is the same', {}, async (open) => {
  const page = await open(withClock);
  const answers = [];
  let asked = 0;
  const isAbout = (url) => url.endsWith('/inventory');
  // Time stands still while an answer is awaited, however long that takes.
  await page.clock.pauseAt(Date.now() + 5_000);
  page.on('request', (request) => isAbout(request.url()) && (asked += 1));
  page.on('response', (response) => isAbout(response.url()) && answers.push(response.status()));
  const now = () => page.evaluate(() => performance.now());
  const start = await now();
  await until('it was asked for often', async () => {
    if (asked <= answers.length) await page.clock.runFor(250);
    return answers.length >= 10 || answers.length;
  });
  const pause = ((await now()) - start) / answers.length;
  assert.ok(pause > 1_000 && pause < 2_500, `one in ${pause} ms`);
  assert.deepEqual([...new Set(answers)], [304]);
});

scenario('nothing is asked for while nobody looks', {}, async (open) => {
  const page = await open({
    ...withClock,
    script: () => {
      window.away = false;
      Object.defineProperty(document, 'hidden', { get: () => window.away });
    },
  });
  await place(page, { item1: 1 });
  const look = (away) =>
    page.evaluate((away) => {
      window.away = away;
      document.dispatchEvent(new Event('visibilitychange'));
    }, away);
  await look(true);
  // What was on its way.
  await page.waitForTimeout(500);
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await pass(page, 30_000);
  assert.deepEqual(asked, []);
  await look(false);
  await until('it is asked at once', () => asked.length > 0, 1_000);
});
