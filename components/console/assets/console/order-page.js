// The page of one order: all of its life, and what the operator does with it.

import { PROVIDER_PATIENCE_MS, Refusal, query } from './api.js';
import { carryOut, isRunning, unanswered } from './actions.js';
import { $, element, foreign } from './dom.js';
import { Mistake, form, major, minor, plain, point, text, whole } from './forms.js';
import { hush, money, name, number, onLanguage, say } from './language.js';
import { counted, failedCharges, inDispute, kept, lostInDispute, showTroubles } from './listing.js';
import { happened, shortId, time } from './orders.js';
import { clear } from './problem.js';
import { read, refused, request } from './session.js';
import { button, field, outcomes, sendingForm, trackingLink } from './shipping.js';
import { entitle, title } from './stock.js';

const LONGEST_REASON = 256;
/** How long until the shop is asked again about what has not ended, and how often it is. */
const LOOK_PAUSE_MS = 2_000;
const LOOKS = 20;

let id = null;
let order = null;
let events = [];
/** The number of the last request: answers to earlier ones are ignored. */
let asked = 0;
let looks = 0;
let timer;
let onChange = () => {};

/** `changed` is told each order that has become another. */
export function start(changed) {
  onChange = changed;
  $('order-refresh').addEventListener('click', () => {
    looks = 0;
    load();
  });
  onLanguage(draw);
}

export function open({ order_id }) {
  if (id !== order_id) {
    forget();
    id = order_id;
  }
  looks = 0;
  say($('order-title'), 'order.name', { id: shortId(order_id) });
  return load();
}

/** The order that is shown, or was last. */
export const current = () => id;

export function close() {
  clearTimeout(timer);
}

export function forget() {
  clearTimeout(timer);
  asked += 1;
  id = null;
  order = null;
  events = [];
  closePanel();
  hush($('order-outcome'));
  draw();
}

async function load() {
  if (id === null) return;
  const turn = ++asked;
  const own = id;
  clearTimeout(timer);
  const error = $('order-error');
  clear(error);
  const path = `/orders/${encodeURIComponent(own)}`;
  const [found, history] = await Promise.all([read(error, `/orders?${query({ order_id: own, limit: 1 })}`), read(error, `${path}/history`)]);
  if (turn !== asked || !found || !history) return;
  // The list finds an order by its number, which one that is being placed may not have yet.
  const first = found.body.orders[0] ?? (await read(error, path))?.body;
  if (turn === asked && first) take(first, history.body.events);
}

function take(it, history) {
  const before = order;
  order = it;
  events = history;
  if (before && before.status !== order.status) onChange(order);
  draw();
  const waits = [];
  if ([...(order.refunds ?? []).map(({ status }) => status), ...(order.late_charges ?? []).map(({ refund }) => refund)].includes('pending')) waits.push('refunds');
  if ((order.returns ?? []).some(({ done }) => !done)) waits.push('returns');
  if (waits.length > 0 && looks < LOOKS) {
    looks += 1;
    timer = setTimeout(() => carryOn(waits), LOOK_PAUSE_MS * looks);
  }
}

/** Has the shop carry on with what has not ended, without a press of a button: that is what asking for it does. */
async function carryOn(waits) {
  const turn = asked;
  for (const what of waits) await read($('order-error'), `/orders/${encodeURIComponent(id)}/${what}`, PROVIDER_PATIENCE_MS);
  if (turn === asked) await load();
}

/** How much was paid and is not given back, nor about to be. */
const refundable = () => (order.payment?.amount ?? 0) - (order.refunds ?? []).reduce((sum, { status, amount }) => sum + (status === 'failed' ? 0 : amount), 0);

/** Whether a payment provider has the money, and gives it back; without one all is on record alone. */
const isCharged = () => order.payment?.charged !== false;

/** In which words to tell of a refund. */
const refundWords = ({ status, provider }) => (status === 'succeeded' && !provider ? 'refund.recorded' : `refund.${status}`);

const isPaid = () => order.payment?.status === 'paid';

