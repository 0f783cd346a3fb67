// Ordering, paying, cancelling.

import assert from 'node:assert/strict';

import { SHORT, ask, available, card, figure, fill, newItem, place, says, scenario, secondsLeft, shows, stockOf, until } from './support.mjs';

scenario('an order of several items is held, counted down and paid', {}, async (open) => {
  const page = await open();
  const before = [await stockOf('item1'), await stockOf('item2')];
  const order = await place(page, { item1: 2, item2: 3 }, 'anna');
  assert.equal(order.status, 'pending');
  assert.equal(order.customer_id, 'anna');
  assert.equal(order.total, 2 * before[0].unit_price + 3 * before[1].unit_price);
  await says(order.card.locator('.status'), 'Pending');
  await says(order.card, '2 × item1');
  await says(order.card, '3 × item2');
  await says(order.card.locator('.order-total'), '¥80.00');
  const first = await secondsLeft(order.card);
  const start = performance.now();
  await page.waitForTimeout(2_200);
  const counted = first - (await secondsLeft(order.card));
  const passed = (performance.now() - start) / 1000;
  assert.ok(Math.abs(counted - passed) < 1.5, `${counted} seconds were counted in ${passed}`);
  await shows(available(page, 'item1'), before[0].available - 2);
  await shows(available(page, 'item2'), before[1].available - 3);
  const bar = await page.locator('#stock-list li').nth(0).locator('.bar').getAttribute('aria-label');
  assert.match(bar, new RegExp(`\\b${figure(before[0].available - 2)} available`));

  await order.card.getByRole('button', { name: 'Pay' }).click();
  await says(order.card.locator('.status'), 'Paid');
  await says(page.locator('#outcome'), /is paid: CN¥80\.00/);
  assert.equal(await order.card.getByRole('button').count(), 0, 'nothing is left to press');
  const paid = await ask('GET', `/orders/${order.order_id}`);
  assert.equal(paid.status, 'paid');
  assert.deepEqual({ ...paid.payment, paid_at: '' }, { status: 'paid', amount: order.total, method: 'card', paid_at: '', charged: false });
});

scenario('items are put into the order from the list of stock', {}, async (open) => {
  const page = await open();
  await page.getByRole('button', { name: 'Add item2 to the order' }).click();
  await page.getByRole('button', { name: 'Add item3 to the order' }).click();
  await page.getByRole('button', { name: 'Add item2 to the order' }).click();
  const lines = await page.evaluate(() =>
    [...document.querySelectorAll('.line')].map((line) => [line.querySelector('select').value, line.querySelector('input').value]),
  );
  assert.deepEqual(lines, [['item2', '2'], ['item3', '1']]);
  await says(page.locator('#sum'), '¥55.00');
  await page.getByRole('button', { name: 'Remove item 1 from the order' }).click();
  await says(page.locator('#sum'), '¥15.00');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'line-item', 'the focus goes to the next line');
});

scenario('an order that is cancelled gives its stock back', {}, async (open) => {
  const page = await open();
  const before = await stockOf('item3');
  const order = await place(page, { item3: 4 });
  assert.equal((await stockOf('item3')).available, before.available - 4);
  await order.card.getByRole('button', { name: 'Cancel' }).click();
  await says(order.card.locator('.status'), 'Cancelled');
  await says(page.locator('#outcome'), 'is cancelled');
  assert.equal((await ask('GET', `/orders/${order.order_id}`)).status, 'cancelled');
  await shows(available(page, 'item3'), before.available);
});

scenario('an order that expires is seen to', { skip: SHORT ? false : 'BASE_URL_SHORT is not set' }, async (open) => {
  const page = await open({ base: SHORT });
  const placed = page.waitForResponse('**/orders').then((response) => response.json());
  const order = await place(page, { item1: 1 });
  assert.equal(Date.parse(order.expires_at) - Date.parse(order.placed_at), 3_000);
  assert.equal((await placed).status, 'pending');
  await says(order.card.locator('.status'), 'Expired');
  await says(page.locator('#outcome'), 'has expired');
  assert.equal(await order.card.getByRole('button').count(), 0);
});

scenario('an order that was paid elsewhere is seen to be paid', {}, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  await ask('POST', `/orders/${order.order_id}/pay`);
  await says(order.card.locator('.status'), 'Paid');
});

