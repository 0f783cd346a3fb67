// The server's time, from its `date` headers. The browser's clock may be wrong by hours, or be set while the page is open,
// so time is measured by performance.now(), which cannot be set.
//
// Each answer bounds the difference of the two clocks: it was stamped after the request was sent and before it arrived. The bounds
// of many answers narrow to a fraction of the second that a `date` header is good for.

let least = -Infinity;
let most = Infinity;

/**
 * The server's clock showed `stamp`, or up to `precision` more, at some moment between `sent` and `received`.
 * All in milliseconds; the latter two by performance.now().
 */
export function learn(stamp, precision, sent, received) {
  if (!Number.isFinite(stamp)) return;
  const low = stamp - received;
  const high = stamp + precision - sent;
  least = Math.max(least, low);
  most = Math.min(most, high);
  // One of the clocks has jumped, or the machine was asleep: what was known before counts no longer.
  if (least > most) [least, most] = [low, high];
}

/** The server's time in milliseconds, or null before its first answer. */
export function now() {
  return least === -Infinity ? null : performance.now() + (least + most) / 2;
}
