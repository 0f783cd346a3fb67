// The operator's view. The token is kept in this variable and nowhere else.

import { Refusal, Unreachable, freshKey, insist, send } from './api.js';
import { $, CONTROL, arrange, element, foreign, write } from './dom.js';
import { digits, hush, money, number, onLanguage, say, t } from './language.js';
import { describe, shortId, time } from './orders.js';
import { clear, complain, explain } from './problem.js';
import { all, called, choices, entitle, onStock, option, title } from './stock.js';

const STATUSES = ['placing', 'pending', 'paid', 'fulfilled', 'refunded', 'cancelled', 'expired', 'rejected'];
const PAGE = 20;
const MOST_QUANTITY = 1_000_000;
/** A page may be empty and yet have a next one: this number of pages is looked through before the operator is asked. */
const EMPTY_PAGES = 5;
const LONGEST_REASON = 256;
const LONGEST_NAME = 100;
const LONGEST_IMAGE = 255;
/** The characters that an HTTP header can have; a token with any other character is wrong. */
const SENDABLE = /^[\x20-\x7e]+$/;

let token = null;
let onStockChanged = () => {};

export function start(stockChanged) {
  onStockChanged = stockChanged;
  $('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    signIn();
  });
  $('forget').addEventListener('click', () => {
    forget();
    say($('token-status'), 'operator.gone');
    $('token').focus();
  });
  form('adjust-form', adjust);
  form('new-form', addItem);
  $('books-refresh').addEventListener('click', showBooks);
  $('books-more').addEventListener('click', () => {
    bookRowsShown += BOOK_ROWS;
    drawBooks();
  });
  $('all-refresh').addEventListener('click', () => showOrders());
  $('all-status').addEventListener('change', () => showOrders());
  $('all-more').addEventListener('click', () => showOrders(next));
  for (const status of ['', ...STATUSES]) $('all-status').append(element('option', { value: status }));
  onStock(showChoices);
  onLanguage(() => {
    showChoices();
    for (const option of $('all-status').options) write(option, t(option.value ? `status.${option.value}` : 'all.any'));
    drawBooks();
    drawOrders();
  });
}

// The token.

async function signIn() {
  const typed = $('token').value.trim();
  clear($('token-error'));
  if (!typed) return refuseToken('operator.empty');
  if (!SENDABLE.test(typed)) return refuseToken('error.unauthorized');
  say($('token-status'), 'operator.checking');
  try {
    const answer = await insist('GET', `/orders?limit=${PAGE}`, { token: typed });
    token = typed;
    $('token').value = '';
    $('token-form').hidden = true;
    $('forget').hidden = false;
    $('operator-tools').hidden = false;
    say($('token-status'), 'operator.welcome');
    $('token-title').focus();
    takeOrders(answer.body, true);
    showBooks();
  } catch (refusal) {
    hush($('token-status'));
    explainToken(refusal);
    $('token').focus();
    $('token').select();
  }
}

function refuseToken(key) {
  hush($('token-status'));
  complain($('token-error'), key);
  $('token').focus();
}

function explainToken(refusal) {
  if (refusal.code === 'operator_disabled') {
    complain($('token-error'), 'operator.disabled');
    for (const command of ['cargo run -- --variable operator_token=…', 'SPIN_VARIABLE_OPERATOR_TOKEN=… spin up --build']) {
      $('token-error').append(element('code', {}, command));
    }
  } else explain($('token-error'), refusal);
}

function forget() {
  token = null;
  next = null;
  orders = [];
  books = null;
  bookRowsShown = BOOK_ROWS;
  drawOrders();
  drawBooks();
  $('token-form').hidden = false;
  $('forget').hidden = true;
  $('operator-tools').hidden = true;
  clear($('token-error'));
}

/** Shows a refusal where the work was; one of the token where the token is. */
function refused(place, refusal) {
  if (!['unauthorized', 'operator_disabled'].includes(refusal.code)) return explain(place, refusal, { item: called(refusal.problem.item_id) });
  forget();
  explainToken(refusal);
  $('token').focus();
}

// Adjusting stock and adding items.

/** Submits a form once for each press of its button, and shows the result. */
function form(id, work) {
  const node = $(id);
  const error = node.querySelector('.error');
  const status = node.querySelector('.note');
  const button = node.querySelector('[type=submit]');
  let working = false;
  node.addEventListener('input', (event) => event.target.removeAttribute('aria-invalid'));
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (working) return;
    clear(error);
    hush(status);
    working = true;
    button.setAttribute('aria-disabled', 'true');
    const before = typed(node);
    try {
      const [key, values] = await work(() => say(status, 'sending.wait'));
      say(status, key, values);
      // What was typed meanwhile stays.
      if (typed(node) === before) node.reset();
      onStockChanged();
      showBooks();
    } catch (problem) {
      hush(status);
      if (problem instanceof Refusal) refused(error, problem);
      else if (problem instanceof Mistake) {
        complain(error, problem.message, problem.values);
        problem.field.setAttribute('aria-invalid', 'true');
        problem.field.focus();
      } else throw problem;
    } finally {
      working = false;
      button.removeAttribute('aria-disabled');
    }
  });
}

