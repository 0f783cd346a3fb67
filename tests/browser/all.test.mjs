// The console and the API pages, in a real browser. On a running new shop, of whose stock they take some:
//
//     ./install && npm ci
//     BASE_URL=http://127.0.0.1:3000 OPERATOR_TOKEN=please-let-me-in node --test
//
// BASE_URL_SHORT names a second server, whose payment window is 3 seconds; STOREFRONT the origin that the first one has
// as `allowed_origins`, like http://127.0.0.1:8000, where the tests serve a page; SCREENSHOTS a folder for pictures.
//
// All in one process, one after another: one browser, and a shop that only one of them changes at a time.

import './looks.mjs';
import './ordering.mjs';
import './network.mjs';
import './time.mjs';
import './texts.mjs';
import './money.mjs';
import './many.mjs';
import './operator.mjs';
import './docs.mjs';
import './origins.mjs';
