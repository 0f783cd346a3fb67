// What there is, and how it moves while others buy.

import { Refusal, send } from './api.js';
import { $, arrange, element, foreign, write } from './dom.js';
import { hush, isolated, money, name, number, onLanguage, say } from './language.js';
import { clear, explain } from './problem.js';

/** From how many items on there is a field to find one. */
const MANY = 9;

let items = [];
let loaded = false;
let etag;
const rows = new Map();
/** The most of each item that was on hand since the page was opened: what the bar's full width stands for. */
const most = new Map();
const listeners = [];
let onAdd = () => {};

/** All items, as last heard. */
export const all = () => items;
export const find = (id) => items.find((item) => item.item_id === id);

/** Calls `listener` whenever the stock has changed. */
export const onStock = (listener) => listeners.push(listener);

export function start(add) {
  onAdd = add;
  $('stock-find').querySelector('input').addEventListener('input', show);
  onLanguage(show);
}

/** Asks what there is; most of the time nothing has changed. */
export async function poll() {
  const answer = await ask();
  if (answer.status === 304) return;
  etag = answer.headers.get('etag');
  items = answer.body.items;
  loaded = true;
  for (const { item_id, on_hand } of items) most.set(item_id, Math.max(on_hand, most.get(item_id) ?? 0));
  show();
  for (const listener of listeners) listener();
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
  const text = search.hidden ? '' : search.querySelector('input').value.trim().toLowerCase();
  const found = items.filter((item) => item.item_id.toLowerCase().includes(text));
  const note = $('stock-note');
  note.hidden = found.length > 0;
  if (found.length > 0) hush(note);
  else say(note, items.length ? 'stock.no_match' : 'stock.none');
  const ids = found.map((item) => item.item_id);
  arrange($('stock-list'), ids, rows, make);
  for (const item of found) update(rows.get(item.item_id), item);
}

function make(id) {
  const add = element('button', { class: 'add quiet', type: 'button' });
  say(add, 'stock.add');
  name(add, 'stock.add_label', { item: id });
  add.addEventListener('click', () => onAdd(id));
  const figure = (kind) => {
    const term = element('dt');
    say(term, `stock.${kind}`);
    return element('div', {}, term, element('dd', { class: kind }));
  };
  return element(
    'li',
    {},
    element('h3', {}, foreign(id)),
    element('span', { class: 'price' }),
    add,
    element('div', { class: 'bar', role: 'img' }, element('span', { class: 'available' }), element('span', { class: 'reserved' })),
    element('dl', { class: 'figures' }, figure('available'), figure('reserved'), figure('on_hand')),
  );
}

function update(row, item) {
  const { item_id, available, reserved, on_hand } = item;
  write(row.querySelector('.price'), money(item.unit_price, item.currency));
  const bar = row.querySelector('.bar');
  name(bar, 'stock.bar', { item: item_id, available, reserved, on_hand });
  const full = most.get(item_id) || 1;
  bar.querySelector('.available').style.width = `${(available / full) * 100}%`;
  bar.querySelector('.reserved').style.width = `${(reserved / full) * 100}%`;
  for (const kind of ['available', 'reserved', 'on_hand']) write(row.querySelector(`dd.${kind}`), number(item[kind]));
  row.classList.toggle('none', available === 0);
}

/** Keeps the choices of a select what the shop has; what is chosen stays chosen. */
export function choices(select, describe) {
  const wanted = [['', describe(null)], ...items.map((item) => [item.item_id, describe(item)])];
  const chosen = select.value;
  // What was chosen and is there no longer, or not yet: the shop will say so.
  if (chosen && !find(chosen)) wanted.push([chosen, isolated(chosen)]);
  wanted.forEach(([value, text], index) => {
    const option = select.options[index] ?? select.appendChild(element('option'));
    if (option.getAttribute('value') !== value) option.setAttribute('value', value);
    write(option, text);
  });
  while (select.options.length > wanted.length) select.lastElementChild.remove();
  if (select.value !== chosen) select.value = chosen;
}