const typed = (node) => JSON.stringify([...node.querySelectorAll('input, select')].map((field) => field.value));

/** An invalid field of a form, which is not sent. */
class Mistake extends Error {
  constructor(field, key, values = {}) {
    super(key);
    this.field = field;
    this.values = values;
  }
}

/** What was typed as a number, also with full-width digits or a typographic minus. */
const plain = (field) => field.value.normalize('NFKC').trim().replace(/^[−–]/, '-');

async function adjust(waiting) {
  const id = $('adjust-item').value;
  if (!id) throw new Mistake($('adjust-item'), 'adjust.item_missing');
  const delta = plain($('adjust-delta'));
  if (!/^[+-]?\d{1,13}$/.test(delta) || Number(delta) === 0) throw new Mistake($('adjust-delta'), 'adjust.delta_wrong');
  const reason = $('adjust-reason').value.trim();
  // As the shop counts: code points.
  const length = [...reason].length;
  if (length > LONGEST_REASON) throw new Mistake($('adjust-reason'), 'adjust.reason_long', { n: length });
  if (CONTROL.test(reason)) throw new Mistake($('adjust-reason'), 'adjust.reason_wrong');
  const body = { delta: Number(delta), reason: reason || undefined };
  const { body: item } = await insist('POST', `/inventory/${encodeURIComponent(id)}/adjustments`, { body, token, key: freshKey() }, waiting);
  return ['adjust.done', { item: item.name ?? item.item_id, on_hand: item.on_hand, available: item.available }];
}

async function addItem(waiting) {
  const id = $('new-id').value.trim();
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(id)) throw new Mistake($('new-id'), 'new.id_wrong');
  const unit_price = minor(plain($('new-price')));
  if (unit_price === null) throw new Mistake($('new-price'), 'new.price_wrong', { example: { span: example() } });
  const stock = plain($('new-on-hand'));
  if (!/^\d{1,13}$/.test(stock)) throw new Mistake($('new-on-hand'), 'new.on_hand_wrong');
  const on_hand = Number(stock);
  const limit = plain($('new-limit'));
  const max_per_order = limit === '' ? undefined : Number(limit);
  if (limit !== '' && !(/^\d{1,7}$/.test(limit) && max_per_order >= 1 && max_per_order <= MOST_QUANTITY)) {
    throw new Mistake($('new-limit'), 'new.limit_wrong');
  }
  const name = $('new-name').value.trim() || undefined;
  // As the shop counts: code points.
  const length = [...(name ?? '')].length;
  if (length > LONGEST_NAME) throw new Mistake($('new-name'), 'new.name_long', { n: length });
  if (CONTROL.test(name ?? '')) throw new Mistake($('new-name'), 'new.name_wrong');
  const typedImage = $('new-image').value.trim();
  const image = typedImage ? address(typedImage) : undefined;
  if (image === null) throw new Mistake($('new-image'), 'new.image_wrong');
  const path = `/inventory/${encodeURIComponent(id)}`;
  const item = await insist('PUT', path, { body: { unit_price, on_hand, max_per_order, name, image }, token }, waiting).then(
    ({ body }) => body,
    async (refusal) => {
      // It may be there because a request before this one made it, whose answer was lost.
      if (!refusal.again || refusal.code !== 'item_exists') throw refusal;
      const { body } = await insist('GET', path);
      const same = body.unit_price === unit_price && body.on_hand === on_hand && body.name === name && body.image === image;
      if (!same || (limit !== '' && body.max_per_order !== max_per_order)) throw refusal;
      return body;
    },
  );
  return ['new.done', { item: item.name ?? item.item_id, on_hand: item.on_hand, price: { amount: item.unit_price, of: item } }];
}

/** The address of a picture as browsers write it, in ASCII; null if it is none that the shop takes. */
function address(text) {
  if (!URL.canParse(text)) return null;
  const { protocol, hostname, username, password, hash, href } = new URL(text);
  const near = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  const sound = protocol === 'https:' || (protocol === 'http:' && near);
  return sound && !username && !password && !hash && href.length <= LONGEST_IMAGE ? href : null;
}

/** The shop's currency; only its items say which it is. */
const currency = () => all()[0]?.currency ?? null;

const places = () => (currency() ? digits(all()[0]) : 0);

const example = () => `12${places() ? `.${'5'.padEnd(places(), '0')}` : ''}`;

/** An amount as typed in minor units, exactly; null if it is none. */
function minor(text) {
  const match = /^(\d{1,15})(?:[.,](\d+))?$/.exec(text);
  if (!match || (match[2] ?? '').length > places()) return null;
  const amount = Number(match[1] + (match[2] ?? '').padEnd(places(), '0'));
  return Number.isSafeInteger(amount) ? amount : null;
}

function showChoices() {
  choices($('adjust-item'), option);
  const label = $('new-price-label');
  if (currency()) say(label, 'new.price', { currency: { span: currency() } });
  else say(label, 'new.price_minor');
}

