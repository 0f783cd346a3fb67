// How the shop takes payment, and the way to the payment provider's page and back.

import { Refusal, send } from './api.js';
import { $ } from './dom.js';
import { hush, say } from './language.js';

const ORDER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether the shop has said how it takes payment since it was last out of reach. */
let known = false;

/** Has the page ask again: another shop may have been started meanwhile. */
export function forget() {
  known = false;
}

/** Asks how the shop takes payment, until it has said so, and says on the page where no real money moves. */
export async function poll() {
  if (known) return;
  try {
    show((await send('GET', '/payments')).body);
  } catch (error) {
    // An earlier version of the shop has no such answer.
    if (!(error instanceof Refusal && error.status === 404)) throw error;
  }
  known = true;
}

function show({ provider, test_mode }) {
  const place = $('money');
  if (provider === 'none') say(place, 'money.none');
  else if (test_mode) say(place, 'money.test');
  else hush(place);
  place.className = test_mode ? 'test' : '';
}

/** Sends this tab to the provider's page. Answers false, and stays, where that is none that a buyer should type a card into. */
export function leaveFor(address) {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, password } = new URL(address);
  const loopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  if (username || password || !(protocol === 'https:' || (protocol === 'http:' && loopback))) return false;
  location.assign(address);
  return true;
}

/**
 * The order for whose payment the buyer was away, and how the buyer came back: `returned` after paying, or `left`. That
 * says nothing about whether it is paid. The address of the page is then without it, so that a reload does not tell it again.
 */
export function arrival() {
  const query = new URLSearchParams(location.search);
  const [id, how] = [query.get('order')?.toLowerCase(), query.get('payment')];
  if (!ORDER_ID.test(id) || !['returned', 'left'].includes(how)) return null;
  query.delete('order');
  query.delete('payment');
  const rest = query.toString();
  history.replaceState(null, '', `${location.pathname}${rest && '?'}${rest}${location.hash}`);
  return { id, how };
}
