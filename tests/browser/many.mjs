// A shop with thousands of items.

import assert from 'node:assert/strict';

import { PHONE, accessible, ask, figure, fits, goTo, newItem, operate, says, scenario, unfold, until } from './support.mjs';

const ITEMS = 4_000;
const id = (number) => `part-${String(number).padStart(4, '0')}`;

/** Answers as a shop with thousands of items, in which something changes with every poll. */
async function withMany(page, extra = []) {
  let polls = 0;
  const item = (number) => ({ item_id: id(number), on_hand: 9, reserved: 0, available: 9, unit_price: 100 + number, currency: 'CNY', currency_digits: 2 });
  await page.route('**/inventory', (route) => {
    polls += 1;
    const items = [...extra, ...Array.from({ length: ITEMS }, (_, number) => item(number))];
    items[extra.length].available = polls % 9;
    return route.fulfill({ headers: { etag: `"${polls}"` }, json: { items } });
  });
  await page.route('**/books', (route) => {
    const account = (number) => ({ item_id: id(number), received: 9, sold: 0, on_hand: 9, reserved: 0, available: 9, balanced: number !== 3_210 });
    return route.fulfill({ json: { items: Array.from({ length: ITEMS }, (_, number) => account(number)), balanced: false } });
  });
  return () => polls;
}

const stockRows = (page) => page.locator('#stock-list > li');

scenario('of thousands of items some are shown, and all are found', {}, async (open) => {
  let polls;
  const page = await open({ before: async (page) => (polls = await withMany(page)) });
  await says(page.locator('#stock-note'), `50 of ${figure(ITEMS)} are shown.`);
  assert.equal(await stockRows(page).count(), 50);
  assert.ok((await page.locator('.line-item option').count()) <= 51);
  await until('it goes on polling', async () => polls() >= 3 || polls());
  const nodes = await page.evaluate(() => document.querySelectorAll('*').length);
  assert.ok(nodes < 3_000, `${nodes} elements`);
  await accessible(page, 'the first of many');

  await page.locator('#stock-find input').fill('PART-39');
  await says(page.locator('#stock-note'), '50 of 100 are shown.');
  assert.equal(await stockRows(page).first().locator('h3').innerText(), id(3_900));
  await page.locator('#stock-more').click();
  await until('the rest', async () => (await stockRows(page).count()) === 100);
  assert.equal(await page.locator('#stock-more').isVisible(), false);
  assert.equal(await page.locator('#stock-note').isVisible(), false);
  await page.locator('#stock-find input').fill('nothing of this name');
  await says(page.locator('#stock-note'), 'No item has this in its name or id.');
  await page.locator('#stock-find input').fill('');
  await says(page.locator('#stock-note'), `50 of ${figure(ITEMS)} are shown.`);
});

scenario('an item of thousands is found and ordered by keyboard only', {}, async (open) => {
  const item = await newItem(5, 1000);
  const real = await ask('GET', `/inventory/${item}`);
  const page = await open({ before: (page) => withMany(page, [real]) });
  /** Presses Tab until the focus is on what matches. */
  const tabTo = async (selector) => {
    for (let presses = 0; presses < 150; presses++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
    }
    assert.fail(`Tab never reached ${selector}`);
  };
  await tabTo('#stock-find input');
  await page.keyboard.type('part-00');
  await tabTo('#stock-more');
  await page.keyboard.press('Enter');
  const focused = () => page.evaluate(() => document.activeElement.closest('li')?.querySelector('h3').innerText);
  assert.equal(await focused(), id(50), 'the focus goes where the list goes on');
  await page.locator('#stock-find input').focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type(item);
  await until('one is found', async () => (await stockRows(page).count()) === 1);
  await tabTo('.add');
  await page.keyboard.press('Enter');
  await says(page.locator('#form-status'), `${item} is in the order`);
  assert.equal(await page.locator('.line-item').inputValue(), item);
  // It stays chosen when others are looked for.
  await page.locator('#stock-find input').fill('part-1');
  await until('others are shown', async () => (await stockRows(page).first().locator('h3').innerText()) === id(1_000));
  assert.equal(await page.locator('.line-item').inputValue(), item);
  await says(page.locator('.line-item option').first(), 'find others under Stock');
  await page.locator('#place').focus();
  await page.keyboard.press('Enter');
  await says(page.locator('#outcome'), 'is placed');
  assert.equal((await ask('GET', `/inventory/${item}`)).reserved, 1);
});

scenario('the operator works with thousands of items', {}, async (open) => {
  const page = await open({ viewport: PHONE, locale: 'zh-CN', before: (page) => withMany(page) });
  await says(page.locator('#stock-note'), `已显示 50 项，共 ${figure(ITEMS)} 项。`);
  await operate(page, 'books');
  await says(page.locator('#books-note'), `已显示 50 项，共 ${figure(ITEMS)} 项。`);
  // What does not balance is seen.
  assert.equal(await page.locator('#books-rows tr').first().locator('th').innerText(), id(3_210));
  await page.locator('#books-more').click();
  await until('more of the books', async () => (await page.locator('#books-rows tr').count()) === 100);
  await page.locator('#books-find').fill('PART-22');
  await says(page.locator('#books-note'), '已显示 50 项，共 100 项。');
  await goTo(page, 'goods');
  await says(page.locator('#goods-note'), `第 1 至 50 种，共 ${figure(ITEMS)} 种商品。`);
  assert.ok(await page.locator('#goods-back').isDisabled());
  await page.locator('#goods-on').click();
  await says(page.locator('#goods-note'), `第 51 至 100 种，共 ${figure(ITEMS)} 种商品。`);
  await says(page.locator('#goods-rows tr').first().locator('th'), id(50));
  await unfold(page, id(2_222));
  await says(page.locator('#goods-note'), '共 1 种商品。');
  await fits(page);
  await accessible(page, 'the operator of many');
});