/** How many of each item were given back by line, and came back. */
const refunded = () => counted((order.refunds ?? []).filter(({ status }) => status !== 'failed'));
const returned = () => counted(order.returns ?? []);

function draw() {
  $('order-body').hidden = !order;
  if (!order) return;
  const section = $('order');
  section.dataset.status = order.status;
  say(section.querySelector('.status'), `status.${order.status}`);
  showTroubles(section.querySelector('.troubles'), order);
  drawFacts();
  drawLines();
  drawActions();
  drawRecords();
  drawEvents();
}

function drawFacts() {
  const { payment, fulfilment } = order;
  const rows = [['order.id', foreign(order.order_id)]];
  if (order.customer_id !== null) {
    const way = element('a', { href: `#operator/orders?${query({ customer_id: order.customer_id })}` }, foreign(order.customer_id, { class: 'foreign customer' }));
    rows.push(['order.customer', way]);
  }
  rows.push(['order.placed', time(order.placed_at)]);
  if (isPaid()) {
    rows.push(['order.paid_at', time(payment.paid_at)], ['one.method', foreign(payment.method)]);
    if (payment.charged === false) rows.push(['order.charged', said('order.unmoved')]);
  } else if (payment) rows.push(['one.payment', said('one.at_provider')]);
  if (payment?.session_id) rows.push(['one.session', foreign(payment.session_id)]);
  if (payment?.charge_id) rows.push(['one.charge', foreign(payment.charge_id)]);
  if (fulfilment) {
    rows.push(['order.sent', element('span', {}, time(fulfilment.fulfilled_at), ' ', foreign(fulfilment.carrier ?? ''), ' ', trackingLink(fulfilment))]);
    if (fulfilment.delivered_at) rows.push(['order.delivered', time(fulfilment.delivered_at)]);
  }
  $('order-facts').replaceChildren(
    ...rows.map(([key, value]) => element('div', {}, said(key, {}, 'dt'), element('dd', {}, value))),
  );
}

const said = (key, values = {}, tag = 'span', attributes = {}) => {
  const node = element(tag, attributes);
  say(node, key, values);
  return node;
};

const amountOf = (amount) => element('span', { class: 'amount' }, money(amount, order));

function drawLines() {
  const [back, moneyBack] = [returned(), refunded()];
  const cell = (key, value, attributes = {}) => element('td', { role: 'cell', ...attributes }, said(key, {}, 'span', { class: 'cell-label', 'aria-hidden': 'true' }), value);
  $('order-lines').replaceChildren(
    ...order.items.map((line) => {
      const head = title();
      entitle(head, line);
      return element(
        'tr',
        { role: 'row' },
        element('th', { role: 'rowheader', scope: 'row' }, head),
        cell('one.price', money(line.unit_price, order)),
        cell('one.sold', number(line.quantity)),
        cell('one.returned', number(back.get(line.item_id) ?? 0)),
        cell('one.refunded', number(moneyBack.get(line.item_id) ?? 0)),
        cell('form.total', money(line.unit_price * line.quantity, order)),
      );
    }),
  );
  const sums = [['form.total', order.total]];
  if (isPaid()) {
    const rest = refundable();
    const lost = lostInDispute(order);
    sums.push(['one.given_back', order.payment.amount - rest], ...(lost > 0 ? [['one.lost', lost]] : []), ['one.kept', kept(order)]);
  }
  if (inDispute(order) > 0) sums.push(['one.disputed', inDispute(order)]);
  $('order-sums').replaceChildren(...sums.map(([key, amount]) => element('div', {}, said(key, {}, 'dt'), element('dd', {}, amountOf(amount)))));
}

// What can be done. One panel is open at a time.

let panel = null;

const ACTIONS = {
  send: { key: () => (order.fulfilment ? 'one.shipment' : 'one.send'), can: canSend, make: makeSending },
  refund: { key: () => 'one.refund', can: () => isPaid() && refundable() > 0, make: makeRefund },
  take: { key: () => 'one.take_back', can: () => isPaid() && left(returned()).length > 0, make: makeReturn },
  cancel: { key: () => 'order.cancel', can: () => ['placing', 'pending'].includes(order.status), make: makeCancelling },
  again: { key: () => 'one.refund_again', can: () => failedCharges(order).length > 0, make: makeAgain },
};

