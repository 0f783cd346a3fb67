// Placing an order.

import { Unreachable, freshKey, insist } from './api.js';
import { $, CONTROL, write } from './dom.js';
import { hush, money, name, onLanguage, say } from './language.js';
import { clear, complain, explain } from './problem.js';
import { called, choices, find, onStock, option, reprice } from './stock.js';
import { keep, recall } from './storage.js';

const MOST_LINES = 50;
const MOST_QUANTITY = 1_000_000;
const LONGEST_CUSTOMER = 128;

let onPlaced = () => {};
/** Whether an order is on its way. */
let sending = false;
/** The order, with its key, of which it is not known whether it was placed. It outlives a reload of the page. */
let attempt = recall('sessionStorage', 'attempt');

export function start(placed) {
  onPlaced = placed;
  addLine();
  $('add-line').addEventListener('click', () => addLine().querySelector('select').focus());
  $('order-form').addEventListener('submit', (event) => {
    event.preventDefault();
    place();
  });
  $('order-form').addEventListener('input', (event) => {
    unmark(event.target);
    show();
  });
  onStock(show);
  onLanguage(show);
  // What was on its way when the page was reloaded.
  if (attempt && !attempt.refused) attemptNow();
}

/** Puts one more of an item into the order. */
export function add(id) {
  const lines = [...$('lines').children];
  let line = lines.find((line) => item(line).value === id);
  if (line) {
    const more = Number(quantity(line).value) + 1;
    quantity(line).value = Number.isInteger(more) && more > 0 ? Math.min(more, most(find(id))) : 1;
  } else {
    line = lines.find((line) => !item(line).value) ?? addLine();
    item(line).value = id;
  }
  unmark(item(line));
  unmark(quantity(line));
  show();
  say($('form-status'), 'stock.added', { item: called(id), quantity: Number(quantity(line).value) });
}

/** How many of an item one order may have; the shop refuses more. */
const most = (chosen) => chosen?.max_per_order ?? MOST_QUANTITY;

const item = (line) => line.querySelector('.line-item');
const quantity = (line) => line.querySelector('.line-quantity');

function addLine() {
  const line = $('line').content.firstElementChild.cloneNode(true);
  for (const node of line.querySelectorAll('[data-t]')) say(node, node.dataset.t);
  line.querySelector('.line-remove').addEventListener('click', () => {
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    show();
    (next ? item(next) : $('add-line')).focus();
  });
  $('lines').append(line);
  show();
  return line;
}

function show() {
  const lines = [...$('lines').children];
  let sum = 0;
  let of = null;
  lines.forEach((line, index) => {
    choices(item(line), (it) => `${option(it)} · ${money(it.unit_price, it)}`);
    const remove = line.querySelector('.line-remove');
    name(remove, 'form.remove', { n: index + 1 });
    remove.hidden = lines.length === 1;
    const chosen = find(item(line).value);
    const count = Number(quantity(line).value);
    const price = chosen && count > 0 ? chosen.unit_price * count : null;
    write(line.querySelector('.line-sum'), price === null ? '' : money(price, chosen));
    if (price !== null) {
      sum += price;
      of = chosen;
    }
    quantity(line).max = most(chosen);
    const above = count > most(chosen);
    const short = chosen && count > chosen.available;
    const note = line.querySelector('.line-error');
    if (!line.classList.contains('wrong')) {
      if (chosen?.max_per_order && above) say(note, 'form.above_limit', { most: most(chosen) });
      else if (short) say(note, 'form.short', { available: chosen.available });
      else hush(note);
    }
  });
  write($('sum'), of ? money(sum, of) : '–');
  $('add-line').hidden = lines.length >= MOST_LINES;
}

/** The order as typed, or null where something is wrong, which is then said. */
function read() {
  const wrong = [];
  const lines = [...$('lines').children];
  // What the lines of an item add up to: that is what the shop compares with its limit.
  const wanted = new Map();
  const items = lines.map((line) => {
    const count = Number(quantity(line).value);
    const chosen = find(item(line).value);
    wanted.set(item(line).value, count + (wanted.get(item(line).value) ?? 0));
    if (!item(line).value) wrong.push([item(line), line.querySelector('.line-error'), 'form.item_missing', {}]);
    else if (!Number.isInteger(count) || count < 1 || count > MOST_QUANTITY) {
      wrong.push([quantity(line), line.querySelector('.line-error'), 'form.quantity_wrong', {}]);
    } else if (chosen?.max_per_order && wanted.get(chosen.item_id) > chosen.max_per_order) {
      wrong.push([quantity(line), line.querySelector('.line-error'), 'form.above_limit', { most: chosen.max_per_order }]);
    }
    // The price that is shown: at any other the shop refuses the order.
    const unit_price = chosen?.unit_price;
    return { item_id: item(line).value, quantity: count, ...(Number.isSafeInteger(unit_price) ? { unit_price } : {}) };
  });
  const customer = $('customer').value.trim();
  // As the shop counts: code points.
  const length = [...customer].length;
  if (length > LONGEST_CUSTOMER) wrong.push([$('customer'), null, 'form.customer_long', { n: length }]);
  else if (CONTROL.test(customer)) wrong.push([$('customer'), null, 'form.customer_wrong', {}]);
  for (const [field, note, key, values] of wrong) mark(field, note, key, values);
  if (wrong.length === 0) return customer ? { items, customer_id: customer } : { items };
  const [field, note, key, values] = wrong[0];
  complain($('form-error'), note ? 'form.check' : key, values);
  field.focus();
  return null;
}

