// What a person has to see to, and what the money of some days adds up to: found by looking through all orders of these days.

import { query } from './api.js';
import { $ } from './dom.js';
import { hush, onLanguage, say } from './language.js';
import { day, listing, troubles } from './listing.js';
import { clear } from './problem.js';
import { read } from './session.js';

const DAYS = 30;
const PAGE = 100;
/** How many are listed at most: there is enough to do then. */
const MOST_FOUND = 200;

/**
 * Reads all orders of these days, page by page, and calls `take` with each page, until `isGoing` says no or something was refused,
 * which `error` then says. Answers whether it came to the end.
 */
export async function lookThrough({ from, until, error, isGoing, take }) {
  for (let cursor = null; ; ) {
    const days = { placed_from: from, ...(until ? { placed_until: until } : {}) };
    const answer = await read(error, `/orders?${query({ limit: PAGE, ...days, ...(cursor ? { cursor } : {}) })}`);
    if (!answer || !isGoing()) return false;
    take(answer.body.orders, (answer.body.unreadable_orders ?? []).length);
    cursor = answer.body.next;
    if (!cursor) return true;
  }
}

let orders;
let found = [];
let looked = 0;
let turn = 0;
let state = 'idle';

export function start() {
  orders = listing({
    list: $('attention-list'),
    note: $('attention-count'),
    more: $('attention-more'),
    error: $('attention').querySelector('.error'),
    top: () => $('attention-title'),
    words: ['attention.none', 'attention.none', 'attention.count', 'attention.count'],
  });
  $('attention-refresh').addEventListener('click', look);
  $('attention-since').addEventListener('change', look);
  onLanguage(() => {
    if (state !== 'idle') orders.draw();
  });
}

export function open() {
  if (!$('attention-since').value) $('attention-since').value = day(DAYS);
  if (state === 'idle') return look();
}

export function change(order) {
  if (state === 'idle') return;
  found = found.map((other) => (other.order_id === order.order_id ? { ...other, ...order } : other)).filter((order) => troubles(order).length > 0);
  orders.take({ orders: found, next: null });
}

export function forget() {
  turn += 1;
  state = 'idle';
  found = [];
  looked = 0;
  hush($('attention-note'));
  orders.forget();
}

async function look() {
  const own = ++turn;
  const error = $('attention').querySelector('.error');
  clear(error);
  state = 'looking';
  found = [];
  looked = 0;
  say($('attention-note'), 'attention.looking', { n: 0 });
  const whole = await lookThrough({
    from: $('attention-since').value || day(DAYS),
    error,
    isGoing: () => own === turn && found.length < MOST_FOUND,
    take: (page) => {
      looked += page.length;
      found.push(...page.filter((order) => troubles(order).length > 0));
      orders.take({ orders: found, next: null });
      say($('attention-note'), 'attention.looking', { n: looked });
    },
  });
  if (own !== turn) return;
  state = 'done';
  if (whole) say($('attention-note'), 'attention.looked', { n: looked });
  else if (found.length >= MOST_FOUND) say($('attention-note'), 'attention.enough', { n: found.length });
  else hush($('attention-note'));
}
