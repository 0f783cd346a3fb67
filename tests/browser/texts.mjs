// Two languages, and texts of strangers.

import assert from 'node:assert/strict';

import { PHONE, ask, fill, fits, operate, place, plain, says, scenario, textOf, until } from './support.mjs';

scenario('it speaks the browser’s language, English where it does not know it', {}, async (open) => {
  for (const [locale, lang, title] of [
    ['en-GB', 'en', 'Stock'],
    ['zh-CN', 'zh-Hans', '库存'],
    ['zh-TW', 'zh-Hans', '库存'],
    ['de-DE', 'en', 'Stock'],
  ]) {
    const page = await open({ locale });
    assert.equal(await page.evaluate(() => document.documentElement.lang), lang, locale);
    assert.equal(await textOf(page.locator('#stock-title')), title, locale);
  }
});

scenario('the language can be changed, is kept, and leaves what was typed', {}, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  await fill(page, { item2: 3 }, 'anna');
  await page.getByRole('button', { name: '中文' }).click();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-Hans');
  assert.equal(await page.title(), '不超卖的订单系统');
  await says(order.card.locator('.status'), '待付款');
  await says(page.locator('#outcome'), '库存已为您保留');
  await says(page.locator('.line-item option').first(), '请选择商品');
  assert.equal(await page.locator('.line-item').inputValue(), 'item2');
  assert.equal(await page.locator('.line-quantity').inputValue(), '3');
  assert.equal(await page.locator('#customer').inputValue(), 'anna');
  await page.reload();
  await says(page.locator('#stock-title'), '库存');
  await page.getByRole('button', { name: 'English' }).click();
  await says(page.locator('#stock-title'), 'Stock');
});

scenario('it works where nothing can be stored', {}, async (open) => {
  const page = await open({
    script: () => {
      for (const storage of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, storage, {
          get: () => {
            throw new DOMException('denied', 'SecurityError');
          },
        });
      }
    },
  });
  await page.getByRole('button', { name: '中文' }).click();
  await says(page.locator('#stock-title'), '库存');
  const order = await place(page, { item1: 1 });
  await order.card.locator('.pay').click();
  await says(order.card.locator('.status'), '已付款');
});

scenario('both languages have the same texts, with the same values in them, and all are used', {}, async (open) => {
  const page = await open();
  const { en, zh } = await page.evaluate(async () => (await import('/console/words.js')).words);
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
  for (const key of Object.keys(en)) {
    const values = (text) => [...text.matchAll(/\{\w+\}/g)].map(([value]) => value).sort();
    assert.deepEqual(values(zh[key]), values(en[key]), key);
    assert.doesNotMatch(zh[key], /[,;:!?]($|[^\d\s])|[A-Za-z]{2,}\s[a-z]+\s[a-z]+/, `Chinese punctuation and words: ${key}`);
  }
  const html = await page.content();
  const sources = await page.evaluate(async () => {
    const files = performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.endsWith('.js'));
    const texts = await Promise.all(files.filter((name) => !name.endsWith('words.js')).map(async (name) => (await fetch(name)).text()));
    return texts.join('\n');
  });
  // Keys that are put together: their first part is there.
  const unused = Object.keys(en).filter((key) => {
    const family = key.slice(0, key.indexOf('.') + 1);
    return ![`'${key}'`, `"${key}"`, `\`${family}\${`].some((use) => (html + sources).includes(use));
  });
  assert.deepEqual(unused, []);
  const text = plain(await page.evaluate(() => document.body.innerText));
  assert.doesNotMatch(text, /\b(stock|form|order|orders|operator|all|books|new|adjust|desk|packing|ship|one|attention|goods|import|sums)\.[a-z_]+\b|\{\w+\}|undefined|NaN/);
});

const HOSTILE = {
  'a script': '<script>alert(1)</script><img src=x onerror=alert(2)>',
  'an attribute': '" onmouseover="alert(1)" x="{id}${id}',
  '128 emoji': '\u{1F9A5}'.repeat(128),
  '128 letters': 'W'.repeat(128),
};

