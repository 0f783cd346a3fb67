// The orders that were placed in this tab: how long each is held, paying and cancelling it.

import { Refusal, insist, send } from './api.js';
import { learn, now } from './clock.js';
import { $, arrange, element, foreign, write } from './dom.js';
import { hush, moment, money, name, onLanguage, say, t } from './language.js';
import { clear, complain, explain } from './problem.js';
import { keep, recall } from './storage.js';

const MOST_KEPT = 50;
/** How many open orders are asked for at a time, so that a long list does not become a load. */
const ASKED_AT_ONCE = 6;

/** The newest first; `order` is null until it was heard of. */
let entries = [];
const cards = new Map();

export const shortId = (id) => id.slice(0, 8);

export function start() {
  entries = (recall('sessionStorage', 'orders') ?? []).map((id) => ({ id, order: null, asked: 0 }));
  onLanguage(show);
  setInterval(countDown, 250);
}

/** Takes up an order that was just placed. */
export function placed({ body: order, headers, sent, received, again }) {
  // Without a `date` header: the order was placed between asking and answer, unless an earlier request placed it.
  if (!headers.get('date') && !again && !headers.get('idempotent-replayed')) learn(Date.parse(order.placed_at), 1, sent, received);
  entries = entries.filter(({ id }) => id !== order.order_id);
  entries.unshift({ id: order.order_id, order, asked: performance.now() });
  entries.splice(MOST_KEPT);
  remember();
  show();
  announce(order);
}

/** Asks for the orders that may still change. */
export async function poll() {
  const open = entries.filter(({ order, working }) => !working && (!order || ['placing', 'pending'].includes(order.status)));
  open.sort((one, other) => one.asked - other.asked);
  await Promise.all(open.slice(0, ASKED_AT_ONCE).map(ask));
}

async function ask(entry) {
  entry.asked = performance.now();
  try {
    const answer = await send('GET', `/orders/${encodeURIComponent(entry.id)}`, { etag: entry.etag });
    if (answer.status === 304 || entry.working) return;
    entry.etag = answer.headers.get('etag');
    take(entry, answer.body);
  } catch (error) {
    // Another shop has moved in at this address.
    if (!(error instanceof Refusal && error.status === 404)) throw error;
    entries = entries.filter((other) => other !== entry);
    remember();
    show();
  }
}

function take(entry, order) {
  const before = entry.order?.status;
  entry.order = order;
  show();
  if (!before || before === order.status) return;
  announce(order);
  tell(cards.get(entry.id).querySelector('.history'), entry.id);
}

function remember() {
  keep('sessionStorage', 'orders', entries.map(({ id }) => id));
}

function announce(order) {
  say($('outcome'), `outcome.${order.status}`, { id: shortId(order.order_id), total: { amount: order.total, of: order } });
}

function show() {
  const known = entries.filter(({ order }) => order);
  $('orders-none').hidden = known.length > 0;
  arrange($('orders-list'), known.map(({ id }) => id), cards, make);
  for (const entry of known) update(cards.get(entry.id), entry);
  countDown();
}

function make(id) {
  const title = element('h3', { tabindex: '-1' });
  say(title, 'order.name', { id: shortId(id) });
  const act = (what) => {
    const button = element('button', { type: 'button', class: what === 'pay' ? 'pay' : 'cancel quiet' });
    button.addEventListener('click', () => perform(id, what));
    return button;
  };
  return element(
    'li',
    { class: 'order' },
    element('div', { class: 'heading' }, title, element('span', { class: 'status' })),
    element('ul', { class: 'order-lines' }),
    element('p', { class: 'order-total' }),
    element('dl', { class: 'facts' }),
    element(
      'div',
      { class: 'hold' },
      element('p', {}, element('span', { class: 'hold-words' }), ' ', element('span', { class: 'left', role: 'timer' })),
      element('div', { class: 'bar', 'aria-hidden': 'true' }, element('span', { class: 'time' })),
    ),
    element('div', { class: 'actions' }, act('pay'), act('cancel')),
    element('div', { class: 'error', role: 'alert' }),
    element('div', { class: 'note', role: 'status' }),
    history(id),
  );
}

/** When what happened to the order; asked for only when its details are opened. */
function history(id) {
  const summary = element('summary');
  say(summary, 'order.history');
  name(summary, 'order.history_label', { id: shortId(id) });
  const details = element('details', { class: 'history' }, summary, element('ol'), element('div', { class: 'error' }));
  details.addEventListener('toggle', () => tell(details, id));
  return details;
}

async function tell(details, id) {
  if (!details.open) return;
  const list = details.querySelector('ol');
  const error = details.querySelector('.error');
  try {
    const { body } = await send('GET', `/orders/${encodeURIComponent(id)}/history`);
    clear(error);
    list.replaceChildren(
      ...body.events.map(({ at, event }) => {
        const word = element('span');
        say(word, `event.${event}`);
        return element('li', {}, time(at), word);
      }),
    );
  } catch (problem) {
    if (problem instanceof Refusal) explain(error, problem);
    else complain(error, 'server.away');
  }
}

