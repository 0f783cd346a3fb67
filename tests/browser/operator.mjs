// The operator's part.

import assert from 'node:assert/strict';

import { TOKEN, ask, card, enterItem, fresh, goodsRow, newItem, operate, place, says, scenario, shows, signIn, stockOf, textOf, unfold, until } from './support.mjs';

scenario('a wrong token is refused in words', { expected: ['status of 401'] }, async (open) => {
  const page = await open();
  await page.locator('#to-operator').click();
  await page.locator('#token-form button').click();
  await says(page.locator('#token-error'), 'Enter the token.');
  for (const wrong of ['wrong', `${TOKEN}x`, '令牌', 'tab\there']) {
    await page.locator('#token').fill(wrong);
    await page.locator('#token').press('Enter');
    await says(page.locator('#token-error'), 'This is not the operator’s token.');
    await until('it may be typed again', async () => page.evaluate(() => document.activeElement.id === 'token'));
    assert.equal(await page.locator('#operator-tools').isVisible(), false);
    await page.locator('#token-error').evaluate((node) => node.replaceChildren());
  }
});

scenario('the token is kept nowhere, and can be forgotten', {}, async (open) => {
  const page = await open();
  const field = page.locator('#token');
  assert.equal(await field.getAttribute('type'), 'password');
  assert.equal(await field.getAttribute('autocomplete'), 'off');
  await signIn(page);
  await says(page.locator('#token-status'), 'The token is right.');
  const kept = await page.evaluate(async () => ({
    local: JSON.stringify({ ...localStorage }),
    session: JSON.stringify({ ...sessionStorage }),
    cookie: document.cookie,
    url: location.href,
    history: JSON.stringify(history.state),
    databases: JSON.stringify(await indexedDB.databases()),
    document: document.documentElement.outerHTML,
    fields: JSON.stringify([...document.querySelectorAll('input')].map((input) => input.value)),
  }));
  for (const [place, text] of Object.entries(kept)) assert.ok(!text.includes(TOKEN), `the token is in ${place}`);
  await page.getByRole('button', { name: 'Forget the token' }).click();
  assert.equal(await page.locator('#operator-tools').isVisible(), false);
  assert.equal(await page.locator('#all-list > li').count(), 0, 'nothing that only an operator sees is left');
  await signIn(page);
  await says(page.locator('#token-status'), 'The token is right.');
  await page.reload();
  await page.locator('#token').waitFor();
  assert.equal(await page.locator('#operator-tools').isVisible(), false);
});

scenario('a shop without an operator says how to start it with one', { expected: ['status of 403'] }, async (open) => {
  const page = await open();
  await page.route('**/orders?*', (route) =>
    route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'operator_disabled', title: 'Operator disabled', status: 403, detail: 'No operator token is set, so nobody can do this.' }),
    }),
  );
  await signIn(page);
  await says(page.locator('#token-error'), 'started without an operator');
  await says(page.locator('#token-error'), 'cargo run -- --variable operator_token=');
  await says(page.locator('#token-error'), 'SPIN_VARIABLE_OPERATOR_TOKEN=');
});

