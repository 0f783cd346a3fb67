// The interactive pages of the API.

import assert from 'node:assert/strict';

import { BASE, picture, scenario, stockOf, textOf, until } from './support.mjs';

/** Opens /docs, with the rest of the network away. */
async function openDocs(open) {
  const elsewhere = [];
  const page = await open({
    path: '/docs',
    before: (page) =>
      page.route(
        (url) => url.origin !== new URL(BASE).origin,
        (route) => {
          elsewhere.push(route.request().url());
          return route.abort();
        },
      ),
  });
  return { page, elsewhere };
}

scenario('the API pages show every operation, offline', {}, async (open) => {
  const { page, elsewhere } = await openDocs(open);
  const { paths } = await (await fetch(`${BASE}/openapi.json`)).json();
  const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
  const operations = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.keys(verbs).filter((verb) => methods.includes(verb)).map((verb) => `${verb.toUpperCase()} ${path}`),
  );
  assert.ok(operations.includes('POST /orders') && operations.includes('GET /inventory'), operations.join());
  await page.locator('.opblock').first().waitFor();
  const shown = await page.evaluate(() =>
    [...document.querySelectorAll('.opblock')].map(
      (block) => `${block.querySelector('.opblock-summary-method').textContent} ${block.querySelector('.opblock-summary-path').dataset.path}`,
    ),
  );
  assert.deepEqual([...new Set(shown)].sort(), operations.sort());
  await picture(page, 'docs-light-desktop-en');
  assert.deepEqual(elsewhere, []);
});

scenario('a request can be tried out on the API pages', {}, async (open) => {
  const { page, elsewhere } = await openDocs(open);
  const block = page.locator('.opblock', { has: page.locator('.opblock-summary-path[data-path="/inventory"]') }).first();
  await block.locator('.opblock-summary').first().click();
  const execute = block.getByRole('button', { name: 'Execute' });
  const tryOut = block.getByRole('button', { name: /try it out/i });
  // It may be ready to be tried out from the start.
  await execute.or(tryOut).first().waitFor();
  if (await tryOut.count()) await tryOut.click();
  await execute.click();
  const answer = block.locator('.live-responses-table');
  await answer.waitFor();
  assert.match(await textOf(answer.locator('.response-col_status').last()), /200/);
  const { available } = await stockOf('item1');
  await until('the answer is shown', async () => (await answer.textContent()).includes(`"available": ${available}`));
  assert.deepEqual(elsewhere, []);
});

scenario('the console leads to the API pages', {}, async (open) => {
  const page = await open();
  await page.getByRole('link', { name: 'API', exact: true }).click();
  await page.locator('.opblock').first().waitFor();
  assert.equal(new URL(page.url()).pathname.replace(/\/$/, ''), '/docs');
});
