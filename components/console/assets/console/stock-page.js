// The operator's stock: thousands of items, found, paged and changed in place.

import { carryOut, isRunning, unanswered } from './actions.js';
import { $, arrange, element, write } from './dom.js';
import { Mistake, form, major, minor, plain, point, text, whole } from './forms.js';
import * as importing from './import.js';
import { digits, money, name, number, onLanguage, say } from './language.js';
import { request } from './session.js';
import { button, field, outcomes } from './shipping.js';
import { all, called, entitle, find, folded, onStock, title } from './stock.js';

const PAGE = 50;
const MOST_QUANTITY = 1_000_000;
const MOST_STOCK = 1e13;
const LONGEST_REASON = 256;
const LONGEST_NAME = 100;
const LONGEST_IMAGE = 255;

let page = 0;
let isShown = false;
let onStockChanged = () => {};
const rows = new Map();
/** The item whose row is open, with the row of its forms. */
let openItem = null;

export function start(stockChanged) {
  onStockChanged = stockChanged;
  $('goods-find').addEventListener('input', () => {
    page = 0;
    draw();
  });
  $('goods-low').addEventListener('change', () => {
    page = 0;
    draw();
  });
  $('goods-back').addEventListener('click', () => turn(-1));
  $('goods-on').addEventListener('click', () => turn(1));
  form($('new-form'), addItem);
  importing.start(() => onStockChanged());
  onStock(() => {
    if (isShown) draw();
    labels();
  });
  onLanguage(() => {
    if (isShown) draw();
    labels();
  });
}

export function open({ find: text }) {
  if (text !== undefined) $('goods-find').value = text;
  isShown = true;
  draw();
}

export function close() {
  isShown = false;
}

export function forget() {
  shut();
  $('goods-find').value = '';
  $('new-form').reset();
  importing.forget();
}

function turn(by) {
  page += by;
  shut();
  draw();
  $('goods-title').focus();
}

/** The items that are looked for. */
function found() {
  const text = folded($('goods-find').value.trim());
  const none = $('goods-low').checked;
  return all().filter(({ item_id, name = '', available }) => (folded(item_id).includes(text) || folded(name).includes(text)) && !(none && available > 0));
}

function draw() {
  const items = found();
  page = Math.max(0, Math.min(page, Math.ceil(items.length / PAGE) - 1));
  const first = page * PAGE;
  const shown = items.slice(first, first + PAGE);
  // The row that is open stays, wherever it would be.
  const [back, on] = [$('goods-back'), $('goods-on')];
  for (const [node, can] of [[back, page > 0], [on, first + PAGE < items.length]]) {
    if (!can && node === document.activeElement) $('goods-title').focus();
    node.disabled = !can;
  }
  $('goods-pages').hidden = items.length <= PAGE;
  const note = $('goods-note');
  if (items.length === 0) say(note, all().length ? 'stock.no_match' : 'stock.none');
  else if (items.length === 1) say(note, 'goods.one');
  else say(note, 'goods.range', { first: first + 1, last: first + shown.length, all: items.length });
  if (openItem && !shown.some(({ item_id }) => item_id === openItem.id)) shut();
  const keys = shown.flatMap(({ item_id }) => (openItem?.id === item_id ? [item_id, `${item_id}/`] : [item_id]));
  if (openItem) rows.set(`${openItem.id}/`, openItem.node);
  arrange($('goods-rows'), keys, rows, row);
  for (const item of shown) fill(rows.get(item.item_id), item);
}

function row(id) {
  const cell = (key, kind) => element('td', { role: 'cell' }, said(key, 'cell-label'), element('span', { class: kind }));
  const change = button('goods.change', { class: 'quiet', 'aria-expanded': 'false' });
  change.addEventListener('click', () => (openItem?.id === id ? shut(true) : unfold(id)));
  return element(
    'tr',
    { role: 'row' },
    element('th', { role: 'rowheader', scope: 'row' }, title()),
    cell('one.price', 'unit-price'),
    cell('stock.available', 'available'),
    cell('stock.reserved', 'reserved'),
    cell('stock.on_hand', 'on_hand'),
    element('td', { role: 'cell', class: 'act-cell' }, change),
  );
}

