// All orders: found by their ids, their customers, their items, their status and their days.

import { query } from './api.js';
import { $, element, write } from './dom.js';
import { Mistake, point } from './forms.js';
import { onLanguage, t } from './language.js';
import { day, listing, page } from './listing.js';
import { clear } from './problem.js';
import { all, folded, option } from './stock.js';

const STATUSES = ['placing', 'pending', 'paid', 'fulfilled', 'refunded', 'cancelled', 'expired', 'rejected'];
const ORDER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** How many items are offered where what was typed is in the names of several. */
const MOST_OFFERED = 8;
/** The fields, by the parameters of the list. */
const FIELDS = { order_id: 'all-order', customer_id: 'all-customer', item_id: 'all-item', status: 'all-status', placed_from: 'all-from', placed_until: 'all-until', order: 'all-sort' };

let orders;
/** What is shown, as it stands in the address. */
let shown = null;

export function start() {
  orders = listing({
    list: $('all-list'),
    note: $('all-note'),
    more: $('all-more'),
    error: $('all').querySelector('.error'),
    top: () => $('all-status'),
    words: ['all.none', 'all.none_yet', 'all.count', 'all.count_more'],
  });
  for (const status of ['', ...STATUSES]) $('all-status').append(element('option', { value: status }));
  for (const sort of ['newest', 'oldest']) $('all-sort').append(element('option', { value: sort }));
  $('all-form').addEventListener('submit', (event) => {
    event.preventDefault();
    search();
  });
  for (const id of ['all-status', 'all-sort', 'all-from', 'all-until']) $(id).addEventListener('change', search);
  $('all-clear').addEventListener('click', () => {
    $('all-form').reset();
    offer([]);
    search();
    $('all-order').focus();
  });
  $('all-refresh').addEventListener('click', () => orders.refresh());
  onLanguage(() => {
    for (const option of $('all-status').options) write(option, t(option.value ? `status.${option.value}` : 'all.any'));
    for (const option of $('all-sort').options) write(option, t(`sort.${option.value}`));
    orders.draw();
  });
}

/** Shows the orders that the address asks for. */
export function open(wanted) {
  const filters = Object.fromEntries(Object.keys(FIELDS).filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
  const address = query(filters);
  for (const [name, id] of Object.entries(FIELDS)) $(id).value = filters[name] ?? (name === 'order' ? 'newest' : '');
  // On the way back from an order the list is as it was left.
  if (shown === address) return orders.draw();
  shown = address;
  offer([]);
  return orders.show(filters);
}

export const change = (order) => orders.change(order);

export function forget() {
  shown = null;
  $('all-form').reset();
  offer([]);
  orders.forget();
}

/** Leads to what was typed; one order to its own page. */
function search() {
  const error = $('all').querySelector('.error');
  clear(error);
  offer([]);
  try {
    const filters = {};
    for (const [name, id] of Object.entries(FIELDS)) {
      const value = $(id).value.trim();
      if (value && !(name === 'order' && value === 'newest')) filters[name] = value;
    }
    if (filters.order_id) {
      const id = filters.order_id.toLowerCase();
      if (!ORDER_ID.test(id)) throw new Mistake($('all-order'), 'all.order_wrong');
      return go(page(id));
    }
    if (filters.item_id) filters.item_id = item(filters.item_id);
    // The shop would read all that was ever sent before.
    if (filters.order === 'oldest' && !filters.placed_from) filters.placed_from = $('all-from').value = day(365);
    const parameters = query(filters);
    go(`#operator/orders${parameters && '?'}${parameters}`);
  } catch (problem) {
    if (!(problem instanceof Mistake)) throw problem;
    point(error, problem);
  }
}

function go(hash) {
  // The same again is asked for again.
  if (location.hash === hash) orders.refresh();
  else location.hash = hash;
}

/** The id of the item that was meant: that with this id, or the only one with this in its name or its id. */
function item(typed) {
  if (all().some(({ item_id }) => item_id === typed)) return typed;
  const text = folded(typed);
  const found = all().filter(({ item_id, name = '' }) => folded(item_id).includes(text) || folded(name).includes(text));
  const exact = found.filter(({ name = '' }) => folded(name) === text);
  const one = exact.length === 1 ? exact : found;
  if (one.length === 1) return ($('all-item').value = one[0].item_id);
  if (found.length === 0) throw new Mistake($('all-item'), 'stock.no_match');
  offer(found.slice(0, MOST_OFFERED));
  throw new Mistake($('all-item'), 'all.items', { n: found.length });
}

/** Buttons for the items that may have been meant. */
function offer(items) {
  $('all-items').replaceChildren(
    ...items.map((item) => {
      const choose = element('button', { type: 'button', class: 'quiet' }, option(item));
      choose.addEventListener('click', () => {
        $('all-item').value = item.item_id;
        search();
      });
      return element('li', {}, choose);
    }),
  );
}
