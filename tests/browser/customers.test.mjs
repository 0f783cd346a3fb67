// What customers do at the console, in a real browser: see support.mjs for how it is run.
//
// All in one process, one after another: one browser, and a shop that only one of them changes at a time.

import './looks.mjs';
import './ordering.mjs';
import './payments.mjs';
import './network.mjs';
import './time.mjs';
import './texts.mjs';