scenario('who cancels what was paid meanwhile is told in words', { expected: ['status of 409'] }, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  // The page does not hear of it first.
  await page.route(`**/orders/${order.order_id}`, (route) => route.fulfill({ status: 304 }));
  await ask('POST', `/orders/${order.order_id}/pay`);
  await order.card.getByRole('button', { name: 'Cancel' }).click();
  await says(order.card.locator('.error'), 'This order can no longer be cancelled: Paid.');
  await page.unroute(`**/orders/${order.order_id}`);
  await says(order.card.locator('.status'), 'Paid');
});

scenario('too large an order is refused in words, and stays as typed', { expected: ['status of 409'] }, async (open) => {
  for (const [locale, words] of [
    ['en-US', /There is not enough stock: [\d,]+ of item1 are available, 1,000,000 were wanted\./],
    ['zh-CN', /库存不足：item1 可售 [\d,]+ 件，需要 1,000,000 件。/],
  ]) {
    const page = await open({ locale });
    await fill(page, { item1: 1_000_000 }, 'anna');
    await page.locator('#place').click();
    await says(page.locator('#form-error'), words);
    // The shop's own words too.
    await says(page.locator('#form-error'), 'of item1 are available, 1000000 were requested');
    assert.equal(await page.locator('#form-error').getAttribute('role'), 'alert');
    assert.equal(await page.locator('.line-quantity').inputValue(), '1000000');
    assert.equal(await page.locator('.line-quantity').getAttribute('aria-invalid'), 'true');
    assert.equal(await page.locator('#customer').inputValue(), 'anna');
  }
});

scenario('an order that cannot be right is not sent', {}, async (open) => {
  const page = await open();
  const sent = [];
  page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()));
  await page.locator('#place').click();
  await says(page.locator('.line-error'), 'Choose an item.');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'line-item', 'the focus is where it is wrong');
  for (const wrong of ['', '0', '-1', '1.5', '1000001']) {
    await fill(page, { item1: wrong });
    await page.locator('#place').click();
    await says(page.locator('.line-error'), 'whole number from 1 to 1,000,000');
  }
  await fill(page, { item1: 1 }, 'x'.repeat(129));
  await page.locator('#place').click();
  await says(page.locator('#form-error'), 'at most 128 characters; this has 129');
  assert.deepEqual(sent, []);
});

scenario('what was ordered in this tab is there after a reload', {}, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  await page.reload();
  await says(card(page, order.order_id).locator('.status'), 'Pending');
  assert.ok((await secondsLeft(card(page, order.order_id))) > 0);
});

scenario('two tabs work beside each other', {}, async (open) => {
  const one = await open();
  const other = await open({ context: one.context() });
  const before = await stockOf('item2');
  await fill(other, { item2: 5 }, 'typed in the other');
  const first = await place(one, { item2: 2 });
  await shows(available(other, 'item2'), before.available - 2);
  assert.equal(await other.locator('.line-quantity').inputValue(), '5', 'what is typed here is not touched from there');
  await other.locator('#place').click();
  await says(other.locator('#outcome'), 'is placed');
  assert.equal(await one.locator('#orders-list > .order').count(), 1);
  assert.equal(await other.locator('#orders-list > .order').count(), 1);
  assert.equal(await card(other, first.order_id).count(), 0, 'each has its own');
  await first.card.locator('.pay').click();
  await says(first.card.locator('.status'), 'Paid');
  await shows(available(one, 'item2'), before.available - 7);
  const second = await other.locator('#orders-list > .order').getAttribute('data-order');
  for (const [tab, id] of [[one, first.order_id], [other, second]]) {
    await tab.reload();
    await card(tab, id).waitFor();
    assert.equal(await tab.locator('#orders-list > .order').count(), 1, 'also after a reload');
  }
  await until('the other is still open', async () => (await other.locator('.order').getAttribute('data-status')) === 'pending');
});