scenario('stock is adjusted, once for a press, and a wrong change is refused', { expected: ['net::ERR_FAILED', 'status of 409'] }, async (open) => {
  const item = await newItem(10);
  const page = await open({ path: '/#operator/stock' });
  await signIn(page);
  const forms = await unfold(page, item);
  const [delta, error] = [forms.locator('.delta'), forms.locator('.adjust .error')];
  const adjust = () => forms.locator('.adjust button').click();
  for (const wrong of ['', '0', '1.5', 'three', '1e3']) {
    await delta.fill(wrong);
    await adjust();
    await says(error, 'whole number other than 0');
  }
  // Full-width digits, as a Chinese keyboard types them.
  await delta.fill('－３');
  await forms.locator('.reason').fill('damaged <b>');
  const bodies = [];
  await page.route('**/adjustments', async (route) => {
    bodies.push([route.request().headers()['idempotency-key'], route.request().postData()]);
    if (bodies.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await adjust();
  await says(forms.locator('.adjust .note'), `${item}: 7 on hand now, 7 available.`);
  assert.equal(bodies.length, 2);
  assert.deepEqual(bodies[0], bodies[1]);
  assert.deepEqual(JSON.parse(bodies[0][1]), { delta: -3, reason: 'damaged <b>' });
  assert.equal((await stockOf(item)).on_hand, 7);
  await shows(goodsRow(page, item).locator('.on_hand'), 7);
  await delta.fill('-1000000');
  await adjust();
  await says(error, 'not enough stock');
  assert.equal(await delta.inputValue(), '-1000000', 'what was typed is still there');
});

scenario('an item is added at an exact price', { expected: ['net::ERR_FAILED', 'status of 409'] }, async (open) => {
  const page = await open();
  await operate(page, 'goods');
  const id = fresh();
  const enter = (id, price, stock) => enterItem(page, { id, price, 'on-hand': stock });
  await enter('no spaces', '1', '1');
  await says(page.locator('#new-form .error'), 'The id has 1 to 64');
  for (const wrong of ['', '1.234', '1,000', '-1', 'x']) {
    await enter(id, wrong, '1');
    await says(page.locator('#new-form .error'), 'The price is an amount like 12.50.');
  }
  await enter(id, '1', '-1');
  await says(page.locator('#new-form .error'), 'On hand is a whole number');
  // The first answer is lost: the second says that the item is there, and it is this one.
  let turns = 0;
  await page.route(`**/inventory/${id}`, async (route) => {
    turns += 1;
    if (turns > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await enter(id, '1234.56', '12');
  await says(page.locator('#new-form .note'), `${id} is in the shop: 12 on hand at CN¥1,234.56.`);
  const item = await stockOf(id);
  assert.equal(item.unit_price, 123456);
  assert.equal(item.on_hand, 12);
  await page.locator('#goods-find').fill(id);
  await says(goodsRow(page, id), 'CN¥1,234.56');
  await enter('item1', '1', '1');
  await says(page.locator('#new-form .error'), 'There is an item item1 already.');
});

scenario('the operator lists all orders, some of them, and more of them', {}, async (open) => {
  const page = await open();
  const customer = fresh();
  const item = await newItem(24);
  const mine = await place(page, { item1: 1 }, customer);
  await ask('POST', `/orders/${mine.order_id}/pay`);
  for (let count = 0; count < 24; count++) await ask('POST', '/orders', { item_id: item, quantity: 1, customer_id: `${customer}-${count}` });
  await operate(page, 'all');
  const rows = page.locator('#all-list > li');
  await until('a page of them', async () => (await rows.count()) === 20 || (await rows.count()));
  await says(rows.first(), `${customer}-23`);
  await says(page.locator('#all-note'), '20 shown; there may be more.');
  await page.locator('#all-more').click();
  await says(page.locator('#all-list'), new RegExp(`\\b${customer}\\b(?!-)`));
  assert.ok((await rows.count()) >= 25);
  await page.locator('#all-status').selectOption('paid');
  await until('only paid ones', async () => {
    const texts = await page.locator('#all-list .status').allInnerTexts();
    return (texts.length > 0 && texts.every((text) => text === 'Paid')) || texts;
  });
  await says(page.locator('#all-list'), customer);
  await says(page.locator('#all-list'), 'CN¥10.00');
});

scenario('the books are shown', {}, async (open) => {
  const page = await open();
  await operate(page, 'books');
  await says(page.locator('#books-verdict'), 'All items balance.');
  const { items } = await ask('GET', '/books', undefined, { operator: true });
  const shown = await page.evaluate(() =>
    [...document.querySelectorAll('#books-rows tr')].map((row) => [row.querySelector('th').innerText, ...[...row.querySelectorAll('[data-figure]')].map((cell) => Number(cell.innerText.replaceAll(',', '')))]),
  );
  assert.deepEqual(
    shown,
    items.map((item) => [item.name ? `${item.name} ${item.item_id}` : item.item_id, item.received, item.sold, item.returned ?? 0, item.written_off ?? 0, item.on_hand, item.reserved, item.available]),
  );
  for (const [, received, sold, returned, writtenOff, on_hand] of shown) assert.equal(received - sold + returned - writtenOff, on_hand);
});

scenario('books that do not balance are not said to', {}, async (open) => {
  const page = await open();
  await page.route('**/books', (route) =>
    route.fulfill({ json: { items: [{ item_id: 'item1', received: 9, sold: 1, on_hand: 7, reserved: 0, available: 7, balanced: false }], balanced: false } }),
  );
  await operate(page, 'books');
  await says(page.locator('#books-verdict'), 'The books do not balance.');
  await says(page.locator('#books-rows'), 'no');
});

scenario('a token that is no longer right is asked for again', { expected: ['status of 401'] }, async (open) => {
  const page = await open();
  await operate(page, 'books');
  await page.locator('#books-rows tr').first().waitFor();
  await page.route('**/books', (route) =>
    route.fulfill({ status: 401, contentType: 'application/problem+json', body: JSON.stringify({ code: 'unauthorized', title: 'Unauthorized', status: 401, detail: 'No.' }) }),
  );
  await page.locator('#books-refresh').click();
  await says(page.locator('#token-error'), 'This is not the operator’s token.');
  assert.equal(await page.locator('#operator-tools').isVisible(), false);
});

scenario('the history of an order is shown', {}, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  await order.card.locator('summary').click();
  await says(order.card.locator('.history'), /Placed/);
  await order.card.locator('.pay').click();
  await until('both events', async () => {
    const events = await card(page, order.order_id).locator('.history li span').allInnerTexts();
    return events.join() === 'Placed,Paid' || events;
  });
  assert.match(await textOf(order.card.locator('.history li').last()), /\d/);
});
