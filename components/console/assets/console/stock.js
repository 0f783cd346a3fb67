// What there is, and how it moves while others buy.

import { Refusal, send } from './api.js';
import { $, arrange, element, foreign, write } from './dom.js';
import { hush, isolated, money, name, number, onLanguage, say, t } from './language.js';
import { clear, explain } from './problem.js';

/** From how many items on there is a field to find one. */
const MANY = 9;
/** How many items are shown at once, and how many more each time: a page with thousands of them does not answer. */
const PAGE = 50;
/** Up to how many items a select offers all; where there are more, it offers those that are shown. */
const MOST_OFFERED = 200;

let items = [];
/** The same by their ids. */
let byId = new Map();
/** Those that are shown. */
let shown = [];
let room = PAGE;
let loaded = false;
let etag;
const rows = new Map();
/** The most of each item that was on hand since the page was opened: what the bar's full width stands for. */
const most = new Map();
const listeners = [];
let onAdd = () => {};

/** All items, as last heard. */
export const all = () => items;
export const find = (id) => byId.get(id);

/** What people call an item: its name, or else its id. */
export const called = (id) => find(id)?.name ?? id;

/** The same where there can be no elements, with the id: names need not differ. */
export const option = ({ item_id, name }) => (name === undefined ? isolated(item_id) : `${isolated(name)} (${item_id})`);

/** An element for what an item is called, to be filled by `entitle`. */
export const title = () => element('span', { class: 'item' }, foreign('', { class: 'foreign item-name' }), ' ', foreign('', { class: 'foreign item-id muted' }));

export function entitle(node, { item_id, name }) {
  write(node.querySelector('.item-name'), name ?? item_id);
  write(node.querySelector('.item-id'), name === undefined ? '' : item_id);
}

/** However its letters are written. */
export const folded = (text) => text.normalize('NFKC').toLowerCase();

/** Calls `listener` whenever the stock has changed. */
export const onStock = (listener) => listeners.push(listener);

export function start(add) {
  onAdd = add;
  $('stock-find').querySelector('input').addEventListener('input', () => {
    room = PAGE;
    show();
    if (isLarge()) tell();
  });
  $('stock-more').addEventListener('click', () => {
    const first = shown.length;
    room += PAGE;
    show();
    if (isLarge()) tell();
    // The focus goes where the list goes on.
    rows.get(shown[first]?.item_id)?.querySelector('.add').focus();
  });
  onLanguage(show);
}

const isLarge = () => items.length > MOST_OFFERED;

function tell() {
  for (const listener of listeners) listener();
}

/** Asks what there is; most of the time nothing has changed. */
export async function poll() {
  const answer = await ask();
  if (answer.status === 304) return;
  etag = answer.headers.get('etag');
  take(answer.body.items);
}

function take(all) {
  items = all;
  byId = new Map(items.map((item) => [item.item_id, item]));
  loaded = true;
  for (const { item_id, on_hand } of items) most.set(item_id, Math.max(on_hand, most.get(item_id) ?? 0));
  show();
  tell();
}

/** Takes over prices that the shop told of with an order, before the next poll has them. */
export function reprice(lines) {
  const prices = new Map(lines.map(({ item_id, unit_price }) => [item_id, unit_price]));
  take(items.map((item) => ({ ...item, unit_price: prices.get(item.item_id) ?? item.unit_price })));
  // What the shop has is not what it had when this was asked for.
  etag = undefined;
}

let refused = null;

async function ask() {
  try {
    const answer = await send('GET', '/inventory', { etag });
    if (refused !== null) clear($('stock-error'));
    refused = null;
    return answer;
  } catch (error) {
    // Said once, not with every poll.
    if (error instanceof Refusal && error.code !== refused) {
      refused = error.code;
      explain($('stock-error'), error);
    }
    throw error;
  }
}