/** What no request may say. A shop of an earlier version took it. */
const REFUSED = {
  'right-to-left marks': '\u202Eevil\u202D \u2067live\u200F\u05D0\u05D1',
  'lines and controls': 'a\n\tb\u0000\u0007c',
};

scenario('a customer’s id that the shop does not take is named before it is sent', {}, async (open) => {
  const page = await open();
  let asked = 0;
  await page.route('**/orders', (route) => {
    asked += 1;
    return route.continue();
  });
  await fill(page, { item1: 1 }, REFUSED['right-to-left marks']);
  await page.locator('#customer').press('Enter');
  await says(page.locator('#form-error'), 'turn the direction of text');
  assert.equal(await page.locator('#customer').getAttribute('aria-invalid'), 'true');
  assert.equal(asked, 0);
});

for (const [kind, customer] of Object.entries(HOSTILE)) {
  scenario(`a customer’s id is shown as text: ${kind}`, {}, async (open) => {
    const page = await open({ viewport: PHONE });
    const id = (await place(page, { item1: 1 }, customer)).order_id;
    assert.equal((await ask('GET', `/orders/${id}`)).customer_id, customer, 'the shop has it as typed');
    const shown = page.locator('#orders-list .customer').first();
    await shown.waitFor();
    assert.equal(await shown.evaluate((node) => node.textContent), customer);
    assert.equal(await shown.evaluate((node) => node.childElementCount), 0);
    assert.equal(await shown.evaluate((node) => node.tagName), 'BDI');
    await fits(page);
    await operate(page, 'all');
    const listed = page.locator('#all-list .customer').first();
    await until('the operator sees it', async () => (await listed.evaluate((node) => node.textContent)) === customer);
    assert.equal(await page.locator('img[src=x], main script').count(), 0);
    await fits(page);
  });
}

scenario('an item’s id is shown as text, whatever it is', {}, async (open) => {
  const ids = Object.values({ ...HOSTILE, ...REFUSED });
  const items = ids.map((item_id) => ({ item_id, on_hand: 5, reserved: 1, available: 4, unit_price: 100, currency: 'JPY', currency_digits: 0 }));
  const page = await open({
    viewport: PHONE,
    before: (page) => page.route('**/inventory', (route) => route.fulfill({ json: { items } })),
  });
  const shown = await page.evaluate(() => [...document.querySelectorAll('#stock-list h3 bdi')].map((node) => node.textContent).filter(Boolean));
  assert.deepEqual(shown, ids);
  for (let index = 0; index < ids.length; index++) await page.locator('.add').nth(index).click();
  const options = await page.locator('.line').first().locator('option').evaluateAll((nodes) => nodes.map((node) => node.textContent));
  for (const id of ids) assert.ok(options.some((option) => option.replace(/[\u2068\u2069]/g, '').startsWith(`${id} · `)), id);
  const turned = options.find((option) => option.includes('\u202E'));
  assert.ok(turned.startsWith('\u2068') && turned.includes('\u2069 · '), 'what turns the direction of text is isolated');
  // A yen has no minor unit.
  await says(page.locator('#sum'), '¥600');
  await fits(page);
  assert.equal(await page.locator('img[src=x], main script').count(), 0);
});

scenario('what the shop answers is shown as text', { expected: ['status of 409'] }, async (open) => {
  const page = await open({ viewport: PHONE });
  const evil = '<img src=x onerror=alert(1)>';
  await page.route('**/orders', (route) =>
    route.fulfill({
      status: 409,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: evil, title: evil, status: 409, detail: evil, errors: [{ pointer: evil, detail: evil }], item_id: evil }),
    }),
  );
  await fill(page, { item1: 1 });
  await page.locator('#place').click();
  await says(page.locator('#form-error'), `The shop refused, with status 409.`);
  await says(page.locator('#form-error'), evil);
  assert.equal(await page.locator('img[src=x]').count(), 0);
  await fits(page);
});