function said(key, kind) {
  const node = element('span', { class: kind, 'aria-hidden': 'true' });
  say(node, key);
  return node;
}

function fill(row, item) {
  entitle(row.querySelector('.item'), item);
  write(row.querySelector('.unit-price'), money(item.unit_price, item));
  for (const kind of ['available', 'reserved', 'on_hand']) write(row.querySelector(`.${kind}`), number(item[kind]));
  row.classList.toggle('none', item.available === 0);
  const change = row.querySelector('button');
  name(change, 'goods.change_label', { item: called(item.item_id) });
  change.setAttribute('aria-expanded', String(openItem?.id === item.item_id));
}

/** Opens the forms of an item below its row. */
function unfold(id) {
  shut();
  const node = element('tr', { role: 'row', class: 'unfolded' }, element('td', { role: 'cell', colspan: '6' }, adjusting(id), offering(id)));
  node.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') shut(true);
  });
  openItem = { id, node };
  draw();
  node.querySelector('input').focus();
}

function shut(focus = false) {
  if (!openItem) return;
  const { id, node } = openItem;
  openItem = null;
  rows.delete(`${id}/`);
  node.remove();
  const change = rows.get(id)?.querySelector('button');
  change?.setAttribute('aria-expanded', 'false');
  if (focus) change?.focus();
}

/** More or less of an item, with a reason. */
function adjusting(id) {
  const delta = field('adjust.delta', { class: 'delta', inputmode: 'text' });
  const reason = field('adjust.reason', { class: 'reason', dir: 'auto' }, 'optional');
  const hint = element('p', { class: 'muted' });
  say(hint, 'adjust.hint');
  const [typedDelta, typedReason] = [delta.querySelector('input'), reason.querySelector('input')];
  /** Shows what was sent and has no outcome yet: nothing else is sent before. */
  const show = (before) => {
    typedDelta.value = String(before.delta);
    typedReason.value = before.reason ?? '';
    return new Mistake(typedDelta, 'adjust.unknown', { delta: before.delta });
  };
  const node = element('form', { class: 'adjust', novalidate: true }, element('div', { class: 'fields' }, delta, reason, button('adjust.do', { type: 'submit' })), hint, ...outcomes());
  form(node, async (waiting) => {
    const typed = plain(typedDelta);
    if (!/^[+-]?\d{1,13}$/.test(typed) || Number(typed) === 0) throw new Mistake(typedDelta, 'adjust.delta_wrong');
    const body = { delta: Number(typed), reason: text(typedReason, LONGEST_REASON, 'adjust.reason_long', 'adjust.reason_wrong') };
    const before = unanswered(`adjust/${id}`);
    if (before && JSON.stringify(before) !== JSON.stringify(body)) throw show(before);
    const { body: item } = await carryOut(`adjust/${id}`, `/inventory/${encodeURIComponent(id)}/adjustments`, body, waiting);
    onStockChanged();
    return ['adjust.done', { item: called(id), on_hand: item.on_hand, available: item.available }];
  });
  const before = unanswered(`adjust/${id}`);
  if (before && !isRunning(`adjust/${id}`)) point(node.querySelector('.error'), show(before));
  return node;
}

