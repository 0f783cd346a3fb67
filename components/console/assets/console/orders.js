// The orders that were placed in this tab: how long each is held, paying and cancelling it.

import { PROVIDER_PATIENCE_MS, Refusal, Unreachable, insist, send } from './api.js';
import { learn, now } from './clock.js';
import { $, arrange, element, foreign, write } from './dom.js';
import { hush, moment, money, name, onLanguage, say, t } from './language.js';
import { leaveFor } from './payments.js';
import { clear, complain, explain } from './problem.js';
import { trackingLink } from './shipping.js';
import { keep, recall } from './storage.js';

const MOST_KEPT = 50;
/** How many open orders are asked for at a time, so that a long list does not become a load. */
const ASKED_AT_ONCE = 6;
/** How long until the payment provider is asked about a payment again, at first and at most, and how often it is. */
const LOOK_PAUSE_MS = 3_000;
const LONGEST_LOOK_PAUSE_MS = 30_000;
const LOOKS = 20;
/** What the history of an order says of a charge that came too late. */
const LATE = ['refunding_late', 'refunded_late', 'late_refund_failed'];

/**
 * The newest first; `order` is null until it was heard of. `progress` is how far a payment at the payment provider has come,
 * as was last heard; `lookAt` says when to ask about it again, and `looks` how often that was done. `turn` counts the answers
 * to what was sent, so that an earlier answer to a question is not taken for a later one.
 */
let entries = [];
const cards = new Map();

export const shortId = (id) => id.slice(0, 8);

/** A new entry. `arrived` says how the buyer has come back from the payment provider. */
const entryOf = (id, { order = null, asked = 0, arrived = null } = {}) => ({
  id,
  order,
  asked,
  arrived,
  progress: null,
  late: null,
  lookAt: Infinity,
  looks: 0,
  turn: 0,
});

/** `arrival` names the order for whose payment the buyer was at the payment provider. */
export function start(arrival) {
  entries = (recall('sessionStorage', 'orders') ?? []).map((id) => entryOf(id));
  if (arrival) {
    // This may be another browser than the one in which it was ordered.
    entries = entries.filter(({ id }) => id !== arrival.id);
    entries.unshift(entryOf(arrival.id, { arrived: arrival.how }));
    entries.splice(MOST_KEPT);
    remember();
  }
  onLanguage(show);
  setInterval(countDown, 250);
}

/** Takes up an order that was just placed. */
export function placed({ body: order, headers, sent, received, again }) {
  // Without a `date` header: the order was placed between asking and answer, unless an earlier request placed it.
  if (!headers.get('date') && !again && !headers.get('idempotent-replayed')) learn(Date.parse(order.placed_at), 1, sent, received);
  entries = entries.filter(({ id }) => id !== order.order_id);
  entries.unshift(entryOf(order.order_id, { order, asked: performance.now() }));
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
  // Not waited for: the provider may be slow.
  for (const entry of entries.filter(isDue)) carryOn(entry);
}

/** The page is shown as it was left for the payment provider's. */
export function backAgain() {
  for (const entry of entries.filter(({ order }) => isAtProvider(order))) lookSoon(entry);
}

/** Whether its buyer may be paying at the payment provider, or has paid there by a means that takes a while. */
const isAtProvider = (order) => order?.status === 'pending' && order.payment !== undefined;

const isVoid = (order) => ['cancelled', 'expired'].includes(order.status);

const isDue = ({ order, working, looking, lookAt }) => order && !working && !looking && performance.now() >= lookAt;

function lookSoon(entry) {
  entry.lookAt = 0;
  entry.looks = 0;
}

/** Asks again after a pause that grows, and not for ever. */
function lookLater(entry, least = 0) {
  const pause = Math.min(LOOK_PAUSE_MS * 1.5 ** entry.looks, LONGEST_LOOK_PAUSE_MS);
  entry.looks += 1;
  entry.lookAt = entry.looks < LOOKS ? performance.now() + Math.max(pause, least || 0) : Infinity;
}

/** Asks about a payment at the provider, or about money that goes back. */
async function carryOn(entry) {
  entry.looking = true;
  try {
    await (isAtProvider(entry.order) ? look(entry) : findLate(entry));
  } finally {
    entry.looking = false;
  }
}

/** Has the shop look at the provider: that is what paying again does while there is a session to pay in. */
async function look(entry) {
  const { turn } = entry;
  if (!entry.progress) {
    entry.progress = { key: 'progress.looking' };
    show();
  }
  try {
    const answer = await send('POST', `/orders/${encodeURIComponent(entry.id)}/pay`, { body: {}, patience: PROVIDER_PATIENCE_MS });
    if (turn === entry.turn && !entry.working) follow(entry, answer);
  } catch (error) {
    if (turn !== entry.turn || entry.working) return;
    if (!(error instanceof Unreachable || error instanceof Refusal)) throw error;
    const passes = error instanceof Unreachable || error.passes || error.code?.startsWith('payment_provider_');
    if (passes) {
      // What was heard before is still the best that is known.
      if (['progress.looking', 'progress.unanswered'].includes(entry.progress?.key)) entry.progress = { key: 'progress.unanswered' };
      lookLater(entry, error.retryAfter);
    } else {
      entry.lookAt = Infinity;
      entry.progress = null;
      // It may have been cancelled or have expired meanwhile, which is told as such.
      if (error.code !== 'order_not_payable') explain(cards.get(entry.id).querySelector('.error'), error);
      ask(entry).catch(() => {});
    }
    show();
  }
}

