// A storefront: a page of another origin, which uses the shop by fetch (CORS).

import assert from 'node:assert/strict';
import { createServer } from 'node:http';

import { BASE, STOREFRONT, TOKEN, scenario, stockOf } from './support.mjs';

/** Serves an empty page while `run` runs, at a port of this machine; at any, if it is 0. */
async function served(port, run) {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><link rel="icon" href="data:,"><title>A storefront</title>');
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    return await run(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** What fetch gives a page: status, body and the headers that it may read; or that the browser refuses. */
const ask = (page, path, options) =>
  page.evaluate(
    async ([url, options]) => {
      try {
        const answer = await fetch(url, options);
        return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.json() };
      } catch (error) {
        return { refused: error.name };
      }
    },
    [BASE + path, options],
  );

const post = (body, headers = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

// Of refusals, which are asked for on purpose.
const refusals = ['status of 409', 'status of 404'];

scenario('a storefront that the shop names sells, and reads what it is told', { expected: [BASE, ...refusals], skip: !STOREFRONT }, (open) =>
  served(new URL(STOREFRONT).port, async (base) => {
    const page = await open({ base, path: '/storefront' });
    const { available } = await stockOf('item1');
    const order = post({ item_id: 'item1', quantity: 2 }, { 'idempotency-key': `storefront-${Date.now()}` });
    const placed = await ask(page, '/orders', order);
    assert.equal(placed.status, 201);
    assert.equal(placed.headers.location, `/orders/${placed.body.order_id}`);
    assert.ok(placed.headers['x-request-id']);
    const again = await ask(page, '/orders', order);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.equal((await stockOf('item1')).available, available - 2);

    const shown = await ask(page, placed.headers.location);
    assert.deepEqual([shown.status, shown.body.status], [200, 'pending']);
    const paid = await ask(page, `${placed.headers.location}/pay`, {
      method: 'POST',
      headers: { 'if-match': shown.headers.etag },
    });
    assert.deepEqual([paid.status, paid.body.status], [200, 'paid']);

    const refused = await ask(page, '/orders', post({ item_id: 'item1', quantity: 1_000_000 }));
    assert.deepEqual([refused.status, refused.body.code], [409, 'insufficient_stock']);
    const missing = await ask(page, '/nowhere');
    assert.deepEqual([missing.status, missing.body.code], [404, 'not_found']);
  }),
);

const blocked = ['blocked by CORS policy', 'Failed to load resource'];

scenario('a page that the shop does not name can read nothing and place nothing', { expected: [BASE, ...blocked], skip: !STOREFRONT }, (open) =>
  served(0, async (base) => {
    assert.notEqual(base, STOREFRONT);
    const page = await open({ base, path: '/storefront' });
    const before = await stockOf('item1');
    for (const [path, options] of [
      ['/inventory'],
      ['/orders', post({ item_id: 'item1', quantity: 1 })],
      ['/inventory/item1', { headers: { 'if-match': '"x"' } }],
    ]) {
      assert.deepEqual(await ask(page, path, options), { refused: 'TypeError' });
    }
    assert.deepEqual(await stockOf('item1'), before);
  }),
);

scenario('a storefront can do nothing that is for the operator', { expected: [BASE, ...blocked], skip: !STOREFRONT }, (open) =>
  served(new URL(STOREFRONT).port, async (base) => {
    const page = await open({ base, path: '/storefront' });
    const before = await stockOf('item1');
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    for (const [path, options] of [
      ['/inventory/item1', { method: 'PUT', headers, body: '{"unit_price":1}' }],
      ['/inventory/item1/adjustments', { method: 'POST', headers, body: '{"delta":1}' }],
      ['/orders', { headers }],
      ['/books', { headers }],
    ]) {
      assert.deepEqual(await ask(page, path, options), { refused: 'TypeError' });
    }
    assert.deepEqual(await stockOf('item1'), before);
  }),
);
