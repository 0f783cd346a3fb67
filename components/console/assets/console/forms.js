// Forms of the operator: what was typed, what is wrong with it, and a submission for each press of a button.

import { Refusal } from './api.js';
import { CONTROL } from './dom.js';
import { digits, hush, say } from './language.js';
import { clear, complain } from './problem.js';
import { refused } from './session.js';

/** An invalid field of a form, which is not sent. */
export class Mistake extends Error {
  constructor(field, key, values = {}) {
    super(key);
    this.field = field;
    this.values = values;
  }
}

/**
 * Has a form do `work` once for each press of its button, and shows the result: a text of words.js with its values, or null
 * if `work` has shown it elsewhere. What is typed into the form is then taken out, unless it `stays`.
 */
export function form(node, work, { stays = false } = {}) {
  const error = node.querySelector('.error');
  const status = node.querySelector('.note');
  const button = node.querySelector('[type=submit]');
  let working = false;
  node.addEventListener('input', (event) => event.target.removeAttribute('aria-invalid'));
  node.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (working) return;
    clear(error);
    hush(status);
    for (const field of node.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
    working = true;
    button.setAttribute('aria-disabled', 'true');
    const before = typed(node);
    try {
      const result = await work(() => say(status, 'sending.wait'));
      if (result) say(status, ...result);
      else hush(status);
      // What was typed meanwhile stays.
      if (!stays && typed(node) === before) node.reset();
    } catch (problem) {
      hush(status);
      if (problem instanceof Refusal) refused(error, problem);
      else if (problem instanceof Mistake) point(error, problem);
      else throw problem;
    } finally {
      working = false;
      button.removeAttribute('aria-disabled');
    }
  });
}

/** Says in `place` what is wrong, and leads to the field. */
export function point(place, { field, message, values }) {
  complain(place, message, values);
  field.setAttribute('aria-invalid', 'true');
  field.focus();
}

const typed = (node) => JSON.stringify([...node.querySelectorAll('input, select')].map((field) => (field.type === 'checkbox' || field.type === 'radio' ? field.checked : field.value)));

/** What was typed as a number, also with full-width digits or a typographic minus. */
export const plain = (field) => field.value.normalize('NFKC').trim().replace(/^[−–]/, '-');

/** A text of at most this number of characters, as the shop counts: code points. Undefined if there is none. */
export function text(field, most, long, wrong) {
  const value = field.value.trim();
  const length = [...value].length;
  if (length > most) throw new Mistake(field, long, { n: length });
  if (CONTROL.test(value)) throw new Mistake(field, wrong);
  return value || undefined;
}

/** A whole number from 0 to `most`; null if it is none. */
export function whole(typed, most) {
  return /^\d{1,13}$/.test(typed) && Number(typed) <= most ? Number(typed) : null;
}

/** An amount as typed in minor units, exactly, in the currency `of` an item or an order; null if it is none. */
export function minor(typed, of) {
  const places = of ? digits(of) : 0;
  const match = /^(\d{1,15})(?:[.,](\d+))?$/.exec(typed);
  if (!match || (match[2] ?? '').length > places) return null;
  const amount = Number(match[1] + (match[2] ?? '').padEnd(places, '0'));
  return Number.isSafeInteger(amount) ? amount : null;
}

/** An amount as it is typed. */
export function major(amount, of) {
  const places = of ? digits(of) : 0;
  const figures = String(amount).padStart(places + 1, '0');
  return places ? `${figures.slice(0, -places)}.${figures.slice(-places)}` : figures;
}
