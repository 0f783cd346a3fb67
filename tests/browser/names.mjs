// What people are shown of an item besides its id: its name and its picture.

import assert from 'node:assert/strict';

import { BASE, PHONE, accessible, ask, enterItem, fits, fresh, goTo, newItem, plain, says, scenario, signIn, stockOf, unfold, until } from './support.mjs';

const PICTURES = 'https://pictures.example';
const PICTURE = `${BASE}/console/icon.svg`;

/** Gives an item a name and an image. */
const call = (item, name, image) => ask('PUT', `/inventory/${item}`, { unit_price: 1000, name, image }, { operator: true });

const row = (page, item) => page.locator('#stock-list > li', { hasText: item });

/** Whether the picture of an item is seen, where its row is: a browser does not load one before it comes into sight. */
async function isShown(page, item) {
  await row(page, item).scrollIntoViewIfNeeded();
  return row(page, item)
    .locator('.picture')
    .evaluate((image) => image.checkVisibility() && image.complete && image.naturalWidth > 0);
}

/** Whether a picture at this address was asked for, in sight, and is not there. */
async function isGone(page, item, address) {
  await row(page, item).scrollIntoViewIfNeeded();
  const picture = row(page, item).locator('.picture');
  return (await picture.getAttribute('src')) === address && !(await picture.isVisible());
}

scenario('an item is shown by its name and found by it, and by its id beside it', {}, async (open) => {
  const item = await newItem(10);
  const name = `Blue <b>Teapot</b> & ${item.slice(2)}`;
  await call(item, name);
  const page = await open();
  await says(row(page, item).locator('h3'), `${name} ${item}`);
  await row(page, item).getByRole('button', { name: `Add ${name} to the order` }).click();
  await says(page.locator('#form-status'), `${name} is in the order, 1 of it.`);
  const chosen = plain(await page.locator('.line-item option:checked').textContent());
  assert.ok(chosen.startsWith(`${name} (${item}) · `), chosen);
  await page.locator('#place').click();
  await says(page.locator('#orders-list .order-lines'), `1 × ${name}`);
  // Sold under the old name, which the order keeps.
  await call(item, 'Cup');
  await says(row(page, item).locator('h3'), `Cup ${item}`);
  await page.reload();
  await says(page.locator('#orders-list .order-lines'), `1 × ${name}`);
  // It is found by either, however it is written.
  await call(item, 'Teapot ＡＢＣ 茶壶');
  await says(row(page, item).locator('h3'), '茶壶');
  await page.route('**/inventory', async (route) => {
    const answer = await route.fetch();
    const { items } = await answer.json();
    // Enough of them for a field to find one.
    const others = Array.from({ length: 9 }, (_, n) => ({ ...items[0], item_id: `other-${n}`, name: undefined }));
    await route.fulfill({ response: answer, json: { items: [...items, ...others] } });
  });
  await page.reload();
  for (const text of ['茶壶', 'abc', 'TEAPOT abc', item.toUpperCase()]) {
    await page.locator('#stock-find input').fill(text);
    await until(`${text} finds it`, async () => (await page.locator('#stock-list > li').count()) === 1 && (await row(page, item).count()) === 1);
  }
  await page.locator('#stock-find input').fill('no such thing');
  await says(page.locator('#stock-note'), 'No item has this in its name or id.');
  await page.unroute('**/inventory');
  await page.locator('#stock-find input').fill(item);
  await call(item, null);
  await says(row(page, item).locator('h3'), item);
  await until('the name is gone', async () => plain(await row(page, item).locator('h3').innerText()).trim() === item);
});

scenario('a name of another direction or of any length stays in its place', {}, async (open) => {
  const names = new Map();
  for (const name of ['إبريق شاي أزرق', '\u{1f980}'.repeat(100), 'W'.repeat(100), '蓝色茶壶'.repeat(25)]) {
    const item = await newItem(10);
    await call(item, name);
    names.set(item, name);
  }
  for (const viewport of [undefined, PHONE]) {
    const page = await open({ ...(viewport ? { viewport } : {}) });
    for (const [item, name] of names) {
      await says(row(page, item).locator('h3'), name);
      await fits(page);
      assert.equal(await row(page, item).locator('.item-name').evaluate((node) => node.tagName), 'BDI');
    }
  }
});