function canSend() {
  return ['paid', 'fulfilled'].includes(order.status) && !order.fulfilment?.delivered_at && (order.fulfilment || left(returned()).length > 0);
}

/** The lines of which something is left, with how many that are. */
const left = (gone) => order.items.map((line) => ({ ...line, quantity: line.quantity - (gone.get(line.item_id) ?? 0) })).filter(({ quantity }) => quantity > 0);

function drawActions() {
  const place = $('order-actions');
  if (!place.hasChildNodes()) {
    for (const what of Object.keys(ACTIONS)) {
      const node = element('button', { type: 'button', class: 'quiet', 'aria-expanded': 'false', 'data-action': what });
      node.addEventListener('click', () => (panel?.what === what ? closePanel(true) : openPanel(what)));
      place.append(node);
    }
  }
  let some = false;
  for (const node of place.children) {
    const { key, can } = ACTIONS[node.dataset.action];
    // What was sent and has no outcome is not lost from sight.
    const shown = Boolean(can()) || unanswered(nameOf(node.dataset.action)) !== null || panel?.what === node.dataset.action;
    if (shown) say(node, key());
    if (!shown && node === document.activeElement) $('order-title').focus();
    node.hidden = !shown;
    some ||= shown;
  }
  place.hidden = !some;
  const open = Object.keys(ACTIONS).find((what) => unanswered(nameOf(what)) !== null);
  if (open && !panel) openPanel(open, false);
}

const nameOf = (what) => `${what}/${id}`;

function openPanel(what, focus = true) {
  closePanel();
  const node = ACTIONS[what].make();
  panel = { what, node };
  node.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') closePanel(true);
  });
  $('order-panel').replaceChildren(node);
  mark();
  if (focus) (node.querySelector('input:not([disabled]), select, button') ?? node).focus();
}

function closePanel(focus = false) {
  const what = panel?.what;
  panel = null;
  $('order-panel').replaceChildren();
  mark();
  if (focus) {
    const back = [...$('order-actions').children].find((node) => node.dataset.action === what && !node.hidden);
    (back ?? $('order-title')).focus();
  }
}

function mark() {
  for (const node of $('order-actions').children) node.setAttribute('aria-expanded', String(node.dataset.action === panel?.what));
}

/** The outcome of an action: told, and the order is read anew. */
function done(key, values = {}) {
  // It may have come while another page is looked at.
  say($($('order').hidden ? 'desk-outcome' : 'order-outcome'), key, values);
  closePanel(false);
  $('order-title').focus();
  looks = 0;
  return load();
}

function makeSending() {
  return sendingForm(order, () => done(order.fulfilment ? 'one.shipment_changed' : 'packing.sent', { id: shortId(id) }), () => closePanel(true));
}

/** Fields for how many of each line: `gone` are those for which it was done before. */
function quantities(gone) {
  return left(gone).map((line) => {
    const head = title();
    entitle(head, line);
    const input = element('input', { inputmode: 'numeric', autocomplete: 'off', class: 'count', 'data-item': line.item_id, 'data-most': line.quantity, value: '0' });
    name(input, 'one.count_label', { item: line.name ?? line.item_id, most: line.quantity });
    const all = button('one.all', { class: 'quiet' });
    name(all, 'one.all_label', { item: line.name ?? line.item_id, most: line.quantity });
    all.addEventListener('click', () => {
      input.value = String(line.quantity);
      input.dispatchEvent(new Event('input', { bubbles: true }));
    });
    return element('li', {}, head, said('one.up_to', { n: line.quantity }, 'span', { class: 'muted' }), input, all);
  });
}

/** What was typed into them; a `Mistake` if that is not what there is. */
function chosen(list) {
  const items = [];
  for (const input of list.querySelectorAll('.count')) {
    const quantity = whole(plain(input) || '0', Number(input.dataset.most));
    if (quantity === null) throw new Mistake(input, 'one.count_wrong', { most: Number(input.dataset.most) });
    if (quantity > 0) items.push({ item_id: input.dataset.item, quantity });
  }
  if (items.length === 0) throw new Mistake(list.querySelector('.count'), 'one.count_none');
  return items;
}

