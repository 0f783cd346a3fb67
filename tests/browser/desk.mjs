// The shop's day as the operator works it: what is to be packed, one order with all its life, money and goods that go back,
// what needs attention, the stock, and the books.

import assert from 'node:assert/strict';

import { NO_PROVIDER, PAID_SHOP, PHONE, PROVIDER, accessible, ask, fits, fresh, goTo, goodsRow, newItem, operate, orderAt, picture, plain, post, provider, says, scenario, signIn, stockOf, takeBack, textOf, unfold, until } from './support.mjs';

const operator = { operator: true };

/** An order that is paid, of these quantities. */
async function paid(lines, customer_id = fresh()) {
  const items = Object.entries(lines).map(([item_id, quantity]) => ({ item_id, quantity }));
  const { order_id } = await ask('POST', '/orders', { items, customer_id });
  return ask('POST', `/orders/${order_id}/pay`);
}

const refund = (id, body) => post(`/orders/${id}/refunds`, body);

/** The order as the operator is told of it. */
const stateOf = async (id) => (await ask('GET', `/orders?order_id=${id}`, undefined, operator)).orders[0];

const focused = (page, selector) => page.evaluate((selector) => document.activeElement.matches(selector), selector);

/** Presses Tab until the focus is on what matches. */
async function tabTo(page, selector) {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab');
    if (await focused(page, selector)) return;
  }
  assert.fail(`Tab never reached ${selector}`);
}

/** Shows more of what is to be packed until an order is among it: other tests leave some that are older. */
async function findPacked(page, id) {
  await until('it is listed', async () => {
    if (await packed(page, id).count()) return true;
    if (await page.locator('#packing-more').isVisible()) await page.locator('#packing-more').click();
    return false;
  });
}

const packed = (page, id) => page.locator(`#packing-list > li[data-order="${id}"]`);

const count = (page, item) => page.locator(`#order-panel .count[data-item="${item}"]`);

const cells = async (page, item) => {
  const row = page.locator('#order-lines tr', { has: page.getByText(item, { exact: true }) });
  return (await row.locator('td').allInnerTexts()).map((text) => plain(text).trim());
};

scenario('what is to be packed is listed, the oldest first, and sent from there by keyboard', {}, async (open) => {
  const item = await newItem(20);
  const orders = [await paid({ [item]: 2 }, `first-${item}`), await paid({ [item]: 3 })];
  const asked = [];
  const page = await open({ path: '/#operator' });
  page.on('request', (request) => request.url().includes('/orders?') && asked.push(new URL(request.url()).searchParams));
  await signIn(page);
  await findPacked(page, orders[1].order_id);
  // Without a day the shop would read all that was ever sent.
  const list = asked.find((parameters) => parameters.get('status') === 'paid');
  assert.equal(list.get('order'), 'oldest');
  assert.match(list.get('placed_from'), /^\d{4}-\d\d-\d\d$/);
  const ids = await page.locator('#packing-list > li').evaluateAll((rows) => rows.map((row) => row.dataset.order));
  assert.ok(ids.indexOf(orders[0].order_id) < ids.indexOf(orders[1].order_id), 'the oldest first');
  const row = packed(page, orders[0].order_id);
  await says(row, `2 × ${item}`);
  await says(row, `first-${item}`);
  await row.locator('.send').focus();
  await page.keyboard.press('Enter');
  assert.ok(await focused(page, '.shipping input'), 'the first field has the focus');
  await page.keyboard.press('Escape');
  assert.ok(await focused(page, '.send'), 'the way back');
  await page.keyboard.press('Enter');
  await page.keyboard.type('顺丰');
  await page.keyboard.press('Tab');
  await page.keyboard.type('SF 1234');
  await page.keyboard.press('Tab');
  await page.keyboard.type('http://track.example/1');
  await page.keyboard.press('Enter');
  await says(row.locator('.error'), 'The address begins with https://');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('https://track.example/1');
  await page.keyboard.press('Enter');
  await says(page.locator('#desk-outcome'), `Order ${orders[0].order_id.slice(0, 8)} is sent.`);
  await until('it is gone from the list', async () => (await row.count()) === 0);
  assert.ok(await page.evaluate(() => document.activeElement.closest('#packing-list') !== null), 'the next order has the focus');
  const { status, fulfilment } = await stateOf(orders[0].order_id);
  assert.deepEqual([status, fulfilment.carrier, fulfilment.tracking_number, fulfilment.tracking_url], ['fulfilled', '顺丰', 'SF 1234', 'https://track.example/1']);
  // The next one goes the same way.
  await packed(page, orders[1].order_id).locator('.send').click();
  assert.equal(await packed(page, orders[1].order_id).locator('.shipping input').first().inputValue(), '顺丰');
});

