// How it looks, and whether everybody can use it. First of all tests, so that the pictures show a new shop.

import assert from 'node:assert/strict';

import { DESKTOP, PHONE, accessible, ask, available, fill, fits, goTo, pass, picture, place, says, scenario, secondsLeft, shows, signIn, until, withClock } from './support.mjs';

for (const colorScheme of ['light', 'dark']) {
  for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    for (const [language, locale] of Object.entries({ en: 'en-US', zh: 'zh-CN' })) {
      const name = `${colorScheme}-${size}-${language}`;
      scenario(`everybody can use it and it fits: ${colorScheme}, ${size}, ${language}`, {}, async (open) => {
        const page = await open({ colorScheme, viewport, locale, deviceScaleFactor: size === 'phone' ? 2 : 1 });
        assert.equal(await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches), colorScheme === 'dark');
        const paid = await place(page, { item3: 1 }, 'bob');
        await paid.card.locator('.pay').click();
        await until('it is paid', async () => (await paid.card.getAttribute('data-status')) === 'paid');
        const open_order = await place(page, { item1: 2, item2: 1 }, 'anna');
        await open_order.card.locator('summary').click();
        await open_order.card.locator('.history li').first().waitFor();
        await fits(page);
        await accessible(page, 'an open order');
        await picture(page, `shop-${name}`);
        await signIn(page);
        for (const [at, shown] of Object.entries({ packing: '#packing-list > li', all: '#all-list > li', goods: '#goods-rows tr', books: '#books-rows tr' })) {
          await goTo(page, at);
          await page.locator(shown).first().waitFor();
          await fits(page);
          // Each in both schemes, in one language and size; desk.mjs looks at them in others.
          if (name.endsWith(['packing', 'books'].includes(at) ? 'desktop-en' : 'phone-zh')) await accessible(page, `the operator’s part: ${at}`);
          await picture(page, `operator-${at}-${name}`);
        }
      });
    }
  }
}

for (const colorScheme of ['light', 'dark']) {
  const expected = ['status of 409', 'status of 401', 'net::ERR_FAILED'];
  scenario(`everybody can read what went wrong: ${colorScheme}`, { expected }, async (open) => {
    const page = await open({ colorScheme, viewport: PHONE });
    await fill(page, { item1: 1_000_000 });
    await accessible(page, 'more than there is');
    await page.locator('#place').click();
    await says(page.locator('#form-error'), 'not enough stock');
    await page.locator('#lines input').fill('0');
    await page.locator('#place').click();
    await says(page.locator('.line-error'), 'whole number');
    await accessible(page, 'a wrong quantity');
    await page.route('**/inventory', (route) => route.abort());
    await says(page.locator('#connection'), 'cannot be reached');
    await accessible(page, 'no server');
    await picture(page, `errors-${colorScheme}-phone-en`);
    await page.unroute('**/inventory');
    await signIn(page, 'wrong');
    await says(page.locator('#token-error'), 'not the operator’s token');
    await accessible(page, 'a wrong token');
    await fits(page);
  });
}

scenario('the two colour schemes differ', {}, async (open) => {
  const colours = [];
  for (const colorScheme of ['light', 'dark']) {
    const page = await open({ colorScheme });
    colours.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  assert.notEqual(colours[0], colours[1]);
});

scenario('nothing moves for who wants no motion', {}, async (open) => {
  for (const [reducedMotion, seconds] of [['no-preference', '0.3s'], ['reduce', '0s']]) {
    const page = await open({ reducedMotion });
    const duration = await page.evaluate(() => getComputedStyle(document.querySelector('.bar span')).transitionDuration);
    assert.equal(duration, seconds, reducedMotion);
  }
});

scenario('an order is placed and paid by keyboard only', {}, async (open) => {
  const page = await open();
  /** Presses Tab until the focus is on what matches. */
  const tabTo = async (selector) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
    }
    assert.fail(`Tab never reached ${selector}`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip', 'the first is the way to the content');
  await page.keyboard.press('Enter');
  await tabTo('.line-item');
  await page.keyboard.press('ArrowDown');
  await tabTo('.line-quantity');
  await page.keyboard.press('ArrowUp');
  await tabTo('#add-line');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'line-item', 'the new line has the focus');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await tabTo('#customer');
  await page.keyboard.type('keyboard');
  await tabTo('#place');
  await page.keyboard.press('Enter');
  await says(page.locator('#outcome'), 'is placed');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'place', 'the focus stays');
  await tabTo('.pay');
  await page.keyboard.press('Space');
  await says(page.locator('#outcome'), 'is paid');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H3', 'the focus is at the order, since the button is gone');
  const id = await page.locator('#orders-list > .order').first().getAttribute('data-order');
  const order = await ask('GET', `/orders/${id}`);
  assert.equal(order.status, 'paid');
  assert.deepEqual(order.items.map(({ quantity }) => quantity), [2, 1]);
});

scenario('the focus stays where it is while stock and orders change', {}, async (open) => {
  const page = await open();
  await place(page, { item1: 1 });
  const add = page.locator('#stock-list li').nth(1).locator('.add');
  await add.focus();
  await page.evaluate(() => (window.focused = document.activeElement));
  const item2 = await ask('POST', '/inventory/item2/adjustments', { delta: 3 }, { operator: true });
  await shows(available(page, 'item2'), item2.available);
  assert.ok(await page.evaluate(() => document.activeElement === window.focused && window.focused.isConnected));
});

scenario('a screen reader is told outcomes and not every poll', {}, async (open) => {
  const page = await open(withClock);
  await page.evaluate(() => {
    window.spoken = [];
    const live = 'output, [role=status], [role=alert], [aria-live]:not([aria-live=off])';
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const place = (target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement)?.closest(live);
        if (place) window.spoken.push(place.textContent);
      }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  const order = await place(page, { item1: 1 });
  await says(page.locator('#outcome'), 'is placed');
  assert.ok((await page.evaluate(() => window.spoken)).some((text) => text.includes('is placed')));
  await page.evaluate(() => (window.spoken = []));
  const item1 = await ask('POST', '/inventory/item1/adjustments', { delta: 1 }, { operator: true });
  const left = await secondsLeft(order.card);
  await pass(page, 6_000);
  await shows(available(page, 'item1'), item1.available);
  // By the server's time, which passes as it does.
  await until('it counts down', async () => (await secondsLeft(order.card)) < left);
  assert.deepEqual(await page.evaluate(() => window.spoken), []);
});

scenario('the first paint takes less than 200 kB', {}, async (open) => {
  let bytes = 0;
  let files = 0;
  const page = await open({
    before: async (page) => {
      const devtools = await page.context().newCDPSession(page);
      await devtools.send('Network.enable');
      devtools.on('Network.loadingFinished', ({ encodedDataLength }) => {
        bytes += encodedDataLength;
        files += 1;
      });
    },
  });
  await page.waitForLoadState('networkidle').catch(() => {});
  assert.ok(files >= 10, `${files} files were counted`);
  assert.ok(bytes > 10_000 && bytes < 200_000, `${bytes} bytes`);
});
