// What the shop refuses, in words.

import { element, foreign } from './dom.js';
import { hush, say } from './language.js';
import { words } from './words.js';

/**
 * Shows in `place` why something was refused: the code in the reader's language, then the shop's own words. `values` are those of
 * the text that the problem itself does not have.
 */
export function explain(place, refusal, values = {}) {
  const { problem, status } = refusal;
  const known = `error.${problem.code}`;
  const key = known in words.en ? known : 'error.other';
  const head = element('strong');
  say(head, key, {
    item: text(problem.item_id),
    available: problem.available ?? 0,
    requested: problem.requested ?? 0,
    most: problem.max_per_order ?? 0,
    order: { word: `status.${text(problem.order_status)}` },
    status: { span: String(status) },
    ...values,
  });
  place.replaceChildren(head);
  const details = problem.errors?.length ? [] : [text(problem.detail)];
  for (const error of problem.errors ?? []) {
    details.push(`${text(error.pointer ?? error.header ?? error.parameter)}: ${text(error.detail)}`);
  }
  // The shop's own words are English.
  for (const detail of details.filter(Boolean)) place.append(element('span', { class: 'detail', lang: 'en' }, foreign(detail)));
}

/** Shows in `place` a text of words.js as an error. */
export function complain(place, key, values = {}) {
  const head = element('strong');
  say(head, key, values);
  place.replaceChildren(head);
}

export const clear = (place) => hush(place);

const text = (value) => (typeof value === 'string' ? value : '');