/** Takes what the shop answers to paying: the order is paid, or how far its payment at the provider is. */
function follow(entry, answer) {
  const { status, body: order, headers } = answer;
  entry.turn += 1;
  // What is there now may look like what was there before.
  entry.etag = undefined;
  if (status !== 202) return take(entry, order);
  const before = entry.progress;
  entry.order = order;
  entry.lookAt = Infinity;
  if (order.payment.status === 'processing') {
    lookLater(entry, Number(headers.get('retry-after')) * 1000);
    entry.progress = { key: entry.lookAt === Infinity ? 'progress.processing_long' : 'progress.processing' };
  } else {
    entry.progress = { key: openWords(entry, before), until: order.payment.expires_at };
  }
  show();
}

/** In which words to say that the buyer can pay at the provider's page. */
function openWords({ arrived }, before) {
  if (before?.key.startsWith('progress.processing') || before?.key === 'progress.again') return 'progress.failed';
  return { returned: 'progress.returned', left: 'progress.left' }[arrived] ?? 'progress.open';
}

/** Looks in the history of an order that came to nothing for a charge that came too late. */
async function findLate(entry) {
  try {
    const { body } = await send('GET', `/orders/${encodeURIComponent(entry.id)}/history`);
    const before = entry.late;
    takeLate(entry, body.events);
    // Who comes back from paying may have paid a moment ago.
    if (!entry.late && entry.arrived === 'returned') lookLater(entry);
    if (entry.late !== before) tell(cards.get(entry.id).querySelector('.history'), entry.id);
  } catch (error) {
    lookLater(entry, error.retryAfter);
  }
}

function takeLate(entry, events) {
  const found = events.map(({ event }) => event).filter((event) => LATE.includes(event));
  // What has not gone back is what the buyer has to know of.
  entry.late = found.find((event) => event === 'late_refund_failed') ?? found.find((event) => event === 'refunding_late') ?? found.at(-1) ?? null;
  if (entry.late === 'refunding_late') lookLater(entry);
  else if (!isAtProvider(entry.order)) entry.lookAt = Infinity;
  show();
}

async function ask(entry) {
  entry.asked = performance.now();
  const { turn } = entry;
  try {
    const answer = await send('GET', `/orders/${encodeURIComponent(entry.id)}`, { etag: entry.etag });
    if (answer.status === 304 || entry.working || entry.turn !== turn) return;
    entry.etag = answer.headers.get('etag');
    take(entry, answer.body);
  } catch (error) {
    // Another shop has moved in at this address.
    if (!(error instanceof Refusal && error.status === 404)) throw error;
    entries = entries.filter((other) => other !== entry);
    remember();
    show();
    if (entry.arrived && !entry.order) say($('outcome'), 'error.order_not_found');
  }
}

function take(entry, order) {
  const before = entry.order;
  const isNew = entry.arrived && !before;
  const wasAway = isNew || isAtProvider(before);
  entry.order = order;
  if (isAtProvider(order)) {
    // It has become so in another tab, or before this page was opened.
    if (!entry.progress || entry.progress.key === 'progress.again') lookSoon(entry);
  } else {
    if (order.status !== 'pending') entry.progress = null;
    // What the provider has closed can be paid again.
    else if (wasAway) entry.progress = { key: 'progress.again' };
    entry.lookAt = Infinity;
    entry.looks = 0;
    if (wasAway && isVoid(order)) lookSoon(entry);
  }
  show();
  if (isNew) cards.get(entry.id).querySelector('h3').focus();
  if (isNew ? order.status === 'pending' : !before || before.status === order.status) return;
  announce(order);
  tell(cards.get(entry.id).querySelector('.history'), entry.id);
}

function remember() {
  keep('sessionStorage', 'orders', entries.map(({ id }) => id));
}

function announce(order) {
  // Without a payment provider the payment is on record, and nobody was charged.
  const outcome = order.status === 'paid' && order.payment?.charged === false ? 'recorded' : order.status;
  say($('outcome'), `outcome.${outcome}`, { id: shortId(order.order_id), total: { amount: order.total, of: order } });
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
    element('p', { class: 'progress', role: 'status' }),
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
    const entry = entries.find((entry) => entry.id === id);
    if (entry?.order) takeLate(entry, body.events);
    list.replaceChildren(
      ...body.events.map((event) => element('li', {}, time(event.at), happened(event, entry?.order))),
    );
  } catch (problem) {
    if (problem instanceof Refusal) explain(error, problem);
    else complain(error, 'server.away');
  }
}

