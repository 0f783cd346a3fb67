// The operator's token, and requests with it. The token is kept in this variable and nowhere else.

import { Unreachable, insist, send } from './api.js';
import { complain, explain } from './problem.js';
import { called } from './stock.js';

let token = null;
let onRefused = () => {};

/** `refused` is called with a refusal of the token itself, when the token is already forgotten. */
export function start(refused) {
  onRefused = refused;
}

export const isOpen = () => token !== null;

export function use(it) {
  token = it;
}

/** Sends as the operator until there is an answer that stands. Only for what can be sent again. */
export const request = (method, path, options, waiting) => insist(method, path, { ...options, token }, waiting);

/** Reads as the operator; null, with words in `place`, if that was refused, or if the token was forgotten meanwhile. */
export async function read(place, path, patience) {
  const own = token;
  if (own === null) return null;
  try {
    const answer = await send('GET', path, { token: own, patience });
    return own === token ? answer : null;
  } catch (error) {
    if (own !== token) return null;
    if (error instanceof Unreachable) complain(place, 'server.away');
    else refused(place, error);
    return null;
  }
}

/** Shows a refusal where the work was; one of the token where the token is. */
export function refused(place, refusal, values = {}) {
  if (isOfToken(refusal)) onRefused(refusal);
  else explain(place, refusal, { item: called(refusal.problem.item_id), ...values });
}

/** Whether it says nothing about what was asked for, but about who asked. */
export const isOfToken = ({ code }) => ['unauthorized', 'operator_disabled'].includes(code);
