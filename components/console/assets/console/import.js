// Items from a file: CSV or JSON, with the members that `PUT /inventory/{item_id}` takes.

import { Refusal } from './api.js';
import { $, CONTROL, element, foreign } from './dom.js';
import { minor } from './forms.js';
import { hush, say } from './language.js';
import { clear, complain, explain } from './problem.js';
import { isOfToken, refused, request } from './session.js';
import { all, find } from './stock.js';

const MOST_BYTES = 8_000_000;
const MOST_ITEMS = 20_000;
/** How many are on their way at a time, so that a long file does not become a load. */
const AT_ONCE = 3;
/** How many mistakes are listed. */
const MOST_LISTED = 20;
const MEMBERS = ['item_id', 'unit_price', 'on_hand', 'max_per_order', 'name', 'image'];
const NUMBERS = ['unit_price', 'on_hand', 'max_per_order'];

let items = [];
let working = false;
/** Counts what has made this import another one: a new file, or a token that was forgotten. */
let turn = 0;
let onDone = () => {};

export function start(done) {
  onDone = done;
  $('import-file').addEventListener('change', take);
  $('import-form').addEventListener('submit', (event) => {
    event.preventDefault();
    run();
  });
}

export function forget() {
  turn += 1;
  working = false;
  items = [];
  $('import-form').reset();
  show();
}

const error = () => $('import-form').querySelector('.error');

function show() {
  clear(error());
  hush($('import-note'));
  $('import-wrong').replaceChildren();
  $('import-bar').hidden = true;
  $('import-do').hidden = items.length === 0;
  say($('import-do'), 'import.do', { n: items.length });
}

async function take() {
  turn += 1;
  items = [];
  working = false;
  $('import-do').removeAttribute('aria-disabled');
  show();
  const [file] = $('import-file').files;
  if (!file) return;
  if (file.size > MOST_BYTES) return complain(error(), 'import.large');
  const own = turn;
  const bytes = await file.arrayBuffer();
  if (own !== turn) return;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const { found, wrong } = read(text);
    if (wrong.length) return list(wrong, 'import.wrong', wrong.length);
    items = found;
    show();
    const known = items.filter(({ item_id }) => find(item_id)).length;
    say($('import-note'), 'import.found', { n: items.length, known, fresh: items.length - known });
  } catch (problem) {
    // What cannot be decoded or parsed.
    if (!(problem instanceof TypeError || problem instanceof SyntaxError || problem instanceof RangeError)) throw problem;
    complain(error(), 'import.unreadable');
  }
}

