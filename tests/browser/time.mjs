// The countdown goes by the server's clock.

import assert from 'node:assert/strict';

import { place, scenario, secondsLeft, textOf } from './support.mjs';

const HOUR_MS = 3_600_000;

/** What the page's clock is set wrong by. */
const shift = (milliseconds) => `
  const shift = ${milliseconds};
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...parts) {
      if (parts.length) super(...parts);
      else super(Right.now() + shift);
    }
    static now() { return Right.now() + shift; }
  };`;

/** Fails unless the countdown of a fresh order is what the order says. */
async function right(page) {
  const order = await place(page, { item1: 1 });
  // The machine that runs the test is taken to have the same clock as the server.
  const rest = (Date.parse(order.expires_at) - Date.now()) / 1000;
  const shown = await secondsLeft(order.card);
  assert.ok(Math.abs(shown - rest) < 2.5, `${shown} seconds are shown, ${rest} are left`);
}

for (const [words, by] of [['right', 0], ['an hour slow', -HOUR_MS], ['an hour fast', HOUR_MS]]) {
  scenario(`the countdown is right in a browser whose clock is ${words}`, {}, async (open) => {
    const page = await open({ script: shift(by) });
    const wrong = (await page.evaluate(() => Date.now())) - Date.now();
    assert.ok(Math.abs(wrong - by) < 2_000, `the clock is wrong by ${wrong} ms`);
    await right(page);
  });
}

const withoutDate = (page) =>
  page.route(/\/(inventory|orders|payments)/, async (route) => {
    const response = await route.fetch();
    const { date, ...headers } = response.headers();
    assert.ok(date);
    await route.fulfill({ response, headers });
  });

scenario('without a date header the countdown goes by when the order was placed', {}, async (open) => {
  const page = await open({ script: shift(HOUR_MS), before: withoutDate });
  await right(page);
  // Nothing is known after a reload: then it says until when, and counts nothing.
  const until = page.locator('.order .hold-words');
  await page.reload();
  await until.waitFor();
  assert.match(await textOf(until), /Held for you until .*\d/);
  assert.equal(await textOf(page.locator('.order .left')), '');
});

scenario('the countdown stays right when the clock is set while the page is open', {}, async (open) => {
  const page = await open();
  await page.evaluate(shift(HOUR_MS));
  await right(page);
});
