// Sending the goods of an order: with whom, under which number, and whether the buyer has them.

import { element } from './dom.js';
import { Mistake, form, text } from './forms.js';
import { say, t } from './language.js';
import { request } from './session.js';
import { keep, recall } from './storage.js';

const LONGEST = 64;
const LONGEST_ADDRESS = 1024;

let forms = 0;

/** A field of a form with its label. */
export function field(key, attributes = {}, hint = null) {
  const words = element('span');
  say(words, key);
  const optional = element('span', { class: 'muted' });
  say(optional, 'optional');
  return element('label', { class: 'field' }, element('span', {}, words, ...(hint === 'optional' ? [' ', optional] : [])), element('input', { autocomplete: 'off', ...attributes }));
}

export function button(key, attributes = {}, values = {}) {
  const node = element('button', { type: 'button', ...attributes });
  say(node, key, values);
  return node;
}

/** The two places of a form where its outcome is told. */
export const outcomes = () => [element('div', { class: 'error', role: 'alert' }), element('div', { class: 'note', role: 'status' })];

/** A form that sends an order, or changes how it was sent; `then` is told what the order has become, `close` that it is not to be. */
export function sendingForm(order, then, close) {
  const { fulfilment } = order;
  const number = ++forms;
  const carrier = field('ship.carrier', { id: `carrier-${number}`, dir: 'auto', value: fulfilment?.carrier ?? (fulfilment ? '' : recall('sessionStorage', 'carrier') ?? '') }, 'optional');
  const tracking = field('ship.number', { id: `tracking-${number}`, dir: 'auto', spellcheck: 'false', value: fulfilment?.tracking_number ?? '' }, 'optional');
  const address = field('ship.url', { id: `address-${number}`, inputmode: 'url', spellcheck: 'false', autocapitalize: 'none', value: fulfilment?.tracking_url ?? '' }, 'optional');
  const delivered = element('input', { type: 'checkbox', id: `delivered-${number}` });
  const words = element('span');
  say(words, 'ship.delivered');
  const give = (label) => label.querySelector('input');
  const cancel = button('cancel', { class: 'quiet' });
  cancel.addEventListener('click', close);
  const node = element(
    'form',
    { class: 'shipping', novalidate: true },
    element('div', { class: 'fields' }, carrier, tracking, address),
    element('label', { class: 'check' }, delivered, words),
    element('div', { class: 'actions' }, button(fulfilment ? 'ship.change' : 'ship.do', { type: 'submit' }), cancel),
    ...outcomes(),
  );
  node.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close();
  });
  form(
    node,
    async (waiting) => {
      const body = {
        carrier: text(give(carrier), LONGEST, 'ship.long', 'ship.wrong'),
        tracking_number: text(give(tracking), LONGEST, 'ship.long', 'ship.wrong'),
        tracking_url: url(give(address)),
        delivered: delivered.checked,
      };
      // It can be sent again without a key: it says how the order is to be.
      const answer = await request('PUT', `/orders/${encodeURIComponent(order.order_id)}/fulfilment`, { body }, waiting);
      if (body.carrier) keep('sessionStorage', 'carrier', body.carrier);
      then(answer.body);
      return null;
    },
    { stays: true },
  );
  return node;
}

/** The address of a tracking page as browsers write it, in ASCII. */
function url(field) {
  const typed = field.value.trim();
  if (!typed) return undefined;
  const written = isSafe(typed) ? new URL(typed).href : null;
  if (!written || written.length > LONGEST_ADDRESS) throw new Mistake(field, 'ship.url_wrong');
  return written;
}

/** Whether it is an address that a buyer may be led to. */
export function isSafe(address) {
  if (!URL.canParse(address)) return false;
  const { protocol, username, password } = new URL(address);
  return protocol === 'https:' && !username && !password;
}

/** The way to the carrier's page; text where the address is none that a buyer may be led to. */
export function trackingLink(fulfilment) {
  const words = fulfilment.tracking_number ?? t('ship.track');
  if (!fulfilment.tracking_url || !isSafe(fulfilment.tracking_url)) return element('bdi', { class: 'foreign' }, fulfilment.tracking_number ?? '');
  return element('a', { href: fulfilment.tracking_url, rel: 'noopener noreferrer', target: '_blank' }, element('bdi', { class: 'foreign' }, words));
}