function reasonField() {
  return field('adjust.reason', { class: 'reason', dir: 'auto' }, 'optional');
}

const reasonOf = (node) => text(node.querySelector('.reason'), LONGEST_REASON, 'adjust.reason_long', 'adjust.reason_wrong');

const choice = (group, value, key, checked) => element('label', { class: 'check' }, element('input', { type: 'radio', name: group, value, checked }), said(key));

const valueOf = (node, group) => node.querySelector(`input[name=${group}]:checked`).value;

/** Two presses for money: the first says what will be done, the second does it. */
function makeRefund() {
  const lines = element('ul', { class: 'counts' }, ...quantities(refunded()));
  const amount = field('one.amount', { class: 'amount-field', inputmode: 'decimal' });
  const restock = element('label', { class: 'check' }, element('input', { type: 'checkbox', class: 'restock' }), said('one.restock'));
  const ask = button('one.refund_ask', { type: 'submit' });
  const node = element(
    'form',
    { class: 'act', novalidate: true },
    ...((order.disputes ?? []).some(({ status }) => status !== 'won') ? [said('one.refund_disputed', {}, 'p', { class: 'bad' })] : []),
    element(
      'fieldset',
      {},
      said('one.refund_what', {}, 'legend'),
      choice('of', 'lines', 'one.of_lines', lines.hasChildNodes()),
      choice('of', 'amount', 'one.of_amount', !lines.hasChildNodes()),
      choice('of', 'rest', 'one.of_rest', false),
    ),
    lines,
    amount,
    restock,
    reasonField(),
    element('div', { class: 'actions' }, ask, closing()),
    ...outcomes(),
  );
  if (!lines.hasChildNodes()) node.querySelector('input[value=lines]').closest('label').hidden = true;
  const show = () => {
    const of = valueOf(node, 'of');
    lines.hidden = of !== 'lines';
    amount.hidden = of !== 'amount';
    // Of an amount it is not known which goods it is for.
    restock.hidden = of === 'amount';
  };
  node.addEventListener('change', show);
  show();
  node.addEventListener('submit', (event) => {
    event.preventDefault();
    const error = node.querySelector('.error');
    clear(error);
    try {
      const [body, sum] = readRefund(node, lines, amount);
      confirm(node, 'refund', isCharged() ? 'one.confirm_refund' : 'one.confirm_record', { amount: { amount: sum, of: order } }, body);
    } catch (problem) {
      if (!(problem instanceof Mistake)) throw problem;
      point(error, problem);
    }
  });
  return orUnanswered('refund', node);
}

function readRefund(node, lines, amount) {
  const reason = reasonOf(node);
  const of = valueOf(node, 'of');
  const restock = of !== 'amount' && node.querySelector('.restock').checked ? true : undefined;
  if (of === 'rest') return [{ restock, reason }, refundable()];
  if (of === 'lines') {
    const items = chosen(lines);
    const price = new Map(order.items.map(({ item_id, unit_price }) => [item_id, unit_price]));
    const sum = items.reduce((sum, { item_id, quantity }) => sum + price.get(item_id) * quantity, 0);
    if (sum > refundable()) throw new Mistake(lines.querySelector('.count'), 'one.too_much', { rest: { amount: refundable(), of: order } });
    return [{ items, restock, reason }, sum];
  }
  const input = amount.querySelector('input');
  const typed = minor(plain(input), order);
  if (!typed) throw new Mistake(input, 'one.amount_wrong', { example: { span: major(refundable(), order) } });
  if (typed > refundable()) throw new Mistake(input, 'one.too_much', { rest: { amount: refundable(), of: order } });
  return [{ amount: typed, reason }, typed];
}