scenario('goods that came back before they were sent are not packed', {}, async (open) => {
  const [first, second] = [await newItem(20), await newItem(20)];
  const [some, none] = [await paid({ [first]: 2, [second]: 1 }), await paid({ [first]: 1 })];
  await takeBack(some.order_id, second);
  await takeBack(none.order_id, first);
  const page = await open({ path: '/#operator' });
  await signIn(page);
  await findPacked(page, none.order_id);
  await says(packed(page, some.order_id).locator('.to-pack li:not(.gone)'), `2 × ${first}`);
  await says(packed(page, some.order_id).locator('.to-pack .gone'), `1 × ${second} came back`);
  assert.equal(await packed(page, none.order_id).locator('.send').isVisible(), false);
});

scenario('an order is found by its id, its customer and its item, and each has an address', {}, async (open) => {
  const [item, other] = [await newItem(20), await newItem(20)];
  const name = `Teapot ${item}`;
  await ask('PUT', `/inventory/${item}`, { unit_price: 1000, name }, operator);
  await ask('PUT', `/inventory/${other}`, { unit_price: 1000, name: `${name} large` }, operator);
  try {
    const customer = `李 雷 & ${fresh()}`;
    const order = await paid({ [item]: 1 }, customer);
    const elsewhere = await paid({ [other]: 1 });
    const page = await open({ path: '/#operator/orders' });
    await signIn(page);
    const rows = page.locator('#all-list > li');
    const only = (id) => until(`only ${id}`, async () => (await rows.evaluateAll((rows) => rows.map((row) => row.dataset.order))).join() === id);
    await rows.first().waitFor();
    await page.locator('#all-customer').fill(` ${customer} `);
    await page.locator('#all-customer').press('Enter');
    await only(order.order_id);
    // A page that is loaded anew, or opened by its address, finds the same.
    const address = page.url();
    await page.locator('#all-clear').click();
    await says(page.locator('#all-list'), elsewhere.order_id);
    await page.goBack();
    await only(order.order_id);
    assert.equal(page.url(), address);
    assert.equal(await page.locator('#all-customer').inputValue(), customer);
    await page.locator('#all-customer').fill('');
    // Several items have this in their names: one is chosen.
    await page.locator('#all-item').fill(`large`);
    await page.locator('#all-item').fill(name.toUpperCase().slice(0, -1));
    await page.locator('#all-item').press('Enter');
    await says(page.locator('#all .error'), '2 items have this in their name or id. Choose one.');
    await page.locator('#all-items button', { hasText: 'large' }).click();
    await only(elsewhere.order_id);
    // Its exact name is enough where it is in another name too.
    await page.locator('#all-item').fill(name);
    await page.locator('#all-item').press('Enter');
    await only(order.order_id);
    await page.locator('#all-item').fill('no such thing');
    await page.locator('#all-item').press('Enter');
    await says(page.locator('#all .error'), 'No item has this');
    await page.locator('#all-item').fill('');
    await page.locator('#all-order').fill('12');
    await page.locator('#all-order').press('Enter');
    await says(page.locator('#all .error'), 'An order id has 36 characters');
    await page.locator('#all-order').fill(` ${order.order_id.toUpperCase()} `);
    await page.locator('#all-order').press('Enter');
    await says(page.locator('#order-facts'), customer);
    assert.ok(page.url().endsWith(`#operator/orders/${order.order_id}`));
    assert.ok(await focused(page, '#order-title'), 'a screen reader hears where it is');
    await until('the title says so', async () => (await page.title()).startsWith(`Order ${order.order_id.slice(0, 8)}`) || page.title());
    // To what else this customer has ordered.
    await page.locator('#order-facts .customer').click();
    await only(order.order_id);
    await page.goBack();
    await page.locator('#order').waitFor();
  } finally {
    for (const id of [item, other]) await ask('PUT', `/inventory/${id}`, { unit_price: 1000, name: null }, operator);
  }
});

