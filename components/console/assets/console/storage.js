// What the browser keeps for the page. It may refuse (private mode, policy): the page works without.

/** @param {'localStorage' | 'sessionStorage'} where */
export function recall(where, name) {
  try {
    return JSON.parse(window[where].getItem(name));
  } catch {
    return null;
  }
}

/** @param {'localStorage' | 'sessionStorage'} where */
export function keep(where, name, value) {
  try {
    if (value === null) window[where].removeItem(name);
    else window[where].setItem(name, JSON.stringify(value));
  } catch {
    // Then it lasts as long as the page.
  }
}