/** Goods that come back: into stock, or written off. */
function makeReturn() {
  const lines = element('ul', { class: 'counts' }, ...quantities(returned()));
  const node = element(
    'form',
    { class: 'act', novalidate: true },
    lines,
    element('fieldset', {}, said('one.return_to', {}, 'legend'), choice('to', 'stock', 'one.to_stock', true), choice('to', 'written_off', 'one.to_written_off', false)),
    reasonField(),
    element('div', { class: 'actions' }, button('one.return_do', { type: 'submit' }), closing()),
    ...outcomes(),
  );
  form(
    node,
    async (waiting) => {
      const body = { items: chosen(lines), to: valueOf(node, 'to'), reason: reasonOf(node) };
      const named = nameOf('take');
      try {
        await act('take', body, waiting);
      } catch (refusal) {
        if (unanswered(named) === null || named !== nameOf('take')) {
          load();
          throw refusal;
        }
        openPanel('take');
        refused(panel.node.querySelector('.error'), refusal);
      }
      return null;
    },
    { stays: true },
  );
  return orUnanswered('take', node);
}

const PATHS = { refund: 'refunds', take: 'returns' };

/** Does what must be done once, and tells the outcome on the page of its order, if that is still open. */
async function act(what, body, waiting) {
  const own = id;
  const { body: made } = await carryOut(nameOf(what), `/orders/${encodeURIComponent(own)}/${PATHS[what]}`, body, waiting);
  if (own !== id) return;
  if (what === 'take') await done('one.returned_done');
  else await done(refundWords(made), { amount: { amount: made.amount, of: order } });
}

/** In the place of the form: what will be done, and the button that does it. */
function confirm(node, what, key, values, body) {
  const go = button(isCharged() ? 'one.confirm' : 'one.record', { class: 'go' });
  const back = button('one.back', { class: 'quiet' });
  const ask = element('div', { class: 'act' }, said(key, values, 'p'), element('div', { class: 'actions' }, go, back), ...outcomes());
  back.addEventListener('click', () => {
    const shown = orUnanswered(what, node);
    $('order-panel').replaceChildren(shown);
    shown.querySelector('[type=submit], button').focus();
  });
  ask.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    back.click();
  });
  go.addEventListener('click', () => press(ask, what, body, [go, back]));
  $('order-panel').replaceChildren(ask);
  go.focus();
}

/** Does an action at the press of a button in `place`. */
async function press(place, what, body, buttons) {
  if (place.dataset.working) return;
  place.dataset.working = 'true';
  const named = nameOf(what);
  const [error, note] = [place.querySelector('.error'), place.querySelector('.note')];
  clear(error);
  say(note, 'order.working');
  for (const node of buttons) node.setAttribute('aria-disabled', 'true');
  try {
    await act(what, body, () => say(note, 'sending.wait'));
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    hush(note);
    refused(error, refusal, { rest: { amount: refusal.problem.refundable ?? 0, of: order } });
    if (unanswered(named) !== null) say(note, 'one.unknown');
    else load();
  } finally {
    delete place.dataset.working;
    for (const node of buttons) node.removeAttribute('aria-disabled');
  }
}

/** What was sent and has no outcome yet stands in the place of the form: nothing else can be asked for before. */
function orUnanswered(what, node) {
  const body = unanswered(nameOf(what));
  if (body === null) return node;
  const again = button('one.send_again');
  const place = element('div', { class: 'act' }, said(`unknown.${what}`, {}, 'p'), element('p', { class: 'muted' }, foreign(summary(body))), element('div', { class: 'actions' }, again), ...outcomes());
  again.addEventListener('click', () => press(place, what, body, [again]));
  if (isRunning(nameOf(what))) press(place, what, body, [again]);
  return place;
}

/** What was asked for, as it was sent. */
function summary({ amount, items, reason = '' }) {
  const what = amount === undefined ? (items ?? []).map(({ item_id, quantity }) => `${quantity} × ${item_id}`).join(', ') : money(amount, order);
  return [what, reason].filter(Boolean).join(' · ');
}

function closing() {
  const node = button('cancel', { class: 'quiet' });
  node.addEventListener('click', () => closePanel(true));
  return node;
}

