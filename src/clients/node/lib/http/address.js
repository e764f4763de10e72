// Addresses of the gateway's paths.

/** @typedef {string | number | boolean | null | undefined} QueryValue */

/**
 * Makes a path. Each value becomes one percent-encoded segment.
 *
 * @param {TemplateStringsArray} texts
 * @param {...string} segments
 */
export function path(texts, ...segments) {
  return String.raw({ raw: texts }, ...segments.map(segment));
}

/** @param {string} value */
function segment(value) {
  // `fetch` removes dot segments, so the request would go to another path.
  if (typeof value !== 'string' || value === '' || value === '.' || value === '..') {
    throw new TypeError(`${JSON.stringify(value)} is not an id`);
  }
  return encodeURIComponent(value);
}

/**
 * Makes a query, with its question mark. An array repeats its name; `undefined` and `null` are left out.
 *
 * @param {Record<string, QueryValue | readonly QueryValue[]>} values
 */
export function query(values) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null) parameters.append(name, String(each));
    }
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * Checks the gateway's address, and removes slashes at its end.
 *
 * @param {string} url
 */
export function base(url) {
  if (!/^https?:\/\//.test(url) || !isUrl(url)) throw new TypeError(`${url} is not the http or https URL of a gateway`);
  return url.replace(/\/+$/, '');
}

/** @param {string} url */
function isUrl(url) {
  try {
    return new URL(url) !== null;
  } catch {
    return false;
  }
}
