// The console and the API pages, in a real browser. On a running new shop, of whose stock they take some:
//
//     ./install && npm ci
//     BASE_URL=http://127.0.0.1:3000 OPERATOR_TOKEN=please-let-me-in node --test
//
// BASE_URL_SHORT names a second server, whose payment window is 3 seconds; STOREFRONT the origin that the first one has
// as `allowed_origins`, like http://127.0.0.1:8000, where the tests serve a page; SCREENSHOTS a folder for pictures.
// PROVIDER_URL and PROVIDER_KEY are the address and the key of a stand-in for Stripe, BASE_URL_PROVIDER a server that is paid
// through it, and BASE_URL_PROVIDER_SHORT another one, whose payment window is a few seconds.
//
// All in one process, one after another: one browser, and a shop that only one of them changes at a time.

import './looks.mjs';
import './ordering.mjs';
import './payments.mjs';
import './network.mjs';
import './time.mjs';
import './texts.mjs';
import './money.mjs';
import './many.mjs';
import './names.mjs';
import './operator.mjs';
import './desk.mjs';
import './docs.mjs';
import './origins.mjs';