let notes = 0;

function mark(field, note, key, values) {
  field.setAttribute('aria-invalid', 'true');
  if (!note) return;
  field.closest('.line').classList.add('wrong');
  note.id ||= `note-${++notes}`;
  field.setAttribute('aria-describedby', note.id);
  say(note, key, values);
}

function unmark(field) {
  field.removeAttribute('aria-invalid');
  field.removeAttribute('aria-describedby');
  field.closest('.line')?.classList.remove('wrong');
}

function place() {
  if (sending) return;
  clear($('form-error'));
  hush($('form-status'));
  for (const field of $('order-form').querySelectorAll('[aria-invalid]')) unmark(field);
  show();
  const body = read();
  if (!body) return;
  // The same order after an answer that left open whether it was placed: the same key, so that it is placed once. And at the prices
  // that it was sent with: under them it may have been placed.
  const same = attempt && unpriced(attempt.body) === unpriced(body);
  remember(same ? { key: attempt.key, body: attempt.body } : { key: freshKey(), body });
  attemptNow();
}

/** What an order asks for, whatever it costs. */
const unpriced = (body) => JSON.stringify(body, (name, value) => (name === 'unit_price' ? undefined : value));

function remember(it) {
  attempt = it;
  keep('sessionStorage', 'attempt', it);
}

/** Sends the order until it is answered; under its key it is placed once. */
async function attemptNow() {
  sending = true;
  const button = $('place');
  button.setAttribute('aria-disabled', 'true');
  say($('form-status'), 'form.sending');
  const typed = snapshot();
  try {
    const answer = await insist('POST', '/orders', attempt, (error) => {
      say($('form-status'), error instanceof Unreachable ? 'form.resending' : 'form.busy');
    });
    remember(null);
    hush($('form-status'));
    // What was typed meanwhile is another order.
    if (snapshot() === typed) reset();
    onPlaced(answer);
  } catch (refusal) {
    // A 5xx leaves open whether the order was placed.
    const sent = attempt.body.items;
    remember(refusal.status < 500 ? null : { ...attempt, refused: true });
    hush($('form-status'));
    if (refusal.code === 'price_changed') explainPrices(refusal, sent);
    else explain($('form-error'), refusal, { item: called(refusal.problem.item_id) });
    point(refusal.problem);
  } finally {
    sending = false;
    button.removeAttribute('aria-disabled');
  }
}

/** Shows the prices that have changed, so that the next press of the button agrees to them. */
function explainPrices(refusal, sent) {
  const { items = [], total } = refusal.problem;
  reprice(items);
  const of = items.map(({ item_id }) => find(item_id)).find(Boolean);
  explain($('form-error'), refusal, of ? { total: { amount: total, of } } : {});
  const before = new Map(sent.map(({ item_id, unit_price }) => [item_id, unit_price]));
  const changed = new Map(items.filter((now) => before.get(now.item_id) !== now.unit_price).map((now) => [now.item_id, now.unit_price]));
  for (const line of $('lines').children) {
    const id = item(line).value;
    if (of && changed.has(id)) mark(item(line), line.querySelector('.line-error'), 'form.price_now', { price: { amount: changed.get(id), of } });
  }
}

/** Marks the fields that the shop says are wrong. */
function point(problem) {
  const lines = [...$('lines').children];
  for (const { pointer = '' } of problem.errors ?? []) {
    const [, index, field] = /^\/items\/(\d+)\/(item_id|quantity)$/.exec(pointer) ?? [];
    const line = lines[Number(index)];
    if (line) (field === 'quantity' ? quantity : item)(line).setAttribute('aria-invalid', 'true');
    if (pointer === '/customer_id') $('customer').setAttribute('aria-invalid', 'true');
  }
  if (problem.item_id === undefined) return;
  for (const line of lines) if (item(line).value === problem.item_id) quantity(line).setAttribute('aria-invalid', 'true');
}

function snapshot() {
  return JSON.stringify([...$('order-form').querySelectorAll('select, input')].map((field) => field.value));
}

/** An empty order, for the same customer. */
function reset() {
  const focused = $('lines').contains(document.activeElement);
  $('lines').replaceChildren();
  const line = addLine();
  if (focused) item(line).focus();
}
