// The books: of the goods, and of the money of some days.

import { lookThrough } from './attention.js';
import { $, arrange, element, write } from './dom.js';
import { hush, money, number, onLanguage, say } from './language.js';
import { day, failedCharges, inDispute, lostInDispute } from './listing.js';
import { clear } from './problem.js';
import { read } from './session.js';
import { all, entitle, folded, title } from './stock.js';

/** How many rows are shown at once, and how many more each time. */
const ROWS = 50;
const DAYS = 30;

const FIGURES = ['received', 'sold', 'returned', 'written_off', 'on_hand', 'reserved', 'available'];
const HEADS = { on_hand: 'stock.on_hand', reserved: 'stock.reserved', available: 'stock.available' };

let books = null;
let room = ROWS;
const rows = new Map();
let turn = 0;
let sums = null;

export function start() {
  $('books-refresh').addEventListener('click', readBooks);
  $('books-more').addEventListener('click', () => {
    const last = $('books-rows').children.length;
    room += ROWS;
    drawBooks();
    const next = $('books-rows').children[last];
    if ($('books-more').hidden) next?.querySelector('th').focus();
  });
  $('books-find').addEventListener('input', () => {
    room = ROWS;
    drawBooks();
  });
  $('money-form').addEventListener('submit', (event) => {
    event.preventDefault();
    addUp();
  });
  onLanguage(() => {
    drawBooks();
    drawSums();
  });
}

export function open() {
  if (!$('money-from').value) $('money-from').value = day(DAYS);
  if (!$('money-until').value) $('money-until').value = day();
  return readBooks();
}

export function forget() {
  turn += 1;
  books = null;
  sums = null;
  room = ROWS;
  drawBooks();
  drawSums();
}

async function readBooks() {
  const error = $('books-error');
  clear(error);
  const answer = await read(error, '/books');
  if (answer) books = answer.body;
  drawBooks();
}

function drawBooks() {
  // Those that do not balance come first.
  const sorted = [...(books?.items ?? [])].sort((one, other) => Number(one.balanced) - Number(other.balanced));
  const text = folded($('books-find').value.trim());
  const found = sorted.filter(({ item_id, name = '' }) => folded(item_id).includes(text) || folded(name).includes(text));
  const items = found.slice(0, room);
  const more = $('books-more');
  if (items.length === found.length && document.activeElement === more) $('books-title').focus();
  more.hidden = items.length === found.length;
  if (books && found.length === 0) say($('books-note'), text ? 'stock.no_match' : 'stock.none');
  else if (more.hidden) hush($('books-note'));
  else say($('books-note'), 'shown', { n: items.length, all: found.length });
  const verdict = $('books-verdict');
  if (books) say(verdict, books.balanced ? 'books.all_balanced' : 'books.not_balanced');
  else hush(verdict);
  verdict.className = books?.balanced === false ? 'bad' : 'good';
  arrange($('books-rows'), items.map((item) => item.item_id), rows, row);
  for (const item of items) {
    const row = rows.get(item.item_id);
    entitle(row.querySelector('.item'), item);
    for (const cell of row.querySelectorAll('[data-figure]')) write(cell, number(item[cell.dataset.figure] ?? 0));
    say(row.querySelector('.balanced'), item.balanced ? 'books.yes' : 'books.no');
    row.classList.toggle('bad', !item.balanced);
  }
}

function row() {
  const cell = (key, attributes) => {
    const value = element('span', attributes);
    // The heading of the column, for the narrow layout; the column's header cell names it for everyone else.
    const label = element('span', { class: 'cell-label', 'aria-hidden': 'true' });
    say(label, key);
    return element('td', { role: 'cell' }, label, value);
  };
  return element(
    'tr',
    { role: 'row' },
    element('th', { role: 'rowheader', scope: 'row', tabindex: '-1' }, title()),
    ...FIGURES.map((figure) => cell(HEADS[figure] ?? `books.${figure}`, { 'data-figure': figure })),
    cell('books.balanced', { class: 'balanced' }),
  );
}

// Money.

async function addUp() {
  const own = ++turn;
  const error = $('money-form').querySelector('.error');
  clear(error);
  const [from, until] = [$('money-from').value || day(DAYS), $('money-until').value || day()];
  // Each currency by itself: a shop may have had another one before.
  sums = { from, until, looked: 0, unreadable: 0, whole: false, byCurrency: new Map() };
  drawSums();
  const whole = await lookThrough({
    from,
    until,
    error,
    isGoing: () => own === turn,
    take: (page, unreadable) => {
      for (const order of page) count(order);
      sums.looked += page.length;
      sums.unreadable += unreadable;
      drawSums();
    },
  });
  if (own !== turn) return;
  if (!whole) sums = null;
  else sums.whole = true;
  drawSums();
}

function count(order) {
  const { currency, currency_digits, payment, refunds = [] } = order;
  const of = sums.byCurrency.get(currency) ?? { currency, currency_digits, orders: 0, paid: 0, unmoved: 0, refunded: 0, pending: 0, failed: 0, disputed: 0, lost: 0 };
  sums.byCurrency.set(currency, of);
  if (payment?.status === 'paid') {
    of.orders += 1;
    of.paid += payment.amount;
    if (payment.charged === false) of.unmoved += payment.amount;
  }
  for (const { status, amount } of refunds) {
    if (status === 'succeeded') of.refunded += amount;
    if (status === 'pending') of.pending += amount;
  }
  for (const { amount } of failedCharges(order)) of.failed += amount;
  of.disputed += inDispute(order);
  of.lost += lostInDispute(order);
}

function drawSums() {
  const note = $('money-note');
  const list = $('money-sums');
  if (!sums) {
    hush(note);
    return list.replaceChildren();
  }
  say(note, sums.whole ? 'sums.looked' : 'attention.looking', { n: sums.looked });
  if (!sums.whole) return list.replaceChildren();
  const rows = [...sums.byCurrency.values()].filter(({ orders, failed, disputed }) => orders > 0 || failed > 0 || disputed > 0);
  list.replaceChildren(
    ...rows.flatMap((of) => {
      const amounts = [
        ['paid', of.paid],
        ['refunded', of.refunded],
        ...(of.lost > 0 ? [['lost', of.lost]] : []),
        ['kept', of.paid - of.refunded - of.lost],
        // What there is only sometimes.
        ...['unmoved', 'pending', 'failed', 'disputed'].filter((kind) => of[kind] > 0).map((kind) => [kind, of[kind]]),
      ];
      return [pair('sums.orders', number(of.orders)), ...amounts.map(([kind, amount]) => pair(`sums.${kind}`, money(amount, of)))];
    }),
    ...(sums.unreadable ? [pair('sums.unreadable', number(sums.unreadable))] : []),
    pair('sums.stock', stockValue()),
  );
}

/** What is on hand, at the prices of now. */
function stockValue() {
  const [first] = all();
  return first ? money(all().reduce((sum, { on_hand, unit_price }) => sum + on_hand * unit_price, 0), first) : number(0);
}

function pair(key, value) {
  const term = element('dt');
  say(term, key);
  return element('div', {}, term, element('dd', {}, value));
}

