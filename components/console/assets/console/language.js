// The language of the page, and how texts, numbers and dates are written in it.

import { foreign } from './dom.js';
import { keep, recall } from './storage.js';
import { words } from './words.js';

const TAGS = { en: 'en', zh: 'zh-Hans' };
const values = new WeakMap();
const labels = new WeakMap();
const shown = new WeakMap();
const listeners = [];

let language = choose();

function choose() {
  const kept = recall('localStorage', 'language');
  if (kept in TAGS) return kept;
  const preferred = navigator.languages?.length ? navigator.languages : [navigator.language ?? 'en'];
  const known = preferred.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in TAGS);
  return known ?? 'en';
}

/** The locale for numbers and dates: the browser's own where it is of this language. */
function locale() {
  return (navigator.languages ?? []).find((tag) => tag.toLowerCase().startsWith(language)) ?? TAGS[language];
}

export const current = () => language;

export function change(to) {
  language = to;
  keep('localStorage', 'language', to);
  apply();
}

/** Calls `listener` whenever the language is chosen. */
export function onLanguage(listener) {
  listeners.push(listener);
}

export function apply() {
  document.documentElement.lang = TAGS[language];
  document.title = t('title');
  for (const node of document.querySelectorAll('[data-t]')) fill(node);
  for (const node of document.querySelectorAll('[data-t-label]')) fillLabel(node);
  for (const listener of listeners) listener();
}

/** Has an element say a text of words.js, in whichever language is chosen. Only the values that differ touch the page. */
export function say(node, key, filled = {}) {
  node.dataset.t = key;
  values.set(node, filled);
  fill(node);
}

/** Empties the text of an element. */
export function hush(node) {
  delete node.dataset.t;
  shown.delete(node);
  if (node.hasChildNodes()) node.replaceChildren();
}

/** Gives an element an accessible name. */
export function name(node, key, filled = {}) {
  node.dataset.tLabel = key;
  labels.set(node, filled);
  fillLabel(node);
}

/** A text of words.js for where there can be no elements. */
export function t(key, filled = {}) {
  return parts(key, filled, isolated).join('');
}

/**
 * Foreign text where there can be no elements: characters keep it from changing the direction of its surroundings.
 * ASCII cannot, and stays as it is, since who commands a browser by voice says no such characters.
 */
export const isolated = (text) => (/^[\x20-\x7e]*$/.test(text) ? text : `\u2068${text}\u2069`);

export const number = (value) => new Intl.NumberFormat(locale()).format(value);

/**
 * How many decimal places the minor unit of a currency has. The shop says it with each price, as ISO 4217 has it; browsers have
 * ideas of their own, after what people are used to, which are wrong for accounts: 0 for the forint, the rupiah, the peso.
 * Only of what is no currency any more the shop does not say it.
 */
export function digits({ currency, currency_digits }) {
  if (Number.isInteger(currency_digits)) return currency_digits;
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
}

/** An amount in minor units, in the currency `of` an item or an order. */
export function money(amount, of) {
  const places = digits(of);
  const style = { style: 'currency', currency: of.currency, minimumFractionDigits: places, maximumFractionDigits: places };
  return new Intl.NumberFormat(locale(), style).format(amount / 10 ** places);
}

/** A date and time in the format of the locale. */
export function moment(time, seconds = true) {
  const timeStyle = seconds ? 'medium' : 'short';
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'short', timeStyle }).format(new Date(time));
}

function fill(node) {
  const key = node.dataset.t;
  const filled = values.get(node) ?? {};
  const now = `${language} ${key} ${JSON.stringify(filled)}`;
  if (shown.get(node) === now) return;
  shown.set(node, now);
  node.replaceChildren(...parts(key, filled, (text) => foreign(text)));
}

function fillLabel(node) {
  const label = t(node.dataset.tLabel, labels.get(node) ?? {});
  if (node.getAttribute('aria-label') !== label) node.setAttribute('aria-label', label);
}

/** A text cut into what words.js says and what is filled in. */
function parts(key, filled, isolate) {
  return (words[language][key] ?? key).split(/\{(\w+)\}/).map((part, index) => {
    if (index % 2 === 0) return part;
    const value = filled[part];
    if (typeof value === 'number') return number(value);
    if (typeof value === 'string') return isolate(value);
    if (value?.word) return t(value.word);
    if (value?.time) return moment(value.time);
    if (value?.span !== undefined) return value.span;
    return value?.of ? money(value.amount, value.of) : '';
  });
}
