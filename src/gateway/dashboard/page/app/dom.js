// Elements. Text is inserted as text: nothing in this page turns a string into markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children; `text` is its text, a function is a listener. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an SVG element, as `el` makes an HTML element. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'text') element.textContent = value;
    else if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** Sets a text only if it changed: unchanged text costs no layout. */
export function setText(element, text) {
  const value = text ?? '';
  if (element.textContent !== value) element.textContent = value;
}

/** Sets an attribute only if it changed; null removes the attribute. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/**
 * Makes the children of `parent` match `items`, in order. Items that stay keep their elements.
 * `create(item)` makes an element, `update(element, item)` brings it up to date.
 */
export function reconcile(parent, items, key, create, update) {
  const kept = parent.keyed ?? new Map();
  const next = new Map();
  // Removed items go first: otherwise every element after them would be moved and lose the focus.
  const names = new Set(items.map(key));
  for (const [name, element] of kept) if (!names.has(name)) element.remove();
  let place = parent.firstChild;
  for (const item of items) {
    const name = key(item);
    let element = kept.get(name);
    if (!element) element = create(item);
    update?.(element, item);
    next.set(name, element);
    if (element === place) place = place.nextSibling;
    else parent.insertBefore(element, place);
  }
  parent.keyed = next;
}