scenario('a picture is shown with words for it, from elsewhere too, and goes with its address', {}, async (open) => {
  const item = await newItem(10);
  await call(item, 'Teapot', PICTURE);
  try {
    const page = await open({ locale: 'zh-CN', friends: [PICTURES] });
    const picture = row(page, item).locator('.picture');
    await until('it is shown', () => isShown(page, item));
    assert.equal(plain(await picture.getAttribute('alt')), 'Teapot 的图片');
    await page.locator('#language').click();
    assert.equal(plain(await picture.getAttribute('alt')), 'Picture of Teapot');
    await accessible(page, 'with a picture');
    // Another server learns no more than that it was asked.
    let asked = null;
    await page.route(`${PICTURES}/**`, async (route) => {
      asked = await route.request().allHeaders();
      await route.fulfill({ contentType: 'image/svg+xml', body: '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>' });
    });
    await call(item, 'Teapot', `${PICTURES}/teapot.svg`);
    await until('the other is shown', async () => asked !== null && (await isShown(page, item)));
    assert.equal(asked.referer, undefined);
    await call(item, 'Teapot', null);
    await until('it is gone', async () => !(await picture.isVisible()));
  } finally {
    await call(item, 'Teapot', null);
  }
});

scenario('a picture that cannot be loaded leaves no trace, and the item can be bought', { expected: ['status of 404', 'net::ERR_FAILED'] }, async (open) => {
  const item = await newItem(10);
  await call(item, 'Teapot', `${BASE}/console/none.png`);
  try {
    const page = await open({ friends: [PICTURES] });
    await says(row(page, item).locator('h3'), 'Teapot');
    await until('it is not shown', () => isGone(page, item, `${BASE}/console/none.png`));
    await page.route(`${PICTURES}/**`, (route) => route.abort());
    await call(item, 'Teapot', `${PICTURES}/away.png`);
    await until('nor is the other', () => isGone(page, item, `${PICTURES}/away.png`));
    await row(page, item).locator('.add').click();
    await page.locator('#place').click();
    await says(page.locator('#orders-list .order-lines'), '1 × Teapot');
    // One that is there after all.
    await call(item, 'Teapot', PICTURE);
    await until('it is shown', () => isShown(page, item));
  } finally {
    await call(item, 'Teapot', null);
  }
});

scenario('the operator adds an item with a name and a picture, and sees the name in books and orders', { expected: ['status of 409'] }, async (open) => {
  const page = await open({ path: '/#operator/stock' });
  await signIn(page);
  const item = fresh();
  const enter = (name, image) => enterItem(page, { id: item, name, price: '10', 'on-hand': '5', image });
  for (const [name, image, words] of [
    ['x'.repeat(101), '', 'at most 100 characters; this has 101.'],
    ['a\u202eb', '', 'none that turn the direction of text'],
    ['Teapot', 'javascript:alert(1)', 'The address begins with https://'],
    ['Teapot', 'data:image/png;base64,AA', 'The address begins with https://'],
    ['Teapot', 'http://shop.example/a.png', 'The address begins with https://'],
    ['Teapot', 'teapot.png', 'The address begins with https://'],
  ]) {
    await enter(name, image);
    await says(page.locator('#new-form .error'), words);
  }
  await enter(' 茶壶 ', `${BASE}/console/icon.svg?名=1`);
  try {
    await says(page.locator('#new-form .note'), '茶壶 is in the shop: 5 on hand');
    const { name, image } = await stockOf(item);
    assert.deepEqual([name, image], ['茶壶', `${BASE}/console/icon.svg?%E5%90%8D=1`]);
    const order = await ask('POST', '/orders', { item_id: item, quantity: 2 });
    const forms = await unfold(page, item);
    await forms.locator('.delta').fill('-9');
    await forms.locator('.adjust button').click();
    await says(forms.locator('.adjust .error'), '茶壶');
    await goTo(page, 'books');
    await says(page.locator('#books-rows tr', { hasText: item }).locator('th'), `茶壶 ${item}`);
    await goTo(page, 'all');
    await says(page.locator('#all-list > li', { hasText: order.order_id }).locator('.order-lines'), `2 × 茶壶 ${item}`);
  } finally {
    await call(item, null, null);
  }
});
