// A list of orders that the operator reads page by page.

import { query } from './api.js';
import { now } from './clock.js';
import { arrange, element, foreign, write } from './dom.js';
import { hush, money, say } from './language.js';
import { describe, shortId, time } from './orders.js';
import { clear } from './problem.js';
import { read } from './session.js';

const PAGE = 20;
/** A page may be empty and yet have a next one: this number of pages is looked through before the operator is asked. */
const EMPTY_PAGES = 5;
const DAY_MS = 86_400_000;
/** How long after its end an order whose payment is at the provider is taken to be stuck there. */
const STUCK_MS = 3_600_000;

/** The date of the day that was `ago` days before today, in UTC, as the shop has days. */
export const day = (ago = 0) => new Date((now() ?? Date.now()) - ago * DAY_MS).toISOString().slice(0, 10);

/** The address of the page of one order. */
export const page = (id) => `#operator/orders/${id}`;

/**
 * A list in the elements `list`, `note`, `more` and `error`. `make` makes a row, `update` fills it; `words` are the texts for
 * nothing, nothing yet, all of them, and some of them. The focus goes to `top` where there are no more.
 */
export function listing({ list, note, more, error, top, words, make = row, update = fill }) {
  let orders = [];
  let next = null;
  let filters = {};
  let known = false;
  /** The number of the last request: answers to earlier ones are ignored. */
  let asked = 0;
  const rows = new Map();

  async function load(cursor) {
    const turn = ++asked;
    clear(error);
    for (let empty = 0, at = cursor; empty < EMPTY_PAGES; empty++) {
      const answer = await read(error, `/orders?${query({ limit: PAGE, ...filters, ...(at ? { cursor: at } : {}) })}`);
      if (!answer || turn !== asked) return;
      take(answer.body, cursor === null && empty === 0);
      if (answer.body.orders.length > 0 || !next) return;
      at = next;
    }
  }

  function take(page, first) {
    const before = new Set(first ? [] : orders.map((order) => order.order_id));
    orders = [...(first ? [] : orders), ...page.orders.filter((order) => !before.has(order.order_id))];
    next = page.next;
    known = true;
    draw();
  }

  function draw() {
    if (!next && document.activeElement === more) top().focus();
    more.hidden = !next;
    const [none, noneYet, all, some] = words;
    if (!known) hush(note);
    else if (orders.length) say(note, next ? some : all, { n: orders.length });
    else say(note, next ? noneYet : none);
    arrange(list, orders.map((order) => order.order_id), rows, make);
    for (const order of orders) update(rows.get(order.order_id), order);
  }

  more.addEventListener('click', async () => {
    const last = orders.at(-1)?.order_id;
    await load(next);
    // The focus goes where the list goes on.
    if (document.activeElement === more || document.activeElement === document.body) rows.get(last)?.nextElementSibling?.querySelector('a')?.focus();
  });

  return {
    draw,
    row: (id) => rows.get(id),
    /** Reads it from its beginning. */
    show(wanted) {
      filters = wanted;
      return load(null);
    },
    refresh: () => load(null),
    /** Shows what was already read. */
    take: (page) => take(page, true),
    /** Takes what an order has become, or takes it out where it does not belong any more. */
    change(order, belongs = true) {
      orders = belongs ? orders.map((other) => (other.order_id === order.order_id ? { ...other, ...order } : other)) : orders.filter((other) => other.order_id !== order.order_id);
      draw();
    },
    forget() {
      asked += 1;
      orders = [];
      next = null;
      known = false;
      draw();
    },
  };
}

/** A row that leads to the order. */
export function row(id) {
  return element(
    'li',
    { class: 'order' },
    element('div', { class: 'heading' }, element('h3', {}, link(id)), element('span', { class: 'status' })),
    element('ul', { class: 'troubles' }),
    element('ul', { class: 'order-lines' }),
    element('p', { class: 'order-total' }),
    element('p', { class: 'muted' }, element('time'), ' ', foreign('', { class: 'foreign customer' }), element('br'), foreign(id)),
  );
}

/** The way to the page of an order. */
export function link(id) {
  const way = element('a', { href: page(id) });
  say(way, 'order.name', { id: shortId(id) });
  return way;
}

