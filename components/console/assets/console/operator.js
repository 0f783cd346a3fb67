// The operator's part: the token, and the way between its pages. Each page has an address of its own.

import { insist } from './api.js';
import * as attention from './attention.js';
import * as books from './books.js';
import { $, element } from './dom.js';
import { hush, onLanguage, say, t } from './language.js';
import * as list from './order-list.js';
import * as order from './order-page.js';
import * as packing from './packing.js';
import { clear, complain, explain } from './problem.js';
import * as session from './session.js';
import * as stock from './stock-page.js';

/** The characters that an HTTP header can have; a token with any other character is wrong. */
const SENDABLE = /^[\x20-\x7e]+$/;

/** By the ids of their sections. */
const PAGES = { packing, attention, all: list, order, goods: stock, books };

/** The page that is shown, and its address: that of the window may have become another anchor. */
let shown = null;
let address = '#operator';

export function start(stockChanged) {
  session.start((refusal) => {
    forget();
    explainToken(refusal);
    $('token').focus();
  });
  $('token-form').addEventListener('submit', (event) => {
    event.preventDefault();
    signIn();
  });
  $('forget').addEventListener('click', () => {
    forget();
    say($('token-status'), 'operator.gone');
    $('token').focus();
  });
  packing.start(changed);
  attention.start();
  list.start();
  order.start(changed);
  stock.start(stockChanged);
  books.start();
  onLanguage(entitlePage);
}

/** An order has become another: the lists that have it show that. */
function changed(order) {
  for (const page of [packing, attention, list]) page.change(order);
}

// The token.

async function signIn() {
  const typed = $('token').value.trim();
  clear($('token-error'));
  if (!typed) return refuseToken('operator.empty');
  if (!SENDABLE.test(typed)) return refuseToken('error.unauthorized');
  say($('token-status'), 'operator.checking');
  try {
    await insist('GET', '/orders?limit=1', { token: typed });
    session.use(typed);
    $('token').value = '';
    $('token-form').hidden = true;
    $('forget').hidden = false;
    $('operator-tools').hidden = false;
    say($('token-status'), 'operator.welcome');
    route();
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
  session.use(null);
  for (const page of Object.values(PAGES)) page.forget();
  shown = null;
  hush($('desk-outcome'));
  hush($('token-status'));
  $('token-form').hidden = false;
  $('forget').hidden = true;
  $('operator-tools').hidden = true;
  clear($('token-error'));
  entitlePage();
}

// The way.

/** The page that an address leads to, with what it says of it; null if it is none of the operator's. */
function parse(hash) {
  const [, path = '', query = ''] = /^#operator(?:\/([^?]*))?(?:\?(.*))?$/.exec(hash) ?? [null];
  const wanted = Object.fromEntries(new URLSearchParams(query));
  const [, order_id] = /^orders\/([0-9A-Fa-f-]{36})$/.exec(path) ?? [];
  if (order_id) return ['order', { order_id: order_id.toLowerCase() }];
  return [{ orders: 'all', attention: 'attention', stock: 'goods', books: 'books' }[path] ?? 'packing', wanted];
}

export const isOperators = (hash) => /^#operator(?:[/?]|$)/.test(hash);

/** Shows the page that the address names, where the token is known. */
export function route() {
  if (isOperators(location.hash)) address = location.hash;
  if (!session.isOpen()) return;
  const [name, wanted] = parse(address);
  const before = shown;
  if (before && before !== name) PAGES[before].close?.();
  shown = name;
  for (const id of Object.keys(PAGES)) $(id).hidden = id !== name;
  for (const way of $('desk-nav').querySelectorAll('a')) {
    if (way.dataset.page === name || (name === 'order' && way.dataset.page === 'all')) way.setAttribute('aria-current', 'page');
    else way.removeAttribute('aria-current');
  }
  if (before !== name) hush($('desk-outcome'));
  PAGES[name].open(wanted);
  entitlePage();
  // A screen reader says where this is. On the way back from an order that is where it was in the list.
  const row = before === 'order' && $(name).querySelector(`li[data-order="${order.current()}"] a`);
  (row || $(name).querySelector('h2')).focus();
}

/** The operator's part is left. */
export function leave() {
  if (shown) PAGES[shown].close?.();
  document.title = t('title');
}

function entitlePage() {
  const heading = shown && isOperators(location.hash) ? $(shown).querySelector('h2').textContent : null;
  document.title = heading ? `${heading} · ${t('title')}` : t('title');
}
