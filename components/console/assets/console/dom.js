// Creates and updates elements. All text is inserted here, as text and never as markup.

/** The element with this id. */
export const $ = (id) => document.getElementById(id);

/** A new element. Children are elements or text; attributes that are false, null or undefined are left out. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) node.setAttribute(attribute, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

/** Text from users, isolated so that it cannot change the direction of the text around it. */
export const foreign = (text, attributes = {}) => element('bdi', { class: 'foreign', ...attributes }, text);

/** Sets a text only if it differs: an element that is not touched keeps selection and focus, and is not read out again. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows in `list` an element for each key, in this order; elements that are there stay the same, and so keep their focus. */
export function arrange(list, keys, nodes, make) {
  const wanted = new Set(keys);
  for (const [key, node] of nodes) {
    if (!wanted.has(key)) {
      node.remove();
      nodes.delete(key);
    }
  }
  let place = list.firstElementChild;
  for (const key of keys) {
    let node = nodes.get(key);
    if (!node) {
      node = make(key);
      nodes.set(key, node);
    }
    if (node === place) place = place.nextElementSibling;
    else list.insertBefore(node, place);
  }
}

/** The characters that the shop takes in no text: controls, and those that turn the direction of text. */
export const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;