// Books.

/** How many rows are shown at once, and how many more each time. */
const BOOK_ROWS = 50;

let books = null;
let bookRowsShown = BOOK_ROWS;
const bookRows = new Map();

async function showBooks() {
  const error = $('books').querySelector('.error');
  clear(error);
  const answer = await read(error, '/books');
  if (answer) books = answer.body;
  drawBooks();
}

function drawBooks() {
  // Those that do not balance come first.
  const all = [...(books?.items ?? [])].sort((one, other) => Number(one.balanced) - Number(other.balanced));
  const items = all.slice(0, bookRowsShown);
  const more = $('books-more');
  if (items.length === all.length && document.activeElement === more) $('books-title').focus();
  more.hidden = items.length === all.length;
  if (more.hidden) hush($('books-note'));
  else say($('books-note'), 'shown', { n: items.length, all: all.length });
  const verdict = $('books-verdict');
  if (books) say(verdict, books.balanced ? 'books.all_balanced' : 'books.not_balanced');
  else hush(verdict);
  verdict.className = books?.balanced === false ? 'bad' : 'good';
  arrange($('books-rows'), items.map((item) => item.item_id), bookRows, bookRow);
  for (const item of items) {
    const row = bookRows.get(item.item_id);
    entitle(row.querySelector('.item'), item);
    for (const cell of row.querySelectorAll('[data-figure]')) write(cell, number(item[cell.dataset.figure]));
    say(row.querySelector('.balanced'), item.balanced ? 'books.yes' : 'books.no');
    row.classList.toggle('bad', !item.balanced);
  }
}

function bookRow() {
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
    element('th', { role: 'rowheader', scope: 'row' }, title()),
    cell('books.received', { 'data-figure': 'received' }),
    cell('books.sold', { 'data-figure': 'sold' }),
    cell('stock.on_hand', { 'data-figure': 'on_hand' }),
    cell('stock.reserved', { 'data-figure': 'reserved' }),
    cell('stock.available', { 'data-figure': 'available' }),
    cell('books.balanced', { class: 'balanced' }),
  );
}

// All orders.

let orders = [];
let next = null;
const orderRows = new Map();
/** The number of the last request: answers to earlier ones are ignored. */
let asked = 0;

async function showOrders(cursor = null) {
  const turn = ++asked;
  const error = $('all').querySelector('.error');
  clear(error);
  for (let empty = 0, at = cursor; empty < EMPTY_PAGES; empty++) {
    const query = new URLSearchParams({ limit: PAGE });
    if ($('all-status').value) query.set('status', $('all-status').value);
    if (at) query.set('cursor', at);
    const answer = await read(error, `/orders?${query}`);
    if (!answer || turn !== asked) return;
    takeOrders(answer.body, at === null);
    if (answer.body.orders.length > 0 || !next) return;
    at = next;
  }
}

function takeOrders(page, first) {
  const known = new Set(first ? [] : orders.map((order) => order.order_id));
  orders = [...(first ? [] : orders), ...page.orders.filter((order) => !known.has(order.order_id))];
  next = page.next;
  drawOrders();
}

function drawOrders() {
  const more = $('all-more');
  // The focus goes where the list continues.
  if (!next && document.activeElement === more) $('all-status').focus();
  more.hidden = !next;
  const note = $('all-note');
  if (orders.length) say(note, next ? 'all.count_more' : 'all.count', { n: orders.length });
  else say(note, next ? 'all.none_yet' : 'all.none');
  arrange($('all-list'), orders.map((order) => order.order_id), orderRows, orderRow);
  for (const order of orders) {
    const row = orderRows.get(order.order_id);
    row.dataset.status = order.status;
    say(row.querySelector('.status'), `status.${order.status}`);
    write(row.querySelector('.order-total'), money(order.total, order));
    const at = time(order.placed_at);
    if (row.querySelector('time').textContent !== at.textContent) row.querySelector('time').replaceWith(at);
    const lines = row.querySelector('.order-lines');
    if (!lines.hasChildNodes()) for (const line of order.items) lines.append(describe(line, true));
    write(row.querySelector('.customer'), order.customer_id ?? '');
  }
}

function orderRow(id) {
  const title = element('h3');
  say(title, 'order.name', { id: shortId(id) });
  return element(
    'li',
    { class: 'order' },
    element('div', { class: 'heading' }, title, element('span', { class: 'status' })),
    element('ul', { class: 'order-lines' }),
    element('p', { class: 'order-total' }),
    element('p', { class: 'muted' }, element('time'), ' ', foreign('', { class: 'foreign customer' }), element('br'), foreign(id)),
  );
}

/** Reads as the operator; null, with words in `place`, if that was refused. */
async function read(place, path) {
  if (token === null) return null;
  try {
    return await send('GET', path, { token });
  } catch (error) {
    if (error instanceof Unreachable) complain(place, 'server.away');
    else refused(place, error);
    return null;
  }
}