function show() {
  if (!loaded) return;
  const search = $('stock-find');
  search.hidden = items.length < MANY;
  $('stock').classList.toggle('many', !search.hidden);
  // A list that scrolls has to be reached by keyboard.
  if (search.hidden) $('stock-list').removeAttribute('tabindex');
  else $('stock-list').tabIndex = 0;
  const text = search.hidden ? '' : folded(search.querySelector('input').value.trim());
  const found = items.filter(({ item_id, name = '' }) => folded(item_id).includes(text) || folded(name).includes(text));
  shown = found.slice(0, room);
  const whole = shown.length === found.length;
  $('stock-more').hidden = whole;
  const note = $('stock-note');
  note.hidden = found.length > 0 && whole;
  if (!whole) say(note, 'shown', { n: shown.length, all: found.length });
  else if (found.length > 0) hush(note);
  else say(note, items.length ? 'stock.no_match' : 'stock.none');
  arrange($('stock-list'), shown.map((item) => item.item_id), rows, make);
  for (const item of shown) update(rows.get(item.item_id), item);
}

function make(id) {
  const add = element('button', { class: 'add quiet', type: 'button' });
  say(add, 'stock.add');
  add.addEventListener('click', () => onAdd(id));
  const figure = (kind) => {
    const term = element('dt');
    say(term, `stock.${kind}`);
    return element('div', {}, term, element('dd', { class: kind }));
  };
  return element(
    'li',
    {},
    element('div', { class: 'goods' }, picture(), element('h3', {}, title())),
    element('span', { class: 'price' }),
    add,
    element('div', { class: 'bar', role: 'img' }, element('span', { class: 'available' }), element('span', { class: 'reserved' })),
    element('dl', { class: 'figures' }, figure('available'), figure('reserved'), figure('on_hand')),
  );
}

/** A picture of an item, as far as there is one and it can be shown. What it shows is told beside it in words. */
function picture() {
  const image = element('img', { class: 'picture', loading: 'lazy', decoding: 'async', referrerpolicy: 'no-referrer', width: 44, height: 44, hidden: true });
  image.addEventListener('error', () => {
    image.hidden = true;
  });
  return image;
}

function showPicture(image, { item_id, name, image: address }) {
  image.alt = t('stock.picture', { item: name ?? item_id });
  if ((image.getAttribute('src') ?? undefined) === address) return;
  image.hidden = address === undefined;
  if (address === undefined) image.removeAttribute('src');
  else image.src = address;
}

function update(row, item) {
  const { item_id, available, reserved, on_hand } = item;
  entitle(row.querySelector('.item'), item);
  showPicture(row.querySelector('.picture'), item);
  name(row.querySelector('.add'), 'stock.add_label', { item: called(item_id) });
  write(row.querySelector('.price'), money(item.unit_price, item));
  const bar = row.querySelector('.bar');
  name(bar, 'stock.bar', { item: called(item_id), available, reserved, on_hand });
  const full = most.get(item_id) || 1;
  bar.querySelector('.available').style.width = `${(available / full) * 100}%`;
  bar.querySelector('.reserved').style.width = `${(reserved / full) * 100}%`;
  for (const kind of ['available', 'reserved', 'on_hand']) write(row.querySelector(`dd.${kind}`), number(item[kind]));
  row.classList.toggle('none', available === 0);
}

/** Keeps the choices of a select what the shop has, or what is shown of it; what is chosen stays chosen. */
export function choices(select, describe) {
  const offered = isLarge() ? shown : items;
  const none = t(isLarge() ? 'form.choose_shown' : 'form.choose');
  const wanted = [['', none], ...offered.map((item) => [item.item_id, describe(item)])];
  const chosen = select.value;
  if (chosen && !offered.some((item) => item.item_id === chosen)) {
    // What was chosen and is there no longer, or not yet: the shop will say so.
    wanted.push([chosen, find(chosen) ? describe(find(chosen)) : isolated(chosen)]);
  }
  wanted.forEach(([value, text], index) => {
    const option = select.options[index] ?? select.appendChild(element('option'));
    if (option.getAttribute('value') !== value) option.setAttribute('value', value);
    write(option, text);
  });
  while (select.options.length > wanted.length) select.lastElementChild.remove();
  if (select.value !== chosen) select.value = chosen;
}
