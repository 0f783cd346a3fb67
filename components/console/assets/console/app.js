// Connects the parts of the page, and polls the shop.

import { onReachable } from './api.js';
import { $ } from './dom.js';
import { apply, change, current, hush, onLanguage, say } from './language.js';
import * as operator from './operator.js';
import * as form from './order-form.js';
import * as orders from './orders.js';
import * as payments from './payments.js';
import * as stock from './stock.js';

const PAUSE_MS = 1_500;
const LONGEST_PAUSE_MS = 4_000;
/** How much longer a pause is than the polling before it, up to a limit. */
const SHARE = 5;
const LONGEST_WAIT_MS = 15_000;

let pause = PAUSE_MS;
let timer;
let polling = false;

/** Polls now and then repeatedly, while the page is visible. */
async function poll() {
  clearTimeout(timer);
  if (polling || document.hidden) return;
  polling = true;
  const begun = performance.now();
  const results = await Promise.allSettled([stock.poll(), orders.poll(), payments.poll()]);
  polling = false;
  if (results.every(({ status }) => status === 'fulfilled')) {
    // A shop that takes long to answer is asked less often: it is busy, or has many items.
    pause = Math.max(PAUSE_MS, Math.min((performance.now() - begun) * SHARE, LONGEST_WAIT_MS));
  } else {
    // A failed poll is repeated, less often; the module that polls shows the error.
    pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS);
  }
  timer = setTimeout(poll, pause);
}

function showView() {
  const atOperator = operator.isOperators(location.hash);
  // Other anchors, like that of the skip link, are not views.
  if (!atOperator && location.hash && location.hash !== '#shop') return;
  $('operator-view').hidden = !atOperator;
  $('shop-view').hidden = atOperator;
  document.body.classList.toggle('operator', atOperator);
  const [here, there] = atOperator ? ['to-operator', 'to-shop'] : ['to-shop', 'to-operator'];
  $(here).setAttribute('aria-current', 'page');
  $(there).removeAttribute('aria-current');
  if (atOperator) operator.route();
  else operator.leave();
}

const other = () => (current() === 'en' ? 'zh' : 'en');

$('language').addEventListener('click', () => change(other()));
onLanguage(() => {
  $('language').lang = other() === 'zh' ? 'zh-Hans' : 'en';
  $('language').textContent = other() === 'zh' ? '中文' : 'English';
});

onReachable((reachable) => {
  const place = $('connection');
  place.className = reachable ? 'back' : 'away';
  say(place, reachable ? 'server.back' : 'server.away');
  if (!reachable) return;
  payments.forget();
  poll();
  setTimeout(() => {
    if (place.className === 'back') hush(place);
  }, 4_000);
});

document.addEventListener('visibilitychange', poll);
addEventListener('online', poll);
// The way back from the payment provider's page may lead to this page as it was left.
addEventListener('pageshow', ({ persisted }) => {
  if (!persisted) return;
  orders.backAgain();
  poll();
});
addEventListener('hashchange', showView);

stock.start(form.add);
form.start((answer) => {
  orders.placed(answer);
  poll();
});
orders.start(payments.arrival());
operator.start(poll);
apply();
showView();
poll();
