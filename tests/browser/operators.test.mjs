// What operators do at the console, large shops, the API pages and the pages of others, in a real browser: see support.mjs
// for how it is run.
//
// All in one process, one after another: one browser, and a shop that only one of them changes at a time.

import './many.mjs';
import './names.mjs';
import './money.mjs';
import './operator.mjs';
import './desk.mjs';
import './states.mjs';
import './docs.mjs';
import './origins.mjs';