/** Price, limit, name and picture of an item. */
function offering(id) {
  const item = find(id);
  const label = field('new.price_minor', { class: 'price-field', inputmode: 'decimal', value: major(item.unit_price, item) });
  say(label.querySelector('[data-t="new.price_minor"]'), 'new.price', { currency: { span: item.currency } });
  const fields = {
    name: field('new.name', { dir: 'auto', value: item.name ?? '' }, 'optional'),
    limit: field('new.limit', { inputmode: 'numeric', value: item.max_per_order ?? '' }, 'optional'),
    image: field('new.image', { inputmode: 'url', spellcheck: 'false', autocapitalize: 'none', value: item.image ?? '' }, 'optional'),
  };
  const inputs = Object.fromEntries(Object.entries(fields).map(([key, node]) => [key, node.querySelector('input')]));
  const before = Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, input.value]));
  const node = element('form', { class: 'offer', novalidate: true }, element('div', { class: 'fields' }, label, ...Object.values(fields), button('goods.save', { type: 'submit' })), ...outcomes());
  form(
    node,
    async (waiting) => {
      const price = label.querySelector('input');
      const unit_price = minor(plain(price), item);
      if (unit_price === null) throw new Mistake(price, 'new.price_wrong', { example: { span: major(item.unit_price, item) } });
      const read = { name: nameOf(inputs.name), max_per_order: limitOf(inputs.limit), image: imageOf(inputs.image) };
      // What was not touched stays what it is, also where it has become another meanwhile; what was emptied is taken away.
      const changed = { name: 'name', max_per_order: 'limit', image: 'image' };
      const rest = Object.fromEntries(Object.keys(read).filter((member) => inputs[changed[member]].value !== before[changed[member]]).map((member) => [member, read[member] ?? null]));
      await request('PUT', `/inventory/${encodeURIComponent(id)}`, { body: { unit_price, ...rest } }, waiting);
      for (const [key, input] of Object.entries(inputs)) before[key] = input.value;
      onStockChanged();
      return ['goods.saved', { item: inputs.name.value.trim() || id }];
    },
    { stays: true },
  );
  return node;
}

const nameOf = (field) => text(field, LONGEST_NAME, 'new.name_long', 'new.name_wrong');

function limitOf(field) {
  const typed = plain(field);
  if (typed === '') return undefined;
  const limit = whole(typed, MOST_QUANTITY);
  if (!limit) throw new Mistake(field, 'new.limit_wrong');
  return limit;
}

function imageOf(field) {
  const typed = field.value.trim();
  const image = typed ? address(typed) : undefined;
  if (image === null) throw new Mistake(field, 'new.image_wrong');
  return image;
}

/** The address of a picture as browsers write it, in ASCII; null if it is none that the shop takes. */
function address(text) {
  if (!URL.canParse(text)) return null;
  const { protocol, hostname, username, password, hash, href } = new URL(text);
  const near = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  const sound = protocol === 'https:' || (protocol === 'http:' && near);
  return sound && !username && !password && !hash && href.length <= LONGEST_IMAGE ? href : null;
}

// A new item.

/** The shop's currency; only its items say which it is. */
const currency = () => all()[0]?.currency ?? null;

function labels() {
  const label = $('new-price-label');
  if (currency()) say(label, 'new.price', { currency: { span: currency() } });
  else say(label, 'new.price_minor');
}

const example = () => {
  const places = currency() ? digits(all()[0]) : 0;
  return `12${places ? `.${'5'.padEnd(places, '0')}` : ''}`;
};

async function addItem(waiting) {
  const id = $('new-id').value.trim();
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(id)) throw new Mistake($('new-id'), 'new.id_wrong');
  const unit_price = minor(plain($('new-price')), all()[0]);
  if (unit_price === null) throw new Mistake($('new-price'), 'new.price_wrong', { example: { span: example() } });
  const on_hand = whole(plain($('new-on-hand')), MOST_STOCK);
  if (on_hand === null) throw new Mistake($('new-on-hand'), 'new.on_hand_wrong');
  const max_per_order = limitOf($('new-limit'));
  const name = nameOf($('new-name'));
  const image = imageOf($('new-image'));
  const path = `/inventory/${encodeURIComponent(id)}`;
  const item = await request('PUT', path, { body: { unit_price, on_hand, max_per_order, name, image } }, waiting).then(
    ({ body }) => body,
    async (refusal) => {
      // It may be there because a request before this one made it, whose answer was lost.
      if (!refusal.again || refusal.code !== 'item_exists') throw refusal;
      const { body } = await request('GET', path, {});
      const same = body.unit_price === unit_price && body.on_hand === on_hand && body.name === name && body.image === image;
      if (!same || (max_per_order !== undefined && body.max_per_order !== max_per_order)) throw refusal;
      return body;
    },
  );
  onStockChanged();
  return ['new.done', { item: item.name ?? item.item_id, on_hand: item.on_hand, price: { amount: item.unit_price, of: item } }];
}

