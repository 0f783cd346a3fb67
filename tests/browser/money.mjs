// Prices in currencies of which the browser has ideas of its own.

import assert from 'node:assert/strict';

import { enterItem, operate, plain, says, scenario, textOf, until } from './support.mjs';

/** An amount of 123,456 minor units in each, and 12,3456 as typed: as ISO 4217 has it. */
const CURRENCIES = [
  ['HUF', 2, '1,234.56'],
  ['IDR', 2, '1,234.56'],
  ['COP', 2, '1,234.56'],
  ['TWD', 2, '1,234.56'],
  ['PKR', 2, '1,234.56'],
  ['CNY', 2, '1,234.56'],
  ['IQD', 3, '123.456'],
  ['KWD', 3, '123.456'],
  ['JPY', 0, '123,456'],
  ['KRW', 0, '123,456'],
  ['UYW', 4, '12.3456'],
  ['CLF', 4, '12.3456'],
];

for (const [currency, currency_digits, shown] of CURRENCIES) {
  scenario(`a price in ${currency} is shown and typed with ${currency_digits} decimals`, {}, async (open) => {
    const item = { item_id: 'item1', on_hand: 5, reserved: 0, available: 5, unit_price: 123_456, currency, currency_digits };
    const puts = [];
    const page = await open({
      before: async (page) => {
        await page.route('**/inventory', (route) => route.fulfill({ json: { items: [item] } }));
        await page.route('**/inventory/new', (route) => {
          puts.push(JSON.parse(route.request().postData()));
          return route.fulfill({ status: 201, json: { ...item, item_id: 'new', ...puts.at(-1) } });
        });
      },
    });
    const amount = (text) => plain(text).replace(/[^\d.,]/g, '').replace(/^[.,]+/, '');
    assert.equal(amount(await textOf(page.locator('.price').first())), shown);
    await page.locator('.add').first().click();
    await until('the sum', async () => amount(await textOf(page.locator('#sum'))) === shown || amount(await textOf(page.locator('#sum'))));
    await operate(page, 'goods');
    await enterItem(page, { id: 'new', price: shown.replaceAll(',', ''), 'on-hand': '1' });
    await says(page.locator('#new-price-label'), currency);
    await until('it is sent', async () => puts.length === 1);
    assert.equal(puts[0].unit_price, 123_456);
    await says(page.locator('#new-form .note'), shown);
  });
}

scenario('an order in what is no currency any more is shown', {}, async (open) => {
  const id = 'a51dee89-7e11-4f02-a419-92ca47ab279f';
  const order = { order_id: id, status: 'paid', items: [{ item_id: 'item1', quantity: 1, unit_price: 2000 }], total: 2000, currency: 'XYQ', customer_id: null, placed_at: '2026-01-01T00:00:00.000Z', expires_at: '2026-01-01T00:15:00.000Z', payment: { status: 'paid', amount: 2000, method: 'card', paid_at: '2026-01-01T00:01:00.000Z', charged: false } };
  const page = await open({ before: (page) => page.route('**/orders?*', (route) => route.fulfill({ json: { orders: [order], next: null } })) });
  await operate(page, 'all');
  await says(page.locator('#all-list .order-total'), 'XYQ');
});