/** An action without a key: it can be sent again, and is done once. */
function simple(key, does, work) {
  const go = button(does, { class: 'go' });
  const place = element('div', { class: 'act' }, said(key, {}, 'p'), element('div', { class: 'actions' }, go, closing()), ...outcomes());
  go.addEventListener('click', async () => {
    if (go.hasAttribute('aria-disabled')) return;
    const [error, note] = [place.querySelector('.error'), place.querySelector('.note')];
    clear(error);
    go.setAttribute('aria-disabled', 'true');
    say(note, 'order.working');
    try {
      await work(() => say(note, 'sending.wait'), place);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      refused(error, refusal);
      load();
    } finally {
      hush(note);
      go.removeAttribute('aria-disabled');
    }
  });
  return place;
}

function makeCancelling() {
  const path = `/orders/${encodeURIComponent(id)}`;
  const post = (what, waiting) => request('POST', `${path}/${what}`, { patience: PROVIDER_PATIENCE_MS }, waiting);
  return simple('one.cancel_ask', 'order.cancel', async (waiting, place) => {
    try {
      await post('cancel', waiting);
    } catch (refusal) {
      // The provider has lost the payment: an operator who has looked there may give the order up.
      if (refusal.code !== 'payment_provider_error' || place.querySelector('.abandon')) throw refusal;
      const lost = simple('one.abandon_ask', 'one.abandon', async (waiting) => {
        await post('abandon', waiting);
        await done('one.cancelled', { id: shortId(id) });
      });
      lost.classList.add('abandon');
      place.append(lost);
      throw refusal;
    }
    await done('one.cancelled', { id: shortId(id) });
  });
}

function makeAgain() {
  return simple('one.again_ask', 'one.refund_again', async (waiting) => {
    await request('POST', `/orders/${encodeURIComponent(id)}/refunds/retry`, { patience: PROVIDER_PATIENCE_MS }, waiting);
    await done('one.again_done');
  });
}

// What was done.

function drawRecords() {
  const failed = new Set(failedCharges(order));
  const records = [
    ...(order.refunds ?? []).map((refund) => ({ at: refund.created_at, key: refundWords(refund), values: { amount: { amount: refund.amount, of: order } }, items: refund.items, reason: refund.reason, bad: refund.status === 'failed' })),
    ...(order.late_charges ?? []).map((late) => ({ at: late.recorded_at, key: late.refund === 'failed' && !failed.has(late) ? 'late_charge.tried' : `late_charge.${late.refund}`, values: { amount: { amount: late.amount, of: order } }, bad: failed.has(late) })),
    ...(order.returns ?? []).map((back) => ({ at: back.at, key: back.done ? `goods_back.${back.to}` : 'trouble.return_undone', items: back.items, reason: back.reason, bad: !back.done })),
    ...(order.disputes ?? []).flatMap(({ dispute_id, status, amount, currency, opened_at, closed_at }) => {
      const values = { amount: { amount, of: currency === order.currency ? order : { currency } } };
      const decided = { at: closed_at, key: `dispute.${status}`, values, bad: status === 'lost' };
      // The id is what the operator looks for at the provider.
      return [{ at: opened_at, key: 'dispute.open', values, reason: dispute_id, bad: status === 'open' }, ...(closed_at ? [decided] : [])];
    }),
  ].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  $('order-records-part').hidden = records.length === 0;
  const names = new Map(order.items.map(({ item_id, name = item_id }) => [item_id, name]));
  $('order-records').replaceChildren(
    ...records.map(({ at, key, values = {}, items = [], reason, bad }) => {
      const words = said(key, values, 'span', bad ? { class: 'bad' } : {});
      const lines = items.map(({ item_id, quantity }) => said('order.line', { item: names.get(item_id) ?? item_id, quantity }, 'li'));
      return element('li', {}, time(at), element('div', {}, words, ...(lines.length ? [element('ul', { class: 'order-lines' }, ...lines)] : []), ...(reason ? [foreign(reason, { class: 'foreign muted reason-text' })] : [])));
    }),
  );
}

function drawEvents() {
  $('order-history').replaceChildren(...events.map((event) => element('li', {}, time(event.at), happened(event, order))));
}

