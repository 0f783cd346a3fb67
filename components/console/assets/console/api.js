// HTTP requests to the shop.

import { learn } from './clock.js';

const PATIENCE_MS = 15_000;
/** For what the shop may have to ask the payment provider about, more than once. */
export const PROVIDER_PATIENCE_MS = 40_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;

/** The server cannot be reached, or the answer is not from the shop. Whether the request was carried out is unknown. */
export class Unreachable extends Error {}

/** The shop refused the request. `problem` is its RFC 9457 document. */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.code ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  get code() {
    return this.problem.code ?? '';
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return ['busy', 'store_unavailable', 'request_timeout'].includes(this.code);
  }
}

let reachable = true;
let listener = () => {};

/** Calls `then` with true when the server can be reached again, and with false when it cannot be reached any more. */
export function onReachable(then) {
  listener = then;
}

function found(it) {
  if (it !== reachable) {
    reachable = it;
    listener(it);
  }
}

/** Sends a request. Returns `{ status, body, headers }`; 304 has no body. */
export async function send(method, path, { body, key, etag, token, patience = PATIENCE_MS } = {}) {
  const headers = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key) headers['idempotency-key'] = key;
  if (etag) headers['if-none-match'] = etag;
  if (token) headers.authorization = `Bearer ${token}`;
  const sent = performance.now();
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      // The page compares etags itself, and the browser must not cache what only an operator may see.
      cache: 'no-store',
      signal: AbortSignal.timeout(patience),
    });
    learn(Date.parse(response.headers.get('date') ?? ''), 1000, sent, performance.now());
    text = await response.text();
  } catch {
    found(false);
    throw new Unreachable();
  }
  const answer = parse(text);
  const known = response.status === 304 || (answer !== null && typeof answer === 'object');
  // From a gateway whose shop cannot be reached; the shop's own 502 has a code.
  const isGateways = [502, 504].includes(response.status) && answer?.code !== 'payment_provider_error';
  if (!known || isGateways) {
    found(false);
    throw new Unreachable();
  }
  found(true);
  if (response.ok || response.status === 304) {
    return { status: response.status, body: answer, headers: response.headers, sent, received: performance.now() };
  }
  throw new Refusal(response.status, answer, Number(response.headers.get('retry-after')) * 1000);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Sends until there is an answer that stands. Only for what can be sent again: it passes on the same request, with the
 * same key, so that it is done once. `waiting` is told why it takes longer; `again` tells that an earlier answer was lost.
 */
export async function insist(method, path, options, waiting = () => {}) {
  for (let pause = FIRST_PAUSE_MS, again = false; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS), again = true) {
    try {
      return { ...(await send(method, path, options)), again };
    } catch (error) {
      if (!(error instanceof Unreachable) && !error.passes) {
        error.again = again;
        throw error;
      }
      waiting(error);
      await new Promise((resolve) => setTimeout(resolve, Math.max(pause, error.retryAfter || 0)));
    }
  }
}

/** The part of an address behind the question mark. The shop reads a plus as a plus, as RFC 3986 has it. */
export const query = (parameters) => String(new URLSearchParams(parameters)).replaceAll('+', '%20');

/** A new idempotency key, for one press of a button. */
export function freshKey() {
  // randomUUID exists only on https and localhost; a shop on a home network may have neither.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
