// The token that the user entered. It is kept for this tab only and sent in a header, never in an address.

const KEY = 'tertulia.token';

let token = read();

function read() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

export function hasToken() {
  return token !== '';
}

export function setToken(value) {
  token = value;
  try {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  } catch {
    // If the tab has no storage, the page keeps the token while it is open.
  }
}

export function authorization() {
  return token ? { authorization: `Bearer ${token}` } : {};
}

/** Whether a token of this scope may act. */
export function mayWrite(scope) {
  return scope === 'write' || scope === 'admin';
}
