// A list of any length that keeps only its visible rows in the document. All rows have the same height, which the
// style sheet sets as `--row`.

import { el, setAttribute } from '../dom.js';

const BEYOND = 6;

/**
 * `create()` makes an empty row, `update(row, item)` fills it, `key(item)` tells items apart. `onOpen(item)` is called
 * for a click, Enter or Space, if there is one.
 */
export class List {
  element;
  #body;
  #items = [];
  #rows = [];
  #create;
  #update;
  #key;
  #onOpen;
  #height = 0;
  #selected = null;
  #focused = 0;
  #resized;

  constructor({ label, columns, create, update, key, onOpen }) {
    this.#create = create;
    this.#update = update;
    this.#key = key;
    this.#onOpen = onOpen;
    this.#body = el('div', { class: 'list-body', role: 'rowgroup' });
    const head = el(
      'div',
      { class: 'list-head', role: 'rowgroup' },
      el(
        'div',
        { class: 'list-row', role: 'row', 'aria-rowindex': 1 },
        columns.map(([name, className, title]) =>
          el('span', { role: 'columnheader', class: className, text: name, title }),
        ),
      ),
    );
    const scroll = { scroll: () => this.#place(), keydown: (event) => this.#pressed(event) };
    this.element = el(
      'div',
      { class: 'list', role: 'grid', 'aria-label': label, tabindex: -1, ...scroll },
      head,
      this.#body,
    );
    this.#resized = new ResizeObserver(() => {
      this.#height = 0;
      for (const row of this.#rows) row.place = undefined;
      this.#place();
    });
    this.#resized.observe(this.element);
  }

  /** Shows these items. */
  show(items) {
    this.#items = items;
    setAttribute(this.element, 'aria-rowcount', items.length + 1);
    this.#place();
  }

  /** Marks the item with this key. */
  select(key) {
    this.#selected = key;
    const place = this.#items.findIndex((item) => this.#key(item) === key);
    if (place >= 0) this.#focused = place;
    this.#place();
  }

  /** Moves the focus to the current row. */
  focus() {
    this.#focus(this.#focused);
  }

  get #rowHeight() {
    if (this.#height === 0) this.#height = parseFloat(getComputedStyle(this.element).getPropertyValue('--row')) || 36;
    return this.#height;
  }

  #place() {
    const { scrollTop, clientHeight } = this.element;
    if (clientHeight === 0) return;
    const height = this.#rowHeight;
    const count = this.#items.length;
    this.#focused = Math.max(0, Math.min(this.#focused, count - 1));
    this.#body.style.height = `${count * height}px`;
    const first = Math.max(0, Math.floor(scrollTop / height) - BEYOND);
    const wanted = Math.min(count - first, Math.ceil(clientHeight / height) + 2 * BEYOND);
    while (this.#rows.length < wanted) this.#rows.push(this.#make());
    // Tab always reaches one of the visible rows.
    const inSight = this.#focused >= first && this.#focused < first + wanted;
    const stop = inSight ? this.#focused : Math.ceil(scrollTop / height);
    this.#rows.forEach((row, index) => {
      const place = first + ((index - (first % this.#rows.length) + this.#rows.length) % this.#rows.length);
      const item = place < first + wanted ? this.#items[place] : undefined;
      if (item === undefined) {
        if (row.isConnected) row.remove();
        row.item = null;
        return;
      }
      if (row.place !== place) {
        row.place = place;
        row.style.transform = `translateY(${place * height}px)`;
        setAttribute(row, 'aria-rowindex', place + 2);
        row.classList.toggle('odd', place % 2 === 1);
      }
      row.item = item;
      setAttribute(row, 'tabindex', place === stop ? 0 : -1);
      setAttribute(row, 'aria-selected', this.#selected === null ? null : String(this.#key(item) === this.#selected));
      this.#update(row, item);
      if (!row.isConnected) this.#body.append(row);
    });
  }

  #make() {
    const row = this.#create();
    row.classList.add('list-row');
    row.setAttribute('role', 'row');
    row.addEventListener('focus', () => {
      this.#focused = row.place;
    });
    row.addEventListener('click', () => {
      if (row.item === null) return;
      this.#focused = row.place;
      this.#onOpen?.(row.item);
    });
    return row;
  }

  #pressed(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.#rowHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.target.closest('[role=row]') !== event.target) return;
    if (event.key in steps) {
      event.preventDefault();
      this.#focus(Math.max(0, Math.min(this.#items.length - 1, this.#focused + steps[event.key])));
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      const item = this.#items[this.#focused];
      if (item !== undefined) this.#onOpen?.(item);
    }
  }

  #focus(place) {
    this.#focused = place;
    const { element } = this;
    const [height, head] = [this.#rowHeight, this.element.firstElementChild.offsetHeight];
    const [top, bottom] = [place * height, (place + 1) * height];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom + head > element.scrollTop + element.clientHeight)
      element.scrollTop = bottom + head - element.clientHeight;
    this.#place();
    this.#rows.find((row) => row.item !== null && row.place === place)?.focus({ preventScroll: true });
  }
}
