// What the operator has done to orders that must be done once, whatever gets lost: money and goods that go back.
//
// A request has a key, which is kept with it until its outcome is known, also when the page is left or loaded anew. So a second
// press after an answer that was lost asks for the same thing, and not for one more of it.

import { PROVIDER_PATIENCE_MS, freshKey } from './api.js';
import { isOfToken, request } from './session.js';
import { keep, recall } from './storage.js';

/** The status for a record that can hold no more. A repeat of what is in it is not refused. */
const FULL = 507;

/** By their names: `{ key, path, body }`. */
const open = recall('sessionStorage', 'actions') ?? {};
const running = new Map();

/** What was sent under this name and has no outcome yet: its body. */
export const unanswered = (name) => open[name]?.body ?? null;

/** Whether it is on its way at this moment. */
export const isRunning = (name) => running.has(name);

/**
 * Sends what is named so until it is answered. What has no outcome yet is sent as it was: until that is known there is nothing
 * else under this name.
 */
export function carryOut(name, path, body, waiting) {
  if (!running.has(name)) {
    remember(name, open[name] ?? { key: freshKey(), path, body });
    running.set(name, attempt(name, waiting).finally(() => running.delete(name)));
  }
  return running.get(name);
}

async function attempt(name, waiting) {
  const { key, path, body } = open[name];
  try {
    const answer = await request('POST', path, { body, key, patience: PROVIDER_PATIENCE_MS }, waiting);
    remember(name, null);
    return answer;
  } catch (refusal) {
    // A 5xx leaves open whether it was done, but for a record that is full; and so does a token that is not taken any more.
    if ((refusal.status < 500 || refusal.status === FULL) && !isOfToken(refusal)) remember(name, null);
    throw refusal;
  }
}

function remember(name, it) {
  if (it) open[name] = it;
  else delete open[name];
  keep('sessionStorage', 'actions', open);
}