function update(card, { order, working }) {
  const total = { amount: order.total, of: order };
  const id = shortId(order.order_id);
  card.dataset.status = order.status;
  card.dataset.order = order.order_id;
  say(card.querySelector('.status'), `status.${order.status}`);
  write(card.querySelector('.order-total'), money(order.total, order));
  if (!card.querySelector('.order-lines').hasChildNodes()) {
    for (const line of order.items) card.querySelector('.order-lines').append(describe(line));
  }
  facts(card.querySelector('.facts'), order);
  const open = ['placing', 'pending'].includes(order.status);
  const actions = card.querySelector('.actions');
  // The focus does not get lost with the buttons.
  if (!open && actions.contains(document.activeElement)) card.querySelector('h3').focus();
  actions.hidden = !open;
  card.querySelector('.hold').hidden = !open;
  const pay = card.querySelector('.pay');
  const cancel = card.querySelector('.cancel');
  say(pay, 'order.pay', { total });
  name(pay, 'order.pay_label', { total, id });
  say(cancel, 'order.cancel');
  name(cancel, 'order.cancel_label', { id });
  for (const button of [pay, cancel]) {
    if (working) button.setAttribute('aria-disabled', 'true');
    else button.removeAttribute('aria-disabled');
  }
}

export function describe({ item_id, quantity }) {
  const line = element('li');
  say(line, 'order.line', { item: item_id, quantity });
  return line;
}

function facts(list, order) {
  const wanted = [];
  if (order.customer_id !== null) wanted.push(['order.customer', () => foreign(order.customer_id, { class: 'foreign customer' })]);
  wanted.push(['order.placed', () => time(order.placed_at)]);
  if (order.payment) wanted.push(['order.paid_at', () => time(order.payment.paid_at)]);
  wanted.push(['order.id', () => foreign(order.order_id)]);
  const signature = `${moment(order.placed_at)} ${wanted.length}`;
  if (list.dataset.shown === signature) return;
  list.dataset.shown = signature;
  list.replaceChildren(
    ...wanted.map(([key, value]) => {
      const term = element('dt');
      say(term, key);
      return element('div', {}, term, element('dd', {}, value()));
    }),
  );
}

export const time = (at) => element('time', { datetime: at }, moment(at));

/** Shows how much of each hold is left, by the server's clock. What happens when it has passed, only the shop says. */
function countDown() {
  const time = now();
  for (const { id, order } of entries) {
    const card = order && cards.get(id);
    if (!card || card.querySelector('.hold').hidden) continue;
    const words = card.querySelector('.hold-words');
    const left = card.querySelector('.left');
    const bar = card.querySelector('.time');
    const expires = Date.parse(order.expires_at);
    if (time === null) {
      say(words, 'order.held_until', { time: { time: order.expires_at } });
      write(left, '');
      bar.style.width = '100%';
      continue;
    }
    const rest = expires - time;
    say(words, rest > 0 ? 'order.held_for' : 'order.time_up');
    write(left, rest > 0 ? duration(Math.ceil(rest / 1000)) : '');
    bar.style.width = `${Math.min(100, Math.max(0, (rest / (expires - Date.parse(order.placed_at))) * 100))}%`;
    card.classList.toggle('soon', rest < 60_000);
  }
}

/** 14:59, 1:14:59, 2d 1:14:59 */
function duration(seconds) {
  const two = (value) => String(value).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  const clock = days || hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
  return days ? t('order.days', { n: days }) + clock : clock;
}

/** Pays or cancels. Both can be sent again without a key: an order is paid or cancelled once. */
async function perform(id, what) {
  const entry = entries.find((entry) => entry.id === id);
  const card = cards.get(id);
  if (!entry || entry.working) return;
  entry.working = true;
  update(card, entry);
  const note = card.querySelector('.note');
  clear(card.querySelector('.error'));
  say(note, 'order.working');
  const { total } = entry.order;
  // A total that a JavaScript number cannot hold is left to the shop.
  const body = what === 'pay' ? { method: 'card', amount: Number.isSafeInteger(total) ? total : undefined } : undefined;
  try {
    const answer = await insist('POST', `/orders/${encodeURIComponent(id)}/${what}`, { body }, () => say(note, 'order.waiting'));
    entry.working = false;
    take(entry, answer.body);
  } catch (refusal) {
    entry.working = false;
    explain(card.querySelector('.error'), refusal);
    update(card, entry);
    // It may have been paid, cancelled or expired meanwhile.
    ask(entry).catch(() => {});
  } finally {
    hush(note);
  }
}