/** What is in a file, and what is wrong with it, by lines. */
function read(text) {
  const isJson = /^\s*[[{]/.test(text);
  const entries = isJson ? fromJson(JSON.parse(text)) : fromCsv(text);
  const wrong = [];
  const seen = new Set();
  const found = [];
  for (const { line, entry, error } of entries) {
    const problem = error ?? mistake(entry) ?? (seen.has(entry.item_id) ? 'import.twice' : null);
    if (problem) wrong.push({ line, id: String(entry?.item_id ?? ''), key: problem });
    else {
      seen.add(entry.item_id);
      found.push(entry);
    }
  }
  if (found.length + wrong.length === 0) throw new RangeError('nothing');
  if (found.length > MOST_ITEMS) throw new RangeError('too many');
  return { found, wrong };
}

/** An array of items, or what `GET /inventory` answers. */
function fromJson(value) {
  const array = Array.isArray(value) ? value : value.items;
  if (!Array.isArray(array)) throw new SyntaxError('no array');
  return array.map((it, index) => {
    const line = index + 1;
    if (it === null || typeof it !== 'object') return { line, error: 'import.no_item' };
    // What the shop tells of an item and does not take is left out; null takes away.
    return { line, entry: Object.fromEntries(MEMBERS.filter((member) => it[member] !== undefined).map((member) => [member, it[member]])) };
  });
}

/** A line of names, then a line for each item. An empty cell says nothing of its member. A `price` is as people write it. */
function fromCsv(text) {
  const rows = cells(text.replace(/^\ufeff/, ''));
  const head = (rows.shift()?.cells ?? []).map((cell) => cell.trim().toLowerCase());
  if (!head.includes('item_id') || !(head.includes('price') || head.includes('unit_price'))) throw new SyntaxError('no names');
  return rows.map(({ line, cells }) => {
    if (cells.length > head.length) return { line, entry: { item_id: cells[head.indexOf('item_id')] }, error: 'import.cells' };
    const entry = {};
    for (const [index, member] of head.entries()) {
      const cell = (cells[index] ?? '').trim();
      if (cell === '') continue;
      if (member === 'price') entry.unit_price = minor(cell.normalize('NFKC'), all()[0]) ?? cell;
      else if (NUMBERS.includes(member)) entry[member] = /^\d{1,16}$/.test(cell.normalize('NFKC')) ? Number(cell.normalize('NFKC')) : cell;
      else if (MEMBERS.includes(member)) entry[member] = cell;
    }
    return { line, entry };
  });
}

/** The cells of CSV, as RFC 4180 has it, between commas or semicolons; empty lines are left out. */
function cells(text) {
  const first = text.slice(0, (text.search(/[\r\n]/) + 1 || text.length + 1) - 1);
  const between = !first.includes(',') && first.includes(';') ? ';' : ',';
  const rows = [];
  let row = [];
  let cell = '';
  let quoted = false;
  let line = 1;
  let begun = 1;
  const end = () => {
    row.push(cell);
    if (row.some((cell) => cell.trim() !== '')) rows.push({ line: begun, cells: row });
    row = [];
    cell = '';
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === '\n') line += 1;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (letter === '"' && cell.trim() === '') {
      cell = '';
      quoted = true;
    } else if (letter === between) {
      row.push(cell);
      cell = '';
    } else if (letter === '\n') {
      end();
      begun = line;
    } else if (letter !== '\r') cell += letter;
  }
  if (quoted) throw new SyntaxError('a quote without an end');
  end();
  return rows;
}

const isCount = (value, least, most) => Number.isSafeInteger(value) && value >= least && value <= most;

/** What is wrong with an item, as far as that can be told without the shop. */
function mistake({ item_id, unit_price, on_hand, max_per_order, name, image }) {
  if (typeof item_id !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(item_id)) return 'new.id_wrong';
  if (!isCount(unit_price, 0, Number.MAX_SAFE_INTEGER)) return 'import.price_wrong';
  if (on_hand !== undefined && on_hand !== null && !isCount(on_hand, 0, 1e13)) return 'new.on_hand_wrong';
  if (max_per_order !== undefined && max_per_order !== null && !isCount(max_per_order, 1, 1_000_000)) return 'new.limit_wrong';
  if (name !== undefined && name !== null && (typeof name !== 'string' || [...name].length > 100 || CONTROL.test(name))) return 'import.name_wrong';
  if (image !== undefined && image !== null && typeof image !== 'string') return 'new.image_wrong';
  return null;
}

function list(wrong, key, count) {
  complain(error(), key, { n: count });
  $('import-wrong').replaceChildren(
    ...wrong.slice(0, MOST_LISTED).map(({ line, id, key, refusal }) => {
      const where = element('span', { class: 'muted' });
      say(where, 'import.line', { n: line });
      const what = element('span');
      if (refusal) explain(what, refusal, { item: id });
      else say(what, key);
      return element('li', {}, where, ' ', foreign(id), ' ', what);
    }),
  );
}

async function run() {
  if (working || items.length === 0) return;
  working = true;
  const own = turn;
  const button = $('import-do');
  button.setAttribute('aria-disabled', 'true');
  clear(error());
  $('import-wrong').replaceChildren();
  const bar = $('import-bar');
  bar.hidden = false;
  bar.max = items.length;
  bar.value = 0;
  const counts = { created: 0, changed: 0 };
  const wrong = [];
  const rest = items.map((item, index) => ({ item, line: index + 1 }));
  let stopped = null;
  const work = async () => {
    for (let next; own === turn && !stopped && (next = rest.shift()); ) {
      try {
        counts[await put(next.item)] += 1;
      } catch (refusal) {
        if (!(refusal instanceof Refusal)) throw refusal;
        // One item that the shop does not take says nothing of the others.
        if (isOfToken(refusal) || refusal.status >= 500) stopped = refusal;
        else wrong.push({ line: next.line, id: next.item.item_id, refusal });
      }
      if (own !== turn) return;
      bar.value += 1;
      // Told now and then, so that a screen reader can follow.
      if (bar.value % 100 === 0) say($('import-note'), 'import.progress', { n: bar.value, all: items.length });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (own !== turn) return;
  working = false;
  button.removeAttribute('aria-disabled');
  if (wrong.length) list(wrong, 'import.refused', wrong.length);
  if (stopped) refused(error(), stopped);
  say($('import-note'), 'import.done', counts);
  onDone();
}

/** Makes an item, or changes it where it is there: what is on hand is then left as it is. */
async function put({ item_id, ...body }) {
  const path = `/inventory/${encodeURIComponent(item_id)}`;
  const { on_hand, ...rest } = body;
  const send = (body) => request('PUT', path, { body });
  if (find(item_id)) {
    await send(rest);
    return 'changed';
  }
  try {
    return (await send({ ...rest, on_hand: on_hand ?? 0 })).status === 201 ? 'created' : 'changed';
  } catch (refusal) {
    // Made meanwhile, or by an earlier try whose answer was lost.
    if (refusal.code !== 'item_exists') throw refusal;
    await send(rest);
    return refusal.again ? 'created' : 'changed';
  }
}