scenario('an order is placed at the price that was shown, or not at all', { expected: ['status of 409'] }, async (open) => {
  for (const [locale, changed, now] of [
    ['en-US', 'The price has changed: the order costs CN¥24.00 now.', 'Costs CN¥12.00 now'],
    ['zh-CN', '价格已变动：订单现为 ¥25.00。', '现价 ¥12.50'],
  ]) {
    const item = await newItem(10, 1000);
    const page = await open({ locale });
    await says(page.locator('#stock-list'), item);
    // The page does not hear of the new price.
    await page.route('**/inventory', (route) => route.fulfill({ status: 304 }));
    const bodies = [];
    await page.route('**/orders', (route) => {
      bodies.push([route.request().headers()['idempotency-key'], JSON.parse(route.request().postData())]);
      return route.continue();
    });
    await fill(page, { [item]: 2 });
    await says(page.locator('#sum'), '¥20.00');
    const unit_price = locale === 'en-US' ? 1200 : 1250;
    await ask('PUT', `/inventory/${item}`, { unit_price }, { operator: true });
    await page.locator('#place').click();
    await says(page.locator('#form-error'), changed);
    await says(page.locator('.line-error'), now);
    assert.equal(await page.locator('.line-quantity').inputValue(), '2', 'what was typed is still there');
    assert.equal((await stockOf(item)).reserved, 0, 'nothing is held');
    await says(page.locator('#sum'), unit_price === 1200 ? '¥24.00' : '¥25.00');
    await page.locator('#place').click();
    await until('it is placed', async () => (await page.locator('#orders-list > .order').count()) === 1);
    assert.deepEqual(bodies.map(([, body]) => body.items[0].unit_price), [1000, unit_price]);
    assert.notEqual(bodies[0][0], bodies[1][0], 'another price is another order');
    assert.equal((await stockOf(item)).reserved, 2);
  }
});

scenario('no more of an item is ordered at once than the shop allows', { expected: ['status of 422'] }, async (open) => {
  for (const [locale, note, refused] of [
    ['en-US', 'At most 3 of it in one order.', (item) => `One order can have at most 2 of ${item}; 3 were wanted.`],
    ['zh-CN', '每个订单最多可购 3 件。', (item) => `每个订单最多可购 ${item} 2 件，需要 3 件。`],
  ]) {
    const item = await newItem(10, 1000);
    await ask('PUT', `/inventory/${item}`, { unit_price: 1000, max_per_order: 3 }, { operator: true });
    const page = await open({ locale });
    await says(page.locator('#stock-list'), item);
    let sent = 0;
    await page.route('**/orders', (route) => {
      sent += 1;
      return route.continue();
    });
    await fill(page, { [item]: 4 });
    assert.equal(await page.locator('.line-quantity').getAttribute('max'), '3');
    await says(page.locator('.line-error'), note);
    await page.locator('#place').click();
    await says(page.locator('.line-error'), note);
    assert.equal(sent, 0, 'what the shop would refuse is not sent');
    // The page does not hear of the new limit.
    await page.route('**/inventory', (route) => route.fulfill({ status: 304 }));
    await ask('PUT', `/inventory/${item}`, { unit_price: 1000, max_per_order: 2 }, { operator: true });
    await page.locator('.line-quantity').fill('3');
    await page.locator('#place').click();
    await says(page.locator('#form-error'), refused(item));
    assert.equal(await page.locator('.line-quantity').getAttribute('aria-invalid'), 'true');
    assert.equal((await stockOf(item)).reserved, 0, 'nothing is held');
  }
});

scenario('an order whose outcome is unknown is sent again at the price that it was sent with', { expected: ['status of 503', 'status of 500'] }, async (open) => {
  const item = await newItem(10, 1000);
  const page = await open();
  await says(page.locator('#stock-list'), item);
  const bodies = [];
  await page.route('**/orders', async (route) => {
    bodies.push([route.request().headers()['idempotency-key'], JSON.parse(route.request().postData()).items[0].unit_price]);
    if (bodies.length > 1) return route.continue();
    // It is placed, and the page is told that it is not known.
    await route.fetch();
    return route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify({ code: 'unreadable_record', status: 500, detail: 'No.' }) });
  });
  await fill(page, { [item]: 2 });
  await page.locator('#place').click();
  await says(page.locator('#form-error'), 'damaged');
  await ask('PUT', `/inventory/${item}`, { unit_price: 1200 }, { operator: true });
  await says(page.locator('#sum'), '¥24.00');
  await page.locator('#place').click();
  await until('it is placed', async () => (await page.locator('#orders-list > .order').count()) === 1);
  assert.deepEqual(bodies[1], bodies[0]);
  assert.equal((await stockOf(item)).reserved, 2, 'once');
});