/** What happened to an order, with the amount where it is about money that went back. */
export function happened({ event, amount }, order) {
  const word = element('span');
  say(word, `event.${event}`);
  return amount === undefined || !order ? word : element('span', {}, word, ' ', element('span', { class: 'amount' }, money(amount, order)));
}

function update(card, entry) {
  const { order, working, progress, late } = entry;
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
  // At the provider the goods are held until that has decided, whatever time it is.
  card.querySelector('.hold').hidden = !open || isAtProvider(order);
  const words = card.querySelector('.progress');
  if (progress) say(words, progress.key, progress.until ? { time: { time: progress.until } } : {});
  else if (late) say(words, `late.${late}`);
  else hush(words);
  words.classList.toggle('bad', late === 'late_refund_failed' && !progress);
  const pay = card.querySelector('.pay');
  const cancel = card.querySelector('.cancel');
  const [wording, label] = payWords(entry);
  say(pay, wording, { total });
  name(pay, label, { total, id });
  say(cancel, 'order.cancel');
  name(cancel, 'order.cancel_label', { id });
  for (const button of [pay, cancel]) {
    if (working) button.setAttribute('aria-disabled', 'true');
    else button.removeAttribute('aria-disabled');
  }
}

/** Whether the buyer can only ask how far the payment at the provider is, since it is not known to be open. */
const onlyLooks = ({ progress }) => progress !== null && !progress.until;

/** What the button does that pays: the first time it opens a page to pay at, or the payment is recorded. */
function payWords({ order, progress }) {
  if (!isAtProvider(order)) return ['order.pay', 'order.pay_label'];
  if (onlyLooks({ progress })) return ['order.look', 'order.look_label'];
  return ['order.continue', 'order.continue_label'];
}

/** A line of an order, with the name that its item had when it was sold; `withId` also with the id, where that is another. */
export function describe({ item_id, name = item_id, quantity }, withId = false) {
  const words = element('span');
  say(words, 'order.line', { item: name, quantity });
  return element('li', {}, words, ...(withId && name !== item_id ? [' ', foreign(item_id, { class: 'foreign muted' })] : []));
}

function facts(list, order) {
  const wanted = [];
  if (order.customer_id !== null) wanted.push(['order.customer', () => foreign(order.customer_id, { class: 'foreign customer' })]);
  wanted.push(['order.placed', () => time(order.placed_at)]);
  if (order.payment?.paid_at) wanted.push(['order.paid_at', () => time(order.payment.paid_at)]);
  if (order.payment?.charged === false) wanted.push(['order.charged', () => unmoved()]);
  const { fulfilment, refunded } = order;
  if (fulfilment) wanted.push(['order.sent', () => element('span', {}, time(fulfilment.fulfilled_at), ' ', foreign(fulfilment.carrier ?? ''), ' ', trackingLink(fulfilment))]);
  if (fulfilment?.delivered_at) wanted.push(['order.delivered', () => time(fulfilment.delivered_at)]);
  if (refunded > 0) wanted.push(['order.given_back', () => money(refunded, order)]);
  wanted.push(['order.id', () => foreign(order.order_id)]);
  const signature = `${moment(order.placed_at)} ${wanted.length} ${JSON.stringify(fulfilment ?? null)} ${refunded}`;
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

function unmoved() {
  const node = element('span');
  say(node, 'order.unmoved');
  return node;
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
    const options = { body, patience: PROVIDER_PATIENCE_MS };
    const answer = await insist('POST', `/orders/${encodeURIComponent(id)}/${what}`, options, () => say(note, 'order.waiting'));
    entry.working = false;
    const asked = isAtProvider(entry.order) && onlyLooks(entry);
    follow(entry, answer);
    // Who has only asked whether it is paid is told so first.
    if (answer.status === 202 && answer.body.payment.status === 'open' && !asked) leave(entry);
  } catch (refusal) {
    entry.working = false;
    if (refusal.code === 'payment_processing') {
      entry.progress = { key: 'progress.processing' };
      entry.looks = 0;
      lookLater(entry, refusal.retryAfter);
    }
    explain(card.querySelector('.error'), refusal);
    update(card, entry);
    // It may have been paid, cancelled or expired meanwhile.
    ask(entry).catch(() => {});
  } finally {
    hush(note);
  }
}

/** Goes to the page where the buyer pays. */
function leave(entry) {
  const { url, expires_at } = entry.order.payment;
  entry.progress = { key: 'progress.leaving', until: expires_at };
  entry.arrived = null;
  show();
  if (leaveFor(url)) return;
  entry.progress = { key: 'progress.open', until: expires_at };
  show();
  complain(cards.get(entry.id).querySelector('.error'), 'error.unsafe_page');
}