scenario('an order is sent, its shipment changed, and delivered, and the buyer is led to the carrier', {}, async (open) => {
  const order = await paid({ item1: 1 });
  const page = await orderAt(open, order.order_id);
  const act = page.locator('[data-action=send]');
  const field = (n) => page.locator('#order-panel .shipping input').nth(n);
  await act.click();
  await field(1).fill('1');
  await field(2).fill('https://track.example/1');
  await page.locator('#order-panel [type=submit]').click();
  await says(page.locator('#order-outcome'), 'is sent.');
  await says(page.locator('#order .status'), 'Sent');
  await says(act, 'Change the shipment');
  await act.click();
  assert.equal(await field(1).inputValue(), '1');
  await field(1).fill('2');
  await page.locator('#order-panel [type=submit]').click();
  await says(page.locator('#order-outcome'), 'The shipment');
  const link = page.locator('#order-facts a:not(:has(.customer))');
  await says(link, '2');
  assert.equal(await link.getAttribute('href'), 'https://track.example/1');
  assert.match(await link.getAttribute('rel'), /noreferrer/);
  await act.click();
  await page.locator('#order-panel [type=checkbox]').check();
  await page.locator('#order-panel [type=submit]').click();
  await says(page.locator('#order-history'), 'Delivered');
  await until('nothing more to be sent', async () => !(await act.isVisible()));
  assert.ok((await stateOf(order.order_id)).fulfilment.delivered_at);
  const buyers = await open({ path: `/?order=${order.order_id}&payment=returned`, locale: 'zh-CN' });
  await says(buyers.locator('#outcome'), '商品已发出');
  assert.equal(await buyers.locator('#orders-list .facts a').getAttribute('href'), 'https://track.example/1');
  await says(buyers.locator('#orders-list .facts'), '送达');
});

scenario('goods are taken back by line, and never more of them than were sold', { expected: ['status of 409'] }, async (open) => {
  const [item, other] = [await newItem(20), await newItem(20)];
  const order = await paid({ [item]: 3, [other]: 1 });
  const page = await orderAt(open, order.order_id);
  const act = page.locator('[data-action=take]');
  await act.focus();
  await page.keyboard.press('Enter');
  assert.ok(await focused(page, '.count'), 'the first field has the focus');
  const go = page.locator('#order-panel [type=submit]');
  await go.click();
  await says(page.locator('#order-panel .error'), 'Say how many of something.');
  for (const wrong of ['4', '-1', '1.5', 'x']) {
    await count(page, item).fill(wrong);
    await go.click();
    await says(page.locator('#order-panel .error'), 'The quantity is a whole number, at most 3.');
  }
  await count(page, item).fill('２');
  await page.getByRole('button', { name: `All 1 of ${other}` }).click();
  await page.locator('#order-panel .reason').fill('too small');
  await go.click();
  await says(page.locator('#order-outcome'), 'The goods are taken back.');
  assert.ok(await focused(page, '#order-title'));
  await until('the line says so', async () => (await cells(page, item))[2] === '2' || cells(page, item));
  await says(page.locator('#order-records'), 'Goods came back into stock.');
  await says(page.locator('#order-records'), 'too small');
  assert.deepEqual([(await stockOf(item)).on_hand, (await stockOf(other)).on_hand], [19, 20]);
  // Meanwhile another operator takes the last one back: the shop says so, and nothing is done twice.
  await act.click();
  assert.equal(await count(page, other).count(), 0, 'of which nothing is left is not asked for');
  const { returns } = await stateOf(order.order_id);
  assert.equal(returns.length, 1);
  await takeBack(order.order_id, item, { to: 'written_off' });
  await count(page, item).fill('1');
  await page.locator('#order-panel input[value=written_off]').check();
  await go.click();
  await says(page.locator('#order-panel .error'), `More of ${item} cannot come back`);
  await says(page.locator('#order-records'), 'Goods came back and were written off.');
  assert.equal((await stockOf(item)).on_hand, 19);
  // The books know both.
  await goTo(page, 'books');
  await page.locator('#books-find').fill(item);
  const row = page.locator('#books-rows tr', { has: page.getByText(item, { exact: true }) });
  await row.waitFor();
  assert.deepEqual((await row.locator('[data-figure]').allInnerTexts()).map(Number), [20, 3, 3, 1, 19, 0, 19]);
});

