// Paying at a payment provider: a stand-in for Stripe, with a page of its own.

import assert from 'node:assert/strict';

import { BASE, BRIEF_SHOP, NO_PROVIDER, PAID_SHOP, PHONE, PROVIDER, accessible, ask, available, card, fits, pass, passUntil, picture, place, plain, provider, says, scenario, shows, signIn, stockOf, textOf, until, withClock } from './support.mjs';

const skip = NO_PROVIDER;
const skipBrief = skip || (BRIEF_SHOP ? false : 'BASE_URL_PROVIDER_SHORT is not set');

const SHOP = { base: PAID_SHOP, friends: [PROVIDER] };

const sessionsOf = async (id) => (await provider('GET', 'sessions')).filter(({ order }) => order === id);
const chargesOf = async (id) => (await provider('GET', 'charges')).filter(({ order }) => order === id);

/** What the shop itself says of an order. */
const stateOf = (id, base = PAID_SHOP) => ask('GET', `/orders/${id}`, undefined, { base });

/** Presses the button that pays, and waits for the provider's page. */
async function goToPay(page, order) {
  await order.card.locator('.pay').click();
  await page.waitForURL(`${PROVIDER}/pay/**`);
}

const onProvider = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** Waits for the way back to the shop. */
async function back(page, base = PAID_SHOP) {
  await page.waitForURL((url) => url.origin === base);
  // What the provider has added is taken out of the address.
  await until('the address is plain', () => !page.url().includes('payment=') || page.url());
}