export function fill(row, order) {
  row.dataset.status = order.status;
  row.dataset.order = order.order_id;
  say(row.querySelector('.status'), `status.${order.status}`);
  write(row.querySelector('.order-total'), money(order.total, order));
  const at = time(order.placed_at);
  if (row.querySelector('time').textContent !== at.textContent) row.querySelector('time').replaceWith(at);
  const lines = row.querySelector('.order-lines');
  if (!lines.hasChildNodes()) for (const line of order.items) lines.append(describe(line, true));
  write(row.querySelector('.customer'), order.customer_id ?? '');
  showTroubles(row.querySelector('.troubles'), order);
}

/** Shows what a person has to see to. */
export function showTroubles(list, order) {
  const keys = troubles(order);
  if (list.dataset.shown === keys.join()) return;
  list.dataset.shown = keys.join();
  list.replaceChildren(
    ...keys.map((key) => {
      const item = element('li', { class: 'bad' });
      say(item, key);
      return item;
    }),
  );
}

/** What of an order a person has to see to: what the payment provider has refused, and what was cut off. */
export function troubles(order) {
  const { status, payment, expires_at, refunds = [], disputes = [], returns = [] } = order;
  const found = [];
  // Of goods that are still here the operator has to decide whether they go out.
  const unsent = isUnsent(order);
  const at = now() ?? Date.now();
  // A refund that was made again after it had failed is one that failed no more, and of what the bank has given there is none.
  const last = refunds.at(-1);
  if (last?.status === 'failed' && last.amount <= kept(order)) found.push('trouble.refund_failed');
  if (failedCharges(order).length > 0) found.push('trouble.late_refund_failed');
  if (disputes.some((dispute) => dispute.status === 'open')) found.push(unsent ? 'trouble.dispute_open_unsent' : 'trouble.dispute_open');
  if (disputes.some((dispute) => dispute.status === 'lost')) found.push(unsent ? 'trouble.dispute_lost_unsent' : 'trouble.dispute_lost');
  if (returns.some(({ done }) => !done)) found.push('trouble.return_undone');
  if (status === 'pending' && payment?.status === 'at_provider' && at > Date.parse(expires_at) + STUCK_MS) found.push('trouble.payment_stuck');
  return found;
}

/** The charges that did not pay the order and are with the shop still. Each try to give one back is listed: the last one counts. */
export function failedCharges({ late_charges = [] }) {
  const last = new Map(late_charges.map((late) => [late.session_id, late]));
  return [...last.values()].filter(({ refund }) => refund === 'failed');
}

/** Whether goods of the order are to be sent: it is paid, and not all of them came back before. */
function isUnsent({ status, items, returns = [] }) {
  const back = counted(returns);
  return status === 'paid' && items.some(({ item_id, quantity }) => quantity > (back.get(item_id) ?? 0));
}

/** How much the buyer has asked the bank for, without an outcome yet. */
export const inDispute = (order) => disputedAmount(order, ({ status }) => status === 'open');

/** How much of what paid the order the bank has given to the buyer. A charge that did not pay it was no income before. */
export const lostInDispute = (order) => disputedAmount(order, ({ status, charge_id }) => status === 'lost' && charge_id === order.payment?.charge_id);

/** How much of what paid the order is with the shop: neither given back, nor about to be, nor lost. */
export function kept(order) {
  const { payment, refunds = [] } = order;
  const given = refunds.filter(({ status }) => status !== 'failed').reduce((sum, { amount }) => sum + amount, 0);
  return (payment?.amount ?? 0) - given - lostInDispute(order);
}

/** Of disputes in the order's own currency: no charge in another one has paid it. */
function disputedAmount({ currency, disputes = [] }, counts) {
  return disputes.filter((one) => one.currency === currency && counts(one)).reduce((sum, { amount }) => sum + amount, 0);
}

/** How many of each item of an order, as `lines` of several add up. */
export function counted(groups) {
  const counts = new Map();
  for (const { items = [] } of groups) for (const { item_id, quantity } of items) counts.set(item_id, (counts.get(item_id) ?? 0) + quantity);
  return counts;
}