scenario('a return whose answer was lost is made once, also after the page was loaded anew', { expected: ['net::ERR_FAILED'] }, async (open) => {
  const item = await newItem(20);
  const order = await paid({ [item]: 5 });
  const page = await orderAt(open, order.order_id);
  const keys = [];
  let lose = true;
  await page.route('**/returns', async (route) => {
    keys.push([route.request().headers()['idempotency-key'], route.request().postData()]);
    if (!lose) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await page.locator('[data-action=take]').click();
  await count(page, item).fill('2');
  await page.locator('#order-panel [type=submit]').click();
  await says(page.locator('#order-panel .note'), 'No answer yet.');
  await page.reload();
  lose = false;
  await signIn(page);
  await says(page.locator('#order-panel'), 'it is not known whether it is on record');
  await says(page.locator('#order-panel'), `2 × ${item}`);
  assert.equal(await page.locator('#order-panel .count').count(), 0, 'nothing else can be asked for before');
  await accessible(page, 'an unknown outcome');
  await page.getByRole('button', { name: 'Ask again' }).click();
  await says(page.locator('#order-outcome'), 'The goods are taken back.');
  assert.ok(keys.length >= 2);
  assert.equal(new Set(keys.map(String)).size, 1, 'the same request under the same key');
  assert.equal((await stockOf(item)).on_hand, 17);
  // The next one is another.
  await page.locator('[data-action=take]').click();
  await count(page, item).fill('2');
  await page.locator('#order-panel [type=submit]').click();
  await until('both are on record', async () => (await stockOf(item)).on_hand === 19);
  assert.equal(new Set(keys.map(String)).size, 2);
});

/** Records what is asked of the refunds of an order, and lets the answers get lost after the shop has done it. */
async function watchRefunds(page, order) {
  const watched = { asked: [], lose: false };
  await page.route(`**/orders/${order.order_id}/refunds`, async (route) => {
    watched.asked.push([route.request().headers()['idempotency-key'], route.request().postData()]);
    if (!watched.lose) return route.continue();
    await route.fetch();
    return route.abort();
  });
  return watched;
}

scenario('money is given back by line, by amount and all the rest, and never more than was paid', { expected: ['status of 409'] }, async (open) => {
  const item = await newItem(20, 1050);
  const order = await paid({ [item]: 4 });
  let watched;
  const page = await orderAt(open, order.order_id, { before: async (page) => (watched = await watchRefunds(page, order)) });
  const [act, go, error] = [page.locator('[data-action=refund]'), page.locator('#order-panel [type=submit]'), page.locator('#order-panel .error')];
  const confirmed = page.getByRole('button', { name: 'Record the refund', exact: true });
  // By line, by keyboard only.
  await act.focus();
  await page.keyboard.press('Enter');
  await tabTo(page, '.count');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('1');
  await tabTo(page, '.restock');
  await page.keyboard.press('Space');
  await tabTo(page, '.reason');
  await page.keyboard.type('破损');
  await page.keyboard.press('Enter');
  await says(page.locator('#order-panel'), 'A refund of CN¥10.50 is put on record. No money moves');
  assert.equal(watched.asked.length, 0, 'nothing is done before the second press');
  await page.keyboard.press('Escape');
  assert.equal(await count(page, item).inputValue(), '1', 'what was typed is still there');
  await go.press('Enter');
  await page.keyboard.press('Enter');
  await says(page.locator('#order-outcome'), 'A refund of CN¥10.50 is on record. No money moved.');
  assert.deepEqual(JSON.parse(watched.asked[0][1]), { items: [{ item_id: item, quantity: 1 }], restock: true, reason: '破损' });
  await until('the line says so', async () => (await cells(page, item))[3] === '1' || cells(page, item));
  await says(page.locator('#order-sums'), 'CN¥31.50');
  await says(page.locator('#order-records'), '破损');
  // An amount.
  await act.click();
  await page.locator('input[value=amount]').check();
  for (const [wrong, words] of [['', 'The amount is one like 31.50'], ['0', 'The amount is one like'], ['1.234', 'The amount is one like'], ['-1', 'The amount is one like'], ['31.51', 'No more than CN¥31.50 can be given back.']]) {
    await page.locator('.amount-field').fill(wrong);
    await go.click();
    await says(error, words);
  }
  await page.locator('.amount-field').fill('１.5');
  await go.click();
  await says(page.locator('#order-panel'), 'A refund of CN¥1.50 is put on record. No money moves');
  await accessible(page, 'a refund that is to be confirmed');
  await confirmed.click();
  await says(page.locator('#order-outcome'), 'A refund of CN¥1.50 is on record. No money moved.');
  assert.deepEqual(JSON.parse(watched.asked[1][1]), { amount: 150 });
  // What is left is less than the price of what is left.
  await act.click();
  await count(page, item).fill('3');
  await go.click();
  await says(error, 'No more than CN¥30.00 can be given back.');
  await page.keyboard.press('Escape');
  // Another operator was faster: what the shop refuses is not asked for again under this key.
  await act.click();
  await page.locator('input[value=amount]').check();
  await page.locator('.amount-field').fill('30');
  await go.click();
  await says(page.locator('#order-panel'), 'A refund of CN¥30.00 is put on record. No money moves');
  await refund(order.order_id, { amount: 100 });
  await confirmed.click();
  await says(error, 'No more than CN¥29.00 can be given back.');
  await page.keyboard.press('Escape');
  await page.locator('input[value=rest]').check();
  await go.click();
  await says(page.locator('#order-panel'), 'A refund of CN¥29.00 is put on record. No money moves');
  await confirmed.click();
  await says(page.locator('#order-outcome'), 'A refund of CN¥29.00 is on record. No money moved.');
  assert.deepEqual(JSON.parse(watched.asked.at(-1)[1]), {});
  assert.equal(new Set(watched.asked.map(([key]) => key)).size, 4);
  const { status, refunded, refunds, returns } = await stateOf(order.order_id);
  assert.deepEqual([status, refunded, refunds.map(({ amount }) => amount)], ['refunded', 4200, [1050, 150, 100, 2900]]);
  assert.deepEqual([returns.length, (await stockOf(item)).on_hand], [1, 17], 'one came back');
  await says(page.locator('#order-history'), 'Money was given back CN¥29.00');
  await says(page.locator('#order .status'), 'Refunded');
  await until('nothing more can be given back', async () => !(await act.isVisible()));
});

scenario('a refund whose answer was lost is made once, whatever is pressed, and after the page was loaded anew', { expected: ['net::ERR_FAILED'] }, async (open) => {
  const item = await newItem(20, 1000);
  const order = await paid({ [item]: 4 });
  let watched;
  const page = await orderAt(open, order.order_id, { before: async (page) => (watched = await watchRefunds(page, order)) });
  const give = async () => {
    await page.locator('[data-action=refund]').click();
    await count(page, item).fill('1');
    await page.locator('#order-panel [type=submit]').click();
    await page.locator('#order-panel .go').click();
  };
  watched.lose = true;
  await give();
  await says(page.locator('#order-panel .note'), 'No answer yet.');
  await page.locator('#order-panel .go').click({ force: true });
  // To another page and back.
  await goTo(page, 'packing');
  await page.goBack();
  await says(page.locator('#order-panel .note'), 'No answer yet.');
  await page.reload();
  await signIn(page);
  await says(page.locator('#order-panel'), 'it is not known whether it was made');
  await says(page.locator('#order-panel'), `1 × ${item}`);
  const before = watched.asked.length;
  await page.getByRole('button', { name: 'Ask again' }).click();
  await until('it is asked for again', () => watched.asked.length > before + 1);
  watched.lose = false;
  await says(page.locator('#order-outcome'), 'A refund of CN¥10.00 is on record. No money moved.');
  assert.equal((await stateOf(order.order_id)).refunds.length, 1);
  assert.equal(new Set(watched.asked.map(String)).size, 1, 'the same request under the same key');
  // The same again is another refund: its outcome is known.
  await give();
  await until('two refunds', async () => (await stateOf(order.order_id)).refunds.length === 2);
  await says(page.locator('#order-sums'), 'CN¥20.00');
});

scenario('what the payment provider has refused is told in the order and among what needs attention', { skip: NO_PROVIDER }, async (open) => {
  const shop = { base: PAID_SHOP };
  for (const [locale, words] of [
    ['en-US', { confirm: 'CN¥20.00 will go back to the buyer.', failed: 'CN¥20.00 could not be given back: the payment provider has refused it.', badge: 'The payment provider has refused a refund', pending: 'CN¥20.00 is being given back.', done: 'CN¥20.00 was given back.' }],
    ['zh-CN', { confirm: '将向买家退款 ¥20.00，此操作无法撤销。', failed: '退款 ¥20.00 失败：支付服务商已拒绝。', badge: '支付服务商拒绝了一笔退款', pending: '退款 ¥20.00 处理中。', done: '已退款 ¥20.00。' }],
  ]) {
    const order = await ask('POST', '/orders', { item_id: 'item1', quantity: 2 }, shop);
    const pay = () => ask('POST', `/orders/${order.order_id}/pay`, undefined, shop);
    await pay();
    const [session] = (await provider('GET', 'sessions')).filter((session) => session.order === order.order_id);
    await provider('POST', `sessions/${session.id}/pay`);
    assert.equal((await pay()).status, 'paid');
    const page = await orderAt(open, order.order_id, { ...shop, friends: [PROVIDER], locale, viewport: PHONE });
    const give = async (fault) => {
      await provider('POST', 'settings', { faults: [`${fault}@refund*1`] });
      await page.locator('[data-action=refund]').click();
      await page.locator('input[value=rest]').check();
      await page.locator('#order-panel [type=submit]').click();
      await says(page.locator('#order-panel'), words.confirm);
      await page.locator('#order-panel .go').click();
    };
    await give('refund-fails');
    await says(page.locator('#order-outcome'), words.failed);
    await says(page.locator('#order .troubles'), words.badge);
    await says(page.locator('#order-records .bad'), words.failed);
    await fits(page);
    if (locale === 'zh-CN') {
      await picture(page, 'refund-failed-phone-zh');
      await goTo(page, 'attention');
      const row = page.locator(`#attention-list > li[data-order="${order.order_id}"]`);
      await says(row, words.badge);
      await accessible(page, 'what needs attention');
      await row.locator('a').click();
    }
    // The failed one has freed its amount. The next one takes a while, and ends without a press.
    await give('refund-pending');
    await says(page.locator('#order-outcome'), words.pending);
    await until('the badge is gone', async () => (await page.locator('#order .troubles li').count()) === 0);
    const refunds = async () => (await provider('GET', 'refunds')).filter((one) => one.order === order.order_id);
    await provider('POST', `refunds/${(await refunds()).find(({ status }) => status === 'pending').id}/settle`);
    await says(page.locator('#order-records'), words.done);
    assert.deepEqual((await refunds()).map(({ status, amount }) => `${status} ${amount}`).sort(), ['failed 2000', 'succeeded 2000']);
  }
});

scenario('items are imported from CSV and JSON, exactly, and a mistake is named by its line', {}, async (open) => {
  const [first, second] = [fresh(), fresh()];
  const page = await open({ path: '/#operator/stock' });
  await signIn(page);
  await page.locator('#import-part summary').click();
  const take = (text, name = 'items.csv') => page.locator('#import-file').setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
  const error = page.locator('#import-form .error');
  for (const [text, words] of [
    ['', 'The file cannot be read'],
    ['item_id,name\na,b', 'The file cannot be read'],
    ['{"items": 1}', 'The file cannot be read'],
    ['item_id,price\n"a,1', 'The file cannot be read'],
    ['item_id,price\na b,1', 'Nothing is imported: 1 of the items are wrong.'],
    ['item_id,price\na,1.234', 'Nothing is imported'],
    ['item_id,price\na,1\na,2', 'Nothing is imported'],
    ['item_id,unit_price,on_hand\na,100,-1', 'Nothing is imported'],
    ['[{"item_id":"a","unit_price":1.5}]', 'Nothing is imported'],
  ]) {
    await take(text);
    await says(error, words);
    assert.equal(await page.locator('#import-do').isVisible(), false, text);
  }
  await take(`item_id,price\n${first},1\n\nx y,1`);
  await says(page.locator('#import-wrong'), 'Line 4:');
  await take(Buffer.from([0x69, 0xff]));
  await says(error, 'The file cannot be read');
  // As a spreadsheet writes it: a byte order mark, semicolons, quotes, an empty cell.
  await take(`\ufeffitem_id;price;on_hand;name\r\n${first};12.50;7;"茶壶; ""蓝色"""\r\n${second};"3";;\r\n`);
  await says(page.locator('#import-note'), '2 items in the file: 2 are new, 0 are changed.');
  await accessible(page, 'an import');
  await page.locator('#import-do').click();
  await says(page.locator('#import-note'), 'Imported: 2 new, 0 changed.');
  const one = await stockOf(first);
  assert.deepEqual([one.unit_price, one.on_hand, one.name], [1250, 7, '茶壶; "蓝色"']);
  assert.deepEqual([(await stockOf(second)).unit_price, (await stockOf(second)).on_hand], [300, 0]);
  // The same again changes what is there, and leaves the stock as it is. JSON is as the shop tells it.
  await page.locator('#goods-find').fill(first);
  await goodsRow(page, first).waitFor();
  await take(JSON.stringify({ items: [{ ...one, unit_price: 1300, on_hand: 99, name: null }] }), 'items.json');
  await says(page.locator('#import-note'), '1 items in the file: 0 are new, 1 are changed.');
  await page.locator('#import-do').click();
  await says(page.locator('#import-note'), 'Imported: 0 new, 1 changed.');
  const changed = await stockOf(first);
  assert.deepEqual([changed.unit_price, changed.on_hand, changed.name], [1300, 7, undefined]);
});

scenario('an item is changed in its row, and what was not touched stays', {}, async (open) => {
  const item = await newItem(5);
  const page = await open({ path: '/#operator/stock', viewport: PHONE });
  await signIn(page);
  const forms = await unfold(page, item);
  assert.ok(await focused(page, '.delta'), 'the first field has the focus');
  const bodies = [];
  page.on('request', (request) => request.method() === 'PUT' && bodies.push(request.postDataJSON()));
  const price = forms.locator('.price-field');
  assert.equal(await price.inputValue(), '10.00');
  await price.fill('12,5');
  // Meanwhile it was given a name elsewhere.
  await ask('PUT', `/inventory/${item}`, { unit_price: 1000, name: 'Cup' }, operator);
  await forms.locator('.offer button').click();
  await says(forms.locator('.offer .note'), 'is changed.');
  assert.deepEqual(bodies, [{ unit_price: 1250 }]);
  const { unit_price, name } = await stockOf(item);
  assert.deepEqual([unit_price, name], [1250, 'Cup']);
  await says(goodsRow(page, item), 'CN¥12.50');
  await fits(page);
  await accessible(page, 'an item that is changed');
  await price.press('Escape');
  await until('the forms are shut', async () => (await forms.count()) === 0);
  assert.ok(await focused(page, `#goods-rows button`), 'the way back');
  await ask('PUT', `/inventory/${item}`, { unit_price: 1000, name: null }, operator);
  // Of what cannot be had.
  await page.locator('#goods-low').check();
  await until('it can be had', async () => (await goodsRow(page, item).count()) === 0);
  await ask('POST', `/inventory/${item}/adjustments`, { delta: -5 }, operator);
  await goodsRow(page, item).waitFor();
});

scenario('the money of some days is added up', {}, async (open) => {
  const page = await open();
  await operate(page, 'books');
  const today = new Date().toISOString().slice(0, 10);
  await page.locator('#money-from').fill(today);
  const order = await paid({ item1: 3 });
  await refund(order.order_id, { amount: 500 });
  const list = await ask('GET', `/orders?limit=100&placed_from=${today}&status=paid`, undefined, operator);
  await page.locator('#money-form button').click();
  await says(page.locator('#money-note'), 'orders were added up.');
  const sums = Object.fromEntries((await page.locator('#money-sums div').allInnerTexts()).map((text) => plain(text).split('\n')));
  let [orders, sum, back] = [0, 0, 0];
  for (let at = `/orders?limit=100&placed_from=${today}`; at; ) {
    const page = await ask('GET', at, undefined, operator);
    for (const { payment, refunded = 0 } of page.orders) if (payment?.status === 'paid') [orders, sum, back] = [orders + 1, sum + payment.amount, back + refunded];
    at = page.next && `/orders?limit=100&placed_from=${today}&cursor=${page.next}`;
  }
  const amount = (value) => `CN¥${new Intl.NumberFormat('en-US', { minimumFractionDigits: 2 }).format(value / 100)}`;
  assert.deepEqual([sums['Paid orders'], sums.Paid, sums['Given back'], sums.Kept], [String(orders), amount(sum), amount(back), amount(sum - back)]);
  // What the page of one order says and the list of orders says is the same order: the list shows what it has become.
  await goTo(page, 'all');
  const row = page.locator(`#all-list > li[data-order="${order.order_id}"]`);
  await row.locator('a').click();
  await says(page.locator('#order-title'), order.order_id.slice(0, 8));
  await page.goBack();
  await row.waitFor();
  assert.equal(await textOf(row.locator('.status')), 'Paid');
  assert.ok(await focused(page, `[data-order="${order.order_id}"] a`), 'the focus is where it was');
});

scenario('what others wrote is shown as text in the operator’s pages, and no address but a safe one is led to', {}, async (open) => {
  const evil = '<img src=x onerror=alert(1)>';
  const order = await paid({ item1: 1 }, evil);
  const at = order.placed_at;
  const back = { return_id: '1', items: [{ item_id: evil, quantity: 1 }], to: 'stock', reason: `${evil}${'W'.repeat(200)}`, at, done: true };
  let out = {};
  const page = await orderAt(open, order.order_id, {
    viewport: PHONE,
    before: (page) =>
      page.route('**/orders?*', (route) => {
        const fulfilment = { carrier: evil, fulfilled_at: at, ...out };
        return route.fulfill({ json: { orders: [{ ...order, status: 'fulfilled', fulfilment, returns: [back] }], next: null } });
      }),
  });
  await says(page.locator('#order-records'), evil);
  await says(page.locator('#order-facts'), evil);
  await fits(page);
  const links = page.locator('#order-facts a:not(:has(.customer))');
  const unsafe = ['javascript:alert(1)', 'http://track.example/', 'https://user:word@track.example/', 'data:text/html,x'];
  for (const [number, tracking_url] of [...unsafe, 'https://track.example/'].entries()) {
    out = { tracking_number: `${evil}${number}`, tracking_url };
    await page.locator('#order-refresh').click();
    await says(page.locator('#order-facts'), `${evil}${number}`);
    assert.equal(await links.count(), number < unsafe.length ? 0 : 1, tracking_url);
  }
  assert.equal(await page.locator('img[src=x]').count(), 0);
});

scenario('an adjustment without an outcome is sent again as it was, and nothing else before', { expected: ['status of 500', 'net::ERR_FAILED'] }, async (open) => {
  const item = await newItem(10);
  const page = await open({ path: '/#operator/stock' });
  await signIn(page);
  const sent = [];
  let answer = 'broken';
  await page.route('**/adjustments', async (route) => {
    sent.push([route.request().headers()['idempotency-key'], route.request().postData()]);
    if (answer === 'right') return route.continue();
    await route.fetch();
    if (answer === 'lost') return route.abort();
    return route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify({ code: 'unreadable_record', status: 500, title: 'x', detail: 'Played.' }) });
  });
  const forms = await unfold(page, item);
  const adjust = async (delta) => {
    await forms.locator('.delta').fill(delta);
    await forms.locator('.adjust button').click();
  };
  await adjust('-3');
  await says(forms.locator('.adjust .error'), 'A record in the store is damaged.');
  await adjust('5');
  await says(forms.locator('.adjust .error'), 'A change by -3 was sent');
  assert.equal(await forms.locator('.delta').inputValue(), '-3');
  answer = 'lost';
  await forms.locator('.adjust button').click();
  await says(forms.locator('.adjust .note'), 'No answer yet.');
  await page.reload();
  answer = 'right';
  await signIn(page);
  await unfold(page, item);
  await says(forms.locator('.adjust .error'), 'A change by -3 was sent');
  await forms.locator('.adjust button').click();
  await says(forms.locator('.adjust .note'), '7 on hand now');
  assert.equal(new Set(sent.map(String)).size, 1);
  await adjust('5');
  await says(forms.locator('.adjust .note'), '12 on hand now');
});

scenario('an order is cancelled by the operator', {}, async (open) => {
  const { order_id } = await ask('POST', '/orders', { item_id: 'item1', quantity: 1 });
  const page = await orderAt(open, order_id);
  await page.locator('[data-action=cancel]').click();
  await page.locator('#order-panel .go').click();
  await says(page.locator('#order-outcome'), 'is cancelled.');
  await says(page.locator('#order .status'), 'Cancelled');
  assert.equal((await stateOf(order_id)).status, 'cancelled');
});