const LANGUAGES = {
  'en-US': {
    pay: 'Pay',
    decline: 'Be declined',
    later: /^Pay later \(arrives/,
    failing: /^Pay later \(fails/,
    leave: 'Leave without paying',
    declined: 'declined',
    test: 'Test mode',
    none: 'No money moves',
    paid: 'is paid: CN¥10.00.',
    left: /You left the payment page before you paid\. You can pay until .*\d/,
    processing: 'Your payment is being processed.',
    failed: /The payment has failed, and you were not charged\. You can pay again until .*\d/,
    refused: 'The payment is being processed. The order cannot be cancelled before that has ended.',
    expired: 'has expired',
    continue: 'Continue to payment',
    unmoved: 'nothing: no money moved',
  },
  'zh-CN': {
    pay: '付款',
    decline: '付款被拒',
    later: /^稍后付款（.*到账/,
    failing: /^稍后付款（.*失败/,
    leave: '不付款，返回',
    declined: '被拒绝',
    test: '测试模式',
    none: '不会有资金流动',
    paid: '已付款：¥10.00。',
    left: /您离开了付款页面，尚未付款。请在 .*\d.* 前付款。/,
    processing: '付款正在处理中，商品为您保留。',
    failed: /付款失败，您没有被扣款。可在 .*\d.* 前重新付款。/,
    refused: '付款正在处理中，处理结束前不能取消订单。',
    expired: '已过期',
    continue: '继续付款',
    unmoved: '没有资金流动',
  },
};

for (const [locale, words] of Object.entries(LANGUAGES)) {
  scenario(`an order is paid at the provider’s page, and the buyer charged once: ${locale}`, { skip }, async (open) => {
    const page = await open({ ...SHOP, locale });
    await says(page.locator('#money.test'), words.test);
    const order = await place(page, { item1: 1 });
    await goToPay(page, order);
    assert.equal((await stateOf(order.order_id)).status, 'pending', 'until the buyer has paid');
    await onProvider(page, words.pay);
    await back(page);
    await says(page.locator('#outcome'), words.paid);
    assert.equal(await order.card.getAttribute('data-status'), 'paid');
    assert.equal(await order.card.locator('.actions').isVisible(), false);
    await says(page.locator('#money.test'), words.test);
    const { status, payment } = await stateOf(order.order_id);
    assert.deepEqual([status, payment.charged, payment.amount], ['paid', true, 1000]);
    assert.equal((await chargesOf(order.order_id)).length, 1);
  });

  scenario(`the provider’s page calls an item what it was called when it was sold: ${locale}`, { skip }, async (open) => {
    const call = (name) => ask('PUT', '/inventory/item3', { unit_price: 1500, name }, { operator: true, base: PAID_SHOP });
    await call('蓝色茶壶 & <b>"A"</b>');
    try {
      const page = await open({ ...SHOP, locale });
      const order = await place(page, { item3: 1 });
      await call('Cup');
      await goToPay(page, order);
      await says(page.locator('table'), '蓝色茶壶 & <b>"A"</b>');
    } finally {
      await call(null);
    }
  });

  scenario(`a payment that is declined can be made again, or left and continued: ${locale}`, { skip }, async (open) => {
    const page = await open({ ...SHOP, locale });
    const order = await place(page, { item1: 1 });
    await goToPay(page, order);
    await onProvider(page, words.decline);
    await says(page.getByRole('alert'), words.declined);
    await page.getByRole('link', { name: words.leave }).click();
    await back(page);
    await says(order.card.locator('.progress'), words.left);
    assert.equal(await order.card.locator('.hold').isVisible(), false, 'no countdown, since the goods are held until the provider has decided');
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H3', 'the focus is at the order');
    await says(order.card.locator('.pay'), words.continue);
    await goToPay(page, order);
    await onProvider(page, words.pay);
    await back(page);
    await says(page.locator('#outcome'), words.paid);
    assert.equal((await sessionsOf(order.order_id)).length, 1, 'there was one place to pay');
    assert.equal((await chargesOf(order.order_id)).length, 1);
  });

  scenario(`a payment that takes a while is waited for, and holds the goods: ${locale}`, { skip, expected: ['status of 409'] }, async (open) => {
    const page = await open({ ...SHOP, locale });
    const order = await place(page, { item1: 1 });
    await goToPay(page, order);
    // By itself it would arrive after a time that the stand-in knows.
    const [{ id: session }] = await sessionsOf(order.order_id);
    await provider('POST', `sessions/${session}/pay-later`);
    await page.goto(`${PAID_SHOP}/?order=${order.order_id}&payment=returned`);
    await back(page);
    await says(order.card.locator('.progress'), words.processing);
    await order.card.locator('.cancel').click();
    await says(order.card.locator('.error'), words.refused);
    assert.equal(await order.card.getAttribute('data-status'), 'pending');
    await accessible(page, 'processing');
    await provider('POST', `sessions/${session}/settle`);
    await says(page.locator('#outcome'), words.paid);
    await until('nothing else is said', async () => (await order.card.locator('.progress').innerText()) === '' || 'there');
  });

  scenario(`a payment that fails after a while can be made again: ${locale}`, { skip }, async (open) => {
    const page = await open({ ...SHOP, locale });
    const order = await place(page, { item1: 1 });
    await goToPay(page, order);
    await page.getByRole('button', { name: words.failing }).click();
    await back(page);
    await says(order.card.locator('.progress'), words.processing);
    const [{ id: session }] = await sessionsOf(order.order_id);
    await provider('POST', `sessions/${session}/fail`);
    await until('it can be paid again', async () => {
      const text = plain(await order.card.locator('.progress').innerText());
      return words.failed.test(text) || /You can pay again\.|可以重新付款。/.test(text) || text;
    });
    await goToPay(page, order);
    await onProvider(page, words.pay);
    await back(page);
    await says(page.locator('#outcome'), words.paid);
    assert.equal((await chargesOf(order.order_id)).length, 1);
  });

  scenario(`without a provider the page says that no money moves: ${locale}`, {}, async (open) => {
    const page = await open({ locale });
    await says(page.locator('#money'), words.none);
    assert.equal(await page.locator('#money.test').count(), 0);
    const order = await place(page, { item1: 1 });
    await order.card.locator('.pay').click();
    await until('it is paid', async () => (await order.card.getAttribute('data-status')) === 'paid');
    await says(order.card, words.unmoved);
    assert.equal((await ask('GET', `/orders/${order.order_id}`)).payment.charged, false);
    await signIn(page);
    await says(page.locator('#money'), words.none);
  });
}

scenario('an order is cancelled while it could be paid, and cannot be paid then', { skip }, async (open) => {
  const page = await open(SHOP);
  const before = await stockOf('item2', { base: PAID_SHOP });
  const order = await place(page, { item2: 2 });
  await goToPay(page, order);
  await page.getByRole('link', { name: 'Leave without paying' }).click();
  await back(page);
  await says(order.card.locator('.pay'), 'Continue to payment');
  await order.card.locator('.cancel').click();
  await says(page.locator('#outcome'), 'is cancelled');
  await shows(available(page, 'item2'), before.available);
  const [session] = await sessionsOf(order.order_id);
  assert.equal(session.status, 'expired');
  await page.goto(session.url);
  await says(page.locator('main'), 'This can no longer be paid.');
});

scenario('an order that expires while its buyer is away is told as expired', { skip: skipBrief, expected: ['status of 409'] }, async (open) => {
  // Both languages at once: what takes long is the time until the order expires.
  const each = async ([locale, words]) => {
    const page = await open({ ...SHOP, base: BRIEF_SHOP, locale });
    const order = await place(page, { item1: 1 });
    await goToPay(page, order);
    await page.waitForTimeout(Math.max(0, Date.parse(order.expires_at) - Date.now() + 500));
    await page.getByRole('link', { name: words.leave }).click();
    await back(page, BRIEF_SHOP);
    await says(order.card.locator('.progress'), words.left);
    assert.equal((await stateOf(order.order_id, BRIEF_SHOP)).status, 'pending', 'what can be paid is held');
    const [{ id: session }] = await sessionsOf(order.order_id);
    await provider('POST', `sessions/${session}/close`);
    await order.card.locator('.pay').click();
    await says(page.locator('#outcome'), words.expired);
    assert.equal(await order.card.getAttribute('data-status'), 'expired');
    assert.deepEqual(await chargesOf(order.order_id), []);
  };
  await Promise.all(Object.entries(LANGUAGES).map(each));
});

scenario('money that is charged after all for an order that was cancelled goes back, and the buyer is told', { skip }, async (open) => {
  const page = await open(SHOP);
  const order = await place(page, { item1: 1 });
  await goToPay(page, order);
  await provider('POST', 'settings', { faults: ['closed-yet-payable@expire*1'] });
  await ask('POST', `/orders/${order.order_id}/cancel`, undefined, { base: PAID_SHOP });
  await onProvider(page, 'Pay');
  await back(page);
  await says(page.locator('#outcome'), 'is cancelled');
  await says(order.card.locator('.progress'), 'The money was given back to you.');
  const [charge] = await chargesOf(order.order_id);
  assert.equal(charge.refunded, charge.amount);
});

scenario('the way back by the browser’s own button shows how far the payment is', { skip }, async (open) => {
  const page = await open(SHOP);
  const order = await place(page, { item1: 1 });
  await goToPay(page, order);
  await page.goBack();
  await back(page);
  await says(order.card.locator('.progress'), /You can pay until .*\d/);
  // As if the page had been kept as it was left.
  const [{ id: session }] = await sessionsOf(order.order_id);
  await provider('POST', `sessions/${session}/pay-later`);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await says(order.card.locator('.progress'), 'is being processed');
  await provider('POST', `sessions/${session}/settle`);
  await says(page.locator('#outcome'), 'is paid');
});

scenario('the buyer may come back in another browser', { skip }, async (open) => {
  const one = await open(SHOP);
  const order = await place(one, { item1: 1 });
  await goToPay(one, order);
  const [{ id: session }] = await sessionsOf(order.order_id);
  const other = await open({ ...SHOP, path: `/?order=${order.order_id.toUpperCase()}&payment=returned&from=shop#shop` });
  await says(card(other, order.order_id).locator('.progress'), /The payment was not made, and you were not charged\. You can pay until .*\d/);
  assert.equal(new URL(other.url()).search, '?from=shop');
  await provider('POST', `sessions/${session}/pay`);
  await says(other.locator('#outcome'), 'is paid');
  await other.reload();
  await says(card(other, order.order_id).locator('.status'), 'Paid');
});

scenario('a link to an order does not pay it', {}, async (open) => {
  const { order_id } = await ask('POST', '/orders', { item_id: 'item1', quantity: 1 });
  const page = await open({ ...withClock, path: `/?order=${order_id}&payment=returned` });
  const paid = [];
  page.on('request', (request) => request.method() === 'POST' && paid.push(request.url()));
  await says(card(page, order_id).locator('.status'), 'Pending');
  await pass(page, 20_000);
  assert.deepEqual(paid, []);
  assert.equal((await ask('GET', `/orders/${order_id}`)).status, 'pending');
});

scenario('a link to an order that is not there says so', { expected: ['status of 404'] }, async (open) => {
  const page = await open({ path: '/?order=00000000-0000-4000-8000-000000000000&payment=left' });
  await says(page.locator('#outcome'), 'There is no such order.');
  assert.equal(await page.locator('#orders-list > .order').count(), 0);
});

for (const colorScheme of ['light', 'dark']) {
  scenario(`everybody can see how far a payment is: ${colorScheme}`, { skip }, async (open) => {
    for (const [locale, words] of Object.entries(LANGUAGES)) {
      const page = await open({ ...SHOP, colorScheme, locale, viewport: PHONE });
      await says(page.locator('#money.test'), words.test);
      const order = await place(page, { item1: 1 });
      await goToPay(page, order);
      await page.getByRole('link', { name: words.leave }).click();
      await back(page);
      await says(order.card.locator('.progress'), words.left);
      assert.equal(await order.card.locator('.progress').getAttribute('role'), 'status');
      await fits(page);
      await accessible(page, 'an open payment');
      await picture(page, `payment-${colorScheme}-phone-${locale.slice(0, 2)}`);
    }
  });
}

// What a provider seldom does, played in the browser.

const PAGE = 'https://pay.example/session';

/** Has the shop say this of an order's payment, each time that it is to be paid: what is last stays. */
async function script(page, order, ...answers) {
  const asked = [];
  let current = { ...order, card: undefined };
  await page.route(`**/orders/${order.order_id}`, (route) => route.fulfill({ json: current }));
  await page.route(`**/orders/${order.order_id}/pay`, (route) => {
    asked.push(route.request().url());
    const decided = current.status !== 'pending' && { problem: { status: 409, code: 'order_not_payable' } };
    const answer = decided || answers[Math.min(asked.length, answers.length) - 1];
    if (answer.problem) {
      const { status, code } = answer.problem;
      const body = JSON.stringify({ code, status, title: code, detail: 'Played.', order_status: current.status });
      return route.fulfill({ status, contentType: 'application/problem+json', body });
    }
    current = { ...current, payment: { status: 'at_provider', provider: 'stripe' } };
    return route.fulfill({ status: 202, headers: answer.headers, json: { ...current, payment: { provider: 'stripe', ...answer.payment } } });
  });
  return { asked, become: (changed) => (current = { ...current, ...changed }) };
}

const openAt = (url) => ({ payment: { status: 'open', url, expires_at: '2099-01-01T00:00:00.000Z' } });
const PROCESSING = { payment: { status: 'processing' } };

scenario('only a safe address is opened as the payment page', {}, async (open) => {
  const unsafe = ['http://pay.example/session', 'javascript:alert(1)', 'data:text/html,x', 'https://pay.example@evil.example/', '//pay.example', 'pay', ''];
  const safe = [PAGE, 'http://localhost:1/session', 'http://127.0.0.1:1/session', 'http://[::1]:1/session'];
  const page = await open({ friends: safe.map((url) => new URL(url).origin) });
  for (const url of safe) await page.route(`${new URL(url).origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<link rel="icon" href="data:,">' }));
  const order = await place(page, { item1: 1 });
  const { asked } = await script(page, order, ...unsafe.map(openAt));
  for (const [index, url] of unsafe.entries()) {
    await order.card.locator('.pay').click();
    await until('it has asked', () => asked.length === index + 1 || asked.length);
    await says(order.card.locator('.error'), 'The address of the payment page is not safe.');
    assert.equal(page.url(), `${BASE}/`, url);
  }
  for (const url of safe) {
    const order = await place(page, { item1: 1 });
    await script(page, order, openAt(url));
    await order.card.locator('.pay').click();
    await page.waitForURL(url);
    await page.goto('/');
    await page.locator('#stock-list li').first().waitFor();
  }
});

scenario('a provider that does not answer, or talks nonsense, is told in words', { expected: ['status of 503', 'status of 502'] }, async (open) => {
  for (const [locale, unavailable, nonsense] of [
    ['en-US', 'The payment provider does not answer.', 'The payment provider refuses, or its answer makes no sense.'],
    ['zh-CN', '支付服务商没有响应', '支付服务商拒绝了请求'],
  ]) {
    const page = await open({ ...withClock, locale });
    const order = await place(page, { item1: 1 });
    const problems = [{ problem: { status: 503, code: 'payment_provider_unavailable' } }, { problem: { status: 502, code: 'payment_provider_error' } }];
    const { asked } = await script(page, order, ...problems);
    await order.card.locator('.pay').click();
    await says(order.card.locator('.error'), unavailable);
    await order.card.locator('.pay').click();
    await says(order.card.locator('.error'), nonsense);
    assert.equal(await page.locator('#connection').innerText(), '', 'the shop is there');
    await pass(page, 5_000);
    assert.equal(asked.length, 2, 'each press asks once');
  }
});

scenario('a payment that is processed is asked about with pauses that grow, and not while nobody looks', {}, async (open) => {
  const page = await open({
    ...withClock,
    script: () => {
      window.away = false;
      Object.defineProperty(document, 'hidden', { get: () => window.away });
    },
  });
  const look = (away) =>
    page.evaluate((away) => {
      window.away = away;
      document.dispatchEvent(new Event('visibilitychange'));
    }, away);
  const order = await place(page, { item1: 1 });
  const { asked } = await script(page, order, PROCESSING);
  await order.card.locator('.pay').click();
  await says(order.card.locator('.progress'), 'is being processed');
  const at = [];
  await passUntil(page, 'it was asked three times more', async () => {
    if (asked.length > at.length) at.push(await page.evaluate(() => performance.now()));
    return at.length >= 4 || at.length;
  });
  const pauses = at.slice(1).map((next, index) => next - at[index]);
  // A poll, of one every 1.5 seconds, starts each, and time passes here in steps.
  assert.ok(pauses[0] >= 2_400 && pauses[1] >= 3_900 && pauses[2] >= 6_100, `${pauses}`);
  await look(true);
  const before = asked.length;
  await pass(page, 60_000);
  assert.equal(asked.length, before);
  await look(false);
  await until('it is asked at once', () => asked.length > before, 3_000);
});

scenario('a page that waits does not ask for ever', {}, async (open) => {
  const page = await open(withClock);
  const order = await place(page, { item1: 1 });
  const { asked } = await script(page, order, PROCESSING);
  await order.card.locator('.pay').click();
  await says(order.card.locator('.progress'), 'is being processed');
  await until('it has asked for the last time', async () => {
    if ((await textOf(order.card.locator('.progress'))).includes('is still being processed')) return true;
    await page.clock.fastForward(5_000);
    return asked.length;
  });
  assert.ok(asked.length >= 10 && asked.length <= 21, `${asked.length}`);
  const before = asked.length;
  for (let steps = 0; steps < 60; steps++) await page.clock.fastForward(30_000);
  assert.equal(asked.length, before);
  await order.card.getByRole('button', { name: 'Ask again' }).click();
  await until('it is asked', () => asked.length === before + 1);
});

scenario('a payment that was processed and failed is not opened again before the buyer wants it', {}, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  const { asked } = await script(page, order, PROCESSING, openAt(PAGE));
  await order.card.locator('.pay').click();
  await says(order.card.locator('.progress'), 'is being processed');
  await order.card.getByRole('button', { name: 'Ask again' }).click();
  await says(order.card.locator('.progress'), /The payment has failed, and you were not charged\. You can pay again until .*2099|You can pay again until .*99/);
  assert.equal(page.url(), `${BASE}/`);
  await says(order.card.locator('.pay'), 'Continue to payment');
  assert.equal(asked.length, 2);
});

scenario('a payment that the provider has closed can be made again', {}, async (open) => {
  for (const [locale, words] of [['en-US', 'The payment was not made, and you were not charged. You can pay again.'], ['zh-CN', '付款未完成，您没有被扣款，可以重新付款。']]) {
    const page = await open({ locale, friends: [new URL(PAGE).origin] });
    await page.route(PAGE, (route) => route.fulfill({ contentType: 'text/html', body: '<link rel="icon" href="data:,">' }));
    const order = await place(page, { item1: 1 });
    const { become } = await script(page, order, PROCESSING, openAt(PAGE));
    await order.card.locator('.pay').click();
    await order.card.locator('.progress').filter({ hasText: /./ }).waitFor();
    become({ payment: undefined });
    await says(order.card.locator('.progress'), words);
    await order.card.locator('.pay').click();
    await page.waitForURL(PAGE);
  }
});

scenario('an answer that is older than what the page knows changes nothing', { expected: ['status of 409'] }, async (open) => {
  const page = await open();
  const order = await place(page, { item1: 1 });
  const { become } = await script(page, order, PROCESSING);
  // The question about the order was sent before the payment, and is answered after it.
  let answer;
  const late = new Promise((resolve) => (answer = resolve));
  let held = false;
  await page.route(`**/orders/${order.order_id}`, async (route) => {
    if (held) return route.fallback();
    held = true;
    await late;
    return route.fulfill({ json: { ...order, card: undefined } });
  });
  await until('it is asked about', () => held);
  await order.card.locator('.pay').click();
  await says(order.card.locator('.progress'), 'is being processed');
  const said = await order.card.locator('.progress').evaluateHandle((node) => {
    const texts = [];
    new MutationObserver(() => texts.push(node.textContent)).observe(node, { childList: true, subtree: true, characterData: true });
    return texts;
  });
  answer();
  await page.waitForTimeout(500);
  assert.deepEqual(await said.jsonValue(), []);
  become({ status: 'expired', payment: undefined });
  await page.route(`**/orders/${order.order_id}/history`, (route) => route.fulfill({ json: { order_id: order.order_id, status: 'expired', events: [] } }));
  await says(page.locator('#outcome'), 'has expired');
});

scenario('a charge that comes too late is told, and what becomes of the money', { expected: ['status of 409'] }, async (open) => {
  for (const [locale, words, history] of [
    ['en-US', ['The money is being given back to you.', 'The money was given back to you.', 'the money could not be given back'], 'Charged without paying the order; the money was given back'],
    ['zh-CN', ['款项正在退还给您。', '款项已退还给您。', '款项未能退还'], '扣款未用于付款，已退款'],
  ]) {
    for (const ending of ['refunded_late', 'late_refund_failed']) {
      const page = await open({ ...withClock, locale });
      const order = await place(page, { item1: 1 });
      const { become } = await script(page, order, PROCESSING);
      let event = 'refunding_late';
      const events = () => ['placed', 'expired', event].map((event) => ({ at: order.placed_at, event, text: event }));
      await page.route(`**/orders/${order.order_id}/history`, (route) =>
        route.fulfill({ json: { order_id: order.order_id, status: 'expired', events: events() } }),
      );
      await order.card.locator('.pay').click();
      await order.card.locator('.progress').filter({ hasText: /./ }).waitFor();
      become({ status: 'expired', payment: undefined });
      const tells = (text) => passUntil(page, `tells ${text}`, async () => (await textOf(order.card.locator('.progress'))).includes(text));
      await tells(words[0]);
      event = ending;
      await tells(words[ending === 'refunded_late' ? 1 : 2]);
      await accessible(page, ending);
      await order.card.locator('summary').click();
      if (ending === 'refunded_late') await says(order.card.locator('.history'), history);
    }
  }
});
