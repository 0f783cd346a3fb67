// What is to be packed: paid orders, the oldest first, each sent from here.

import { sendingForm } from './shipping.js';
import { $, element, foreign } from './dom.js';
import { name, onLanguage, say } from './language.js';
import { counted, day, link, listing, showTroubles } from './listing.js';
import { shortId, time } from './orders.js';

/** Days that are looked back at first: without a day the shop would read all that was ever sent before what is to be sent. */
const DAYS = 30;
/** How long a list is fresh enough to go on with, on the way back from an order. */
const FRESH_MS = 120_000;

let orders;
let readAt = -Infinity;
let tellChanged = () => {};

export function start(changed) {
  tellChanged = changed;
  orders = listing({
    list: $('packing-list'),
    note: $('packing-note'),
    more: $('packing-more'),
    error: $('packing').querySelector('.error'),
    top: () => $('packing-title'),
    words: ['packing.none', 'packing.none_yet', 'packing.count', 'packing.count_more'],
    make,
    update,
  });
  $('packing-refresh').addEventListener('click', read);
  $('packing-since').addEventListener('change', read);
  onLanguage(orders.draw);
}

function read() {
  readAt = performance.now();
  if (!$('packing-since').value) $('packing-since').value = day(DAYS);
  return orders.show({ status: 'paid', order: 'oldest', placed_from: $('packing-since').value });
}

export function open() {
  if (performance.now() - readAt > FRESH_MS) return read();
}

export function forget() {
  readAt = -Infinity;
  orders.forget();
}

/** Takes what an order has become elsewhere. */
export function change(order) {
  orders.change(order, order.status === 'paid');
}

function make(id) {
  const send = element('button', { type: 'button', class: 'send quiet', 'aria-expanded': 'false' });
  say(send, 'packing.send');
  name(send, 'packing.send_label', { id: shortId(id) });
  const place = element('div', { class: 'place' });
  const row = element(
    'li',
    { class: 'order' },
    element('div', { class: 'heading' }, element('h3', { tabindex: '-1' }, link(id)), element('span', { class: 'muted when' })),
    element('ul', { class: 'troubles' }),
    element('ul', { class: 'to-pack' }),
    element('p', { class: 'muted customer-line' }),
    element('div', { class: 'actions' }, send),
    place,
  );
  send.addEventListener('click', () => toggle(row, send, place));
  return row;
}

function toggle(row, send, place) {
  const isOpen = send.getAttribute('aria-expanded') === 'true';
  send.setAttribute('aria-expanded', String(!isOpen));
  if (isOpen) return place.replaceChildren();
  const order = row.order;
  const close = () => {
    send.setAttribute('aria-expanded', 'false');
    place.replaceChildren();
    send.focus();
  };
  place.append(sendingForm(order, sent, close));
  place.querySelector('input').focus();
}

/** The order is sent: the next one has the focus. */
function sent(order) {
  const row = orders.row(order.order_id);
  const next = row?.nextElementSibling ?? row?.previousElementSibling;
  say($('desk-outcome'), 'packing.sent', { id: shortId(order.order_id) });
  tellChanged(order);
  (next?.querySelector('.send:not([hidden])') ?? next?.querySelector('a') ?? $('packing-title')).focus();
}

function update(row, order) {
  row.order = order;
  row.dataset.order = order.order_id;
  const when = row.querySelector('.when');
  const at = time(order.payment?.paid_at ?? order.placed_at);
  if (when.textContent !== at.textContent) when.replaceChildren(at);
  showTroubles(row.querySelector('.troubles'), order);
  const back = counted(order.returns ?? []);
  const list = row.querySelector('.to-pack');
  const rest = order.items.map((line) => ({ ...line, sold: line.quantity, quantity: line.quantity - (back.get(line.item_id) ?? 0) }));
  const signature = JSON.stringify(rest);
  if (list.dataset.shown !== signature) {
    list.dataset.shown = signature;
    list.replaceChildren(...rest.map(line));
  }
  const customer = row.querySelector('.customer-line');
  if (!customer.hasChildNodes() && order.customer_id !== null) customer.append(foreign(order.customer_id, { class: 'foreign customer' }));
  // Goods that all came back are not sent.
  const none = rest.every(({ quantity }) => quantity <= 0);
  row.querySelector('.send').hidden = none;
}

/** How many of an item go into the parcel; those that came back before are not among them. */
function line({ item_id, name: called = item_id, quantity, sold }) {
  const words = element('span');
  if (quantity > 0) say(words, 'order.line', { item: called, quantity });
  else say(words, 'packing.came_back', { item: called, quantity: sold });
  return element('li', quantity > 0 ? {} : { class: 'gone' }, words, ...(called !== item_id ? [' ', foreign(item_id, { class: 'foreign muted' })] : []));
}
